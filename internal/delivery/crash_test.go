package delivery

import (
	"context"
	cryptorand "crypto/rand"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/readers"
	"github.com/weir-stream/weir/internal/vfs"
)

// life is one run of a server on a disk, until the power is cut.
type life struct {
	*testing.T
	clock       *clock.Manual
	store       *disklog.Store
	checkpoints *readers.Checkpoints
	engine      *Engine
	stop        func()
}

func begin(t *testing.T, fs vfs.FS, c *clock.Manual, s *server, session uint64) *life {
	t.Helper()
	l := &life{T: t, clock: c}
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	l.store, err = disklog.Open(disklog.Options{FS: fs, Dir: "log", Clock: c, DeviceClock: clock.Real, JournalBytes: 1 << 16})
	must(t, err)
	var logs []commitlog.Log
	for _, member := range []uint32{4, 6} {
		must(t, l.store.Create(ctx, commitlog.ID{Member: member}, commitlog.Config{}))
		log, err := l.store.Open(ctx, commitlog.ID{Member: member})
		must(t, err)
		logs = append(logs, log)
	}
	quiet := slog.New(slog.DiscardHandler)
	l.checkpoints, err = readers.OpenCheckpoints(ctx, readers.CheckpointOptions{Log: logs[0], FS: fs, Dir: "checkpoints", Clock: c, Session: session, TestClock: true, SnapshotEvery: 7, Logger: quiet})
	must(t, err)
	l.engine, err = Open(ctx, Options{
		Store: l.store, Log: logs[1], FS: fs, Dir: "delivery", Clock: c, Session: session, TestClock: true, Checkpoints: l.checkpoints, Objects: s, Random: cryptorand.Reader, Logger: quiet,
	})
	must(t, err)
	var all sync.WaitGroup
	all.Go(func() { _ = l.checkpoints.Run(ctx) })
	all.Go(func() { _ = l.engine.Run(ctx) })
	l.stop = func() { cancel(); all.Wait(); _ = l.store.Close() }
	return l
}

// step moves the clock on, and lets what is due begin.
func (l *life) step(d time.Duration, dead func() bool) {
	l.clock.Advance(d)
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for !l.engine.Settled() && !dead() {
		select {
		case <-deadline.C:
			l.Fatal("waited for everything to settle")
		case <-time.After(50 * time.Microsecond):
		}
	}
}

// The power is cut before file operations that chance picks, while records are put and delivered to an S3 that fails by chance, before and after it has done what it was asked for. What was
// acknowledged is delivered once, in order; what was not, once or not at all.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	r := random(t)
	mem, c := vfs.NewMem(), clock.NewManual(start)
	s := &server{clock: c, objects: map[string]*kept{}, parts: map[string]map[int][]byte{}}
	var mu sync.Mutex // guards everything below
	dead := false
	chance := rand.New(rand.NewPCG(r.Uint64(), 1))
	fails := func(often int) func(*http.Request) int {
		return func(*http.Request) int {
			mu.Lock()
			defer mu.Unlock()
			if dead || often > 0 && chance.IntN(often) == 0 {
				return http.StatusInternalServerError
			}
			return 0
		}
	}
	s.fails, s.after = fails(4), fails(4)
	acknowledged, tried, next := map[string]bool{}, map[string]bool{}, 0
	isDead := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return dead
	}
	const lives = 4
	cuts := 0
	for n := range lives {
		faulty := vfs.NewFaulty(mem)
		l := begin(t, faulty, c, s, uint64(n+1))
		if n == 0 {
			must(t, l.engine.Propose(t.Context(), Create{ID: "id", Account: account, Region: region, Name: "d", S3: S3{Bucket: "arn:aws:s3:::" + bucket, Compression: Uncompressed, SizeMiB: 1, IntervalSeconds: 1}}))
			for l.engine.Catalog().Stream(account, region, "d").Status != Active {
				l.step(0, isDead)
			}
		}
		left := 20 + r.IntN(400)
		var image *vfs.Mem
		faulty.Hook(func(op vfs.Op, _ string) {
			mu.Lock()
			defer mu.Unlock()
			if op&vfs.OpMutation == 0 || dead {
				return
			}
			if left--; left == 0 {
				dead, image = true, mem.CrashClone(chance)
			}
		})
		for !isDead() {
			var records [][]byte
			mu.Lock()
			for range 1 + chance.IntN(5) {
				name := fmt.Sprintf("%d;", next)
				next++
				tried[name] = true
				records = append(records, []byte(name))
			}
			mu.Unlock()
			_, err := l.engine.Put(context.Background(), l.engine.Catalog().Stream(account, region, "d"), records)
			mu.Lock()
			if err == nil && !dead {
				for _, record := range records {
					acknowledged[string(record)] = true
				}
			}
			mu.Unlock()
			l.step(time.Duration(r.IntN(900))*time.Millisecond, isDead)
		}
		l.stop()
		mu.Lock()
		mem, dead = image, false
		cuts++
		mu.Unlock()
	}
	s.does(func(s *server) { s.fails, s.after = nil, nil })
	l := begin(t, mem, c, s, lives+1)
	defer l.stop()
	for range 70 {
		l.step(time.Second, isDead)
	}
	w := &world{TB: t, server: s}
	counts, last := map[string]int{}, -1
	for _, body := range w.bodies() {
		for _, name := range strings.SplitAfter(body, ";") {
			if name == "" {
				continue
			}
			counts[name]++
			var number int
			if _, err := fmt.Sscanf(name, "%d;", &number); err != nil || number <= last {
				t.Errorf("%q comes after %d", name, last)
			}
			last = number
			if !tried[name] {
				t.Errorf("%q was delivered and never put", name)
			}
		}
	}
	for name := range acknowledged {
		if counts[name] != 1 {
			t.Errorf("%s was acknowledged and delivered %d times", name, counts[name])
		}
	}
	for name, n := range counts {
		if n > 1 {
			t.Errorf("%s was delivered %d times", name, n)
		}
	}
	puts := 0
	for _, o := range s.objects {
		puts += o.puts
	}
	t.Logf("%d cuts: %d records acknowledged of %d, %d delivered; %d objects in %d puts", cuts, len(acknowledged), len(tried), len(counts), len(s.objects), puts)
	if len(acknowledged) == 0 || puts == len(s.objects) {
		t.Error("nothing was put, or nothing was put again")
	}
}
