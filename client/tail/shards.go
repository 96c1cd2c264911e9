package tail

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// shardPlan decides which shards are read when: a shard after the parents it came from, so that the records of a key keep
// their order across a reshard. A parent that is not listed has expired and is waited for by nobody.
type shardPlan struct {
	parents map[string][]string // of every shard that is known
	open    map[string]bool     // known to take records when it was listed
	waiting map[string]bool     // known and not begun
	reading map[string]bool
}

func newShardPlan(all []types.Shard) *shardPlan {
	p := &shardPlan{parents: map[string][]string{}, open: map[string]bool{}, waiting: map[string]bool{}, reading: map[string]bool{}}
	for _, shard := range all {
		id := aws.ToString(shard.ShardId)
		p.parents[id] = nil
		for _, parent := range []*string{shard.ParentShardId, shard.AdjacentParentShardId} {
			if parent != nil {
				p.parents[id] = append(p.parents[id], *parent)
			}
		}
		p.waiting[id] = true
		p.open[id] = shard.SequenceNumberRange == nil || shard.SequenceNumberRange.EndingSequenceNumber == nil
	}
	return p
}

// begin gives the shards to read first: those whose parents are gone, or, from the latest record on, those that are open.
func (p *shardPlan) begin(latest bool) []string {
	if latest {
		for id := range p.waiting {
			if !p.open[id] {
				delete(p.waiting, id)
			}
		}
	}
	return p.ready()
}

// finish notes that a shard was read to its end and gives those that may be read now.
func (p *shardPlan) finish(id string, children []types.ChildShard) []string {
	delete(p.reading, id)
	for _, child := range children {
		childID := aws.ToString(child.ShardId)
		if _, known := p.parents[childID]; known {
			continue // listed at the beginning, or named by its other parent
		}
		p.parents[childID] = child.ParentShards
		p.waiting[childID] = true
	}
	return p.ready()
}

// ready moves the waiting shards that nothing holds back to reading, in order of their ids.
func (p *shardPlan) ready() []string {
	var ready []string
	for id := range p.waiting {
		held := slices.ContainsFunc(p.parents[id], func(parent string) bool { return p.waiting[parent] || p.reading[parent] })
		if !held {
			ready = append(ready, id)
		}
	}
	for _, id := range ready {
		delete(p.waiting, id)
		p.reading[id] = true
	}
	slices.Sort(ready)
	return ready
}
