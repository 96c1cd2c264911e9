package tables

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
)

const (
	// snapshotEvery and snapshotBytes say how much is applied between checkpoints: what a restart does again, twice as much at most, which takes seconds; and what
	// the log keeps.
	snapshotEvery = 1 << 16
	snapshotBytes = 64 << 20

	// resultBytes is how large an answer may be to be remembered: of larger ones, with items in them, a thousand would be too much to keep.
	resultBytes = 1 << 10

	// tickEvery is how often a region looks for what has expired.
	tickEvery = time.Second
	// retryPause is how long a command of the service's own waits after it did not get through, such as on a full disk.
	retryPause = time.Second
)

// Region is the tables of one account in one region. It is safe for concurrent use.
type Region struct {
	Account, Name string

	engine  *Engine
	machine *machine
	fold    *fold.Fold
}

// Tables is every table and stream as it is now: what was acknowledged is in it.
func (r *Region) Tables() *State {
	s, _ := r.machine.watch()
	return s
}

// Write does writes, all or none, and says what came of each, in their order. No two may be of one item. In a transaction the error is a *Canceled with a reason for each;
// outside, a write whose condition does not hold ends in a *ConditionFailed. Both are inside a fault of kind Conflict. token, of a transaction, makes asking twice safe for ten minutes; "" is none.
//
// NotFound when a table is not there, Invalid when an update makes no sense for the item, Full and Throttled when the log takes nothing; otherwise as fold.Propose.
func (r *Region) Write(ctx context.Context, writes []Write, transaction bool, token string) ([]Done, error) {
	var digest []byte
	if token != "" {
		sum := sha256.Sum256(encodeWrites(writes, transaction, "", nil))
		digest = sum[:16]
	}
	result, _, err := r.fold.Propose(ctx, encodeWrites(writes, transaction, token, digest))
	if err != nil {
		return nil, err
	}
	return resultOf(result)
}

// Propose does one of CreateTable, UpdateTable, DeleteTable, UpdateTTL and ChangeTags. Its error is the refusal, worded for the customer.
func (r *Region) Propose(ctx context.Context, command any) error {
	b, err := encodeAdmin(command)
	if err != nil {
		return err
	}
	result, _, err := r.fold.Propose(ctx, b)
	if err != nil {
		return err
	}
	_, err = resultOf(result)
	return err
}

// run follows the log, settles what tables wait for, and lets expire what is due, until ctx ends.
func (r *Region) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := r.fold.Run(ctx); err != nil {
			return fault.Wrap(err, "tables of %s in %s", r.Account, r.Name)
		}
		return ctx.Err()
	})
	group.Go(func() error { return r.settle(ctx) })
	group.Go(func() error { return r.tick(ctx) })
	group.Go(func() error {
		<-ctx.Done()
		r.machine.interrupt()
		return ctx.Err()
	})
	err := group.Wait()
	if closed := r.machine.close(); errors.Is(err, context.Canceled) {
		return closed
	}
	return err
}

// unsettled is a table that waits for something, or nil.
func (s *State) unsettled() *Table {
	for _, t := range s.tablesByID() {
		if t.unsettled() {
			return t
		}
	}
	return nil
}

func (r *Region) settle(ctx context.Context) error {
	for {
		state, changed := r.machine.watch()
		if t := state.unsettled(); t != nil {
			if err := r.insist(ctx, settle{t.ID}); err != nil {
				return err
			}
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *Region) tick(ctx context.Context) error {
	for {
		due, err := r.machine.due(r.engine.clock.Now())
		if err != nil {
			return err
		}
		if due {
			if err := r.insist(ctx, tick{}); err != nil {
				return err
			}
			continue
		}
		if err := clock.Sleep(ctx, r.engine.clock, tickEvery); err != nil {
			return err
		}
	}
}

// insist proposes a command until it got through or ctx ends.
func (r *Region) insist(ctx context.Context, command any) error {
	for {
		err := r.Propose(ctx, command)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.engine.logger.Warn("a command of the tables' own did not get through; trying again", "command", fmt.Sprintf("%T", command), "err", err)
		if err := clock.Sleep(ctx, r.engine.backoff, retryPause); err != nil {
			return err
		}
	}
}

// settled says whether nothing waits and nothing is due.
func (r *Region) settled() bool {
	if r.Tables().unsettled() != nil {
		return false
	}
	due, err := r.machine.due(r.engine.clock.Now())
	return err != nil || !due
}
