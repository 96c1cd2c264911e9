package edge_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"go.uber.org/goleak"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service answers with serve.
type service struct {
	name, prefix string
	serve        func(*edge.Call)
}

func (s service) Name() string         { return s.name }
func (s service) TargetPrefix() string { return s.prefix }
func (s service) Serve(c *edge.Call)   { s.serve(c) }

type queryService struct{ service }

func (queryService) SpeaksQuery() {}

type pathService struct {
	service
	under string
}

func (s pathService) MatchPath(_, path string) bool { return strings.HasPrefix(path, s.under) }

// describe answers with what the service was given, so that tests see it.
func describe(c *edge.Call) {
	c.Reply(200, "text/plain", fmt.Appendf(nil, "%s %s %s %s %s [%s]", c.Service, c.Operation, c.Protocol, c.Account, c.Region, c.Body))
}

func kinesis(serve func(*edge.Call)) edge.Service {
	return service{"kinesis", "Kinesis_20131202", serve}
}

// running is an edge between Open and the end of its test.
type running struct {
	*edge.Edge
	authority *edge.Authority
	stop      func() error // ends Run and gives its result; may be called twice

	mu     sync.Mutex
	events []edge.Event
}

func (r *running) seen() []edge.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]edge.Event(nil), r.events...)
}

var quiet = slog.New(slog.DiscardHandler)

