package consumer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"go.uber.org/goleak"

	"github.com/weir-stream/weir/consumer"
	"github.com/weir-stream/weir/internal/node"
)

// patience is how long a test waits for something that should take a moment. It is long so that a busy machine fails no test.
const patience = 60 * time.Second

// shared is one server for all tests: each has an account of its own, so none sees another's streams and tables.
var shared *node.Node

func TestMain(m *testing.M) { os.Exit(serve(m)) }

func serve(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir-consumer-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared, err = node.Start(context.Background(), node.Config{DataDir: dir, Listen: "127.0.0.1:0", ConsoleListen: "127.0.0.1:0", Dev: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		return 1
	}
	code := m.Run()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := shared.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "stop:", err)
		return 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines are left:", err)
		return 1
	}
	return code
}

// whole sends a request with a body of its own: the SDK closes its body as soon as the head of an answer is there, and net/http, when it has yet to see that the body is
// over, then takes the connection down under the answer, which for a subscription means the next one five seconds later.
type whole struct{}

// RoundTrip passes the request on.
func (whole) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(r)
}

// kinesisClient makes a client for every subscription: those of one share a decoder, which the race detector sees.
type kinesisClient struct{ *kinesis.Client }

func (k kinesisClient) SubscribeToShard(ctx context.Context, in *kinesis.SubscribeToShardInput, _ ...func(*kinesis.Options)) (*kinesis.SubscribeToShardOutput, error) {
	return kinesis.New(k.Options()).SubscribeToShard(ctx, in)
}

// world is one test's view: an account, a stream, what every processor of every worker was told, in order.
type world struct {
	t       *testing.T
	ctx     context.Context
	kinesis kinesisClient
	dynamo  *dynamodb.Client
	name    string // of the stream and the application
	// failover is for how long leases live. Long, so that a busy machine costs none; quick, in tests that wait for it.
	failover time.Duration
	lazy     bool // processors checkpoint only when they must

	mu    sync.Mutex // guards everything below
	lines []line
	next  map[string]int // of each key, the number to put next
	said  []string       // notices and events
}

// line is one call of a processor.
type line struct {
	kind          byte // I, R, L, E, S as in the methods' names
	worker, shard string
	key           string
	number        int
	at            consumer.Position
}

var accounts atomic.Int64

func begin(t *testing.T, shards int32) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	account := fmt.Sprintf("%012d", 300_000_000_000+accounts.Add(1))
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: account, SecretAccessKey: "any secret will do"}, nil
	})
	endpoint, client := aws.String("http://"+shared.Addr()), &http.Client{Transport: whole{}}
	w := &world{
		t: t, ctx: ctx, name: "orders", failover: 3 * time.Second, next: map[string]int{},
		kinesis: kinesisClient{kinesis.New(kinesis.Options{Region: "us-east-1", BaseEndpoint: endpoint, Credentials: credentials, HTTPClient: client})},
		dynamo:  dynamodb.New(dynamodb.Options{Region: "us-east-1", BaseEndpoint: endpoint, Credentials: credentials, HTTPClient: client}),
	}
	if _, err := w.kinesis.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &w.name, ShardCount: &shards}); err != nil {
		t.Fatal(err)
	}
	w.active()
	t.Cleanup(func() {
		if t.Failed() {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, said := range w.said {
				t.Log(said)
			}
		}
	})
	return w
}

func (w *world) active() {
	w.t.Helper()
	w.eventually("the stream is ACTIVE", func() bool {
		out, err := w.kinesis.DescribeStreamSummary(w.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &w.name})
		if err != nil {
			w.t.Fatal(err)
		}
		return out.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive
	})
}

// eventually waits for a condition.
func (w *world) eventually(what string, condition func() bool) {
	w.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			w.t.Fatalf("waited %s until %s", patience, what)
		case <-tick.C:
		}
	}
}

// put puts n records of each of some keys, numbered on.
func (w *world) put(keys, n int) {
	w.t.Helper()
	for range n {
		var entries []types.PutRecordsRequestEntry
		for k := range keys {
			key := "key-" + strconv.Itoa(k)
			entries = append(entries, types.PutRecordsRequestEntry{PartitionKey: aws.String(key), Data: []byte(strconv.Itoa(w.next[key]))})
			w.next[key]++
		}
		out, err := w.kinesis.PutRecords(w.ctx, &kinesis.PutRecordsInput{StreamName: &w.name, Records: entries})
		if err != nil {
			w.t.Fatal(err)
		}
		if *out.FailedRecordCount > 0 {
			w.t.Fatal(*out.FailedRecordCount, "records failed")
		}
	}
}

