package edge

import (
	"errors"
	"net/http"
	"strings"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// ServeHTTP is the path of a request: ids, origin, route, body, caller, service, event.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 && r.ContentLength == 0 && strings.EqualFold(first(r.Header, "Expect"), "100-continue") {
		w.WriteHeader(http.StatusContinue) // net/http says it only before a body, and botocore, not hearing it, misreads the next answer of the connection
	}
	c, err := e.newCall(w, r)
	if err != nil {
		e.options.Logger.Error("request refused: no randomness for its id", "err", err)
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	finished := false
	defer func() {
		// A panic goes on to net/http, which logs it and cuts the connection. The call is then left to the collector, because
		// whoever panicked may still hold it.
		e.finish(c, finished)
	}()
	c.handle()
	finished = true
	if c.aborted {
		panic(http.ErrAbortHandler) // which net/http does not log
	}
}

func (c *Call) handle() {
	r := c.Request
	if origin := first(r.Header, "Origin"); origin != "" && c.cors(origin) {
		c.leaveBody()
		return
	}
	var claimErr error
	c.claim, claimErr = sigv4.Parse(r)
	c.Region = auth.DefaultRegion
	if c.claim.Region != "" {
		c.Region = c.claim.Region
	}
	found := c.edge.router.route(c, c.claim.Service, c.edge.options.Auth.Verifies())
	zipped := false
	if found.code == "" && c.Protocol != REST {
		zipped, found = c.encoding(r.Header)
	}
	streams := false
	if taker, some := as[StreamTaker](c.service); found.code == "" && some {
		streams = c.Protocol == REST && taker.TakesStream(r)
	}
	switch {
	case found.code != "":
	case streams:
		found = c.openStream()
	default:
		found = c.readBody()
	}
	if found.code != "" {
		c.leaveBody()
		c.answer(found)
		return
	}
	c.asked = auth.Request{HTTP: r, Auth: &c.claim, ParseErr: claimErr, Body: c.Body, Now: c.Received}
	who, err := c.authenticate(streams)
	if err != nil {
		c.leaveBody()
		c.denied(err)
		return
	}
	c.Identity, c.Account = who, who.Account
	if zipped { // what is signed is the body as it was sent
		if found = c.unzip(); found.code != "" {
			c.answer(found)
			return
		}
	}
	if c.Protocol == Query {
		c.Operation = formAction(c.Body, r.URL.RawQuery)
	}
	c.service.Serve(c)
	c.leaveStream()
	if c.response.status == 0 {
		c.edge.options.Logger.Error("a service did not answer", "service", c.Service, "operation", c.Operation, "request", c.RequestID)
		c.Fail(http.StatusInternalServerError, CodeInternal, "")
	}
}

// authenticate asks who is calling, and puts the payload where the service looks for it.
func (c *Call) authenticate(streams bool) (auth.Identity, error) {
	if !streams {
		who, payload, err := c.edge.options.Auth.Authenticate(&c.asked)
		c.Body = payload
		return who, err
	}
	who, payload, err := c.edge.options.Auth.AuthenticateStream(&c.asked, &c.stream)
	c.stream.payload, c.Stream = payload, (*payloadReader)(c)
	return who, err
}

func (c *Call) answer(found refusal) {
	if found.old {
		c.ErrorCode = found.code
		c.Reply(found.status, "application/json", []byte(oldBody))
		return
	}
	c.Fail(found.status, found.code, found.message)
}

// denied answers a caller who could not be established, or says that it is not the caller's fault.
func (c *Call) denied(err error) {
	var named *sigv4.Error
	if errors.As(err, &named) {
		c.refuse(named)
		return
	}
	c.edge.options.Logger.Error("callers cannot be verified", "err", err)
	c.Fail(http.StatusInternalServerError, CodeInternal, "")
}

// encoding says whether the body is to be unpacked, and refuses by name what its service does not take. A REST service sees Content-Encoding itself: to S3 it is part of the object.
func (c *Call) encoding(h http.Header) (zipped bool, found refusal) {
	for _, value := range h["Content-Encoding"] {
		for token := range strings.SplitSeq(value, ",") {
			token = strings.ToLower(strings.TrimSpace(token))
			_, takes := as[GzipTaker](c.service)
			switch {
			case token == "", token == "identity", token == "aws-chunked":
			case token == "gzip" && takes && !zipped:
				zipped = true
			default:
				return false, refusal{status: http.StatusBadRequest, code: CodeMalformed, message: "Content-Encoding " + token + " is not supported."}
			}
		}
	}
	return zipped, refusal{}
}

// newCall takes a call from the pool, or makes one, and gives it what every request has.
func (e *Edge) newCall(w http.ResponseWriter, r *http.Request) (*Call, error) {
	c, pooled := e.calls.Get().(*Call)
	if !pooled {
		c = &Call{edge: e, ids: new(ids)}
		if err := c.ids.seed(e.options.Random); err != nil {
			return nil, err
		}
	}
	c.Ctx, c.Request = r.Context(), r
	c.response = response{w: w}
	c.Writer = &c.response
	c.fields = new([fieldCount][1]string)
	c.Received = e.options.Clock.Now()
	var id2 string
	c.RequestID, id2 = c.ids.next()
	h := w.Header()
	c.set(h, fieldRequestID, "X-Amzn-Requestid", c.RequestID)
	c.set(h, fieldID2, "X-Amz-Id-2", id2)
	return c, nil
}

// finish reports the request and, if nobody can hold the call any more, makes it ready for another.
func (e *Edge) finish(c *Call, reusable bool) {
	if c.reserved > 0 {
		e.bodies.Release(c.reserved)
	}
	if !reusable && c.ErrorCode == "" {
		c.ErrorCode = CodeInternal
	}
	event := Event{
		Service: c.Service, Operation: c.Operation, Protocol: c.Protocol, Status: c.response.status, ErrorCode: c.ErrorCode,
		RequestID: c.RequestID, Account: c.Account, Region: c.Region, BytesIn: c.received, BytesOut: c.response.bytes,
		Duration: e.options.Clock.Now().Sub(c.Received),
	}
	if event.ErrorCode == CodeUnknownOperation || event.ErrorCode == queryCode(CodeUnknownOperation) || c.Identity == (auth.Identity{}) {
		event.Operation = "" // made up by the client, or by somebody who may not call at all
	}
	e.options.Observe(event)
	if c.Meter != nil {
		c.Meter.Done(&event)
	}
	if !reusable {
		return
	}
	buf, scratch := c.buf, c.scratch
	if cap(buf) > bufferKeptMax {
		buf = nil
	}
	if cap(scratch) > smallBody {
		scratch = nil
	}
	*c = Call{edge: e, ids: c.ids, buf: buf, scratch: scratch}
	e.calls.Put(c)
}
