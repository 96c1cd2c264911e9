package crash

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

const (
	mappedTable   = "plates"
	mappedWriters = 4
	removeEvery   = 5 // the step of an item that removes it; the others set n to their number
)

// TestKillMapping shows what kill -9 does to a table whose changes a function is given: nothing that was acknowledged is lost, the changes are the table's history, each once,
// and the function sees each in order. It may see changes twice: those of the one batch that was under way when the server was killed, and no others.
//
// The kills come in turn after a write was acknowledged (before its change is read), while the function has a batch (before the checkpoint), right after it has answered, and at any moment.
func TestKillMapping(t *testing.T) {
	kills, seed := killsAndSeed(t)
	r := rand.New(rand.NewPCG(seed, 2))
	m := &mapped{t: t, dir: t.TempDir(), shardOf: map[string]string{}}
	remote := httptest.NewUnstartedServer(http.HandlerFunc(m.invoked))
	remote.Config.ConnContext = m.connected
	remote.Start()
	t.Cleanup(remote.Close)
	m.start()
	m.make(remote.URL, int32(2+r.IntN(9)))
	for kill := range kills {
		m.round(&killing{kind: kill % 4, after: 1 + r.IntN(40), wait: time.Duration(r.IntN(300_000)) * time.Microsecond})
		m.start()
		m.settle()
		if t.Failed() {
			t.Fatalf("after kill %d", kill)
		}
	}
	steps := 0
	for i := range m.steps {
		steps += m.steps[i]
	}
	changes := m.changes()
	m.waitFor(steps)
	m.server.kill() // nothing runs while it is judged
	m.judge(changes, kills)
	t.Logf("%d kills, %d changes, %d batches, %d changes given again", kills, len(changes), len(m.batches), m.again)
}

// mapped is the table, its writers, and the function that is given its changes.
type mapped struct {
	t      *testing.T
	dir    string
	server *server
	tables *dynamodb.Client
	stream string
	// steps are how far each writer's item is, acknowledged; only the writer's goroutine of a round, and the test between rounds, touch it.
	steps [mappedWriters]int

	mu      sync.Mutex   // guards everything below
	now     *killing     // of the round; nil when nothing is to be killed
	invokes int          // of the round
	writes  int          // of the round, acknowledged
	run     int          // how many kills there were
	batches []givenBatch // of a run in order
	seen    int          // changes that were given, repeated ones once
	known   map[string]bool

	shardOf map[string]string // by sequence number
	again   int
}

// killing is when to kill.
type killing struct {
	kind  int           // after a write; in the function; after its answer; at any moment
	after int           // writes, or invocations
	wait  time.Duration // from the start of the writers: any moment; a hundredth of it from the answer
	once  sync.Once
}

const (
	killAfterWrite = iota
	killInFunction
	killAfterAnswer
	killAnyMoment
)

// givenBatch is one event that the function was given.
type givenBatch struct {
	run     int // after how many kills
	changes []change
}

// change is one change of an item.
type change struct {
	sequence, key, name string
	step                int
}

func (m *mapped) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// start starts the server on what is there.
func (m *mapped) start() {
	m.server = startServer(m.t, m.dir)
	m.t.Cleanup(m.server.kill)
	o := m.server.Options()
	m.tables = dynamodb.New(dynamodb.Options{Region: o.Region, BaseEndpoint: o.BaseEndpoint, Credentials: o.Credentials, Retryer: aws.NopRetryer{}})
}

// make makes the table, the function and the mapping.
func (m *mapped) make(url string, batch int32) {
	ctx := m.t.Context()
	created, err := m.tables.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: aws.String(mappedTable), BillingMode: types.BillingModePayPerRequest, KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("k"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("k"), AttributeType: types.ScalarAttributeTypeS}},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	m.must(err)
	m.stream = *created.TableDescription.LatestStreamArn
	o := m.server.Options()
	functions := lambda.New(lambda.Options{Region: o.Region, BaseEndpoint: o.BaseEndpoint, Credentials: o.Credentials, Retryer: aws.NopRetryer{}})
	var code bytes.Buffer
	w := zip.NewWriter(&code)
	_, err = w.Create("bootstrap") // never run: the function is a remote one
	m.must(err)
	m.must(w.Close())
	_, err = functions.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: aws.String("f"), Role: aws.String("arn:aws:iam::123456789012:role/f"), Runtime: lambdatypes.RuntimeProvidedal2023, Handler: aws.String("any"), Timeout: aws.Int32(60),
		Code: &lambdatypes.FunctionCode{ZipFile: code.Bytes()}, Environment: &lambdatypes.Environment{Variables: map[string]string{"WEIR_FUNCTION_URL": url}},
	})
	m.must(err)
	mapping, err := functions.CreateEventSourceMapping(ctx, &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String("f"), EventSourceArn: &m.stream, StartingPosition: lambdatypes.EventSourcePositionTrimHorizon, BatchSize: &batch,
	})
	m.must(err)
	m.eventually("the mapping to be Enabled", func() bool {
		got, err := functions.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: mapping.UUID})
		m.must(err)
		return *got.State == "Enabled"
	})
}

