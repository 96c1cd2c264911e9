package edge

import (
	"net/http"

	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/cborproto"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
	"github.com/weir-stream/weir/internal/wire/queryproto"
	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// Errors that any AWS service answers ("Common Error Types", read 2026-11), besides those of sigv4.
const (
	CodeUnknownOperation = wire.CodeUnknownOperation
	CodeSerialization    = wire.CodeSerialization
	CodeAccessDenied     = "AccessDeniedException"
	CodeInternal         = wire.CodeInternalFailure
	CodeTooLarge         = "RequestEntityTooLargeException" // 413
	CodeTimeout          = "RequestTimeoutException"        // 408
	CodeMalformed        = sigv4.CodeMalformed              // 400
	CodeUnavailable      = "ServiceUnavailable"             // 503, which SDKs retry
)

// Refuser is implemented by REST services whose errors have a form of their own, such as S3's XML.
type Refuser interface {
	// Refuse answers c with an error, translating the names of the edge into the service's. It ends in c.Reply.
	Refuse(c *Call, status int, code, message string)
}

// Fail answers with an AWS error in the call's protocol. message may be empty. It may be called once, and not after Reply.
//
//	JSON      {"__type":"Code","message":"…"}, where what Coral sends itself spells its key Message (wire.APIError)
//	CBOR      the same map
//	Query     <ErrorResponse><Error><Type/><Code/><Message/></Error><RequestId/></ErrorResponse>
//	REST      as the service's Refuse says, otherwise {"message":"…"} beside X-Amzn-Errortype
//	no service  <Code><Message/></Code> without a Content-Type, which is what AWS answers to requests it cannot assign
func (c *Call) Fail(status int, code, message string) {
	c.ErrorCode = code
	h := c.Writer.Header()
	b := c.scratch[:0]
	sent := &wire.APIError{Status: status, Code: code, Message: message}
	switch {
	case c.Protocol == JSON10 || c.Protocol == JSON11:
		b = jsonproto.AppendError(b, sent)
	case c.Protocol == CBOR11 || c.Protocol == RPCv2CBOR:
		if c.Protocol == RPCv2CBOR {
			c.set(h, fieldSmithy, "Smithy-Protocol", "rpc-v2-cbor")
		}
		b = cborproto.AppendError(b, sent)
	case c.Protocol == Query:
		sent.Code = queryCode(code)
		c.ErrorCode = sent.Code
		b = queryproto.AppendError(b, sent, c.RequestID)
	case c.service == nil:
		b = queryproto.AppendBareError(b, sent)
	default:
		if r, ok := as[Refuser](c.service); ok {
			r.Refuse(c, status, code, message)
			return
		}
		c.set(h, fieldErrorType, "X-Amzn-Errortype", code)
		b = append(jsonproto.AppendString(append(b, `{"message":`...), message), '}')
		c.scratch = b
		c.Reply(status, "application/json", b)
		return
	}
	c.scratch = b
	c.Reply(status, c.Protocol.ContentType(), b)
}

// UnknownOperation answers that the service has no such operation, as AWS does: without a message. The query protocol's InvalidAction has status 400 ("Common Error Types"),
// RPC v2 asks for 404 (Smithy 2.0).
func (c *Call) UnknownOperation() {
	status := http.StatusBadRequest
	if c.Protocol == REST || c.Protocol == RPCv2CBOR {
		status = http.StatusNotFound
	}
	c.Fail(status, CodeUnknownOperation, "")
}

// refuse answers a request that did not reach its service. JSON and CBOR services answer credentials they do not like with 400, all others with 403.
func (c *Call) refuse(err *sigv4.Error) { c.Fail(c.refusalStatus(err), err.Code, err.Message) }

func (c *Call) refusalStatus(err *sigv4.Error) int {
	switch c.Protocol {
	case JSON10, JSON11, CBOR11:
		return http.StatusBadRequest
	}
	if err.Code == CodeMalformed {
		return http.StatusBadRequest
	}
	return http.StatusForbidden
}

// queryCode is the name that query services have for an error: older than the names of the JSON ones.
func queryCode(code string) string {
	switch code {
	case sigv4.CodeMissingToken:
		return "MissingAuthenticationToken"
	case sigv4.CodeIncomplete:
		return "IncompleteSignature"
	case sigv4.CodeInvalid:
		return "SignatureDoesNotMatch"
	case sigv4.CodeUnrecognizedClient:
		return "InvalidClientTokenId"
	case CodeUnknownOperation:
		return "InvalidAction"
	}
	return code
}
