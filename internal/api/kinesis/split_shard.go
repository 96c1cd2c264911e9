package kinesis

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/internal/streams"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// SplitShard replaces a shard by two. It answers at once; the stream is UPDATING until the children take records. The parent is read until its
// records expire.
//
// Source: API_SplitShard (read 2026-11); texts as AWS sends them. Shown by: TestSplitShard in test/aws.
func (a *API) splitShard(c *edge.Call, in *shapes.SplitShardInput) (*nothing, error) {
	stream, err := a.stream(c, in.StreamName, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	shard, err := reshardable(stream, deref(in.ShardToSplit))
	if err != nil {
		return nil, err
	}
	at, err := record.ParseHashKey(deref(in.NewStartingHashKey))
	if err != nil {
		return nil, fault.New(fault.Invalid, "Invalid NewStartingHashKey. NewStartingHashKey must be in the range: [0, 2^128-1]. Specified value was %s", deref(in.NewStartingHashKey))
	}
	return nil, reshardRefusal(a.control.Propose(c.Ctx, catalog.SplitShard{Address: address(stream), Shard: shard, At: at}))
}

// reshardable reads the id of a shard that is to be split or merged, in full or in its short forms. Whether the stream has it the catalog says.
func reshardable(stream *catalog.Stream, id string) (uint32, error) {
	number, ok := streams.ParseShardID(id)
	if !ok {
		return 0, fault.New(fault.NotFound, "Could not find shard %s in stream %s under account %s.", id, stream.Name, stream.Account)
	}
	return number, nil
}

// address is a stream's name as commands take it.
func address(stream *catalog.Stream) catalog.Address {
	return catalog.Address{Account: stream.Account, Region: stream.Region, Name: stream.Name}
}
