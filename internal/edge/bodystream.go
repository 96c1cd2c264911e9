package edge

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// StreamBytes is the memory that is set aside, out of Options.BodiesBytesMax, for a body that is read as a stream, and for an answer that is
// written as one: a service may hold so much of it at a time.
const StreamBytes = 256 << 10

// stream is a body on its way from the connection: paced, so that a client may not take as long as it likes, and counted.
//
// The pace is that of bodies that are held: BodyGrace, and a second for every BodyRateMin bytes. It is held against the time spent
// waiting for the client, not against the time the service took, so that a slow disk is not the client's fault.
type stream struct {
	call    *Call
	payload *sigv4.Body   // reads this stream, and checks it
	waited  time.Duration // for the client, so far
	armed   time.Time     // the read deadline as it stands
	ended   bool          // the connection has given all of the body
}

// BodyError is why a streamed body did not arrive, or is not what was signed: a refusal for Call.Fail.
type BodyError struct {
	Status        int
	Code, Message string
}

// Error is the code and the message.
func (e *BodyError) Error() string { return e.Code + ": " + e.Message }

// openStream prepares reading the body as a stream. Nothing is read yet, so a client that waits for "100 Continue" sends nothing either.
func (c *Call) openStream() refusal {
	if !c.edge.reserve(c.Ctx, StreamBytes) {
		return refusal{status: http.StatusServiceUnavailable, code: CodeUnavailable, message: "Too many large requests at once, try again."}
	}
	c.reserved = StreamBytes
	c.stream = stream{call: c, ended: c.Request.Body == nil || c.Request.Body == http.NoBody}
	return refusal{}
}

// Read gives what the connection has.
func (s *stream) Read(p []byte) (int, error) {
	if s.ended {
		return 0, io.EOF
	}
	c := s.call
	start := c.edge.options.Clock.Now()
	allowed := c.edge.options.BodyGrace + time.Duration((c.received+smallBody)/c.edge.options.BodyRateMin)*time.Second
	due := start.Add(allowed - s.waited)
	if due.Before(s.armed) || due.Sub(s.armed) > time.Second { // moving it for every read would cost more than reading
		c.response.setReadDeadline(due)
		s.armed = due
	}
	n, err := c.Request.Body.Read(p)
	s.waited += c.edge.options.Clock.Now().Sub(start)
	c.received += int64(n)
	if errors.Is(err, io.EOF) {
		s.ended = true
		c.response.setReadDeadline(time.Time{}) // or the connection ends while the service is at work
	}
	return n, err
}

// payloadReader is Call.Stream.
type payloadReader Call

// Read gives payload, and at its end the trailers.
func (r *payloadReader) Read(p []byte) (int, error) {
	c := (*Call)(r)
	n, err := c.stream.payload.Read(p)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		if trailer := c.stream.payload.Trailer(); trailer != nil {
			c.Request.Trailer = trailer
		}
		return n, io.EOF
	}
	var named *sigv4.Error
	if errors.As(err, &named) {
		return n, &BodyError{c.refusalStatus(named), named.Code, named.Message}
	}
	found := bodyRefusal(err)
	return n, &BodyError{found.status, found.code, found.message}
}

// leaveStream bounds how long net/http may wait for the rest of a stream that the service did not read to its end.
func (c *Call) leaveStream() {
	if c.Stream != nil && !c.stream.ended {
		c.response.setReadDeadline(c.edge.deadline(0))
	}
}

var answers = sync.Pool{New: func() any { return new([StreamBytes]byte) }}

// ReplyStream answers with a body of a known size that is not held in memory. It gives the error of body, or nil: a client that went away, or
// takes its answer too slowly, is nobody to tell. When the body ends early the connection is cut, so that the client does not
// take the part for the whole. It may be called once, and not after Reply or Fail. The Content-Type is the service's to set.
func (c *Call) ReplyStream(status int, size int64, body io.Reader) error {
	h := c.Writer.Header()
	if h["Content-Type"] == nil {
		h["Content-Type"] = nil // or net/http guesses one
	}
	c.setLength(h, size)
	if c.reserved == 0 && size > smallBody {
		if !c.edge.reserve(c.Ctx, StreamBytes) {
			h.Del("Content-Length")
			c.Fail(http.StatusServiceUnavailable, CodeUnavailable, "Too many large requests at once, try again.")
			return nil
		}
		c.reserved = StreamBytes
	}
	c.Writer.WriteHeader(status)
	var buffer []byte
	if size <= smallBody {
		buffer = make([]byte, size)
	} else {
		pooled := answers.Get().(*[StreamBytes]byte)
		defer answers.Put(pooled)
		buffer = pooled[:]
	}
	defer c.response.setWriteDeadline(time.Time{})
	for left := size; left > 0; {
		n, err := io.ReadFull(body, buffer[:min(left, int64(len(buffer)))])
		if err != nil {
			c.cut()
			return err
		}
		c.response.setWriteDeadline(c.edge.deadline(int64(n)))
		if _, err := c.Writer.Write(buffer[:n]); err != nil {
			return nil
		}
		left -= int64(n)
	}
	return nil
}

// cut ends the call without the rest of its answer: net/http closes the connection, or the stream of HTTP/2.
func (c *Call) cut() { c.aborted = true }
