package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/internal/agent"
	"github.com/weir-stream/weir/internal/record"
)

// serverFor runs `weir dev` on free ports for a test, and gives the environment that points at it.
func serverFor(t *testing.T) map[string]string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	tr := newTrial("")
	var wg sync.WaitGroup
	wg.Go(func() {
		args := []string{"dev", "--json", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", "--console-listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data")}
		if code := run(ctx, tr.terminal, args); code != exitOK {
			t.Errorf("weir dev: exit %d, %s", code, tr.stderr)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	patience, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	tr.stdout.until(t, patience, "}\n")
	var a addresses
	if err := json.Unmarshal([]byte(tr.stdout.String()), &a); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"AWS_ENDPOINT_URL": a.Endpoint, "TLS": a.TLS, "DATA": a.Data, "CONSOLE": strings.TrimPrefix(a.Console, "http://")}
}

// Shows the commands against a real server, as a person would type them: what is put is tailed, in order and unharmed.
func TestPutTailLs(t *testing.T) {
	env := serverFor(t)
	ok := func(stdin string, args ...string) string {
		t.Helper()
		stdout, stderr, code := weir(t, env, stdin, args...)
		if code != exitOK {
			t.Fatalf("weir %v: exit %d, %s", args, code, stderr)
		}
		return stdout
	}
	if _, stderr, code := weir(t, env, "x\n", "put", "orders"); code != exitFailed || !strings.Contains(stderr, "weir put --create orders") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	var in strings.Builder
	for i := range 1300 {
		fmt.Fprintf(&in, "{\"n\":%d,\"user\":{\"id\":\"u%d\"}}\n", i, i%7)
	}
	in.WriteString("\nno json\r\nlast line without its end \xff")
	var summary putSummary
	if err := json.Unmarshal([]byte(ok(in.String(), "put", "orders", "--create", "--shards", "3", "--key-field", "user.id", "--json")), &summary); err != nil {
		t.Fatal(err)
	}
	if summary.Records != 1302 || summary.Empty != 1 || summary.NoKey != 2 || !summary.Created {
		t.Errorf("%+v", summary)
	}
	// A second --create finds it.
	ok("one more\n", "put", "orders", "-c", "-q")

	last := map[string]float64{}
	shards := map[string]bool{}
	count := 0
	for line := range strings.Lines(ok("", "tail", "orders", "--from", "trim-horizon", "--no-wait")) {
		var r tailRecord
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		count++
		shards[r.Shard] = true
		if r.Data == nil {
			if r.Base64 == nil {
				t.Errorf("%q has no data", line)
			}
			continue
		}
		var row struct{ N float64 }
		if json.Unmarshal([]byte(*r.Data), &row) != nil {
			continue
		}
		if before, seen := last[r.Key]; seen && row.N <= before {
			t.Errorf("key %s: %v after %v", r.Key, row.N, before)
		}
		last[r.Key] = row.N
	}
	if count != 1303 || len(shards) != 3 || len(last) != 7 {
		t.Errorf("%d records in %d shards, %d keys", count, len(shards), len(last))
	}
	raw := ok("", "tail", "orders", "--from", "trim-horizon", "--no-wait", "--raw")
	for _, text := range []string{"no json\r\n", "last line without its end \xff\n", "one more\n"} {
		if !strings.Contains(raw, text) {
			t.Errorf("%q is not among the raw lines", text)
		}
	}
	if got := ok("", "tail", "orders", "--from", "1h", "-n", "5", "--raw"); strings.Count(got, "\n") != 5 {
		t.Errorf("-n 5 printed %q", got)
	}

	var streams []streamRow
	if err := json.Unmarshal([]byte(ok("", "ls", "--json")), &streams); err != nil || len(streams) != 1 || streams[0].Shards != 3 || streams[0].Retention != 24 {
		t.Errorf("%+v %v", streams, err)
	}
	var rows []shardRow
	if err := json.Unmarshal([]byte(ok("", "ls", "orders", "--json", "--window", "1m")), &rows); err != nil || len(rows) != 3 {
		t.Fatalf("%+v %v", rows, err)
	}
	rate := 0.0
	for _, r := range rows {
		if !r.Open || r.Share < 0.333 || r.Share > 0.334 || r.Records == nil {
			t.Errorf("%+v", r)
			continue
		}
		rate += *r.Records
	}
	if want := 1303.0 / 60; rate < want-0.1 || rate > want+0.1 {
		t.Errorf("%.2f records/s in the last minute, want %.2f", rate, want)
	}
	if table := ok("", "ls"); !strings.HasPrefix(table, "STREAM") || !strings.Contains(table, "orders") {
		t.Errorf("%s", table)
	}
	if stdout := ok("", "__complete", "--", "tail", "or"); stdout != "orders\n" {
		t.Errorf("completion %q", stdout)
	}
	if _, stderr, code := weir(t, env, "", "put", "orders", "/does/not/exist"); code != exitFailed || !strings.Contains(stderr, "/does/not/exist") || strings.Contains(stderr, "nobody answers") {
		t.Errorf("a file that is not there: exit %d, %s", code, stderr)
	}
	// The same over TLS, with the authority that the server made.
	if stdout := ok("", "ls", "--json", "--endpoint", env["TLS"], "--ca-file", caFile(env["DATA"])); !strings.Contains(stdout, "orders") {
		t.Errorf("over TLS: %s", stdout)
	}
	if _, stderr, code := weir(t, env, "", "ls", "--endpoint", env["TLS"]); code != exitFailed || !strings.Contains(stderr, "--ca-file") {
		t.Errorf("without the authority: exit %d, %s", code, stderr)
	}
}

// Shows that tail waits for what comes, opens aggregates, and colours what a person looks at without letting data move the cursor.
func TestTailOnATerminal(t *testing.T) {
	env := serverFor(t)
	api, err := client.NewKinesis(client.Options{Endpoint: env["AWS_ENDPOINT_URL"], Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.EnsureStream(t.Context(), api, "s", 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tr := newTrial("")
	tr.env, tr.outTTY, tr.colours = env, true, true
	var code int
	var wg sync.WaitGroup
	wg.Go(func() { code = run(ctx, tr.terminal, []string{"tail", "s", "--from", "trim-horizon", "-n", "3"}) })
	aggregate := record.Aggregate([]record.UserRecord{{PartitionKey: "inner", Data: []byte("first of two")}, {PartitionKey: "inner", Data: []byte("second of two")}})
	for _, data := range [][]byte{[]byte("a\x1b[2Jb"), aggregate} {
		if _, err := api.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: aws.String("s"), PartitionKey: aws.String("inner"), Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"a·[2Jb", "first of two", "second of two"} {
		tr.stdout.until(t, ctx, text)
	}
	wg.Wait()
	if code != exitOK || !strings.Contains(tr.stdout.String(), "\x1b[32m") {
		t.Errorf("exit %d, %q", code, tr.stdout)
	}
}

// Shows that --follow sends what is written, goes on after a rotation, and with --state goes on after a restart.
func TestPutFollow(t *testing.T) {
	env := serverFor(t)
	dir := t.TempDir()
	log, state := filepath.Join(dir, "app.log"), filepath.Join(dir, "state.json")
	appendLine := func(text string) {
		t.Helper()
		f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	appendLine("one")
	patience, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	// A reader that prints what arrives tells when to go on.
	reader := newTrial("")
	reader.env = env
	if _, stderr, code := weir(t, env, "", "put", "-c", "-q", "logs"); code != exitOK {
		t.Fatal(stderr)
	}
	var wg sync.WaitGroup
	readCtx, stopReading := context.WithCancel(patience)
	wg.Go(func() { run(readCtx, reader.terminal, []string{"tail", "logs", "--from", "trim-horizon", "--raw"}) })
	follow := func(during func()) string {
		t.Helper()
		ctx, cancel := context.WithCancel(patience)
		tr := newTrial("")
		tr.env = env
		var code int
		var following sync.WaitGroup
		following.Go(func() {
			code = run(ctx, tr.terminal, []string{"put", "logs", log, "--follow", "--state", state, "--interval", "5ms", "--key", "k"})
		})
		during()
		cancel()
		following.Wait()
		if code != exitOK {
			t.Errorf("exit %d, %s", code, tr.stderr)
		}
		return tr.stderr.String()
	}
	said := follow(func() {
		reader.stdout.until(t, patience, "one\n")
		appendLine("two")
		reader.stdout.until(t, patience, "two\n")
		if err := os.Rename(log, log+".1"); err != nil {
			t.Fatal(err)
		}
		appendLine("three")
		reader.stdout.until(t, patience, "three\n")
	})
	if !strings.Contains(said, "3 records") || !strings.Contains(said, "rotated") {
		t.Errorf("said %q", said)
	}
	appendLine("four")
	said = follow(func() { reader.stdout.until(t, patience, "four\n") })
	if !strings.Contains(said, "1 record") {
		t.Errorf("said %q", said)
	}
	stopReading()
	wg.Wait()
	if got := reader.stdout.String(); got != "one\ntwo\nthree\nfour\n" {
		t.Errorf("the stream holds %q", got)
	}
}

// Shows that bench measures what it says, reads back what it wrote, and takes its stream away.
func TestBench(t *testing.T) {
	env := serverFor(t)
	for _, batch := range []string{"1", "50"} {
		stdout, stderr, code := weir(t, env, "", "bench", "--duration", "200ms", "--writers", "2", "--size", "100", "--batch", batch, "--shards", "2", "--json")
		var result struct{ Put, Get benchPhase }
		if err := json.Unmarshal([]byte(stdout), &result); err != nil || code != exitOK {
			t.Fatalf("exit %d, %v, %s", code, err, stderr)
		}
		p, g := result.Put, result.Get
		if p.Records == 0 || p.Bytes != int64(p.Records)*100 || p.Rate <= 0 || p.P50 <= 0 || p.Max < p.P99 || len(p.Errors) != 0 {
			t.Errorf("put %+v", p)
		}
		if g.Records < p.Records {
			t.Errorf("%d records were put and %d read", p.Records, g.Records)
		}
	}
	if stdout, _, _ := weir(t, env, "", "ls", "--json"); strings.Contains(stdout, "ACTIVE") {
		t.Errorf("left behind: %s", stdout)
	}
}

// Shows where tail begins, and which keys lines have.
func TestSmallParts(t *testing.T) {
	now := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		text, kind string
		at         time.Time
	}{
		{"latest", "LATEST", time.Time{}},
		{"TRIM_HORIZON", "TRIM_HORIZON", time.Time{}},
		{"2026-04-01T11:00:00Z", "AT_TIMESTAMP", now.Add(-time.Hour)},
		{"90s", "AT_TIMESTAMP", now.Add(-90 * time.Second)},
	} {
		kind, at, err := parseFrom(row.text, now)
		if err != nil || string(kind) != row.kind || !at.Equal(row.at) {
			t.Errorf("%s: %s %s %v", row.text, kind, at, err)
		}
	}
	for _, row := range []struct {
		line, path, want string
		ok               bool
	}{
		{`{"a":"x"}`, "a", "x", true},
		{`{"a":{"b":"é\n"}}`, "a.b", "é\n", true},
		{`{"a":12.50}`, "a", "12.50", true},
		{`{"a":true}`, "a", "true", true},
		{`{"a":null}`, "a", "", false},
		{`{"a":""}`, "a", "", false},
		{`{"a":"x"}`, "a.b", "", false},
		{`{"a":"x"}`, "b", "", false},
		{`nothing`, "a", "", false},
		{`{"a":"` + strings.Repeat("é", 256) + `"}`, "a", strings.Repeat("é", 256), true},
		{`{"a":"` + strings.Repeat("x", 257) + `"}`, "a", "", false},
	} {
		got, ok := agent.JSONField([]byte(row.line), row.path)
		if got != row.want || ok != row.ok {
			t.Errorf("%s of %s: %q %v", row.path, row.line, got, ok)
		}
	}
	got := []string{counted(1, "record"), counted(2000, "record"), countText(0), countText(999), countText(-1234), countText(1234567), sizeText(1023), sizeText(1536), sizeText(3 << 40)}
	if want := []string{"1 record", "2,000 records", "0", "999", "-1,234", "1,234,567", "1023 B", "1.5 KiB", "3.0 TiB"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	syncs := parseSyncs("# HELP\nweir_disklog_sync_seconds_bucket{le=\"0.001\"} 5\nweir_disklog_sync_seconds_bucket{x=\"}\",le=\"0.002\"} 9\n" +
		"weir_disklog_sync_seconds_bucket{le=\"+Inf\"} 10\nother 3\n")
	if syncs.count != 10 || syncs.p50 != time.Millisecond || syncs.p99 != 2*time.Millisecond {
		t.Errorf("%+v", syncs)
	}
	if parseSyncs("nothing").String() != "no syncs yet" {
		t.Error("figures out of nothing")
	}
}

// Shows that progress is one line that fits the terminal, and that nobody who does not look gets it.
func TestProgress(t *testing.T) {
	tr := newTrial("")
	newProgress(tr.terminal, false, 100).show(1, 50, "note")
	if got := tr.stderr.String(); got != "" {
		t.Errorf("without a terminal: %q", got)
	}
	tr.errTTY = true
	tr.size = func() (int, int) { return 60, 20 }
	p := newProgress(tr.terminal, false, 100)
	p.show(1, 49, "a note that is much longer than the terminal is wide")
	line, found := strings.CutPrefix(tr.stderr.String(), "\r\x1b[2K")
	if !found || !strings.HasPrefix(line, " 50 % ███████████████░") || len([]rune(line)) != 59 {
		t.Errorf("%q of %d characters", line, len([]rune(line)))
	}
	p.say("above")
	if !strings.HasSuffix(tr.stderr.String(), "\r\x1b[2Kabove\n") {
		t.Errorf("%q", tr.stderr)
	}
}
