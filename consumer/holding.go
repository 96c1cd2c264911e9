package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// holding is a lease that this worker has, from the moment that it finds it until it is lost, given up or deleted.
//
// A change of the item is conditional on its counter, which the change moves on. So there is one request at a time, and mu is held meanwhile.
// The lease ends by itself when no heartbeat has succeeded for Failover by our clock: others see the counter stand still for as long, by theirs, before they take it.
type holding struct {
	w     *Worker
	shard string
	lost  context.CancelCauseFunc // ends the context that the shard is processed in
	asked chan struct{}           // closed when the leader wants another worker to have the shard

	mu       sync.Mutex // guards everything below; held across requests
	lease    lease
	renewed  time.Time // when the last request that succeeded was begun
	gone     bool      // lost, given up or deleted
	handEnds time.Time // when a handoff under way is made whether or not the processor has finished; zero without one
	bytes    int64     // of records that were processed since the last heartbeat
	measured time.Time // when bytes was last emptied
}

// errReleased ends a shard's context when the lease was given up by ourselves.
var errReleased = errors.New("the lease was given up")

// valid says whether the lease is still ours. It is lost by the way if it has expired.
func (h *holding) valid() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.isValid()
}

func (h *holding) isValid() bool {
	if !h.gone && !h.w.options.Clock.Now().Before(h.renewed.Add(h.w.options.Failover)) {
		h.lose("no heartbeat for " + h.w.options.Failover.String())
	}
	return !h.gone
}

// lose notes that the lease is another's.
func (h *holding) lose(why string) {
	if h.gone {
		return
	}
	h.gone = true
	h.w.event(EventLeaseLost, h.shard, why)
	h.w.measure("LostLeases", 1, count, operation("RenewAllLeases"), h.w.identity())
	h.lost(ErrLeaseLost)
}

// snapshot is the lease as it was last written or read.
func (h *holding) snapshot() lease {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lease
}

// processed counts bytes for the lease's throughput.
func (h *holding) processed(bytes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bytes += bytes
}

// renew sends a heartbeat. An error leaves the lease ours until it expires.
func (h *holding) renew(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.isValid() {
		return nil
	}
	if !h.handEnds.IsZero() && !h.w.options.Clock.Now().Before(h.handEnds) {
		return h.pass(ctx, "the processor has not finished within "+h.w.options.GracefulHandoff.String())
	}
	h.measureThroughput()
	for {
		learned, err := h.beat(ctx)
		if err != nil || !learned {
			return err
		}
	}
}

// beat writes the next counter. learned is that the leader has asked for a handoff meanwhile, which the next beat takes into account.
func (h *holding) beat(ctx context.Context) (learned bool, err error) {
	now, l := h.w.options.Clock.Now(), &h.lease
	u := update{
		want: map[string]types.AttributeValue{attrCounter: number(l.counter)},
		set:  map[string]types.AttributeValue{attrCounter: number(l.counter + 1)},
	}
	if l.handingOff == "" {
		u.want[attrCheckpointOwns] = nil
	}
	if l.throughput != nil {
		u.set[attrThroughput] = rounded(*l.throughput)
	}
	item, ok, err := u.apply(ctx, h.w.table.db, h.w.table.name, h.shard)
	if err != nil {
		return false, fmt.Errorf("renew lease %s: %w", h.shard, err)
	}
	if ok {
		l.counter++
		h.renewed = now
		return false, nil
	}
	found, err := h.found(item)
	if err != nil {
		return false, err
	}
	switch {
	case found == nil:
		h.lose("it was deleted")
	case l.handingOff == "" && found.counter == l.counter && found.handingOff == h.w.options.Worker && found.owner != h.w.options.Worker:
		l.owner, l.handingOff = found.owner, found.handingOff
		h.handEnds = now.Add(h.w.options.GracefulHandoff)
		close(h.asked)
		return true, nil
	case found.counter == l.counter+1 && found.actualOwner() == h.w.options.Worker:
		l.counter++ // our own heartbeat, whose answer was lost
		h.renewed = now
	default:
		h.lose("its owner is " + found.actualOwner())
	}
	return false, nil
}

