// Package moment goes back in time: it does something to a server step by step, makes backups on the way, and asks every moment between to be as it was.
//
// It owns the comparison of what clients see of a whole server at one moment with what they see of a directory that was restored to it, or repaired. How
// a place with backups is kept is shown in internal/backup.
//
// There is only this file.
package moment

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/backup"
	"github.com/weir-stream/weir/internal/doctor"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/vfs"
)

// patience is how long a test waits for what should take milliseconds.
const patience = 30 * time.Second

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// server is a node whose clock is moved by hand, and a client of it.
type server struct {
	t    *testing.T
	n    *node.Node
	c    *kinesis.Client
	stop func()
}

func start(t *testing.T, dir string) *server {
	t.Helper()
	n, err := node.Start(t.Context(), node.Config{
		DataDir: dir, Dev: true, TestClock: "2026-11-18T13:00:00Z", Listen: "127.0.0.1:0", ConsoleListen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	transport := new(http.Transport)
	s := &server{t: t, n: n}
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		must(t, n.Stop(ctx))
	}
	t.Cleanup(s.stop)
	s.c = kinesis.New(kinesis.Options{
		Region: "eu-west-3", BaseEndpoint: aws.String("http://" + n.Addr()), HTTPClient: &http.Client{Transport: transport},
		// The SDK closes a request's body while the transport may still look for its end; then the connection goes, and with it an answer that is long.
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 10 * time.Millisecond }),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "123456789012", SecretAccessKey: "any"}, nil
		}),
	})
	return s
}

// advance moves the server's clock, and gives where it stands then.
func (s *server) advance(by string) time.Time {
	s.t.Helper()
	response, err := http.Post("http://"+s.n.ConsoleAddr()+"/_weir/clock", "application/json", strings.NewReader(fmt.Sprintf(`{"advance":%q}`, by)))
	must(s.t, err)
	defer response.Body.Close()
	var answer struct{ Now time.Time }
	must(s.t, json.NewDecoder(response.Body).Decode(&answer))
	if answer.Now.IsZero() {
		s.t.Fatalf("the clock answers %s", response.Status)
	}
	return answer.Now
}

// until waits for a stream's status; none is that it is gone.
func (s *server) until(stream, status string) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		out, err := s.c.DescribeStreamSummary(s.t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &stream})
		if err != nil && status == "none" || err == nil && string(out.StreamDescriptionSummary.StreamStatus) == status {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s does not become %s", stream, status)
		}
		s.advance("1ms") // a child's shard opens in a later second
	}
}

func (s *server) put(stream, text string) {
	s.t.Helper()
	in := &kinesis.PutRecordsInput{StreamName: &stream}
	for i := range 20 {
		in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: aws.String(fmt.Sprint("key-", i)), Data: fmt.Appendf(nil, "%s %d", text, i)})
	}
	_, err := s.c.PutRecords(s.t.Context(), in)
	must(s.t, err)
}

