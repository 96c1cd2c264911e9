package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// clean deletes the leases of finished shards that this worker has. It may be done when the leases of all parents are deleted, and every child has a lease whose
// checkpoint shows that it has begun; or when the stream knows no such shard any more.
func (w *Worker) clean(ctx context.Context) {
	var shards []types.Shard // listed once, when first needed
	for _, h := range w.idle() {
		l := h.snapshot()
		if !h.valid() || !l.ended() {
			continue
		}
		done, err := w.finished(ctx, &l, &shards)
		if err != nil {
			w.notice(ctx, fmt.Errorf("clean up lease %s: %w", l.shard, err))
			continue
		}
		if !done {
			continue
		}
		if err := w.table.delete(ctx, l.shard); err != nil {
			w.notice(ctx, err)
			continue
		}
		h.drop()
		w.event(EventLeaseDeleted, l.shard, "its children have begun")
	}
}

func (w *Worker) finished(ctx context.Context, held *lease, shards *[]types.Shard) (bool, error) {
	l, err := w.table.get(ctx, held.shard)
	if err != nil || l == nil {
		return err == nil, err
	}
	children := l.children
	if len(children) == 0 {
		var known bool
		if children, known, err = w.childrenOf(ctx, l.shard, shards); err != nil || !known {
			return err == nil && !known, err
		}
		if len(children) == 0 {
			return false, nil // closed a moment ago, or the end of a stream that was deleted and made anew
		}
		if err := w.table.setChildren(ctx, l.shard, children); err != nil {
			return false, err
		}
	}
	for _, parent := range l.parents {
		if there, err := w.table.get(ctx, parent); err != nil || there != nil {
			return false, err
		}
	}
	for _, child := range children {
		there, err := w.table.get(ctx, child)
		if err != nil || there == nil {
			return false, err
		}
		if there.checkpoint.SequenceNumber == TrimHorizon || there.checkpoint.SequenceNumber == AtTimestamp {
			return false, nil
		}
	}
	return true, nil
}

// childrenOf is the shards that the stream says came of one. known is false if the stream has no such shard.
func (w *Worker) childrenOf(ctx context.Context, parent string, shards *[]types.Shard) (children []string, known bool, err error) {
	if *shards == nil {
		*shards, err = w.listShards(ctx, nil)
		if errors.Is(gone(err), errGone) {
			return nil, false, nil // the stream was deleted
		}
		if err != nil {
			return nil, false, err
		}
	}
	for _, shard := range *shards {
		id := aws.ToString(shard.ShardId)
		known = known || id == parent
		if slices.Contains(parentsOf(shard), parent) {
			children = append(children, id)
		}
	}
	return children, known || len(children) > 0, nil
}
