package catalog

import (
	"bytes"
	"flag"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold/commands"
	"github.com/weir-stream/weir/internal/ordered"
)

var seed = flag.Uint64("seed", 0, "of random tests; 0 takes a new one")

// random is a source that says in one line how to repeat a failing test.
func random(t *testing.T) *rand.Rand {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with: go test ./internal/catalog -run '^%s$' -seed %d", t.Name(), s)
		}
	})
	return rand.New(rand.NewPCG(s, s))
}

// The same commands on two states, one of which goes through its bytes at random points, give the same results and the same bytes at every
// position; no state that was handed out changes afterwards; and what is derived is what the bytes alone give.
func TestReplayIsDeterministic(t *testing.T) {
	r := random(t)
	type kept struct {
		state *State
		bytes []byte
	}
	var handedOut []kept
	h := begin()
	other := Empty()
	done := map[string]int{}
	for _, first := range []string{"CreateStream.1", "DeleteStream.1", "AddTags.1", "RemoveTags.1"} { // never written any more
		done[first] = 1
	}
	for range 5_000 {
		h.at = h.at.Add(time.Duration(r.IntN(3_600_000)) * time.Millisecond)
		c := randomCommand(r, h)
		b, err := EncodeCommand(c)
		if err != nil {
			t.Fatal(err)
		}
		next, result, err := Apply(h.state, h.at, h.position, b)
		if err != nil {
			t.Fatal(err)
		}
		otherNext, otherResult, err := Apply(other, h.at, h.position, b)
		if err != nil {
			t.Fatal(err)
		}
		h.state, other = next, otherNext
		h.position += 1 + r.Int64N(3)
		if !bytes.Equal(result, otherResult) {
			t.Fatalf("%s: %s and %s", b, result, otherResult)
		}
		encoded := h.state.Encode()
		if !bytes.Equal(encoded, other.Encode()) {
			t.Fatalf("after %s:\n%s\n%s", b, encoded, other.Encode())
		}
		if result == nil {
			done[c.kind()]++
		}
		if r.IntN(40) == 0 {
			decoded, err := Decode(encoded)
			if err != nil {
				t.Fatal(err)
			}
			if why := differ(other, decoded); why != "" {
				t.Fatalf("%s of the state and of its bytes differ", why)
			}
			other = decoded
			handedOut = append(handedOut, kept{h.state, encoded})
		}
	}
	for _, k := range handedOut {
		if !bytes.Equal(k.state.Encode(), k.bytes) {
			t.Fatal("a state changed after it was handed out")
		}
	}
	if missing := slices.DeleteFunc(slices.Collect(maps.Keys(known)), func(kind string) bool { return done[kind] > 0 }); len(missing) > 0 {
		t.Errorf("never done: %v", missing)
	}
}

// differ names what of the derived trees is not equal in two states.
func differ(a, b *State) string {
	groups := func(t ordered.Map[string, *Stream]) (all []string) {
		for key, s := range t.All() {
			all = append(all, key+" "+s.ARN+" "+s.ID)
		}
		return all
	}
	due := func(t ordered.Map[string, uint64]) (all []string) {
		for key := range t.All() {
			all = append(all, key)
		}
		return all
	}
	switch {
	case !slices.Equal(groups(a.streams), groups(b.streams)):
		return "streams"
	case !slices.Equal(groups(a.byID), groups(b.byID)):
		return "byID"
	case !slices.Equal(groups(a.byChange), groups(b.byChange)):
		return "byChange"
	case !maps.Equal(maps.Collect(a.usage.All()), maps.Collect(b.usage.All())):
		return "usage"
	case !slices.Equal(due(a.deadlines), due(b.deadlines)):
		return "deadlines"
	case a.byGroup.Len() != b.byGroup.Len():
		return "byGroup"
	}
	return ""
}

// What this version does not know is an error, not a refusal.
func TestUnknownCommands(t *testing.T) {
	for _, row := range []struct {
		command string
		kind    fault.Kind
		says    string
	}{
		{`{"type":"OpenShard.1","body":{}}`, fault.Unsupported, `command "OpenShard.1" is not known`},
		{`{"type":"CreateStream.3","body":{}}`, fault.Unsupported, `command "CreateStream.3" is not known`},
		{`{"type":"Tick.1","body":{"why":"bored"}}`, fault.Unsupported, `command "Tick.1" has a body`},
		{`{"type":"StreamReady.1","body":{"group":"x"}}`, fault.Unsupported, `command "StreamReady.1" has a body`},
		{`{"type":"StreamReady.1","body":{"group":-1}}`, fault.Unsupported, `command "StreamReady.1" has a body`},
		{`{"type":"Tick.1"}`, fault.Unsupported, `command "Tick.1" has a body`},
		{`{"type":"Tick.1","body":{},"more":1}`, fault.Corrupt, "command"},
		{`{"type":"Tick.1","body":{}} {}`, fault.Corrupt, "command"},
		{``, fault.Corrupt, "command"},
	} {
		state, result, err := Apply(Empty(), start, 0, []byte(row.command))
		if !fault.Is(err, row.kind) || !strings.HasPrefix(err.Error(), row.says) || state != nil || result != nil {
			t.Errorf("%s: %v", row.command, err)
		}
	}
}