// found is the item that a condition failed on. Nil if there is none.
func (h *holding) found(item map[string]types.AttributeValue) (*lease, error) {
	if len(item) == 0 {
		return nil, nil
	}
	l, ok, err := parseLease(item)
	if err == nil && !ok {
		err = fmt.Errorf("item %s is no lease", h.shard)
	}
	return l, err
}

// checkpoint writes how far the shard has been processed. ErrLeaseLost if it is not ours to say.
func (h *holding) checkpoint(ctx context.Context, at Position) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.isValid() {
		return ErrLeaseLost
	}
	began := h.w.options.Clock.Now()
	l := &h.lease
	item, ok, err := update{
		want: map[string]types.AttributeValue{attrCounter: number(l.counter)},
		set: map[string]types.AttributeValue{
			attrCounter: number(l.counter + 1), attrCheckpoint: text(at.SequenceNumber), attrCheckpointSub: number(at.SubSequenceNumber), attrSwitches: number(0),
		},
		remove: []string{attrPending, attrPendingSub, attrPendingState},
	}.apply(ctx, h.w.table.db, h.w.table.name, h.shard)
	h.w.took("UpdateLease", began, err == nil, operation("ProcessTask"), shardDimension(h.shard))
	if err != nil {
		if errors.Is(context.Cause(ctx), ErrLeaseLost) {
			return ErrLeaseLost
		}
		return fmt.Errorf("checkpoint %s at %s: %w", h.shard, at, err)
	}
	if !ok {
		found, err := h.found(item)
		if err != nil {
			return err
		}
		if found == nil || found.counter != l.counter+1 || found.actualOwner() != h.w.options.Worker || found.checkpoint != at {
			h.lose("a checkpoint was refused")
			return ErrLeaseLost
		}
	}
	l.counter++
	l.checkpoint, l.switches, l.pending = at, 0, nil
	h.renewed = began
	return nil
}

// release gives the lease up: to the worker that the leader named, or to nobody.
func (h *holding) release(ctx context.Context, why string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.isValid() {
		return nil
	}
	if h.lease.handingOff != "" {
		return h.pass(ctx, why)
	}
	l := h.lease
	ok, err := h.w.table.evict(ctx, &l)
	if err == nil && !ok {
		// A handoff was asked for since the last heartbeat. Then the lease goes where it is wanted.
		if now, getErr := h.w.table.get(ctx, h.shard); getErr == nil && now != nil && now.handingOff == h.w.options.Worker {
			h.lease.owner, h.lease.handingOff = now.owner, now.handingOff
			return h.pass(ctx, why)
		}
	}
	h.left(why)
	return err
}

// pass gives the lease to the worker that waits for it.
func (h *holding) pass(ctx context.Context, why string) error {
	l := h.lease
	_, _, err := h.w.table.assign(ctx, &l, l.owner)
	if err != nil {
		return err // it is tried again with the next heartbeat
	}
	h.left(why + ", handed to " + l.owner)
	return nil
}

func (h *holding) left(why string) {
	if h.gone {
		return
	}
	h.gone = true
	h.w.event(EventLeaseReleased, h.shard, why)
	h.lost(errReleased)
}

// drop notes that the lease has been deleted.
func (h *holding) drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone = true
	h.lost(errReleased)
}

// measureThroughput turns the bytes since the last heartbeat into KiB a second, half of the new and half of the old (LeaseStatsRecorder of the KCL: alpha 0.5).
func (h *holding) measureThroughput() {
	now := h.w.options.Clock.Now()
	elapsed := now.Sub(h.measured).Seconds()
	if elapsed <= 0 {
		return
	}
	rate := float64(h.bytes) / 1024 / elapsed
	if h.lease.throughput != nil {
		rate = 0.5*rate + 0.5**h.lease.throughput
	}
	h.lease.throughput = &rate
	h.bytes, h.measured = 0, now
}
