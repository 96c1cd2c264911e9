package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/record"
)

// listShards is the shards of the stream; nil as filter is all that are open, or were within the retention period. LimitExceeded is tried again.
func (w *Worker) listShards(ctx context.Context, filter *types.ShardFilter) ([]types.Shard, error) {
	var shards []types.Shard
	input := &kinesis.ListShardsInput{StreamName: w.options.streamName(), StreamARN: w.options.streamARN(), ShardFilter: filter}
	for {
		out, err := w.options.Kinesis.ListShards(ctx, input)
		var limit *types.LimitExceededException
		if errors.As(err, &limit) {
			if err := clock.Sleep(ctx, w.options.Clock, listBackoff); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list the shards of %s: %w", w.options.Stream, err)
		}
		shards = append(shards, out.Shards...)
		if out.NextToken == nil {
			return shards, nil
		}
		input = &kinesis.ListShardsInput{NextToken: out.NextToken} // which names the stream and the filter
	}
}

// listBackoff is the wait after too many ListShards (listShardsBackoffTimeInMillis of the KCL).
const listBackoff = 1500 * time.Millisecond

// syncNew makes the leases of a new application: one for each shard at the initial position. Their children come when they end.
func (w *Worker) syncNew(ctx context.Context) error {
	filter := &types.ShardFilter{Type: types.ShardFilterTypeAtTrimHorizon}
	switch w.options.InitialPosition {
	case Latest:
		filter.Type = types.ShardFilterTypeAtLatest
	case AtTimestamp:
		filter.Type, filter.Timestamp = types.ShardFilterTypeAtTimestamp, aws.Time(w.options.InitialTimestamp)
	}
	shards, err := w.listShards(ctx, filter)
	if err != nil {
		return err
	}
	var leases []*lease
	for _, shard := range shards {
		l, err := leaseOf(shard, w.options.InitialPosition)
		if err != nil {
			return err
		}
		leases = append(leases, l)
	}
	if whole := coverage(leases); !whole {
		return fmt.Errorf("the shards of %s do not cover all hash keys at this moment; it is tried again", w.options.Stream) // a reshard is under way
	}
	return w.insertLeases(ctx, leases)
}

// syncHoles makes leases that are missing, if those that are there do not cover all hash keys: somebody has deleted them, or a worker died between writing that a
// shard has ended and making the leases of its children. The leases must have been read before the shards are listed.
func (w *Worker) syncHoles(ctx context.Context, leases []*lease) error {
	shards, err := w.listShards(ctx, nil)
	if err != nil {
		return err
	}
	missing, err := missingLeases(leases, shards, w.options.InitialPosition)
	if err != nil {
		return err
	}
	return w.insertLeases(ctx, missing)
}

func (w *Worker) insertLeases(ctx context.Context, leases []*lease) error {
	for _, l := range leases {
		began := w.options.Clock.Now()
		made, err := w.table.insert(ctx, l)
		w.took("CreateLease", began, err == nil, operation("ShardSyncTask"))
		if err != nil {
			return err
		}
		if made {
			w.event(EventLeaseCreated, l.shard, "at "+l.checkpoint.String())
		}
	}
	return nil
}

// leaseOf is the lease of a shard that has none.
func leaseOf(shard types.Shard, at string) (*lease, error) {
	l := &lease{shard: aws.ToString(shard.ShardId), checkpoint: Position{SequenceNumber: at}, parents: parentsOf(shard)}
	var err error
	if shard.HashKeyRange != nil {
		l.hashes, err = parseRange(aws.ToString(shard.HashKeyRange.StartingHashKey), aws.ToString(shard.HashKeyRange.EndingHashKey))
	}
	return l, err
}

func parentsOf(shard types.Shard) []string {
	var parents []string
	for _, parent := range []*string{shard.ParentShardId, shard.AdjacentParentShardId} {
		if aws.ToString(parent) != "" {
			parents = append(parents, *parent)
		}
	}
	return parents
}

// coverage says whether the leases that are not finished cover all hash keys. Overlaps are no matter: a child's lease is made before its parent is finished.
func coverage(leases []*lease) bool {
	var ranges []record.HashRange
	for _, l := range leases {
		if l.ended() {
			continue
		}
		if l.hashes == nil {
			return true // an old lease: nobody can tell
		}
		ranges = append(ranges, *l.hashes)
	}
	slices.SortFunc(ranges, func(a, b record.HashRange) int { return cmp.Or(a.Start.Cmp(b.Start), a.End.Cmp(b.End)) })
	var next record.HashKey // the first key that is not covered yet
	for _, r := range ranges {
		if r.Start.Cmp(next) > 0 {
			return false
		}
		if r.End == record.MaxHashKey {
			return true
		}
		if r.End.Cmp(next) >= 0 {
			next = r.End.Next()
		}
	}
	return false
}

// missingLeases is the leases that are to be made, ancestors first. From each open shard without a lease it goes up, over every parent that is still listed:
//
//   - An ancestor with a lease that is not finished: nothing is missing, since its end makes its children's leases.
//   - An ancestor with a finished lease: its child on the way is missing, and begins at its beginning.
//   - No ancestor has a lease: the oldest of them is missing, and begins where the application does; at LATEST it is the open shard itself.
func missingLeases(leases []*lease, shards []types.Shard, initial string) ([]*lease, error) {
	m := missing{leases: map[string]*lease{}, shards: map[string]types.Shard{}, made: map[string]*lease{}, initial: initial}
	for _, l := range leases {
		m.leases[l.shard] = l
	}
	for _, shard := range shards {
		m.shards[aws.ToString(shard.ShardId)] = shard
	}
	for _, shard := range shards {
		if shard.SequenceNumberRange != nil && shard.SequenceNumberRange.EndingSequenceNumber != nil {
			continue
		}
		id := aws.ToString(shard.ShardId)
		if m.leases[id] == nil && !m.above(id) {
			if err := m.make(id, initial); err != nil {
				return nil, err
			}
		}
		if m.err != nil {
			return nil, m.err
		}
	}
	return m.list, nil
}

// missing is the state of one search.
type missing struct {
	leases  map[string]*lease
	shards  map[string]types.Shard
	made    map[string]*lease
	list    []*lease
	initial string
	err     error
}

func (m *missing) make(id, at string) error {
	if m.made[id] != nil {
		return nil
	}
	l, err := leaseOf(m.shards[id], at)
	if err != nil {
		return err
	}
	m.made[id] = l
	m.list = append(m.list, l)
	return nil
}

// above makes what is missing above a shard that has no lease, and says whether the shard itself need not be made: an ancestor's end will do so, or it was just made.
func (m *missing) above(id string) (covered bool) {
	for _, parent := range parentsOf(m.shards[id]) {
		if _, listed := m.shards[parent]; !listed && m.leases[parent] == nil {
			continue
		}
		switch l := m.leases[parent]; {
		case l != nil && !l.ended():
			covered = true
		case l != nil:
			m.err = errors.Join(m.err, m.make(id, TrimHorizon))
			covered = true
		case m.above(parent):
			covered = true
		case m.initial != Latest:
			m.err = errors.Join(m.err, m.make(parent, m.initial))
			covered = true
		}
	}
	return covered
}
