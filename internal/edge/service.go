package edge

import "net/http"

// Service is one AWS service behind the edge.
type Service interface {
	// Name is the name that its requests are signed for, such as "kinesis". Services may share one: the target prefix, or the
	// path, then tells them apart.
	Name() string
	// TargetPrefix is what stands before the dot of X-Amz-Target, such as "Kinesis_20131202". Empty for services that have none.
	TargetPrefix() string
	// Serve answers one call through c.Reply, c.Fail, or c.Begin and c.Send. It runs on the request's goroutine, many at a time, and must not
	// keep c or c.Body after it returns. An operation, or a c.Protocol, that it does not know it refuses with c.UnknownOperation().
	Serve(c *Call)
}

// Wrapper is implemented by a Service that stands around another: what the inner one implements besides Service is looked for there.
type Wrapper interface {
	// Unwrap is the service inside.
	Unwrap() Service
}

// StreamTaker is implemented by REST services that take the bodies of some requests as streams, because they may be larger than memory.
type StreamTaker interface {
	// TakesStream says whether the body of a request is read from Call.Stream, instead of being in Call.Body. Nothing of the body has been read,
	// and nobody has said who is calling.
	TakesStream(r *http.Request) bool
}

// BodySizer is implemented by services that take larger bodies than Options.BodyBytesMax.
type BodySizer interface {
	// BodyBytesMax is the largest body, in bytes. Less than Options.BodyBytesMax says nothing.
	BodyBytesMax() int64
}

// PathMatcher is implemented by services that are recognised by path (REST ones), for requests that neither signature nor target assigns.
type PathMatcher interface {
	// MatchPath says whether a request with this method and (escaped) path is for the service. Services are asked in order of registration.
	MatchPath(method, path string) bool
}

// QuerySpeaker is implemented by services that speak the query protocol, such as SNS and CloudWatch.
type QuerySpeaker interface {
	// SpeaksQuery marks the service; it is never called.
	SpeaksQuery()
}

// GzipTaker is implemented by services whose clients compress what they send, such as CloudWatch. REST services see Content-Encoding themselves.
type GzipTaker interface {
	// GzipBytesMax is the largest body after it was unpacked; Options.BodyBytesMax binds beside it.
	GzipBytesMax() int64
}

// as finds what a service, or one that it stands before, implements.
func as[T any](s Service) (T, bool) {
	for {
		if found, ok := s.(T); ok {
			return found, true
		}
		w, ok := s.(Wrapper)
		if !ok {
			var none T
			return none, false
		}
		s = w.Unwrap()
	}
}

// Protocol is how a request's body is laid out, and so how its answer must be.
type Protocol uint8

// The protocols of AWS services.
const (
	REST      Protocol = iota // REST-JSON or REST-XML: the service's path and content type decide
	JSON10                    // application/x-amz-json-1.0 with X-Amz-Target
	JSON11                    // application/x-amz-json-1.1 with X-Amz-Target
	CBOR11                    // application/x-amz-cbor-1.1 with X-Amz-Target
	Query                     // application/x-www-form-urlencoded with Action=…, answered in XML
	RPCv2CBOR                 // smithy-protocol: rpc-v2-cbor, operation in the path
)

var protocolNames = [...]string{"rest", "json-1.0", "json-1.1", "cbor-1.1", "query", "rpc-v2-cbor"}

// String is the protocol's name, for logs and metrics.
func (p Protocol) String() string { return protocolNames[p] }

// ContentType is the Content-Type of answers in p. Empty for REST, where the service decides.
func (p Protocol) ContentType() string {
	switch p {
	case JSON10:
		return "application/x-amz-json-1.0"
	case JSON11:
		return "application/x-amz-json-1.1"
	case CBOR11:
		return "application/x-amz-cbor-1.1"
	case Query:
		return "text/xml"
	case RPCv2CBOR:
		return "application/cbor"
	default:
		return ""
	}
}
