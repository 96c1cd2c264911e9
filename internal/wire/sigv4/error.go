package sigv4

import "fmt"

// Error is a refusal under AWS's own name for it. Code and Message go to the client as they are.
type Error struct {
	Code    string
	Message string
}

// Error is the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// The names AWS gives to refused credentials ("Common Error Types" in every service's API reference).
const (
	CodeMissingToken       = "MissingAuthenticationTokenException"
	CodeIncomplete         = "IncompleteSignatureException"
	CodeInvalid            = "InvalidSignatureException"
	CodeUnrecognizedClient = "UnrecognizedClientException"
	// CodeMalformed is a body whose aws-chunked framing is broken.
	CodeMalformed = "MalformedHttpRequestException"
	// CodePayloadHash is a body that does not have the hash which its request states, when it came as a stream. Only S3 has such.
	CodePayloadHash = "XAmzContentSHA256Mismatch"
)

// ErrMissing is a request without any claim. ErrUnrecognizedClient is a claim of a key that does not exist or does not count. ErrMismatch is a signature that does not fit.
// ErrPayloadHash is a streamed body with another hash than its request states.
var (
	ErrPayloadHash        = &Error{CodePayloadHash, "The provided 'x-amz-content-sha256' header does not match what was computed."}
	ErrMissing            = &Error{CodeMissingToken, "Missing Authentication Token"}
	ErrUnrecognizedClient = &Error{CodeUnrecognizedClient, "The security token included in the request is invalid."}
	ErrMismatch           = &Error{CodeInvalid, "The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."}
)

func incomplete(format string, args ...any) *Error {
	return &Error{CodeIncomplete, fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *Error {
	return &Error{CodeInvalid, fmt.Sprintf(format, args...)}
}