// picture is what clients see of everything.
func (s *server) picture() string {
	s.t.Helper()
	var b strings.Builder
	listed, err := s.c.ListStreams(s.t.Context(), nil)
	must(s.t, err)
	for _, name := range listed.StreamNames {
		d, err := s.c.DescribeStreamSummary(s.t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &name})
		must(s.t, err)
		tags, err := s.c.ListTagsForStream(s.t.Context(), &kinesis.ListTagsForStreamInput{StreamName: &name})
		must(s.t, err)
		sum := d.StreamDescriptionSummary
		fmt.Fprintln(&b, name, *sum.StreamARN, sum.StreamStatus, *sum.RetentionPeriodHours, sum.StreamCreationTimestamp.UTC(), *sum.ConsumerCount)
		for _, tag := range tags.Tags {
			fmt.Fprintln(&b, " ", *tag.Key, aws.ToString(tag.Value))
		}
		shards, err := s.c.ListShards(s.t.Context(), &kinesis.ListShardsInput{StreamName: &name})
		must(s.t, err)
		for _, shard := range shards.Shards {
			fmt.Fprintln(&b, " ", *shard.ShardId, *shard.HashKeyRange.StartingHashKey, aws.ToString(shard.ParentShardId), aws.ToString(shard.SequenceNumberRange.EndingSequenceNumber))
			at, err := s.c.GetShardIterator(s.t.Context(), &kinesis.GetShardIteratorInput{StreamName: &name, ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
			must(s.t, err)
			for next := at.ShardIterator; next != nil; {
				got, err := s.c.GetRecords(s.t.Context(), &kinesis.GetRecordsInput{ShardIterator: next})
				must(s.t, err)
				for _, r := range got.Records {
					fmt.Fprintln(&b, "   ", *r.SequenceNumber, *r.PartitionKey, string(r.Data), r.ApproximateArrivalTimestamp.UTC())
				}
				for _, child := range got.ChildShards {
					fmt.Fprintln(&b, "   ends in", *child.ShardId)
				}
				if next = got.NextShardIterator; *got.MillisBehindLatest == 0 {
					break
				}
			}
		}
	}
	return b.String()
}

// instant is a moment and what clients saw then.
type instant struct {
	name string
	at   time.Time
	seen string
}

// history does things to a server, each in a minute of its own, with a backup here and there.
func history(t *testing.T, dir string, place backup.Target) (instants []instant) {
	t.Helper()
	s := start(t, dir)
	name := aws.String
	ctx := t.Context()
	create := func(stream string, shards int32) {
		t.Helper()
		_, err := s.c.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &stream, ShardCount: &shards})
		must(t, err)
		s.until(stream, "ACTIVE")
	}
	remove := func(stream string) {
		t.Helper()
		_, err := s.c.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: &stream, EnforceConsumerDeletion: aws.Bool(true)})
		must(t, err)
		s.until(stream, "none")
	}
	save := func() {
		t.Helper()
		now := s.advance("1s")
		s.stop()
		fs, err := vfs.NewOS(dir)
		must(t, err)
		_, err = backup.Make(ctx, place, backup.Source{Files: fs, Rest: fs, Taken: now}, backup.Options{Weir: "test"})
		must(t, err)
		s = start(t, dir)
	}
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"a stream", func() { create("tolls", 2) }},
		{"records", func() { s.put("tolls", "first"); s.put("tolls", "second") }},
		{"a backup", func() { save() }},
		{"more records", func() { s.put("tolls", "third") }},
		{"tags and retention", func() {
			_, err := s.c.AddTagsToStream(ctx, &kinesis.AddTagsToStreamInput{StreamName: name("tolls"), Tags: map[string]string{"team": "roads"}})
			must(t, err)
			_, err = s.c.IncreaseStreamRetentionPeriod(ctx, &kinesis.IncreaseStreamRetentionPeriodInput{StreamName: name("tolls"), RetentionPeriodHours: aws.Int32(48)})
			must(t, err)
		}},
		{"a split", func() {
			_, err := s.c.SplitShard(ctx, &kinesis.SplitShardInput{StreamName: name("tolls"), ShardToSplit: name("shardId-000000000000"), NewStartingHashKey: name("1000000000000000000000000000000000000")})
			must(t, err)
			s.until("tolls", "ACTIVE")
		}},
		{"records in the children", func() { s.put("tolls", "fourth") }},
		{"another stream", func() { create("gates", 1); s.put("gates", "one") }},
		{"a backup behind it", func() { save() }},
		{"the other one goes", func() { remove("gates") }},
		{"and is made again", func() { create("gates", 2); s.put("gates", "of another life") }},
		{"a last record", func() { s.put("tolls", "fifth") }},
		{"the last backup", func() { save() }},
	} {
		s.advance("1m")
		step.do()
		at := s.advance("1ms").Add(500 * time.Microsecond) // nothing more happens in this millisecond
		instants = append(instants, instant{step.name, at, s.picture()})
	}
	s.stop()
	return instants
}

