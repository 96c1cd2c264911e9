package edge

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	// bufferKeptMax is the largest buffer that goes back to the pool with its call: two PutRecords of the size most producers send.
	// Larger bodies are rare and leave their memory to the collector.
	bufferKeptMax = 2 << 20

	// bufferStep rounds buffers up, so that bodies of about one size fit the buffer of the last one.
	bufferStep = 16 << 10

	// smallBody is what is read without asking for room: connections are bounded, and so are these.
	smallBody = 64 << 10
)

// deadline is when n bytes must have passed, from now.
func (e *Edge) deadline(n int64) time.Time {
	allowed := e.options.BodyGrace + time.Duration(n/e.options.BodyRateMin)*time.Second
	return e.options.Clock.Now().Add(allowed)
}

// readBody reads the whole body into c.buf. It reserves room for large ones before it reads them, and gives clients a deadline
// that grows with what they announced.
func (c *Call) readBody() refusal {
	r := c.Request
	announced, limit := r.ContentLength, c.edge.options.BodyBytesMax
	if announced == 0 || r.Body == nil || r.Body == http.NoBody {
		c.Body = c.buf[:0]
		return refusal{}
	}
	if s, ok := as[BodySizer](c.service); ok {
		limit = max(limit, s.BodyBytesMax())
	}
	if announced > limit {
		return tooLarge()
	}
	room := announced
	if announced < 0 {
		room = limit // nothing was announced, so it may be anything
	}
	if room > smallBody && !c.edge.reserve(c.Ctx, room) {
		return refusal{status: http.StatusServiceUnavailable, code: CodeUnavailable, message: "Too many large requests at once, try again."}
	}
	if room > smallBody {
		c.reserved = room
	}
	c.response.setReadDeadline(c.edge.deadline(room))
	err := c.fill(announced, limit)
	if err == nil {
		c.response.setReadDeadline(time.Time{}) // or the connection ends while the service is at work
	}
	c.received = int64(len(c.buf))
	c.Body = c.buf
	return bodyRefusal(err)
}

// leaveBody bounds how long net/http may wait for the rest of a body that nobody will read, before it answers. After a body that
// broke or took too long the deadline of reading still stands.
func (c *Call) leaveBody() {
	if c.received == 0 && c.Request.ContentLength != 0 {
		c.response.setReadDeadline(c.edge.deadline(0))
	}
}

var errTooLarge = errors.New("body is too large")

// fill reads until the end, growing c.buf only when less was announced than comes.
func (c *Call) fill(announced, limit int64) error {
	c.buf = c.buf[:0]
	if announced > int64(cap(c.buf)) {
		c.buf = make([]byte, 0, (announced+bufferStep-1)/bufferStep*bufferStep)
	}
	if announced > 0 {
		n, err := io.ReadFull(c.Request.Body, c.buf[:announced])
		c.buf = c.buf[:n]
		if err == nil {
			_, err = c.Request.Body.Read(nil) // lets net/http see the end
		}
		if errors.Is(err, io.EOF) && int64(n) == announced {
			err = nil
		}
		return err
	}
	for {
		if len(c.buf) == cap(c.buf) {
			grown := make([]byte, len(c.buf), max(bufferStep, 2*cap(c.buf)))
			copy(grown, c.buf)
			c.buf = grown
		}
		n, err := c.Request.Body.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+n]
		if int64(len(c.buf)) > limit {
			return errTooLarge
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func tooLarge() refusal {
	return refusal{status: http.StatusRequestEntityTooLarge, code: CodeTooLarge, message: "The request entity is too large."}
}

// bodyRefusal is what a client hears whose body did not arrive, if it still listens.
func bodyRefusal(err error) refusal {
	var network net.Error
	switch {
	case err == nil:
		return refusal{}
	case errors.Is(err, errTooLarge):
		return tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return refusal{status: http.StatusRequestTimeout, code: CodeTimeout, message: "Reading the request timed out."}
	default:
		return refusal{status: http.StatusBadRequest, code: CodeMalformed, message: "The request's body ended early or is malformed."}
	}
}

// reserve takes room for a large body, waiting for BodyGrace at most.
func (e *Edge) reserve(ctx context.Context, n int64) bool {
	if e.bodies.TryAcquire(n) {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, e.options.BodyGrace)
	defer cancel()
	return e.bodies.Acquire(ctx, n) == nil
}
