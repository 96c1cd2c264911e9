package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// Shows a reshard as a person sees it: put goes on without an error, tail prints every line once and in order from wherever it began,
// and ls says which shards are open, which are closed, and who came from whom.
func TestReshardWhilePutAndTail(t *testing.T) {
	env := serverFor(t)
	ok := func(stdin string, args ...string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, code := weir(t, env, stdin, args...)
		if code != exitOK {
			t.Fatalf("weir %v: exit %d, %s", args, code, stderr)
		}
		return stdout, stderr
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	ok("", "put", "--create", "--shards", "2", "-q", "orders")
	ok("old\n", "put", "-q", "--key", "k0", "orders")

	// Three readers.
	const batches, keys = 40, 7
	var running sync.WaitGroup
	readers := map[string]*trial{"latest": newTrial(""), "trim-horizon": newTrial(""), "1h": newTrial("")}
	readCtx, stopReading := context.WithCancel(ctx)
	for from, tr := range readers {
		tr.env = env
		running.Go(func() { run(readCtx, tr.terminal, []string{"tail", "orders", "--from", from}) })
	}
	// The one from the latest record on is there once it prints what is put, from both shards.
	there := func(all string) bool {
		return strings.Contains(all, "000000000000") && strings.Contains(all, "000000000001")
	}
	for n := 0; !there(readers["latest"].stdout.String()); n++ {
		if ctx.Err() != nil {
			t.Fatal("tail --from latest prints nothing")
		}
		ok(fmt.Sprintf("hello %d\n", n), "put", "-q", "--key", fmt.Sprint(n), "orders")
	}
	var lines strings.Builder
	put := func(batch int) {
		for i := range 50 {
			fmt.Fprintf(&lines, "{\"n\":%d,\"key\":\"k%d\"}\n", batch*50+i, i%keys)
		}
		ok(lines.String(), "put", "-q", "--key-field", "key", "orders")
		lines.Reset()
	}
	resharded := make(chan reshardSummary, 1)
	running.Go(func() {
		var last reshardSummary
		for _, shards := range []string{"3", "8", "2"} {
			stdout, stderr, code := weir(t, env, "", "reshard", "orders", "--shards", shards, "--json")
			last = reshardSummary{}
			if err := json.Unmarshal([]byte(stdout), &last); err != nil || code != exitOK || fmt.Sprint(last.To) != shards {
				t.Errorf("reshard to %s: exit %d, %v, %s%s", shards, code, err, stdout, stderr)
			}
		}
		resharded <- last
	})
	batch := 0
	for ended := false; !ended || batch < batches; batch++ {
		put(batch)
		select {
		case last := <-resharded:
			ended = true
			if last.From != 8 || last.Steps != 2 {
				t.Errorf("the last reshard: %+v", last)
			}
		default:
		}
	}
	for _, tr := range readers {
		tr.stdout.untilIt(t, ctx, "every line", func(all string) bool { return strings.Count(all, `{\"n\":`) >= batch*50 })
	}
	stopReading()
	running.Wait()
	for from, tr := range readers {
		next := map[string]int{}
		count, old := 0, 0
		for line := range strings.Lines(tr.stdout.String()) {
			var r tailRecord
			if err := json.Unmarshal([]byte(line), &r); err != nil || r.Data == nil {
				t.Fatalf("%q: %v", line, err)
			}
			var row struct {
				N   int
				Key string
			}
			if json.Unmarshal([]byte(*r.Data), &row) != nil {
				if *r.Data == "old" {
					old++
				}
				continue
			}
			count++
			if row.N < next[row.Key] {
				t.Errorf("from %s: key %s has %d after %d", from, row.Key, row.N, next[row.Key]-1)
			}
			next[row.Key] = row.N + 1
		}
		if count != batch*50 {
			t.Errorf("from %s: %d of %d lines", from, count, batch*50)
		}
		if want := map[string]int{"latest": 0, "trim-horizon": 1, "1h": 1}[from]; old != want {
			t.Errorf("from %s: what was there before came %d times, want %d", from, old, want)
		}
	}
	// Afterwards everything is there, once.
	all, _ := ok("", "tail", "orders", "--from", "trim-horizon", "--no-wait", "--raw")
	if n := strings.Count(all, "\"n\":"); n != batch*50 {
		t.Errorf("the stream holds %d lines of %d", n, batch*50)
	}

	table, note := ok("", "ls", "orders", "--window", "1m")
	rows := strings.Split(strings.TrimSpace(table), "\n")
	if !strings.HasSuffix(rows[0], "PARENTS") || !strings.Contains(rows[1], " open ") || !strings.Contains(rows[2], " open ") || !strings.Contains(rows[3], "shardId-000000000000  closed") {
		t.Errorf("%s", table)
	}
	if strings.Count(table, "50.0 %") != 2 || strings.Count(table, "%") != 2 || !strings.Contains(rows[1], " + ") || !strings.Contains(note, fmt.Sprintf("%d shards closed", len(rows)-3)) {
		t.Errorf("%s%s", table, note)
	}
	var streams []streamRow
	if stdout, _ := ok("", "ls", "--json"); json.Unmarshal([]byte(stdout), &streams) != nil || streams[0].Shards != 2 || streams[0].Status != "ACTIVE" {
		t.Errorf("%+v", streams)
	}
	if _, stderr, code := weir(t, env, "", "reshard", "none", "--shards", "2"); code != exitFailed || !strings.Contains(stderr, "does not exist") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	if _, note := ok("", "reshard", "orders", "--shards", "2"); !strings.Contains(note, "2 open shards, now 2") {
		t.Errorf("%s", note)
	}
}
