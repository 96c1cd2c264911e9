package upgrade

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/controller"
	"github.com/weir-stream/weir/internal/vfs"
)

// madeAt is where the test clock of a directory stands when it is made.
var madeAt = time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)

// TestMakeDirectory writes a pair into testdata when -make names it. Without, it shows that the making works: the directory is made, and opens.
func TestMakeDirectory(t *testing.T) {
	dir := t.TempDir()
	said := makeDirectory(t, dir)
	n, stop := start(t, devConfig(dir))
	same(t, "opened by the Weir that made it", look(t, n, said), said.Accounts)
	stop()
	if *makeName == "" {
		return
	}
	fresh := filepath.Join(t.TempDir(), "data")
	said = makeDirectory(t, fresh)
	b, err := json.MarshalIndent(said, "", " ")
	must(t, err)
	must(t, os.WriteFile(filepath.Join("testdata", *makeName+".json"), append(b, '\n'), 0o644))
	pack(t, fresh, filepath.Join("testdata", *makeName+".tar.gz"))
}

// makeDirectory fills a data directory with something of everything: streams of one and several shards in two accounts, tags, retention, a size of
// records, a deleted stream, records by partition key and by explicit hash key in segments and in the journal, control commands behind and
// before a snapshot, a key.
func makeDirectory(t *testing.T, dir string) contents {
	t.Helper()
	said := contents{Clock: madeAt}
	config := devConfig(dir)
	config.TestClock = madeAt.Format(time.RFC3339)
	n, stop := start(t, config)
	ours, theirs := client(t, n, keyPair{ID: "000000000000"}, "us-east-1"), client(t, n, keyPair{ID: "123456789012"}, "eu-west-3")
	createStream(t, ours, &kinesis.CreateStreamInput{StreamName: aws.String("tolls"), ShardCount: aws.Int32(3), Tags: map[string]string{"team": "roads"}})
	createStream(t, ours, &kinesis.CreateStreamInput{StreamName: aws.String("demand"), StreamModeDetails: &types.StreamModeDetails{StreamMode: types.StreamModeOnDemand}})
	createStream(t, ours, &kinesis.CreateStreamInput{StreamName: aws.String("gone"), ShardCount: aws.Int32(2)})
	createStream(t, theirs, &kinesis.CreateStreamInput{StreamName: aws.String("tolls"), ShardCount: aws.Int32(1), MaxRecordSizeInKiB: aws.Int32(2048)})
	_, err := ours.IncreaseStreamRetentionPeriod(t.Context(), &kinesis.IncreaseStreamRetentionPeriodInput{StreamName: aws.String("tolls"), RetentionPeriodHours: aws.Int32(168)})
	must(t, err)
	_, err = theirs.AddTagsToStream(t.Context(), &kinesis.AddTagsToStreamInput{StreamName: aws.String("tolls"), Tags: map[string]string{"empty": "", "unit": "cents / km"}})
	must(t, err)
	for _, stream := range []string{"tolls", "demand", "gone"} {
		putSome(t, ours, stream, "in a segment")
	}
	putSome(t, theirs, "tolls", "in a segment")
	_, err = ours.DeleteStream(t.Context(), &kinesis.DeleteStreamInput{StreamName: aws.String("gone")})
	must(t, err)
	must(t, kinesis.NewStreamNotExistsWaiter(ours, func(o *kinesis.StreamNotExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Millisecond, 10*time.Millisecond
	}).Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: aws.String("gone")}, patience))
	stop()

	layOutAndSnapshot(t, dir)

	n, stop = start(t, config)
	ours, theirs = client(t, n, keyPair{ID: "000000000000"}, "us-east-1"), client(t, n, keyPair{ID: "123456789012"}, "eu-west-3")
	putSome(t, ours, "tolls", "in the journal")
	putSome(t, theirs, "tolls", "in the journal")
	got, err := ours.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
		StreamName: aws.String("tolls"), ShardId: aws.String("shardId-000000000002"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	must(t, err)
	said.Iterator = *got.ShardIterator
	said.Accounts = []accountContents{{Account: "000000000000", Region: "us-east-1"}, {Account: "123456789012", Region: "eu-west-3"}}
	said.Accounts = look(t, n, said)
	said.NextRecord = said.Accounts[0].Streams[1].Shards[2].Records[0].Data
	stop()

	fs, err := vfs.NewOS(dir)
	must(t, err)
	keys, err := auth.OpenStore(fs, clock.NewManual(madeAt), nil)
	must(t, err)
	key, err := keys.Create("123456789012", "made for a test")
	must(t, err)
	said.Key = keyPair{key.ID, key.Secret, key.Account}
	return said
}

