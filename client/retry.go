package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
)

// Retriable says whether asking again may help. A request that was retried may have happened twice.
func Retriable(err error) bool {
	var api smithy.APIError
	var response *awshttp.ResponseError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return false // the caller gave up
	case errors.As(err, &api):
		switch api.ErrorCode() {
		case "ProvisionedThroughputExceededException", "LimitExceededException", "KMSThrottlingException", "ThrottlingException":
			return true // too fast, or no room on the server's disk for now
		case "ResourceInUseException":
			return true // the stream is being created
		}
		if answered(err) && errors.As(err, &response) {
			return response.HTTPStatusCode() >= http.StatusInternalServerError // the server's trouble, not the request's
		}
		return api.ErrorFault() == smithy.FaultServer
	case answered(err):
		errors.As(err, &response)
		// Without an AWS error: a success that was cut off on the way, or trouble of something in between.
		status := response.HTTPStatusCode()
		return status < http.StatusMultipleChoices || status >= http.StatusInternalServerError
	default:
		return !isLocal(err) // no answer: refused, reset or late. The server may be restarting
	}
}

// answered says whether err is about an answer. The SDK also wraps a request without one in a ResponseError, of status 0.
func answered(err error) bool {
	var response *awshttp.ResponseError
	return errors.As(err, &response) && response.Response != nil && response.HTTPStatusCode() != 0
}

// NotFound says whether err is about a stream that does not exist.
func NotFound(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing)
}

// NoAnswer says whether nobody answered at all, as when no server runs at the endpoint.
func NoAnswer(err error) bool {
	var api smithy.APIError
	return err != nil && !errors.As(err, &api) && !answered(err) && !errors.Is(err, context.Canceled) && !isLocal(err)
}

// isLocal is an error that was made before anything was sent.
func isLocal(err error) bool {
	var params smithy.InvalidParamsError
	return errors.As(err, &params)
}

// Backoff counts the waits between tries: 50 ms, then twice as long each time up to 2 s, each shortened by up to half at
// random so that many clients do not come back together. The zero value is ready.
type Backoff struct {
	// Sleep waits; default by the system's clock. Tests pass their own.
	Sleep func(context.Context, time.Duration) error
	// Patience is how long the waits may be together before Wait gives up. Default one minute.
	Patience time.Duration

	next, waited time.Duration
}

// Wait waits before the next try, and returns cause once patience has run out.
func (b *Backoff) Wait(ctx context.Context, cause error) error {
	patience := b.Patience
	if patience == 0 {
		patience = time.Minute
	}
	if b.waited >= patience {
		return cause
	}
	b.next = min(max(50*time.Millisecond, 2*b.next), 2*time.Second)
	wait := b.next/2 + time.Duration(rand.Int64N(int64(b.next/2)+1))
	b.waited += wait
	if b.Sleep != nil {
		return b.Sleep(ctx, wait)
	}
	return Sleep(ctx, wait)
}

// Reset says that a try succeeded: patience is new.
func (b *Backoff) Reset() { b.next, b.waited = 0, 0 }

// Sleep waits for d by the system's clock, or until ctx ends, whose error it then returns.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
