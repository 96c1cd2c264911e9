package edge_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/edge"
)

// Over every transport, a piece of an answer is with the client before the next is sent, and the answer ends cleanly when the service returns.
func TestStreamedAnswer(t *testing.T) {
	read := make(chan struct{}) // the client has read what was sent
	r := start(t, edge.Options{Services: []edge.Service{kinesis(func(c *edge.Call) {
		c.Begin("application/vnd.amazon.eventstream")
		for _, piece := range []string{"one", "two", "three"} {
			if err := c.Send([]byte(piece)); err != nil {
				t.Error(err)
			}
			<-read
		}
	})}})
	for _, row := range r.ways() {
		t.Run(row.name, func(t *testing.T) {
			c := client(t, row.configure)
			for range 2 {
				resp, err := c.Do(put(t, row.url, "123456789012", "any", "body"))
				if err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != 200 || resp.Proto != row.proto || resp.Header.Get("Content-Type") != "application/vnd.amazon.eventstream" || resp.ContentLength != -1 {
					t.Errorf("%s %d %v", resp.Proto, resp.StatusCode, resp.Header)
				}
				for _, piece := range []string{"one", "two", "three"} {
					got := make([]byte, len(piece))
					if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != piece {
						t.Errorf("%q, %v", got, err)
					}
					read <- struct{}{}
				}
				if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
					t.Errorf("at the end: %q, %v", rest, err)
				}
				resp.Body.Close()
			}
		})
	}
}

// stalling is a connection whose reader stops when told to.
type stalling struct {
	net.Conn
	stalled *atomic.Bool
	closed  chan struct{}
}

func (s stalling) Read(p []byte) (int, error) {
	if s.stalled.Load() {
		<-s.closed
		return 0, net.ErrClosed
	}
	return s.Conn.Read(p)
}

func (s stalling) Close() error {
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	return s.Conn.Close()
}

// A client that stops reading, its connection or only this answer, is cut when its time is over, over every transport.
func TestStalledClientIsCut(t *testing.T) {
	cut := make(chan error, 1)
	r := start(t, edge.Options{BodyGrace: 100 * time.Millisecond, BodyRateMin: 1 << 30, Services: []edge.Service{kinesis(func(c *edge.Call) {
		c.Begin("application/vnd.amazon.eventstream")
		piece := make([]byte, 1<<20)
		var err error
		for sent := 0; err == nil && sent < 1<<30; sent += len(piece) {
			err = c.Send(piece)
		}
		cut <- err
	})}})
	for _, row := range r.ways() {
		for _, connection := range []bool{true, false} {
			name := row.name + " answer"
			if connection {
				name = row.name + " connection"
			}
			t.Run(name, func(t *testing.T) {
				stalled := new(atomic.Bool)
				c := client(t, func(tr *http.Transport) {
					if row.configure != nil {
						row.configure(tr)
					}
					dial := tr.DialContext
					if dial == nil {
						dial = new(net.Dialer).DialContext
					}
					tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
						conn, err := dial(ctx, network, addr)
						return stalling{conn, stalled, make(chan struct{})}, err
					}
				})
				resp, err := c.Do(put(t, row.url, "123456789012", "any", "body"))
				if err != nil {
					t.Fatal(err)
				}
				stalled.Store(connection)
				if err := <-cut; err == nil {
					t.Error("a gigabyte went to a client that does not read")
				}
				resp.Body.Close()
			})
		}
	}
}

// A streaming call ends when the server drains, and its client sees a clean end.
func TestDrainEndsStreams(t *testing.T) {
	r := start(t, edge.Options{Services: []edge.Service{kinesis(func(c *edge.Call) {
		c.Begin("application/vnd.amazon.eventstream")
		if err := c.Send([]byte("begun")); err != nil {
			t.Error(err)
		}
		<-c.Draining()
	})}})
	var answers []*http.Response
	for _, row := range r.ways() {
		resp, err := client(t, row.configure).Do(put(t, row.url, "123456789012", "any", "body"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answers = append(answers, resp)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	for _, resp := range answers {
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "begun" {
			t.Errorf("%s: %q, %v", resp.Proto, body, err)
		}
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// watcher writes down what it hears.
type watcher struct{ heard []bool }

func (w *watcher) Waits(_ *edge.Call, pending func() bool) { w.heard = append(w.heard, pending()) }
func (w *watcher) Resumes(*edge.Call)                      { w.heard = append(w.heard, true) }

// Who watches a call hears when it waits; nobody need watch.
func TestWatcher(t *testing.T) {
	w := new(watcher)
	var watched bool
	r := start(t, edge.Options{Services: []edge.Service{kinesis(func(c *edge.Call) {
		if watched {
			c.Watcher = w
		}
		c.Waits(func() bool { return false })
		c.Resumes()
		describe(c)
	})}})
	for _, watched = range []bool{true, false} {
		do(t, client(t, nil), put(t, r.url(), "123456789012", "any", "body"))
	}
	if len(w.heard) != 2 || w.heard[0] || !w.heard[1] {
		t.Errorf("heard %v", w.heard)
	}
}
