package producer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/segmentio/asm/base64"
)

// direct is a client's JSON protocol with a PutRecords that is written once, into one buffer of the right size. The SDK's own serializer grows a buffer step by step and copies
// what it has each time, which is a third of what packed records cost a client. What is sent is the same JSON.
type direct struct {
	smithyhttp.ClientProtocol
	body *body
}

// body is the JSON of one request.
type body struct{ bytes []byte }

// bodies come back when their requests have succeeded: a server that has checked a request's signature has every byte of it, so nobody reads it any more. After an error somebody may, and
// the body is left to the garbage collector.
var bodies = sync.Pool{New: func() any { return new(body) }}

// jsonProtocol is the protocol that direct knows how to speak.
var jsonProtocol = smithy.ShapeID{Namespace: "aws.protocols", Name: "awsJson1_1"}

// withoutRetries keeps the SDK from repeating a request by itself: the Producer knows better what is still worth sending.
func withoutRetries(o *kinesis.Options) { o.Retryer = aws.NopRetryer{} }

// asWeSend is how the Producer calls PutRecords.
func (b *body) asWeSend(o *kinesis.Options) {
	withoutRetries(o)
	if o.Protocol != nil && o.Protocol.ID() == jsonProtocol {
		o.Protocol = direct{o.Protocol, b}
	}
}

// SerializeRequest writes a PutRecords, and leaves every other operation to the SDK.
func (d direct) SerializeRequest(ctx context.Context, schema *smithy.OperationSchema, in smithy.Serializable, req *smithyhttp.Request) error {
	put, ok := in.(*kinesis.PutRecordsInput)
	if !ok {
		return d.ClientProtocol.SerializeRequest(ctx, schema, in, req)
	}
	req.Method = http.MethodPost
	if req.URL.Path == "" {
		req.URL.Path = "/"
	}
	req.Header.Set("X-Amz-Target", "Kinesis_20131202.PutRecords")
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	d.body.bytes = appendPutRecords(d.body.bytes[:0], put)
	streamed, err := req.SetStream(bytes.NewReader(d.body.bytes))
	if err != nil {
		return fmt.Errorf("put records: %w", err)
	}
	*req = *streamed
	return nil
}

// appendPutRecords appends the JSON of a request that the Producer has made: every entry has its data, its key and its hash key.
func appendPutRecords(dst []byte, in *kinesis.PutRecordsInput) []byte {
	const (
		around   = len(`{"StreamName":"","Records":[]}`)
		perEntry = len(`{"Data":"","PartitionKey":"","ExplicitHashKey":""},`)
	)
	size := around + len(aws.ToString(in.StreamName)) + len(aws.ToString(in.StreamARN))
	for i := range in.Records {
		r := &in.Records[i]
		size += perEntry + base64.StdEncoding.EncodedLen(len(r.Data)) + len(*r.PartitionKey) + len(*r.ExplicitHashKey)
	}
	if cap(dst)-len(dst) < size {
		dst = append(make([]byte, 0, len(dst)+size), dst...)
	}
	if in.StreamARN != nil {
		dst = appendString(append(dst, `{"StreamARN":`...), *in.StreamARN)
	} else {
		dst = appendString(append(dst, `{"StreamName":`...), *in.StreamName)
	}
	dst = append(dst, `,"Records":[`...)
	for i := range in.Records {
		r := &in.Records[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"Data":"`...)
		start, n := len(dst), base64.StdEncoding.EncodedLen(len(r.Data))
		if cap(dst)-start < n { // keys that were escaped have taken the room
			dst = append(make([]byte, 0, 2*cap(dst)+n), dst...)
		}
		dst = dst[:start+n]
		base64.StdEncoding.Encode(dst[start:], r.Data)
		dst = appendString(append(dst, `","PartitionKey":`...), *r.PartitionKey)
		dst = appendString(append(dst, `,"ExplicitHashKey":`...), *r.ExplicitHashKey)
		dst = append(dst, '}')
	}
	return append(dst, "]}"...)
}

// appendString appends a JSON string.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			text, err := json.Marshal(s)
			if err != nil {
				panic(err) // a string always has a form in JSON
			}
			return append(dst, text...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}
