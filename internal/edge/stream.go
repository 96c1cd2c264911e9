package edge

import (
	"net/http"
	"time"
)

// Begin starts an answer that goes on for as long as the service likes: status 200, no length. Send carries its pieces, and it ends, cleanly, when Serve
// returns. It is Begin and Send, or Reply, or Fail. Body is no more: the memory of a request is not kept for the minutes that its answer takes.
//
// A service that streams ends at Draining, and tells Watcher when it only waits.
func (c *Call) Begin(contentType string) {
	c.Body, c.buf = nil, nil
	if c.reserved > 0 {
		c.edge.bodies.Release(c.reserved)
		c.reserved = 0
	}
	c.set(c.Writer.Header(), fieldContentType, "Content-Type", contentType)
	c.Writer.WriteHeader(http.StatusOK)
}

// Send sends a piece of an answer, and returns when it is on its way: nothing of it is kept. A client that takes it more slowly than Options.BodyGrace and
// BodyRateMin allow is cut, as is one that went away: the error says so, and nothing more can be sent.
func (c *Call) Send(piece []byte) error {
	c.response.setWriteDeadline(c.edge.deadline(int64(len(piece))))
	if _, err := c.Writer.Write(piece); err != nil {
		return err
	}
	if err := c.response.FlushError(); err != nil {
		return err
	}
	c.response.setWriteDeadline(time.Time{}) // or HTTP/2 resets the stream when it passes, though nothing is being written
	return nil
}

// Watcher hears which calls are at work. Whoever wraps a service may set Call.Watcher.
type Watcher interface {
	// Waits says that the call has nothing to do until pending says that it has, which may be asked from any goroutine until Resumes has returned.
	Waits(c *Call, pending func() bool)
	// Resumes says that the call is at work again.
	Resumes(c *Call)
}

// Waits and Resumes stand around every wait of a call that streams: what waits for calls to end, such as a test clock, then does not wait for it.
func (c *Call) Waits(pending func() bool) {
	if c.Watcher != nil {
		c.Watcher.Waits(c, pending)
	}
}

// Resumes ends what Waits began.
func (c *Call) Resumes() {
	if c.Watcher != nil {
		c.Watcher.Resumes(c)
	}
}
