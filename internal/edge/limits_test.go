package edge_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
)

// raw is a client that writes what it likes.
type raw struct {
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, r *running) raw {
	t.Helper()
	conn, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return raw{conn, bufio.NewReader(conn)}
}

const head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Kinesis_20131202.X\r\n"

func (c raw) answer(t *testing.T) (int, string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second)) // a server that never answers fails the test, not the run
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestExpectContinue(t *testing.T) {
	c := dial(t, start(t, edge.Options{Services: []edge.Service{kinesis(describe)}}))
	for _, sent := range []string{"", "body", "", "more"} { // an empty body, too: botocore waits for it, and misreads what comes later if it does not come
		fmt.Fprintf(c, head+"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(sent))
		if line, err := c.in.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
			t.Fatalf("%q, %v", line, err)
		}
		if line, err := c.in.ReadString('\n'); line != "\r\n" {
			t.Fatalf("%q, %v", line, err)
		}
		fmt.Fprint(c, sent)
		if status, body := c.answer(t); status != 200 || !strings.HasSuffix(body, "["+sent+"]") {
			t.Errorf("%d %s", status, body)
		}
	}
}

// What is too much, too slow or too short is refused by AWS's names for it, and a body that is announced as too large is not asked for.
func TestBodyLimits(t *testing.T) {
	r := start(t, edge.Options{Services: []edge.Service{kinesis(describe)}, BodyBytesMax: 100_000, BodyGrace: 50 * time.Millisecond, HeaderBytesMax: 8 << 10})
	for _, row := range []struct {
		name, send string
		half       bool // the client says that it sends no more
		status     int
		want       string
	}{
		{"announced", head + "Expect: 100-continue\r\nContent-Length: 100001\r\n\r\n", false, 413, `{"__type":"RequestEntityTooLargeException","message":"The request entity is too large."}`},
		{"chunked", head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("4000\r\n"+strings.Repeat("x", 0x4000)+"\r\n", 8) + "0\r\n\r\n", false,
			413, `{"__type":"RequestEntityTooLargeException","message":"The request entity is too large."}`},
		{"slow", head + "Content-Length: 10\r\n\r\nx", false, 408, `{"__type":"RequestTimeoutException","message":"Reading the request timed out."}`},
		{"slow chunk", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nx", false, 408, `{"__type":"RequestTimeoutException","message":"Reading the request timed out."}`},
		{"cut short", head + "Content-Length: 10\r\n\r\nx", true, 400, `{"__type":"MalformedHttpRequestException","message":"The request's body ended early or is malformed."}`},
		{"chunked and whole", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false, 200, "kinesis X json-1.1 000000000000 us-east-1 [hello]"},
		{"header", "POST / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 16<<10) + "\r\n\r\n", false, 431, "431 Request Header Fields Too Large"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := dial(t, r)
			fmt.Fprint(c, row.send)
			if row.half {
				c.Conn.(*net.TCPConn).CloseWrite()
			}
			if status, body := c.answer(t); status != row.status || body != row.want {
				t.Errorf("%d %s\nwant %d %s", status, body, row.status, row.want)
			}
		})
	}
}

// A service may take longer than a body may: the body's deadline ends with the body.
func TestDeadlineOfTheBodyIsNotTheServices(t *testing.T) {
	r := start(t, edge.Options{BodyGrace: 20 * time.Millisecond, Services: []edge.Service{kinesis(func(c *edge.Call) {
		select {
		case <-c.Ctx.Done():
			c.Fail(500, edge.CodeInternal, "the request's context ended")
		case <-time.After(200 * time.Millisecond): // ten times the grace
			describe(c)
		}
	})}})
	if resp, body := do(t, client(t, nil), put(t, r.url(), "test", "any", "body")); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestSlowHeaderIsCut(t *testing.T) {
	r := start(t, edge.Options{Services: []edge.Service{kinesis(describe)}, HeaderTimeout: 50 * time.Millisecond})
	for name, addr := range map[string]net.Addr{"plain": r.Addr(), "tls": r.TLSAddr()} {
		conn, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "POST / HT")
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// With one slot, a second connection is served when the first is gone, and not before.
func TestConnectionsMax(t *testing.T) {
	r := start(t, edge.Options{Services: []edge.Service{kinesis(describe)}, ConnectionsMax: 1})
	first, second := dial(t, r), dial(t, r)
	request := head + "Content-Length: 1\r\n\r\n"
	fmt.Fprint(first, request+"1")
	if status, body := first.answer(t); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	fmt.Fprint(second, request+"2")
	second.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := second.in.Peek(1); err == nil {
		t.Error("a second connection was served beside the first")
	}
	first.Close()
	second.SetReadDeadline(time.Time{})
	second.in.Reset(second)
	if status, body := second.answer(t); status != 200 || !strings.HasSuffix(body, "[2]") {
		t.Errorf("%d %s", status, body)
	}
}

// Large bodies beyond the room for them are refused in a way that SDKs try again; small ones pass.
func TestRoomForBodies(t *testing.T) {
	r := start(t, edge.Options{Services: []edge.Service{kinesis(describe)}, BodyBytesMax: 100_000, BodiesBytesMax: 150_000, BodyGrace: 300 * time.Millisecond})
	holder := dial(t, r)
	fmt.Fprint(holder, head+"Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n")
	if line, err := holder.in.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" { // the room is taken now
		t.Fatalf("%q, %v", line, err)
	}
	small := dial(t, r)
	fmt.Fprint(small, head+"Content-Length: 1\r\n\r\nx")
	if status, _ := small.answer(t); status != 200 {
		t.Errorf("a small body: %d", status)
	}
	large := dial(t, r)
	fmt.Fprint(large, head+"Content-Length: 90000\r\n\r\n"+strings.Repeat("x", 90000))
	status, _ := large.answer(t)
	if status != 503 && status != 200 { // 200 when the holder's time ran out first
		t.Errorf("a large body: %d", status)
	}
	again := dial(t, r)
	holder.Close()
	fmt.Fprint(again, head+"Content-Length: 90000\r\n\r\n"+strings.Repeat("x", 90000))
	if status, _ := again.answer(t); status != 200 {
		t.Errorf("a large body when there is room again: %d", status)
	}
}

func TestCheckListen(t *testing.T) {
	for _, row := range []struct {
		addr      string
		keys, dev bool
		kind      fault.Kind
		ok        bool
	}{
		{"", false, true, 0, true},
		{"127.0.0.1:4566", false, true, 0, true},
		{"127.3.2.1:4566", false, true, 0, true},
		{"[::1]:4566", false, false, 0, true},
		{"localhost:4566", false, true, 0, true},
		{":4566", true, true, fault.Denied, false},
		{"0.0.0.0:4566", false, false, fault.Denied, false},
		{"[::]:4566", false, false, fault.Denied, false},
		{"192.168.1.7:4566", false, true, fault.Denied, false},
		{"localhost.example.com:4566", false, false, fault.Denied, false},
		{"0.0.0.0:4566", true, false, 0, true},
		{"4566", true, false, fault.Invalid, false},
	} {
		err := edge.CheckListen(row.addr, row.keys, row.dev)
		if (err == nil) != row.ok || err != nil && fault.KindOf(err) != row.kind {
			t.Errorf("%q keys %v dev %v: %v", row.addr, row.keys, row.dev, err)
		}
	}
}
