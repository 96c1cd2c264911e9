package dynamodb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// advance moves the test clock of the session's server.
func (s *session) advance(by string) {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"advance": by, "drain": true})
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.Post("http://"+s.node.ConsoleAddr()+"/_weir/clock", "application/json", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK {
		s.t.Fatalf("advance by %s: %s: %s", by, answer.Status, text)
	}
}

// streamOf is the ARN of a table's latest stream.
func (s *session) streamOf(table string) *string {
	s.t.Helper()
	return must(s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: &table}))(s).Table.LatestStreamArn
}

// iterator is one on the only shard of a stream.
func (s *session) iterator(stream *string, kind streamtypes.ShardIteratorType, sequence *string) *string {
	s.t.Helper()
	shards := must(s.streams.DescribeStream(s.ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: stream}))(s).StreamDescription.Shards
	return must(s.streams.GetShardIterator(s.ctx, &dynamodbstreams.GetShardIteratorInput{StreamArn: stream, ShardId: shards[0].ShardId, ShardIteratorType: kind, SequenceNumber: sequence}))(s).ShardIterator
}

// changes reads a stream from a place until it has nothing more.
func (s *session) changes(stream *string, kind streamtypes.ShardIteratorType) (all []streamtypes.Record) {
	s.t.Helper()
	for it := s.iterator(stream, kind, nil); it != nil; {
		got := must(s.streams.GetRecords(s.ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: it, Limit: aws.Int32(200)}))(s)
		if len(got.Records) == 0 {
			break
		}
		all, it = append(all, got.Records...), got.NextShardIterator
	}
	return all
}

func image(it map[string]streamtypes.AttributeValue) string {
	var parts []string
	for _, name := range []string{"k", "n"} {
		switch v := it[name].(type) {
		case *streamtypes.AttributeValueMemberS:
			parts = append(parts, v.Value)
		case *streamtypes.AttributeValueMemberN:
			parts = append(parts, v.Value)
		}
	}
	return strings.Join(parts, " ")
}

// TestTableStream switches a stream on and off, and reads it by every kind of iterator.
func TestTableStream(t *testing.T) {
	s := begin(t)
	s.table("changes", false, nil)
	s.put("changes", item{"k": str("before")})
	must(s.UpdateTable(s.ctx, &dynamodb.UpdateTableInput{TableName: aws.String("changes"), StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: "NEW_AND_OLD_IMAGES"}}))(s)
	s.active("changes")
	stream := s.streamOf("changes")
	latest := s.iterator(stream, "LATEST", nil)
	s.put("changes", item{"k": str("a"), "n": num("1")})
	s.put("changes", item{"k": str("a"), "n": num("1")}) // changes nothing
	must(s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: aws.String("changes"), Key: item{"k": str("a")}, UpdateExpression: aws.String("SET n = :n"), ExpressionAttributeValues: item{":n": num("2")}}))(s)
	must(s.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: aws.String("changes"), Key: item{"k": str("a")}}))(s)
	records := s.changes(stream, "TRIM_HORIZON")
	var got []string
	ids := map[string]bool{}
	for i, r := range records {
		got = append(got, fmt.Sprintf("%s %s (%s > %s)", r.EventName, image(r.Dynamodb.Keys), image(r.Dynamodb.OldImage), image(r.Dynamodb.NewImage)))
		ids[*r.EventID] = true
		if i > 0 && *r.Dynamodb.SequenceNumber <= *records[i-1].Dynamodb.SequenceNumber {
			t.Errorf("sequence numbers do not grow: %s, %s", *records[i-1].Dynamodb.SequenceNumber, *r.Dynamodb.SequenceNumber)
		}
		if *r.EventSource != "aws:dynamodb" || *r.EventVersion != "1.1" || *r.AwsRegion != region || r.Dynamodb.StreamViewType != "NEW_AND_OLD_IMAGES" || *r.Dynamodb.SizeBytes <= 0 || r.UserIdentity != nil {
			t.Errorf("a record is %+v %+v", r, r.Dynamodb)
		}
	}
	if want := "[INSERT a ( > a 1) MODIFY a (a 1 > a 2) REMOVE a (a 2 > )]"; fmt.Sprint(got) != want || len(ids) != 3 {
		t.Errorf("changes are %v, want %s; %d ids", got, want, len(ids))
	}
	if got := must(s.streams.GetRecords(s.ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: latest}))(s); len(got.Records) != 3 {
		t.Errorf("LATEST before the writes gives %d records", len(got.Records))
	}
	second := records[1].Dynamodb.SequenceNumber
	for kind, want := range map[streamtypes.ShardIteratorType]int{"AT_SEQUENCE_NUMBER": 2, "AFTER_SEQUENCE_NUMBER": 1} {
		got := must(s.streams.GetRecords(s.ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: s.iterator(stream, kind, second)}))(s)
		if len(got.Records) != want {
			t.Errorf("%s gives %d records, want %d", kind, len(got.Records), want)
		}
	}
	must(s.UpdateTable(s.ctx, &dynamodb.UpdateTableInput{TableName: aws.String("changes"), StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(false)}}))(s)
	s.active("changes")
	d := must(s.streams.DescribeStream(s.ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: stream}))(s).StreamDescription
	if d.StreamStatus != "DISABLED" || d.Shards[0].SequenceNumberRange.EndingSequenceNumber == nil || *d.TableName != "changes" || len(d.KeySchema) != 1 {
		t.Errorf("a stream that is switched off is %+v", d)
	}
	if n := len(s.changes(stream, "TRIM_HORIZON")); n != 3 {
		t.Errorf("it has %d records", n)
	}
	if it := must(s.streams.GetRecords(s.ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: s.iterator(stream, "LATEST", nil)}))(s).NextShardIterator; it != nil {
		t.Error("a closed shard goes on")
	}
	must(s.UpdateTable(s.ctx, &dynamodb.UpdateTableInput{TableName: aws.String("changes"), StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: "KEYS_ONLY"}}))(s)
	s.active("changes")
	list := must(s.streams.ListStreams(s.ctx, &dynamodbstreams.ListStreamsInput{TableName: aws.String("changes")}))(s).Streams
	if len(list) != 2 || *list[0].StreamArn != *stream || *list[1].StreamArn != *s.streamOf("changes") {
		t.Errorf("streams are %v", list)
	}
}

