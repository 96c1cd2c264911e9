package s3

import (
	"encoding/hex"
	"encoding/xml"
	"errors"
	"net/http"

	"github.com/weir-stream/weir/internal/blob/store"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// apiError is an error as S3 sends it.
type apiError struct {
	status  int
	code    string
	message string
	more    []member // beside Code and Message
}

type member struct{ name, value string }

// Error is the code and the message.
func (e *apiError) Error() string { return e.code + ": " + e.message }

func newError(status int, code, message string) *apiError {
	return &apiError{status: status, code: code, message: message}
}

func withResource(e *apiError, name, value string) *apiError {
	e.more = append(e.more, member{name, value})
	return e
}

// invalidArgument is about a parameter of a request.
func invalidArgument(message, name, value string) *apiError {
	e := newError(http.StatusBadRequest, "InvalidArgument", message)
	e.more = []member{{"ArgumentName", name}, {"ArgumentValue", value}}
	return e
}

func invalidRequest(message string) *apiError {
	return newError(http.StatusBadRequest, "InvalidRequest", message)
}

// notImplemented refuses what is asked for by its name.
func notImplemented(what string) *apiError {
	return newError(http.StatusNotImplemented, "NotImplemented", what+" is not supported by this version of Weir.")
}

var (
	errMethod    = newError(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	errDenied    = newError(http.StatusForbidden, "AccessDenied", "Access Denied")
	errACL       = newError(http.StatusBadRequest, "AccessControlListNotSupported", "The bucket does not allow ACLs")
	errMalformed = newError(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	errNoLength  = newError(http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	errTooLarge  = newError(http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	errBadMD5    = newError(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
	errInternal  = newError(http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again.")
	errSlowDown  = newError(http.StatusServiceUnavailable, "ServiceUnavailable", "The disk is full: nothing can be written until there is room again. Reading goes on.")
	errNoUpload  = newError(http.StatusNotFound, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
)

// statusOf is the HTTP status of each refusal of the store (API_Error).
var statusOf = map[string]int{
	"NoSuchBucket": 404, "NoSuchKey": 404, "NoSuchUpload": 404, "BucketAlreadyExists": 409, "BucketAlreadyOwnedByYou": 409, "BucketNotEmpty": 409,
	"PreconditionFailed": 412, "ConditionalRequestConflict": 409, "AccessDenied": 403, "InvalidPart": 400, "InvalidPartOrder": 400, "EntityTooSmall": 400,
	"InvalidRequest": 400, "BadDigest": 400, "TooManyBuckets": 400,
}

// sent is how err is sent.
func (q *call) sent(err error) *apiError {
	var api *apiError
	if errors.As(err, &api) {
		return api
	}
	var body *edge.BodyError
	if errors.As(err, &body) {
		return q.translated(body.Status, body.Code, body.Message)
	}
	if refusal, is := store.AsRefusal(err); is {
		e := newError(statusOf[refusal.Code], refusal.Code, refusal.Message)
		switch refusal.Code {
		case "NoSuchBucket", "BucketNotEmpty", "BucketAlreadyOwnedByYou", "BucketAlreadyExists":
			return withResource(e, "BucketName", q.bucket)
		case "NoSuchKey":
			return withResource(e, "Key", q.key)
		}
		return e
	}
	if q.Ctx.Err() == nil {
		q.api.logger.Error("a request failed", "operation", q.Operation, "request", q.RequestID, "err", err)
	}
	switch fault.KindOf(err) {
	case fault.Full:
		return errSlowDown
	case fault.Unavailable, fault.Throttled:
		return newError(http.StatusServiceUnavailable, "ServiceUnavailable", "Please reduce your request rate.")
	}
	return errInternal
}

func (q *call) fail(err error) { write(q.Call, q.sent(err)) }

// write sends an error. Answers to HEAD, and those that say "not modified", have no body.
func write(c *edge.Call, e *apiError) {
	c.ErrorCode = e.code
	if c.Request.Method == http.MethodHead || e.status == http.StatusNotModified {
		c.Writer.Header()["Content-Type"] = []string{"application/xml"}
		c.Writer.WriteHeader(e.status)
		return
	}
	b := []byte(xml.Header + "<Error>")
	b = appendElement(b, "Code", e.code)
	b = appendElement(b, "Message", e.message)
	for _, m := range e.more {
		b = appendElement(b, m.name, m.value)
	}
	b = appendElement(b, "Resource", c.Request.URL.Path)
	b = appendElement(b, "RequestId", c.RequestID)
	b = appendElement(b, "HostId", c.Writer.Header().Get("X-Amz-Id-2"))
	c.Reply(e.status, "application/xml", append(b, "</Error>"...))
}

// Refuse answers what was refused before the call reached the service.
func (a *API) Refuse(c *edge.Call, status int, code, message string) {
	h := c.Writer.Header()
	h.Del("X-Amzn-Requestid")
	h["X-Amz-Request-Id"] = []string{c.RequestID}
	q := &call{Call: c, request: newRequest(c.Request), api: a}
	write(c, q.translated(status, code, message))
}

// translated gives an error of the edge the name it has at S3 (API_Error, and SigV4 errors in the S3 API Reference).
func (q *call) translated(status int, code, message string) *apiError {
	presigned := q.query.Has("X-Amz-Algorithm")
	switch code {
	case sigv4.CodeMissingToken:
		return newError(http.StatusForbidden, "AccessDenied", "Access Denied")
	case sigv4.CodeIncomplete:
		if presigned {
			return newError(http.StatusBadRequest, "AuthorizationQueryParametersError", message)
		}
		return newError(http.StatusBadRequest, "AuthorizationHeaderMalformed", message)
	case sigv4.CodeUnrecognizedClient:
		return newError(http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
	case sigv4.CodeInvalid:
		return invalidSignature(message, presigned)
	case sigv4.CodePayloadHash:
		return newError(http.StatusBadRequest, sigv4.CodePayloadHash, message)
	case sigv4.CodeMalformed:
		return newError(http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header: "+message)
	case edge.CodeTooLarge:
		return errTooLarge
	case edge.CodeTimeout:
		return newError(http.StatusBadRequest, "RequestTimeout",
			"Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed.")
	case edge.CodeUnavailable:
		return newError(http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
	case edge.CodeInternal:
		return errInternal
	case edge.CodeUnknownOperation:
		return errMethod
	case edge.CodeAccessDenied:
		return newError(http.StatusForbidden, "AccessDenied", message)
	}
	return newError(status, code, message)
}

// hexOf is a digest as ETags have it.
func hexOf(digest []byte) string { return hex.EncodeToString(digest) }
