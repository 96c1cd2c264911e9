package lambda

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/weir-stream/weir/internal/node"
)

// Changes of a table reach a function as DynamoDB's events, filtered; a batch that cannot be done is told of in a bucket, with the event itself.
func TestMappingOfTable(t *testing.T) {
	server := startFor(t, node.Config{Dev: true, TestClock: "2026-11-18T13:00:00Z"})
	s := server.session(t)
	var mu sync.Mutex
	var events []string
	remote := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		events = append(events, string(body))
		if strings.Contains(string(body), `"REMOVE"`) {
			_, _ = io.WriteString(w, `{"batchItemFailures":[{"itemIdentifier":""}]}`)
		}
	}))
	t.Cleanup(remote.Close)
	s.create("f", "any", func(in *sdk.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"WEIR_FUNCTION_URL": remote.URL}}
	})
	o := s.Options()
	tables := dynamodb.New(dynamodb.Options{Region: o.Region, BaseEndpoint: o.BaseEndpoint, HTTPClient: o.HTTPClient, Credentials: o.Credentials, Retryer: o.Retryer})
	created, err := tables.CreateTable(s.ctx, &dynamodb.CreateTableInput{
		TableName: aws.String("tolls"), BillingMode: dynamotypes.BillingModePayPerRequest, KeySchema: []dynamotypes.KeySchemaElement{{AttributeName: aws.String("k"), KeyType: dynamotypes.KeyTypeHash}},
		AttributeDefinitions: []dynamotypes.AttributeDefinition{{AttributeName: aws.String("k"), AttributeType: dynamotypes.ScalarAttributeTypeS}},
		StreamSpecification:  &dynamotypes.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: dynamotypes.StreamViewTypeNewAndOldImages},
	})
	s.must(err)
	eventually(t, "the table to be ACTIVE", func() bool {
		out, err := tables.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: aws.String("tolls")})
		s.must(err)
		return out.Table.TableStatus == dynamotypes.TableStatusActive
	})
	buckets := s3.New(s3.Options{Region: o.Region, BaseEndpoint: o.BaseEndpoint, HTTPClient: o.HTTPClient, Credentials: o.Credentials, Retryer: o.Retryer, UsePathStyle: true})
	_, err = buckets.CreateBucket(s.ctx, &s3.CreateBucketInput{Bucket: aws.String("failed")})
	s.must(err)
	stream := created.TableDescription.LatestStreamArn
	mapped, err := s.CreateEventSourceMapping(s.ctx, &sdk.CreateEventSourceMappingInput{
		FunctionName: aws.String("f"), EventSourceArn: stream, StartingPosition: types.EventSourcePositionLatest, MaximumRetryAttempts: aws.Int32(0),
		FunctionResponseTypes: []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures},
		DestinationConfig:     &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String("arn:aws:s3:::failed")}},
		FilterCriteria:        &types.FilterCriteria{Filters: []types.Filter{{Pattern: aws.String(`{"eventName":["REMOVE"]}`)}, {Pattern: aws.String(`{"dynamodb":{"NewImage":{"n":{"N":["2"]}}}}`)}}},
	})
	s.must(err)
	s.inState(*mapped.UUID, "Enabled")
	for _, n := range []string{"1", "2"} {
		_, err := tables.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: aws.String("tolls"), Item: map[string]dynamotypes.AttributeValue{
			"k": &dynamotypes.AttributeValueMemberS{Value: "a"}, "n": &dynamotypes.AttributeValueMemberN{Value: n},
		}})
		s.must(err)
		s.advance("0s")
	}
	_, err = tables.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: aws.String("tolls"), Key: map[string]dynamotypes.AttributeValue{"k": &dynamotypes.AttributeValueMemberS{Value: "a"}}})
	s.must(err)
	s.advance("1s")
	mu.Lock()
	defer mu.Unlock()
	if len(events) != 2 {
		t.Fatalf("events %q", events)
	}
	var event struct {
		Records []struct {
			EventName, EventSource, EventSourceARN, AwsRegion string

			Dynamodb struct {
				NewImage, OldImage             map[string]map[string]string
				SequenceNumber, StreamViewType string
			}
		}
	}
	s.must(json.Unmarshal([]byte(events[0]), &event))
	r := event.Records[0]
	if r.EventName != "MODIFY" || r.EventSource != "aws:dynamodb" || r.EventSourceARN != *stream || r.Dynamodb.NewImage["n"]["N"] != "2" || r.Dynamodb.OldImage["n"]["N"] != "1" || r.Dynamodb.SequenceNumber == "" {
		t.Errorf("%+v", r)
	}
	list, err := buckets.ListObjectsV2(s.ctx, &s3.ListObjectsV2Input{Bucket: aws.String("failed"), Prefix: aws.String("aws/lambda/" + *mapped.UUID + "/shardId-")})
	s.must(err)
	if len(list.Contents) != 1 {
		t.Fatalf("%d documents", len(list.Contents))
	}
	object, err := buckets.GetObject(s.ctx, &s3.GetObjectInput{Bucket: aws.String("failed"), Key: list.Contents[0].Key})
	s.must(err)
	defer object.Body.Close()
	var document struct {
		RequestContext struct{ Condition string }
		DDBStreamBatchInfo,
		ResponseContext map[string]any
		Payload string
	}
	s.must(json.NewDecoder(object.Body).Decode(&document))
	if document.RequestContext.Condition != "RetryAttemptsExhausted" || document.DDBStreamBatchInfo["streamArn"] != *stream || document.Payload != events[1] || document.ResponseContext["functionError"] != nil {
		t.Errorf("%+v", document)
	}
}