// TestTableStreamErrors holds the texts, and lets changes and iterators grow old.
func TestTableStreamErrors(t *testing.T) {
	n, err := start(t.TempDir(), "2026-03-01T12:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(n); err != nil {
			t.Error(err)
		}
	})
	s := connect(t, n, "000000000000")
	s.table("old", false, func(in *dynamodb.CreateTableInput) {
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: "KEYS_ONLY"}
	})
	stream := s.streamOf("old")
	s.put("old", item{"k": str("a")})
	first := s.changes(stream, "TRIM_HORIZON")[0].Dynamodb.SequenceNumber
	it := s.iterator(stream, "TRIM_HORIZON", nil)
	s.advance("16m")
	if _, err := s.streams.GetRecords(s.ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: it}); err == nil || !strings.Contains(err.Error(), "ExpiredIteratorException") {
		t.Errorf("an old iterator: %v", err)
	}
	s.advance("24h")
	s.put("old", item{"k": str("b")})
	if got := s.changes(stream, "TRIM_HORIZON"); len(got) != 1 {
		t.Errorf("a day later there are %d changes", len(got))
	}
	shard := must(s.streams.DescribeStream(s.ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: stream}))(s).StreamDescription.Shards[0].ShardId
	for _, row := range []struct{ operation, body, want string }{
		{"DescribeStream", `{"StreamArn":"arn:aws:dynamodb:us-east-1:000000000000:table/old/stream/2020-01-01T00:00:00.000"}`,
			`400 {"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource not found: Stream: arn:aws:dynamodb:us-east-1:000000000000:table/old/stream/2020-01-01T00:00:00.000 not found"}`},
		{"GetShardIterator", `{"StreamArn":"` + *stream + `","ShardId":"` + *shard + `","ShardIteratorType":"AT_SEQUENCE_NUMBER","SequenceNumber":"` + *first + `"}`,
			`400 {"__type":"com.amazonaws.dynamodb.v20120810#TrimmedDataAccessException","message":"The operation attempted to read past the oldest stream record in a shard."}`},
		{"GetRecords", `{"ShardIterator":"` + *stream + `|1|AAAA"}`, `400 {"__type":"com.amazon.coral.validate#ValidationException","message":"Invalid ShardIterator"}`},
	} {
		status, got := s.raw("DynamoDBStreams_20120810."+row.operation, row.body)
		if text := fmt.Sprint(status, " ", got); text != row.want {
			t.Errorf("%s:\n got %s\nwant %s", row.operation, text, row.want)
		}
	}
}
