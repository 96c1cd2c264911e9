package disklog_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// The crash test: a workload runs over a file system in memory. Before every call that changes something on the disk (every write, sync, create, rename, remove),
// the tree is cloned several times as power loss at that moment could leave it. Each clone is then opened and compared with what was
// acknowledged before it was taken. So the store is crashed at every write and every sync, in one run.
//
// What is acknowledged is read before the clone, what was attempted after it; so whatever runs meanwhile is judged rightly: acknowledged must be
// there, attempted may, nothing else may.

var (
	crashSeed   = flag.Uint64("crash.seed", 0, "repeat a crash test with this seed")
	crashRounds = flag.Int("crash.rounds", 1, "how often each crash test runs, with another seed each time")
)

// ledger is what the workload knows: per log, what it tried and what was acknowledged.
type ledger struct {
	mu   sync.Mutex
	logs map[commitlog.ID]*account
}

type account struct {
	created, createTried bool
	deleted, deleteTried bool
	sealed, sealTried    bool
	end                  commitlog.Position
	trimmed, trimTried   commitlog.Position
	retention            []time.Duration // acknowledged last, and everything tried since
	acked                map[string]commitlog.Position
	tried                map[string]int // records of the batch
}

func (l *ledger) of(id commitlog.ID) *account {
	a := l.logs[id]
	if a == nil {
		a = &account{acked: map[string]commitlog.Position{}, tried: map[string]int{}}
		l.logs[id] = a
	}
	return a
}

func (l *ledger) do(id commitlog.ID, f func(*account)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l.of(id))
}

func (l *ledger) clone() map[commitlog.ID]account {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[commitlog.ID]account, len(l.logs))
	for id, a := range l.logs {
		c := *a
		c.acked, c.tried, c.retention = maps.Clone(a.acked), maps.Clone(a.tried), slices.Clone(a.retention)
		out[id] = c
	}
	return out
}

// workload is what one crash test does.
type workload struct {
	options disklog.Options // all but FS
	steps   int             // per worker
	workers int
	faults  bool // break calls now and then
	aging   bool // some logs keep their records for a millisecond only
	images  int  // clones at every call
}

// image is a tree after a crash, with what must and what may be on it.
type image struct {
	at     string
	fs     *vfs.Mem
	acked  map[commitlog.ID]account
	tried  map[commitlog.ID]account
	seed   uint64
	strict bool // acknowledged means durable
	aging  bool
	killed *vfs.Mem // as the death of the process alone leaves it; of a few images only
}

func TestCrashAtEveryCall(t *testing.T) {
	small := disklog.Options{Dir: "data/log", JournalBytes: 3 << 10, JournalFilesMax: 1000, SegmentBytes: 64 << 10, TendEvery: time.Millisecond}
	with := func(d disklog.Durability) disklog.Options {
		o := small
		o.Durability = d
		return o
	}
	for _, row := range []struct {
		name string
		w    workload
	}{
		{"one writer", workload{options: small, workers: 1, steps: 120, images: 3}},
		{"many writers", workload{options: small, workers: 6, steps: 40, images: 2}},
		{"aging", workload{options: small, workers: 2, steps: 80, images: 2, aging: true}},
		{"faults", workload{options: small, workers: 8, steps: 30, images: 2, faults: true}},
		{"interval", workload{options: with(disklog.Interval(time.Millisecond)), workers: 3, steps: 50, images: 2}},
		{"interval faults", workload{options: with(disklog.Interval(time.Millisecond)), workers: 3, steps: 50, images: 2, faults: true}},
		{"os", workload{options: with(disklog.OS), workers: 3, steps: 50, images: 2}},
	} {
		t.Run(row.name, func(t *testing.T) {
			for range *crashRounds {
				seed := *crashSeed
				if seed == 0 {
					seed = rand.Uint64()
				}
				crash(t, row.w, seed)
				if t.Failed() {
					t.Logf("repeat with: go test ./internal/commitlog/disklog -run '%s' -crash.seed %d", t.Name(), seed)
					return
				}
			}
		})
	}
}

