// Package tables keeps DynamoDB-like tables: items under keys, indexes, transactions, expiry, and streams of what changed.
//
// It owns what a table is and what its commands do. Every account and region has one command log and a machine that folds it (internal/fold): what tables there are is in
// memory, what is in them is in a database on disk (internal/kv). A write is proposed, and decided when its turn in the log comes, against what is there then:
// that makes conditional writes linearizable, and a transaction one command. The item, its index entries and its change record are one batch.
//
// Values and their bytes belong to tables/value, the expression language to tables/expr, what AWS calls things to api/dynamodb.
//
// Read Engine and Region, then write.go for the path of a write, read.go for that of a query, and machine.go for what survives a crash.
package tables

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"path"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/kv"
	"github.com/weir-stream/weir/internal/vfs"
)

// Options say what an engine is made of. All that has no default must be set.
type Options struct {
	Store  commitlog.Store // for a log of each account and region
	FS     vfs.FS
	Dir    string // of everything that the engine keeps outside the logs
	Clock  clock.Clock
	Random io.Reader // gives each run its id
	// TestClock says that Clock is moved by hand.
	TestClock bool
	// CacheBytes is memory for what was read, of all regions. Default 64 MiB.
	CacheBytes int64
	// SnapshotEvery is how many commands are applied between checkpoints. Default 65,536, or 64 MiB of commands.
	SnapshotEvery int
	Logger        *slog.Logger // default slog.Default
}

const defaultCacheBytes = 64 << 20

// Engine holds the regions. It is safe for concurrent use.
type Engine struct {
	options Options
	clock   clock.Clock
	backoff clock.Clock
	logger  *slog.Logger
	cache   *kv.Cache

	mu      sync.RWMutex
	regions map[regionID]*Region
	start   func(*Region) // runs a region that is opened later; nil before Run
	stopped bool
}

type regionID struct{ account, region string }

// Open opens every region that there is. They answer writes once Run runs.
func Open(ctx context.Context, options Options) (_ *Engine, err error) {
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	if options.CacheBytes == 0 {
		options.CacheBytes = defaultCacheBytes
	}
	if options.SnapshotEvery == 0 {
		options.SnapshotEvery = snapshotEvery
	}
	e := &Engine{options: options, clock: options.Clock, backoff: clock.Real, logger: options.Logger,
		cache: kv.NewCache(options.CacheBytes), regions: map[regionID]*Region{}}
	defer func() {
		if err != nil {
			_ = e.Close() // the first error counts
		}
	}()
	if err := options.FS.MkdirAll(options.Dir); err != nil {
		return nil, fault.Wrap(err, "tables")
	}
	accounts, err := options.FS.List(options.Dir)
	if err != nil {
		return nil, fault.Wrap(err, "tables")
	}
	for _, account := range accounts {
		regions, err := options.FS.List(path.Join(options.Dir, account))
		if err != nil {
			return nil, fault.Wrap(err, "tables")
		}
		for _, region := range regions {
			if _, err := e.open(ctx, regionID{account, region}); err != nil {
				return nil, err
			}
		}
	}
	return e, nil
}

// groupBit marks the logs of tables among all: streams count theirs from 1.
const groupBit = 1 << 63

// LogID is the log of an account and region: the account's number, marked, and a hash of the region's name.
func LogID(account, region string) commitlog.ID {
	number := uint64(0)
	for _, digit := range []byte(account) {
		number = number*10 + uint64(digit-'0')
	}
	h := fnv.New32a()
	h.Write([]byte(region)) // never fails
	return commitlog.ID{Group: groupBit | number, Member: h.Sum32()}
}

// foldName is what the snapshots of an account and region call their log.
func foldName(account, region string) string { return "tables " + account + " " + region }

// snapshotsDir is where the snapshots of a region are, in its directory.
const snapshotsDir = "snapshots"

// IsLog says whether a log is of tables, of whatever account and region.
func IsLog(id commitlog.ID) bool { return id.Group&groupBit != 0 }

