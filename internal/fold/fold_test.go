package fold

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

var start = time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)

// memoryLog is an empty log in memory.
func memoryLog(t *testing.T) commitlog.Log {
	t.Helper()
	store := commitlog.NewMemory(clock.NewManual(start), commitlog.Forever)
	t.Cleanup(func() { store.Close() })
	id := commitlog.ID{}
	if err := store.Create(t.Context(), id, commitlog.Config{}); err != nil {
		t.Fatal(err)
	}
	log, err := store.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func testOptions(log commitlog.Log, fs vfs.FS, m Machine) Options {
	return Options{
		Name: "test", Log: log, FS: fs, Dir: "state/test", Machine: m, Clock: clock.NewManual(start), Session: rand.Uint64() | 1,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// running opens and runs a fold until stop, which waits for the end and gives Run's error.
func running(t *testing.T, options Options) (f *Fold, stop func() error) {
	t.Helper()
	f, err := Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- f.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-result
	})
	t.Cleanup(func() { stop() })
	return f, stop
}

func propose(t *testing.T, f *Fold, command string) string {
	t.Helper()
	result, _, err := f.Propose(t.Context(), []byte(command))
	if err != nil {
		t.Fatalf("propose %q: %v", command, err)
	}
	return string(result)
}

// flaky is a log whose replies get lost: before or after the batch was appended. It follows a list, then is well.
type flaky struct {
	commitlog.Log
	mu     sync.Mutex
	faults []func(append func() (commitlog.Position, error)) (commitlog.Position, error)
}

func (l *flaky) Append(ctx context.Context, b *batch.Batch) (commitlog.Position, error) {
	do := func() (commitlog.Position, error) { return l.Log.Append(ctx, b) }
	l.mu.Lock()
	if len(l.faults) == 0 {
		l.mu.Unlock()
		return do()
	}
	fault := l.faults[0]
	l.faults = l.faults[1:]
	l.mu.Unlock()
	return fault(do)
}

func (l *flaky) next(faults ...func(func() (commitlog.Position, error)) (commitlog.Position, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = faults
}

var errLost = fault.Unknown(fault.Unavailable, io.ErrUnexpectedEOF, "append")

func lostBefore(func() (commitlog.Position, error)) (commitlog.Position, error) { return 0, errLost }
func lostAfter(do func() (commitlog.Position, error)) (commitlog.Position, error) {
	if _, err := do(); err != nil {
		return 0, err
	}
	return 0, errLost
}
func refuses(kind fault.Kind) func(func() (commitlog.Position, error)) (commitlog.Position, error) {
	return func(func() (commitlog.Position, error)) (commitlog.Position, error) {
		return 0, fault.New(kind, "append")
	}
}

// Proposals from many goroutines are applied once each, and answered with their own result.
func TestProposeAnswersEachProposer(t *testing.T) {
	m := &chain{}
	f, _ := running(t, testOptions(memoryLog(t), vfs.NewMem(), m))
	const proposers, each = 2 * inFlightMax, 5
	var wait sync.WaitGroup
	for p := range proposers {
		wait.Go(func() {
			for i := range each {
				command := fmt.Sprintf("%d/%d", p, i)
				result, position, err := f.Propose(t.Context(), []byte(command))
				if err != nil || !strings.HasSuffix(string(result), ":"+command) {
					t.Errorf("%s: %q, %v", command, result, err)
				}
				if f.Applied() <= position {
					t.Errorf("%s: answered before it was applied", command)
				}
			}
		})
	}
	wait.Wait()
	if m.counted() != proposers*each {
		t.Errorf("%d commands applied, want %d", m.counted(), proposers*each)
	}
}

// Each row is what happens to the appends of one proposal; the columns are how often the command is done and what the proposer hears.
func TestLostReplies(t *testing.T) {
	type faults = []func(func() (commitlog.Position, error)) (commitlog.Position, error)
	for _, row := range []struct {
		name    string
		faults  faults
		count   uint64
		kind    fault.Kind // of the error; Internal is none
		unknown bool
	}{
		{"nothing", nil, 1, fault.Internal, false},
		{"lost before", faults{lostBefore}, 1, fault.Internal, false},
		{"lost after", faults{lostAfter}, 1, fault.Internal, false},
		{"lost again and again", faults{lostBefore, lostAfter, lostAfter, lostBefore, lostAfter}, 1, fault.Internal, false},
		{"lost before, then full for a while", faults{lostBefore, refuses(fault.Full), refuses(fault.Throttled)}, 1, fault.Internal, false},
		{"throttled", faults{refuses(fault.Throttled)}, 0, fault.Throttled, false},
		{"full", faults{refuses(fault.Full)}, 0, fault.Full, false},
		{"fenced", faults{refuses(fault.Fenced)}, 0, fault.Fenced, false},
		{"lost before, then fenced", faults{lostBefore, refuses(fault.Fenced)}, 0, fault.Fenced, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			log := &flaky{Log: memoryLog(t)}
			m := &chain{}
			f, _ := running(t, testOptions(log, vfs.NewMem(), m))
			propose(t, f, "before")
			log.next(row.faults...)
			_, _, err := f.Propose(t.Context(), []byte("x"))
			if row.kind == fault.Internal && err != nil || row.kind != fault.Internal && (!fault.Is(err, row.kind) || fault.IsUnknown(err) != row.unknown) {
				t.Errorf("error %v (%v, unknown %v)", err, fault.KindOf(err), fault.IsUnknown(err))
			}
			log.next()
			propose(t, f, "after") // whatever was appended stands before it
			if got := m.counted() - 2; got != row.count {
				t.Errorf("done %d times, want %d", got, row.count)
			}
		})
	}
}

// A proposer that leaves while nobody applies hears that its command may have been done.
func TestProposerLeaves(t *testing.T) {
	m := &chain{}
	f, err := Open(t.Context(), testOptions(memoryLog(t), vfs.NewMem(), m))
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.opened = true // Run is not there to open a session
	f.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, _, err := f.Propose(ctx, []byte("x"))
		result <- err
	}()
	if err := f.log.Wait(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-result; !fault.Is(err, fault.Unavailable) || !fault.IsUnknown(err) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if len(f.waiters) != 0 {
		t.Error("a waiter was left behind")
	}
}

// A session that the log forgot is replaced by another, and no command is lost or done twice on the way.
func TestForgottenSessionIsRenewed(t *testing.T) {
	log := memoryLog(t)
	m := &chain{}
	f, _ := running(t, testOptions(log, vfs.NewMem(), m))
	propose(t, f, "one")
	for id := range uint64(sessionsKept) {
		var b batch.Batch
		b.Append(0, nil, envelope{kind: kindOpen, id: commandID{session: 10 + id}}.encode())
		if _, err := log.Append(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() { propose(t, f, "more") })
	}
	wait.Wait()
	if m.counted() != 21 {
		t.Errorf("%d commands done, want 21", m.counted())
	}
}

// Two folds of one log: what one was answered, the other sees after a barrier, and both come to the same hash.
func TestBarrierSeesWhatOthersWereAnswered(t *testing.T) {
	log := memoryLog(t)
	ma, mb := &chain{}, &chain{}
	a, stopA := running(t, testOptions(log, vfs.NewMem(), ma))
	b, stopB := running(t, testOptions(&flaky{Log: log}, vfs.NewMem(), mb))
	for i := range 50 {
		propose(t, a, fmt.Sprint(i))
		if i == 10 {
			b.log.(*flaky).next(lostBefore, lostAfter)
		}
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				if err := b.Barrier(t.Context()); err != nil {
					t.Error(err)
				}
				if mb.counted() != uint64(i+1) {
					t.Errorf("%d commands seen after a barrier, want %d", mb.counted(), i+1)
				}
			})
		}
		wait.Wait()
	}
	if err := a.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.WaitApplied(t.Context(), b.Applied()-1); err != nil {
		t.Fatal(err)
	}
	if stopA() != nil || stopB() != nil {
		t.Error("Run ended with an error")
	}
	if a.core.hash() != b.core.hash() {
		t.Error("the two differ")
	}
}

