package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// The stream at the beginning and after the reshard, and its keys.
const (
	shards   = 8
	reshards = 12
	keys     = 40
	total    = 3000 // records of each key, whatever happens how fast
)

// version is that of the Java side, on the page of compatibility.
const version = "amazon-kinesis-client 3.5.1"

// patience is for workers to agree: a leader in Java balances every third of its rounds, which are 8 s apart.
const patience = 150 * time.Second

// prove runs every scenario, all side by side, and prints a line for each, as all scripts of interop do.
func prove(classpath string) error {
	dir, err := os.MkdirTemp("", "weir-mixed-")
	if err != nil {
		return err
	}
	var failed atomic.Bool
	var all sync.WaitGroup
	for _, s := range []*scenario{
		{name: "mixed-java", title: "KCL 3.5 for Java first, then consumer in Go, polling: one table", mode: "polling", javaFirst: true,
			what: "two workers in Java and two in Go share one lease table that Java made: one leader, one balance, checkpoints of each other"},
		{name: "mixed-go", title: "consumer in Go first, then KCL 3.5 for Java, fan-out: one table", mode: "fan-out",
			what: "two workers in Go and two in Java share one lease table that Go made"},
	} {
		if only := os.Getenv("WEIR_MIXED"); only != "" && !strings.Contains(s.name, only) {
			continue
		}
		all.Go(func() {
			counted, err := s.run(context.Background(), classpath, dir)
			if err != nil {
				failed.Store(true)
				fmt.Printf("not ok %s: %s\n", s.title, strings.ReplaceAll(err.Error(), "\n", " "))
				return
			}
			fmt.Printf("# %[1]s: %[2]s\nok %[1]s\n= %[3]s | %[4]s | %[5]s | %[6]d records of %[7]d keys | every one, in order of its key | "+
				"the leader and a worker of the other kind killed, and replaced; a reshard from %[8]d to %[9]d shards; shards handed over in order from %[10]s\n",
				s.title, counted, "KCL for Java with package consumer, "+s.mode, version, s.what, total*keys, keys, shards, reshards, map[bool]string{true: "Java to Go", false: "Go to Java"}[s.javaFirst])
		})
	}
	all.Wait()
	if failed.Load() {
		return fmt.Errorf("logs are in %s", dir)
	}
	return os.RemoveAll(dir)
}

// scenario is an application of four workers, two of a kind. Those of the second kind join one that those of the first have made and lead.
type scenario struct {
	clients
	name, title string
	mode        string
	javaFirst   bool
	what        string // for the page
	app         *application
	each        atomic.Int64 // records of every key that were put
}

