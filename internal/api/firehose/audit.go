package firehose

import (
	"reflect"
	"strconv"

	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/delivery"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/firehose"
)

// dataPlane are the operations that are never audited: CloudTrail does not log them ("Logging Amazon Data Firehose API calls with AWS CloudTrail", read 2026-11).
var dataPlane = map[string]bool{"PutRecord": true, "PutRecordBatch": true}

// parametersMax bounds what an entry says of a request, in bytes.
const parametersMax = 64 << 10

// record tells the audit log of a control call that was answered.
func (a *API) record(c *edge.Call) {
	if a.audit == nil || dataPlane[c.Operation] {
		return
	}
	e := audit.Entry{
		Time: c.Received, RequestID: c.RequestID, Account: c.Account, User: c.Identity.ARN(), KeyID: c.Identity.AccessKeyID,
		Service: a.Name(), Region: c.Region, Operation: c.Operation, ErrorCode: c.ErrorCode,
	}
	if from := c.Source(); from.IsValid() {
		e.Source = from.String()
	}
	if c.Input != nil {
		if name := reflect.ValueOf(c.Input).Elem().FieldByName("DeliveryStreamName"); name.IsValid() && !name.IsNil() {
			e.Resource = delivery.ARN(c.Account, c.Region, name.Elem().String())
		}
		e.Parameters = jsonproto.Encode(nil, shapes.Service.Operations[c.Operation].Input, c.Input)
		if n := len(e.Parameters); n > parametersMax {
			e.Parameters = append(strconv.AppendInt([]byte(`{"bytesLeftOut":`), int64(n), 10), '}')
		}
	}
	a.audit.Record(e)
}
