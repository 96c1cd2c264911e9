package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/vfs"
)

// logged keeps the lines of a log, from any goroutine.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// lines are the attributes of each line with a message, without time, level and message.
func (l *logged) lines(t *testing.T, message string) (found []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range bytes.Lines(l.text.Bytes()) {
		var attrs map[string]any
		must(t, json.Unmarshal(line, &attrs))
		if attrs["msg"] == message {
			maps.DeleteFunc(attrs, func(key string, _ any) bool { return key == "time" || key == "level" || key == "msg" })
			found = append(found, attrs)
		}
	}
	return found
}

// The log says where damage is, in the words of whoever has to act on it, as far as they are known.
func TestDamageIsLoggedWithItsPlace(t *testing.T) {
	var log logged
	config := devConfig(t.TempDir())
	config.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	n, _ := start(t, config)
	createStream(t, client(t, n), "tolls")
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	_, err := firehose.New(firehose.Options{
		Region: "eu-west-3", BaseEndpoint: aws.String("http://" + n.Addr()), HTTPClient: &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "123456789012", SecretAccessKey: "any"}, nil
		}),
	}).CreateDeliveryStream(t.Context(), &firehose.CreateDeliveryStreamInput{DeliveryStreamName: aws.String("receipts"), ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
		BucketARN: aws.String("arn:aws:s3:::receipts"), RoleARN: aws.String("arn:aws:iam::123456789012:role/delivery"),
	}})
	must(t, err)
	early := node.NotOpen(config, config.Logger)

	const file = "segment-0000000000000001"
	path := filepath.Join(config.DataDir, "log", file)
	shard, nobodys := commitlog.ID{Group: 1}, commitlog.ID{Group: 99, Member: 3}
	for _, row := range []struct {
		name   string
		node   *node.Node
		damage disklog.Damage
		want   map[string]any
	}{
		{"a stream's", n, disklog.Damage{Log: shard, From: 6, To: 8, File: file, At: 4096}, map[string]any{
			"log": "1/0", "first_position": 6.0, "last_position": 7.0, "stream": "tolls", "account": "123456789012", "region": "eu-west-3",
			"shard": "shardId-000000000000", "file": path, "byte": 4096.0,
		}},
		{"a file that is gone", n, disklog.Damage{Log: shard, From: 6, To: 8}, map[string]any{
			"log": "1/0", "first_position": 6.0, "last_position": 7.0, "stream": "tolls", "account": "123456789012", "region": "eu-west-3",
			"shard": "shardId-000000000000",
		}},
		{"of direct puts", n, disklog.Damage{Log: commitlog.ID{Group: 1<<62 | 1}, From: 6, To: 8}, map[string]any{
			"log": "4611686018427387905/0", "first_position": 6.0, "last_position": 7.0, "deliveryStream": "receipts", "account": "123456789012", "region": "eu-west-3",
		}},
		{"a stream that is gone", n, disklog.Damage{Log: nobodys, From: 0, To: 1, File: file, At: 0}, map[string]any{
			"log": "99/3", "first_position": 0.0, "last_position": 0.0, "file": path, "byte": 0.0,
		}},
		{"the control log", n, disklog.Damage{From: 2, To: 3, File: file, At: 9}, map[string]any{
			"log": "0/0", "first_position": 2.0, "last_position": 2.0, "file": path, "byte": 9.0,
		}},
		{"while the store opens", early, disklog.Damage{Log: shard, From: 6, To: 8}, map[string]any{
			"log": "1/0", "first_position": 6.0, "last_position": 7.0,
		}},
	} {
		before := len(log.lines(t, "stored bytes are damaged or missing"))
		row.node.Observe(disklog.Damaged{Damage: row.damage})
		got := log.lines(t, "stored bytes are damaged or missing")[before:]
		if len(got) != 1 || !maps.Equal(got[0], row.want) {
			t.Errorf("%s:\n%v, want\n%v", row.name, got, row.want)
		}
	}
}

// layOut makes segments of the journal in a data directory that nobody has open: it fills the journal with a log that is no stream's.
func layOut(t *testing.T, dir string) {
	t.Helper()
	fs, err := vfs.NewOS(dir)
	must(t, err)
	laidOut := make(chan struct{}, 1)
	store, err := disklog.Open(disklog.Options{FS: fs, Dir: "log", JournalBytes: 1 << 12, OnEvent: func(e disklog.Event) {
		if _, ok := e.(disklog.LaidOut); ok {
			select {
			case laidOut <- struct{}{}:
			default: // once is enough
			}
		}
	}})
	must(t, err)
	filler := commitlog.ID{Group: 1 << 40}
	must(t, store.Create(t.Context(), filler, commitlog.Config{}))
	l, err := store.Open(t.Context(), filler)
	must(t, err)
	for range 3 { // the journal is full after one
		var b batch.Batch
		b.Append(0, nil, make([]byte, 1<<12))
		_, err := l.Append(t.Context(), &b)
		must(t, err)
	}
	select {
	case <-laidOut:
	case <-time.After(patience):
		t.Fatal("the journal was not laid out")
	}
	must(t, store.Close())
}

// Damage of the disk itself: the file that the log names is the one that was damaged.
func TestDamagedFileIsNamed(t *testing.T) {
	var log logged
	config := devConfig(t.TempDir())
	config.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	n, stop := start(t, config)
	c := client(t, n)
	createStream(t, c, "tolls")
	const value = "the bytes that the disk forgets"
	_, err := c.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("tolls"), PartitionKey: aws.String("k"), Data: []byte(value)})
	must(t, err)
	from := iterator(t, c, "tolls")
	stop()

	layOut(t, config.DataDir)
	segments, err := filepath.Glob(filepath.Join(config.DataDir, "log", "segment-*"))
	must(t, err)
	damaged := ""
	for _, segment := range segments {
		content, err := os.ReadFile(segment)
		must(t, err)
		if at := bytes.Index(content, []byte(value)); at >= 0 {
			damaged = segment
			content[at] ^= 1
			must(t, os.WriteFile(segment, content, 0o600))
		}
	}
	if damaged == "" {
		t.Fatalf("no segment of %v has the record", segments)
	}

	n, _ = start(t, config)
	if got, err := client(t, n).GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: &from}); err == nil {
		t.Errorf("damage was passed over: %d records", len(got.Records))
	}
	lines := log.lines(t, "stored bytes are damaged or missing")
	if len(lines) == 0 {
		t.Fatal("the log does not say so")
	}
	if got := lines[len(lines)-1]; got["file"] != damaged || got["stream"] != "tolls" || got["shard"] != "shardId-000000000000" {
		t.Errorf("%v, want file %s", got, damaged)
	}
}

// A server without keys says why it refuses everyone; one that believes everyone has nothing to say.
func TestNoKeysIsSaid(t *testing.T) {
	for _, dev := range []bool{false, true} {
		var log logged
		config := devConfig(t.TempDir())
		config.Dev, config.Logger = dev, slog.New(slog.NewJSONHandler(&log, nil))
		start(t, config)
		said := len(log.lines(t, "there are no access keys: every request is refused until weir keys create makes one"))
		if want := map[bool]int{false: 1, true: 0}[dev]; said != want {
			t.Errorf("dev %v: said %d times, want %d", dev, said, want)
		}
	}
}
