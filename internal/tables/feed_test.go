package tables

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/readers"
	"github.com/weir-stream/weir/internal/tables/value"
	"github.com/weir-stream/weir/internal/vfs"
)

// A change is told with every key that Lambda's event has, also of an item that expired, and in the notation of DynamoDB.
func TestEventOfChange(t *testing.T) {
	s := &Stream{ID: 7, View: "NEW_AND_OLD_IMAGES", Created: time.UnixMilli(5)}
	set, err := value.NewSet(value.NS, []string{string(value.NumberOf(1)), string(value.NumberOf(20))})
	if err != nil {
		t.Fatal(err)
	}
	ch := &Change{
		Sequence: 9, At: time.UnixMilli(1_428_537_600_987), Event: "MODIFY", ByService: true, Bytes: 26, Keys: item("k", "a\"b"),
		New: item("k", "x", "n", 3, "s", set, "b", value.Binary([]byte{0xff}), "m", value.Value{Kind: value.M, Map: item("l", value.Value{Kind: value.L, List: []value.Value{value.Null(), value.Bool(true)}})}),
	}
	got := string(s.event(account, region, ch))
	want := `{"eventID":"` + s.EventID(account, region, 9) + `","eventName":"MODIFY","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1","dynamodb":{` +
		`"ApproximateCreationDateTime":1428537600,"Keys":{"k":{"S":"a\"b"}},"NewImage":{"b":{"B":"/w=="},"k":{"S":"x"},"m":{"M":{"l":{"L":[{"NULL":true},{"BOOL":true}]}}},"n":{"N":"3"},` +
		`"s":{"NS":["1","20"]}},"SequenceNumber":"100000000000000000009","SizeBytes":26,"StreamViewType":"NEW_AND_OLD_IMAGES"},` +
		`"userIdentity":{"principalId":"dynamodb.amazonaws.com","type":"Service"}}`
	if got != want || !json.Valid([]byte(got)) {
		t.Errorf("event\n%s, want\n%s", got, want)
	}
}

// A reader gets each change of a table once, across restarts of its own, to the end of a stream that is switched off.
func TestFeed(t *testing.T) {
	w := begin(t, vfs.NewMem(), clock.Real, 0)
	table := w.makeTable("t", false, func(c *CreateTable) { c.View = "NEW_IMAGE" })
	state := w.region().Tables()
	s := state.Stream(table.Stream)
	w.put(table, item("k", "1"))

	store := commitlog.NewMemory(clock.Real, commitlog.Forever)
	defer store.Close()
	if err := store.Create(t.Context(), commitlog.ID{}, commitlog.Config{}); err != nil {
		t.Fatal(err)
	}
	log, err := store.Open(t.Context(), commitlog.ID{})
	if err != nil {
		t.Fatal(err)
	}
	checkpoints, err := readers.OpenCheckpoints(t.Context(), readers.CheckpointOptions{Log: log, FS: vfs.NewMem(), Dir: "c", Clock: clock.Real, Session: 1})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var got []string
	ended := false
	consume := func(ctx context.Context, shard *readers.Shard) error {
		for {
			chunk, err := shard.Read(ctx, 2)
			if err != nil {
				return err
			}
			if err := shard.Commit(ctx, chunk.Next, nil); err != nil {
				return err
			}
			mu.Lock()
			for _, r := range chunk.Records {
				var e struct {
					Dynamodb struct {
						Keys struct{ K struct{ S string } }
					}
				}
				if err := json.Unmarshal(r.Data, &e); err != nil {
					t.Error(err)
				}
				got = append(got, e.Dynamodb.Keys.K.S)
			}
			ended = ended || chunk.End
			mu.Unlock()
			if chunk.End {
				return shard.Finish(ctx)
			}
			if len(chunk.Records) == 0 {
				if err := shard.Await(ctx, readers.Wait{Records: true}); err != nil {
					return err
				}
			}
		}
	}
	feed := &Feed{Engine: w.engine, Account: account, Region: region, Table: "t", Label: s.Label()}
	read := func() (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		r := readers.New(readers.Options{Source: feed, Consumer: "c", Checkpoints: checkpoints, Clock: clock.Real, Consume: consume})
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		return func() { cancel(); <-done }
	}
	running, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- checkpoints.Run(running) }()
	defer func() { cancel(); <-ran }()
	await := func(want ...string) {
		t.Helper()
		for range 20_000 {
			mu.Lock()
			done := slices.Equal(got, want)
			mu.Unlock()
			if done {
				return
			}
			wait()
		}
		t.Fatalf("read %q, want %q", got, want)
	}
	stop := read()
	await("1")
	w.put(table, item("k", "2"))
	await("1", "2")
	stop()
	w.put(table, item("k", "3"))
	w.put(table, item("k", "4"))
	stop = read()
	defer func() { stop() }()
	await("1", "2", "3", "4")
	w.admin(DeleteTable{Name: "t"})
	for range 20_000 {
		mu.Lock()
		done := ended
		mu.Unlock()
		if done {
			return
		}
		wait()
	}
	t.Error("the stream of a table that is gone does not end")
}
