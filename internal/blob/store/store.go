// Package store keeps buckets of objects on local disk: the store behind the embedded S3 service.
//
// It owns what an object is and when it exists: bytes in files of their own, names in a state that is a fold over one log, and
// the rule that binds the two: a command names a file only after the file's bytes and its name are durable, and a file goes only after the
// command that forgot it. How S3 words all this belongs to api/s3; how engines reach it belongs to blob.
//
// There is one log for everything, not one for each account and region: bucket names are unique across all of them, so one machine
// has to decide who gets a name, and a copy between two buckets is then one command. The log holds no bytes of objects, so it is small.
//
// Read State (state.go), Store below, put.go and get.go, then apply.go. docs/format/objects.md draws the files and commands.
package store

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/fold/commands"
	"github.com/weir-stream/weir/internal/vfs"
)

// Options say what a store is made of. All that has no default must be set.
type Options struct {
	Log     commitlog.Log // of the names, which nobody else appends to or trims
	FS      vfs.FS
	Dir     string      // for the files and the snapshots, and nothing else
	Clock   clock.Clock // dates objects, and says when lifecycles are due
	Session uint64      // the id of this run, not 0, never used by another: a random number will do
	Random  io.Reader   // of upload ids
	// TestClock says that Clock is moved by hand.
	TestClock bool
	// SnapshotEvery is how many commands there are between snapshots. Default 65,536: a snapshot writes every name anew, about 300 bytes
	// an object, and a restart replays twice as many commands at most, in about a second.
	SnapshotEvery int
	// Backoff is the clock for waiting between retries. Default clock.Real.
	Backoff clock.Clock
	// Logger receives what an operator should know. Default slog.Default.
	Logger *slog.Logger
}

const defaultSnapshotEvery = 65536

// Store holds buckets and objects. It is safe for concurrent use.
type Store struct {
	// Set once.
	options Options
	clock   clock.Clock
	logger  *slog.Logger
	fold    *fold.Fold
	files   *files

	random sync.Mutex // held while Options.Random is read

	mu      sync.Mutex     // guards everything below; never held across a call of the file system or the log
	state   *State         // the latest
	changed chan struct{}  // closed and replaced when state is
	extra   map[uint64]int // references to a file beyond its first
	pins    map[uint64]int // readers of a file
	doomed  map[uint64]bool
	last    pass // of lifecycles; its zero has not looked yet
}

// Open brings the names to where the log ends and removes files that no object has: what a crash left of puts that were never answered.
//
// Errors are those of fold.Open and of the file system. A file that an object needs and that is gone is no error: it is reported to the
// operator, and reading the object is.
func Open(ctx context.Context, options Options) (*Store, error) {
	if options.SnapshotEvery <= 0 {
		options.SnapshotEvery = defaultSnapshotEvery
	}
	if options.Backoff == nil {
		options.Backoff = clock.Real
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	if options.Random == nil || options.Dir == "" || options.FS == nil || options.Clock == nil {
		return nil, fault.New(fault.Invalid, "objects: options are missing")
	}
	s := &Store{
		options: options, clock: options.Clock, logger: options.Logger, state: Empty(), changed: make(chan struct{}),
		extra: map[uint64]int{}, pins: map[uint64]int{}, doomed: map[uint64]bool{},
		last: pass{rules: -1},
	}
	s.files = newFiles(options.FS, path.Join(options.Dir, filesDir))
	var err error
	s.fold, err = fold.Open(ctx, fold.Options{
		Name: FoldName, Log: options.Log, FS: options.FS, Dir: path.Join(options.Dir, namesDir), Machine: (*machine)(s), Clock: options.Clock, Session: options.Session,
		TestClock: options.TestClock, SnapshotEvery: options.SnapshotEvery, Backoff: options.Backoff, Logger: options.Logger,
	})
	if err != nil {
		return nil, fault.Wrap(err, "objects")
	}
	if err := s.sweep(); err != nil {
		return nil, fault.Wrap(err, "objects")
	}
	return s, nil
}

// Run follows the log, removes forgotten files and lets lifecycles expire what is due, until ctx ends (no error) or the log cannot be
// followed. What was proposed before waits for it.
func (s *Store) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var behind sync.WaitGroup
	behind.Go(func() { s.files.removeDoomed(ctx, s.logger) })
	behind.Go(func() { s.expire(ctx) })
	err := s.fold.Run(ctx)
	cancel()
	behind.Wait()
	return err
}

