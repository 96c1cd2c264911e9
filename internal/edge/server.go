package edge

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/weir-stream/weir/internal/fault"
)

// server is what listens for an Edge. One http.Server stands behind both listeners: a TLS connection reaches it after its
// handshake as a plain one (see tls.go), so that HTTP/1.1, HTTP/2 by ALPN and HTTP/2 by preface are told apart in one place.
type server struct {
	http       http.Server
	base       context.Context // of every request; ends when the drain's time is over
	cancelBase context.CancelFunc
	requests   gate          // those under way
	slots      chan struct{} // one for each connection that may be

	plain, secure net.Listener // nil when off

	mu     sync.Mutex            // guards unused
	unused map[net.Conn]struct{} // connections on which nothing was asked yet: http.Server waits seconds for them when it shuts down
}

// Open listens where the options say. Requests are answered once Run is called; until then they wait. Close it, or Run it to its end.
//
// Invalid for wrong options, Unavailable when an address cannot be listened on.
func Open(o Options) (*Edge, error) {
	e, err := New(o)
	if err != nil {
		return nil, err
	}
	o = e.options
	s := &server{slots: make(chan struct{}, o.ConnectionsMax), unused: make(map[net.Conn]struct{})}
	s.base, s.cancelBase = context.WithCancel(context.Background())
	s.http = http.Server{
		Handler:           gated{e, &s.requests},
		ReadHeaderTimeout: o.HeaderTimeout,
		IdleTimeout:       o.IdleTimeout,
		MaxHeaderBytes:    o.HeaderBytesMax,
		BaseContext:       func(net.Listener) context.Context { return s.base },
		ErrorLog:          serverLog(o.Logger),
		Protocols:         new(http.Protocols),
		ConnState:         s.track,
		ConnContext:       markSecure,
		// Room for a few large bodies at once on a connection; the defaults let one of 1 MiB stall the others. The write deadlines of streams do not end a
		// write to a connection that takes nothing at all, because the frame that would reset the stream waits behind it: WriteByteTimeout does. It is
		// longer than one grace, since a socket's buffer of a few MiB must drain by a third before the next byte goes.
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 250, MaxReceiveBufferPerConnection: 8 << 20, MaxReceiveBufferPerStream: 2 << 20, WriteByteTimeout: 3 * o.BodyGrace},
	}
	s.http.Protocols.SetHTTP1(true)
	s.http.Protocols.SetUnencryptedHTTP2(true)
	e.server = s
	if o.Listen != "" {
		if s.plain, err = s.listen(o.Listen); err != nil {
			e.Close()
			return nil, err
		}
	}
	if o.TLSListen != "" {
		tcp, err := s.listen(o.TLSListen)
		if err != nil {
			e.Close()
			return nil, err
		}
		s.secure = newTLSListener(tcp, o.TLS.config(), o.HeaderTimeout, o.Clock, o.Logger)
	}
	return e, nil
}

func (s *server) listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fault.As(fault.Unavailable, err, "listen")
	}
	return newLimitedListener(l, s.slots), nil
}

// Addr is where the plain listener is, nil when it is off.
func (e *Edge) Addr() net.Addr {
	if e.server == nil {
		return nil
	}
	return address(e.server.plain)
}

// TLSAddr is where the TLS listener is, nil when it is off.
func (e *Edge) TLSAddr() net.Addr {
	if e.server == nil {
		return nil
	}
	return address(e.server.secure)
}

func address(l net.Listener) net.Addr {
	if l == nil {
		return nil
	}
	return l.Addr()
}

// Run answers requests until ctx ends, then drains: it stops accepting, closes Draining, lets requests finish within DrainTimeout,
// and cuts those that do not. After it returns nothing of the edge runs. It returns nil after a drain, else why it could not serve.
// It may be called once, on an Edge from Open.
func (e *Edge) Run(ctx context.Context) error {
	s := e.server
	failed := make(chan error, 2) // one for each listener
	var serving sync.WaitGroup
	for _, l := range []net.Listener{s.plain, s.secure} {
		if l == nil {
			continue
		}
		serving.Go(func() {
			if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- fault.As(fault.Unavailable, err, "serve %s", l.Addr())
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	close(e.draining)
	s.closeUnused()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.options.DrainTimeout)
	defer cancel()
	if s.http.Shutdown(drain) != nil {
		e.options.Logger.Warn("requests were cut off at the end of the drain", "timeout", e.options.DrainTimeout)
	}
	e.Close()
	serving.Wait()
	s.requests.shut()
	return err
}

// track keeps unused.
func (s *server) track(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == http.StateNew {
		s.unused[conn] = struct{}{}
	} else {
		delete(s.unused, conn)
	}
}

// closeUnused closes the connections that no client has used.
func (s *server) closeUnused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.unused {
		_ = conn.Close()
	}
}

// Close stops at once, cutting off requests under way. It does not wait for them; Run does.
func (e *Edge) Close() {
	s := e.server
	s.cancelBase()
	s.http.Close()
	for _, l := range []net.Listener{s.plain, s.secure} {
		if l != nil {
			l.Close()
		}
	}
}

// gate counts requests under way, and once shut lets no more in. (A WaitGroup may not be added to while somebody waits for it, and a
// connection may still read a request when Run has closed it.)
type gate struct {
	mu     sync.Mutex // guards everything below
	inside int
	empty  chan struct{} // made by shut, closed when nobody is inside
}

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.empty != nil {
		return false
	}
	g.inside++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.empty != nil {
		close(g.empty)
	}
}

// shut lets nobody in any more and waits for those inside. It may be called once.
func (g *gate) shut() {
	g.mu.Lock()
	g.empty = make(chan struct{})
	if g.inside == 0 {
		close(g.empty)
	}
	g.mu.Unlock()
	<-g.empty
}

// gated is an Edge behind a gate.
type gated struct {
	edge *Edge
	gate *gate
}

func (g gated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !g.gate.enter() {
		panic(http.ErrAbortHandler) // the connection is closed already
	}
	defer g.gate.leave()
	g.edge.ServeHTTP(w, r)
}

// serverLog is where net/http writes what it cannot return: panics of handlers above all.
func serverLog(l *slog.Logger) *log.Logger { return slog.NewLogLogger(l.Handler(), slog.LevelWarn) }
