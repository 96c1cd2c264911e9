package edge

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// Call is one request on its way through a service. The edge owns it: it is valid until Serve returns and is then used again, so
// nothing may keep the Call, its Body, or a slice of either. Strings may be kept.
type Call struct {
	Ctx     context.Context     // ends when the client goes away or the drain's deadline passes
	Request *http.Request       // as received, its body read; Trailer holds the trailers of an aws-chunked body
	Writer  http.ResponseWriter // what Reply, Fail, Begin and Send are built on

	Service   string // the service's Name
	Operation string // after the dot of X-Amz-Target, Action, or from an RPC v2 path; empty for REST
	Protocol  Protocol
	Body      []byte // the whole payload, aws-chunked removed
	// Stream is the payload of a request whose service takes it so (see StreamTaker), aws-chunked removed; nil otherwise. Its error is a *BodyError or io.EOF,
	// and only io.EOF means that everything was there and fits the signature: nothing may become visible before. At its end Request.Trailer holds the trailers.
	Stream    io.Reader
	Identity  auth.Identity
	Region    string // from the credential scope; auth.DefaultRegion when unsigned
	Account   string // Identity.Account
	RequestID string
	Received  time.Time // when the request's header had been read; real time
	// Input is what the service has read of Body, for its audit; nil until it has, and where it keeps none.
	Input any
	// ErrorCode is AWS's name of the refusal, for the Event. Fail sets it; a service that writes its own errors does so itself.
	ErrorCode string
	// Meter is told of the finished request, beside Observe. Nil is nobody.
	Meter Meter
	// Watcher is told when the call waits (see Waits). Nil is nobody.
	Watcher Watcher

	edge     *Edge
	service  Service // nil until routed
	response response
	ids      *ids
	claim    sigv4.Auth             // what the request says about its signer
	asked    auth.Request           // what is asked of the authenticator
	buf      []byte                 // what Body lives in; kept with the call when it is not too large
	stream   stream                 // what Stream reads
	aborted  bool                   // the answer ended early: the connection must not be used again
	received int64                  // bytes of body received
	reserved int64                  // bytes taken from edge.bodies
	fields   *[fieldCount][1]string // values of response headers in one piece, the request's own: the header outlives the call
	scratch  []byte                 // where Fail builds its body
}

// Reply answers with a whole body. contentType may be empty when there is no body. It may be called once, and not after Fail.
func (c *Call) Reply(status int, contentType string, body []byte) {
	h := c.Writer.Header()
	if contentType != "" {
		c.set(h, fieldContentType, "Content-Type", contentType)
	} else {
		h["Content-Type"] = nil // or net/http guesses one
	}
	c.setLength(h, int64(len(body)))
	c.Writer.WriteHeader(status)
	if len(body) == 0 {
		return
	}
	slow := len(body) > socketBytes
	if slow {
		c.response.setWriteDeadline(c.edge.deadline(int64(len(body))))
	}
	c.Writer.Write(body) // a client that went away is nobody to tell
	if slow {
		c.response.setWriteDeadline(time.Time{})
	}
}

// socketBytes is what a kernel takes at once from a write, about: smaller answers need no deadline.
const socketBytes = 64 << 10

// Draining is closed when the server begins to shut down. A call that streams for minutes should end then; Ctx ends only when the
// drain's time is over.
func (c *Call) Draining() <-chan struct{} { return c.edge.draining }

// Secure says whether the request came over TLS.
func (c *Call) Secure() bool { return c.Request.Context().Value(secureKey{}) != nil }

// Source is the address that the connection comes from. What a proxy says of those behind it is not believed. The zero Addr when it is not known.
func (c *Call) Source() netip.Addr {
	from, err := netip.ParseAddrPort(c.Request.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap()
}

// Places in Call.fields.
const (
	fieldContentType = iota
	fieldContentLength
	fieldRequestID
	fieldID2
	fieldErrorType
	fieldSmithy
	fieldOrigin
	fieldCount
)

func (c *Call) setLength(h http.Header, n int64) {
	c.set(h, fieldContentLength, "Content-Length", strconv.FormatInt(n, 10))
}

// set puts a response header whose name is in canonical form, without a slice of its own.
func (c *Call) set(h http.Header, field int, name, value string) {
	c.fields[field][0] = value
	h[name] = c.fields[field][:]
}
