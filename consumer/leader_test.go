package consumer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/consumer"
	"github.com/weir-stream/weir/internal/clock"
)

// TestLeadersLock shows the lock as three workers with clocks of their own see it: one has it while its heartbeats come, by its own clock and by the others'; released,
// it is free at once; and whoever stood still finds that it has lost it.
func TestLeadersLock(t *testing.T) {
	t.Parallel()
	w := begin(t, 1)
	key := "leaseKey"
	if _, err := w.dynamo.CreateTable(w.ctx, &dynamodb.CreateTableInput{
		TableName: &w.name, BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: &key, KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &key, AttributeType: types.ScalarAttributeTypeS}},
	}); err != nil {
		t.Fatal(err)
	}
	w.eventually("the table can be read", func() bool {
		_, err := w.dynamo.Scan(w.ctx, &dynamodb.ScanInput{TableName: &w.name})
		return err == nil
	})
	begun := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clocks := map[string]*clock.Manual{"a": clock.NewManual(begun), "b": clock.NewManual(begun.Add(-time.Hour)), "c": clock.NewManual(begun.Add(time.Hour))}
	locks := map[string]*consumer.Lock{}
	for name, c := range clocks {
		locks[name] = consumer.NewLock(w.dynamo, w.name, name, c, 10*time.Second)
	}
	for i, step := range []struct {
		who     string
		forward time.Duration // of its own clock, before it asks
		want    bool
	}{
		{"a", 0, true}, {"b", 0, false}, {"c", 0, false},
		{"a", 9 * time.Second, true},   // its heartbeat is in time
		{"b", 9 * time.Second, false},  // and so b begins to count anew
		{"b", 9 * time.Second, false},  //
		{"c", 11 * time.Second, false}, // the number that c sees is not the one that it saw first
		{"b", 2 * time.Second, true},   // eleven seconds without a heartbeat, as b sees it
		{"c", 9 * time.Second, false},  //
		{"a", 2 * time.Second, false},  // a's heartbeat is refused
		{"b", time.Second, true},       //
	} {
		clocks[step.who].Advance(step.forward)
		got, err := locks[step.who].Keep(w.ctx)
		if err != nil || got != step.want {
			t.Fatalf("step %d: %s has it: %v, %v; want %v", i, step.who, got, err, step.want)
		}
	}
	clocks["b"].Advance(10 * time.Second)
	if locks["b"].Held() {
		t.Error("b holds on to it when its own clock says that it is over")
	}
	if ok, err := locks["b"].Keep(w.ctx); !ok || err != nil {
		t.Error("b's late heartbeat is as good as any while nobody else has come:", ok, err)
	}
	if err := locks["b"].Release(w.ctx); err != nil {
		t.Fatal(err)
	}
	if ok, err := locks["c"].Keep(w.ctx); !ok || err != nil {
		t.Error("c does not get what was released:", ok, err)
	}
	if ok, err := locks["b"].Keep(w.ctx); ok || err != nil {
		t.Error("two have it:", ok, err)
	}

	// An answer that is lost leaves nobody without a leader: whoever took the lock, or kept it, finds that it did.
	deaf := &deafDynamo{Client: w.dynamo}
	c := clock.NewManual(begun)
	d := consumer.NewLock(deaf, w.name, "d", c, 10*time.Second)
	if err := locks["c"].Release(w.ctx); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"taking", "keeping"} {
		deaf.deaf = true
		if _, err := d.Keep(w.ctx); err == nil {
			t.Fatal(what, "was heard of")
		}
		deaf.deaf = false
		if ok, err := d.Keep(w.ctx); !ok || err != nil {
			t.Errorf("after %s unheard: %v, %v", what, ok, err)
		}
	}
}

// deafDynamo carries writes out and does not hear so.
type deafDynamo struct {
	*dynamodb.Client
	deaf bool
}

// PutItem may go unheard.
func (d *deafDynamo) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	out, err := d.Client.PutItem(ctx, in, o...)
	if d.deaf && err == nil {
		return nil, errLost
	}
	return out, err
}

// UpdateItem may go unheard.
func (d *deafDynamo) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	out, err := d.Client.UpdateItem(ctx, in, o...)
	if d.deaf && err == nil {
		return nil, errLost
	}
	return out, err
}

// TestSlowHandoff shows that a processor that does not finish loses its shard to the next worker when its time is over, and a Shutdown whose time is over stops everything.
func TestSlowHandoff(t *testing.T) {
	t.Parallel()
	w := begin(t, 2)
	w.failover = quick
	options := w.options("a", func(shard string) (consumer.Processor, error) {
		r := &recorder{w, "a", shard}
		return &scripted{recorder: r, process: func(ctx context.Context, batch consumer.Batch) error {
			r.noteRecords(batch.Records)
			<-ctx.Done()
			return ctx.Err()
		}}, nil
	})
	options.GracefulHandoff = 300 * time.Millisecond
	a := w.start(options)
	w.put(20, 2)
	w.eventually("a is stuck in both shards", func() bool {
		shards := map[string]bool{}
		for _, l := range w.seen() {
			if l.kind == 'R' {
				shards[l.shard] = true
			}
		}
		return len(shards) == 2
	})
	b := w.start(w.options("b", w.record("b")))
	w.eventually("b has one of them", func() bool { return w.spread()["b"] == 1 })
	short, cancel := context.WithTimeout(w.ctx, 50*time.Millisecond)
	defer cancel()
	if err := a.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v", err)
	}
	w.eventually("b has all", func() bool { return w.spread()["b"] == 2 && w.complete() })
	w.verify()
	b.leave()
}

// TestMissingLease shows that the leader makes a lease anew that somebody has deleted, and that its owner, which had lost it, does not go on.
func TestMissingLease(t *testing.T) {
	t.Parallel()
	w := begin(t, 2)
	w.start(w.options("a", w.record("a")))
	w.put(20, 2)
	w.eventually("every record is seen, and checkpointed", func() bool {
		return w.complete() && attribute(w.item("shardId-000000000001"), "checkpoint") != "TRIM_HORIZON"
	})
	if _, err := w.dynamo.DeleteItem(w.ctx, &dynamodb.DeleteItemInput{TableName: &w.name, Key: map[string]types.AttributeValue{"leaseKey": &types.AttributeValueMemberS{Value: "shardId-000000000001"}}}); err != nil {
		t.Fatal(err)
	}
	w.eventually("it is lost, made anew and taken", func() bool {
		var told []byte
		for _, l := range w.seen() {
			if l.shard == "shardId-000000000001" && l.kind != 'R' {
				told = append(told, l.kind)
			}
		}
		return string(told) == "ILI"
	})
	w.put(20, 2)
	w.eventually("every record is seen", w.complete)
	w.verify()
}

// TestDeletedStream shows that the end of the stream is the end of its shards: processors are told, and no lease is left.
func TestDeletedStream(t *testing.T) {
	t.Parallel()
	w := begin(t, 2)
	a := w.start(w.options("a", w.record("a")))
	w.put(20, 2)
	w.eventually("every record is seen", w.complete)
	if _, err := w.kinesis.DeleteStream(w.ctx, &kinesis.DeleteStreamInput{StreamName: &w.name, EnforceConsumerDeletion: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	w.eventually("both shards have ended, and their leases are gone", func() bool {
		ended := 0
		for _, l := range w.seen() {
			if l.kind == 'E' {
				ended++
			}
		}
		return ended == 2 && len(w.leases()) == 0
	})
	a.leave()
}
