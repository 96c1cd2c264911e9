package kafkalog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/kafkalog"
	"github.com/weir-stream/weir/internal/commitlog/logtest"
	"github.com/weir-stream/weir/internal/fault"
)

const prefix = "weir.test."

// cluster is a Kafka cluster of three brokers inside this process.
func cluster(t *testing.T) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// store is a store on c. change adjusts its options.
func store(t *testing.T, c *kfake.Cluster, change ...func(*kafkalog.Options)) *kafkalog.Store {
	t.Helper()
	o := kafkalog.Options{Seeds: c.ListenAddrs(), Prefix: prefix, Clock: clock.Real, Lease: commitlog.Forever, Timeout: 20 * time.Second}
	for _, f := range change {
		f(&o)
	}
	s, err := kafkalog.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// impatient gives up soon, for tests of what happens then; not so soon that a busy machine would fail what should succeed.
func impatient(o *kafkalog.Options) { o.Timeout = 2 * time.Second }

// The whole contract, each store on a cluster of its own; opening again is a second client on the same cluster.
func TestContract(t *testing.T) {
	var mu sync.Mutex
	clusters := map[commitlog.Store]*kfake.Cluster{}
	logtest.Test(t, func(t *testing.T, o logtest.Options) commitlog.Store {
		mu.Lock()
		c := clusters[o.Reopen]
		mu.Unlock()
		if o.Reopen == nil {
			c = cluster(t)
		}
		s := store(t, c, func(options *kafkalog.Options) { options.Lease, options.Clock = o.Lease, o.Clock })
		mu.Lock()
		clusters[s] = c
		mu.Unlock()
		return s
	})
}

var logID = commitlog.ID{Group: 5, Member: 9}

const logTopic = prefix + "5"

func create(t *testing.T, s commitlog.Store, id commitlog.ID) commitlog.Log {
	t.Helper()
	if err := s.Create(t.Context(), id, commitlog.Config{}); err != nil {
		t.Fatal(err)
	}
	l, err := s.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func values(vs ...string) *batch.Batch {
	b := new(batch.Batch)
	for _, v := range vs {
		b.Append(1_700_000_000_000, nil, []byte(v))
	}
	return b
}

func mustAppend(t *testing.T, l commitlog.Log, vs ...string) commitlog.Position {
	t.Helper()
	position, err := l.Append(t.Context(), values(vs...))
	if err != nil {
		t.Fatal(err)
	}
	return position
}

// wantValues reads the log from its beginning.
func wantValues(t *testing.T, l commitlog.Log, expected ...string) {
	t.Helper()
	var got []string
	for from := commitlog.Position(0); ; {
		chunk, err := l.Read(t.Context(), from, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		var r batch.Record
		for it := batch.Iterate(chunk.Batches); it.Next(&r); {
			got = append(got, string(r.Value))
		}
		if chunk.Next == from {
			break
		}
		from = chunk.Next
	}
	if !slices.Equal(got, expected) {
		t.Errorf("holds %q, want %q", got, expected)
	}
}

// Whatever passes is asked again about, and never appends twice: also when the first try did append.
func TestRetriesAppendOnce(t *testing.T) {
	for _, row := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.NotEnoughReplicas, kerr.KafkaStorageError, kerr.UnknownTopicOrPartition,
		kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, // these two are answered after the work is done
	} {
		t.Run(row.Message, func(t *testing.T) {
			c := cluster(t)
			l := create(t, store(t, c), logID)
			mustAppend(t, l, "before")
			h := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: logTopic, Err: row, Count: 3})
			if position := mustAppend(t, l, "a", "b"); position != 1 {
				t.Errorf("appended at %d", position)
			}
			if h.Hits() != 3 {
				t.Errorf("%d faults met", h.Hits())
			}
			mustAppend(t, l, "after")
			wantValues(t, l, "before", "a", "b", "after")
		})
	}
}

// A connection that breaks before the answer.
func TestBrokenConnection(t *testing.T) {
	c := cluster(t)
	l := create(t, store(t, c), logID)
	broken := 0
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		if broken++; broken <= 2 {
			c.KeepControl()
			return nil, errors.New("gone"), true
		}
		return nil, nil, false
	})
	mustAppend(t, l, "a")
	wantValues(t, l, "a")
}

