package delivery

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold/commands"
)

var (
	seed  = flag.Uint64("seed", 0, "of random tests; 0 takes a new one")
	start = time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)
)

const (
	account = "123456789012"
	region  = "eu-west-3"
	bucket  = "delivered"
)

// random is a source that says in one line how to repeat a failing test.
func random(t *testing.T) *rand.Rand {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with: go test ./internal/delivery -run '^%s$' -seed %d", t.Name(), s)
		}
	})
	return rand.New(rand.NewPCG(s, s))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func destination() S3 {
	return S3{Bucket: "arn:aws:s3:::" + bucket, Role: "arn:aws:iam::123456789012:role/r", SizeMiB: SizeMiBDefault, IntervalSeconds: IntervalSecondsDefault, Compression: Uncompressed}
}

func randomCommand(r *rand.Rand, c *Catalog) Command {
	name := fmt.Sprint("d", r.IntN(4))
	number := uint64(1 + r.IntN(6))
	version := int64(1 + r.IntN(2))
	if s := c.Stream(account, region, name); s != nil && r.IntN(4) > 0 {
		number, version = s.Number, s.Version
	}
	s3 := destination()
	s3.SizeMiB += r.IntN(3)
	switch r.IntN(8) {
	case 0, 1:
		source := Source{HintMiB: r.IntN(2)}
		if r.IntN(2) == 0 {
			source = Source{Kinesis: &KinesisSource{Stream: "s", Role: "r"}}
		}
		return Create{ID: fmt.Sprint(r.Uint64()), Account: account, Region: region, Name: name, Source: source, S3: s3, Tags: map[string]string{"a": "b"}}
	case 2:
		return Update{account, region, name, version, s3}
	case 3:
		return Delete{account, region, name}
	case 4:
		return Tag{account, region, name, map[string]string{fmt.Sprint(r.IntN(3)): fmt.Sprint(r.IntN(3))}}
	case 5:
		return Untag{account, region, name, []string{fmt.Sprint(r.IntN(3))}}
	case 6:
		return Ready{number}
	default:
		return Gone{number}
	}
}

// The same commands on two catalogs, one of which goes through its bytes at random points, give the same results and bytes; no catalog that was handed out changes, and no
// number is given twice.
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
	numbers := map[uint64]string{}
	for range 3_000 {
		at, position = at.Add(time.Duration(r.IntN(1000))*time.Millisecond), position+1+r.Int64N(3)
		c := randomCommand(r, a)
		command, err := commands.Encode(c.kind(), c)
		must(t, err)
		nextA, resultA, errA := Apply(a, at, position, command)
		nextB, resultB, errB := Apply(b, at, position, command)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if commands.DecodeResult(resultA, nil) == nil && !bytes.Equal(a.Encode(), nextA.Encode()) {
			done[c.kind()]++
		}
		a, b = nextA, nextB
		if !bytes.Equal(resultA, resultB) || !bytes.Equal(a.Encode(), b.Encode()) {
			t.Fatalf("%s: %s %s", command, resultA, resultB)
		}
		for _, s := range a.All() {
			if was := numbers[s.Number]; was != "" && was != s.ID {
				t.Fatalf("number %d is %s's and was %s's", s.Number, s.ID, was)
			}
			numbers[s.Number] = s.ID
		}
		if r.IntN(40) == 0 {
			encoded := b.Encode()
			b, err = DecodeCatalog(encoded)
			must(t, err)
			handedOut = append(handedOut, kept{a, encoded})
		}
	}
	for _, k := range handedOut {
		if !bytes.Equal(k.catalog.Encode(), k.bytes) {
			t.Fatal("a catalog changed after it was handed out")
		}
	}
	for kind := range known {
		if done[kind] == 0 {
			t.Errorf("%s was never done", kind)
		}
	}
}

// What each command is refused with, in the order of a delivery stream's life.
func TestRefusals(t *testing.T) {
	c, position := &Catalog{}, commitlog.Position(0)
	do := func(command Command) error {
		t.Helper()
		b, err := commands.Encode(command.kind(), command)
		must(t, err)
		next, result, err := Apply(c, start, position, b)
		must(t, err)
		c, position = next, position+1
		return commands.DecodeResult(result, nil)
	}
	tags := map[string]string{}
	for i := range tagsMax + 1 {
		tags[fmt.Sprint(i)] = ""
	}
	create := Create{ID: "i", Account: account, Region: region, Name: "d", S3: destination()}
	for i, row := range []struct {
		do   Command
		kind fault.Kind
		says string // empty: it is done
	}{
		{Delete{account, region, "d"}, fault.NotFound, "Firehose d under account 123456789012 not found."},
		{Tag{account, region, "d", nil}, fault.NotFound, "Firehose d under account 123456789012 not found."},
		{Untag{account, region, "d", nil}, fault.NotFound, "Firehose d under account 123456789012 not found."},
		{Create{ID: "i", Account: account, Region: region, Name: "d", S3: destination(), Tags: tags}, fault.LimitExceeded, "A delivery stream has at most 50 tags."},
		{create, 0, ""},
		{create, fault.Exists, "Firehose d under accountId 123456789012 already exists"},
		{Update{account, region, "d", 1, destination()}, fault.WrongState, "Firehose d under account 123456789012 is in state CREATING; it must be ACTIVE."},
		{Delete{account, region, "d"}, fault.WrongState, "Firehose d under account 123456789012 is in state CREATING; it cannot be deleted yet."},
		{Ready{1}, 0, ""},
		{Update{account, region, "d", 2, destination()}, fault.Conflict, "Cannot update firehose: d since the current version id: 1 and specified version id: 2 do not match"},
		{Update{account, region, "d", 1, destination()}, 0, ""},
		{Tag{account, region, "d", tags}, fault.LimitExceeded, "A delivery stream has at most 50 tags."},
		{Delete{account, region, "d"}, 0, ""},
		{Delete{account, region, "d"}, 0, ""},
		{Update{account, region, "d", 2, destination()}, fault.WrongState, "Firehose d under account 123456789012 is in state DELETING; it must be ACTIVE."},
		{Gone{1}, 0, ""},
		{create, 0, ""},
	} {
		err := do(row.do)
		if row.says == "" && err != nil || row.says != "" && (!fault.Is(err, row.kind) || err.Error() != row.says) {
			t.Errorf("%d: %+v: %v", i, row.do, err)
		}
	}
	if s := c.Stream(account, region, "d"); s.Number != 2 || s.Version != 1 || s.Status != Creating {
		t.Errorf("%+v", s)
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