// A leader that leaves before its barrier is appended does not take those with it who had joined.
func TestBarrierSurvivesItsLeader(t *testing.T) {
	f, _ := running(t, testOptions(memoryLog(t), vfs.NewMem(), &chain{}))
	f.flight <- struct{}{} // a barrier is under way for as long as we like
	ctx, leave := context.WithCancel(t.Context())
	led, followed := make(chan error, 1), make(chan error, 1)
	go func() { led <- f.Barrier(ctx) }()
	for {
		f.mu.Lock()
		joined := f.barrier != nil
		f.mu.Unlock()
		if joined {
			break
		}
	}
	go func() { followed <- f.Barrier(t.Context()) }()
	leave()
	if err := <-led; !errors.Is(err, context.Canceled) {
		t.Errorf("leader: %v", err)
	}
	<-f.flight
	if err := <-followed; err != nil {
		t.Errorf("follower: %v", err)
	}
}

// A record that is not understood ends Run with its position, proposers hear of it, and a restart ends there again.
func TestUnknownCommandStops(t *testing.T) {
	for _, command := range []string{"unknown thing", "panic"} {
		t.Run(command, func(t *testing.T) {
			log, fs := memoryLog(t), vfs.NewMem()
			f, stop := running(t, testOptions(log, fs, &chain{}))
			propose(t, f, "one")
			if _, _, err := f.Propose(t.Context(), []byte(command)); !fault.Is(err, fault.Unavailable) || !fault.IsUnknown(err) {
				t.Errorf("proposer: %v", err)
			}
			<-f.done
			if _, _, err := f.Propose(t.Context(), []byte("two")); !fault.Is(err, fault.Unavailable) || fault.IsUnknown(err) {
				t.Errorf("later proposer: %v", err)
			}
			if err := f.Barrier(t.Context()); !fault.Is(err, fault.Unavailable) {
				t.Errorf("barrier: %v", err)
			}
			if err := stop(); err == nil || !strings.HasPrefix(err.Error(), "test log at 2: ") {
				t.Errorf("Run: %v", err)
			}
			if _, err := Open(t.Context(), testOptions(log, fs, &chain{})); err == nil || !strings.HasPrefix(err.Error(), "test log at 2: ") {
				t.Errorf("Open: %v", err)
			}
		})
	}
}

