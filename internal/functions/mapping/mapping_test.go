package mapping

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/readers"
)

// Filters judge each record by itself; what they drop is passed by and never comes again. Data that is no JSON does not match what asks about data.
func TestFilters(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	patterns := func(texts ...string) func(*Config) { return func(c *Config) { c.Filters = texts } }
	w.mapTo("f", patterns(`{"data":{"n":[{"numeric":[">",2]}]}}`, `{"data":{"kind":["late"]}}`))
	w.mapTo("g", patterns(`{"kinesis":{"partitionKey":["k"]}}`))
	w.put("s", `{"n":1}`, `{"n":3}`, `text`, `{"kind":"late"}`, `{"n":4.5}`, `{"n":"5"}`)
	w.want("f", `{"n":3} {"kind":"late"} {"n":4.5}`)
	w.want("g", `{"n":1} {"n":3} text {"kind":"late"} {"n":4.5} {"n":"5"}`)
	w.crash()
	w.open()
	w.put("s", `{"n":9}`)
	w.want("f", `{"n":3} {"kind":"late"} {"n":4.5}`, `{"n":9}`)
	for _, c := range w.engine.Catalog().All() {
		at, _ := w.checkpoints.Get(c.consumer(), fmt.Sprintf("%d/shardId-000000000000", w.stream("s").Group))
		if at.Position != 7 {
			t.Errorf("checkpoint %+v", at)
		}
	}
}

// What a mapping may not say is refused by name.
func TestRefusals(t *testing.T) {
	w := setUp(t)
	for what, change := range map[string]func(*Config){
		"batchSize": func(c *Config) { c.BatchSize = 10_001 }, "greater than or equal to 1": func(c *Config) { c.BatchSize = 0 }, "maximumBatchingWindow": func(c *Config) { c.WindowSeconds = 301 },
		"parallelizationFactor": func(c *Config) { c.Parallelization = 11 }, "maximumRetryAttempts": func(c *Config) { c.Retries = 10_001 }, "MaximumRecordAge": func(c *Config) { c.AgeSeconds = 59 },
		"less than or equal to 604800": func(c *Config) { c.AgeSeconds = 604_801 }, "tumblingWindow": func(c *Config) { c.TumblingSeconds = 901 },
		"Invalid filter pattern definition.": func(c *Config) { c.Filters = []string{`{"data":"x"}`} }, "6 filters": func(c *Config) { c.Filters = slices.Repeat([]string{`{"data":["x"]}`}, 6) },
		"SQS destination": func(c *Config) { c.OnFailure = "arn:aws:sqs:eu-west-3:123456789012:q" }, "SNS destination": func(c *Config) { c.OnFailure = "arn:aws:sns:eu-west-3:123456789012:t" },
		"is invalid": func(c *Config) { c.OnFailure = "arn:aws:s3:::a/b" }, "not supported by Weir": func(c *Config) { c.TumblingSeconds, c.Parallelization = 10, 2 },
	} {
		c := Create{UUID: "u", Account: account, Region: region, Function: functionARN("f"), Source: "arn:aws:kinesis:eu-west-3:123456789012:stream/s", Config: Defaults()}
		change(&c.Config)
		if err := w.engine.Propose(t.Context(), c); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	config := Defaults()
	config.OnFailure = "arn:aws:s3:::b"
	if err := config.Validate(false); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "S3 destination") {
		t.Errorf("without buckets: %v", err)
	}
}

// Where a mapping begins.
func TestStartingPositions(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	w.put("s", "1")
	w.clock.Advance(time.Second)
	w.put("s", "2")
	const source = "arn:aws:kinesis:eu-west-3:123456789012:stream/s"
	w.mapFrom("all", "TRIM_HORIZON", source, nil)
	w.mapFrom("new", "LATEST", source, nil)
	at := Create{UUID: "at", Account: account, Region: region, Function: functionARN("at"), Source: source, Starting: Starting{"AT_TIMESTAMP", start.Add(time.Second)}, Config: Defaults(), Enabled: true}
	must(t, w.engine.Propose(t.Context(), at))
	w.inState("at", Enabled)
	w.settle()
	w.put("s", "3")
	w.want("all", "1 2", "3")
	w.want("new", "3")
	w.want("at", "2", "3")
}

