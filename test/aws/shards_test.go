package aws

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/node"
)

// TestListShards: all, from a shard on, by pages, and by each filter. Without resharding every shard
// is open since the stream began, so the filters differ only at its beginning.
func TestListShards(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("listed", 5)
		name := aws.String("listed")
		created := *s.active("listed").StreamCreationTimestamp
		all := []int{0, 1, 2, 3, 4}
		for _, row := range []struct {
			name  string
			input kinesis.ListShardsInput
			want  []int
		}{
			{"all", kinesis.ListShardsInput{}, all},
			{"after the second", kinesis.ListShardsInput{ExclusiveStartShardId: aws.String("shardId-000000000001")}, []int{2, 3, 4}},
			{"of this incarnation", kinesis.ListShardsInput{StreamCreationTimestamp: &created}, all},
			{"AFTER_SHARD_ID", filtered(types.ShardFilter{Type: types.ShardFilterTypeAfterShardId, ShardId: aws.String("shardId-000000000002")}), []int{3, 4}},
			{"AT_TRIM_HORIZON", filtered(types.ShardFilter{Type: types.ShardFilterTypeAtTrimHorizon}), all},
			{"FROM_TRIM_HORIZON", filtered(types.ShardFilter{Type: types.ShardFilterTypeFromTrimHorizon}), all},
			{"AT_LATEST", filtered(types.ShardFilter{Type: types.ShardFilterTypeAtLatest}), all},
			{"AT_TIMESTAMP now", filtered(types.ShardFilter{Type: types.ShardFilterTypeAtTimestamp, Timestamp: aws.Time(time.Now())}), all},
			{"FROM_TIMESTAMP of creation", filtered(types.ShardFilter{Type: types.ShardFilterTypeFromTimestamp, Timestamp: &created}), all},
		} {
			row.input.StreamName = name
			answer := must(s.ListShards(s.ctx, &row.input))(s)
			if got := indexes(answer.Shards); !slices.Equal(got, row.want) || answer.NextToken != nil {
				s.t.Errorf("%s: shards %v, token %v; want %v", row.name, got, answer.NextToken, row.want)
			}
		}
		wholeRange(s.t, must(s.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: name}))(s).Shards)

		var got []int
		input := &kinesis.ListShardsInput{StreamName: name, MaxResults: aws.Int32(2)}
		for pages := 1; ; pages++ {
			page := must(s.ListShards(s.ctx, input))(s)
			got = append(got, indexes(page.Shards)...)
			if page.NextToken == nil {
				if pages != 3 {
					s.t.Errorf("%d pages, want 3", pages)
				}
				break
			}
			input = &kinesis.ListShardsInput{NextToken: page.NextToken, MaxResults: aws.Int32(2)}
		}
		if !slices.Equal(got, all) {
			s.t.Errorf("pages hold %v", got)
		}
	})
}

// TestListShardsErrors: a row is a question that makes no sense.
func TestListShardsErrors(t *testing.T) {
	s := shared.plain(t)
	s.create("listed", 3)
	name := aws.String("listed")
	token := must(s.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: name, MaxResults: aws.Int32(1)}))(s).NextToken
	if token == nil {
		t.Fatal("no token after one of three shards")
	}
	for _, row := range []struct {
		name, code string
		input      kinesis.ListShardsInput
	}{
		{"token and name", "InvalidArgumentException", kinesis.ListShardsInput{StreamName: name, NextToken: token}},
		{"token and start", "InvalidArgumentException", kinesis.ListShardsInput{NextToken: token, ExclusiveStartShardId: aws.String("shardId-000000000000")}},
		{"neither", "InvalidArgumentException", kinesis.ListShardsInput{}},
		{"token that is none", "InvalidArgumentException", kinesis.ListShardsInput{NextToken: aws.String("nonsense")}},
		{"AFTER_SHARD_ID without a shard", "InvalidArgumentException", withName(name, types.ShardFilter{Type: types.ShardFilterTypeAfterShardId})},
		{"AT_TIMESTAMP without a time", "InvalidArgumentException", withName(name, types.ShardFilter{Type: types.ShardFilterTypeAtTimestamp})},
		{"filter that is none", "ValidationException", withName(name, types.ShardFilter{Type: "NEAR"})},
		{"no results wanted", "ValidationException", kinesis.ListShardsInput{StreamName: name, MaxResults: aws.Int32(0)}},
		{"another incarnation", "ResourceNotFoundException", kinesis.ListShardsInput{StreamName: name, StreamCreationTimestamp: aws.Time(time.Unix(1, 0))}},
	} {
		t.Run(row.name, func(t *testing.T) {
			here := *s
			here.t = t
			_, err := s.ListShards(s.ctx, &row.input)
			here.refused(err, row.code, ".+")
		})
	}
}

// TestListShardsTokenExpires after 300 seconds on the server's clock.
func TestListShardsTokenExpires(t *testing.T) {
	s := startFor(t, node.Config{TestClock: "2026-03-01T12:00:00Z"}).plain(t)
	name := aws.String("listed")
	must(s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(2)}))(s)
	s.advanceUntilActive("listed")
	token := must(s.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: name, MaxResults: aws.Int32(1)}))(s).NextToken
	s.advance("299s")
	must(s.ListShards(s.ctx, &kinesis.ListShardsInput{NextToken: token}))(s)
	s.advance("2s")
	_, err := s.ListShards(s.ctx, &kinesis.ListShardsInput{NextToken: token})
	s.refused(err, "ExpiredNextTokenException", ".+")
}

func filtered(filter types.ShardFilter) kinesis.ListShardsInput {
	return kinesis.ListShardsInput{ShardFilter: &filter}
}

func withName(name *string, filter types.ShardFilter) kinesis.ListShardsInput {
	return kinesis.ListShardsInput{StreamName: name, ShardFilter: &filter}
}

// indexes is the numbers at the end of shard ids.
func indexes(shards []types.Shard) []int {
	var got []int
	for _, shard := range shards {
		var index int
		if _, err := fmt.Sscanf(*shard.ShardId, "shardId-%d", &index); err != nil {
			index = -1
		}
		got = append(got, index)
	}
	return got
}