// round writes until the server is killed.
func (m *mapped) round(k *killing) {
	m.mu.Lock()
	m.now, m.invokes, m.writes = k, 0, 0
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	dead := make(chan struct{})
	go func() { // also at any moment, so that a kill that waits for an invocation comes
		defer close(dead)
		wait := k.wait
		if k.kind != killAnyMoment {
			wait = 10 * time.Second
		}
		late := time.AfterFunc(wait, func() { m.kill(k) })
		defer late.Stop()
		_ = m.server.cmd.Wait() // killed
	}()
	var writers sync.WaitGroup
	for i := range mappedWriters {
		writers.Go(func() {
			for m.write(ctx, i, m.steps[i]+1) == nil {
				m.steps[i]++
				m.mu.Lock()
				m.writes++
				kill := k.kind == killAfterWrite && m.writes == k.after
				m.mu.Unlock()
				if kill {
					m.kill(k)
				}
			}
		})
	}
	writers.Wait()
	<-dead
	m.mu.Lock()
	m.now = nil
	m.run++
	m.mu.Unlock()
}

// kill is kill -9, once a round.
func (m *mapped) kill(k *killing) {
	k.once.Do(func() { _ = m.server.cmd.Process.Kill() })
}

func keyOf(writer int) string { return "plate-" + strconv.Itoa(writer) }

// write makes one step of an item, which only the step before allows: what is asked for twice is refused.
func (m *mapped) write(ctx context.Context, writer, step int) error {
	key := map[string]types.AttributeValue{"k": &types.AttributeValueMemberS{Value: keyOf(writer)}}
	number := func(n int) types.AttributeValue { return &types.AttributeValueMemberN{Value: strconv.Itoa(n)} }
	if step%removeEvery == 0 {
		_, err := m.tables.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: aws.String(mappedTable), Key: key, ConditionExpression: aws.String("n = :before"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":before": number(step - 1)}})
		return err
	}
	_, err := m.tables.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: aws.String(mappedTable), Key: key, UpdateExpression: aws.String("SET n = :n"),
		ConditionExpression: aws.String("n = :before OR attribute_not_exists(n)"), ExpressionAttributeValues: map[string]types.AttributeValue{":n": number(step), ":before": number(step - 1)}})
	return err
}

// settle looks at what became of the writes that the kill left without an answer: each was done or not, and what was acknowledged is there.
func (m *mapped) settle() {
	for i := range m.steps {
		got, err := m.tables.GetItem(m.t.Context(), &dynamodb.GetItemInput{TableName: aws.String(mappedTable), ConsistentRead: aws.Bool(true),
			Key: map[string]types.AttributeValue{"k": &types.AttributeValueMemberS{Value: keyOf(i)}}})
		m.must(err)
		there := func(step int) bool { // the item is as after this step
			n, is := got.Item["n"].(*types.AttributeValueMemberN)
			if step%removeEvery == 0 {
				return !is
			}
			return is && n.Value == strconv.Itoa(step)
		}
		switch {
		case there(m.steps[i]):
		case there(m.steps[i] + 1):
			m.steps[i]++
		default:
			m.t.Errorf("%s: step %d was acknowledged, the table has %v", keyOf(i), m.steps[i], got.Item)
		}
	}
}

// runKey is where a connection has the number of kills before it: a server that is killed has connections of its own, whose requests may be read late.
type runKey struct{}

func (m *mapped) connected(ctx context.Context, _ net.Conn) context.Context {
	m.mu.Lock()
	defer m.mu.Unlock()
	return context.WithValue(ctx, runKey{}, m.run)
}

