package readers

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/controller"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/streams"
)

// Kinesis is a data stream as a Source: whatever stream has its name, one after the other.
type Kinesis struct {
	Streams *streams.Streams
	Control *controller.Controller
	// Account, Region and Name name the stream.
	Account, Region, Name string
	// Consumer, when it is not empty, must be registered with the stream: enhanced fan-out. Its ARN, because another may have its name later.
	Consumer string
}

// Shards is Source's.
func (k *Kinesis) Shards(context.Context) ([]ShardInfo, <-chan struct{}, error) {
	state, changed := k.Control.Watch()
	stream, err := k.find(state)
	if err != nil {
		return nil, changed, err
	}
	if stream.Status == catalog.Creating {
		return nil, changed, nil
	}
	var infos []ShardInfo
	for _, shard := range k.Streams.Readable(stream) {
		info := ShardInfo{ID: streams.ShardID(shard.Number), Key: shardKey(stream, shard.Number), Opened: shard.Opened()}
		for _, parent := range []*uint32{shard.Parent, shard.AdjacentParent} {
			if parent != nil {
				info.Parents = append(info.Parents, shardKey(stream, *parent))
			}
		}
		infos = append(infos, info)
	}
	return infos, changed, nil
}

// find gives the stream, if it is one that may be read.
func (k *Kinesis) find(state *catalog.State) (*catalog.Stream, error) {
	stream := state.Stream(k.Account, k.Region, k.Name)
	if stream == nil || stream.Status == catalog.Deleting {
		return nil, streams.NotFound(k.Account, k.Name)
	}
	if k.Consumer == "" {
		return stream, nil
	}
	for i := range stream.Consumers {
		if stream.Consumers[i].ARN == k.Consumer {
			return stream, nil
		}
	}
	return nil, fault.New(fault.NotFound, "Consumer %s not found.", k.Consumer)
}

// shardKey holds the group because that is the stream's incarnation.
func shardKey(stream *catalog.Stream, number uint32) string {
	return strconv.FormatUint(stream.Group, 10) + "/" + streams.ShardID(number)
}

// parse takes a key apart.
func (k *Kinesis) parse(key string) (group uint64, number uint32, err error) {
	digits, id, _ := strings.Cut(key, "/")
	number, ok := streams.ParseShardID(id)
	if group, err = strconv.ParseUint(digits, 10, 64); err != nil || !ok {
		return 0, 0, fault.New(fault.Invalid, "%q is no shard of a data stream", key)
	}
	return group, number, nil
}

// shard finds the stream and the number of a shard by its key.
func (k *Kinesis) shard(key string) (*catalog.Stream, uint32, error) {
	group, number, err := k.parse(key)
	if err != nil {
		return nil, 0, err
	}
	stream := k.Control.State().StreamByGroup(group)
	if stream == nil {
		return nil, 0, streams.NotFound(k.Account, k.Name)
	}
	return stream, number, nil
}

// Start is Source's.
func (k *Kinesis) Start(ctx context.Context, key string, at Start) (int64, error) {
	stream, number, err := k.shard(key)
	if err != nil {
		return 0, err
	}
	start := streams.Start{Type: streams.TrimHorizon}
	switch at.Type {
	case Latest:
		start.Type = streams.Latest
	case AtTimestamp:
		start.Type, start.Timestamp = streams.AtTimestamp, at.Time
	}
	return k.Streams.FollowFrom(ctx, stream, number, start)
}

// Read is Source's.
func (k *Kinesis) Read(ctx context.Context, key string, from int64, limit int) (Chunk, error) {
	stream, number, err := k.shard(key)
	if err != nil {
		return Chunk{}, err
	}
	f, err := k.Streams.Follow(ctx, stream, number, from, limit)
	if err != nil {
		return Chunk{}, err
	}
	defer f.Release()
	chunk := Chunk{
		Records: make([]Record, len(f.Records)), Next: f.Position, End: f.End, Lost: f.Lost, Horizon: f.Horizon, Behind: time.Duration(f.MillisBehind) * time.Millisecond,
	}
	bytes := make([]byte, 0, f.Bytes) // one copy of all: the log wants its memory back
	for i := range f.Records {
		r := &f.Records[i]
		at := len(bytes)
		bytes = append(append(bytes, r.Key...), r.Value...)
		keyEnd, end := at+len(r.Key), len(bytes)
		sequence := f.Shard.SequenceOf(r)
		chunk.Records[i] = Record{
			Position: sequence.Position, Sequence: sequence.String(), Key: bytes[at:keyEnd:keyEnd], Data: bytes[keyEnd:end:end], Arrival: time.UnixMilli(r.Timestamp).UTC(),
		}
	}
	return chunk, nil
}

// Wait is Source's.
func (k *Kinesis) Wait(ctx context.Context, key string, from int64) error {
	group, number, err := k.parse(key)
	if err != nil {
		return err
	}
	return k.Streams.FollowWait(ctx, group, number, from)
}

// Ready is Source's.
func (k *Kinesis) Ready(key string, from int64) bool {
	group, number, err := k.parse(key)
	return err != nil || k.Streams.FollowReady(group, number, from)
}
