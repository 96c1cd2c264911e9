package tail

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// shardPlan decides which shards are read when: a shard after the parents it came from, so that the records of a key keep
// their order across a reshard. A parent that is not listed has expired and is waited for by nobody.
//
// Shards become known in two ways: a parent that was read to its end named them, or they were listed. That is done at the beginning,
// and again when a shard that was to be read turned out to have expired, or when a child has a parent that nobody has named yet. For
// such a parent need not be gone. After 0 is split into 2 and 3, 1 into 4 and 5, and 3 and 4 are merged into 6, the end of 3 names 6,
// whose other parent is known only at the end of 1.
type shardPlan struct {
	parents map[string][]string // of every shard that is known
	waiting map[string]bool     // known and not begun
	reading map[string]bool
}

func newShardPlan() *shardPlan {
	return &shardPlan{parents: map[string][]string{}, waiting: map[string]bool{}, reading: map[string]bool{}}
}

// begin gives the shards to read first: of those listed, the ones whose parents are gone; from the latest record on, the ones that
// are open and not the children of any that is. Such children are there when the stream was resharded between two pages of the
// list, and are read after their parents like all that come later.
func (p *shardPlan) begin(all []types.Shard, latest bool) []string {
	p.add(all)
	if !latest {
		return p.ready()
	}
	open := map[string]bool{}
	for _, shard := range all {
		open[aws.ToString(shard.ShardId)] = shard.SequenceNumberRange == nil || shard.SequenceNumberRange.EndingSequenceNumber == nil
	}
	var follows func(id string) bool // whether a shard is open or comes from one that is
	follows = func(id string) bool { return open[id] || slices.ContainsFunc(p.parents[id], follows) }
	for id := range p.waiting {
		if !follows(id) {
			delete(p.waiting, id)
		}
	}
	return p.ready()
}

// add makes those shards known that are not.
func (p *shardPlan) add(listed []types.Shard) {
	for _, shard := range listed {
		var parents []string
		for _, parent := range []*string{shard.ParentShardId, shard.AdjacentParentShardId} {
			if parent != nil {
				parents = append(parents, *parent)
			}
		}
		p.know(aws.ToString(shard.ShardId), parents)
	}
}

func (p *shardPlan) know(id string, parents []string) {
	if _, known := p.parents[id]; known {
		return // listed at the beginning, or named by its other parent
	}
	p.parents[id] = parents
	p.waiting[id] = true
}

// strangers says whether any of children has a parent that is not known.
func (p *shardPlan) strangers(children []types.ChildShard) bool {
	return slices.ContainsFunc(children, func(child types.ChildShard) bool {
		return slices.ContainsFunc(child.ParentShards, func(parent string) bool {
			_, known := p.parents[parent]
			return !known
		})
	})
}

// finish notes how the reading of a shard ended and gives those shards that may be read now.
func (p *shardPlan) finish(id string, end ending) []string {
	delete(p.reading, id)
	for _, child := range end.children {
		p.know(aws.ToString(child.ShardId), child.ParentShards)
	}
	p.add(end.listed)
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
