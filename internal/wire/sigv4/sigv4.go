// Package sigv4 checks AWS Signature Version 4 on the server's side.
//
// It owns what a request claims (Auth), the canonical form of a request, derived signing keys, the comparison, and the framing and
// chunk signatures of aws-chunked bodies. Which secret belongs to an access key, and who that is, belongs to auth. Nothing here
// signs requests.
//
// Sources: "Create a signed AWS API request" and "Signature elements" (IAM User Guide), "Signature calculations for the
// Authorization header" with its chunked and trailer variants (Amazon S3 API Reference), all read 2026-11. The AWS SDK's own
// signer is the oracle of the tests.
//
// Read Auth and Parse (parse.go), then verify.go, canonical.go, chunked.go; stream.go is the same for bodies too large to hold.
package sigv4

import (
	"net/http"
	"time"
)

// Auth is what a request claims about its signer. Parse fills it; Verify says whether the claim holds. Its strings share memory
// with the request.
type Auth struct {
	AccessKeyID   string
	ScopeDate     string // YYYYMMDD of the credential scope
	Region        string
	Service       string
	Presigned     bool          // the claim stands in the query, not in the Authorization header
	SignedHeaders string        // as sent: lower-case names, joined by semicolons
	Signature     string        // as sent: 64 hexadecimal digits when it is well formed
	Date          string        // time of signing in ISO 8601 basic form, as it enters the string to sign
	Time          time.Time     // Date, parsed
	Expires       time.Duration // how long a presigned URL lives; 0 when it does not say
	SecurityToken string        // session token, empty for long-term keys
	PayloadHash   string        // X-Amz-Content-Sha256 as sent; empty when the body's own hash is meant
}

const (
	algorithm   = "AWS4-HMAC-SHA256"
	terminator  = "aws4_request"
	basicFormat = "20060102T150405Z"

	// UnsignedPayload in X-Amz-Content-Sha256 leaves the body out of the signature.
	UnsignedPayload = "UNSIGNED-PAYLOAD"

	streamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

	// emptyHash is the SHA-256 of nothing, part of every chunk's string to sign.
	emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

	// skewMax is how far the time of signing may lie from ours, either way ("Signature expired … - 5 min." is what services answer).
	skewMax = 5 * time.Minute
	// skewMaxS3 is what S3 allows (RequestTimeTooSkewed: "within 15 minutes of our server's time", S3 API Reference).
	skewMaxS3 = 15 * time.Minute

	// expiresMax is the longest life of a presigned URL: seven days (X-Amz-Expires, S3 API Reference).
	expiresMax = 7 * 24 * time.Hour
)

// Payload is a body after its signature has been checked.
type Payload struct {
	Body    []byte      // without aws-chunked framing; shares memory with the body as received
	Trailer http.Header // what followed the last chunk, nil when nothing did
}
