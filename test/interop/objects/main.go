// Command objects holds versitygw, a server of S3 that is not ours, to the scripts of test/objects and of internal/blob/blobtest. What it does otherwise than AWS is in
// test/objects/differences.go; where it does otherwise than Weir, one of the two is wrong, and AWS's page says which.
//
//	go run ./test/interop/objects PATH-OF-VERSITYGW
//
// It starts the server on a free port of this machine, with files in a new folder, and says a line for each script: "ok NAME" or "not ok NAME: why".
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/weir-stream/weir/internal/blob"
	"github.com/weir-stream/weir/internal/blob/blobtest"
	"github.com/weir-stream/weir/test/objects"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "objects:", err)
		os.Exit(1)
	}
}

// secret is what the server and its clients know of each other: both end with this process.
const secret = "only for a test"

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: objects PATH-OF-VERSITYGW")
	}
	dir, err := os.MkdirTemp("", "weir-objects-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := start(ctx, args[0], dir)
	if err != nil {
		return err
	}
	defer server.stop()
	client := &http.Client{}
	peer := objects.Peer{Name: "versitygw", HTTP: client, Differs: objects.Versitygw, Client: s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://" + server.address), UsePathStyle: true, HTTPClient: client, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "weir", SecretAccessKey: secret}, nil
		}),
	})}
	for _, script := range objects.All {
		say("versitygw: "+script.Name, script.Run(ctx, peer))
	}
	engines, err := blob.New(blob.Options{Endpoint: "http://" + server.address, AccessKeyID: "weir", SecretAccessKey: secret})
	if err != nil {
		return err
	}
	say("versitygw: what engines rely on", blobtest.Run(ctx, engines, "of-engines", pathsForKeys))
	return ctx.Err()
}

// pathsForKeys is what engines must not do with a server that keeps objects in files of their names: have one key that another one goes on from behind a slash.
var pathsForKeys = map[string]string{
	"put fd/x": "conflict", "get fd/x": "not found", "list ": "a b+c%/é 3|empty 0|fd 4|large 5000000|new 5", "list fd": "fd 4", "get what is below it": "not found",
}

// say is the line that make interop counts.
func say(name string, complaints []string) {
	if len(complaints) == 0 {
		fmt.Println("ok", name)
		return
	}
	fmt.Printf("not ok %s: %s\n", name, strings.ReplaceAll(strings.Join(complaints, "; "), "\n", " "))
}

// server is a versitygw of our own.
type server struct {
	address string
	cmd     *exec.Cmd
	done    chan error // receives the process's end, once; capacity 1
}

// patience is for a first start on a busy machine.
const patience = 30 * time.Second

func start(ctx context.Context, binary, dir string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	files, notes := filepath.Join(dir, "files"), filepath.Join(dir, "notes")
	if err := errors.Join(os.Mkdir(files, 0o755), os.Mkdir(notes, 0o755)); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// With --sidecar what is known of an object lies in files: not every file system has extended attributes.
	s := &server{address: address, done: make(chan error, 1), cmd: exec.Command(binary, "--port", address, "--access", "weir", "--secret", secret, "--quiet", "posix", "--sidecar", notes, files)}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.done <- s.cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return s, conn.Close()
		}
		select {
		case <-tick.C:
			continue
		case ended := <-s.done:
			s.done <- ended
			err = fmt.Errorf("versitygw ended: %w", ended)
		case <-ctx.Done():
			err = fmt.Errorf("versitygw does not answer: %w", err)
		}
		s.stop()
		said, _ := os.ReadFile(log.Name()) // whatever is there helps
		return nil, fmt.Errorf("%w\n%s", err, said)
	}
}

// stop ends the server, and waits for that.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // an error says that it has ended already
	select {
	case <-s.done:
	case <-time.After(patience):
		_ = s.cmd.Process.Kill() // likewise
		<-s.done
	}
}

// freeAddress is an address of this machine that nobody listens on at this moment.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
