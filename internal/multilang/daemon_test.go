package multilang

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"go.uber.org/goleak"

	"github.com/weir-stream/weir/internal/node"
)

// shared is one server for all tests: each has an account of its own.
var shared *node.Node

func serve(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir-multilang-")
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

// record is a processor that appends what it is told to a file, a line each, checkpoints, and only then answers.
func record(file string) {
	out, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(97)
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	shard := ""
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var m struct {
			Action, ShardID, SequenceNumber string
			Records                         []struct{ Data, PartitionKey, SequenceNumber string }
		}
		if err := json.Unmarshal(line, &m); err != nil {
			os.Exit(96)
		}
		switch m.Action {
		case actionCheckpoint:
			continue // of a request that was answered with its status already
		case actionInitialize:
			shard = m.ShardID
			fmt.Fprintf(out, "%s initialize %d %s\n", shard, os.Getpid(), m.SequenceNumber)
		case actionProcessRecords:
			var lines strings.Builder
			for _, r := range m.Records {
				data, _ := base64.StdEncoding.DecodeString(r.Data)
				fmt.Fprintf(&lines, "%s record %s %s\n", shard, r.PartitionKey, data)
			}
			_, _ = out.WriteString(lines.String()) // one write, so that lines of several processes stay whole
		default:
			fmt.Fprintf(out, "%s %s\n", shard, m.Action)
		}
		if m.Action != actionInitialize && m.Action != actionLeaseLost {
			fmt.Fprintf(os.Stdout, "\n{\"action\":\"checkpoint\",\"sequenceNumber\":null}\n")
			if answer, err := in.ReadString('\n'); err != nil || !strings.Contains(answer, `"error":null`) {
				fmt.Fprint(os.Stderr, "no checkpoint: ", answer)
			}
		}
		fmt.Fprintf(os.Stdout, "\n{\"action\":\"status\",\"responseFor\":%q}\n", m.Action)
	}
}

// scene is one test's stream, and the file in which its processors write.
type scene struct {
	t       *testing.T
	kinesis Kinesis
	dynamo  *dynamodb.Client
	file    string
	next    map[string]int
	said    *said
}

var accounts atomic.Int64

func open(t *testing.T, shards int32) *scene {
	t.Helper()
	account := fmt.Sprintf("%012d", 310_000_000_000+accounts.Add(1))
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: account, SecretAccessKey: "any secret will do"}, nil
	})
	endpoint := aws.String("http://" + shared.Addr())
	s := &scene{
		t: t, file: filepath.Join(t.TempDir(), "lines"), next: map[string]int{}, said: &said{},
		kinesis: Kinesis{kinesis.New(kinesis.Options{Region: "us-east-1", BaseEndpoint: endpoint, Credentials: credentials})},
		dynamo:  dynamodb.New(dynamodb.Options{Region: "us-east-1", BaseEndpoint: endpoint, Credentials: credentials}),
	}
	if _, err := s.kinesis.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("words"), ShardCount: &shards}); err != nil {
		t.Fatal(err)
	}
	s.active()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(strings.Join(s.said.all(), "\n"))
		}
	})
	return s
}

func (s *scene) active() {
	s.t.Helper()
	eventually(s.t, "the stream is ACTIVE", func() bool {
		out, err := s.kinesis.DescribeStreamSummary(s.t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("words")})
		if err != nil {
			s.t.Fatal(err)
		}
		return out.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive
	})
}

// put puts n more records of each of 20 keys, numbered on.
func (s *scene) put(n int) {
	s.t.Helper()
	for range n {
		var entries []types.PutRecordsRequestEntry
		for k := range 20 {
			key := "key-" + strconv.Itoa(k)
			entries = append(entries, types.PutRecordsRequestEntry{PartitionKey: aws.String(key), Data: []byte(strconv.Itoa(s.next[key]))})
			s.next[key]++
		}
		out, err := s.kinesis.PutRecords(s.t.Context(), &kinesis.PutRecordsInput{StreamName: aws.String("words"), Records: entries})
		if err != nil || *out.FailedRecordCount > 0 {
			s.t.Fatal(out, err)
		}
	}
}

