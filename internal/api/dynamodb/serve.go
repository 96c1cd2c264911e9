package dynamodb

import (
	"hash/crc32"
	"net/http"
	"strconv"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
	streamshapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodbstreams"
)

// operations is what this version serves: every other operation of the model is refused by name.
var operations = map[string]func(*API, *edge.Call) error{
	"BatchGetItem":              shaped((*API).batchGetItem),
	"BatchWriteItem":            shaped((*API).batchWriteItem),
	"CreateTable":               shaped((*API).createTable),
	"DeleteItem":                shaped((*API).deleteItem),
	"DeleteTable":               shaped((*API).deleteTable),
	"DescribeContinuousBackups": shaped((*API).describeContinuousBackups),
	"DescribeEndpoints":         shaped((*API).describeEndpoints),
	"DescribeLimits":            shaped((*API).describeLimits),
	"DescribeTable":             shaped((*API).describeTable),
	"DescribeTimeToLive":        shaped((*API).describeTimeToLive),
	"GetItem":                   shaped((*API).getItem),
	"ListTables":                shaped((*API).listTables),
	"ListTagsOfResource":        shaped((*API).listTagsOfResource),
	"PutItem":                   shaped((*API).putItem),
	"Query":                     shaped((*API).query),
	"Scan":                      shaped((*API).scan),
	"TagResource":               shaped((*API).tagResource),
	"TransactGetItems":          shaped((*API).transactGetItems),
	"TransactWriteItems":        shaped((*API).transactWriteItems),
	"UntagResource":             shaped((*API).untagResource),
	"UpdateItem":                shaped((*API).updateItem),
	"UpdateTable":               shaped((*API).updateTable),
	"UpdateTimeToLive":          shaped((*API).updateTimeToLive),
}

// streamOperations is all of DynamoDB Streams.
var streamOperations = map[string]func(*API, *edge.Call) error{
	"DescribeStream":   streamed((*API).describeStream),
	"GetRecords":       streamed((*API).getRecords),
	"GetShardIterator": streamed((*API).getShardIterator),
	"ListStreams":      streamed((*API).listStreams),
}

// Supported says whether this version serves an operation of DynamoDB's model.
func Supported(operation string) bool { return operations[operation] != nil }

// StreamsSupported says whether this version serves an operation of DynamoDB Streams' model.
func StreamsSupported(operation string) bool { return streamOperations[operation] != nil }

// Serve answers one call of DynamoDB.
func (a *API) Serve(c *edge.Call) { a.serve(c, operations, shapes.Service) }

// Serve answers one call of DynamoDB Streams.
func (s *Streams) Serve(c *edge.Call) { s.api.serve(c, streamOperations, streamshapes.Service) }

func (a *API) serve(c *edge.Call, served map[string]func(*API, *edge.Call) error, model *wire.Service) {
	defer a.record(c, model)
	run := served[c.Operation]
	switch {
	case c.Protocol != edge.JSON10 && c.Protocol != edge.JSON11:
		c.UnknownOperation()
		return
	case run == nil && model.Operations[c.Operation] == nil:
		fail(c, &wire.APIError{Code: ofCoral + edge.CodeUnknownOperation})
		return
	case run == nil:
		fail(c, &wire.APIError{Code: ofCoral + "UnsupportedOperationException", Message: "The operation " + c.Operation + " is not supported by this version of Weir."})
		return
	}
	if err := run(a, c); err != nil {
		e := apiError(err)
		if e.HTTPStatus() >= http.StatusInternalServerError && c.Ctx.Err() == nil {
			a.logger.Error("a request failed", "operation", c.Operation, "request", c.RequestID, "err", err)
		}
		fail(c, e)
	}
}

// fail answers with an error whose code has what AWS puts before it, and whose members are the exception's.
func fail(c *edge.Call, e *wire.APIError) {
	c.ErrorCode = e.Code
	reply(c, e.HTTPStatus(), jsonproto.AppendError(nil, e))
}

// reply answers with a body and its checksum, which SDKs hold it against.
func reply(c *edge.Call, status int, body []byte) {
	c.Writer.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	c.Reply(status, c.Protocol.ContentType(), body)
}

// shaped makes an operation of one that takes and gives generated shapes.
func shaped[In, Out any](run func(*API, *edge.Call, *In) (*Out, error)) func(*API, *edge.Call) error {
	return shapedOf(shapes.Service, run)
}

// streamed is shaped for DynamoDB Streams.
func streamed[In, Out any](run func(*API, *edge.Call, *In) (*Out, error)) func(*API, *edge.Call) error {
	return shapedOf(streamshapes.Service, run)
}

func shapedOf[In, Out any](model *wire.Service, run func(*API, *edge.Call, *In) (*Out, error)) func(*API, *edge.Call) error {
	return func(a *API, c *edge.Call) error {
		operation := model.Operations[c.Operation]
		in := new(In)
		if err := jsonproto.Decode(operation.Input, c.Body, in); err != nil {
			return err
		}
		c.Input = in
		if err := wire.Validate(operation.Input, in); err != nil {
			return err
		}
		out, err := run(a, c, in)
		if err != nil {
			return err
		}
		if operation.Output == nil {
			reply(c, http.StatusOK, nil)
			return nil
		}
		reply(c, http.StatusOK, jsonproto.Encode(nil, operation.Output, out))
		return nil
	}
}

// nothing is the output of operations that answer nothing.
type nothing = struct{}

// errDenied refuses what belongs to another account.
func errDenied(account, resource string) error {
	return fault.New(fault.Denied, "User: %s is not authorized to access the resource %s: access across accounts is not supported by this version of Weir.", account, resource)
}
