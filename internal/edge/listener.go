package edge

import (
	"net"
	"sync"
)

// limitedListener hands out at most as many connections as there are slots, which listeners may share. When none is left,
// Accept keeps one connection waiting and the others stay in the kernel's queue; there they get an answer late, where a refusal would make them all try again at once.
type limitedListener struct {
	net.Listener
	slots     chan struct{}
	done      chan struct{} // closed by Close
	closeOnce sync.Once
}

func newLimitedListener(l net.Listener, slots chan struct{}) *limitedListener {
	return &limitedListener{Listener: l, slots: slots, done: make(chan struct{})}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	select {
	case l.slots <- struct{}{}:
		return &limitedConn{Conn: conn, slots: l.slots}, nil
	case <-l.done:
		conn.Close()
		return nil, net.ErrClosed
	}
}

func (l *limitedListener) Close() error {
	err := net.ErrClosed
	l.closeOnce.Do(func() {
		close(l.done)
		err = l.Listener.Close()
	})
	return err
}

// limitedConn gives its slot back when it is closed.
type limitedConn struct {
	net.Conn
	slots     chan struct{}
	closeOnce sync.Once
}

func (c *limitedConn) Close() error {
	err := net.ErrClosed
	c.closeOnce.Do(func() {
		err = c.Conn.Close()
		<-c.slots
	})
	return err
}

// CloseWrite sends the end of the stream and leaves reading open: net/http does so after refusing a body, so that the answer arrives.
func (c *limitedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
