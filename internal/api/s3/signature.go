package s3

import (
	"net/http"
	"strings"

	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// invalidSignature tells apart by their texts what other services call InvalidSignatureException, and S3 does not (S3 API Reference, Error responses).
func invalidSignature(message string, presigned bool) *apiError {
	switch {
	case message == sigv4.ErrMismatch.Message:
		return newError(http.StatusForbidden, "SignatureDoesNotMatch",
			"The request signature we calculated does not match the signature you provided. Check your key and signing method.")
	case presigned && strings.HasPrefix(message, "Signature expired"):
		return newError(http.StatusForbidden, "AccessDenied", "Request has expired")
	case strings.HasPrefix(message, "Signature expired"), strings.HasPrefix(message, "Signature not yet current"):
		return newError(http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
	case strings.HasPrefix(message, "There were headers present"):
		return newError(http.StatusForbidden, "AccessDenied", message)
	case strings.HasPrefix(message, "x-amz-content-sha256 must be"):
		return invalidArgument(message, "x-amz-content-sha256", "")
	case strings.HasPrefix(message, "Missing required header"):
		return newError(http.StatusBadRequest, "InvalidRequest", message)
	}
	return newError(http.StatusForbidden, "SignatureDoesNotMatch", message)
}
