// Package firehose drives the delivery streams of a running Weir with the AWS SDK for Go, unmodified but for its endpoint.
//
// It owns the proof that each operation of docs/aws/firehose.md does what the table says, and that what was acknowledged is delivered whatever is killed when.
//
// Read TestMain, then life_test.go.
package firehose

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/weir-stream/weir/internal/node"
)

// patience is how long a test waits for what should take milliseconds.
const patience = 30 * time.Second

var seed = flag.Uint64("seed", 0, "of random tests; 0 takes a new one")

// shared is one server for all tests that need no time of their own: each test has an account of its own.
var shared *server

// TestMain is two programs: the tests, and a server that is there to be killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		os.Exit(serve(os.Args[2]))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir-firehose-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if shared, err = start(node.Config{DataDir: filepath.Join(dir, "data"), Dev: true}); err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		return 1
	}
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop:", err)
		return 1
	}
	return code
}

func serve(dir string) int {
	s, err := start(node.Config{DataDir: dir, Dev: true, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintln(os.Stdout, s.node.Addr())
	select {}
}

// server is a running node.
type server struct{ node *node.Node }

func start(config node.Config) (*server, error) {
	config.Listen, config.ConsoleListen = "127.0.0.1:0", "127.0.0.1:0"
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	n, err := node.Start(context.Background(), config)
	if err != nil {
		return nil, err
	}
	return &server{n}, nil
}

func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.node.Stop(ctx)
}

// startFor runs a server for one test.
func startFor(t *testing.T, config node.Config) *server {
	t.Helper()
	config.Dev = true
	if config.DataDir == "" {
		config.DataDir = t.TempDir()
	}
	s, err := start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error("stop:", err)
		}
	})
	return s
}

// session is one test's view of a server: an account that nobody else uses. The SDK does not retry: a test must see each answer.
type session struct {
	*sdk.Client
	t       *testing.T
	ctx     context.Context
	server  *server
	account string
	objects *s3.Client
	streams *kinesis.Client
}

var accounts atomic.Int64

func (s *server) session(t *testing.T) *session {
	t.Helper()
	v := sessionAt(t, s.node.Addr(), fmt.Sprintf("%012d", 300_000_000_000+accounts.Add(1)))
	v.server = s
	return v
}

func sessionAt(t *testing.T, addr, account string) *session {
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	endpoint, over := aws.String("http://"+addr), &http.Client{Transport: transport}
	as := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: account, SecretAccessKey: "any"}, nil
	})
	const region = "us-east-1"
	return &session{
		t: t, ctx: t.Context(), account: account,
		Client:  sdk.New(sdk.Options{Region: region, BaseEndpoint: endpoint, HTTPClient: over, Retryer: aws.NopRetryer{}, Credentials: as}),
		objects: s3.New(s3.Options{Region: region, BaseEndpoint: endpoint, HTTPClient: over, Retryer: aws.NopRetryer{}, Credentials: as, UsePathStyle: true}),
		streams: kinesis.New(kinesis.Options{Region: region, BaseEndpoint: endpoint, HTTPClient: over, Retryer: aws.NopRetryer{}, Credentials: as}),
	}
}

const role = "arn:aws:iam::123456789012:role/delivery"

// bucket is one that belongs to the session.
func (s *session) bucket() string { return "delivered-" + s.account }

// destination is the session's bucket.
func (s *session) destination() *types.ExtendedS3DestinationConfiguration {
	return &types.ExtendedS3DestinationConfiguration{RoleARN: aws.String(role), BucketARN: aws.String("arn:aws:s3:::" + s.bucket())}
}

// create makes a delivery stream and waits until it is ACTIVE, as tools do.
func (s *session) create(name string, change func(*sdk.CreateDeliveryStreamInput)) {
	s.t.Helper()
	in := &sdk.CreateDeliveryStreamInput{DeliveryStreamName: &name, ExtendedS3DestinationConfiguration: s.destination()}
	if change != nil {
		change(in)
	}
	out, err := s.CreateDeliveryStream(s.ctx, in)
	s.must(err)
	if want := "arn:aws:firehose:us-east-1:" + s.account + ":deliverystream/" + name; aws.ToString(out.DeliveryStreamARN) != want {
		s.t.Errorf("ARN %s, want %s", aws.ToString(out.DeliveryStreamARN), want)
	}
	s.active(name)
}