// Two functions on one stream both get everything; a second mapping to the same function is refused.
func TestTwoFunctions(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	m := w.mapTo("f", nil)
	w.mapTo("g", nil)
	w.put("s", "1")
	w.want("f", "1")
	w.want("g", "1")
	err := w.engine.Propose(t.Context(), Create{UUID: "u", Account: account, Region: region, Function: m.Function, Source: m.Source, Config: Defaults()})
	want := `The event source arn (" ` + m.Source + ` ") and function (" f ") provided mapping already exists. Please update or delete the existing mapping with UUID ` + m.UUID
	if !fault.Is(err, fault.Exists) || err.Error() != want {
		t.Errorf("%v", err)
	}
}

// A mapping that is disabled stands still and goes on where it stood; an update takes effect; one that is deleted is gone with its checkpoints.
func TestLife(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	m := w.mapTo("f", nil)
	w.put("s", "1")
	w.want("f", "1")
	w.update(m.UUID, func(u *Update) { u.Enabled = false })
	w.put("s", "2", "3", "4")
	w.pass(time.Hour)
	w.want("f", "1")
	w.crash()
	w.open()
	w.want("f", "1")
	w.update(m.UUID, func(u *Update) { u.Enabled, u.Config.BatchSize = true, 2 })
	w.want("f", "1", "2 3", "4")
	m = w.update(m.UUID, func(u *Update) { u.Function = functionARN("g") })
	w.put("s", "5")
	w.want("f", "1", "2 3", "4")
	w.want("g", "5")
	if err := w.engine.Propose(t.Context(), Update{UUID: m.UUID, Was: m.Changed - 1, Function: m.Function, Config: m.Config}); !fault.Is(err, fault.WrongState) {
		t.Errorf("an update of what was: %v", err)
	}
	must(t, w.engine.Propose(t.Context(), Delete{m.UUID}))
	w.eventually("mapping to go", func() bool { return w.mapping(m.UUID) == nil })
	if left := w.checkpoints.Shards(m.consumer()); len(left) != 0 {
		t.Errorf("checkpoints %v", left)
	}
	if err := w.engine.Propose(t.Context(), Delete{m.UUID}); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
	w.put("s", "6")
	w.want("g", "5")
}

// An update or a stop waits for the invocation that is under way, and what it did is not done again.
func TestUpdateWaitsForInvocation(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	m := w.mapTo("f", nil)
	invoked, let := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.does("f", func(context.Context, *event) (Result, error) {
		once.Do(func() { close(invoked); <-let })
		return Result{}, nil
	})
	w.put("s", "1")
	<-invoked
	must(t, w.engine.Propose(t.Context(), Update{UUID: m.UUID, Was: m.Changed, Function: m.Function, Config: m.Config}))
	if m := w.mapping(m.UUID); m.State != Disabling {
		t.Errorf("state %s", m.State)
	}
	if err := w.engine.Propose(t.Context(), Delete{m.UUID}); !fault.Is(err, fault.WrongState) {
		t.Errorf("deleted while it changes: %v", err)
	}
	close(let)
	w.inState(m.UUID, Disabled)
	w.update(m.UUID, func(u *Update) { u.Enabled = true })
	w.put("s", "2")
	w.want("f", "1", "2")
}