// invoked is the function.
func (m *mapped) invoked(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var event struct {
		Records []struct {
			EventName string
			Dynamodb  struct {
				Keys, OldImage, NewImage map[string]map[string]string
				SequenceNumber           string
			}
		}
	}
	if err == nil {
		err = json.Unmarshal(body, &event)
	}
	if err != nil || len(event.Records) == 0 {
		if r.Context().Err() == nil {
			m.t.Errorf("an event of %d bytes: %v", len(body), err)
		}
		return
	}
	var given []change
	for _, e := range event.Records {
		given = append(given, change{e.Dynamodb.SequenceNumber, e.Dynamodb.Keys["k"]["S"], e.EventName, stepOf(e.Dynamodb.OldImage["n"]["N"], e.Dynamodb.NewImage["n"]["N"])})
	}
	m.mu.Lock()
	k := m.now
	m.invokes++
	kill := k != nil && m.invokes == 1+k.after/4
	m.batches = append(m.batches, givenBatch{r.Context().Value(runKey{}).(int), given})
	if m.known == nil {
		m.known = map[string]bool{}
	}
	for _, c := range given {
		if !m.known[c.sequence] {
			m.known[c.sequence] = true
			m.seen++
		}
	}
	m.mu.Unlock()
	if kill && k.kind == killInFunction { // it has done its work, and nobody hears of it
		m.kill(k)
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Length", "2") // so that it is whole when it is flushed
	_, _ = io.WriteString(w, "{}")        // a server that is gone does not take it
	if kill && k.kind == killAfterAnswer {
		_ = http.NewResponseController(w).Flush()
		<-time.After(k.wait / 100)
		m.kill(k)
	}
}

// stepOf is which step a change was, by the number before and after it.
func stepOf(before, after string) int {
	if n, err := strconv.Atoi(after); err == nil {
		return n
	}
	n, _ := strconv.Atoi(before)
	return n + 1
}

// changes reads the table's change stream, whole.
func (m *mapped) changes() (all []change) {
	ctx, o := m.t.Context(), m.server.Options()
	client := dynamodbstreams.New(dynamodbstreams.Options{Region: o.Region, BaseEndpoint: o.BaseEndpoint, Credentials: o.Credentials})
	described, err := client.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &m.stream})
	m.must(err)
	number := func(image map[string]streamtypes.AttributeValue) string {
		if n, is := image["n"].(*streamtypes.AttributeValueMemberN); is {
			return n.Value
		}
		return ""
	}
	for _, shard := range described.StreamDescription.Shards {
		iterator, err := client.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{StreamArn: &m.stream, ShardId: shard.ShardId, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon})
		m.must(err)
		for it := iterator.ShardIterator; it != nil; {
			got, err := client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: it})
			m.must(err)
			for _, r := range got.Records {
				c := change{*r.Dynamodb.SequenceNumber, "", string(r.EventName), stepOf(number(r.Dynamodb.OldImage), number(r.Dynamodb.NewImage))}
				if k, is := r.Dynamodb.Keys["k"].(*streamtypes.AttributeValueMemberS); is {
					c.key = k.Value
				}
				m.shardOf[c.sequence] = *shard.ShardId
				all = append(all, c)
			}
			if it = got.NextShardIterator; len(got.Records) == 0 {
				break
			}
		}
	}
	return all
}

// waitFor waits until the function was given so many different changes.
func (m *mapped) waitFor(changes int) {
	m.eventually(fmt.Sprintf("%d changes to be given", changes), func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.seen >= changes
	})
}

func (m *mapped) eventually(what string, is func() bool) {
	m.t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-deadline.C:
			m.t.Fatalf("waited a minute for %s", what)
		case <-tick.C:
		}
	}
}

// judge holds the changes against the table's history, and what the function was given against the changes.
func (m *mapped) judge(changes []change, kills int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[string]int{} // step, by key
	for _, c := range changes {
		next[c.key]++
		name := "MODIFY"
		switch step := next[c.key]; {
		case step%removeEvery == 0:
			name = "REMOVE"
		case step%removeEvery == 1:
			name = "INSERT"
		}
		if c.step != next[c.key] || c.name != name {
			m.t.Errorf("the change stream has %s of step %d of %s, want %s of %d", c.name, c.step, c.key, name, next[c.key])
			return
		}
	}
	for i, step := range m.steps {
		if next[keyOf(i)] != step {
			m.t.Errorf("%s made %d steps, the change stream has %d", keyOf(i), step, next[keyOf(i)])
		}
	}
	m.judgeGiven(changes, kills)
}

// judgeGiven follows each shard through what was given of it: every batch goes on where the one before ended, except the first after a kill, which may begin where the last one
// before the kill began.
func (m *mapped) judgeGiven(changes []change, kills int) {
	shards := map[string][]change{}
	at := map[string]int{} // by sequence number, in its shard
	for _, c := range changes {
		shard := m.shardOf[c.sequence]
		at[c.sequence] = len(shards[shard])
		shards[shard] = append(shards[shard], c)
	}
	type position struct{ run, begin, end int } // of the last batch
	last := map[string]position{}
	slices.SortStableFunc(m.batches, func(a, b givenBatch) int { return a.run - b.run })
	for _, b := range m.batches {
		shard := m.shardOf[b.changes[0].sequence]
		begin, was := at[b.changes[0].sequence], last[shard]
		if begin != was.end {
			if b.run == was.run || begin != was.begin {
				m.t.Errorf("%s: after changes %d to %d, after kill %d, came one that begins with %d, after kill %d", shard, was.begin, was.end-1, was.run, begin, b.run)
				return
			}
			m.again += was.end - begin
		}
		for i, c := range b.changes {
			if begin+i >= len(shards[shard]) || c != shards[shard][begin+i] {
				m.t.Errorf("%s: the function was given %+v as change %d", shard, c, begin+i)
				return
			}
		}
		last[shard] = position{b.run, begin, begin + len(b.changes)}
	}
	for shard, all := range shards {
		if last[shard].end != len(all) {
			m.t.Errorf("%s: the function was given %d of %d changes", shard, last[shard].end, len(all))
		}
	}
	if m.run != kills {
		m.t.Errorf("%d runs, %d kills", m.run, kills)
	}
}