// When patience ends, the error says whether the batch may have been appended.
func TestOutcomeUnknown(t *testing.T) {
	for _, row := range []struct {
		err     *kerr.Error
		kind    fault.Kind
		unknown bool
		there   bool
	}{
		{kerr.NotEnoughReplicasAfterAppend, fault.Unavailable, true, true},
		{kerr.RequestTimedOut, fault.Unavailable, true, true},
		{kerr.NotLeaderForPartition, fault.Unavailable, true, false},
		{kerr.UnknownServerError, fault.Unavailable, true, false},
		{kerr.NotEnoughReplicas, fault.Unavailable, false, false},
		{kerr.TopicAuthorizationFailed, fault.Unavailable, false, false},
		{kerr.MessageTooLarge, fault.Invalid, false, false},
		{kerr.UnknownProducerID, fault.Unavailable, false, false},
	} {
		t.Run(row.err.Message, func(t *testing.T) {
			t.Parallel() // they mostly wait
			c := cluster(t)
			l := create(t, store(t, c, impatient), logID)
			mustAppend(t, l, "before")
			h := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: logTopic, Err: row.err, Count: -1})
			_, err := l.Append(t.Context(), values("a", "b"))
			if !fault.Is(err, row.kind) || fault.IsUnknown(err) != row.unknown {
				t.Errorf("%v: %s, unknown %v", err, fault.KindOf(err), fault.IsUnknown(err))
			}
			if errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("our own patience looks like the caller's deadline: %v", err)
			}
			h.Remove()
			mustAppend(t, l, "after")
			expected := []string{"before", "after"}
			if row.there {
				expected = []string{"before", "a", "b", "after"}
			}
			wantValues(t, l, expected...)
		})
	}
}

// A producer id that the broker forgot is replaced when nothing can have been appended under it, and given up on when something may.
func TestForgottenProducer(t *testing.T) {
	c := cluster(t)
	l := create(t, store(t, c), logID)
	mustAppend(t, l, "a")
	produce := []kmsg.Key{kmsg.Produce}
	c.Fault(kfake.Fault{Keys: produce, Topic: logTopic, Err: kerr.UnknownProducerID})
	mustAppend(t, l, "b")
	c.Fault(
		kfake.Fault{Keys: produce, Topic: logTopic, Err: kerr.RequestTimedOut}, // appended, and not said so
		kfake.Fault{Keys: produce, Topic: logTopic, Err: kerr.OutOfOrderSequenceNumber},
	)
	if _, err := l.Append(t.Context(), values("c")); !fault.Is(err, fault.Unavailable) || !fault.IsUnknown(err) {
		t.Errorf("%v", err)
	}
	mustAppend(t, l, "d")
	wantValues(t, l, "a", "b", "c", "d")
}

// The caller's context ends while the answer is out.
func TestCancelledWhileUnderWay(t *testing.T) {
	c := cluster(t)
	l := create(t, store(t, c), logID)
	h := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: logTopic, Err: kerr.NotEnoughReplicasAfterAppend, Count: -1})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		if err := h.Wait(t.Context(), 1); err != nil {
			t.Error(err)
		}
	}()
	_, err := l.Append(ctx, values("a"))
	if !errors.Is(err, context.Canceled) || !fault.IsUnknown(err) {
		t.Errorf("%v, unknown %v", err, fault.IsUnknown(err))
	}
	h.Remove()
	mustAppend(t, l, "b")
	wantValues(t, l, "a", "b")
}

