// Package aws drives a running Weir with the AWS SDK for Go, unmodified but for its endpoint, and
// with requests written by hand where the SDK is too polite to show a quirk of the wire.
//
// It owns the proof that each operation of docs/aws/kinesis.md does what the table says. How the
// parts work inside is shown by their own tests; other languages' clients belong to test/interop.
//
// Read everyTransport, below, then put_test.go.
package aws

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/weir-stream/weir/internal/node"
)

// patience is how long a test waits for something that should take milliseconds. It is long so that
// a busy machine fails no test; a test that reaches it says what it waited for.
const patience = 30 * time.Second

// shared is one server for all tests: each test has an account of its own, so none sees another's streams.
var shared *server

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir-aws-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared, err = start(node.Config{DataDir: dir})
	if err != nil {
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

// server is a running node and what a client must know to reach it.
type server struct {
	node *node.Node
	cas  *x509.CertPool // trusts the node's TLS listener
}

// start runs a node in development mode on free ports.
func start(config node.Config) (*server, error) {
	config.Dev = true
	return serve(config)
}

// serve runs a node on free ports.
func serve(config node.Config) (*server, error) {
	config.Listen, config.TLSListen, config.ConsoleListen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	if config.Logger == nil {
		config.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	n, err := node.Start(context.Background(), config)
	if err != nil {
		return nil, err
	}
	s := &server{node: n, cas: x509.NewCertPool()}
	authority := filepath.Join(config.DataDir, "tls", "ca.pem")
	pem, err := os.ReadFile(authority)
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	if !s.cas.AppendCertsFromPEM(pem) {
		return nil, errors.Join(fmt.Errorf("no certificate in %s", authority), s.stop())
	}
	return s, nil
}

// stop drains the node and waits for it.
func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.node.Stop(ctx)
}

// startFor runs a server for one test, in a directory of its own.
func startFor(t *testing.T, config node.Config) *server {
	t.Helper()
	return startIn(t, t.TempDir(), config)
}

// startIn runs a server in a directory until the test ends, or halts it before.
func startIn(t *testing.T, dir string, config node.Config) *server {
	t.Helper()
	config.DataDir = dir
	s, err := start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.halt(t) })
	return s
}

// halt stops a server, once however often it is called.
func (s *server) halt(t *testing.T) {
	t.Helper()
	if s.node == nil {
		return
	}
	if err := s.stop(); err != nil {
		t.Error("stop:", err)
	}
	s.node = nil
}

// transport is one way to reach the server.
type transport struct {
	name   string
	tls    bool
	proto  string // what every response must have come over
	client func(s *server) *http.Transport
}

// protocols is an http.Transport that speaks exactly the given ones.
func protocols(set func(p *http.Protocols)) *http.Transport {
	p := new(http.Protocols)
	set(p)
	return &http.Transport{Protocols: p, MaxIdleConnsPerHost: 8}
}

var transports = []transport{
	{"http1", false, "HTTP/1.1", func(*server) *http.Transport {
		return protocols(func(p *http.Protocols) { p.SetHTTP1(true) })
	}},
	{"h2c", false, "HTTP/2.0", func(*server) *http.Transport {
		return protocols(func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })
	}},
	{"tls-http1", true, "HTTP/1.1", func(s *server) *http.Transport {
		over := protocols(func(p *http.Protocols) { p.SetHTTP1(true) })
		over.TLSClientConfig = &tls.Config{RootCAs: s.cas}
		return over
	}},
	{"tls-h2", true, "HTTP/2.0", func(s *server) *http.Transport {
		over := protocols(func(p *http.Protocols) { p.SetHTTP2(true) })
		over.TLSClientConfig = &tls.Config{RootCAs: s.cas}
		return over
	}},
}

// endpoint is the URL a client is pointed at.
func (s *server) endpoint(overTLS bool) string {
	if overTLS {
		return "https://" + s.node.TLSAddr()
	}
	return "http://" + s.node.Addr()
}

// session is one test's view of a server: an account that nobody else uses, over one transport.
type session struct {
	*kinesis.Client
	t       *testing.T
	ctx     context.Context
	server  *server
	account string
	region  string
}

var accounts atomic.Int64

// nextAccount is an account that no other test uses.
func nextAccount() string { return fmt.Sprintf("%012d", 100_000_000_000+accounts.Add(1)) }

// everyTransport runs a script once per transport, each time in a new account of the shared server.
func everyTransport(t *testing.T, script func(s *session)) {
	t.Helper()
	for _, over := range transports {
		t.Run(over.name, func(t *testing.T) {
			t.Parallel()
			script(shared.session(t, over, nextAccount(), "us-east-1"))
		})
	}
}

