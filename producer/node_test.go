package producer_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/producer"
)

// server is a Weir in this process and a plain client of the SDK.
type server struct {
	*kinesis.Client
	t      *testing.T
	node   *node.Node
	config node.Config
}

func serve(t *testing.T, config node.Config) *server {
	t.Helper()
	config.DataDir, config.Dev, config.Listen, config.Logger = t.TempDir(), true, "127.0.0.1:0", slog.New(slog.DiscardHandler)
	s := &server{t: t, config: config}
	s.start()
	t.Cleanup(s.stop)
	var err error
	s.Client, err = client.NewKinesis(client.Options{Endpoint: "http://" + s.node.Addr(), Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *server) start() {
	s.t.Helper()
	n, err := node.Start(context.Background(), s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.node, s.config.Listen = n, n.Addr() // the same address after a restart
}

func (s *server) stop() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.node.Stop(ctx); err != nil {
		s.t.Error(err)
	}
}

func (s *server) stream(name string, shards int) {
	s.t.Helper()
	if _, err := client.EnsureStream(s.t.Context(), s, name, shards); err != nil {
		s.t.Fatal(err)
	}
}

// active waits until a reshard is over.
func (s *server) active(name string) {
	s.t.Helper()
	until(s.t, name+" is ACTIVE", func() bool {
		out, err := s.DescribeStreamSummary(s.t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &name})
		return err == nil && out.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive
	})
}

// list is all shards, or the open ones in order of hash keys.
func (s *server) list(name string, open bool) []types.Shard {
	s.t.Helper()
	in := &kinesis.ListShardsInput{StreamName: &name}
	if open {
		in.ShardFilter = &types.ShardFilter{Type: types.ShardFilterTypeAtLatest}
	}
	out, err := s.ListShards(s.t.Context(), in)
	if err != nil {
		s.t.Fatal(err)
	}
	slices.SortFunc(out.Shards, func(a, b types.Shard) int { return rangeOf(a).Start.Cmp(rangeOf(b).Start) })
	return out.Shards
}

func rangeOf(s types.Shard) record.HashRange {
	start, _ := record.ParseHashKey(*s.HashKeyRange.StartingHashKey)
	end, _ := record.ParseHashKey(*s.HashKeyRange.EndingHashKey)
	return record.HashRange{Start: start, End: end}
}

// read is what a consumer sees: every shard to its end, parents before children, opened, and what is packed with a record that is outside its shard's range passed over, as the KCL does.
func (s *server) read(name string) (all []found, stored int) {
	s.t.Helper()
	shards := s.list(name, false)
	slices.SortFunc(shards, func(a, b types.Shard) int { return strings.Compare(*a.ShardId, *b.ShardId) })
	for _, shard := range shards {
		at, err := s.GetShardIterator(s.t.Context(), &kinesis.GetShardIteratorInput{StreamName: &name, ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		if err != nil {
			s.t.Fatal(err)
		}
		for iterator := at.ShardIterator; iterator != nil; {
			page, err := s.GetRecords(s.t.Context(), &kinesis.GetRecordsInput{ShardIterator: iterator})
			if err != nil {
				s.t.Fatal(err)
			}
			for _, one := range page.Records {
				stored++
				records, _, err := record.Deaggregate(*one.PartitionKey, one.Data)
				if err != nil {
					s.t.Fatal(err)
				}
				if slices.ContainsFunc(records, func(r record.UserRecord) bool {
					hash, err := r.HashKey()
					return err != nil || !rangeOf(shard).Contains(hash)
				}) {
					continue
				}
				for _, r := range records {
					all = append(all, found{r, place{*shard.ShardId, *one.SequenceNumber, int64(r.SubSequence)}})
				}
			}
			if iterator = page.NextShardIterator; len(page.Records) == 0 && aws.ToInt64(page.MillisBehindLatest) == 0 {
				break
			}
		}
	}
	return all, stored
}

// load puts numbered records of many keys from several goroutines until it is stopped, and checks what has become of them.
type load struct {
	t       *testing.T
	p       *producer.Producer
	stopped chan struct{}
	writers sync.WaitGroup
	futures [loadWriters][]*producer.Future
}

const loadWriters, loadKeys = 3, 8

// begin starts the writers; each puts a number of every key of its own, waits for a moment of the producer's, and goes on.
func (l *load) begin() {
	l.stopped = make(chan struct{})
	for w := range loadWriters {
		l.writers.Go(func() {
			tick := time.NewTicker(500 * time.Microsecond)
			defer tick.Stop()
			for n := 0; ; n++ {
				for k := range loadKeys {
					f, err := l.p.Put(context.Background(), producer.UserRecord{Stream: "s", PartitionKey: fmt.Sprintf("w%d-k%d", w, k), Data: fmt.Appendf(nil, "w%d-k%d %d", w, k, n)})
					if err != nil {
						l.t.Error(err)
						return
					}
					l.futures[w] = append(l.futures[w], f)
				}
				select {
				case <-l.stopped:
					return
				case <-tick.C:
				}
			}
		})
	}
}

// end stops the writers, closes the producer and holds what was acknowledged against what a consumer sees.
func (l *load) end(s *server, ordered bool) (attempts int) {
	l.t.Helper()
	close(l.stopped)
	l.writers.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.p.Close(ctx); err != nil {
		l.t.Fatal(err)
	}
	all, stored := s.read("s")
	at := map[place]found{}
	for _, one := range all {
		at[one.place] = one
	}
	count := 0
	for _, futures := range l.futures {
		for _, f := range futures {
			result, err := f.Result()
			if err != nil {
				l.t.Fatal(err)
			}
			key, _, data := f.Record()
			got := at[place{result.ShardID, result.SequenceNumber, result.SubSequenceNumber}]
			if got.PartitionKey != key || string(got.Data) != string(data) {
				l.t.Fatalf("%s is not at %+v, where %q is", data, result, got.Data)
			}
			count++
			attempts += len(result.Attempts)
		}
	}
	next, seen := map[string]int{}, map[string]bool{}
	for _, one := range all {
		if seen[string(one.Data)] || one.PartitionKey == "mark" {
			continue
		}
		seen[string(one.Data)] = true
		key, number, _ := strings.Cut(string(one.Data), " ")
		if n, _ := strconv.Atoi(number); ordered && n != next[key] {
			l.t.Fatalf("key %s: %d comes where %d is due", key, n, next[key])
		}
		next[key]++
	}
	if len(seen) != count {
		l.t.Errorf("%d records are seen of %d", len(seen), count)
	}
	l.t.Logf("%d records, %d attempts, %d seen, stored as %d", count, attempts, len(all), stored)
	return attempts
}

// goOn returns when a record that is put now is acknowledged.
func (l *load) goOn(t *testing.T) {
	t.Helper()
	f, err := l.p.Put(context.Background(), producer.UserRecord{Stream: "s", PartitionKey: "mark"})
	if err != nil {
		t.Fatal(err)
	}
	if _, failure := done(t, f); failure != nil {
		t.Fatal(failure)
	}
}

// TestNodeReshard puts while the stream is split, merged and scaled, ordered and not: what is acknowledged is where it is said to be, in a shard that has its key, exactly as a consumer sees it, and
// no key's records change places.
func TestNodeReshard(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		t.Run(fmt.Sprint("ordered=", ordered), func(t *testing.T) {
			t.Parallel()
			s := serve(t, node.Config{})
			s.stream("s", 2)
			l := &load{t: t, p: begin(t, producer.Options{API: s, Ordered: ordered, RecordMaxBufferedTime: 10 * time.Millisecond, RateLimit: 1e6})}
			l.begin()
			l.goOn(t)
			for range 2 {
				for _, half := range s.list("s", true)[:2] {
					r := rangeOf(half)
					width := r.End.Sub(r.Start)
					middle := r.Start.Add(record.HashKey{Hi: width.Hi / 2, Lo: width.Lo / 2}).Next().String()
					if _, err := s.SplitShard(t.Context(), &kinesis.SplitShardInput{StreamName: aws.String("s"), ShardToSplit: half.ShardId, NewStartingHashKey: &middle}); err != nil {
						t.Fatal(err)
					}
					s.active("s")
					l.goOn(t)
				}
				open := s.list("s", true)
				if _, err := s.MergeShards(t.Context(), &kinesis.MergeShardsInput{StreamName: aws.String("s"), ShardToMerge: open[1].ShardId, AdjacentShardToMerge: open[2].ShardId}); err != nil {
					t.Fatal(err)
				}
				s.active("s")
				l.goOn(t)
			}
			if _, err := s.UpdateShardCount(t.Context(), &kinesis.UpdateShardCountInput{StreamName: aws.String("s"), TargetShardCount: aws.Int32(3), ScalingType: types.ScalingTypeUniformScaling}); err != nil {
				t.Fatal(err)
			}
			s.active("s")
			l.goOn(t)
			l.end(s, ordered)
		})
	}
}

// TestNodeThrottled puts more than a shard takes: refused records go again, in their order, until all are in.
func TestNodeThrottled(t *testing.T) {
	s := serve(t, node.Config{Limits: "aws"})
	s.stream("s", 1)
	p := begin(t, producer.Options{API: s, Ordered: true, RateLimit: 1e6, AggregationMaxSize: 200 << 10})
	var all []*producer.Future
	for i := range 30 {
		all = append(all, put(t, p, "k", fmt.Sprintf("%d %s", i, strings.Repeat("x", 60<<10))))
	}
	again := 0
	for _, f := range all {
		result, failure := done(t, f)
		if failure != nil {
			t.Fatal(failure)
		}
		for _, a := range result.Attempts[:len(result.Attempts)-1] {
			if a.ErrorCode != "ProvisionedThroughputExceededException" {
				t.Errorf("%+v", a)
			}
			again++
		}
	}
	if again == 0 {
		t.Error("nothing was refused")
	}
	seen, _ := s.read("s")
	for i, one := range seen {
		if !strings.HasPrefix(string(one.Data), fmt.Sprint(i, " ")) {
			t.Errorf("record %d is %.10q", i, one.Data)
		}
	}
}

// TestNodeRestart stops the server under load and starts it again: no record is lost, and none of a key changes places.
func TestNodeRestart(t *testing.T) {
	s := serve(t, node.Config{})
	s.stream("s", 2)
	l := &load{t: t, p: begin(t, producer.Options{API: s, Ordered: true, RecordMaxBufferedTime: 10 * time.Millisecond})}
	l.begin()
	for range 2 {
		l.goOn(t)
		s.stop()
		s.start()
	}
	l.goOn(t)
	l.end(s, true)
}

// TestNodeMetrics finds the KPL's metrics in the server's CloudWatch, by stream and shard.
func TestNodeMetrics(t *testing.T) {
	s := serve(t, node.Config{})
	s.stream("s", 1)
	cloud := cloudwatch.New(cloudwatch.Options{Region: "us-east-1", BaseEndpoint: aws.String("http://" + s.node.Addr()), Credentials: s.Options().Credentials})
	p := begin(t, producer.Options{API: s, CloudWatch: cloud, Notice: func(err error) { t.Error(err) }})
	for range 10 {
		put(t, p, "k", "12345")
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	names := map[string]int{}
	out, err := cloud.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{Namespace: aws.String("KinesisProducerLibrary")})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range out.Metrics {
		names[*m.MetricName]++
	}
	for name, want := range map[string]int{ // by everything, stream and shard; UserRecordsPending is the producer's, and a request is the stream's
		"UserRecordsReceived": 2, "UserRecordsPending": 1, "UserRecordsPut": 3, "UserRecordsDataPut": 3, "KinesisRecordsPut": 3, "KinesisRecordsDataPut": 3, "AllErrors": 3, "RetriesPerRecord": 3,
		"BufferingTime": 3, "RequestTime": 2, "UserRecordsPerKinesisRecord": 3, "KinesisRecordsPerPutRecordsRequest": 2, "UserRecordsPerPutRecordsRequest": 2,
	} {
		if names[name] != want {
			t.Errorf("%s has %d metrics, want %d", name, names[name], want)
		}
	}
	got, err := cloud.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("KinesisProducerLibrary"), MetricName: aws.String("UserRecordsDataPut"), StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now().Add(time.Hour)),
		Period: aws.Int32(7200), Statistics: []cloudwatchtypes.Statistic{"Sum", "SampleCount"},
		Dimensions: []cloudwatchtypes.Dimension{{Name: aws.String("StreamName"), Value: aws.String("s")}, {Name: aws.String("ShardId"), Value: aws.String("shardId-000000000000")}},
	})
	if err != nil || len(got.Datapoints) == 0 {
		t.Fatalf("%d statistics, %v", len(got.Datapoints), err)
	}
	sum, samples := 0.0, 0.0
	for _, d := range got.Datapoints {
		sum, samples = sum+*d.Sum, samples+*d.SampleCount
	}
	if sum != 50 || samples != 10 {
		t.Errorf("%v bytes in %v records", sum, samples)
	}
}
