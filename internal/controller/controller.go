// Package controller is the control plane as it runs in one node.
//
// It owns the meeting of catalog and fold: it publishes the catalog's views, proposes commands and turns refusals into errors, proposes a tick
// when a deadline passes, and keeps the test clock's time. What the commands mean belongs to catalog, their way through the log to
// fold, and doing what a view asks for (making logs, removing them) to the engines, which watch here.
//
// Read Controller, then propose.go, then run.go.
package controller

import (
	"context"
	"log/slog"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/quota"
	"github.com/weir-stream/weir/internal/vfs"
)

// Options say what a controller is made of. All that has no default must be set.
type Options struct {
	Log     commitlog.Log // the control log, which nobody else appends to or trims
	FS      vfs.FS
	Dir     string // for snapshots, and nothing else
	Clock   clock.Clock
	Session uint64 // the id of this run, not 0, never used by another: a random number will do

	// TestClock is Clock when time is moved by hand, otherwise nil. It must stand before any time that counts, such as at 1970: Open moves it to
	// where the control log left it, or to TestClockStart when the log has no test time yet.
	TestClock      *clock.Manual
	TestClockStart time.Time

	// Quota has the limits that new commands carry. Default AWS's.
	Quota *quota.Table
	// SnapshotEvery, Backoff and Logger are those of fold.Options, with its defaults.
	SnapshotEvery int
	Backoff       clock.Clock
	Logger        *slog.Logger
}

// Controller keeps the catalog of one node at the end of the control log. It is safe for concurrent use.
type Controller struct {
	// Set once.
	clock     clock.Clock
	testClock *clock.Manual // nil in real time
	backoff   clock.Clock
	logger    *slog.Logger
	quota     *quota.Table
	fold      *fold.Fold
	catalog   *fold.Published[*catalog.State]

	clockMoves chan struct{} // capacity 1: full while the test clock is being moved
}

// Open brings the catalog to where the control log ends, without starting anything. Errors are those of fold.Open.
func Open(ctx context.Context, options Options) (*Controller, error) {
	if options.Quota == nil {
		options.Quota = quota.Default()
	}
	if options.Backoff == nil {
		options.Backoff = clock.Real
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	if options.TestClock != nil {
		options.Clock = options.TestClock
	}
	c := &Controller{
		clock:     options.Clock,
		testClock: options.TestClock,
		backoff:   options.Backoff,
		logger:    options.Logger,
		quota:     options.Quota,
		catalog:   catalog.Machine(),

		clockMoves: make(chan struct{}, 1),
	}
	var err error
	c.fold, err = fold.Open(ctx, fold.Options{
		Name:          "control",
		Log:           options.Log,
		FS:            options.FS,
		Dir:           options.Dir,
		Machine:       c.catalog,
		Clock:         options.Clock,
		Session:       options.Session,
		TestClock:     options.TestClock != nil,
		SnapshotEvery: options.SnapshotEvery,
		Backoff:       options.Backoff,
		Logger:        options.Logger,
	})
	if err != nil {
		return nil, err
	}
	if c.testClock != nil {
		now, kept := c.State().TestClock()
		if !kept {
			now = options.TestClockStart
		}
		if reached := c.fold.Time(); now.Before(reached) { // the log was written in real time before
			now = reached
		}
		c.testClock.AdvanceTo(now)
	}
	return c, nil
}

// State is the catalog as it is here now. After a Propose that returned it has what was proposed; after Barrier, also what was
// proposed anywhere else before.
func (c *Controller) State() *catalog.State { return c.catalog.Now() }

// Watch gives the state, and a channel that is closed when there is a newer one.
func (c *Controller) Watch() (state *catalog.State, changed <-chan struct{}) {
	return c.catalog.Watch()
}

// Await waits for a state newer than a version.
func (c *Controller) Await(ctx context.Context, version int64) (*catalog.State, error) {
	for {
		state, changed := c.Watch()
		if state.Version() > version {
			return state, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fault.As(fault.Unavailable, ctx.Err(), "waiting for the catalog to change")
		}
	}
}

// Barrier returns once State has everything that was acknowledged anywhere before it began.
func (c *Controller) Barrier(ctx context.Context) error { return c.fold.Barrier(ctx) }

// Applied is the position behind the last record of the control log that State has.
func (c *Controller) Applied() commitlog.Position { return c.fold.Applied() }
