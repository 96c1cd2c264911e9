package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// leading is what the leader remembers between two looks at the table.
type leading struct {
	was      bool // this worker led at the last look
	seen     map[string]*observed
	failures int       // in a row
	looked   time.Time // for missing leases
	holes    int       // looks in a row that found some
}

// Numbers of the KCL's leader.
const (
	failuresOfLeader = 3 // in a row, then another shall try (DEFAULT_FAILURE_COUNT_TO_SWITCH_LEADER)
	missedReports    = 2 // of a worker that is taken to be dead (DEFAULT_NO_OF_SKIP_STAT_FOR_DEAD_WORKER_THRESHOLD)
	looksForHoles    = 2 // in a row that must find leases missing; the KCL wants three. A reshard under way may look like it
)

// campaign keeps the leader's lock, or tries to take it.
func (w *Worker) campaign(ctx context.Context) {
	before := w.lock.held()
	w.notice(ctx, w.lock.keep(ctx))
	switch after := w.lock.held(); {
	case after && !before:
		w.event(EventLeaderElected, "", w.options.Worker)
		wake(w.kick)
	case before && !after:
		w.event(EventLeaderGone, "", "the lock is another's, or expired")
	}
}

// lead is one look of the leader at the table, and what follows from it.
func (w *Worker) lead(ctx context.Context) {
	if !w.lock.held() {
		w.leading = leading{}
		return
	}
	if !w.leading.was {
		w.leading = leading{was: true, seen: map[string]*observed{}, looked: w.options.Clock.Now()}
	}
	began := w.options.Clock.Now()
	err := w.assignAll(ctx)
	w.took("", began, err == nil, operation("LeaseAssignmentManager"))
	if err == nil {
		w.leading.failures = 0
		return
	}
	w.notice(ctx, fmt.Errorf("assign leases: %w", err))
	if w.leading.failures++; w.leading.failures >= failuresOfLeader && ctx.Err() == nil {
		w.notice(ctx, w.lock.release(ctx))
		w.event(EventLeaderGone, "", "three looks in a row have failed")
	}
}

func (w *Worker) assignAll(ctx context.Context) error {
	before := w.options.Clock.Now()
	all, err := w.table.scan(ctx)
	if err != nil {
		return err
	}
	if len(all.leases) == 0 && len(all.wrong) == 0 {
		if err := w.syncNew(ctx); err != nil {
			return err
		}
		if all, err = w.table.scan(ctx); err != nil {
			return err
		}
	}
	w.notice(ctx, errors.Join(all.wrong...))
	leases := w.observe(all.leases)
	workers := w.alive(ctx, all.workers)
	w.measure("TotalLeases", float64(len(leases)), count, operation("LeaseAssignmentManager"))
	w.measure("NumWorkers", float64(len(workers)), count, operation("LeaseAssignmentManager"))
	free := 0
	for _, o := range leases {
		if o.free(before, w.options.Failover) {
			free++
		}
	}
	w.measure("ExpiredLeases", float64(free), count, operation("LeaseAssignmentManager"))
	moves := plan(before, leases, workers, rules{failover: w.options.Failover, maxLeases: w.options.MaxLeases, graceful: !w.options.NoGracefulHandoff})
	if err := w.make(ctx, moves); err != nil {
		return err
	}
	return w.lookForHoles(ctx, all.leases)
}

// observe holds the leases against the last look: a counter that has changed was changed by a living owner, at the earliest then. The time is taken behind the scan and the
// age is reckoned from before the next, so that no lease is taken for older than it is.
func (w *Worker) observe(leases []*lease) []*observed {
	now := w.options.Clock.Now()
	seen := map[string]*observed{}
	var all []*observed
	for _, l := range leases {
		o := &observed{lease: l, since: now}
		before := w.leading.seen[l.shard]
		switch {
		case before == nil && l.actualOwner() == "":
			o.since = time.Time{}
		case before != nil && before.counter == l.counter:
			o.since = before.since
		}
		if l.handingOff != "" {
			o.handoffEnds = now.Add(w.options.GracefulHandoff + w.options.Failover)
			if before != nil && before.handingOff == l.handingOff && before.owner == l.owner {
				o.handoffEnds = before.handoffEnds
			}
		}
		seen[l.shard] = o
		all = append(all, o)
	}
	w.leading.seen = seen
	return all
}

// alive is the workers that may be given leases. Items of workers that have been gone for long are deleted.
func (w *Worker) alive(ctx context.Context, workers []workerItem) []string {
	now := w.options.Clock.Now()
	var names []string
	for _, worker := range workers {
		age := now.Sub(worker.updated)
		if age > w.options.WorkerMetricsStale {
			_, err := w.options.DynamoDB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
				TableName: aws.String(w.options.Application), Key: map[string]types.AttributeValue{attrKey: text(worker.name)},
				ConditionExpression: aws.String(attrUpdated + " = :seen"), ExpressionAttributeValues: map[string]types.AttributeValue{":seen": number(worker.updated.Unix())},
			})
			if refused, _ := conditionFailed(err); !refused {
				w.notice(ctx, err)
			}
			continue
		}
		// Items tell whole seconds; the part that is missing is the worker's to have.
		if worker.valid && !worker.failing && age <= missedReports*w.options.WorkerMetricsEvery+time.Second {
			names = append(names, worker.name)
		}
	}
	return names
}

// make carries a plan out. A move whose condition is not true any more is left: the next look sees why.
func (w *Worker) make(ctx context.Context, moves []move) error {
	var failed error
	for _, m := range moves {
		if !w.lock.held() {
			return errors.Join(failed, errors.New("the leader's lock is gone"))
		}
		kind, change := EventAssigned, w.table.assign
		if m.graceful {
			kind, change = EventHandoff, w.table.handOff
		}
		from := m.lease.actualOwner()
		_, ok, err := change(ctx, m.lease, m.to)
		if err != nil {
			failed = errors.Join(failed, err)
		}
		if ok {
			w.event(kind, m.lease.shard, "from "+from+" to "+m.to)
			if seen := w.leading.seen[m.lease.shard]; seen != nil && kind == EventAssigned {
				seen.since = w.options.Clock.Now() // the counter has moved; its new owner has its time from now
			}
			if m.to == w.options.Worker {
				wake(w.look)
			}
		}
	}
	return failed
}

// lookForHoles makes missing leases, if two looks in a row, ShardSync apart, find some.
func (w *Worker) lookForHoles(ctx context.Context, leases []*lease) error {
	now := w.options.Clock.Now()
	if now.Sub(w.leading.looked) < w.options.ShardSync {
		return nil
	}
	w.leading.looked = now
	if coverage(leases) {
		w.leading.holes = 0
		return nil
	}
	if w.leading.holes++; w.leading.holes < looksForHoles {
		return nil
	}
	w.leading.holes = 0
	return w.syncHoles(ctx, leases)
}
