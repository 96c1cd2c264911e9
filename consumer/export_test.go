package consumer

import (
	"context"
	"time"

	"github.com/weir-stream/weir/internal/clock"
)

// Lock is a worker's view of the leader's lock, for tests from outside.
type Lock struct{ lock }

// NewLock is the view of one worker, with a clock of its own.
func NewLock(db DynamoDBAPI, application, worker string, c clock.Clock, lease time.Duration) *Lock {
	return &Lock{lock{table: &table{db: db, name: application, worker: worker, clock: c}, lease: lease}}
}

// Keep sends a heartbeat or tries to take the lock, and says whether it is held then.
func (k *Lock) Keep(ctx context.Context) (bool, error) {
	err := k.keep(ctx)
	return k.held(), err
}

// Held says whether the lock is held, without asking.
func (k *Lock) Held() bool { return k.held() }

// Release gives it up.
func (k *Lock) Release(ctx context.Context) error { return k.release(ctx) }
