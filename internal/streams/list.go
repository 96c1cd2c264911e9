package streams

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/fault"
)

// pageLife is how long the token of a paged list may be used (API_ListShards: 300 seconds).
const pageLife = 300 * time.Second

// Filter says which shards of a stream to list. The zero Filter lists all that still hold records or take them.
type Filter struct {
	Type  FilterType
	Time  time.Time // for OpenAt and From
	After int64     // for AfterShard: list shards with higher numbers; −1 for all
}

// FilterType is what a Filter goes by (API_ShardFilter).
type FilterType uint8

// The filters. AWS's AT_ and FROM_TRIM_HORIZON are OpenAt and From with the stream's horizon.
const (
	All        FilterType = iota
	OpenNow               // AT_LATEST
	OpenAt                // AT_TIMESTAMP: took records at Time
	From                  // FROM_TIMESTAMP: took records at or after Time
	AfterShard            // AFTER_SHARD_ID
)

// ListShards is the shards of stream that pass filter, with numbers above after, at most limit of them, and whether there are more.
// Shards whose last record has expired are not listed: their records are gone, and so are they.
func (s *Streams) ListShards(stream *catalog.Stream, filter Filter, after int64, limit int) (shards []*catalog.Shard, more bool) {
	horizon := stream.Horizon(s.clock.Now())
	for i := range stream.Shards {
		shard := &stream.Shards[i]
		if int64(shard.Number) <= after || !filter.passes(shard, horizon) {
			continue
		}
		if len(shards) == limit {
			return shards, true
		}
		shards = append(shards, shard)
	}
	return shards, false
}

// passes says whether a shard is to be listed.
func (f Filter) passes(shard *catalog.Shard, horizon time.Time) bool {
	since := func(t time.Time) bool { return shard.Status == catalog.Open || !shard.ClosedAt.Before(t) }
	if !shard.Status.Listed() || !since(horizon) {
		return false
	}
	switch f.Type {
	case OpenNow:
		return shard.Status == catalog.Open
	case OpenAt: // from when it opened until before it closed, so that the shards of any moment take every hash key once
		return !shard.Opened().After(f.Time) && (shard.Status == catalog.Open || shard.ClosedAt.After(f.Time))
	case From:
		return since(f.Time)
	case AfterShard:
		return int64(shard.Number) > f.After
	default:
		return true
	}
}

// ShardPage is where a list of shards goes on: which stream, which filter, after which shard.
type ShardPage struct {
	Group  uint64
	Filter Filter
	After  int64
}

// ShardPageToken makes the token for p.
func (s *Streams) ShardPageToken(p ShardPage) (string, error) {
	fact := binary.BigEndian.AppendUint64(make([]byte, 0, 40), p.Group)
	fact = append(fact, byte(p.Filter.Type))
	fact = binary.BigEndian.AppendUint64(fact, uint64(p.Filter.Time.UnixMilli()))
	fact = binary.BigEndian.AppendUint64(fact, uint64(p.Filter.After))
	fact = binary.BigEndian.AppendUint64(fact, uint64(p.After))
	return s.tokens.make(listShards, s.clock.Now(), fact)
}

// OpenShardPage reads what ShardPageToken made. Invalid when it is none of ours, Expired when it is older than 300 seconds.
func (s *Streams) OpenShardPage(token string) (ShardPage, error) {
	fact, err := s.openPage(listShards, token)
	if err != nil || len(fact) != 33 {
		return ShardPage{}, badPage(err)
	}
	return ShardPage{
		Group: binary.BigEndian.Uint64(fact),
		Filter: Filter{
			Type:  FilterType(fact[8]),
			Time:  time.UnixMilli(int64(binary.BigEndian.Uint64(fact[9:]))),
			After: int64(binary.BigEndian.Uint64(fact[17:])),
		},
		After: int64(binary.BigEndian.Uint64(fact[25:])),
	}, nil
}

// StreamPageToken makes the token with which the list of an account's streams in a region goes on after a name.
func (s *Streams) StreamPageToken(account, region, after string) (string, error) {
	return s.tokens.make(listStreams, s.clock.Now(), []byte(account+"/"+region+"/"+after))
}

// OpenStreamPage reads what StreamPageToken made. Invalid when it was not made for this account and region, Expired when it is older than 300 seconds.
func (s *Streams) OpenStreamPage(token, account, region string) (after string, err error) {
	fact, err := s.openPage(listStreams, token)
	if err != nil {
		return "", badPage(err)
	}
	after, ok := strings.CutPrefix(string(fact), account+"/"+region+"/")
	if !ok {
		return "", badPage(nil)
	}
	return after, nil
}

// ConsumerPageToken makes the token with which the list of a stream's consumers goes on after a name.
func (s *Streams) ConsumerPageToken(group uint64, after string) (string, error) {
	return s.tokens.make(listConsumers, s.clock.Now(), append(binary.BigEndian.AppendUint64(nil, group), after...))
}

// OpenConsumerPage reads what ConsumerPageToken made. Invalid when it was not made for this stream, Expired when it is older than 300 seconds.
func (s *Streams) OpenConsumerPage(token string, group uint64) (after string, err error) {
	fact, err := s.openPage(listConsumers, token)
	if err != nil || len(fact) < 8 || binary.BigEndian.Uint64(fact) != group {
		return "", badPage(err)
	}
	return string(fact[8:]), nil
}

func (s *Streams) openPage(p purpose, token string) ([]byte, error) {
	fact, made, err := s.tokens.open(p, token)
	if err != nil {
		return nil, err
	}
	if s.clock.Now().Sub(made) > pageLife {
		return nil, fault.New(fault.Expired, "The specified NextToken has expired: it was created more than %d seconds ago.", int(pageLife.Seconds()))
	}
	return fact, nil
}

func badPage(err error) error {
	if fault.Is(err, fault.Expired) {
		return err
	}
	return fault.New(fault.Invalid, "The specified NextToken is invalid.")
}
