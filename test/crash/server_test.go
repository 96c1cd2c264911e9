package crash

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/internal/node"
)

const serverEnv = "WEIR_CRASH_SERVER" // the directory: this process is a server, until it is killed

// serve runs a node in development mode and says on standard output where it listens.
func serve(dir string) error {
	n, err := node.Start(context.Background(), node.Config{DataDir: dir, Listen: "127.0.0.1:0", Dev: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, n.Addr()); err != nil {
		return err
	}
	<-n.Done()
	return n.Err()
}

// server is a running server in a process of its own.
type server struct {
	*kinesis.Client
	cmd *exec.Cmd
}

func startServer(t *testing.T, dir string) *server {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), serverEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer hung.Stop()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = cmd.Process.Kill()
		t.Fatalf("the server does not say where it listens: %v, %v", err, cmd.Wait())
	}
	return &server{cmd: cmd, Client: kinesis.New(kinesis.Options{
		Region: "eu-west-3", BaseEndpoint: aws.String("http://" + strings.TrimSpace(line)),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "123456789012", SecretAccessKey: "any"}, nil
		}),
	})}
}

// once makes a call try once only: a put that is tried again in secret may be there twice.
func once(o *kinesis.Options) { o.RetryMaxAttempts = 1 }

// kill is kill -9.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}
