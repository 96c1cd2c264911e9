package functions

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold/commands"
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
			t.Logf("repeat with: go test ./internal/functions -run '^%s$' -seed %d", t.Name(), s)
		}
	})
	return rand.New(rand.NewPCG(s, s))
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// randomCommand is one of all kinds, about a handful of names.
func randomCommand(r *rand.Rand, c *Catalog) Command {
	n := named(pick(r, "a", "b", "c"))
	code := Code{SHA256: fmt.Sprintf("%064x", r.IntN(4)), Size: 1 + r.Int64N(100)}
	alias, version := pick(r, "live", "test", "old"), pick(r, Latest, "1", "2", "3")
	qualifier := pick(r, "", "live", "1", Latest)
	rev, latest := "", "none"
	if f := c.Function(n.Account, n.Region, n.Name); f != nil {
		latest = f.Latest.Revision
		rev = pick(r, "", "", latest, "other")
	}
	cfg := config()
	cfg.TimeoutSeconds = 1 + r.IntN(3)
	number := r.IntN(5)
	switch r.IntN(16) {
	case 0:
		return CreateFunction{Name: n, Config: cfg, Code: code, Publish: r.IntN(2) == 0, Tags: map[string]string{"k": "v"}, CodeBytesMax: 1000}
	case 1:
		return UpdateCode{Name: n, Code: code, Revision: rev, Publish: r.IntN(2) == 0, CodeBytesMax: 1000}
	case 2:
		return UpdateConfig{Name: n, Config: cfg, Was: latest, Revision: rev}
	case 3, 4, 5:
		return Prepared{Name: n, Revision: latest, Failure: pick(r, "", "", "no zip")}
	case 6:
		return DeleteFunction{Name: n, Qualifier: pick(r, "", "1", "2", Latest)}
	case 7:
		return PublishVersion{Name: n, Revision: rev, CodeSHA256: pick(r, "", code.SHA256), Description: pick(r, "", "text")}
	case 8:
		return CreateAlias{Name: n, Alias: alias, Version: version}
	case 9:
		return pick[Command](r, UpdateAlias{Name: n, Alias: alias, Version: version}, DeleteAlias{Name: n, Alias: alias})
	case 10:
		return pick[Command](r, SetConcurrency{Name: n, Reserved: &number, Most: 6}, SetConcurrency{Name: n, Most: 6})
	case 11:
		return SetEventConfig{Name: n, Config: EventConfig{Qualifier: qualifier, Retries: &number}, Merge: r.IntN(2) == 0}
	case 12:
		return DeleteEventConfig{Name: n, Qualifier: qualifier}
	case 13:
		return AddPermission{Name: n, Qualifier: qualifier, SID: alias, Text: `{"Sid":"` + alias + `"}`}
	case 14:
		return RemovePermission{Name: n, Qualifier: qualifier, SID: alias}
	default:
		return pick[Command](r, Tag{Name: n, Tags: map[string]string{alias: "v"}, Most: 3}, Untag{Name: n, Keys: []string{alias, "k"}})
	}
}

// The same commands on two catalogs, one of which goes through its bytes at random points, give the same results and the same bytes at every position; and no catalog
// that was handed out changes afterwards.
func TestReplayIsDeterministic(t *testing.T) {
	r := random(t)
	type kept struct {
		catalog *Catalog
		bytes   []byte
	}
	var handedOut []kept
	a, b := &Catalog{}, &Catalog{}
	at, position := start, commitlog.Position(0)
	done := map[string]int{}
	for range 5_000 {
		at, position = at.Add(time.Duration(r.IntN(1000))*time.Millisecond), position+1+r.Int64N(3)
		c := randomCommand(r, a)
		command, err := commands.Encode(c.kind(), c)
		if err != nil {
			t.Fatal(err)
		}
		nextA, resultA, err := Apply(a, at, position, command)
		if err != nil {
			t.Fatal(err)
		}
		nextB, resultB, err := Apply(b, at, position, command)
		if err != nil {
			t.Fatal(err)
		}
		a, b = nextA, nextB
		if !bytes.Equal(resultA, resultB) || !bytes.Equal(a.Encode(), b.Encode()) {
			t.Fatalf("%s:\n%s\n%s\n%s\n%s", command, resultA, resultB, a.Encode(), b.Encode())
		}
		if commands.DecodeResult(resultA, nil) == nil {
			done[c.kind()]++
		}
		if r.IntN(40) == 0 {
			encoded := b.Encode()
			if b, err = DecodeCatalog(encoded); err != nil {
				t.Fatal(err)
			}
			handedOut = append(handedOut, kept{a, encoded})
		}
	}
	for _, k := range handedOut {
		if !bytes.Equal(k.catalog.Encode(), k.bytes) {
			t.Fatal("a catalog changed after it was handed out")
		}
	}
	if missing := slices.DeleteFunc(slices.Collect(maps.Keys(known)), func(kind string) bool { return done[kind] > 0 }); len(missing) > 0 {
		t.Errorf("never done: %v", missing)
	}
}

// told applies commands to one catalog.
type told struct {
	t        *testing.T
	c        *Catalog
	position commitlog.Position
}

func (h *told) tell(c Command) (value string, err error) {
	h.t.Helper()
	b, err := commands.Encode(c.kind(), c)
	if err != nil {
		h.t.Fatal(err)
	}
	next, result, err := Apply(h.c, start, h.position, b)
	if err != nil {
		h.t.Fatal(err)
	}
	h.c = next
	h.position++
	err = commands.DecodeResult(result, &value)
	return value, err
}

func (h *told) must(c Command) string {
	h.t.Helper()
	value, err := h.tell(c)
	if err != nil {
		h.t.Fatal(err)
	}
	return value
}