// AccountOf is the account whose tables a log is of.
func AccountOf(id commitlog.ID) string { return fmt.Sprintf("%012d", id.Group&^groupBit) }

// Find is the tables of an account in a region, or nil when nobody has made any there.
func (e *Engine) Find(account, region string) *Region {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.regions[regionID{account, region}]
}

// Make is Find, and makes room for tables where there was none.
func (e *Engine) Make(ctx context.Context, account, region string) (*Region, error) {
	if r := e.Find(account, region); r != nil {
		return r, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.regions[regionID{account, region}]; r != nil {
		return r, nil
	}
	if e.stopped {
		return nil, fault.New(fault.Unavailable, "the tables are being closed")
	}
	return e.open(ctx, regionID{account, region})
}

// open is called under mu, or before anybody else has the engine.
func (e *Engine) open(ctx context.Context, id regionID) (*Region, error) {
	if !arn.IsAccount(id.account) || id.region == "" || path.Base(id.region) != id.region || id.region == ".." {
		return nil, fault.New(fault.Invalid, "there are no tables of account %q in region %q", id.account, id.region)
	}
	log := LogID(id.account, id.region)
	for other := range e.regions {
		if LogID(other.account, other.region) == log {
			return nil, fault.New(fault.Unsupported, "the regions %q and %q have the same number; give one of them another name", other.region, id.region)
		}
	}
	var session [8]byte
	if _, err := io.ReadFull(e.options.Random, session[:]); err != nil {
		return nil, fault.As(fault.Internal, err, "session id")
	}
	dir := path.Join(e.options.Dir, id.account, id.region)
	if err := e.options.FS.MkdirAll(dir); err != nil {
		return nil, fault.Wrap(err, "tables")
	}
	if err := e.options.Store.Create(ctx, log, commitlog.Config{}); err != nil {
		return nil, err
	}
	opened, err := e.options.Store.Open(ctx, log)
	if err != nil {
		return nil, err
	}
	r := &Region{Account: id.account, Name: id.region, engine: e, machine: newMachine(e.options.FS, path.Join(dir, "live"), e.cache, e.logger)}
	r.fold, err = fold.Open(ctx, fold.Options{
		Name: foldName(id.account, id.region), Log: opened, FS: e.options.FS, Dir: path.Join(dir, snapshotsDir), Machine: r.machine, Clock: e.clock,
		Session: binary.BigEndian.Uint64(session[:]) | 1, TestClock: e.options.TestClock,
		SnapshotEvery: e.options.SnapshotEvery, SnapshotBytes: snapshotBytes, ResultBytes: resultBytes, Backoff: e.backoff, Logger: e.logger,
	})
	if err != nil {
		_ = r.machine.close() // the first error says more
		return nil, fault.Wrap(err, "tables of %s in %s", id.account, id.region)
	}
	e.regions[id] = r
	if e.start != nil {
		e.start(r)
	}
	return r, nil
}

// Run follows the logs of all regions until ctx ends (no error), or one cannot be followed: then the others stop as well.
func (e *Engine) Run(ctx context.Context) error {
	group, running := errgroup.WithContext(ctx)
	e.mu.Lock()
	e.start = func(r *Region) { group.Go(func() error { return r.run(running) }) }
	for _, r := range e.regions {
		e.start(r)
	}
	e.mu.Unlock()
	<-running.Done()
	e.mu.Lock()
	e.stopped = true
	e.mu.Unlock()
	if err := group.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

// Close gives up what is open. It comes after Run has returned, and after the last read.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = true
	var first error
	for _, r := range e.regions {
		if err := r.machine.close(); err != nil && first == nil {
			first = err
		}
	}
	if e.cache != nil {
		e.cache.Close()
		e.cache = nil
	}
	return first
}

// Settled says whether no table is being made, changed or removed, and nothing that should have expired is there.
func (e *Engine) Settled() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, r := range e.regions {
		if !r.settled() {
			return false
		}
	}
	return true
}
