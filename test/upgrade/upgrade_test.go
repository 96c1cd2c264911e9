// Package upgrade opens data directories that earlier versions of Weir wrote, with the code as it is now.
//
// It owns the promise that a new Weir reads everything that an older one acknowledged. Each testdata/NAME.tar.gz is a data directory as the Weir of
// that month left it, and NAME.json is what that Weir said was in it. What the bytes mean is in docs/format; that a directory of a newer version is
// refused is shown beside each format.
//
// A change of a format gets a new pair, made before the change: go test ./test/upgrade -run Make -make 2027-03.
//
// Read TestOldDirectories, then make_test.go.
package upgrade

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/node"
)

// patience is how long a test waits for what should take milliseconds.
const patience = 30 * time.Second

var makeName = flag.String("make", "", "make the pair of this name in testdata with the code as it is now")

// contents is what a directory holds, as its clients see it. Times are UTC.
type contents struct {
	Clock    time.Time // where the test clock stands in the directory
	Key      keyPair   // an access key of keys.json
	Accounts []accountContents
	// Iterator was made before the server stopped, and NextRecord is what it stands before: the secret of the directory is what it was.
	Iterator, NextRecord string
}

type keyPair struct{ ID, Secret, Account string }

type accountContents struct {
	Account, Region string
	Streams         []streamContents
}

type streamContents struct {
	Name, ARN, Status, Mode string
	Created                 time.Time
	RetentionHours          int
	MaxRecordKiB            int
	Tags                    map[string]string
	Shards                  []shardContents
}

type shardContents struct {
	ID, Start, End, StartingSequence string
	Records                          []recordContents
}

type recordContents struct {
	Key, Data, Sequence string
	Arrived             time.Time
}

// Every directory of an older Weir opens, holds exactly what it held, takes more, and still does after another restart in today's format.
func TestOldDirectories(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.tar.gz")
	must(t, err)
	if len(archives) == 0 {
		t.Fatal("there are no directories in testdata")
	}
	for _, archive := range archives {
		name := strings.TrimSuffix(filepath.Base(archive), ".tar.gz")
		t.Run(name, func(t *testing.T) {
			var want contents
			b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
			must(t, err)
			must(t, json.Unmarshal(b, &want))
			dir := t.TempDir()
			unpack(t, archive, dir)

			for _, when := range []string{"as the older Weir left it", "after an orderly stop of today's"} {
				n, stop := start(t, devConfig(dir))
				same(t, when, look(t, n, want), want.Accounts)
				stop()
			}

			n, stop := start(t, devConfig(dir))
			first := want.Accounts[0]
			c := client(t, n, keyPair{ID: first.Account}, first.Region)
			got, err := c.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: &want.Iterator, Limit: aws.Int32(1)})
			must(t, err)
			if len(got.Records) != 1 || string(got.Records[0].Data) != want.NextRecord {
				t.Errorf("the old iterator gives %v, want %q", got.Records, want.NextRecord)
			}
			put, err := c.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: &first.Streams[0].Name, PartitionKey: aws.String("new"), Data: []byte("written by today's")})
			must(t, err)
			for _, shard := range first.Streams[0].Shards {
				if n := len(shard.Records); shard.ID == *put.ShardId && n > 0 && shard.Records[n-1].Sequence >= *put.SequenceNumber {
					t.Errorf("sequence number %s after %s", *put.SequenceNumber, shard.Records[n-1].Sequence)
				}
			}
			stop()
			n, _ = start(t, devConfig(dir))
			again := look(t, n, want)
			found := 0
			for _, shard := range again[0].Streams[0].Shards {
				for _, r := range shard.Records {
					if r.Data == "written by today's" {
						found++
					}
				}
			}
			if found != 1 {
				t.Errorf("what today's Weir wrote is there %d times", found)
			}
		})
	}
}

// The keys of an older directory open the server to who holds them, and to nobody else.
func TestOldKeys(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.tar.gz")
	must(t, err)
	for _, archive := range archives {
		name := strings.TrimSuffix(filepath.Base(archive), ".tar.gz")
		t.Run(name, func(t *testing.T) {
			var want contents
			b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
			must(t, err)
			must(t, json.Unmarshal(b, &want))
			dir := t.TempDir()
			unpack(t, archive, dir)
			config := devConfig(dir)
			config.Dev, config.TestClock = false, ""
			n, _ := start(t, config)
			for _, a := range want.Accounts {
				if a.Account != want.Key.Account {
					continue
				}
				listed, err := client(t, n, want.Key, a.Region).ListStreams(t.Context(), nil)
				must(t, err)
				if len(listed.StreamNames) != len(a.Streams) {
					t.Errorf("%v, want %d streams", listed.StreamNames, len(a.Streams))
				}
			}
			stranger := want.Key
			stranger.Secret = strings.ToUpper(stranger.Secret)
			if _, err := client(t, n, stranger, "us-east-1").ListStreams(t.Context(), nil); err == nil {
				t.Error("a wrong secret is believed")
			}
		})
	}
}