// plainAfter is what chain.plain is after commands 0 … n−1 of the snapshot tests.
func plainAfter(n uint64) (sum [sha256.Size]byte) {
	for i := range n {
		sum = sha256.Sum256(fmt.Appendf(nil, "%x command %d", sum, i))
	}
	return sum
}

// steady is a log that finishes a trim although whoever asked is leaving: tests know where it begins then.
type steady struct{ commitlog.Log }

func (l steady) Trim(ctx context.Context, before commitlog.Position) error {
	return l.Log.Trim(context.WithoutCancel(ctx), before)
}

// withSnapshots proposes commands, with snapshots every ten records, until there are two, and gives the number of commands.
func withSnapshots(t *testing.T, log commitlog.Log, fs vfs.FS) (commands uint64) {
	t.Helper()
	options := testOptions(steady{log}, fs, &chain{})
	options.SnapshotEvery = 10
	f, stop := running(t, options)
	for commands < 100 || len(snapshotFiles(t, fs)) < 2 {
		propose(t, f, fmt.Sprintf("command %d", commands))
		commands++
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	return commands
}

func snapshotFiles(t *testing.T, fs vfs.FS) []string {
	t.Helper()
	names, err := fs.List("state/test")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, snapshotPrefix) })
}

func flipByte(t *testing.T, fs vfs.FS, name string, at int64) {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x40
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// Two snapshots are kept, the log is trimmed behind the older one, and each of them leads back to the same state: the newest when it is whole,
// the one before when it is not, and none when neither is, because the log's beginning is gone.
func TestSnapshotsAndTrim(t *testing.T) {
	log, fs := memoryLog(t), vfs.NewMem()
	commands := withSnapshots(t, log, fs)
	files := snapshotFiles(t, fs)
	bounds, err := log.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 || files[0] != snapshotName(bounds.First) || bounds.First == 0 {
		t.Fatalf("snapshots %v, log begins at %d", files, bounds.First)
	}
	reopen := func() error {
		m := &chain{}
		f, err := Open(t.Context(), testOptions(log, fs, m))
		if err != nil {
			return err
		}
		if m.count != commands || m.plain != plainAfter(commands) || f.core.next != bounds.Next {
			t.Errorf("reopened with %d commands at %d", m.count, f.core.next)
		}
		return nil
	}
	if err := reopen(); err != nil {
		t.Fatal(err)
	}
	flipByte(t, fs, path.Join("state/test", files[1]), 70)
	if err := reopen(); err != nil {
		t.Fatal(err)
	}
	if files := snapshotFiles(t, fs); len(files) != 2 || !strings.HasSuffix(files[1], badSuffix) {
		t.Errorf("the damaged snapshot was not put aside: %v", files)
	}
	flipByte(t, fs, path.Join("state/test", files[0]), 70)
	if err := reopen(); !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), "no whole snapshot") {
		t.Errorf("with no snapshot and a trimmed log: %v", err)
	}
}

// A damaged newest snapshot is never one of the two that the log is trimmed behind.
func TestTrimCountsSoundSnapshotsOnly(t *testing.T) {
	log, fs := memoryLog(t), vfs.NewMem()
	withSnapshots(t, log, fs)
	files := snapshotFiles(t, fs)
	flipByte(t, fs, path.Join("state/test", files[1]), 70)
	m := &chain{}
	options := testOptions(log, fs, m)
	f, err := Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	trim, err := f.snapshots.write(f.core.next, f.core.freeze()())
	if err != nil || snapshotName(trim) != files[0] {
		t.Errorf("trim behind %d, %v; want %s", trim, err, files[0])
	}
}

