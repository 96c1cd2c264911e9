package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/vfs"
)

// What the edge costs beyond net/http: one connection, HTTP/1.1, the same signed request again and again, to a service that
// answers at once. The floor is a bare net/http handler that reads the body into a buffer of its own and answers as much.
//
// The sketch, a request: SHA-256 of the body, one copy of it out of the socket, one canonical request; a string for both ids, the
// response headers' values in one piece and what net/http needs, which the floor shows. Nothing grows with the body.
func BenchmarkEdge(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"1.5KB", 1536}, {"700KB", 700 << 10}} {
		store, err := auth.OpenStore(vfs.NewMem(), clock.Real, nil)
		if err != nil {
			b.Fatal(err)
		}
		key, err := store.Create("000000000000", "bench")
		if err != nil {
			b.Fatal(err)
		}
		answer := []byte("{}")
		r := start(b, edge.Options{Auth: auth.NewKeys(store), Services: []edge.Service{kinesis(func(c *edge.Call) {
			c.Reply(200, "application/x-amz-json-1.1", answer)
		})}})
		var raw bytes.Buffer
		if err := put(b, r.url(), key.ID, key.Secret, strings.Repeat("x", size.bytes)).Write(&raw); err != nil {
			b.Fatal(err)
		}
		b.Run("body="+size.name, func(b *testing.B) { repeat(b, r.Addr(), raw.Bytes()) })

		buffer := make([]byte, size.bytes)
		floor := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadFull(r.Body, buffer[:r.ContentLength]); err != nil {
				b.Error(err)
			}
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.Header().Set("Content-Length", "2")
			w.Write(answer)
		})}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- floor.Serve(l) }()
		b.Run("floor/body="+size.name, func(b *testing.B) { repeat(b, l.Addr(), raw.Bytes()) })
		if err := floor.Shutdown(context.Background()); err != nil {
			b.Error(err)
		}
		<-served
	}
}

// repeat sends a request again and again on one connection, with a client that allocates nothing.
func repeat(b *testing.B, addr net.Addr, raw []byte) {
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(raw); err != nil {
			b.Fatal(err)
		}
		status := true
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if status && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
				b.Fatalf("answered %s", line)
			}
			status = false
			if len(line) == 2 {
				break
			}
		}
		if _, err := in.Discard(2); err != nil {
			b.Fatal(err)
		}
	}
}

// The steady state allocates less than forty times a request beyond net/http's own, and nothing that grows with the body.
func TestAllocationsOfARequest(t *testing.T) {
	h := handler(t, edge.Options{Services: []edge.Service{kinesis(func(c *edge.Call) { c.Reply(200, "application/x-amz-json-1.1", nil) })}})
	measure := func(size int) float64 {
		body := strings.NewReader(strings.Repeat("x", size))
		r := put(t, "http://localhost/", "123456789012", "any", "")
		r.Body, r.ContentLength = io.NopCloser(body), int64(size)
		w := &discard{header: make(http.Header)}
		return testing.AllocsPerRun(200, func() {
			body.Seek(0, io.SeekStart)
			clear(w.header)
			h.ServeHTTP(w, r)
			if w.status != 200 {
				t.Fatalf("answered %d", w.status)
			}
		})
	}
	small, large := measure(1<<10), measure(1<<20)
	if small > 10 || large > small+1 {
		t.Errorf("%v allocations for 1 KiB, %v for 1 MiB", small, large)
	}
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