// Hold keeps every file of an object that is there now, and that comes, until release: also those that nothing refers to any more. For whoever copies them.
func (s *Store) Hold() (release func()) { return s.files.hold() }

// State is what exists here now. It has what was proposed by a call that returned.
func (s *Store) State() *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

func (s *Store) watch() (*State, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, s.changed
}

// Propose asks for what a command says and returns once State has what came of it. An error is a Refusal inside a fault of its kind, or a fault of
// the log. The end of ctx does not take a command back that is on its way: a client that hangs up must not leave a put half answered.
func (s *Store) Propose(ctx context.Context, command Command) (Result, error) {
	b, err := commands.Encode(command.kind(), command)
	if err != nil {
		return Result{}, err
	}
	result, _, err := s.fold.Propose(context.WithoutCancel(ctx), b)
	if err != nil {
		return Result{}, err
	}
	return decodeResult(result)
}

// NewUploadID is an id that no other upload has, and that nobody guesses.
func (s *Store) NewUploadID() (string, error) {
	var raw [24]byte
	s.random.Lock()
	_, err := io.ReadFull(s.options.Random, raw[:])
	s.random.Unlock()
	if err != nil {
		return "", fault.As(fault.Internal, err, "read random bytes")
	}
	return uploadIDs.EncodeToString(raw[:]), nil
}

// machine is the store as fold drives it: a state that is replaced.
type machine Store

// Apply does a command and lets go of the files that nobody refers to behind it.
func (m *machine) Apply(at time.Time, position commitlog.Position, command []byte) ([]byte, error) {
	s := (*Store)(m)
	next, result, shared, dropped, err := apply(s.State(), at, position, command)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if next != s.state {
		s.state = next
		close(s.changed)
		s.changed = make(chan struct{})
	}
	for _, file := range shared {
		s.extra[file]++
	}
	for _, file := range dropped {
		if n := s.extra[file]; n > 1 {
			s.extra[file] = n - 1
		} else if n == 1 {
			delete(s.extra, file)
		} else if s.pins[file] > 0 {
			s.doomed[file] = true
		} else {
			s.files.doom(file)
		}
	}
	return result, nil
}

// Snapshot freezes the state.
func (m *machine) Snapshot() (encode func() []byte) { return (*Store)(m).State().encode }

// Restore replaces the state, and counts the references to files anew.
func (m *machine) Restore(snapshot []byte) error {
	state, err := decodeState(snapshot)
	if err != nil {
		return err
	}
	s := (*Store)(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
	seen := map[uint64]int{}
	state.files(func(file uint64) { seen[file]++ })
	clear(s.extra)
	for file, n := range seen {
		if n > 1 {
			s.extra[file] = n - 1
		}
	}
	return nil
}

// pin looks an object up and holds its files, so that whoever reads it reads it whole, whatever happens to the key meanwhile. unpin lets go.
func (s *Store) pin(bucket, key string) (*Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.state.Bucket(bucket)
	if b == nil {
		return nil, errNoBucket
	}
	o := b.Object(key)
	if o == nil {
		return nil, errNoKey
	}
	for i := range o.Segments {
		s.pins[o.Segments[i].File]++
	}
	return o, nil
}

func (s *Store) unpin(o *Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range o.Segments {
		file := o.Segments[i].File
		if s.pins[file]--; s.pins[file] > 0 {
			continue
		}
		delete(s.pins, file)
		if s.doomed[file] {
			delete(s.doomed, file)
			s.files.doom(file)
		}
	}
}

// sweep removes every file that no object or part has, and finds those that are missing.
func (s *Store) sweep() error {
	state := s.State()
	needed := map[uint64]bool{}
	state.files(func(file uint64) { needed[file] = true })
	missing, err := s.files.sweep(needed, state.nextFile)
	if err != nil {
		return err
	}
	for _, file := range missing {
		s.logger.Error("a file of an object is gone: the object cannot be read until the file is restored", "file", s.files.name(file))
	}
	return nil
}

var errClosedBody = errors.New("read from a closed object")