func createStream(t *testing.T, c *kinesis.Client, in *kinesis.CreateStreamInput) {
	t.Helper()
	_, err := c.CreateStream(t.Context(), in)
	must(t, err)
	must(t, kinesis.NewStreamExistsWaiter(c, func(o *kinesis.StreamExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Millisecond, 10*time.Millisecond
	}).Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: in.StreamName}, patience))
}

// putSome puts records of several sizes by key, and one into each end of the hash keys by an explicit one.
func putSome(t *testing.T, c *kinesis.Client, stream, where string) {
	t.Helper()
	in := &kinesis.PutRecordsInput{StreamName: &stream}
	for i := range 40 {
		data := fmt.Sprintf(`{"n":%d,"where":%q}`, i, where)
		if i%10 == 9 {
			data += fmt.Sprintf("%*s", 100*i, "wide")
		}
		in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: aws.String(fmt.Sprint("key-", i%7)), Data: []byte(data)})
	}
	for _, hash := range []string{"0", "340282366920938463463374607431768211455"} {
		in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: aws.String("explicit"), ExplicitHashKey: aws.String(hash), Data: []byte(where + " by hash key " + hash)})
	}
	out, err := c.PutRecords(t.Context(), in)
	must(t, err)
	if *out.FailedRecordCount != 0 {
		t.Fatalf("%d records failed", *out.FailedRecordCount)
	}
}

// layOutAndSnapshot works on a stopped server's directory with its own parts: what the journal holds becomes a segment, and so many control commands
// are given that there are snapshots and the control log is trimmed.
func layOutAndSnapshot(t *testing.T, dir string) {
	t.Helper()
	fs, err := vfs.NewOS(dir)
	must(t, err)
	manual := clock.NewManual(madeAt)
	laidOut := make(chan struct{}, 1)
	store, err := disklog.Open(disklog.Options{FS: fs, Dir: "log", Clock: manual, DeviceClock: clock.Real, OnEvent: func(e disklog.Event) {
		if _, ok := e.(disklog.LaidOut); ok {
			select {
			case laidOut <- struct{}{}:
			default: // once is enough
			}
		}
	}})
	must(t, err)
	log, err := store.Open(t.Context(), commitlog.ID{})
	must(t, err)
	const every = 8
	control, err := controller.Open(t.Context(), controller.Options{
		Log: log, FS: fs, Dir: "control", Session: 1, TestClock: clock.NewManual(time.Unix(0, 0)), TestClockStart: madeAt,
		SnapshotEvery: every, Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- control.Run(ctx) }()
	for i := range 3*every + 2 {
		must(t, control.Propose(t.Context(), catalog.AddTags{Account: "000000000000", Region: "us-east-1", Name: "demand", Tags: map[string]string{fmt.Sprint("n", i%5): fmt.Sprint(i)}}))
	}
	for {
		bounds, err := log.Bounds(t.Context())
		must(t, err)
		if bounds.First > 0 {
			break
		}
		must(t, control.Propose(t.Context(), catalog.AddTags{Account: "000000000000", Region: "us-east-1", Name: "demand", Tags: map[string]string{"more": fmt.Sprint(bounds.Next)}}))
	}
	select {
	case <-laidOut:
	case <-time.After(patience):
		t.Fatal("the journal was not laid out")
	}
	cancel()
	if err := <-ended; err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	must(t, store.Close())
}
