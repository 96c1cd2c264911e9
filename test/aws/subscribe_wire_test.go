package aws

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	oracle "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// frame is a frame of an event stream as the SDK's decoder reads it.
type frame struct {
	kind, name, contentType string
	payload                 []byte
}

// frames opens a subscription by hand and gives its frames one by one; io.EOF at the end.
func (s *session) frames(contentType string, body []byte) (next func() (frame, error)) {
	s.t.Helper()
	request := s.request(contentType, "SubscribeToShard", string(body))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "application/vnd.amazon.eventstream" || answer.Header.Get("X-Amzn-Requestid") == "" {
		text, _ := io.ReadAll(answer.Body)
		s.t.Fatalf("%s %v %s", answer.Status, answer.Header, text)
	}
	decoder := oracle.NewDecoder()
	return func() (frame, error) {
		message, err := decoder.Decode(answer.Body, nil)
		if err != nil {
			return frame{}, err
		}
		get := func(name string) string {
			if value := message.Headers.Get(name); value != nil {
				return value.String()
			}
			return ""
		}
		return frame{get(":message-type"), get(":event-type") + get(":exception-type"), get(":content-type"), bytes.Clone(message.Payload)}, nil
	}
}

// frame is the next frame, which must be of a kind.
func (s *session) frame(next func() (frame, error), kind, name, contentType string) []byte {
	s.t.Helper()
	got, err := next()
	if err != nil || got.kind != kind || got.name != name || got.contentType != contentType {
		s.t.Fatalf("%+v, %v, want %s %s", got, err, kind, name)
	}
	return got.payload
}

// TestEventFrames: what stands in the frames for a JSON client, byte by byte, and that members which say nothing are left out.
func TestEventFrames(t *testing.T) {
	s := shared.plain(t)
	s.create("framed", 1)
	consumer := s.register("framed", "c")
	number := *s.put("framed", "key", "data").SequenceNumber
	next := s.frames("application/x-amz-json-1.1", []byte(`{"ConsumerARN":"`+consumer+`","ShardId":"0","StartingPosition":{"Type":"TRIM_HORIZON"}}`))
	if payload := s.frame(next, "event", "initial-response", "application/json"); string(payload) != "{}" {
		t.Errorf("the initial response is %s", payload)
	}
	var event map[string]json.RawMessage
	if err := json.Unmarshal(s.frame(next, "event", "SubscribeToShardEvent", "application/json"), &event); err != nil {
		t.Fatal(err)
	}
	if len(event) != 3 || string(event["MillisBehindLatest"]) != "0" || !strings.HasPrefix(string(event["Records"]), `[{"SequenceNumber":"`+number+`","ApproximateArrivalTimestamp":`) ||
		!strings.HasSuffix(string(event["Records"]), `,"Data":"ZGF0YQ==","PartitionKey":"key"}]`) || event["ContinuationSequenceNumber"] == nil {
		t.Errorf("the event is %s", event)
	}
	must(s.DeregisterStreamConsumer(s.ctx, &kinesis.DeregisterStreamConsumerInput{ConsumerARN: &consumer}))(s)
	payload := s.frame(next, "exception", "ResourceNotFoundException", "application/json")
	if want := `{"message":"Consumer c of stream framed under account ` + s.account + ` not found."}`; string(payload) != want {
		t.Errorf("the exception is %s, want %s", payload, want)
	}
	if got, err := next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the exception: %+v, %v", got, err)
	}
}

// TestEventFramesCBOR: a client that asks in CBOR, as the Java SDK does, gets CBOR in its frames.
func TestEventFramesCBOR(t *testing.T) {
	s := shared.plain(t)
	s.create("framed", 1)
	consumer := s.register("framed", "c")
	number := *s.put("framed", "key", "data").SequenceNumber
	next := s.frames("application/x-amz-cbor-1.1", encode([]pair{{"ConsumerARN", consumer}, {"ShardId", shard0}, {"StartingPosition", []pair{{"Type", "TRIM_HORIZON"}}}}))
	const cbor = "application/x-amz-cbor-1.1"
	if payload := s.frame(next, "event", "initial-response", cbor); string(payload) != "\xa0" {
		t.Errorf("the initial response is %x", payload)
	}
	value, rest := decode(t, s.frame(next, "event", "SubscribeToShardEvent", cbor))
	event, _ := value.(map[string]any)
	records, _ := event["Records"].([]any)
	if len(rest) > 0 || len(event) != 3 || len(records) != 1 {
		t.Fatalf("the event is %v", value)
	}
	record := records[0].(map[string]any)
	if record["SequenceNumber"] != number || record["PartitionKey"] != "key" || string(record["Data"].([]byte)) != "data" || record["ApproximateArrivalTimestamp"].(tagged).tag != 1 {
		t.Errorf("the record is %v", record)
	}
	if continuation, _ := event["ContinuationSequenceNumber"].(string); continuation <= number {
		t.Errorf("the continuation is %q, of the record %s", continuation, number)
	}
	must(s.DeregisterStreamConsumer(s.ctx, &kinesis.DeregisterStreamConsumerInput{StreamARN: aws.String(s.arn("framed")), ConsumerName: aws.String("c")}))(s)
	value, _ = decode(t, s.frame(next, "exception", "ResourceNotFoundException", cbor))
	if exception, _ := value.(map[string]any); len(exception) != 1 || !strings.Contains(exception["message"].(string), "not found") {
		t.Errorf("the exception is %v", value)
	}
}
