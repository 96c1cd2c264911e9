package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/weir-stream/weir/internal/fault"
)

// invokeRemote posts an event to a function that runs elsewhere. Status 200 to 299 is an answer, any other a failure of the function whose body
// describes it; no answer in time is a timeout, and none at all a failure too: from here nobody can tell whether it ran.
//
// The request is POST with the payload as its body and the headers of the Runtime API: Lambda-Runtime-Aws-Request-Id, -Deadline-Ms,
// -Invoked-Function-Arn, -Trace-Id, -Client-Context.
func (p *Pool) invokeRemote(ctx context.Context, f *Function, e Event) (Outcome, error) {
	begun := p.options.Clock.Now()
	call, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(call, http.MethodPost, f.URL, bytes.NewReader(e.Payload))
	if err != nil {
		return Outcome{}, fault.As(fault.Invalid, err, "function %s: its URL", f.Name)
	}
	header := request.Header
	header.Set("Content-Type", "application/json")
	header.Set("Lambda-Runtime-Aws-Request-Id", e.RequestID)
	header.Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(begun.Add(f.Timeout).UnixMilli()))
	header.Set("Lambda-Runtime-Invoked-Function-Arn", f.ARN)
	if e.TraceID != "" {
		header.Set("Lambda-Runtime-Trace-Id", e.TraceID)
	}
	if e.ClientContext != "" {
		header.Set("Lambda-Runtime-Client-Context", e.ClientContext)
	}
	out := Outcome{FunctionError: "Unhandled"}
	answer, err := remote.Do(request)
	switch {
	case err != nil && ctx.Err() != nil:
		return Outcome{}, fault.As(fault.Unavailable, ctx.Err(), "function %s", f.Name)
	case err != nil && call.Err() != nil:
		out.Payload = described("Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", e.RequestID, f.Timeout.Seconds()))
	case err != nil:
		out.Payload = described("Remote.Unreachable", fmt.Sprintf("RequestId: %s Error: %v", e.RequestID, err))
	default:
		defer answer.Body.Close()
		out.Payload, err = io.ReadAll(io.LimitReader(answer.Body, payloadMax+1))
		switch {
		case err != nil:
			out.Payload = described("Remote.Unreachable", fmt.Sprintf("RequestId: %s Error: %v", e.RequestID, err))
		case len(out.Payload) > payloadMax:
			out.Payload = described("Function.ResponseSizeTooLarge", fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", payloadMax))
		case answer.StatusCode >= 200 && answer.StatusCode < 300:
			out.FunctionError = ""
		}
	}
	out.Duration = p.options.Clock.Now().Sub(begun)
	return out, nil
}

// remote is how remote functions are reached. Redirects are not followed: an event goes where the function's owner said.
var remote = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 32, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}
