package blob

import (
	"context"
	"io"
	"net/http"
	"strconv"

	"github.com/weir-stream/weir/internal/fault"
)

// InProcess is a transport that hands requests to a handler in this process: what is spoken is HTTP, but there is no connection, no listener
// and no copy of a body. Bodies are streams both ways: the handler writes as fast as the answer is read.
type InProcess struct {
	// Handler answers. It is called on a goroutine of its own, which has ended when the answer's body has been closed. When a call is given up before
	// its answer, the goroutine ends with the read of the request's body that is under way, which only the caller can end.
	Handler http.Handler
}

// RoundTrip gives a request to the handler, and returns when it has written its header.
func (t InProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	served := r.Clone(ctx)
	served.Proto, served.ProtoMajor, served.ProtoMinor = "HTTP/1.1", 1, 1
	served.RequestURI = r.URL.RequestURI()
	if served.Host == "" {
		served.Host = r.URL.Host
	}
	if served.Body == nil {
		served.Body = http.NoBody
	}
	read, write := io.Pipe()
	a := &answer{header: make(http.Header), begun: make(chan struct{}), done: make(chan struct{}), pipe: write}
	go a.serve(t.Handler, served)
	select {
	case <-a.begun:
	case <-ctx.Done():
		cancel() // the handler closes the request's body; here that could wait for the read that is under way
		_ = read.CloseWithError(r.Context().Err())
		return nil, r.Context().Err()
	}
	if a.status == 0 { // it ended without an answer
		cancel()
		<-a.done
		return nil, a.failure
	}
	response := &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status, Proto: served.Proto, ProtoMajor: 1, ProtoMinor: 1,
		Header: a.sent, Request: r, ContentLength: -1, Body: &answerBody{PipeReader: read, cancel: cancel, done: a.done},
	}
	if n, err := strconv.ParseInt(a.sent.Get("Content-Length"), 10, 64); err == nil {
		response.ContentLength = n
	}
	if r.Method == http.MethodHead {
		_ = response.Body.Close()
		response.Body = http.NoBody
	}
	return response, nil
}

// answer is the http.ResponseWriter of one call. Only the handler's goroutine uses it, until begun is closed.
type answer struct {
	header  http.Header
	sent    http.Header   // header as it was when the answer began
	status  int           // 0 before
	begun   chan struct{} // closed by whoever makes the answer begin, or end without one
	done    chan struct{} // closed when the handler has ended
	pipe    *io.PipeWriter
	failure error // why there is no answer
}

func (a *answer) serve(handler http.Handler, r *http.Request) {
	defer close(a.done)
	defer func() {
		p := recover()
		_ = r.Body.Close() // a handler need not read all of it
		switch {
		case p == nil && a.status == 0:
			a.WriteHeader(http.StatusOK)
		case p != nil && a.status == 0:
			a.failure = fault.Unknown(fault.Internal, nil, "the embedded server panicked: %v", p)
			close(a.begun)
		}
		if p != nil {
			_ = a.pipe.CloseWithError(io.ErrUnexpectedEOF) // as a connection that is cut
			return
		}
		_ = a.pipe.Close()
	}()
	handler.ServeHTTP(a, r)
}

// Header is the answer's header.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader begins the answer, unless it is one of those that only announce it.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 || status < http.StatusOK {
		return
	}
	a.status, a.sent = status, make(http.Header, len(a.header))
	for name, values := range a.header {
		a.sent[http.CanonicalHeaderKey(name)] = values // as whoever reads them off a connection does
	}
	close(a.begun)
}

// Write gives bytes to whoever reads the answer.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.pipe.Write(p)
}

// answerBody ends the call when it is closed, and waits for that.
type answerBody struct {
	*io.PipeReader
	cancel context.CancelFunc
	done   chan struct{}
}

// Close ends the call.
func (b *answerBody) Close() error {
	err := b.PipeReader.Close()
	b.cancel()
	<-b.done
	return err
}