// session connects one test. The SDK does not retry: a test must see each answer.
func (s *server) session(t *testing.T, over transport, account, region string) *session {
	t.Helper()
	made := s.signedSession(t, over, aws.Credentials{AccessKeyID: account, SecretAccessKey: "any secret will do"}, region)
	made.account = account
	return made
}

// signedSession is session with a key; its account is not known here.
func (s *server) signedSession(t *testing.T, over transport, key aws.Credentials, region string) *session {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	http1 := over.client(s)
	t.Cleanup(http1.CloseIdleConnections)
	client := kinesis.New(kinesis.Options{
		Region:       region,
		BaseEndpoint: aws.String(s.endpoint(over.tls)),
		Credentials:  aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return key, nil }),
		HTTPClient:   &http.Client{Transport: &protoCheck{t: t, next: http1, proto: over.proto}},
		Retryer:      aws.NopRetryer{},
	})
	return &session{Client: client, t: t, ctx: ctx, server: s, region: region}
}

// plain is a session over HTTP/1.1, for tests where the transport does not matter.
func (s *server) plain(t *testing.T) *session {
	t.Helper()
	return s.session(t, transports[0], nextAccount(), "us-east-1")
}

// protoCheck fails the test when an answer came over another protocol than the row of the table says.
type protoCheck struct {
	t     *testing.T
	next  http.RoundTripper
	proto string
}

// RoundTrip passes the request on and looks at the answer. The body is passed on as a copy: the SDK closes its own as soon as the head of an answer is there, and
// net/http over HTTP/1.1, when it has yet to see that the body is over, then takes the connection down under an answer that streams.
func (p *protoCheck) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer, err := p.next.RoundTrip(r)
	if err == nil && answer.Proto != p.proto {
		p.t.Errorf("answer over %s, want %s", answer.Proto, p.proto)
	}
	return answer, err
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("waited %s for %s", patience, what)
		case <-tick.C:
		}
	}
}

// must is for calls that have no reason to fail.
func must[T any](value T, err error) func(s *session) T {
	return func(s *session) T {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
		return value
	}
}

// arn is the name of a stream as AWS writes it.
func (s *session) arn(stream string) string {
	return "arn:aws:kinesis:" + s.region + ":" + s.account + ":stream/" + stream
}

// create makes a stream and waits until it is ACTIVE.
func (s *session) create(stream string, shards int32) {
	s.t.Helper()
	must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: &stream, ShardCount: &shards}))(s)
	s.active(stream)
}

// active waits until a stream is ACTIVE and gives its summary.
func (s *session) active(stream string) *types.StreamDescriptionSummary {
	s.t.Helper()
	var summary *types.StreamDescriptionSummary
	eventually(s.t, "stream "+stream+" to be ACTIVE", func() bool {
		summary = must(s.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &stream}))(s).StreamDescriptionSummary
		return summary.StreamStatus == types.StreamStatusActive
	})
	return summary
}

// put writes one record and gives its place.
func (s *session) put(stream, key, data string) *kinesis.PutRecordOutput {
	s.t.Helper()
	return must(s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: &stream, PartitionKey: &key, Data: []byte(data)}))(s)
}

// iterator opens a shard.
func (s *session) iterator(input *kinesis.GetShardIteratorInput) string {
	s.t.Helper()
	return *must(s.GetShardIterator(s.ctx, input))(s).ShardIterator
}

// read is everything in a shard from an iterator until it has caught up.
func (s *session) read(iterator string) []types.Record {
	s.t.Helper()
	var records []types.Record
	for {
		answer := must(s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: &iterator}))(s)
		records = append(records, answer.Records...)
		if len(answer.Records) == 0 && *answer.MillisBehindLatest == 0 || answer.NextShardIterator == nil {
			return records
		}
		iterator = *answer.NextShardIterator
	}
}

// readAll is everything in a shard from its beginning.
func (s *session) readAll(stream, shard string) []types.Record {
	s.t.Helper()
	return s.read(s.iterator(&kinesis.GetShardIteratorInput{
		StreamName: &stream, ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}))
}

// refused checks that err is AWS's error of this code, and that its message fits the pattern: a
// regular expression for the whole text, in which {account} stands for the session's.
func (s *session) refused(err error, code, pattern string) {
	s.t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		s.t.Errorf("got %v, want %s", err, code)
		return
	}
	if api.ErrorCode() != code {
		s.t.Errorf("got %s (%s), want %s", api.ErrorCode(), api.ErrorMessage(), code)
		return
	}
	pattern = "^(?s:" + strings.ReplaceAll(pattern, "{account}", s.account) + ")$"
	if !regexp.MustCompile(pattern).MatchString(api.ErrorMessage()) {
		s.t.Errorf("%s says\n%s, want\n%s", code, api.ErrorMessage(), pattern)
	}
}

// quote makes a text match itself inside a pattern of refused.
func quote(text string) string { return regexp.QuoteMeta(text) }