// A stream that is not there is a problem of the mapping, and one that comes is read; a consumer's mapping gets what its stream has, under the stream's name, until it is
// deregistered.
func TestMissingStreamAndConsumer(t *testing.T) {
	w := setUp(t)
	m := w.mapTo("f", nil)
	if m := w.mapping(m.UUID); m.Result != "PROBLEM: Stream s under account 123456789012 not found." {
		t.Errorf("result %q", m.Result)
	}
	w.create("s", 1)
	w.put("s", "1")
	w.eventually("the record", func() bool { return len(w.called("f")) == 1 })
	must(t, w.control.Propose(t.Context(), catalog.RegisterConsumer{Address: catalog.Address{Account: account, Region: region, Name: "s"}, Consumer: "c"}))
	consumer := w.stream("s").Consumer("c").ARN
	fan := w.mapFrom("g", "TRIM_HORIZON", consumer, nil)
	w.want("g", "1")
	if raw := w.called("g")[0].raw; !strings.Contains(raw, `"eventSourceARN":"arn:aws:kinesis:eu-west-3:123456789012:stream/s"`) {
		t.Error(raw)
	}
	must(t, w.control.Propose(t.Context(), catalog.DeregisterConsumer{Address: catalog.Address{Account: account, Region: region, Name: "s"}, Consumer: "c"}))
	w.eventually("the problem", func() bool { return strings.HasPrefix(w.mapping(fan.UUID).Result, "PROBLEM: Consumer ") })
}

// With a ParallelizationFactor as many batches are under way at once, no two with records of one key; the checkpoint is behind the lowest record that is not done; other keys go
// on while one is tried again.
func TestParallelization(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	var now, most atomic.Int64
	let := make(chan struct{})
	w.does("f", func(ctx context.Context, e *event) (Result, error) {
		if e.data() == "slow=1" {
			return errored, nil
		}
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		select {
		case <-let:
		case <-ctx.Done():
		}
		return Result{}, nil
	})
	m := w.mapTo("f", func(c *Config) { c.Parallelization, c.BatchSize = 10, 1 })
	texts := []string{"slow=1"}
	for i := range 200 {
		texts = append(texts, fmt.Sprintf("%d=%d", i%50, i))
	}
	w.put("s", texts...)
	w.eventually("nine at once", func() bool { return now.Load() >= 8 })
	close(let)
	w.settle()
	if most.Load() > 10 || most.Load() < 8 {
		t.Errorf("%d at once", most.Load())
	}
	last := map[string]int{}
	seen := 0
	for _, text := range w.batches("f") {
		key, n := split(text)
		if n < last[key] {
			t.Errorf("key %s: %d after %d", key, n, last[key])
		}
		last[key] = n
		if key != "slow" {
			seen++
		}
	}
	if seen < 150 { // the keys of slow's lane wait for it
		t.Errorf("%d records of other keys", seen)
	}
	at, _ := w.checkpoints.Get(m.consumer(), fmt.Sprintf("%d/shardId-000000000000", w.stream("s").Group))
	if at.Position != 0 {
		t.Errorf("checkpoint %+v while the first record is not done", at)
	}
	w.does("f", nil)
	w.pass(time.Minute)
	if at, _ = w.checkpoints.Get(m.consumer(), fmt.Sprintf("%d/shardId-000000000000", w.stream("s").Group)); at.Position != 201 {
		t.Errorf("checkpoint %+v", at)
	}
}

// A crash between invocation and checkpoint repeats that batch and no other; a crash afterwards repeats nothing.
func TestCrashRepeatsOneBatch(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	invoked := make(chan struct{}, 1)
	w.does("f", func(ctx context.Context, e *event) (Result, error) {
		if e.data() == "3 4" {
			select {
			case invoked <- struct{}{}:
				<-ctx.Done() // it has done its work, and the server dies before it hears so
				return Result{}, nil
			default:
			}
		}
		return Result{}, nil
	})
	w.put("s", "1", "2", "3", "4", "5", "6")
	w.mapTo("f", func(c *Config) { c.BatchSize = 2 })
	w.eventually("the batch", func() bool { return len(invoked) == 1 })
	w.crash()
	w.open()
	w.want("f", "1 2", "3 4", "3 4", "5 6")
	w.crash()
	w.open()
	w.want("f", "1 2", "3 4", "3 4", "5 6")
}

