package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"go.uber.org/goleak"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/quota"
	"github.com/weir-stream/weir/internal/vfs"
)

// patience is how long a test waits for what should take milliseconds.
const patience = 30 * time.Second

// A node that was stopped leaves nothing running.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// devConfig is a node on free ports of this machine.
func devConfig(dir string) node.Config {
	return node.Config{
		DataDir: dir, Dev: true, Listen: "127.0.0.1:0", ConsoleListen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler),
	}
}

// start runs a node until stop, or the end of the test.
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
		select {
		case <-n.Done():
		default:
			t.Error("stopped, but not done")
		}
	}
	t.Cleanup(stop)
	return n, stop
}

// client speaks to n over connections that end with the test: over HTTP/2, because over HTTP/1.1 the SDK closes its body as soon as the head of an answer is
// there, and net/http may then take the connection down under the rest.
func client(t *testing.T, n *node.Node) *kinesis.Client {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return kinesis.New(kinesis.Options{
		Region: "eu-west-3", BaseEndpoint: aws.String("http://" + n.Addr()), HTTPClient: &http.Client{Transport: transport}, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "123456789012", SecretAccessKey: "any"}, nil
		}),
	})
}

func createStream(t *testing.T, c *kinesis.Client, name string) {
	t.Helper()
	_, err := c.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(1)})
	must(t, err)
	must(t, kinesis.NewStreamExistsWaiter(c, func(o *kinesis.StreamExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Millisecond, 10*time.Millisecond
	}).
		Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: &name}, patience))
}

func iterator(t *testing.T, c *kinesis.Client, stream string) string {
	t.Helper()
	got, err := c.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
		StreamName: &stream, ShardId: aws.String("shardId-000000000000"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	must(t, err)
	return *got.ShardIterator
}

// read is the records behind an iterator as "data sequence", until there are no more.
func read(t *testing.T, c *kinesis.Client, iterator string) (records []string) {
	t.Helper()
	for {
		got, err := c.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: &iterator})
		must(t, err)
		for _, r := range got.Records {
			records = append(records, string(r.Data)+" "+*r.SequenceNumber)
		}
		if *got.MillisBehindLatest == 0 {
			return records
		}
		iterator = *got.NextShardIterator
	}
}

// What was acknowledged is there after a stop and a start, under the same numbers, and an iterator from before still leads to it.
func TestRestart(t *testing.T) {
	for _, durability := range []string{"", "interval=5ms", "os"} {
		t.Run("durability="+durability, func(t *testing.T) {
			config := devConfig(t.TempDir())
			config.Durability = durability
			n, stop := start(t, config)
			c := client(t, n)
			createStream(t, c, "s")
			var want []string
			for i := range 20 {
				data := fmt.Sprint("record-", i)
				put, err := c.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("s"), PartitionKey: aws.String("k"), Data: []byte(data)})
				must(t, err)
				want = append(want, data+" "+*put.SequenceNumber)
			}
			before := iterator(t, c, "s")
			stop()

			n, _ = start(t, config)
			c = client(t, n)
			for name, from := range map[string]string{"new": iterator(t, c, "s"), "old": before} {
				if got := read(t, c, from); strings.Join(got, ",") != strings.Join(want, ",") {
					t.Errorf("%s iterator: %q, want %q", name, got, want)
				}
			}
		})
	}
}

// Only one node has a data directory; when it has stopped, the next may have it. A node that did not start leaves no port open.
func TestOneNodeOnADirectory(t *testing.T) {
	config := devConfig(t.TempDir())
	first, stop := start(t, config)
	if _, err := node.Start(t.Context(), config); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), config.DataDir) {
		t.Errorf("second node: %v", err)
	}
	taken := devConfig(t.TempDir())
	taken.ConsoleListen = first.ConsoleAddr()
	if _, err := node.Start(t.Context(), taken); !fault.Is(err, fault.Unavailable) {
		t.Errorf("console on a port that is taken: %v", err)
	}
	taken.ConsoleListen = ""
	start(t, taken) // what had been opened before was closed
	stop()
	start(t, config)
}

