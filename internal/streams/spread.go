package streams

import "github.com/weir-stream/weir/internal/record"

// How a stream in AUTO gives records to shards. They go to a shard in runs, and the runs go round, so that a request of many small records does
// not make one append to every shard. A record weighs its size, and no less than its share of the records that a shard takes in a second (1 MiB to 1,000
// records), so that runs use up both limits evenly.
const (
	runBytes  = 32 << 10
	recordMin = (1 << 20) / 1000
)

// spread is the place in route.open for the next record of a request into a stream that distributes records itself.
func (p *Put) spread(size int) int32 {
	if p.runLeft <= 0 {
		p.runAt = int32(p.route.turn.Add(1) % uint32(len(p.route.open)))
		p.runLeft = runBytes
	}
	p.runLeft -= max(size, recordMin)
	return p.runAt
}

// placeFor is where a record goes: its place in route.open, and a hash key that will find the shard which takes over from that one.
func (p *Put) placeFor(partitionKey []byte, explicit *record.HashKey, size int) (int32, record.HashKey) {
	if p.route.auto {
		at := p.spread(size)
		return at, p.route.open[at].Range.Start
	}
	key := explicit
	if key == nil {
		hashed := record.HashKeyOf(partitionKey)
		key = &hashed
	}
	return int32(p.route.shardFor(*key)), *key
}
