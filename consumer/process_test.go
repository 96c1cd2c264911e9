package consumer_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/consumer"
	"github.com/weir-stream/weir/internal/record"
)

// scripted is a recorder some of whose methods do something else.
type scripted struct {
	*recorder
	initialize func(consumer.Start) error
	process    func(context.Context, consumer.Batch) error
	ended      func(context.Context, consumer.Checkpointer) error
}

func (s *scripted) Initialize(ctx context.Context, start consumer.Start) error {
	if s.initialize != nil {
		if err := s.initialize(start); err != nil {
			return err
		}
	}
	return s.recorder.Initialize(ctx, start)
}

func (s *scripted) ProcessRecords(ctx context.Context, batch consumer.Batch) error {
	if s.process == nil {
		return s.recorder.ProcessRecords(ctx, batch)
	}
	return s.process(ctx, batch)
}

func (s *scripted) ShardEnded(ctx context.Context, c consumer.Checkpointer) error {
	if s.ended == nil {
		return s.recorder.ShardEnded(ctx, c)
	}
	return s.ended(ctx, c)
}

// aggregate puts records as one, as a producer does. Its own key is not one of them.
func (w *world) aggregate(records ...record.UserRecord) {
	w.t.Helper()
	_, err := w.kinesis.PutRecord(w.ctx, &kinesis.PutRecordInput{StreamName: &w.name, PartitionKey: aws.String("a"), Data: record.Aggregate(records)})
	if err != nil {
		w.t.Fatal(err)
	}
}

func numbered(key string, from, to int) (records []record.UserRecord) {
	for i := from; i < to; i++ {
		records = append(records, record.UserRecord{PartitionKey: key, Data: []byte(strconv.Itoa(i))})
	}
	return records
}

// TestInsideAggregate shows a checkpoint in the middle of an aggregated record: the next worker begins behind it, at the next part.
func TestInsideAggregate(t *testing.T) {
	t.Parallel()
	w := begin(t, 1)
	w.failover = quick
	w.aggregate(numbered("k", 0, 10)...)
	w.aggregate(numbered("k", 10, 20)...)
	w.next["k"] = 20
	process := func(r *recorder) func(context.Context, consumer.Batch) error {
		return func(ctx context.Context, batch consumer.Batch) error {
			for i := range batch.Records {
				if one := batch.Records[i]; !one.Aggregated || one.SubSequenceNumber != int64(i%10) {
					w.say("part %d: %+v", i, one)
					return errors.New("not the part that is due")
				}
			}
			r.noteRecords(batch.Records[:14])
			if err := batch.Checkpoint.CheckpointAt(ctx, batch.Records[13].Position()); err != nil {
				return err
			}
			<-ctx.Done() // and then nothing more
			return ctx.Err()
		}
	}
	a := w.start(w.options("a", func(shard string) (consumer.Processor, error) {
		r := &recorder{w, "a", shard}
		return &scripted{recorder: r, process: process(r)}, nil
	}))
	w.eventually("fourteen are done", func() bool {
		return attribute(safeItem(w, "shardId-000000000000"), "checkpointSubSequenceNumber") == "3"
	})
	a.halt()
	w.start(w.options("b", w.record("b")))
	w.eventually("every record is seen", w.complete)
	if again := w.verify(); again > 0 {
		t.Errorf("%d records came again", again)
	}
}

