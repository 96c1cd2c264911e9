package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
)

// Record is one record to send.
type Record struct {
	Key  string // empty in a delivery stream
	Data []byte
}

// Sink is where the records of a flow go.
type Sink interface {
	// Put sends records in one request. causes[i] is nil when record i was taken, and says why not otherwise. An error is of the request as a whole: then what was
	// taken of it is unknown.
	Put(ctx context.Context, records []Record) (causes []error, err error)
}

// StreamAPI is what is used of the SDK's client of Kinesis.
type StreamAPI interface {
	PutRecords(context.Context, *kinesis.PutRecordsInput, ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
}

// StreamSink sends to a stream, by PutRecords.
type StreamSink struct {
	API    StreamAPI
	Stream string
}

// Put sends up to 500 records and 5 MiB.
func (s StreamSink) Put(ctx context.Context, records []Record) ([]error, error) {
	entries := make([]types.PutRecordsRequestEntry, len(records))
	for i, r := range records {
		entries[i] = types.PutRecordsRequestEntry{Data: r.Data, PartitionKey: aws.String(r.Key)}
	}
	out, err := s.API.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: aws.String(s.Stream), Records: entries})
	if err != nil {
		return nil, err
	}
	if len(out.Records) != len(records) {
		return nil, fmt.Errorf("%d records were sent and %d answered", len(records), len(out.Records))
	}
	causes := make([]error, len(records))
	for i, answer := range out.Records {
		if answer.ErrorCode != nil {
			causes[i] = &smithy.GenericAPIError{Code: *answer.ErrorCode, Message: aws.ToString(answer.ErrorMessage)}
		}
	}
	return causes, nil
}

// DeliveryAPI is what is used of the SDK's client of Firehose.
type DeliveryAPI interface {
	PutRecordBatch(context.Context, *firehose.PutRecordBatchInput, ...func(*firehose.Options)) (*firehose.PutRecordBatchOutput, error)
}

// DeliverySink sends to a delivery stream, by PutRecordBatch.
type DeliverySink struct {
	API    DeliveryAPI
	Stream string
}

// Put sends up to 500 records and 4 MiB.
func (s DeliverySink) Put(ctx context.Context, records []Record) ([]error, error) {
	entries := make([]firehosetypes.Record, len(records))
	for i, r := range records {
		entries[i] = firehosetypes.Record{Data: r.Data}
	}
	out, err := s.API.PutRecordBatch(ctx, &firehose.PutRecordBatchInput{DeliveryStreamName: aws.String(s.Stream), Records: entries})
	if err != nil {
		return nil, err
	}
	if len(out.RequestResponses) != len(records) {
		return nil, fmt.Errorf("%d records were sent and %d answered", len(records), len(out.RequestResponses))
	}
	causes := make([]error, len(records))
	for i, answer := range out.RequestResponses {
		if answer.ErrorCode != nil {
			causes[i] = &smithy.GenericAPIError{Code: *answer.ErrorCode, Message: aws.ToString(answer.ErrorMessage)}
		}
	}
	return causes, nil
}

// aboutRecords says whether a request was refused for what is in it, so that it would be refused again. Everything else may pass: a service that is down or
// busy, a stream that is not there yet, keys that are not valid any more, and so it is tried again for as long as it takes, as the Kinesis Agent does.
func aboutRecords(err error) bool {
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "ValidationException", "InvalidArgumentException", "SerializationException", "RequestEntityTooLarge", "RequestEntityTooLargeException":
			return true
		}
	}
	var response *awshttp.ResponseError
	return errors.As(err, &response) && response.Response != nil && response.HTTPStatusCode() == http.StatusRequestEntityTooLarge
}

// reason is an error as an operator reads it. A service's refusal is its name and its words, without the number of the request, so that the same refusal is known
// to be the same.
func reason(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return err.Error()
}
