package kinesis

import (
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/streams"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// listShardsDefault is how many shards one ListShards gives unless told (API_ListShards: 1,000).
const listShardsDefault = 1000

// ListShards lists the shards of a stream, page by page, with AWS's six filters.
//
// Source: API_ListShards, API_ShardFilter (read 2026-11). Shown by: TestListShards in test/aws.
func (a *API) listShards(c *edge.Call, in *shapes.ListShardsInput) (*shapes.ListShardsOutput, error) {
	stream, page, err := a.shardPage(c, in)
	if err != nil {
		return nil, err
	}
	if err := inUse(stream); err != nil {
		return nil, err
	}
	limit := listShardsDefault
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	shards, more := a.streams.ListShards(stream, page.Filter, page.After, limit)
	out := &shapes.ListShardsOutput{Shards: shardShapes(shards)}
	if more {
		page.After = int64(shards[limit-1].Number)
		token, err := a.streams.ShardPageToken(page)
		if err != nil {
			return nil, err
		}
		out.NextToken = &token
	}
	return out, nil
}

// shardPage says which shards a request asks for: those of its token, or those of its other members, which must not come together.
func (a *API) shardPage(c *edge.Call, in *shapes.ListShardsInput) (*catalog.Stream, streams.ShardPage, error) {
	if in.NextToken != nil {
		if in.StreamName != nil || in.StreamARN != nil || in.StreamId != nil || in.ExclusiveStartShardId != nil || in.ShardFilter != nil || in.StreamCreationTimestamp != nil {
			return nil, streams.ShardPage{}, fault.New(fault.Invalid, "NextToken and StreamName cannot be provided together.")
		}
		page, err := a.streams.OpenShardPage(*in.NextToken)
		if err != nil {
			return nil, page, err
		}
		stream := a.control.State().StreamByGroup(page.Group)
		if stream == nil || stream.Region != c.Region {
			return nil, page, fault.New(fault.NotFound, "The stream of this NextToken does not exist any more.")
		}
		return stream, page, a.authorizeStream(c, stream)
	}
	stream, err := a.stream(c, in.StreamName, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, streams.ShardPage{}, err
	}
	if in.StreamCreationTimestamp != nil && stream.Created.Unix() != in.StreamCreationTimestamp.Unix() {
		return nil, streams.ShardPage{}, streams.NotFound(stream.Account, stream.Name) // another incarnation of the name was meant
	}
	page := streams.ShardPage{Group: stream.Group}
	if page.After, err = shardNumber(in.ExclusiveStartShardId, stream); err != nil {
		return nil, page, err
	}
	if in.ShardFilter != nil {
		page.Filter, err = a.shardFilter(stream, in.ShardFilter)
	}
	return stream, page, err
}

// shardFilter reads a ShardFilter, each type of which wants one member or none.
func (a *API) shardFilter(stream *catalog.Stream, in *shapes.ShardFilter) (streams.Filter, error) {
	kind := string(deref(in.Type))
	if (kind == "AFTER_SHARD_ID") != (in.ShardId != nil) {
		return streams.Filter{}, fault.New(fault.Invalid, "ShardId must be provided in a ShardFilter of type AFTER_SHARD_ID, and in no other; the type is %s.", kind)
	}
	if (kind == "AT_TIMESTAMP" || kind == "FROM_TIMESTAMP") != (in.Timestamp != nil) {
		return streams.Filter{}, fault.New(fault.Invalid, "Timestamp must be provided in a ShardFilter of type AT_TIMESTAMP or FROM_TIMESTAMP, and in no other; the type is %s.", kind)
	}
	if in.Timestamp != nil && in.Timestamp.After(a.clock.Now()) {
		return streams.Filter{}, fault.New(fault.Invalid, "The Timestamp of the ShardFilter is in the future: %s.", in.Timestamp.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	switch kind {
	case "AFTER_SHARD_ID":
		after, err := shardNumber(in.ShardId, stream)
		return streams.Filter{Type: streams.AfterShard, After: after}, err
	case "AT_LATEST":
		return streams.Filter{Type: streams.OpenNow}, nil
	case "AT_TRIM_HORIZON":
		horizon := stream.Horizon(a.clock.Now())
		if stream.Created.After(horizon) {
			horizon = stream.Created
		}
		return streams.Filter{Type: streams.OpenAt, Time: horizon}, nil
	case "AT_TIMESTAMP":
		at := *in.Timestamp
		for _, least := range []time.Time{stream.Created, stream.Horizon(a.clock.Now())} { // before that there are no shards to answer with
			if least.After(at) {
				at = least
			}
		}
		return streams.Filter{Type: streams.OpenAt, Time: at}, nil
	case "FROM_TIMESTAMP":
		return streams.Filter{Type: streams.From, Time: *in.Timestamp}, nil
	default: // FROM_TRIM_HORIZON: everything that is listed at all
		return streams.Filter{}, nil
	}
}
