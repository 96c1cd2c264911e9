package dynamodb

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/weir-stream/weir/internal/node"
)

// childDir, when it is set, makes the test's program a server over that directory.
const childDir = "WEIR_TEST_DYNAMODB_DIR"

// serveChild runs a server until it is killed, and prints its address.
func serveChild(dir string) int {
	n, err := node.Start(context.Background(), node.Config{DataDir: dir, Listen: "127.0.0.1:0", Dev: true, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintln(os.Stdout, n.Addr())
	<-n.Done()
	fmt.Fprintln(os.Stderr, n.Err())
	return 1
}

// child is a server that can be killed.
type child struct {
	process *exec.Cmd
	addr    string
}

func startChild(t *testing.T, dir string) *child {
	t.Helper()
	c := &child{process: exec.Command(os.Args[0])}
	c.process.Env = append(os.Environ(), childDir+"="+dir)
	c.process.Stderr = os.Stderr
	out, err := c.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server says no address: %v", err)
	}
	c.addr = strings.TrimSpace(line)
	return c
}

// kill is kill -9.
func (c *child) kill() {
	_ = c.process.Process.Kill() // or it is over already
	_ = c.process.Wait()
}

// connect is a session with the child.
func (c *child) connect(t *testing.T) *session {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	t.Cleanup(cancel)
	endpoint, client := aws.String("http://"+c.addr), &http.Client{Transport: whole{}}
	key := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "000000000000", SecretAccessKey: "any"}, nil
	})
	return &session{
		Client:  dynamodb.New(dynamodb.Options{Region: region, BaseEndpoint: endpoint, Credentials: key, Retryer: aws.NopRetryer{}, HTTPClient: client}),
		streams: dynamodbstreams.New(dynamodbstreams.Options{Region: region, BaseEndpoint: endpoint, Credentials: key, Retryer: aws.NopRetryer{}, HTTPClient: client}),
		t:       t, ctx: ctx,
	}
}

// TestKillNine kills a loaded server again and again: after each restart the table has what was acknowledged, and is exactly what its change stream adds up to.
func TestKillNine(t *testing.T) {
	dir := t.TempDir()
	c := startChild(t, dir)
	s := c.connect(t)
	s.table("kill", false, func(in *dynamodb.CreateTableInput) {
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: "NEW_IMAGE"}
	})
	const writers = 6
	var acknowledged [writers]atomic.Int64
	for round := range 4 {
		var running sync.WaitGroup
		var total atomic.Int64
		enough := make(chan struct{})
		for i := range writers {
			running.Go(func() {
				for {
					n := acknowledged[i].Load() + 1
					_, err := s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: aws.String("kill"), Key: item{"k": str(fmt.Sprint(i))}, UpdateExpression: aws.String("SET n = :n"),
						ConditionExpression: aws.String("attribute_not_exists(n) OR n <= :n"), ExpressionAttributeValues: item{":n": num(fmt.Sprint(n))}})
					if err != nil {
						return // the server is dead
					}
					acknowledged[i].Store(n)
					if total.Add(1) == 150 {
						close(enough)
					}
				}
			})
		}
		<-enough
		c.kill()
		running.Wait()
		c = startChild(t, dir)
		s = c.connect(t)
		table := map[string]string{}
		for _, it := range must(s.Scan(s.ctx, &dynamodb.ScanInput{TableName: aws.String("kill")}))(s).Items {
			table[it["k"].(*types.AttributeValueMemberS).Value] = it["n"].(*types.AttributeValueMemberN).Value
		}
		changed := map[string]string{}
		for _, r := range s.changes(s.streamOf("kill"), "TRIM_HORIZON") {
			k, n, _ := strings.Cut(image(r.Dynamodb.NewImage), " ")
			changed[k] = n
		}
		if fmt.Sprint(table) != fmt.Sprint(changed) {
			t.Errorf("round %d: the table is %v, its changes add up to %v", round, table, changed)
		}
		for i := range writers {
			n, _ := strconv.ParseInt(table[fmt.Sprint(i)], 10, 64)
			if last := acknowledged[i].Load(); n < last || n > last+1 {
				t.Errorf("round %d: writer %d had %d acknowledged, the table has %d", round, i, last, n)
			}
			acknowledged[i].Store(n)
		}
	}
}
