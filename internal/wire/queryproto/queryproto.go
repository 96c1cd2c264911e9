// Package queryproto speaks the AWS query protocol: a form in, XML out. It is what services had before JSON, and what CloudWatch still takes.
//
// It owns both directions: names with dots become structures (decode.go), structures become elements (encode.go). Which operation a request asks for is found by edge,
// constraints are checked by wire.
//
//	Namespace=App&MetricData.member.1.MetricName=Load&MetricData.member.1.Value=0.5
//
// Read this file, then decode.go.
package queryproto

import "github.com/weir-stream/weir/internal/wire"

// ContentType of answers.
const ContentType = "text/xml"

// AppendError appends the body of an error answer, whose code is what the query protocol calls it.
func AppendError(dst []byte, e *wire.APIError, requestID string) []byte {
	side := "Sender"
	if e.HTTPStatus() >= 500 {
		side = "Receiver"
	}
	dst = append(append(append(dst, "<ErrorResponse><Error><Type>"...), side...), "</Type><Code>"...)
	dst = appendText(dst, e.Code)
	dst = appendText(append(dst, "</Code><Message>"...), e.Message)
	dst = append(append(dst, "</Message></Error><RequestId>"...), requestID...)
	return append(dst, "</RequestId></ErrorResponse>\n"...)
}

// AppendBareError appends the body that AWS answers to a request it can assign to no service: an element named as the code is, without a document around it.
func AppendBareError(dst []byte, e *wire.APIError) []byte {
	if e.Message == "" {
		return append(append(append(dst, '<'), e.Code...), "/>\n"...)
	}
	dst = append(append(append(dst, '<'), e.Code...), ">\n  <Message>"...)
	dst = appendText(dst, e.Message)
	return append(append(append(dst, "</Message>\n</"...), e.Code...), ">\n"...)
}
