package kinesis

import (
	"errors"
	"net/http"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/envelope"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/cborproto"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// operations is what this version serves: every operation of the model that is not here is refused by name.
var operations = map[string]func(*API, *edge.Call) error{
	"AddTagsToStream":                        shaped((*API).addTagsToStream),
	"CreateStream":                           shaped((*API).createStream),
	"DecreaseStreamRetentionPeriod":          shaped((*API).decreaseRetention),
	"DeleteResourcePolicy":                   shaped((*API).deleteResourcePolicy),
	"DeleteStream":                           shaped((*API).deleteStream),
	"DeregisterStreamConsumer":               shaped((*API).deregisterStreamConsumer),
	"DescribeAccountSettings":                shaped((*API).describeAccountSettings),
	"DescribeLimits":                         shaped((*API).describeLimits),
	"DescribeStream":                         shaped((*API).describeStream),
	"DescribeStreamConsumer":                 shaped((*API).describeStreamConsumer),
	"DescribeStreamSummary":                  shaped((*API).describeStreamSummary),
	"DisableEnhancedMonitoring":              shaped((*API).disableEnhancedMonitoring),
	"EnableEnhancedMonitoring":               shaped((*API).enableEnhancedMonitoring),
	"GetRecords":                             (*API).getRecords,
	"GetResourcePolicy":                      shaped((*API).getResourcePolicy),
	"GetShardIterator":                       shaped((*API).getShardIterator),
	"IncreaseStreamRetentionPeriod":          shaped((*API).increaseRetention),
	"ListShards":                             shaped((*API).listShards),
	"ListStreamConsumers":                    shaped((*API).listStreamConsumers),
	"ListStreams":                            shaped((*API).listStreams),
	"ListTagsForResource":                    shaped((*API).listTagsForResource),
	"ListTagsForStream":                      shaped((*API).listTagsForStream),
	"MergeShards":                            shaped((*API).mergeShards),
	"PutRecord":                              (*API).putRecord,
	"PutRecords":                             (*API).putRecords,
	"PutResourcePolicy":                      shaped((*API).putResourcePolicy),
	"RegisterStreamConsumer":                 shaped((*API).registerStreamConsumer),
	"RemoveTagsFromStream":                   shaped((*API).removeTagsFromStream),
	"SplitShard":                             shaped((*API).splitShard),
	"StartStreamEncryption":                  shaped((*API).startStreamEncryption),
	"StopStreamEncryption":                   shaped((*API).stopStreamEncryption),
	"SubscribeToShard":                       (*API).subscribeToShard,
	"TagResource":                            shaped((*API).tagResource),
	"UntagResource":                          shaped((*API).untagResource),
	"UpdateAccountSettings":                  shaped((*API).updateAccountSettings),
	"UpdateMaxRecordSize":                    shaped((*API).updateMaxRecordSize),
	"UpdateShardCount":                       shaped((*API).updateShardCount),
	"UpdateStreamMode":                       shaped((*API).updateStreamMode),
	"UpdateStreamRecordDistributionStrategy": shaped((*API).updateRecordDistribution),
	"UpdateStreamWarmThroughput":             shaped((*API).updateStreamWarmThroughput),
}

// Supported says whether this version serves an operation of the model.
func Supported(operation string) bool { return operations[operation] != nil }

// Serve answers one call.
func (a *API) Serve(c *edge.Call) {
	run := operations[c.Operation]
	if c.Protocol != edge.JSON11 && c.Protocol != edge.CBOR11 {
		c.UnknownOperation()
		return
	}
	if run == nil {
		a.refuse(c)
		return
	}
	err := a.authorizeAccount(c)
	if err == nil {
		err = run(a, c)
	}
	if err != nil {
		a.note(c, err)
		e := apiError(c.Operation, err)
		c.Fail(e.HTTPStatus(), e.Code, e.Message)
	}
	a.record(c)
}

// note tells the operator of a failure that is ours, whose cause the customer does not learn.
func (a *API) note(c *edge.Call, err error) {
	if _, known := exceptions[fault.KindOf(err)]; known || c.Ctx.Err() != nil {
		return
	}
	if errors.As(err, new(*envelope.MasterError)) {
		return // the ring of master keys has said so, once
	}
	if _, sent := wire.AsAPIError(err); !sent {
		a.logger.Error("a request failed", "operation", c.Operation, "request", c.RequestID, "err", err)
	}
}

// refuse answers for an operation that is not served: one of the model by name, any other as AWS does.
func (a *API) refuse(c *edge.Call) {
	if shapes.Service.Operations[c.Operation] == nil {
		c.UnknownOperation()
		return
	}
	c.Fail(http.StatusBadRequest, "UnsupportedOperationException", "The operation "+c.Operation+" is not supported by this version of Weir.")
}

// shaped makes an operation of one that takes and gives generated shapes. Out is empty for operations that answer nothing.
func shaped[In, Out any](run func(*API, *edge.Call, *In) (*Out, error)) func(*API, *edge.Call) error {
	return func(a *API, c *edge.Call) error {
		in := new(In)
		if err := decode(c, in); err != nil {
			return err
		}
		c.Input = in
		if err := a.throttle(c, in); err != nil {
			return err
		}
		out, err := run(a, c, in)
		if err != nil {
			return err
		}
		shape := shapes.Service.Operations[c.Operation].Output
		if shape == nil {
			c.Reply(http.StatusOK, c.Protocol.ContentType(), nil)
			return nil
		}
		c.Reply(http.StatusOK, c.Protocol.ContentType(), codec(c).Encode(nil, shape, out))
		return nil
	}
}

// nothing is the output of operations that answer nothing.
type nothing = struct{}

func codec(c *edge.Call) wire.Codec {
	if c.Protocol == edge.CBOR11 {
		return cborproto.Codec
	}
	return jsonproto.Codec
}

// decode reads the body of c into in, the generated input of its operation, and holds it against the constraints of the model.
func decode(c *edge.Call, in any) error {
	shape := shapes.Service.Operations[c.Operation].Input
	if err := codec(c).Decode(shape, c.Body, in); err != nil {
		return err
	}
	return wire.Validate(shape, in)
}

// findStream is the stream that a request names, by name in the caller's account, or by ARN in any, in the caller's region. The caller may do there
// what the call asks for, or gets AccessDeniedException, also when there is no such stream.
func (a *API) findStream(c *edge.Call, name, streamARN []byte) (*catalog.Stream, error) {
	account, named := c.Account, string(name)
	if len(streamARN) > 0 {
		parsed, err := streamOf(c, string(streamARN))
		if err != nil {
			return nil, err
		}
		account, named = parsed.Account, parsed.Resource[len("stream/"):]
		if len(name) > 0 && named != string(name) {
			return nil, fault.New(fault.Invalid, "StreamName %s and StreamARN %s do not name the same stream.", name, streamARN)
		}
	} else if len(name) == 0 {
		return nil, fault.New(fault.Invalid, "Either StreamName or StreamARN must be provided.")
	}
	stream := a.control.State().Stream(account, c.Region, named)
	if stream == nil || len(streamARN) > 0 && stream.ARN != string(streamARN) {
		if err := a.authorize(c, c.Operation, noStream(account, c.Region, named)); err != nil {
			return nil, err
		}
		return nil, streams.NotFound(account, named)
	}
	return stream, a.authorizeStream(c, stream)
}

// streamOf reads the ARN of a stream, which must be one of the request's region.
func streamOf(c *edge.Call, text string) (arn.ARN, error) {
	parsed, err := arn.Parse(text)
	if err != nil {
		return parsed, fault.New(fault.Invalid, "%s is not a valid ARN.", text)
	}
	if _, err := parsed.StreamName(); err != nil {
		return parsed, fault.New(fault.Invalid, "%s is not the ARN of a stream.", text)
	}
	return parsed, sameRegion(c, parsed)
}

// sameRegion refuses an ARN of another region than the request is signed for.
func sameRegion(c *edge.Call, named arn.ARN) error {
	if named.Region != c.Region {
		return fault.New(fault.Invalid, "The ARN %s is of region %s, the request of region %s.", named, named.Region, c.Region)
	}
	return nil
}

// stream is findStream for generated inputs.
func (a *API) stream(c *edge.Call, name, streamARN, streamID *string) (*catalog.Stream, error) {
	if err := refuseStreamID(streamID); err != nil {
		return nil, err
	}
	return a.findStream(c, textBytes(name), textBytes(streamARN))
}

// inUse refuses for a stream that is being made or removed, in AWS's words: of such a stream some lists are not given.
func inUse(stream *catalog.Stream) error {
	if stream.Status == catalog.Creating || stream.Status == catalog.Deleting {
		return fault.New(fault.WrongState, "Stream %s under account %s not ACTIVE, instead in state %s", stream.Name, stream.Account, stream.Status)
	}
	return nil
}

// refuseStreamID refuses a member that the model has and AWS has not built ("Reserved for future use").
func refuseStreamID(id *string) error {
	if id != nil {
		return fault.New(fault.Unsupported, "StreamId is reserved for future use. Name the stream by StreamName or StreamARN.")
	}
	return nil
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func ptr[T any](v T) *T { return &v }

// textBytes is the bytes of an optional text: nil of an absent one, and not nil of an empty one.
func textBytes(text *string) []byte {
	if text == nil {
		return nil
	}
	return []byte(*text)
}