func crash(t *testing.T, w workload, seed uint64) {
	mem := vfs.NewMem()
	faulty := vfs.NewFaulty(mem)
	l := &ledger{logs: make(map[commitlog.ID]*account)}
	var images []image
	var mu sync.Mutex // guards images, r and calls
	r := rand.New(rand.NewPCG(seed, 1))
	calls := 0
	faulty.Hook(func(op vfs.Op, name string) {
		if op&vfs.OpMutation == 0 {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		calls++
		for i := range w.images {
			im := image{at: fmt.Sprintf("call %d (%#x %s)", calls, op, name), seed: r.Uint64(), strict: w.options.Durability == disklog.Sync, aging: w.aging}
			im.acked = l.clone()
			im.fs = mem.CrashClone(rand.New(rand.NewPCG(im.seed, 2)))
			if i == 0 && r.IntN(30) == 0 {
				im.killed = mem.KillClone()
			}
			im.tried = l.clone()
			images = append(images, im)
		}
		if w.faults && r.IntN(12) == 0 {
			rule := vfs.Rule{Op: vfs.OpMutation | vfs.OpAllocate, Times: 1 + r.IntN(2), Part: r.Float64(), Lose: r.IntN(2) == 0}
			if r.IntN(2) == 0 {
				rule.Err = vfs.ErrNoSpace
			}
			faulty.Add(rule)
		}
	})

	options := w.options
	options.FS = faulty
	var s *disklog.Store
	var err error
	for range 50 { // faults may hit Open too
		if s, err = disklog.Open(options); err == nil || !w.faults {
			break
		}
	}
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	var wg sync.WaitGroup
	for i := range w.workers {
		wg.Go(func() { work(t, s, l, i, w, rand.New(rand.NewPCG(seed, uint64(10+i)))) })
	}
	wg.Wait()
	closeErr := s.Close()
	if closeErr != nil && !w.faults {
		t.Errorf("close: %v", closeErr)
	}
	faulty.Hook(nil)
	faulty.Heal()
	final := l.clone()
	images = append(images, image{at: "the end", fs: mem, acked: final, tried: final, aging: w.aging, strict: closeErr == nil || w.options.Durability == disklog.Sync})

	options.FS = nil
	again := 0
	for _, im := range images {
		opened := im
		if im.killed != nil {
			opened.fs = im.killed
		}
		if im.killed != nil || r.IntN(len(images)) < 15 {
			n, ok := opened.crashInOpen(t, options, r, w.faults)
			if again += n; !ok {
				return
			}
		}
		if !im.check(t, options) {
			return
		}
	}
	t.Logf("%d images, and %d of crashes while opening one", len(images), again)
}

// crashInOpen opens the image and crashes at every call of that, too.
func (im image) crashInOpen(t *testing.T, options disklog.Options, r *rand.Rand, faults bool) (images int, ok bool) {
	t.Helper()
	mem := im.fs.KillClone()
	disk := vfs.NewFaulty(mem)
	var mu sync.Mutex // guards more and r
	var more []image
	disk.Hook(func(op vfs.Op, name string) {
		if op&vfs.OpMutation == 0 {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		next := im
		next.at = fmt.Sprintf("%s, then opening: call %d (%#x %s)", im.at, len(more)+1, op, name)
		next.seed = r.Uint64()
		next.fs = mem.CrashClone(rand.New(rand.NewPCG(next.seed, 5)))
		more = append(more, next)
		if faults && r.IntN(8) == 0 {
			disk.Add(vfs.Rule{Op: vfs.OpMutation | vfs.OpAllocate, Part: r.Float64(), Lose: r.IntN(2) == 0})
		}
	})
	options.FS = disk
	for range 50 {
		s, err := disklog.Open(options)
		if err != nil && faults {
			continue
		}
		if err != nil {
			t.Errorf("%s, image %d: open: %v", im.at, im.seed, err)
			return 0, false
		}
		_ = s.Close()
		break
	}
	for _, next := range more {
		if _, ok := next.checkOnce(t, options, next.fs); !ok {
			return 0, false
		}
	}
	return len(more), true
}

// work is one worker: it makes logs of its own and shares one with everybody.
func work(t *testing.T, s *disklog.Store, l *ledger, worker int, w workload, r *rand.Rand) {
	ctx := context.Background()
	shared := commitlog.ID{Group: 1}
	var mine []commitlog.ID
	check := func(err error, doing string, id commitlog.ID, expected ...fault.Kind) bool {
		if err != nil && !w.faults && !slices.Contains(expected, fault.KindOf(err)) {
			t.Errorf("%s %s: %v", doing, id, err)
		}
		return err == nil
	}
	create := func(id commitlog.ID) {
		retention := time.Duration(r.IntN(2)) * 1000 * time.Hour
		if w.aging && retention > 0 {
			retention = time.Millisecond
		}
		if id == shared {
			retention = 0
		}
		l.do(id, func(a *account) {
			a.createTried = true
			if !a.created {
				a.retention = append(a.retention, retention)
			}
		})
		if check(s.Create(ctx, id, commitlog.Config{Retention: retention}), "create", id) {
			l.do(id, func(a *account) { a.created = true; a.retention = []time.Duration{retention} })
			mine = append(mine, id)
		}
	}
	create(shared)
	create(commitlog.ID{Group: uint64(100 + worker)})
	for step := range w.steps {
		if len(mine) == 0 {
			create(commitlog.ID{Group: uint64(100 + worker), Member: uint32(step + 1)})
			continue
		}
		id := mine[r.IntN(len(mine))]
		log, err := s.Open(ctx, id)
		if !check(err, "open", id, fault.NotFound) {
			continue
		}
		own := id != shared
		switch dice := r.IntN(100); {
		case dice < 6:
			create(commitlog.ID{Group: uint64(100 + worker), Member: uint32(step + 1)})
		case dice < 12 && own:
			bounds, err := log.Bounds(ctx)
			if !check(err, "bounds", id) {
				continue
			}
			before := bounds.First + r.Int64N(bounds.Next-bounds.First+1)
			l.do(id, func(a *account) { a.trimTried = max(a.trimTried, before) })
			if check(log.Trim(ctx, before), "trim", id) {
				l.do(id, func(a *account) { a.trimmed = max(a.trimmed, before) })
			}
		case dice < 14 && own:
			l.do(id, func(a *account) { a.sealTried = true })
			end, err := log.Seal(ctx)
			if check(err, "seal", id) {
				l.do(id, func(a *account) { a.sealed, a.end = true, end })
			}
		case dice < 16 && own:
			l.do(id, func(a *account) { a.deleteTried = true })
			if check(s.Delete(ctx, id), "delete", id) {
				l.do(id, func(a *account) { a.deleted = true })
				mine = slices.DeleteFunc(mine, func(m commitlog.ID) bool { return m == id })
			}
		case dice < 20 && own:
			retention := time.Duration(1+r.IntN(3)) * 1000 * time.Hour
			if w.aging {
				retention = time.Millisecond
			}
			l.do(id, func(a *account) { a.retention = append(a.retention, retention) })
			if check(log.Configure(ctx, commitlog.Config{Retention: retention}), "configure", id) {
				l.do(id, func(a *account) { a.retention = []time.Duration{retention} })
			}
		default:
			name := fmt.Sprintf("w%d-s%d", worker, step)
			var b batch.Batch
			n := 1 + r.IntN(4)
			for i := range n {
				b.Append(time.Now().UnixMilli(), []byte(name), fmt.Appendf(nil, "%s#%d#%s", name, i, strings.Repeat("x", r.IntN(300))))
			}
			l.do(id, func(a *account) { a.tried[name] = n })
			position, err := log.Append(ctx, &b)
			if check(err, "append", id, fault.Sealed) {
				l.do(id, func(a *account) { a.acked[name] = position })
			} else if !fault.IsUnknown(err) {
				l.do(id, func(a *account) { delete(a.tried, name) }) // definitely not appended
			}
		}
	}
}

// check opens the image, compares, appends, and then crashes and opens it again: what was once served must stay.
func (im image) check(t *testing.T, options disklog.Options) bool {
	t.Helper()
	served, ok := im.checkOnce(t, options, im.fs)
	if !ok {
		return false
	}
	clone := im.fs.CrashClone(rand.New(rand.NewPCG(im.seed, 3)))
	options.FS = clone
	s, err := disklog.Open(options)
	if err != nil {
		t.Errorf("%s, image %d: open after a second crash: %v", im.at, im.seed, err)
		return false
	}
	defer closeStore(t, s)
	for id, records := range served {
		again, bounds, err := contents(s, id)
		if im.aging { // more may be too old by now
			records = slices.DeleteFunc(records, func(r servedRecord) bool { return r.position < bounds.First })
		}
		if err != nil || len(again) < len(records) || !slices.Equal(again[:len(records)], records) {
			t.Errorf("%s, image %d: log %s after a second crash: %v, %d records, were %d", im.at, im.seed, id, err, len(again), len(records))
			return false
		}
	}
	return true
}

func closeStore(t *testing.T, s *disklog.Store) {
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// served is a record as read.
type servedRecord struct {
	position commitlog.Position
	value    string
}

func contents(s *disklog.Store, id commitlog.ID) ([]servedRecord, commitlog.Bounds, error) {
	log, err := s.Open(context.Background(), id)
	if err != nil {
		return nil, commitlog.Bounds{}, err
	}
	bounds, err := log.Bounds(context.Background())
	if err != nil {
		return nil, bounds, err
	}
	var out []servedRecord
	for from := bounds.First; from < bounds.Next; {
		chunk, err := log.Read(context.Background(), from, 2000)
		if fault.Is(err, fault.Trimmed) { // it became too old meanwhile
			return contents(s, id)
		}
		if err != nil {
			return nil, bounds, err
		}
		var r batch.Record
		it := batch.Iterate(chunk.Batches)
		for it.Next(&r) {
			if r.Position >= from {
				out = append(out, servedRecord{r.Position, string(r.Value)})
			}
		}
		if it.Err() != nil || chunk.Next <= from {
			return nil, bounds, fmt.Errorf("from %d to %d: %w", from, chunk.Next, errors.Join(it.Err(), errors.New("no progress or no batch")))
		}
		from = chunk.Next
	}
	return out, bounds, nil
}

func (im image) checkOnce(t *testing.T, options disklog.Options, fs *vfs.Mem) (map[commitlog.ID][]servedRecord, bool) {
	t.Helper()
	fail := func(format string, args ...any) bool {
		t.Helper()
		t.Errorf("crash before %s, image %d: %s", im.at, im.seed, fmt.Sprintf(format, args...))
		return false
	}
	options.FS = fs
	var damage []string
	options.OnEvent = func(e disklog.Event) {
		if d, ok := e.(disklog.Damaged); ok {
			damage = append(damage, d.Damage.Error())
		}
	}
	s, err := disklog.Open(options)
	if err != nil {
		return nil, fail("open: %v", err)
	}
	if len(damage) > 0 {
		return nil, fail("damage: %v", damage)
	}
	served := make(map[commitlog.ID][]servedRecord)
	ok := true
	for id, tried := range im.tried {
		acked := im.acked[id]
		records, bounds, err := contents(s, id)
		if err != nil {
			gone := fault.Is(err, fault.NotFound) && (tried.deleteTried || !acked.created || !im.strict)
			if !gone {
				ok = fail("log %s: %v", id, err)
			}
			continue
		}
		if acked.deleted && im.strict {
			ok = fail("log %s: was deleted", id)
		}
		if !tried.createTried {
			ok = fail("log %s: was never created", id)
		}
		served[id] = records
		if message := im.compare(s, id, acked, tried, records, bounds); message != "" {
			ok = fail("log %s: %s\nbounds %+v\nserved %.2000v", id, message, bounds, records)
		}
	}
	if err := s.Close(); err != nil {
		ok = fail("close: %v", err)
	}
	return served, ok
}

// compare says what is wrong with a log, or nothing.
func (im image) compare(s *disklog.Store, id commitlog.ID, acked, tried account, records []servedRecord, bounds commitlog.Bounds) string {
	log, err := s.Open(context.Background(), id)
	if err != nil {
		return err.Error()
	}
	if im.strict {
		switch {
		case bounds.First < acked.trimmed:
			return fmt.Sprintf("trimmed to %d", acked.trimmed)
		case acked.sealed && (!bounds.Sealed || bounds.Next != acked.end):
			return fmt.Sprintf("sealed at %d", acked.end)
		case !slices.Contains(append(tried.retention, acked.retention...), log.Config().Retention):
			return fmt.Sprintf("retention %v, not in %v", log.Config().Retention, tried.retention)
		}
	}
	if bounds.First > tried.trimTried && !im.aging || bounds.Sealed && !tried.sealTried {
		return fmt.Sprintf("trimmed or sealed by nobody (trim %d)", tried.trimTried)
	}
	position := bounds.First
	last := ""
	lastIndex := 0
	seen := make(map[string]commitlog.Position)
	for _, r := range records {
		name, rest, _ := strings.Cut(r.value, "#")
		var index int
		if _, err := fmt.Sscanf(rest, "%d#", &index); err != nil || strings.Trim(rest[strings.Index(rest, "#")+1:], "x") != "" {
			return fmt.Sprintf("record %d: %q was never written", r.position, r.value)
		}
		_, known := tried.tried[name]
		switch {
		case r.position != position:
			return fmt.Sprintf("position %d after %d", r.position, position-1)
		case !known:
			return fmt.Sprintf("record %d of batch %s: refused or never tried", r.position, name)
		case index > 0 && position > bounds.First && (last != name || lastIndex != index-1):
			return fmt.Sprintf("record %d: %s#%d after %s#%d", r.position, name, index, last, lastIndex)
		case index == 0 && last != "" && lastIndex != tried.tried[last]-1:
			return fmt.Sprintf("batch %s is torn", last)
		}
		if _, twice := seen[name]; twice && index == 0 {
			return fmt.Sprintf("batch %s stands twice", name)
		}
		seen[name] = r.position - int64(index)
		last, lastIndex = name, index
		position++

	}
	if position != bounds.Next || last != "" && lastIndex != tried.tried[last]-1 {
		return fmt.Sprintf("ends at %d with %s#%d", position, last, lastIndex)
	}
	if !im.strict {
		return ""
	}
	for name, at := range acked.acked {
		if at+int64(tried.tried[name]) <= bounds.First {
			continue // trimmed
		}
		if got, there := seen[name]; !there || got != at {
			return fmt.Sprintf("batch %s was acknowledged at %d; there: %v at %d", name, at, there, got)
		}
	}
	return ""
}