// A server that is stopped waits for what is under way, and gives nothing again afterwards.
func TestHalt(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	invoked, let := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.does("f", func(context.Context, *event) (Result, error) {
		once.Do(func() { close(invoked); <-let })
		return Result{}, nil
	})
	w.mapTo("f", func(c *Config) { c.BatchSize = 1 })
	w.put("s", "1", "2")
	<-invoked
	halted := make(chan struct{})
	go func() { w.engine.Halt(context.Background()); close(halted) }()
	select {
	case <-halted:
		t.Error("it did not wait")
	default:
	}
	close(let)
	<-halted
	w.crash()
	w.open()
	w.want("f", "1", "2")
}

// table is a table's change stream with one shard, for what mappings do with it. Its positions are those of changes.
type table struct {
	mu      sync.Mutex // guards the rest
	changes []string
	more    chan struct{}
}

func (s *table) Source(string) (Source, error) {
	return Source{Source: s, Kind: Table, Stream: "arn:aws:dynamodb:eu-west-3:123456789012:table/t/stream/2026-11-18T13:00:00.000", Region: region}, nil
}

func (s *table) Shards(context.Context) ([]readers.ShardInfo, <-chan struct{}, error) {
	return []readers.ShardInfo{{ID: "shardId-1", Key: "t/1"}}, nil, nil
}

func (s *table) Start(context.Context, string, readers.Start) (int64, error) { return 0, nil }

func (s *table) Read(_ context.Context, _ string, from int64, limit int) (readers.Chunk, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	chunk := readers.Chunk{Next: from}
	for ; chunk.Next < int64(len(s.changes)) && len(chunk.Records) < limit; chunk.Next++ {
		chunk.Records = append(chunk.Records, readers.Record{
			Position: chunk.Next, Sequence: fmt.Sprintf("1%020d", chunk.Next), Key: []byte("key"), Data: []byte(s.changes[chunk.Next]), Arrival: start.Add(1500 * time.Millisecond),
		})
	}
	return chunk, nil
}

func (s *table) Wait(ctx context.Context, _ string, from int64) error {
	for !s.Ready("", from) {
		select {
		case <-s.more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *table) Ready(_ string, from int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.changes)) > from
}

// Changes of a table are given as their stream has made them, filtered by what they say, and told by the second.
func TestTableStream(t *testing.T) {
	w := setUp(t)
	w.crash()
	source := &table{changes: []string{
		`{"eventID":"a","eventName":"INSERT","dynamodb":{"NewImage":{"n":{"N":"1"}}}}`, `{"eventID":"b","eventName":"REMOVE","dynamodb":{}}`,
		`{"eventID":"c","eventName":"INSERT","dynamodb":{"NewImage":{"n":{"N":"2"}}}}`,
	}}
	w.sources = source
	w.open()
	w.does("f", func(context.Context, *event) (Result, error) { return errored, nil })
	arn := "arn:aws:dynamodb:eu-west-3:123456789012:table/t/stream/2026-11-18T13:00:00.000"
	w.mapFrom("f", "TRIM_HORIZON", arn, func(c *Config) {
		c.Filters, c.Retries, c.OnFailure = []string{`{"eventName":["INSERT"],"dynamodb":{"NewImage":{"n":{"N":["2"]}}}}`}, 0, "arn:aws:s3:::b"
	})
	calls := w.called("f")
	want := `{"Records":[{"eventID":"c","eventName":"INSERT","dynamodb":{"NewImage":{"n":{"N":"2"}}},"eventSourceARN":"` + arn + `"}]}`
	if len(calls) != 1 || calls[0].raw != want {
		t.Fatalf("%d calls: %s", len(calls), calls[0].raw)
	}
	docs, _ := w.documents()
	if len(docs) != 1 {
		t.Fatal(docs)
	}
	info := docs[0]["DDBStreamBatchInfo"].(map[string]any)
	if info["approximateArrivalOfFirstRecord"] != "2026-11-18T13:00:01Z" || info["streamArn"] != arn || info["startSequenceNumber"] != "100000000000000000002" {
		t.Error(info)
	}
}