func (s *session) active(name string) {
	s.t.Helper()
	eventually(s.t, name+" to be ACTIVE", func() bool { return s.describe(name).DeliveryStreamStatus == types.DeliveryStreamStatusActive })
}

func (s *session) describe(name string) *types.DeliveryStreamDescription {
	s.t.Helper()
	out, err := s.DescribeDeliveryStream(s.ctx, &sdk.DescribeDeliveryStreamInput{DeliveryStreamName: &name})
	s.must(err)
	return out.DeliveryStreamDescription
}

func (s *session) makeBucket() {
	s.t.Helper()
	_, err := s.objects.CreateBucket(s.ctx, &s3.CreateBucketInput{Bucket: aws.String(s.bucket())})
	s.must(err)
}

func (s *session) put(name string, texts ...string) {
	s.t.Helper()
	in := &sdk.PutRecordBatchInput{DeliveryStreamName: &name}
	for _, text := range texts {
		in.Records = append(in.Records, types.Record{Data: []byte(text)})
	}
	out, err := s.PutRecordBatch(s.ctx, in)
	s.must(err)
	if aws.ToInt32(out.FailedPutCount) != 0 {
		s.t.Fatalf("%d records failed", *out.FailedPutCount)
	}
}

// delivered is one object.
type delivered struct {
	key, body, kind, encoding string
}

// delivered is what is in the session's bucket, in order of key.
func (s *session) delivered() (all []delivered) {
	s.t.Helper()
	pages := s3.NewListObjectsV2Paginator(s.objects, &s3.ListObjectsV2Input{Bucket: aws.String(s.bucket())})
	for pages.HasMorePages() {
		page, err := pages.NextPage(s.ctx)
		s.must(err)
		for _, o := range page.Contents {
			got, err := s.objects.GetObject(s.ctx, &s3.GetObjectInput{Bucket: aws.String(s.bucket()), Key: o.Key})
			s.must(err)
			body, err := io.ReadAll(got.Body)
			s.must(err)
			s.must(got.Body.Close())
			all = append(all, delivered{*o.Key, string(body), aws.ToString(got.ContentType), aws.ToString(got.ContentEncoding)})
		}
	}
	return all
}

// bodies is the bodies of objects, sorted.
func bodies(all []delivered) (out []string) {
	for _, d := range all {
		out = append(out, d.body)
	}
	slices.Sort(out)
	return out
}

// advance moves the server's test clock and waits until what was due has been done.
func (s *session) advance(by string) {
	s.t.Helper()
	answer, err := http.Post("http://"+s.server.node.ConsoleAddr()+"/_weir/clock", "application/json", strings.NewReader(`{"advance":"`+by+`","step":"10m","drain":true}`))
	s.must(err)
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		s.t.Fatalf("advance by %s: %s: %s", by, answer.Status, text)
	}
}

func (s *session) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// refused checks that a call was refused with a code and words.
func (s *session) refused(err error, code, says string) {
	s.t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), says) {
		s.t.Errorf("%v, want %s: %s", err, code, says)
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatal("waited for ", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// random is a source that says in one line how to repeat a failing test.
func random(t *testing.T) *mathrand.Rand {
	s := *seed
	if s == 0 {
		s = mathrand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with: go test ./test/firehose -run '^%s$' -seed %d", t.Name(), s)
		}
	})
	return mathrand.New(mathrand.NewPCG(s, s))
}

// running is a server in a process of its own.
type running struct {
	cmd  *exec.Cmd
	addr string
}

func startProcess(t *testing.T, dir string) *running {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &running{cmd: exec.Command(self, "serve", dir)}
	r.cmd.Stderr = os.Stderr
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal("the server did not start: ", err)
	}
	r.addr = strings.TrimSpace(line)
	return r
}

// kill is kill -9.
func (r *running) kill() {
	_ = r.cmd.Process.Kill() // it may have ended
	_ = r.cmd.Wait()
}
