package dynamodb

import (
	"reflect"
	"strconv"

	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
)

// dataPlane are the operations that are never audited: those that CloudTrail calls data events ("Logging DynamoDB operations by using AWS CloudTrail", read 2026-11).
var dataPlane = map[string]bool{
	"BatchGetItem": true, "BatchWriteItem": true, "DeleteItem": true, "GetItem": true, "PutItem": true, "Query": true, "Scan": true, "TransactGetItems": true,
	"TransactWriteItems": true, "UpdateItem": true, "GetRecords": true, "GetShardIterator": true,
}

// parametersMax bounds what an entry says of a request, in bytes.
const parametersMax = 64 << 10

// record tells the audit log of a control call that was answered.
func (a *API) record(c *edge.Call, model *wire.Service) {
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
		e.Resource = resourceOf(c)
		e.Parameters = jsonproto.Encode(nil, model.Operations[c.Operation].Input, c.Input)
		if n := len(e.Parameters); n > parametersMax {
			e.Parameters = append(strconv.AppendInt([]byte(`{"bytesLeftOut":`), int64(n), 10), '}')
		}
	}
	a.audit.Record(e)
}

// resourceOf is the ARN of what a request is on, as the request says it; empty when it names nothing.
func resourceOf(c *edge.Call) string {
	in := reflect.ValueOf(c.Input).Elem()
	for _, name := range []string{"ResourceArn", "StreamArn", "TableName"} {
		field := in.FieldByName(name)
		if !field.IsValid() || field.Kind() != reflect.Pointer || field.IsNil() {
			continue
		}
		text := field.Elem().String()
		if name == "TableName" && isTableName(text) {
			return tableARN(c, text)
		}
		return text
	}
	return ""
}