// quick is failover in tests that wait for it.
const quick = 1200 * time.Millisecond

// options are those of a worker that is quick in everything but losing its leases.
func (w *world) options(worker string, factory consumer.Factory) consumer.Options {
	return consumer.Options{
		Application: w.name, Stream: w.name, Worker: worker, Factory: factory, Kinesis: w.kinesis, DynamoDB: w.dynamo,
		IdleBetweenReads: 20 * time.Millisecond, TaskBackoff: 5 * time.Millisecond, ParentPoll: 50 * time.Millisecond,
		Failover: w.failover, AssignEvery: 150 * time.Millisecond, ShardSync: 200 * time.Millisecond, LeaseCleanup: 100 * time.Millisecond,
		GracefulHandoff: 5 * time.Second, WorkerMetricsEvery: 500 * time.Millisecond, LeaderLease: time.Second, LeaderHeartbeat: 150 * time.Millisecond,
		Notice: func(err error) { w.say("%s notices: %v", worker, err) },
		Events: func(e consumer.Event) { w.say("%s: %s %s %s", worker, e.Kind, e.Shard, e.Detail) },
	}
}

func (w *world) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, time.Now().Format("05.000 ")+fmt.Sprintf(format, args...))
}

// runner is a worker under test.
type runner struct {
	*consumer.Worker
	w    *world
	kill context.CancelFunc
	done chan error // capacity 1
}

// start runs a worker until the test ends.
func (w *world) start(options consumer.Options) *runner {
	w.t.Helper()
	worker, err := consumer.New(options)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, kill := context.WithCancel(w.ctx)
	r := &runner{Worker: worker, w: w, kill: kill, done: make(chan error, 1)}
	go func() { r.done <- worker.Run(ctx) }()
	w.t.Cleanup(r.halt)
	return r
}

// halt stops the worker as a machine does that loses power: nothing is given up.
func (r *runner) halt() {
	r.kill()
	err := <-r.done
	r.done <- err
}

// leave ends it in order.
func (r *runner) leave() {
	r.w.t.Helper()
	if err := r.Shutdown(r.w.ctx); err != nil {
		r.w.t.Fatal("shutdown:", err)
	}
	if err := <-r.done; err != nil {
		r.w.t.Fatal("run:", err)
	}
	r.done <- nil
}

// recorder is a processor that writes down what it is told, and checkpoints every batch.
type recorder struct {
	w             *world
	worker, shard string
}

// record is a factory of recorders.
func (w *world) record(worker string) consumer.Factory {
	return func(shard string) (consumer.Processor, error) { return &recorder{w, worker, shard}, nil }
}

func (r *recorder) note(lines ...line) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	for _, l := range lines {
		l.worker, l.shard = r.worker, r.shard
		r.w.lines = append(r.w.lines, l)
	}
}

func (r *recorder) Initialize(_ context.Context, start consumer.Start) error {
	r.note(line{kind: 'I', at: start.From})
	return nil
}

func (r *recorder) ProcessRecords(ctx context.Context, batch consumer.Batch) error {
	r.noteRecords(batch.Records)
	if r.w.lazy {
		return nil
	}
	if err := batch.Checkpoint.Checkpoint(ctx); err != nil && !errors.Is(err, consumer.ErrLeaseLost) {
		return err
	}
	return nil
}

func (r *recorder) noteRecords(records []consumer.Record) {
	var lines []line
	for _, record := range records {
		n, err := strconv.Atoi(string(record.Data))
		if err != nil {
			r.w.say("data %q: %v", record.Data, err)
			n = -1
		}
		lines = append(lines, line{kind: 'R', key: record.PartitionKey, number: n, at: record.Position()})
	}
	r.note(lines...)
}

func (r *recorder) LeaseLost(context.Context) { r.note(line{kind: 'L'}) }