// Leaders move while eight write: nothing acknowledged is lost, nothing is there twice, no batch is torn.
func TestLeadersMove(t *testing.T) {
	c := cluster(t)
	l := create(t, store(t, c), logID)
	var writers sync.WaitGroup
	errs := make([]error, 8)
	for w := range errs {
		writers.Go(func() {
			for i := range 20 {
				if _, err := l.Append(t.Context(), values(fmt.Sprintf("%d-%02d a", w, i), fmt.Sprintf("%d-%02d b", w, i))); err != nil {
					errs[w] = err
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range int32(30) {
			if err := c.MoveTopicPartition(logTopic, 0, i%3); err != nil {
				t.Error(err)
			}
			if err := clock.Sleep(t.Context(), clock.Real, 2*time.Millisecond); err != nil {
				return
			}
		}
	}()
	writers.Wait()
	<-done
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	chunk, err := l.Read(t.Context(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	var r batch.Record
	for it := batch.Iterate(chunk.Batches); it.Next(&r); {
		got = append(got, string(r.Value))
	}
	if len(got) != 8*20*2 {
		t.Fatalf("%d records", len(got))
	}
	last := map[byte]string{}
	for i := 0; i < len(got); i += 2 {
		if got[i][:4] != got[i+1][:4] || got[i] <= last[got[i][0]] {
			t.Fatalf("%q, %q after %q", got[i], got[i+1], last[got[i][0]])
		}
		last[got[i][0]] = got[i]
	}
}

// produceRaw appends a record as somebody else would.
func produceRaw(t *testing.T, c *kfake.Cluster, topic string, partition int32, value string, headers ...kgo.RecordHeader) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	r := &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value), Headers: headers, Timestamp: time.UnixMilli(1_700_000_000_000)}
	if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func shard(member byte) kgo.RecordHeader { return kgo.RecordHeader{Key: "w.s", Value: []byte{member}} }

// Readers see their own log's records below its end: no markers, no other log's records, no foreign ones, no orphans.
func TestInvisible(t *testing.T) {
	c := cluster(t)
	s := store(t, c)
	l := create(t, s, logID)
	mustAppend(t, l, "a")
	produceRaw(t, c, logTopic, 0, "another log's", shard(8))
	produceRaw(t, c, logTopic, 0, "nobody's")
	produceRaw(t, c, logTopic, 0, "a marker that was never registered", shard(9), kgo.RecordHeader{Key: "w.c"})
	if position := mustAppend(t, l, "b"); position != 4 {
		t.Errorf("appended at %d", position)
	}
	wantValues(t, l, "a", "b")
	if got, err := l.PositionAt(t.Context(), time.UnixMilli(1)); got != 0 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	if err := l.Trim(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if got, err := l.PositionAt(t.Context(), time.UnixMilli(1)); got != 4 || err != nil {
		t.Errorf("the first visible record is at 4, found %d, %v", got, err)
	}
	produceRaw(t, c, logTopic, 0, "nobody's, at the end")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := l.Wait(ctx, 5); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an invisible record ended a wait: %v", err)
	}
	end, err := l.Seal(t.Context())
	if err != nil || end != 6 {
		t.Errorf("sealed at %d, %v", end, err)
	}
	produceRaw(t, c, logTopic, 0, "an orphan", shard(9))
	for _, reader := range []*kafkalog.Store{s, store(t, c)} {
		l, err := reader.Open(t.Context(), logID)
		if err != nil {
			t.Fatal(err)
		}
		chunk, err := l.Read(t.Context(), 1, 1<<20)
		if want := (commitlog.Bounds{First: 1, Next: 6, Sealed: true}); err != nil || chunk.Bounds != want {
			t.Errorf("bounds %+v, %v", chunk.Bounds, err)
		}
		var r batch.Record
		it := batch.Iterate(chunk.Batches)
		if !it.Next(&r) || string(r.Value) != "b" || r.Headers() != 0 || it.Next(&r) {
			t.Errorf("not b alone: %q with %d headers", r.Value, r.Headers())
		}
	}
}

// What a customer's Kafka client sees: the records with our marks.
func TestNativeView(t *testing.T) {
	c := cluster(t)
	l := create(t, store(t, c), logID)
	b := new(batch.Batch)
	b.Append(1_700_000_000_123, []byte("key"), []byte("value"), batch.Header{Key: "w.h", Value: []byte("hash")})
	if _, err := l.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(logTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	records := client.PollFetches(t.Context()).Records()
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	r := records[0]
	if string(r.Key) != "key" || string(r.Value) != "value" || r.Timestamp.UnixMilli() != 1_700_000_000_123 {
		t.Errorf("%+v", r)
	}
	want := []kgo.RecordHeader{{Key: "w.h", Value: []byte("hash")}, {Key: "w.s", Value: []byte{9}}, {Key: "w.g", Value: []byte{1}}}
	if fmt.Sprint(r.Headers) != fmt.Sprint(want) {
		t.Errorf("headers %v, want %v", r.Headers, want)
	}
	for _, reserved := range []string{"w.s", "w.g", "w.c"} {
		b.Reset()
		b.Append(1_700_000_000_123, nil, nil, batch.Header{Key: reserved})
		if _, err := l.Append(t.Context(), b); !fault.Is(err, fault.Invalid) {
			t.Errorf("header %s: %v", reserved, err)
		}
	}
}

// A seal that fails leaves the log open; the marker it may have left is invisible; the next one seals.
func TestSealFailsHalfWay(t *testing.T) {
	for name, topic := range map[string]string{"marker": logTopic, "registry": prefix + "logs"} {
		t.Run(name, func(t *testing.T) {
			c := cluster(t)
			l := create(t, store(t, c, impatient), logID)
			mustAppend(t, l, "a")
			h := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotEnoughReplicas, Count: -1})
			if end, err := l.Seal(t.Context()); !fault.Is(err, fault.Unavailable) {
				t.Fatalf("sealed at %d, %v", end, err)
			}
			h.Remove()
			mustAppend(t, l, "b")
			wantValues(t, l, "a", "b")
			end, err := l.Seal(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			wantValues(t, l, "a", "b")
			if bounds, err := l.Bounds(t.Context()); err != nil || bounds != (commitlog.Bounds{Next: end, Sealed: true}) {
				t.Errorf("bounds %+v, %v", bounds, err)
			}
		})
	}
}

// config is a config of the group's topic as the cluster has it.
func config(t *testing.T, c *kfake.Cluster, key string) string {
	t.Helper()
	info := c.TopicInfo(logTopic)
	if info == nil {
		t.Fatalf("topic %s does not exist", logTopic)
	}
	if v := info.Configs[key]; v != nil {
		return *v
	}
	return ""
}

// The topic keeps records for as long as any log of the group wants them.
func TestRetention(t *testing.T) {
	c := cluster(t)
	s := store(t, c)
	create := func(member uint32, retention time.Duration) commitlog.Log {
		t.Helper()
		id := commitlog.ID{Group: logID.Group, Member: member}
		if err := s.Create(t.Context(), id, commitlog.Config{Retention: retention}); err != nil {
			t.Fatal(err)
		}
		l, err := s.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	want := func(retention, segment time.Duration) {
		t.Helper()
		millis := fmt.Sprint(retention.Milliseconds())
		if retention == 0 {
			millis = "-1"
		}
		if r, s := config(t, c, "retention.ms"), config(t, c, "segment.ms"); r != millis || s != fmt.Sprint(segment.Milliseconds()) {
			t.Errorf("retention.ms %s, segment.ms %s; want %v, %v", r, s, retention, segment)
		}
	}
	const day = 24 * time.Hour
	first := create(7, day)
	want(day, 3*time.Hour)
	create(3, 2*day)
	want(2*day, 6*time.Hour)
	forever := create(4, 0)
	want(0, day)
	if err := forever.Configure(t.Context(), commitlog.Config{Retention: time.Hour}); err != nil {
		t.Fatal(err)
	}
	want(2*day, 6*time.Hour)
	if err := s.Delete(t.Context(), commitlog.ID{Group: logID.Group, Member: 3}); err != nil {
		t.Fatal(err)
	}
	want(day, 3*time.Hour)
	if err := first.Configure(t.Context(), commitlog.Config{Retention: 365 * day}); err != nil {
		t.Fatal(err)
	}
	want(365*day, day)
	if got := len(c.PartitionInfos(logTopic)); got != 3 {
		t.Errorf("%d partitions for members 7, 3 and 4", got)
	}
}

// The topic goes with its last log, and its name may be used again.
func TestDeleteLastRemovesTopic(t *testing.T) {
	c := cluster(t)
	s := store(t, c)
	for member := range uint32(2) {
		mustAppend(t, create(t, s, commitlog.ID{Group: 5, Member: member}), "a")
	}
	for member := range uint32(2) {
		if c.TopicInfo(logTopic) == nil {
			t.Fatal("the topic went early")
		}
		if err := s.Delete(t.Context(), commitlog.ID{Group: 5, Member: member}); err != nil {
			t.Fatal(err)
		}
	}
	if c.TopicInfo(logTopic) != nil {
		t.Error("the topic is still there")
	}
	l := create(t, s, commitlog.ID{Group: 5, Member: 2})
	mustAppend(t, l, "b")
	wantValues(t, l, "b")
}

// A deletion that fails half-way is finished by asking again.
func TestDeleteHalfWay(t *testing.T) {
	c := cluster(t)
	s := store(t, c, impatient)
	create(t, s, logID)
	h := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DeleteTopics}, Err: kerr.ClusterAuthorizationFailed, Count: -1})
	if err := s.Delete(t.Context(), logID); !fault.Is(err, fault.Unavailable) {
		t.Errorf("%v", err)
	}
	if _, err := s.Open(t.Context(), logID); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
	h.Remove()
	if err := s.Delete(t.Context(), logID); err != nil {
		t.Fatal(err)
	}
	if c.TopicInfo(logTopic) != nil {
		t.Error("the topic is still there")
	}
}

// A crash between the registry's entry and the partition: whoever opens the log makes the partition.
func TestOpenFinishesCreate(t *testing.T) {
	c := cluster(t)
	first := store(t, c)
	create(t, first, commitlog.ID{Group: 5, Member: 1})
	produceRaw(t, c, prefix+"logs", 0, `{"v":1,"op":"create","group":5,"member":9}`)
	l, err := first.Open(t.Context(), logID)
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, "a")
	wantValues(t, l, "a")
}

// Two processes create at once and agree on partitions.
func TestTwoStoresCreate(t *testing.T) {
	c := cluster(t)
	stores := []*kafkalog.Store{store(t, c), store(t, c)}
	var running sync.WaitGroup
	for i, s := range stores {
		running.Go(func() {
			for member := range uint32(10) {
				if err := s.Create(t.Context(), commitlog.ID{Group: 5, Member: 2*member + uint32(i)}, commitlog.Config{}); err != nil {
					t.Error(err)
				}
				if err := s.Create(t.Context(), commitlog.ID{Group: 6, Member: member}, commitlog.Config{}); err != nil { // the same
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	for member := range uint32(20) {
		for i, s := range stores {
			l, err := s.Open(t.Context(), commitlog.ID{Group: 5, Member: member})
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				mustAppend(t, l, fmt.Sprint(member))
			}
			wantValues(t, l, fmt.Sprint(member))
		}
	}
}

// A registry that this version does not understand is refused, not skipped.
func TestRegistryRefused(t *testing.T) {
	for name, row := range map[string]struct {
		entry string
		kind  fault.Kind
	}{
		"newer version":     {`{"v":2,"op":"create"}`, fault.Unsupported},
		"unknown operation": {`{"v":1,"op":"rename"}`, fault.Unsupported},
		"not JSON":          {`create 5 9`, fault.Corrupt},
	} {
		t.Run(name, func(t *testing.T) {
			c := cluster(t)
			if err := store(t, c).Close(); err != nil {
				t.Fatal(err)
			}
			produceRaw(t, c, prefix+"logs", 0, row.entry)
			_, err := kafkalog.Open(t.Context(), kafkalog.Options{Seeds: c.ListenAddrs(), Prefix: prefix, Clock: clock.Real, Lease: commitlog.Forever})
			if !fault.Is(err, row.kind) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A cluster that is not there is Unavailable, in bounded time.
func TestNoCluster(t *testing.T) {
	c := cluster(t)
	s := store(t, c, impatient)
	l := create(t, s, logID)
	addrs := c.ListenAddrs()
	c.Close()
	o := kafkalog.Options{Seeds: addrs, Prefix: prefix, Clock: clock.Real, Lease: commitlog.Forever, Timeout: 300 * time.Millisecond}
	if _, err := kafkalog.Open(t.Context(), o); !fault.Is(err, fault.Unavailable) {
		t.Errorf("open: %v", err)
	}
	if _, err := l.Append(t.Context(), values("a")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("append: %v", err)
	}
	if _, err := l.Read(t.Context(), 0, 1); !fault.Is(err, fault.Unavailable) {
		t.Errorf("read: %v", err)
	}
	if err := l.Wait(t.Context(), 0); !fault.Is(err, fault.Unavailable) {
		t.Errorf("wait: %v", err)
	}
	if err := s.Create(t.Context(), commitlog.ID{Group: 1}, commitlog.Config{}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("create: %v", err)
	}
}

// An append of another process ends a wait.
func TestWaitForAnotherProcess(t *testing.T) {
	c := cluster(t)
	mine := create(t, store(t, c), logID)
	theirs, err := store(t, c).Open(t.Context(), logID)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- mine.Wait(t.Context(), 0) }()
	mustAppend(t, theirs, "a")
	if err := <-done; err != nil {
		t.Error(err)
	}
	wantValues(t, mine, "a")
}