// run is the scenario's story.
func (s *scenario) run(ctx context.Context, classpath, dir string) (counted string, err error) {
	began := time.Now()
	s.clients = newClients()
	s.app = &application{name: s.name, mode: s.mode, classpath: classpath, dir: dir, workers: map[string]*process{}}
	defer s.app.close()
	if _, err := s.kinesis.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &s.name, ShardCount: aws.Int32(shards)}); err != nil {
		return "", err
	}
	if err := s.active(ctx); err != nil {
		return "", err
	}
	putting, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.put(putting) }()
	defer func() {
		stop()
		if ended != nil {
			err = errors.Join(err, <-ended)
		}
	}()

	first, second := s.app.startGo, s.app.startJava
	firstKind, secondKind := "-go", "-java"
	if s.javaFirst {
		first, second, firstKind, secondKind = second, first, secondKind, firstKind
	}
	if err := first("a"); err != nil {
		return "", err
	}
	if err := s.until(ctx, "the table has its index", s.indexed); err != nil {
		return "", err
	}
	if err := first("b"); err != nil {
		return "", err
	}
	if err := s.until(ctx, "both workers of the first kind have shards", func() (bool, error) {
		return len(s.app.holders()) == shards && len(s.app.spread()) == 2, nil
	}); err != nil {
		return "", err
	}
	if err := errors.Join(second("c"), second("d")); err != nil {
		return "", err
	}
	if err := s.until(ctx, "all four workers have shards", func() (bool, error) {
		return len(s.app.holders()) == shards && len(s.app.spread()) == 4, nil
	}); err != nil {
		return "", err
	}
	spread := s.app.spread()
	leader, err := s.leader(ctx)
	if err != nil {
		return "", err
	}
	if !strings.HasSuffix(leader, firstKind) {
		return "", fmt.Errorf("%q leads, which is not of the kind that was first", leader)
	}
	if s.handoffs(firstKind, secondKind) == 0 {
		return "", errors.New("no shard was handed from the first kind to the second")
	}

	// The leader and one of the other kind die while the stream is resharded.
	victims := []string{leader, "c" + secondKind}
	if _, err := s.kinesis.UpdateShardCount(ctx, &kinesis.UpdateShardCountInput{StreamName: &s.name, TargetShardCount: aws.Int32(reshards), ScalingType: types.ScalingTypeUniformScaling}); err != nil {
		return "", err
	}
	for _, victim := range victims {
		if err := s.app.kill(victim); err != nil {
			return "", err
		}
	}
	killed := time.Now()
	if err := s.active(ctx); err != nil {
		return "", err
	}
	if err := s.until(ctx, "the two that live process all children", func() (bool, error) { return s.all(ctx, victims) }); err != nil {
		return "", err
	}
	moved := time.Since(killed)
	if leader, err = s.leader(ctx); err != nil {
		return "", err
	}

	// Replacements come, and whoever leads now gives them something: shards move both ways between the kinds.
	if err := errors.Join(first("e"), second("f")); err != nil {
		return "", err
	}
	if err := s.until(ctx, "the replacements have shards", func() (bool, error) {
		all, err := s.all(ctx, victims)
		return all && len(s.app.spread()) == 4, err
	}); err != nil {
		return "", err
	}
	stop()
	if err := <-ended; err != nil {
		ended = nil
		return "", err
	}
	ended = nil
	const want = total * keys
	if err := s.until(ctx, "every record is seen", func() (bool, error) { return s.app.seen() == want, nil }); err != nil {
		return "", fmt.Errorf("%w: %d of %d", err, s.app.seen(), want)
	}
	toSecond, toFirst := s.handoffs(firstKind, secondKind), s.handoffs(secondKind, firstKind)
	if err := s.app.stop(); err != nil {
		return "", err
	}
	verified, err := s.verify(ctx)
	if err != nil {
		return "", err
	}
	if err := s.until(ctx, "metrics of both kinds are there", func() (bool, error) { return s.metrics(ctx) }); err != nil {
		return "", err
	}
	return fmt.Sprintf("amazon-kinesis-client 3.5.1 and consumer, %s; %s; shards by worker %v; killed -9: %v, of which the first led, and their shards and the children of a reshard from %d to %d were processed %s later; then %s led; "+
		"handed over in order: %d%s to%s, %d%s to%s; %s", s.mode, verified, spread, victims, shards, reshards, moved.Round(time.Second), leader, toSecond, firstKind, secondKind, toFirst, secondKind, firstKind,
		time.Since(began).Round(time.Second)), nil
}

func (s *scenario) until(ctx context.Context, what string, condition func() (bool, error)) error {
	if err := until(ctx, what, patience, condition); err != nil {
		return fmt.Errorf("%w; shards by worker %v, %d shards held", err, s.app.spread(), len(s.app.holders()))
	}
	return nil
}

// put puts one record of each key again and again, ten times a second, and what is left of the total at once when the story is told.
func (s *scenario) put(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	told := ctx.Done()
	for s.each.Load() < total {
		var entries []types.PutRecordsRequestEntry
		for k := range keys {
			entries = append(entries, types.PutRecordsRequestEntry{PartitionKey: aws.String("key-" + strconv.Itoa(k)), Data: []byte(strconv.FormatInt(s.each.Load(), 10))})
		}
		out, err := s.kinesis.PutRecords(context.WithoutCancel(ctx), &kinesis.PutRecordsInput{StreamName: &s.name, Records: entries})
		if err != nil {
			return err
		}
		if *out.FailedRecordCount > 0 {
			return fmt.Errorf("%d records failed", *out.FailedRecordCount)
		}
		s.each.Add(1)
		select {
		case <-told:
		case <-tick.C:
		}
	}
	return nil
}

func (s *scenario) active(ctx context.Context) error {
	return until(ctx, "the stream is ACTIVE", patience, func() (bool, error) {
		out, err := s.kinesis.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &s.name})
		return err == nil && out.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive, err
	})
}

// indexed says whether the lease table has its index. A second worker in Java that came before would be given no lease for minutes.
func (s *scenario) indexed() (bool, error) {
	out, err := s.dynamo.DescribeTable(context.Background(), &dynamodb.DescribeTableInput{TableName: &s.name})
	var missing *dynamotypes.ResourceNotFoundException
	if errors.As(err, &missing) {
		return false, nil
	}
	return err == nil && len(out.Table.GlobalSecondaryIndexes) > 0, err
}

func (s *scenario) leader(ctx context.Context) (string, error) {
	out, err := s.dynamo.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.name, ConsistentRead: aws.Bool(true),
		Key: map[string]dynamotypes.AttributeValue{"leaseKey": &dynamotypes.AttributeValueMemberS{Value: "Leader"}}})
	if err != nil {
		return "", err
	}
	if owner, ok := out.Item["ownerName"].(*dynamotypes.AttributeValueMemberS); ok {
		return owner.Value, nil
	}
	return "", nil
}

