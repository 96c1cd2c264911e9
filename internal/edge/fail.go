package edge

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"net/http"
	"unicode/utf8"

	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// Errors that any AWS service answers ("Common Error Types", read 2026-11), besides those of sigv4.
const (
	CodeUnknownOperation = "UnknownOperationException"
	CodeSerialization    = "SerializationException"
	CodeAccessDenied     = "AccessDeniedException"
	CodeInternal         = "InternalFailure"
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
//	JSON      {"__type":"Code","message":"…"}, where SerializationException spells its key Message
//	CBOR      the same map
//	Query     <ErrorResponse><Error><Type/><Code/><Message/></Error><RequestId/></ErrorResponse>
//	REST      as the service's Refuse says, otherwise {"message":"…"} beside X-Amzn-Errortype
//	no service  <Code><Message/></Code> without a Content-Type, which is what AWS answers to requests it cannot assign
func (c *Call) Fail(status int, code, message string) {
	c.ErrorCode = code
	h := c.Writer.Header()
	b := c.scratch[:0]
	switch {
	case c.Protocol == JSON10 || c.Protocol == JSON11:
		b = appendJSONString(append(b, `{"__type":`...), code)
		if message != "" {
			b = appendJSONString(append(append(append(b, `,"`...), messageKey(code)...), `":`...), message)
		}
		b = append(b, '}')
	case c.Protocol == CBOR11 || c.Protocol == RPCv2CBOR:
		if c.Protocol == RPCv2CBOR {
			c.set(h, fieldSmithy, "Smithy-Protocol", "rpc-v2-cbor")
		}
		b = appendCBORError(b, code, message)
	case c.Protocol == Query:
		code = queryCode(code)
		c.ErrorCode = code
		b = appendQueryError(b, status, code, message, c.RequestID)
	case c.service == nil:
		b = appendCoralError(b, code, message)
	default:
		if r, ok := as[Refuser](c.service); ok {
			r.Refuse(c, status, code, message)
			return
		}
		c.set(h, fieldErrorType, "X-Amzn-Errortype", code)
		b = append(appendJSONString(append(b, `{"message":`...), message), '}')
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

func messageKey(code string) string {
	if code == CodeSerialization {
		return "Message"
	}
	return "message"
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

func appendQueryError(b []byte, status int, code, message, requestID string) []byte {
	side := "Sender"
	if status >= 500 {
		side = "Receiver"
	}
	b = append(b, "<ErrorResponse><Error><Type>"+side+"</Type><Code>"...)
	b = appendXML(b, code)
	b = append(b, "</Code><Message>"...)
	b = appendXML(b, message)
	b = append(b, "</Message></Error><RequestId>"...)
	b = append(b, requestID...)
	return append(b, "</RequestId></ErrorResponse>\n"...)
}

func appendCoralError(b []byte, code, message string) []byte {
	if message == "" {
		return append(append(append(b, '<'), code...), "/>\n"...)
	}
	b = append(append(append(b, '<'), code...), ">\n  <Message>"...)
	b = appendXML(b, message)
	return append(append(append(b, "</Message>\n</"...), code...), ">\n"...)
}

func appendXML(b []byte, s string) []byte {
	if !bytes.ContainsAny([]byte(s), "<>&\r\n\t\"") && utf8.ValidString(s) {
		return append(b, s...)
	}
	var w bytes.Buffer
	_ = xml.EscapeText(&w, []byte(s)) // a buffer takes everything
	return append(b, w.Bytes()...)
}

// appendJSONString writes s as a JSON string. Invalid UTF-8 becomes the replacement character.
func appendJSONString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20 || r == 0x7f:
			b = append(b, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// appendCBORError writes the error as a CBOR map of text to text (RFC 8949).
func appendCBORError(b []byte, code, message string) []byte {
	if message == "" {
		b = append(b, 0xa1)
		return appendCBORText(appendCBORText(b, "__type"), code)
	}
	b = append(b, 0xa2)
	b = appendCBORText(appendCBORText(b, "__type"), code)
	return appendCBORText(appendCBORText(b, messageKey(code)), message)
}

func appendCBORText(b []byte, s string) []byte {
	switch n := len(s); {
	case n < 24:
		b = append(b, 0x60|byte(n))
	case n < 1<<8:
		b = append(b, 0x78, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x79), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0x7a), uint32(n))
	}
	return append(b, s...)
}