// A snapshot that another log, another fold or a newer version made is refused, not gone behind.
func TestForeignSnapshots(t *testing.T) {
	log, fs := memoryLog(t), vfs.NewMem()
	withSnapshots(t, log, fs)
	other := testOptions(memoryLog(t), fs, &chain{})
	if _, err := Open(t.Context(), other); !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), "do not belong together") {
		t.Errorf("another log: %v", err)
	}
	named := testOptions(log, fs, &chain{})
	named.Name = "other"
	if _, err := Open(t.Context(), named); !fault.Is(err, fault.Invalid) {
		t.Errorf("another fold: %v", err)
	}
	files := snapshotFiles(t, fs)
	b, err := vfs.ReadFile(fs, path.Join("state/test", files[1]))
	if err != nil {
		t.Fatal(err)
	}
	b[len(snapshotMagic)+3] = 9
	sum := sha256.Sum256(b[:len(b)-sha256.Size])
	if err := vfs.WriteFile(fs, path.Join("state/test", files[1]), append(b[:len(b)-sha256.Size], sum[:]...)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), testOptions(log, fs, &chain{})); !fault.Is(err, fault.Unsupported) {
		t.Errorf("a newer version: %v", err)
	}
}

// Power is lost at every change that snapshots make to the disk: what is left, with the log as it is then, always opens, and has every command
// that was answered, in order.
func TestPowerLossDuringSnapshots(t *testing.T) {
	r := random(t)
	log, mem := memoryLog(t), vfs.NewMem()
	faulty := vfs.NewFaulty(mem)
	var answered atomic.Uint64
	var made atomic.Uint64 // snapshots
	faulty.Hook(func(op vfs.Op, name string) {
		if op&vfs.OpMutation == 0 {
			return
		}
		acked := answered.Load()
		for range 3 {
			m := &chain{}
			_, err := Open(t.Context(), testOptions(log, mem.CrashClone(r), m))
			if err != nil {
				t.Errorf("crash at %v of %s after %d commands: %v", op, name, acked, err)
				return
			}
			if m.count < acked || m.plain != plainAfter(m.count) {
				t.Errorf("crash at %v of %s: %d commands of %d, or others", op, name, m.count, acked)
			}
		}
		if op == vfs.OpRename {
			made.Add(1)
		}
	})
	m := &chain{}
	options := testOptions(log, faulty, m)
	options.SnapshotEvery = 10
	f, stop := running(t, options)
	for i := uint64(0); i < 100 || made.Load() < 5; i++ {
		propose(t, f, fmt.Sprintf("command %d", i))
		answered.Store(i + 1)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// A full disk costs snapshots, not commands; when there is room again, snapshots and trimming go on.
func TestDiskFull(t *testing.T) {
	log := memoryLog(t)
	fs := vfs.NewFaulty(vfs.NewMem())
	m := &chain{}
	options := testOptions(log, fs, m)
	options.SnapshotEvery = 10
	f, stop := running(t, options)
	fs.Quota(0)
	commands := uint64(0)
	for ; commands < 100; commands++ {
		propose(t, f, fmt.Sprintf("command %d", commands))
	}
	if files := snapshotFiles(t, fs); len(files) != 0 {
		t.Errorf("snapshots on a full disk: %v", files)
	}
	fs.Quota(-1)
	for ; len(snapshotFiles(t, fs)) < 2; commands++ {
		propose(t, f, fmt.Sprintf("command %d", commands))
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if m.plain != plainAfter(commands) {
		t.Error("commands are missing")
	}
}

// A log that does not answer for a while is waited for.
func TestRunWaitsForTheLog(t *testing.T) {
	log := &silent{Log: memoryLog(t)}
	options := testOptions(log, vfs.NewMem(), &chain{})
	backoff := clock.NewManual(start)
	options.Backoff = backoff
	f, _ := running(t, options)
	propose(t, f, "one")
	log.mute.Store(true)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		propose(t, f, "two") // heard by a Run that was waiting before the log went mute, or after it speaks again
	}()
	backoff.BlockUntil(1)
	log.mute.Store(false)
	backoff.Advance(backoffMax)
	<-heard
	propose(t, f, "three")
}

// silent is a log that does not answer readers while it is mute.
type silent struct {
	commitlog.Log
	mute atomic.Bool
}

func (l *silent) Wait(ctx context.Context, from commitlog.Position) error {
	if l.mute.Load() {
		return fault.New(fault.Unavailable, "nobody is there")
	}
	return l.Log.Wait(ctx, from)
}

func TestOptionsSayAllThatIsMissing(t *testing.T) {
	_, err := Open(t.Context(), Options{})
	for _, field := range []string{"Name", "Log", "FS", "Dir", "Machine", "Clock", "Session"} {
		if err == nil || !strings.Contains(err.Error(), field+" is missing") {
			t.Errorf("%v does not name %s", err, field)
		}
	}
}