// TestDeniedAggregate shows the rule of the KCL: an aggregate with a part that does not belong to the shard is dropped whole, and that is said. What only looks like an aggregate is a record.
func TestDeniedAggregate(t *testing.T) {
	t.Parallel()
	w := begin(t, 1)
	looksLike := append([]byte(nil), record.Aggregate(numbered("k", 0, 3))...)
	looksLike[len(looksLike)-1]++ // its digest is wrong
	w.reshard(2)
	lower := w.shardOf("0")
	put := func(data []byte) {
		if _, err := w.kinesis.PutRecord(w.ctx, &kinesis.PutRecordInput{StreamName: &w.name, PartitionKey: aws.String("p"), ExplicitHashKey: aws.String("0"), Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	last := record.MaxHashKey.String()
	put(record.Aggregate([]record.UserRecord{{PartitionKey: "x", ExplicitHashKey: "0", Data: []byte("in")}, {PartitionKey: "y", ExplicitHashKey: last, Data: []byte("out")}}))
	put(looksLike)
	put(record.Aggregate([]record.UserRecord{{PartitionKey: "x", ExplicitHashKey: "0", Data: []byte("last")}, {PartitionKey: "x", ExplicitHashKey: "1", Data: []byte("of all")}}))
	var mu sync.Mutex
	var got []consumer.Record
	var denied []consumer.Event
	options := w.options("a", func(shard string) (consumer.Processor, error) {
		r := &recorder{w, "a", shard}
		return &scripted{recorder: r, process: func(_ context.Context, batch consumer.Batch) error {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, batch.Records...)
			return nil
		}}, nil
	})
	events := options.Events
	options.Events = func(e consumer.Event) {
		events(e)
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == consumer.EventAggregateDenied {
			denied = append(denied, e)
		}
	}
	w.start(options)
	w.eventually("the last is seen", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got) > 0 && string(got[len(got)-1].Data) == "of all"
	})
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 3 || string(got[0].Data) != string(looksLike) || got[0].Aggregated || got[0].PartitionKey != "p" {
		t.Errorf("got %+v", got)
	}
	if last := got[len(got)-1]; last.ExplicitHashKey != "1" || last.PartitionKey != "x" || last.Arrived.IsZero() {
		t.Errorf("the last is %+v", last)
	}
	if len(denied) != 1 || denied[0].Shard != lower {
		t.Errorf("denied: %v", denied)
	}
}

// shardOf is the open shard of a hash key.
func (w *world) shardOf(hash string) string {
	w.t.Helper()
	out, err := w.kinesis.ListShards(w.ctx, &kinesis.ListShardsInput{StreamName: &w.name, ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAtLatest}})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, shard := range out.Shards {
		if *shard.HashKeyRange.StartingHashKey == hash {
			return *shard.ShardId
		}
	}
	w.t.Fatal("no shard begins at", hash)
	return ""
}

// TestTrouble shows that errors and panics of a program's code are told and tried again with the same records, and that a shard whose end is not checkpointed is not over.
func TestTrouble(t *testing.T) {
	t.Parallel()
	w := begin(t, 1)
	var mu sync.Mutex
	fail := map[string]int{"make": 2, "initialize": 2, "process": 3, "end": 3}
	trouble := func(what string) error {
		mu.Lock()
		defer mu.Unlock()
		if fail[what]--; fail[what] == 1 {
			panic(what)
		} else if fail[what] >= 0 {
			return errors.New(what)
		}
		return nil
	}
	var first []consumer.Record
	w.start(w.options("a", func(shard string) (consumer.Processor, error) {
		if err := trouble("make"); err != nil {
			return nil, err
		}
		r := &recorder{w, "a", shard}
		return &scripted{
			recorder:   r,
			initialize: func(consumer.Start) error { return trouble("initialize") },
			process: func(ctx context.Context, batch consumer.Batch) error {
				if first == nil {
					first = batch.Records
				} else if batch.Records[0].SequenceNumber < first[0].SequenceNumber {
					return errors.New("an earlier record came after the first")
				}
				if err := trouble("process"); err != nil {
					return err
				}
				return r.ProcessRecords(ctx, batch)
			},
			ended: func(ctx context.Context, c consumer.Checkpointer) error {
				if err := trouble("end"); err != nil {
					if err.Error() == "end" {
						return nil // and did not checkpoint, which is as bad
					}
				}
				return r.ShardEnded(ctx, c)
			},
		}, nil
	}))
	w.put(5, 5)
	w.eventually("every record is seen", w.complete)
	w.reshard(2)
	w.put(5, 5)
	w.eventually("every record is seen", w.complete)
	if again := w.verify(); again > 0 {
		t.Errorf("%d records came again", again)
	}
	mu.Lock()
	defer mu.Unlock()
	for what, left := range fail {
		if left > 0 {
			t.Errorf("%s: %d troubles did not happen", what, left)
		}
	}
}