// prepared tells that a function's code is ready.
func (h *told) prepared(name string) {
	h.t.Helper()
	h.must(Prepared{Name: named(name), Revision: h.c.Function(account, region, name).Latest.Revision})
}

// Versions are numbered once, the same code and configuration is the same version, and aliases hold versions.
func TestVersionsAndAliases(t *testing.T) {
	h := &told{t: t, c: &Catalog{}}
	h.must(CreateFunction{Name: named("f"), Config: config(), Code: Code{SHA256: "a1", Size: 1}, CodeBytesMax: 10})
	if _, err := h.tell(PublishVersion{Name: named("f")}); !fault.Is(err, fault.WrongState) {
		t.Errorf("published while Pending: %v", err)
	}
	h.prepared("f")
	if v := h.must(PublishVersion{Name: named("f"), Description: "first"}); v != "1" {
		t.Errorf("version %s", v)
	}
	if v := h.must(PublishVersion{Name: named("f"), Description: "first"}); v != "1" {
		t.Errorf("the same again is version %s", v)
	}
	h.must(UpdateCode{Name: named("f"), Code: Code{SHA256: "b2", Size: 1}, CodeBytesMax: 10})
	if _, err := h.tell(UpdateCode{Name: named("f"), Code: Code{SHA256: "c3", Size: 1}, CodeBytesMax: 10}); !fault.Is(err, fault.WrongState) || !strings.Contains(err.Error(), "An update is in progress") {
		t.Errorf("two updates at once: %v", err)
	}
	h.prepared("f")
	if v := h.must(PublishVersion{Name: named("f")}); v != "2" {
		t.Errorf("version %s", v)
	}
	h.must(CreateAlias{Name: named("f"), Alias: "live", Version: "2"})
	if _, err := h.tell(CreateAlias{Name: named("f"), Alias: "live", Version: "1"}); !fault.Is(err, fault.Exists) {
		t.Errorf("%v", err)
	}
	if _, err := h.tell(DeleteFunction{Name: named("f"), Qualifier: "2"}); !fault.Is(err, fault.WrongState) {
		t.Errorf("a version with an alias went: %v", err)
	}
	h.must(UpdateAlias{Name: named("f"), Alias: "live", Version: "1"})
	f := h.c.Function(account, region, "f")
	if v := f.Qualified("live"); v == nil || v.Number != "1" || v.Code.SHA256 != "a1" {
		t.Errorf("live is %+v", v)
	}
	h.must(DeleteFunction{Name: named("f"), Qualifier: "2"})
	h.must(UpdateCode{Name: named("f"), Code: Code{SHA256: "c3", Size: 1}, CodeBytesMax: 10, Publish: true})
	f = h.c.Function(account, region, "f")
	if f.LastVersion != 3 || f.Version("3") == nil || f.Version("2") != nil {
		t.Errorf("a number was given out twice: %+v", f)
	}
	if _, err := h.tell(UpdateCode{Name: named("f"), Code: Code{SHA256: "d4", Size: 100}, CodeBytesMax: 10}); !fault.Is(err, fault.WrongState) {
		t.Errorf("%v", err)
	}
	h.prepared("f")
	if _, err := h.tell(UpdateCode{Name: named("f"), Code: Code{SHA256: "d4", Size: 100}, CodeBytesMax: 10}); !fault.Is(err, fault.LimitExceeded) {
		t.Errorf("more code than there may be: %v", err)
	}
	if _, err := h.tell(UpdateCode{Name: named("f"), Code: Code{SHA256: "d4", Size: 1}, CodeBytesMax: 10, Revision: "old"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("an old revision: %v", err)
	}
}

func FuzzApply(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	c := &Catalog{}
	for i := range 50 {
		command := randomCommand(r, c)
		b, err := commands.Encode(command.kind(), command)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		if next, _, err := Apply(c, start, int64(i), b); err == nil {
			c = next
		}
	}
	before := c.Encode()
	f.Fuzz(func(t *testing.T, b []byte) {
		next, _, err := Apply(c, start, 100, b)
		if err != nil {
			return
		}
		if again, err := DecodeCatalog(next.Encode()); err == nil && !bytes.Equal(again.Encode(), next.Encode()) {
			t.Error("a catalog's bytes give another")
		}
		if !bytes.Equal(c.Encode(), before) {
			t.Error("a catalog was changed")
		}
	})
}

func FuzzDecodeCatalog(f *testing.F) {
	f.Add((&Catalog{}).Encode())
	f.Add([]byte(`{"format":1,"version":3,"functions":[{"account":"1","region":"r","name":"n","latest":{"number":"$LATEST","revision":"","config":{"runtime":"","handler":"","role":"","memoryMB":1,"timeoutSeconds":1,"ephemeralMB":1,"architecture":""},"code":{"sha256":"","size":1},"modified":"2026-01-01T00:00:00Z","state":"Active"}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeCatalog(b)
		if err != nil {
			return
		}
		again, err := DecodeCatalog(c.Encode())
		if err != nil || !bytes.Equal(again.Encode(), c.Encode()) {
			t.Errorf("%s: %v", b, err)
		}
	})
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"type":"Event.1","body":{"id":"i","function":"f","received":5}}`))
	f.Add([]byte(`{"type":"Tried.1","body":{"event":0,"invokes":1,"next":9}}`))
	f.Add([]byte(`{"type":"Done.1","body":{"event":0}}`))
	f.Fuzz(func(t *testing.T, key []byte) {
		s := newWaiting()
		for position, k := range [][]byte{f0, key, key, f0} {
			_ = s.apply(int64(position), k)
		}
		for s.begin(time.UnixMilli(1<<50)) != nil { // no end but an empty heap
		}
	})
}

var f0 = []byte(`{"type":"Event.1","body":{"id":"i","function":"f","received":5}}`)
