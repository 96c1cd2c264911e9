package put

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// stream is a fake of one shard that refuses what a test tells it to.
type stream struct {
	taken  []string
	calls  []int                           // records in each request
	refuse func(call int, key string) bool // per record
	fail   func(call int) error            // per request
}

func (s *stream) PutRecords(_ context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	call := len(s.calls)
	s.calls = append(s.calls, len(in.Records))
	if s.fail != nil {
		if err := s.fail(call); err != nil {
			return nil, err
		}
	}
	out := &kinesis.PutRecordsOutput{}
	for _, r := range in.Records {
		if s.refuse != nil && s.refuse(call, *r.PartitionKey) {
			out.Records = append(out.Records, types.PutRecordsResultEntry{ErrorCode: aws.String("ProvisionedThroughputExceededException"), ErrorMessage: aws.String("slow down")})
			continue
		}
		s.taken = append(s.taken, *r.PartitionKey+string(r.Data))
		out.Records = append(out.Records, types.PutRecordsResultEntry{ShardId: aws.String("shardId-000000000000"), SequenceNumber: aws.String(fmt.Sprint(len(s.taken)))})
	}
	return out, nil
}

func noSleep(context.Context, time.Duration) error { return nil }

func numbered(n, size int) []Record {
	all := make([]Record, n)
	for i := range all {
		all[i] = Record{Key: string(rune('a' + i%3)), Data: []byte(strings.Repeat("0", max(0, size-3)) + fmt.Sprintf("%03d", i))}
	}
	return all
}

// Shows that requests hold at most 500 records and 5 MiB, and that a larger record goes alone.
func TestBatches(t *testing.T) {
	for _, row := range []struct {
		records []Record
		want    string
	}{
		{numbered(1, 10), "[1]"},
		{numbered(500, 10), "[500]"},
		{numbered(501, 10), "[500 1]"},
		{numbered(12, 1<<20), "[4 4 4]"},
		{append(numbered(1, 6<<20), numbered(2, 1)...), "[1 2]"},
		{nil, "[]"},
	} {
		s := &stream{}
		acks, err := New(s, "x", Options{Sleep: noSleep}).Send(context.Background(), row.records)
		if err != nil || len(acks) != len(row.records) {
			t.Fatalf("%d acks, error %v", len(acks), err)
		}
		if got := fmt.Sprint(s.calls); got != row.want {
			t.Errorf("%d records: requests %s, want %s", len(row.records), got, row.want)
		}
	}
}

// Shows that refused records are sent again before any newer one, in their order, and that every ack is the record's own.
func TestRefusedKeepTheirOrder(t *testing.T) {
	s := &stream{refuse: func(call int, key string) bool { return call < 3 && key == "b" }}
	retried := 0
	acks, err := New(s, "x", Options{Sleep: noSleep, BatchRecords: 10, Retried: func(int, error) { retried++ }}).Send(context.Background(), numbered(25, 3))
	if err != nil {
		t.Fatal(err)
	}
	last := map[byte]string{}
	for _, r := range s.taken {
		if r <= last[r[0]] {
			t.Errorf("%s came after %s", r, last[r[0]])
		}
		last[r[0]] = r
	}
	if len(s.taken) != 25 || retried != 3 {
		t.Errorf("%d taken, %d retries", len(s.taken), retried)
	}
	for i, ack := range acks {
		var at int
		fmt.Sscan(ack.Sequence, &at)
		if want := fmt.Sprintf("%03d", i); !strings.HasSuffix(s.taken[at-1], want) {
			t.Errorf("ack %d is of %s", i, s.taken[at-1])
		}
	}
}

// Shows which errors of a request are tried again and which end the sending.
func TestErrors(t *testing.T) {
	for _, row := range []struct {
		err   error
		again bool
	}{
		{&types.ProvisionedThroughputExceededException{}, true},
		{&types.ResourceNotFoundException{}, false},
		{&types.InvalidArgumentException{}, false},
		{errors.New("connection refused"), true},
	} {
		s := &stream{fail: func(call int) error {
			if call == 0 {
				return row.err
			}
			return nil
		}}
		_, err := New(s, "x", Options{Sleep: noSleep}).Send(context.Background(), numbered(3, 3))
		if again := err == nil && len(s.taken) == 3; again != row.again {
			t.Errorf("%v: tried again %v, want %v (error %v)", row.err, again, row.again, err)
		}
	}
}

// Shows that patience ends, with the reason, when nothing is ever taken, and that it is new after each success.
func TestPatience(t *testing.T) {
	never := &stream{fail: func(int) error { return errors.New("connection refused") }}
	_, err := New(never, "x", Options{Sleep: noSleep, Patience: time.Second}).Send(context.Background(), numbered(1, 1))
	if err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("error %v", err)
	}
	calls := 0
	slow := &stream{refuse: func(int, string) bool { calls++; return calls%10 != 0 }}
	if _, err := New(slow, "x", Options{Sleep: noSleep, Patience: 20 * time.Second}).Send(context.Background(), numbered(50, 2)); err != nil {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := New(never, "x", Options{}).Send(ctx, numbered(1, 1)); err == nil {
		t.Error("a cancelled context was ignored")
	}
}