// lines is what processors have written.
func (s *scene) lines() [][]string {
	text, err := os.ReadFile(s.file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	var all [][]string
	for line := range strings.Lines(string(text)) {
		if strings.HasSuffix(line, "\n") {
			all = append(all, strings.Fields(line))
		}
	}
	return all
}

// judge says whether every record has been seen, and how many came again. The first time, those of a key come in their order.
func (s *scene) judge() (complete bool, again int) {
	seen := map[string]int{}
	for _, line := range s.lines() {
		if line[1] != "record" {
			continue
		}
		number, err := strconv.Atoi(line[3])
		switch {
		case err != nil:
			s.t.Fatal(line)
		case number > seen[line[2]]:
			s.t.Fatalf("%v comes before number %d", line, seen[line[2]])
		case number < seen[line[2]]:
			again++
		default:
			seen[line[2]]++
		}
	}
	return maps.Equal(seen, s.next), again
}

func (s *scene) complete() bool { complete, _ := s.judge(); return complete }

// count is how many lines of an action there are.
func (s *scene) count(action string) int {
	n := 0
	for _, line := range s.lines() {
		if line[1] == action {
			n++
		}
	}
	return n
}

// running is a daemon under test.
type running struct {
	stop context.CancelFunc
	done chan error // capacity 1
}

// start runs a daemon of a properties file, with a leader that is quick to be elected.
func (s *scene) start(more string, restart bool) *running {
	s.t.Helper()
	settings, err := ReadSettings([]byte("executableName = " + os.Args[0] + "\nstreamName = words\napplicationName = words-app\n" +
		"AwsCredentialsProvider = DefaultCredentialsProvider\nretrievalMode = POLLING\nidleTimeBetweenReadsInMillis = 20\ntaskBackoffTimeMillis = 5\n" +
		"parentShardPollIntervalMillis = 50\nfailoverTimeMillis = 1200\nleaseAssignmentIntervalMillis = 150\nshardSyncIntervalMillis = 200\n" +
		"workerMetricsReporterFreqInMillis = 500\nshutdownGraceMillis = 30000\n" + more))
	if err != nil {
		s.t.Fatal(err)
	}
	settings.Worker.LeaderLease, settings.Worker.LeaderHeartbeat = time.Second, 150*time.Millisecond
	d, err := New(Options{
		Settings: settings, Kinesis: s.kinesis, DynamoDB: s.dynamo, Say: s.said.say, Restart: restart, Environment: append(os.Environ(), childMode+"=record:"+s.file),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{stop: stop, done: make(chan error, 1)}
	go func() { r.done <- d.Run(ctx) }()
	s.t.Cleanup(func() { stop(); r.done <- <-r.done })
	return r
}

// end stops a daemon in order.
func (r *running) end(t *testing.T) {
	t.Helper()
	r.stop()
	err := <-r.done
	r.done <- err
	if err != nil {
		t.Fatal(err)
	}
}

// TestDaemon shows the whole: a properties file, several shards, a child for each, checkpoints, an end in order, and the next daemon going on behind them exactly.
func TestDaemon(t *testing.T) {
	t.Parallel()
	s := open(t, 3)
	s.put(10)
	a := s.start("workerId = a", false)
	eventually(t, "every record is seen", s.complete)
	a.end(t)
	if n := s.count("shutdownRequested"); n != 3 || s.count("leaseLost") != 3 || s.count("initialize") != 3 {
		t.Errorf("%d processors were asked to shut down, want 3", n)
	}
	s.put(10)
	b := s.start("workerId = b\nretrievalMode = FANOUT", false)
	eventually(t, "every record is seen", s.complete)
	b.end(t)
	if _, again := s.judge(); again > 0 {
		t.Errorf("%d records came again", again)
	}
	for _, line := range s.lines()[s.firstOf("initialize", 4):] {
		if line[1] == "initialize" && line[3] == "TRIM_HORIZON" {
			t.Errorf("%v begins anew", line)
		}
	}
}

// firstOf is where the n-th line of an action is.
func (s *scene) firstOf(action string, n int) int {
	return slices.IndexFunc(s.lines(), func(line []string) bool {
		if line[1] == action {
			n--
		}
		return n == 0
	})
}

// TestReshard shows that shards end, and their children begin behind them.
func TestReshard(t *testing.T) {
	t.Parallel()
	s := open(t, 2)
	a := s.start("", false)
	s.put(5)
	if _, err := s.kinesis.MergeShards(t.Context(), &kinesis.MergeShardsInput{
		StreamName: aws.String("words"), ShardToMerge: aws.String("shardId-000000000000"), AdjacentShardToMerge: aws.String("shardId-000000000001"),
	}); err != nil {
		t.Fatal(err)
	}
	s.active()
	s.put(5)
	eventually(t, "every record is seen", s.complete)
	eventually(t, "both have ended", func() bool { return s.count("shardEnded") == 2 })
	a.end(t)
	if _, again := s.judge(); again > 0 {
		t.Errorf("%d records came again", again)
	}
}

// kill kills the first process that was started and lives.
func (s *scene) kill() {
	s.t.Helper()
	line := s.lines()[s.firstOf("initialize", 1)]
	pid, err := strconv.Atoi(line[2])
	if err != nil {
		s.t.Fatal(line)
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		s.t.Fatal(err)
	}
}

// TestKilledChild shows that the death of one child ends the daemon, whose other children finish, and that the next one misses nothing.
func TestKilledChild(t *testing.T) {
	t.Parallel()
	s := open(t, 3)
	s.put(10)
	a := s.start("", false)
	eventually(t, "all have begun", func() bool { return s.count("initialize") == 3 && s.count("record") > 0 })
	s.kill()
	err := <-a.done
	a.done <- err
	if err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the daemon ends with %v", err)
	}
	if n := s.count("shutdownRequested"); n != 2 {
		t.Errorf("%d of the others were asked to shut down, want 2", n)
	}
	s.put(10)
	s.start("", false)
	eventually(t, "every record is seen", s.complete)
}

// TestRestart shows the same with Restart: the daemon goes on by itself.
func TestRestart(t *testing.T) {
	t.Parallel()
	s := open(t, 2)
	s.put(10)
	a := s.start("", true)
	eventually(t, "all have begun", func() bool { return s.count("initialize") == 2 && s.count("record") > 0 })
	s.kill()
	s.put(10)
	eventually(t, "every record is seen", s.complete)
	eventually(t, "all have begun again", func() bool { return s.count("initialize") == 4 })
	a.end(t)
}

// TestImpatience shows that a child that does not finish is ended when the grace is over, and that its lease is given up all the same.
func TestImpatience(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	d, err := New(Options{Kinesis: s.kinesis, DynamoDB: s.dynamo, Say: s.said.say, Environment: append(os.Environ(), childMode+"=processRecords:hang"), Settings: &Settings{
		Command: []string{os.Args[0]}, Table: "words-app", Stream: "words", ShutdownGrace: 50 * time.Millisecond, WarnAfter: time.Minute,
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.put(1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	eventually(t, "it hangs", func() bool { return s.said.has(`got {"action":"processRecords"`) })
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !s.said.has("did not finish in time") || !s.said.has("lease released") {
		t.Error("the child finished, or the lease was kept")
	}
}