// all says whether every open shard is processed, none of them by one that was killed.
func (s *scenario) all(ctx context.Context, killed []string) (bool, error) {
	out, err := s.kinesis.ListShards(ctx, &kinesis.ListShardsInput{StreamName: &s.name, ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAtLatest}})
	if err != nil {
		return false, err
	}
	holders := s.app.holders()
	for _, shard := range out.Shards {
		holder := holders[*shard.ShardId]
		if holder == "" || holder == killed[0] || holder == killed[1] {
			return false, nil
		}
	}
	return len(out.Shards) == reshards, nil
}

// metrics says whether workers of both kinds have reported how many leases they had, as the same metric.
func (s *scenario) metrics(ctx context.Context) (bool, error) {
	kinds := map[string]bool{}
	pages := cloudwatch.NewListMetricsPaginator(s.cloudwatch, &cloudwatch.ListMetricsInput{Namespace: &s.name, MetricName: aws.String("CurrentLeases")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return false, err
		}
		for _, metric := range page.Metrics {
			for _, d := range metric.Dimensions {
				if _, kind, ok := strings.Cut(*d.Value, "-"); ok && *d.Name == "WorkerIdentifier" {
					kinds[kind] = true
				}
			}
		}
	}
	return kinds["go"] && kinds["java"], nil
}

// handoffs counts shards that a worker of one kind gave up when asked, and one of the other took on.
func (s *scenario) handoffs(from, to string) (n int) {
	gave := map[string]string{}
	for _, l := range s.app.said() {
		switch l.kind {
		case 'S':
			gave[l.shard] = l.worker
		case 'I':
			if strings.HasSuffix(gave[l.shard], from) && strings.HasSuffix(l.worker, to) {
				n++
			}
			delete(gave, l.shard)
		}
	}
	return n
}

// verify holds what was read against what was put: every record is seen, none before its predecessor of the same key, and a shard begins after its parents' ends. A
// record comes again only where a worker was killed or a checkpoint refused, never where a shard was handed over.
func (s *scenario) verify(ctx context.Context) (counted string, err error) {
	out, err := s.kinesis.ListShards(ctx, &kinesis.ListShardsInput{StreamName: &s.name})
	if err != nil {
		return "", err
	}
	parents := map[string][]string{}
	for _, shard := range out.Shards {
		for _, parent := range []*string{shard.ParentShardId, shard.AdjacentParentShardId} {
			if parent != nil {
				parents[*shard.ShardId] = append(parents[*shard.ShardId], *parent)
			}
		}
	}
	next, ended, began := map[string]int{}, map[string]bool{}, map[string]bool{}
	gave, inOrder := map[string]bool{}, map[string]bool{} // of shards: was given up in order; was taken on after that
	again, refused, byKind := 0, 0, map[string]int{}
	for _, l := range s.app.said() {
		switch l.kind {
		case 'I':
			began[l.shard] = true
			inOrder[l.shard], gave[l.shard] = gave[l.shard], false
			for _, parent := range parents[l.shard] {
				if !ended[parent] {
					err = errors.Join(err, fmt.Errorf("%s begins before its parent %s has ended", l.shard, parent))
				}
			}
		case 'S':
			gave[l.shard] = true
		case 'X': // on a machine that stood still a lease may expire while it is handed over
			gave[l.shard] = false
			refused++
		case 'E':
			ended[l.shard] = true
		case 'R':
			switch {
			case l.number < next[l.key]:
				again++
				if inOrder[l.shard] {
					err = errors.Join(err, fmt.Errorf("%s %d comes again from %s, which was handed over in order to %s", l.key, l.number, l.shard, l.worker))
				}
			case l.number > next[l.key]:
				return "", fmt.Errorf("%s has a gap: %d comes where %d is due, from %s in %s", l.key, l.number, next[l.key], l.shard, l.worker)
			default:
				next[l.key]++
				byKind[filepath.Ext(strings.ReplaceAll(l.worker, "-", "."))]++
			}
		}
	}
	for k := range keys {
		if n := next["key-"+strconv.Itoa(k)]; n != total {
			err = errors.Join(err, fmt.Errorf("key-%d: %d of %d records seen", k, n, total))
		}
	}
	return fmt.Sprintf("sent %d records of %d keys, received each, in order, with no gap (%d in Java, %d in Go), %d again, %d checkpoints refused; %d shards, %d of them to their end",
		total*keys, keys, byKind[".java"], byKind[".go"], again, refused, len(began), len(ended)), err
}