// A restart right after a kill waits for the lock that a dying process has a moment longer.
func TestLockGoesSoon(t *testing.T) {
	config := devConfig(t.TempDir())
	_, stop := start(t, config)
	stop()
	fs, err := vfs.NewOS(filepath.Join(config.DataDir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := fs.Lock("LOCK")
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	time.AfterFunc(100*time.Millisecond, func() { closed <- lock.Close() })
	start(t, config)
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// Each row changes one thing about a good configuration.
func TestValidate(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*node.Config)
		says   string // empty is good
	}{
		{"as it is", func(*node.Config) {}, ""},
		{"no directory", func(c *node.Config) { c.DataDir = "" }, "data directory"},
		{"nowhere to listen", func(c *node.Config) { c.Listen = "" }, "no address"},
		{"TLS alone", func(c *node.Config) { c.Listen, c.TLSListen = "", "127.0.0.1:0" }, ""},
		{"test clock", func(c *node.Config) { c.TestClock = "now" }, ""},
		{"test clock at a time", func(c *node.Config) { c.TestClock = "2026-11-18T13:00:00Z" }, ""},
		{"test clock in words", func(c *node.Config) { c.TestClock = "tomorrow" }, `"tomorrow"`},
		{"test clock before 1970, where no clock stands", func(c *node.Config) { c.TestClock = "1960-01-01T00:00:00Z" }, "1960"},
		{"test clock beyond the seconds of a sequence number", func(c *node.Config) { c.TestClock = "9999-01-01T00:00:00Z" }, "9999"},
		{"test clock in serve", func(c *node.Config) { c.Dev, c.TestClock = false, "now" }, "weir dev"},
		{"faults", func(c *node.Config) { c.Faults = "disk-full" }, ""},
		{"unknown faults", func(c *node.Config) { c.Faults = "earthquake" }, `"earthquake"`},
		{"faults in serve", func(c *node.Config) { c.Dev, c.Faults = false, "disk-full" }, "weir dev"},
		{"sync", func(c *node.Config) { c.Durability = "sync" }, ""},
		{"interval", func(c *node.Config) { c.Durability = "interval=50ms" }, ""},
		{"os", func(c *node.Config) { c.Durability = "os" }, ""},
		{"interval of nothing", func(c *node.Config) { c.Durability = "interval=" }, "interval="},
		{"negative interval", func(c *node.Config) { c.Durability = "interval=-1s" }, "interval=-1s"},
		{"limits", func(c *node.Config) { c.Limits = "aws" }, ""},
		{"no limits", func(c *node.Config) { c.Limits = "off" }, ""},
		{"other limits", func(c *node.Config) { c.Limits = "some" }, `"some"`},
		{"a quota", func(c *node.Config) { c.Quotas = map[quota.Name]int64{quota.Shards: 7} }, ""},
		{"an unknown quota", func(c *node.Config) { c.Quotas = map[quota.Name]int64{"wishes": 3} }, `"wishes"`},
		{"a quota that is fixed", func(c *node.Config) { c.Quotas = map[quota.Name]int64{quota.Tags: 60} }, "kinesis-tags"},
		{"negative connections", func(c *node.Config) { c.ConnectionsMax = -1 }, "-1 connections"},
		{"unknown durability", func(c *node.Config) { c.Durability = "maybe" }, `"maybe"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			config := devConfig("data")
			row.change(&config)
			err := config.Validate()
			if row.says == "" {
				must(t, err)
			} else if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("%v, want something about %s", err, row.says)
			}
		})
	}
	var nothing node.Config
	nothing.Durability = "maybe"
	if err := nothing.Validate(); err == nil || !strings.Contains(err.Error(), "data directory") || !strings.Contains(err.Error(), "no address") || !strings.Contains(err.Error(), "maybe") {
		t.Errorf("not all that is wrong: %v", err)
	}
	if _, err := node.Start(t.Context(), nothing); !fault.Is(err, fault.Invalid) {
		t.Errorf("started with nothing: %v", err)
	}
}

// What would let others in is refused: dev on an open address, and serve there without keys.
func TestOpenAddresses(t *testing.T) {
	config := devConfig(t.TempDir())
	config.Listen = "0.0.0.0:0"
	if _, err := node.Start(t.Context(), config); !fault.Is(err, fault.Denied) {
		t.Errorf("dev on every address: %v", err)
	}
	config = devConfig(t.TempDir())
	config.ConsoleListen = "0.0.0.0:0"
	if _, err := node.Start(t.Context(), config); !fault.Is(err, fault.Denied) {
		t.Errorf("dev's console on every address: %v", err)
	}
	config = devConfig(t.TempDir())
	config.Dev, config.Listen = false, "0.0.0.0:0"
	if _, err := node.Start(t.Context(), config); !fault.Is(err, fault.Denied) {
		t.Errorf("serve without keys: %v", err)
	}
	config.DataDir = filepath.Join(config.DataDir, "new")
	if _, err := node.Start(t.Context(), config); !fault.Is(err, fault.Denied) {
		t.Errorf("serve without keys in a directory that is not there: %v", err)
	}
	if _, err := os.Stat(config.DataDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the refusal left a directory behind: %v", err)
	}
	fs, err := vfs.NewOS(config.DataDir)
	must(t, err)
	keys, err := auth.OpenStore(fs, clock.Real, nil)
	must(t, err)
	_, err = keys.Create(auth.DefaultAccount, "test")
	must(t, err)
	n, _ := start(t, config)
	var api interface{ ErrorCode() string }
	if _, err := client(t, n).ListStreams(t.Context(), nil); !errors.As(err, &api) {
		t.Errorf("a stranger's key: %v", err)
	}
}

// get fetches a page of the console.
func get(t *testing.T, n *node.Node, path string) string {
	t.Helper()
	return request(t, n, http.MethodGet, path, "")
}

func request(t *testing.T, n *node.Node, method, path, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+n.ConsoleAddr()+path, strings.NewReader(body))
	must(t, err)
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport, Timeout: patience}).Do(r)
	must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %s", method, path, answer.Status, text)
	}
	return string(text)
}

// Health tells version, incarnation and streams; metrics count what was asked and what went to disk.
func TestConsole(t *testing.T) {
	config := devConfig(t.TempDir())
	for incarnation := range uint64(2) {
		n, stop := start(t, config)
		c := client(t, n)
		createStream(t, c, fmt.Sprint("s", incarnation))
		var health struct {
			Status, Version string
			Incarnation     uint64
			Streams         uint64
		}
		must(t, json.Unmarshal([]byte(get(t, n, "/_weir/health")), &health))
		if health.Status != "ok" || health.Version == "" || health.Incarnation != incarnation+1 || health.Streams != incarnation+1 {
			t.Errorf("%+v", health)
		}
		_, err := c.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("nobody's"), PartitionKey: aws.String("k"), Data: []byte("x")})
		if err == nil {
			t.Error("a stream that is not there takes records")
		}
		page := get(t, n, "/metrics")
		for _, line := range []string{
			`weir_requests_total{error="",operation="CreateStream",service="kinesis",status="200"} 1`,
			`weir_disklog_refusing 0`,
			fmt.Sprintf("weir_disklog_logs %d", incarnation+8),
			"weir_disklog_sync_seconds_count", "weir_disklog_journal_bytes", "go_goroutines", "process_cpu_seconds_total",
		} {
			if !strings.Contains(page, line) {
				t.Errorf("no line %s", line)
			}
		}
		stop()
	}
}

// The test clock stands still, moves when told, and stands after a restart where it was left, whatever the new start asks for.
func TestTestClock(t *testing.T) {
	config := devConfig(t.TempDir())
	config.TestClock = "2026-11-18T13:00:00Z"
	stands := func(n *node.Node, want string) {
		t.Helper()
		if got := get(t, n, "/_weir/clock"); got != `{"now":"`+want+`"}`+"\n" {
			t.Errorf("%s, want %s", got, want)
		}
	}
	n, stop := start(t, config)
	stands(n, "2026-11-18T13:00:00Z")
	c := client(t, n)
	createStream(t, c, "s")
	request(t, n, http.MethodPost, "/_weir/clock", `{"advance":"10m","step":"1m"}`)
	put, err := c.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("s"), PartitionKey: aws.String("k"), Data: []byte("x")})
	must(t, err)
	stop()

	config.TestClock = "now"
	n, _ = start(t, config)
	stands(n, "2026-11-18T13:10:00Z")
	c = client(t, n)
	from := iterator(t, c, "s")
	if got := read(t, c, from); len(got) != 1 || got[0] != "x "+*put.SequenceNumber {
		t.Errorf("after the restart: %q", got)
	}
	request(t, n, http.MethodPost, "/_weir/clock", `{"advance":"25h"}`)
	if got := read(t, c, iterator(t, c, "s")); len(got) != 0 {
		t.Errorf("a day later: %q", got)
	}
	var expired *types.ExpiredIteratorException
	if _, err := c.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: &from}); !errors.As(err, &expired) {
		t.Errorf("an iterator of yesterday: %v", err)
	}
}

// With a full disk puts are refused, reading goes on, time can be moved, and the node stops.
func TestDiskFull(t *testing.T) {
	config := devConfig(t.TempDir())
	n, stop := start(t, config)
	c := client(t, n)
	createStream(t, c, "s")
	put := &kinesis.PutRecordInput{StreamName: aws.String("s"), PartitionKey: aws.String("k"), Data: []byte("x")}
	_, err := c.PutRecord(t.Context(), put)
	must(t, err)
	stop()

	config.Faults = "disk-full"
	n, _ = start(t, config)
	c = client(t, n)
	var throttled *types.ProvisionedThroughputExceededException
	if _, err := c.PutRecord(t.Context(), put); !errors.As(err, &throttled) {
		t.Errorf("put on a full disk: %v", err)
	}
	if got := read(t, c, iterator(t, c, "s")); len(got) != 1 {
		t.Errorf("%d records", len(got))
	}
	if page := get(t, n, "/metrics"); !strings.Contains(page, "weir_disklog_refusing 1") {
		t.Error("the metrics do not say that the disk is full")
	}
}

// TLS answers with a certificate of the data directory's own authority.
func TestAddresses(t *testing.T) {
	config := devConfig(t.TempDir())
	config.TLSListen, config.ConsoleListen = "127.0.0.1:0", ""
	n, _ := start(t, config)
	if n.Addr() == "" || n.TLSAddr() == "" || n.ConsoleAddr() != "" {
		t.Errorf("%q %q %q", n.Addr(), n.TLSAddr(), n.ConsoleAddr())
	}
	fs, err := vfs.NewOS(filepath.Join(config.DataDir, "tls"))
	must(t, err)
	f, err := fs.Open("ca.pem")
	must(t, err)
	must(t, f.Close())
}

// Stop waits no longer than it is told, and a second Stop sees the end of the first.
func TestStop(t *testing.T) {
	n, stop := start(t, devConfig(t.TempDir()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Stop(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	stop()
	if err := n.Err(); err != nil {
		t.Error(err)
	}
}

// On a full disk the test clock cannot be kept, and whoever moves it hears so instead of waiting for room.
func TestClockOnFullDisk(t *testing.T) {
	config := devConfig(t.TempDir())
	config.TestClock, config.Faults = "now", "disk-full"
	n, _ := start(t, config)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.ConsoleAddr()+"/_weir/clock", strings.NewReader(`{"advance":"1s"}`))
	must(t, err)
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s %s", answer.Status, text)
	}
}