// Each row is a snapshot that cannot be.
func TestDamagedSnapshots(t *testing.T) {
	h := begin()
	h.must(t, 0, create("s", 2), create("t", 1))
	good := string(h.state.Encode())
	for _, row := range []struct {
		name, from, to string
		kind           fault.Kind
	}{
		{"newer format", `"format":2`, `"format":3`, fault.Unsupported},
		{"unknown field", `"lastGroup"`, `"more":1,"lastGroup"`, fault.Corrupt},
		{"a stream twice", `"name":"t"`, `"name":"s"`, fault.Corrupt},
		{"a slash", `"name":"t"`, `"name":"t/u"`, fault.Corrupt},
		{"a group twice", `"group":2`, `"group":1`, fault.Corrupt},
		{"a group that was not given out", `"lastGroup":2`, `"lastGroup":1`, fault.Corrupt},
		{"a change in the future", `"version":2`, `"version":1`, fault.Corrupt},
		{"a status", `CREATING`, `ODD`, fault.Corrupt},
		{"a mode", `PROVISIONED`, `ODD`, fault.Corrupt},
		{"no retention", `"retentionHours":24`, `"retentionHours":0`, fault.Corrupt},
		{"shards out of order", `"number":1`, `"number":0`, fault.Corrupt},
		{"something behind", `"format":2`, `"format":1}{`, fault.Corrupt},
		{"a time beyond the years of JSON", `"created":"2026-11-18T13:00:00.25Z"`, `"created":"9999-12-31T23:59:59-01:00"`, fault.Corrupt},
	} {
		t.Run(row.name, func(t *testing.T) {
			bad := strings.Replace(good, row.from, row.to, 1)
			if bad == good {
				t.Fatal("the row changes nothing")
			}
			if _, err := Decode([]byte(bad)); !fault.Is(err, row.kind) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A closed shard, with its parents, survives its bytes.
func TestSnapshotKeepsShards(t *testing.T) {
	h := begin()
	h.must(t, 0, create("s", 2))
	s := *h.stream("s")
	s.Shards = slices.Clone(s.Shards)
	zero, one := uint32(0), uint32(1)
	for i := range 2 {
		s.Shards[i].Status, s.Shards[i].End, s.Shards[i].ClosedAt = Closed, int64(i), start.Add(time.Minute)
	}
	s.Shards = append(s.Shards, Shard{Number: 2, Range: s.Shards[0].Range, Parent: &zero, AdjacentParent: &one, Created: start.Truncate(time.Second), Base: 7})
	changed := *h.state
	changed.with(h.stream("s"), &s)
	decoded, err := Decode(changed.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(decoded.Encode(), changed.Encode()) {
		t.Errorf("%s\n%s", decoded.Encode(), changed.Encode())
	}
	shards := decoded.Stream(account, region, "s").Shards
	if shards[0].Status != Closed || shards[0].End != 0 || shards[1].End != 1 || !shards[1].ClosedAt.Equal(start.Add(time.Minute)) {
		t.Errorf("%+v", shards)
	}
	if *shards[2].Parent != 0 || *shards[2].AdjacentParent != 1 || shards[2].Base != 7 || decoded.Stream(account, region, "s").OpenShards() != 1 {
		t.Errorf("%+v", shards[2])
	}
}

func FuzzCommand(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	h := begin()
	for range 100 {
		b, err := EncodeCommand(randomCommand(r, h))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	base := begin()
	base.must(f, 0, create("s0", 1), StreamReady{1}, create("s1", 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		next, result, err := Apply(base.state, base.at, base.position, b)
		if err != nil {
			return
		}
		if err := commands.DecodeResult(result, nil); fault.Is(err, fault.Corrupt) {
			t.Errorf("%s: %v", b, err)
		}
		c, err := known.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := EncodeCommand(c)
		if err != nil {
			return // a time that JSON reads and does not write
		}
		if second, _, err := Apply(base.state, base.at, base.position, again); err != nil || !bytes.Equal(second.Encode(), next.Encode()) {
			t.Errorf("%s and %s differ: %v", b, again, err)
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	h := begin() // small seeds: the fuzzer spends its time on shrinking large ones
	f.Add(h.state.Encode())
	h.must(f, 0, create("s", 2), StreamReady{1}, SetTestClock{start})
	f.Add(h.state.Encode())
	h.must(f, time.Hour, IncreaseRetention{account, region, "s", 48, limits}, AddTags{Account: account, Region: region, Name: "s", Tags: map[string]string{"a": "b"}, Limits: limits}, create("t", 1))
	f.Add(h.state.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(b)
		if err != nil {
			return
		}
		encoded := s.Encode()
		again, err := Decode(encoded)
		if err != nil || !bytes.Equal(again.Encode(), encoded) {
			t.Errorf("%s\nis read, written as\n%s\nand then %v", b, encoded, err)
		}
		s.NextDeadline()
	})
}