func (r *recorder) ShardEnded(ctx context.Context, c consumer.Checkpointer) error {
	r.note(line{kind: 'E'}) // before the checkpoint, behind which children may begin
	return c.Checkpoint(ctx)
}

func (r *recorder) ShutdownRequested(ctx context.Context, c consumer.Checkpointer) error {
	r.note(line{kind: 'S'})
	return c.Checkpoint(ctx)
}

func (w *world) seen() []line {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.lines)
}

// holders is who processes each shard, by what the processors were told.
func (w *world) holders() map[string]string {
	holders := map[string]string{}
	for _, l := range w.seen() {
		switch l.kind {
		case 'I':
			holders[l.shard] = l.worker
		case 'L', 'E', 'S':
			if holders[l.shard] == l.worker {
				delete(holders, l.shard)
			}
		}
	}
	return holders
}

// spread is how many shards each worker processes.
func (w *world) spread() map[string]int {
	spread := map[string]int{}
	for _, worker := range w.holders() {
		spread[worker]++
	}
	return spread
}

// complete says whether every record that was put has been seen.
func (w *world) complete() bool {
	seen := map[string]map[int]bool{}
	for _, l := range w.seen() {
		if l.kind == 'R' {
			if seen[l.key] == nil {
				seen[l.key] = map[int]bool{}
			}
			seen[l.key][l.number] = true
		}
	}
	for key, n := range w.next {
		if len(seen[key]) < n {
			return false
		}
	}
	return true
}

// verify holds what was seen against what was put: each record of a key is seen first after its predecessor, and a shard begins after its parents' ends. It gives how
// many were seen again.
func (w *world) verify() (again int) {
	w.t.Helper()
	out, err := w.kinesis.ListShards(w.ctx, &kinesis.ListShardsInput{StreamName: &w.name})
	if err != nil {
		w.t.Fatal(err)
	}
	parents := map[string][]string{}
	for _, shard := range out.Shards {
		for _, parent := range []*string{shard.ParentShardId, shard.AdjacentParentShardId} {
			if parent != nil {
				parents[*shard.ShardId] = append(parents[*shard.ShardId], *parent)
			}
		}
	}
	next, ended := map[string]int{}, map[string]bool{}
	for _, l := range w.seen() {
		switch l.kind {
		case 'I':
			for _, parent := range parents[l.shard] {
				if !ended[parent] {
					w.t.Errorf("%s begins before the end of its parent %s", l.shard, parent)
				}
			}
		case 'E':
			ended[l.shard] = true
		case 'R':
			switch {
			case l.number < next[l.key]:
				again++
			case l.number > next[l.key]:
				w.t.Errorf("%s: %d comes where %d is due, on %s in %s", l.key, l.number, next[l.key], l.worker, l.shard)
				next[l.key] = l.number + 1
			default:
				next[l.key]++
			}
		}
	}
	for key, n := range w.next {
		if next[key] != n {
			w.t.Errorf("%s: %d of %d records seen", key, next[key], n)
		}
	}
	return again
}

// item is one item of the lease table; nil if there is none.
func (w *world) item(key string) map[string]dynamotypes.AttributeValue {
	w.t.Helper()
	out, err := w.dynamo.GetItem(w.ctx, &dynamodb.GetItemInput{TableName: &w.name, ConsistentRead: aws.Bool(true),
		Key: map[string]dynamotypes.AttributeValue{"leaseKey": &dynamotypes.AttributeValueMemberS{Value: key}}})
	if err != nil {
		w.t.Fatal(err)
	}
	if len(out.Item) == 0 {
		return nil
	}
	return out.Item
}

// attribute is a string or number of an item, empty if there is none.
func attribute(item map[string]dynamotypes.AttributeValue, name string) string {
	switch v := item[name].(type) {
	case *dynamotypes.AttributeValueMemberS:
		return v.Value
	case *dynamotypes.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

// safeItem is item before the table is there, too.
func safeItem(w *world, key string) map[string]dynamotypes.AttributeValue {
	out, err := w.dynamo.GetItem(w.ctx, &dynamodb.GetItemInput{TableName: &w.name, ConsistentRead: aws.Bool(true),
		Key: map[string]dynamotypes.AttributeValue{"leaseKey": &dynamotypes.AttributeValueMemberS{Value: key}}})
	if err != nil {
		return nil
	}
	return out.Item
}
