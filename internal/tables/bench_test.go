package tables

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/tables/value"
	"github.com/weir-stream/weir/internal/vfs"
)

// The sketch. A conditional write of an item of 300 bytes: the command is about 400 bytes (item, key, condition); it is written once to the log, where all that wait
// share a sync; it is read back from memory, its condition is decoded and held against the item that is there (one look-up, one decoding), and the item goes into the
// memory table of a database without a log. Pebble alone writes the item to its own log, syncs, and puts it into its memory table. So the log and the memory table are the
// same work on both sides, and what remains is the look-up, the condition, and handing the command over twice.
//
// The promise is three times Pebble's CPU at most, in one run: compare cpu-ns/op of the two.

const (
	benchWriters = 32
	benchKeys    = 10000
	benchText    = 250 // bytes of the item besides its key and number
)

func BenchmarkConditionalWrite(b *testing.B) {
	b.Run("pebble", benchPebble)
	b.Run("engine", benchEngine)
}

func benchEngine(b *testing.B) {
	fs, err := vfs.NewOS(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	w := begin(b, fs, clock.Real, 0)
	tab := w.makeTable("t", false, nil)
	text := strings.Repeat("x", benchText)
	region, ctx := w.region(), context.Background()
	p := placeholdersOf(map[string]value.Value{":v": value.String("0")})
	condition := p("attribute_not_exists(k) OR v = :v")
	measured(b, func(i int) error {
		it := item("k", fmt.Sprintf("key-%08d", i%benchKeys), "n", i, "v", "0", "text", text)
		_, err := region.Write(ctx, []Write{{Table: tab, Verb: VerbPut, Item: it, Condition: condition}}, false, "")
		return err
	})
}

func benchPebble(b *testing.B) {
	db, err := pebble.Open(b.TempDir(), &pebble.Options{Logger: quiet{}})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	text := strings.Repeat("x", benchText)
	schema := KeySchema{Hash: KeyAttribute{"k", value.S}}
	measured(b, func(i int) error {
		it := item("k", fmt.Sprintf("key-%08d", i%benchKeys), "n", i, "v", "0", "text", text)
		key := schema.suffix(itemPrefix(1), it)
		return db.Set(key, appendStored(nil, it.Size(), string(value.AppendItem(nil, it))), pebble.Sync)
	})
}

// quiet says nothing.
type quiet struct{}

func (quiet) Infof(string, ...any)         {}
func (quiet) Errorf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }
func (quiet) Fatalf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }

// measured does b.N things from benchWriters goroutines and tells what they took of the processor, the system's part included.
func measured(b *testing.B, do func(i int) error) {
	var next atomic.Int64
	var writers sync.WaitGroup
	b.ResetTimer()
	before := cpu(b)
	for range benchWriters {
		writers.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := do(int(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpu is the processor time of this process so far, in nanoseconds.
func cpu(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
