package lambda

import (
	"encoding/base64"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/functions"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// Invoke runs a function and waits for its answer (RequestResponse), takes an event that nobody waits for (Event), or says whether it would (DryRun).
//
// Source: API_Invoke, "How Lambda handles errors and retries with asynchronous invocation" (read 2026-11). Shown by: TestInvoke, TestEvents, TestFaults, TestCallerLeaves in test/lambda.
// An error of the function is status 200 with X-Amz-Function-Error.
// A client that goes away does not end the function.
// Differs: FunctionError is Unhandled, whichever way the function failed; durable executions and tenants are refused. An invocation of a function that is Pending waits until
// it is not. One that the machine has no process for waits for one, where AWS has more machines.
func (a *API) invoke(c *edge.Call, in *shapes.InvocationRequest) (*shapes.InvocationResponse, error) {
	n, _, v, err := a.find(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	switch {
	case in.DurableExecutionName != nil:
		return nil, unsupported("X-Amz-Durable-Execution-Name")
	case in.TenantId != nil:
		return nil, unsupported("X-Amz-Tenant-Id")
	}
	said, err := clientContext(in.ClientContext)
	if err != nil {
		return nil, err
	}
	r := functions.Request{Function: n.arn(), Payload: in.Payload, ClientContext: said, TraceID: c.Request.Header.Get("X-Amzn-Trace-Id"), Tail: deref(in.LogType) == shapes.LogTypeTail}
	switch deref(in.InvocationType) {
	case shapes.InvocationTypeDryRun:
		return &shapes.InvocationResponse{StatusCode: ptr(int32(204)), ExecutedVersion: ptr(v.Number)}, nil
	case shapes.InvocationTypeEvent:
		id, err := a.functions.InvokeEvent(c.Ctx, r)
		if err != nil {
			return nil, err
		}
		c.Writer.Header().Set("X-Amzn-Requestid", id) // the id that the function sees
		return &shapes.InvocationResponse{StatusCode: ptr(int32(202))}, nil
	}
	r.Payload = append([]byte(nil), r.Payload...) // the call's memory is used again when its client leaves, and the function goes on
	r.Leave = true
	result, err := a.functions.Invoke(c.Ctx, r)
	if err != nil {
		return nil, err
	}
	c.Writer.Header().Set("X-Amzn-Requestid", result.RequestID)
	out := &shapes.InvocationResponse{StatusCode: ptr(int32(200)), Payload: result.Payload, FunctionError: some(result.FunctionError), ExecutedVersion: ptr(result.Version)}
	if r.Tail {
		out.LogResult = ptr(base64.StdEncoding.EncodeToString(result.Log))
	}
	return out, nil
}

// clientContextMax is how much a client may say of itself, in bytes of base64 (API_Invoke: 3583).
const clientContextMax = 3583

// clientContext is X-Amz-Client-Context without its base64.
func clientContext(text *string) (string, error) {
	if text == nil {
		return "", nil
	}
	plain, err := base64.StdEncoding.DecodeString(*text)
	if err != nil || len(*text) > clientContextMax {
		return "", fault.New(fault.Invalid, "Client context must be a valid Base64-encoded JSON object of at most %d bytes.", clientContextMax)
	}
	return string(plain), nil
}
