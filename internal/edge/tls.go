package edge

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/internal/clock"
)

// tlsListener accepts connections, does their handshakes side by side, and hands them on as if they were plain.
//
// net/http looks for the preface of HTTP/2 on plain connections only; on TLS it goes by ALPN alone. The AWS SDK for Java before
// 2025 sends the preface over TLS without having asked for h2, and would be answered in HTTP/1.1. So a connection's TLS is hidden from net/http,
// which then looks at its first bytes: the preface means HTTP/2, whatever ALPN said, and anything else HTTP/1.1.
type tlsListener struct {
	tcp       net.Listener
	config    *tls.Config
	timeout   time.Duration // of a handshake
	clock     clock.Clock
	logger    *slog.Logger
	ready     chan net.Conn // handshaken; unbuffered, so that Close knows who is left
	failed    chan error    // why tcp accepts no more; capacity one, written once
	ctx       context.Context
	cancel    context.CancelFunc
	running   sync.WaitGroup // the acceptor and the handshakes
	closeOnce sync.Once
}

// acceptPause is how long to wait when the system has no descriptor left for a connection, before asking again.
const acceptPause = 50 * time.Millisecond

// newTLSListener starts accepting. Close waits for what it started.
func newTLSListener(tcp net.Listener, config *tls.Config, timeout time.Duration, c clock.Clock, logger *slog.Logger) *tlsListener {
	l := &tlsListener{tcp: tcp, config: config, timeout: timeout, clock: c, logger: logger, ready: make(chan net.Conn), failed: make(chan error, 1)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.running.Go(l.accept)
	return l
}

func (l *tlsListener) accept() {
	for {
		conn, err := l.tcp.Accept()
		if temporary, ok := err.(interface{ Temporary() bool }); ok && temporary.Temporary() {
			if clock.Sleep(l.ctx, l.clock, acceptPause) != nil {
				err = net.ErrClosed
			} else {
				continue
			}
		}
		if err != nil {
			l.failed <- err
			return
		}
		l.running.Go(func() { l.handshake(conn) })
	}
}

func (l *tlsListener) handshake(conn net.Conn) {
	secure := tls.Server(conn, l.config)
	ctx, cancel := context.WithTimeout(l.ctx, l.timeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		l.logger.Debug("TLS handshake", "remote", conn.RemoteAddr().String(), "err", err)
		return
	}
	select {
	case l.ready <- &hiddenTLS{Conn: secure, secure: secure}:
	case <-l.ctx.Done():
		conn.Close()
	}
}

func (l *tlsListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.ready:
		return conn, nil
	case err := <-l.failed:
		return nil, err
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

func (l *tlsListener) Close() error {
	err := net.ErrClosed
	l.closeOnce.Do(func() {
		err = l.tcp.Close()
		l.cancel()
		l.running.Wait()
	})
	return err
}

func (l *tlsListener) Addr() net.Addr { return l.tcp.Addr() }

// hiddenTLS is a TLS connection that net/http takes for a plain one: it has no ConnectionState.
type hiddenTLS struct {
	net.Conn
	secure *tls.Conn
	broken atomic.Bool // a write has failed
}

func (c *hiddenTLS) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		c.broken.Store(true)
	}
	return n, err
}

// Close does not say good-bye to a client that took nothing any more: crypto/tls would wait five seconds for that to go.
func (c *hiddenTLS) Close() error {
	if c.broken.Load() {
		return c.secure.NetConn().Close()
	}
	return c.Conn.Close()
}

func (c *hiddenTLS) CloseWrite() error { return c.secure.CloseWrite() }

// secureKey marks the context of requests that came over TLS, which http.Request.TLS does not say here.
type secureKey struct{}

func markSecure(ctx context.Context, conn net.Conn) context.Context {
	if _, secure := conn.(*hiddenTLS); secure {
		return context.WithValue(ctx, secureKey{}, true)
	}
	return ctx
}