// Every moment of a history comes back exactly: streams, shards, open and closed ones, tags, records and their sequence numbers; and the server goes on from there, giving
// no number out that is there already. Moments that the backup behind them cannot give, because a stream was deleted in between, are refused by its name.
func TestEveryMoment(t *testing.T) {
	place := backup.NewDir(vfs.NewMem())
	instants := history(t, filepath.Join(t.TempDir(), "data"), place)
	refused := 0
	for i, moment := range instants[:len(instants)-1] {
		dir := filepath.Join(t.TempDir(), "restored")
		fs, err := vfs.NewOS(dir)
		must(t, err)
		out, err := backup.Restore(t.Context(), place, fs, backup.RestoreOptions{At: moment.at})
		if fault.Is(err, fault.NotFound) && strings.Contains(err.Error(), "gates") && moment.name == "a backup behind it" {
			refused++
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", moment.name, err)
		}
		s := start(t, dir)
		if got := s.picture(); got != moment.seen {
			t.Errorf("%s (%v, from backup %s):\n%s\nwant\n%s", moment.name, moment.at, out.Backup, got, moment.seen)
		}
		s.advance("1m")
		if i == 0 || strings.Contains(moment.seen, "first 0") {
			s.put("tolls", "afterwards")
			seen := s.picture()
			numbers := make(map[string]bool)
			for line := range strings.Lines(seen) {
				if number, _, ok := strings.Cut(strings.TrimPrefix(line, "    "), " key-"); ok {
					if numbers[number] {
						t.Errorf("%s: number %s twice", moment.name, number)
					}
					numbers[number] = true
				}
			}
			if strings.Count(seen, "afterwards ") != 20 {
				t.Errorf("%s: what is put now:\n%s", moment.name, seen)
			}
		}
		if !strings.Contains(moment.seen, "gates") { // its group and shards are given out anew
			_, err := s.c.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("gates"), ShardCount: aws.Int32(3)})
			must(t, err)
			s.until("gates", "ACTIVE")
			s.put("gates", "anew")
			if seen := s.picture(); strings.Count(seen, "anew ") != 20 || strings.Contains(seen, "one 0") {
				t.Errorf("%s: a new stream has\n%s", moment.name, seen)
			}
		}
		s.stop()
	}
	if refused != 1 {
		t.Errorf("%d moments were refused, want the one whose stream was gone when the next backup was made", refused)
	}
}

// A restore to a moment that is killed at any call comes to the same end when it is done again in a fresh directory, and never leaves one that opens with something else.
func TestMomentIsKilled(t *testing.T) {
	place := backup.NewDir(vfs.NewMem())
	instants := history(t, filepath.Join(t.TempDir(), "data"), place)
	moment := instants[6] // records in the children
	whole := vfs.NewMem()
	_, err := backup.Restore(t.Context(), place, whole, backup.RestoreOptions{At: moment.at})
	must(t, err)
	for nth := 40; ; nth += 3 { // before that it copies, which internal/backup shows
		mem := vfs.NewMem()
		disk := vfs.NewFaulty(mem, vfs.Rule{Op: vfs.OpWrite | vfs.OpCreate | vfs.OpRename | vfs.OpRemove | vfs.OpSync | vfs.OpSyncDir | vfs.OpMkdir, Nth: nth, Times: -1})
		_, err := backup.Restore(t.Context(), place, disk, backup.RestoreOptions{At: moment.at})
		after := mem.CrashClone(rand.New(rand.NewPCG(uint64(nth), 3)))
		if x, err := doctor.Examine(t.Context(), doctor.Options{FS: after}); err == nil {
			x.Close()
		}
		if _, again := backup.Restore(t.Context(), place, after, backup.RestoreOptions{At: moment.at}); again != nil && !fault.Is(again, fault.Exists) {
			t.Fatalf("after call %d: %v", nth, again)
		}
		if err == nil {
			return
		}
	}
}

// A directory with closed shards, deleted streams and streams of a second life that loses its manifest is put together again from its files.
func TestManifestIsLost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	instants := history(t, dir, backup.NewDir(vfs.NewMem()))
	must(t, os.Remove(filepath.Join(dir, "log", "MANIFEST")))
	fs, err := vfs.NewOS(dir)
	must(t, err)
	x, err := doctor.Examine(t.Context(), doctor.Options{FS: fs})
	must(t, err)
	plan, err := x.Plan(time.Now())
	must(t, err)
	must(t, x.Repair(t.Context(), plan))
	x.Close()
	s := start(t, dir)
	if got, want := s.picture(), instants[len(instants)-1].seen; got != want {
		t.Errorf("%s\nwant\n%s\nplan %+v", got, want, plan.Steps)
	}
}