// TestLeavingInTrouble shows that a processor that is stuck on a record can be shut down, and that its checkpoint then does not pass over the records that it failed on.
func TestLeavingInTrouble(t *testing.T) {
	t.Parallel()
	w := begin(t, 1)
	w.lazy = true
	stuck := make(chan struct{})
	var once sync.Once
	a := w.start(w.options("a", func(shard string) (consumer.Processor, error) {
		r := &recorder{w, "a", shard}
		return &scripted{recorder: r, process: func(ctx context.Context, batch consumer.Batch) error {
			if string(batch.Records[len(batch.Records)-1].Data) >= "4" {
				once.Do(func() { close(stuck) })
				return errors.New("not these")
			}
			return r.ProcessRecords(ctx, batch)
		}}, nil
	}))
	w.put(1, 4)
	w.eventually("four are seen", w.complete)
	w.put(1, 4)
	<-stuck
	a.leave()
	b := w.start(w.options("b", w.record("b")))
	w.eventually("every record is seen", w.complete)
	b.leave()
	if again := w.verify(); again > 0 {
		t.Errorf("%d records came again", again)
	}
}

// TestCheckpointAt shows which positions can be checkpointed, and that a failed call takes what it was given back.
func TestCheckpointAt(t *testing.T) {
	t.Parallel()
	w := begin(t, 1)
	w.put(1, 6)
	done := make(chan struct{})
	var once sync.Once
	w.start(w.options("a", func(shard string) (consumer.Processor, error) {
		r := &recorder{w, "a", shard}
		return &scripted{recorder: r, process: func(ctx context.Context, batch consumer.Batch) error {
			c, at := batch.Checkpoint, func(i int) consumer.Position { return batch.Records[i].Position() }
			once.Do(func() {
				defer close(done)
				if len(batch.Records) != 6 {
					t.Errorf("%d records in the first batch", len(batch.Records))
					return
				}
				if err := c.CheckpointAt(ctx, at(2)); err != nil {
					t.Error("at the third:", err)
				}
				behind := at(5)
				behind.SequenceNumber += "0"
				for _, wrong := range []consumer.Position{at(1), behind, {SequenceNumber: "LATEST"}, {SequenceNumber: "SHARD_END"}, {SequenceNumber: at(3).SequenceNumber, SubSequenceNumber: -1}, {}} {
					if err := c.CheckpointAt(ctx, wrong); !errors.Is(err, consumer.ErrPosition) {
						t.Errorf("at %s: %v", wrong, err)
					}
				}
				if err := c.Checkpoint(ctx); err != nil {
					t.Error("everything:", err)
				}
				if err := c.CheckpointAt(ctx, at(5)); err != nil {
					t.Error("at the same place again:", err)
				}
			})
			return r.ProcessRecords(ctx, batch)
		}}, nil
	}))
	<-done
	w.eventually("every record is seen", w.complete)
}

// frozen is a client of DynamoDB that can be stopped from answering, as a process that is paused cannot ask.
type frozen struct {
	*dynamodb.Client
	mu     sync.Mutex
	thawed chan struct{} // closed while requests pass
}