func start(t testing.TB, o edge.Options) *running {
	t.Helper()
	r := &running{}
	var err error
	if r.authority = o.TLS; r.authority == nil {
		if r.authority, err = edge.OpenAuthority(vfs.NewMem(), clock.Real, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	o.Listen, o.TLSListen, o.TLS = "127.0.0.1:0", "127.0.0.1:0", r.authority
	if o.Auth == nil {
		o.Auth = auth.Any{}
	}
	if o.Logger == nil {
		o.Logger = quiet
	}
	o.Observe = func(e edge.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	}
	if r.Edge, err = edge.Open(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return r
}

func (r *running) url() string { return "http://" + r.Addr().String() + "/" }

// trusting is the TLS configuration of a client that trusts the authority and offers these protocols.
func (r *running) trusting(protocols ...string) *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(r.authority.CertificatePEM())
	return &tls.Config{RootCAs: pool, NextProtos: protocols, ServerName: "kinesis.us-east-1.localhost"}
}

// client is an HTTP client whose connections end with the test.
func client(t testing.TB, configure func(*http.Transport)) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(true)
	if configure != nil {
		configure(tr)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

// put is a request as the SDKs make it: JSON 1.1, signed by the key for kinesis in eu-west-1.
func put(t testing.TB, url, keyID, secret, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "Kinesis_20131202.PutRecords")
	sign(t, r, keyID, secret, "kinesis", []byte(body))
	return r
}

func sign(t testing.TB, r *http.Request, keyID, secret, service string, body []byte) {
	t.Helper()
	sum := sha256.Sum256(body)
	err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, r,
		hex.EncodeToString(sum[:]), service, "eu-west-1", clock.Real.Now())
	if err != nil {
		t.Fatal(err)
	}
}

// do sends a request and gives the answer, its body read.
func do(t testing.TB, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// way is a transport of a client.
type way struct {
	name, url, proto string
	configure        func(*http.Transport)
}

// ways is every transport there is, including HTTP/2 over TLS by preface alone, which the Java SDK spoke before 2025.
func (r *running) ways() []way {
	secure := "https://" + r.TLSAddr().String() + "/"
	return []way{
		{"HTTP/1.1", r.url(), "HTTP/1.1", nil},
		{"h2c", r.url(), "HTTP/2.0", func(tr *http.Transport) {
			tr.Protocols.SetHTTP1(false)
			tr.Protocols.SetUnencryptedHTTP2(true)
		}},
		{"TLS HTTP/1.1", secure, "HTTP/1.1", func(tr *http.Transport) { tr.TLSClientConfig = r.trusting("http/1.1") }},
		{"TLS without ALPN", secure, "HTTP/1.1", func(tr *http.Transport) { tr.TLSClientConfig = r.trusting() }},
		{"TLS h2 by ALPN", secure, "HTTP/2.0", func(tr *http.Transport) {
			tr.TLSClientConfig = r.trusting("h2")
			tr.Protocols.SetHTTP2(true)
		}},
		// The client believes it speaks h2c; below it is TLS without ALPN.
		{"TLS h2 by preface", r.url(), "HTTP/2.0", func(tr *http.Transport) {
			tr.Protocols.SetHTTP1(false)
			tr.Protocols.SetUnencryptedHTTP2(true)
			tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
				conn, err := tls.Dial("tcp", r.TLSAddr().String(), r.trusting())
				if err != nil {
					return nil, err
				}
				return struct{ net.Conn }{conn}, nil
			}
		}},
	}
}

// The same call over every transport there is.
func TestTransports(t *testing.T) {
	r := start(t, edge.Options{Services: []edge.Service{kinesis(describe)}})
	for _, row := range r.ways() {
		t.Run(row.name, func(t *testing.T) {
			c := client(t, row.configure)
			for range 3 { // a connection is used again
				body := strings.Repeat("x", 300_000)
				resp, got := do(t, c, put(t, row.url, "123456789012", "any", body))
				if want := "kinesis PutRecords json-1.1 123456789012 eu-west-1 [" + body + "]"; resp.StatusCode != 200 || got != want || resp.Proto != row.proto {
					t.Fatalf("%s %d %.200q", resp.Proto, resp.StatusCode, got)
				}
				if resp.Header.Get("X-Amzn-Requestid") == "" || resp.Header.Get("Content-Length") != fmt.Sprint(len(got)) {
					t.Errorf("headers %v", resp.Header)
				}
			}
		})
	}
}

// Requests on pooled calls at the same time keep their own bodies and ids.
func TestCallsAreNotMixedUp(t *testing.T) {
	r := start(t, edge.Options{Services: []edge.Service{kinesis(describe)}})
	c := client(t, nil)
	var mu sync.Mutex
	seen := make(map[string]bool)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 50 {
				body := strings.Repeat(fmt.Sprintf("%d.%d;", worker, i), 1+i*37)
				resp, got := do(t, c, put(t, r.url(), "test", "any", body))
				if !strings.HasSuffix(got, "["+body+"]") {
					t.Errorf("worker %d request %d got another's answer", worker, i)
				}
				mu.Lock()
				id := resp.Header.Get("X-Amzn-Requestid")
				if seen[id] {
					t.Errorf("request id %s twice", id)
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// With keys: what they signed passes under their account, and nothing else does.
func TestKeysAtTheDoor(t *testing.T) {
	store, err := auth.OpenStore(vfs.NewMem(), clock.Real, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := store.Create("210987654321", "test")
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, edge.Options{Auth: auth.NewKeys(store), Services: []edge.Service{kinesis(describe)}})
	ask := func(change func(*http.Request)) (int, string) {
		q := put(t, r.url(), key.ID, key.Secret, `{"a":1}`)
		change(q)
		resp, body := do(t, client(t, nil), q)
		h2c := client(t, func(tr *http.Transport) {
			tr.Protocols.SetHTTP1(false)
			tr.Protocols.SetUnencryptedHTTP2(true)
		})
		if q.Body, err = q.GetBody(); err != nil {
			t.Fatal(err)
		}
		if over2, body2 := do(t, h2c, q); over2.StatusCode != resp.StatusCode || body2 != body {
			t.Errorf("over HTTP/2 %d %s, over HTTP/1.1 %d %s", over2.StatusCode, body2, resp.StatusCode, body)
		}
		return resp.StatusCode, body
	}
	for _, row := range []struct {
		name   string
		change func(*http.Request)
		status int
		body   string
	}{
		{"as signed", func(*http.Request) {}, 200, `kinesis PutRecords json-1.1 210987654321 eu-west-1 [{"a":1}]`},
		{"unsigned", func(q *http.Request) { q.Header.Del("Authorization") }, 400,
			`{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}`},
		{"unknown key", func(q *http.Request) { sign(t, q, "AKIAIOSFODNN7EXAMPLE", key.Secret, "kinesis", []byte(`{"a":1}`)) }, 400,
			`{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}`},
		{"another operation", func(q *http.Request) { q.Header.Set("X-Amz-Target", "Kinesis_20131202.DeleteStream") }, 400,
			`{"__type":"InvalidSignatureException","message":"The request signature we calculated does not match the signature you provided. ` +
				`Check your AWS Secret Access Key and signing method. Consult the service documentation for details."}`},
		{"another service's scope", func(q *http.Request) { sign(t, q, key.ID, key.Secret, "dynamodb", []byte(`{"a":1}`)) }, 400,
			`{"__type":"InvalidSignatureException","message":"Credential should be scoped to correct service: 'kinesis'. "}`},
	} {
		if status, body := ask(row.change); status != row.status || body != row.body {
			t.Errorf("%s: %d %s\nwant %d %s", row.name, status, body, row.status, row.body)
		}
	}
	events := r.seen()
	if len(events) != 10 || events[0].Operation != "PutRecords" || events[0].BytesIn != 7 || events[0].Status != 200 || events[0].Account != "210987654321" {
		t.Errorf("events %+v", events)
	}
	for _, e := range events[2:] { // each was asked twice
		if e.Operation != "" || e.ErrorCode == "" || e.Status != 400 {
			t.Errorf("a refused request is seen as %+v", e)
		}
	}
}

// A panic in a service is its request's end, not the server's.
func TestPanicInService(t *testing.T) {
	r := start(t, edge.Options{Services: []edge.Service{kinesis(func(c *edge.Call) {
		if bytes.Equal(c.Body, []byte("panic")) {
			panic("on purpose")
		}
		describe(c)
	})}})
	c := client(t, nil)
	if resp, err := c.Do(put(t, r.url(), "test", "any", "panic")); err == nil {
		resp.Body.Close()
		t.Errorf("answered %d", resp.StatusCode)
	}
	if resp, _ := do(t, c, put(t, r.url(), "test", "any", "fine")); resp.StatusCode != 200 {
		t.Errorf("after it: %d", resp.StatusCode)
	}
	if e := r.seen(); len(e) != 2 || e[0].ErrorCode != edge.CodeInternal {
		t.Errorf("events %+v", e)
	}
}

// Requests under way finish during the drain, streams hear that it began, and a call that ignores both is cut off at its end.
func TestDrain(t *testing.T) {
	arrived, release := make(chan string, 3), make(chan struct{})
	r := start(t, edge.Options{DrainTimeout: 300 * time.Millisecond, Services: []edge.Service{kinesis(func(c *edge.Call) {
		body := string(c.Body)
		arrived <- body
		switch body {
		case "finishes":
			<-release
		case "streams":
			<-c.Draining()
		case "hangs":
			<-c.Ctx.Done()
		}
		c.Reply(200, "text/plain", []byte("done"))
	})}})
	type answer struct {
		status int
		err    error
	}
	answers := make(map[string]chan answer)
	for _, body := range []string{"finishes", "streams", "hangs"} {
		answers[body] = make(chan answer, 1)
		c := client(t, nil)
		q := put(t, r.url(), "test", "any", body)
		go func() {
			resp, err := c.Do(q)
			if err != nil {
				answers[body] <- answer{err: err}
				return
			}
			resp.Body.Close()
			answers[body] <- answer{status: resp.StatusCode}
		}()
	}
	for range answers {
		<-arrived
	}
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	if a := <-answers["streams"]; a.status != 200 {
		t.Errorf("a stream during the drain: %+v", a)
	}
	close(release)
	if a := <-answers["finishes"]; a.status != 200 {
		t.Errorf("a request during the drain: %+v", a)
	}
	if a := <-answers["hangs"]; a.err == nil {
		t.Errorf("a call that hangs: %+v", a)
	}
	if err := <-stopped; err != nil {
		t.Errorf("run: %v", err)
	}
	if conn, err := net.Dial("tcp", r.Addr().String()); err == nil {
		conn.Close()
		t.Error("still listening")
	}
}

// A connection that its client never used does not hold up the drain: nothing had to be cut off at its end.
func TestDrainDoesNotWaitForUnusedConnections(t *testing.T) {
	var log bytes.Buffer
	r := start(t, edge.Options{DrainTimeout: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil)), Services: []edge.Service{kinesis(func(c *edge.Call) {
		c.Reply(200, "text/plain", nil)
	})}})
	unused, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer unused.Close()
	resp, err := client(t, nil).Do(put(t, r.url(), "test", "any", "x")) // accepted after the unused one
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := r.stop(); err != nil {
		t.Errorf("run: %v", err)
	}
	if log.Len() > 0 {
		t.Errorf("the drain ended in: %s", &log)
	}
}
