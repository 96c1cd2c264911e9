package history

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/controller"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota"
	"github.com/weir-stream/weir/internal/quota/meter"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/vfs"
)

// life is one incarnation of a node, from opening what the last one left to its death: the parts of internal/node in its order, without the edge.
//
// It dies at a moment that its end names, while everything runs on. What the disk holds at that moment is what the next life begins with; what
// the dying one is told or says later nobody hears: note refuses it. So everything noted was promised before the moment of death.
type life struct {
	ctx     context.Context // ends soon after the death
	cancel  func()
	clock   *clock.Manual // outlives every life
	limited bool          // shards take only so much a second
	disk    *vfs.Mem
	faulty  *vfs.Faulty
	store   *disklog.Store
	control *controller.Controller
	streams *streams.Streams
	running sync.WaitGroup
	events  *events

	mu    sync.RWMutex // guards everything below; held for reading while something is noted
	dead  bool
	left  *vfs.Mem // what the next life begins with, once dead
	cause string   // what went wrong by itself; empty when nothing did
}

// note runs f unless the life is over, and says whether it did.
func (l *life) note(f func()) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.dead {
		return false
	}
	f()
	return true
}

// die ends the life here and now, and what the disk holds is decided by leave.
func (l *life) die(leave func(*vfs.Mem) *vfs.Mem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dead {
		l.dead, l.left = true, leave(l.disk)
		l.cancel()
	}
}

// powerLoss leaves what was synced and any part of what was not.
func powerLoss(r *rand.Rand) func(*vfs.Mem) *vfs.Mem {
	return func(m *vfs.Mem) *vfs.Mem { return m.CrashClone(r) }
}

// kill leaves what the operating system has.
func kill(m *vfs.Mem) *vfs.Mem { return m.KillClone() }

// session numbers the lives of all worlds: no two may have the same.
var session = func() func() uint64 {
	var mu sync.Mutex
	var last uint64
	return func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		last++
		return last
	}
}()

// quick is real time in which waiting takes a hundredth: for pauses before trying again, which a simulation need not wait out.
type quick struct{ clock.Clock }

func (q quick) NewTimer(d time.Duration) clock.Timer { return q.Clock.NewTimer(d / 100) }

// beginLife opens what is on disk and runs it. The life may die while it opens; then it has no streams. Its error is of a node that does not come up though nothing
// was made to fail.
func beginLife(ctx context.Context, disk *vfs.Mem, s *sim) (*life, error) {
	e := s.events
	l := &life{clock: s.clock, limited: s.limited, disk: disk, faulty: vfs.NewFaulty(disk), events: e}
	l.ctx, l.cancel = context.WithCancel(ctx)
	e.of(l, s.rand)
	l.faulty.Hook(func(op vfs.Op, _ string) {
		if op&vfs.OpMutation != 0 {
			e.happened(mutation)
		}
	})
	err := l.open()
	if l.over() {
		return l, nil
	}
	if err != nil {
		return l, fault.Wrap(err, "open")
	}
	l.running.Go(func() { l.ended("control plane", l.control.Run(l.ctx)) })
	l.running.Go(func() { l.ended("streams", l.streams.Run(l.ctx, slog.New(slog.DiscardHandler))) })
	return l, nil
}

// over says whether the life has died.
func (l *life) over() bool { return !l.note(func() {}) }

// ended notes that a part stopped by itself.
func (l *life) ended(part string, err error) {
	if l.ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dead {
		l.cause = part + " ended by itself"
		if err != nil {
			l.cause += ": " + err.Error()
		}
		l.cancel()
	}
}

func (l *life) open() error {
	impatient := quick{clock.Real}
	var err error
	l.store, err = disklog.Open(disklog.Options{
		FS: l.faulty, Dir: "log", Clock: l.clock, DeviceClock: impatient,
		ThrottleWait: time.Hour,                                                     // a machine that is busy with other things is no failure here
		JournalBytes: 32 << 10, SegmentBytes: 256 << 10, TendEvery: 2 * time.Second, // so small that layout, merging and deletion go on all the time
		OnEvent: func(event disklog.Event) {
			if d, ok := event.(disklog.Damaged); ok {
				l.ended("disk log", &d.Damage)
			}
		},
	})
	if err != nil {
		return err
	}
	if err := l.store.Create(l.ctx, commitlog.ID{}, commitlog.Config{}); err != nil {
		return err
	}
	log, err := l.store.Open(l.ctx, commitlog.ID{})
	if err != nil {
		return err
	}
	many, err := quota.New(map[quota.Name]int64{quota.ShardCountUpdates: 1 << 20, quota.ModeChanges: 1 << 20,
		quota.ShardWriteRecords: 30, quota.ShardReadBytes: 1 << 40, quota.ShardReadCalls: 1 << 40, quota.IteratorCalls: 1 << 40})
	if err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler)
	l.control, err = controller.Open(l.ctx, controller.Options{
		Log: log, FS: l.faulty, Dir: "control", Clock: l.clock, Session: session(), Quota: many, SnapshotEvery: 24, Backoff: impatient, Logger: quiet,
	})
	if err != nil {
		return err
	}
	options := streams.Options{
		Store: watched{l.store, l.events}, Control: l.control, Clock: l.clock, Backoff: impatient, Secret: make([]byte, 32), Random: &counter{},
	}
	if l.limited {
		options.Limits = meter.LimitsOf(many)
	}
	l.streams, err = streams.New(options)
	return err
}

// close waits until nothing of the life runs, and says what went wrong by itself.
func (l *life) close() string {
	l.cancel()
	l.running.Wait()
	if l.store != nil {
		if err := l.store.Close(); err != nil && !l.over() {
			l.cause = "close: " + err.Error()
		}
	}
	if !l.over() {
		l.left = l.disk
	}
	return l.cause
}

// stream is a stream as the catalog has it now, or nil.
func (l *life) stream(name string) *catalog.Stream {
	return l.control.State().Stream(account, region, name)
}

// await waits until a stream is as wanted.
func (l *life) await(ctx context.Context, name string, is func(*catalog.Stream) bool) (*catalog.Stream, error) {
	for state := l.control.State(); ; {
		if s := state.Stream(account, region, name); is(s) {
			return s, nil
		}
		var err error
		if state, err = l.control.Await(ctx, state.Version()); err != nil {
			return nil, err
		}
	}
}

func active(s *catalog.Stream) bool { return s != nil && s.Status == catalog.Active }

// counter is a source of randomness that is different every time, which is all that iterators ask for.
type counter struct {
	mu sync.Mutex
	n  uint64
}

func (c *counter) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range p {
		c.n++
		p[i] = byte(c.n * 0x9e3779b97f4a7c15 >> 56)
	}
	return len(p), nil
}