func same(t *testing.T, when string, got, want []accountContents) {
	t.Helper()
	a, err := json.MarshalIndent(got, "", " ")
	must(t, err)
	b, err := json.MarshalIndent(want, "", " ")
	must(t, err)
	if bytes.Equal(a, b) {
		return
	}
	gotLines, wantLines := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			t.Fatalf("%s, line %d: %s, want %s", when, i+1, gotLines[i], wantLines[i])
		}
	}
	t.Fatalf("%s: %d lines, want %d", when, len(gotLines), len(wantLines))
}

// look reads everything of the accounts that want names.
func look(t *testing.T, n *node.Node, want contents) []accountContents {
	t.Helper()
	var all []accountContents
	for _, w := range want.Accounts {
		all = append(all, accountContents{w.Account, w.Region, lookAccount(t, client(t, n, keyPair{ID: w.Account}, w.Region))})
	}
	return all
}

func lookAccount(t *testing.T, c *kinesis.Client) (streams []streamContents) {
	t.Helper()
	listed, err := c.ListStreams(t.Context(), nil)
	must(t, err)
	for _, name := range listed.StreamNames {
		described, err := c.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &name})
		must(t, err)
		d := described.StreamDescriptionSummary
		s := streamContents{
			Name: name, ARN: *d.StreamARN, Status: string(d.StreamStatus), Mode: string(d.StreamModeDetails.StreamMode), Created: d.StreamCreationTimestamp.UTC(),
			RetentionHours: int(*d.RetentionPeriodHours), MaxRecordKiB: int(aws.ToInt32(d.MaxRecordSizeInKiB)), Tags: map[string]string{},
		}
		tags, err := c.ListTagsForStream(t.Context(), &kinesis.ListTagsForStreamInput{StreamName: &name})
		must(t, err)
		for _, tag := range tags.Tags {
			s.Tags[*tag.Key] = aws.ToString(tag.Value)
		}
		shards, err := c.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: &name})
		must(t, err)
		for _, shard := range shards.Shards {
			s.Shards = append(s.Shards, shardContents{
				ID: *shard.ShardId, Start: *shard.HashKeyRange.StartingHashKey, End: *shard.HashKeyRange.EndingHashKey,
				StartingSequence: *shard.SequenceNumberRange.StartingSequenceNumber, Records: lookShard(t, c, name, *shard.ShardId),
			})
		}
		streams = append(streams, s)
	}
	return streams
}

func lookShard(t *testing.T, c *kinesis.Client, stream, shard string) (records []recordContents) {
	t.Helper()
	next, err := c.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{StreamName: &stream, ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	must(t, err)
	for at := next.ShardIterator; ; {
		got, err := c.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: at})
		must(t, err)
		for _, r := range got.Records {
			records = append(records, recordContents{*r.PartitionKey, string(r.Data), *r.SequenceNumber, r.ApproximateArrivalTimestamp.UTC()})
		}
		if at = got.NextShardIterator; *got.MillisBehindLatest == 0 {
			return records
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// devConfig is a node on a free port that believes every key. Its clock stands where the directory left it.
func devConfig(dir string) node.Config {
	return node.Config{DataDir: dir, Dev: true, TestClock: "now", Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)}
}

func start(t *testing.T, config node.Config) (n *node.Node, stop func()) {
	t.Helper()
	n, err := node.Start(t.Context(), config)
	must(t, err)
	stopped := false
	stop = func() {
		t.Helper()
		if stopped {
			return
		}
		stopped = true
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		must(t, n.Stop(ctx))
	}
	t.Cleanup(stop)
	return n, stop
}

func client(t *testing.T, n *node.Node, key keyPair, region string) *kinesis.Client {
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return kinesis.New(kinesis.Options{
		Region: region, BaseEndpoint: aws.String("http://" + n.Addr()), HTTPClient: &http.Client{Transport: transport},
		// The SDK closes a request's body while the transport may still look for its end; then the connection goes, and with it an answer that is long.
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 10 * time.Millisecond }),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: cmp.Or(key.Secret, "any")}, nil
		}),
	})
}

func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	f, err := os.Open(archive)
	must(t, err)
	defer f.Close()
	zipped, err := gzip.NewReader(f)
	must(t, err)
	for r := tar.NewReader(zipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		must(t, err)
		if !filepath.IsLocal(h.Name) {
			t.Fatalf("%s has a file %s", archive, h.Name)
		}
		name := filepath.Join(dir, filepath.FromSlash(h.Name))
		must(t, os.MkdirAll(filepath.Dir(name), 0o700))
		b, err := io.ReadAll(r)
		must(t, err)
		must(t, os.WriteFile(name, b, 0o600))
	}
}

// pack writes the files of a directory, in order of their names and without times or owners: the same files give the same bytes.
func pack(t *testing.T, dir, archive string) {
	t.Helper()
	var names []string
	must(t, filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	}))
	slices.Sort(names)
	var b bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	must(t, err)
	w := tar.NewWriter(zipped)
	for _, name := range names {
		local, err := filepath.Rel(dir, name)
		must(t, err)
		content, err := os.ReadFile(name)
		must(t, err)
		must(t, w.WriteHeader(&tar.Header{Name: filepath.ToSlash(local), Mode: 0o600, Size: int64(len(content)), Format: tar.FormatUSTAR}))
		_, err = w.Write(content)
		must(t, err)
	}
	must(t, w.Close())
	must(t, zipped.Close())
	must(t, os.WriteFile(archive, b.Bytes(), 0o644))
}