func (f *frozen) wait(ctx context.Context) error {
	f.mu.Lock()
	thawed := f.thawed
	f.mu.Unlock()
	select {
	case <-thawed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// UpdateItem waits while the worker is paused.
func (f *frozen) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, options ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	if err := f.wait(ctx); err != nil {
		return nil, err
	}
	return f.Client.UpdateItem(ctx, in, options...)
}

// TestPausedWorker shows a worker that is stopped for longer than its leases live: they move, and when it goes on its checkpoint is refused.
func TestPausedWorker(t *testing.T) {
	t.Parallel()
	w := begin(t, 1)
	w.failover = quick
	db := &frozen{Client: w.dynamo, thawed: make(chan struct{})}
	close(db.thawed)
	inside, resume := make(chan struct{}), make(chan struct{})
	refused := make(chan error, 1)
	options := w.options("a", func(shard string) (consumer.Processor, error) {
		r := &recorder{w, "a", shard}
		return &scripted{recorder: r, process: func(ctx context.Context, batch consumer.Batch) error {
			r.noteRecords(batch.Records)
			close(inside)
			<-resume
			err := batch.Checkpoint.Checkpoint(context.WithoutCancel(ctx))
			refused <- err
			return err
		}}, nil
	})
	options.DynamoDB = db
	a := w.start(options)
	w.put(1, 5)
	<-inside
	thaw := make(chan struct{})
	db.mu.Lock()
	db.thawed = thaw
	db.mu.Unlock()
	w.start(w.options("b", w.record("b")))
	w.eventually("b has the shard, and has read it", func() bool {
		return w.spread()["b"] == 1 && w.complete() && attribute(w.item("shardId-000000000000"), "checkpoint") != "TRIM_HORIZON"
	})
	before := attribute(w.item("shardId-000000000000"), "checkpoint")
	close(thaw)
	close(resume)
	select {
	case err := <-refused:
		if !errors.Is(err, consumer.ErrLeaseLost) {
			t.Errorf("the paused worker's checkpoint: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the paused worker did not go on")
	}
	w.eventually("a is told", func() bool {
		for _, l := range w.seen() {
			if l.kind == 'L' && l.worker == "a" {
				return true
			}
		}
		return false
	})
	if after := attribute(w.item("shardId-000000000000"), "checkpoint"); after != before {
		t.Errorf("the checkpoint was %s and is %s", before, after)
	}
	a.halt()
	w.verify()
}

// TestInitialPositions shows where shards without a lease begin.
func TestInitialPositions(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		position string
		first    string // number of the first record that is seen
	}{{consumer.TrimHorizon, "0"}, {consumer.Latest, "6"}, {consumer.AtTimestamp, "3"}} {
		for _, fanOut := range []bool{false, true} {
			t.Run(row.position+map[bool]string{true: " pushed"}[fanOut], func(t *testing.T) {
				t.Parallel()
				w := begin(t, 1)
				w.put(1, 3)
				put := time.Now()
				w.eventually("the clock moves on", func() bool { return time.Since(put) > 5*time.Millisecond })
				middle := time.Now()
				w.eventually("the clock moves on", func() bool { return time.Since(middle) > 5*time.Millisecond })
				w.put(1, 3)
				options := w.options("a", w.record("a"))
				options.InitialPosition, options.InitialTimestamp, options.FanOut = row.position, middle, fanOut
				w.start(options)
				w.eventually("the shard is held, and read up to its end", func() bool { return len(w.holders()) == 1 })
				want, err := strconv.Atoi(row.first)
				if err != nil {
					t.Fatal(err)
				}
				seen := func() (numbers []int) {
					for _, l := range w.seen() {
						if l.kind == 'R' {
							numbers = append(numbers, l.number)
						}
					}
					return numbers
				}
				// LATEST begins when the shard is first read, which nobody is told: what is put until something is seen may come or not.
				w.eventually("something is seen", func() bool { w.put(1, 1); return len(seen()) > 0 })
				if got := seen()[0]; row.position != consumer.Latest && got != want || got < want {
					t.Errorf("the first is %d, want %d", got, want)
				}
			})
		}
	}
}
