package aws

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// TestAccountsAndRegionsAreApart: the same name in another account or region is another stream.
func TestAccountsAndRegionsAreApart(t *testing.T) {
	everyTransport(t, func(s *session) {
		var over transport
		for _, one := range transports {
			if s.t.Name() == "TestAccountsAndRegionsAreApart/"+one.name {
				over = one
			}
		}
		here := s
		abroad := s.server.session(s.t, over, s.account, "eu-central-1")
		others := s.server.session(s.t, over, nextAccount(), "us-east-1")
		for shards, each := range []*session{here, abroad, others} {
			each.create("same", int32(shards+1))
			each.put("same", "k", each.account+each.region)
		}
		for shards, each := range []*session{here, abroad, others} {
			summary := each.active("same")
			if *summary.OpenShardCount != int32(shards+1) || *summary.StreamARN != each.arn("same") {
				s.t.Errorf("%s has %d shards, want %s with %d", *summary.StreamARN, *summary.OpenShardCount, each.arn("same"), shards+1)
			}
			var found []types.Record
			for _, shard := range must(each.ListShards(each.ctx, &kinesis.ListShardsInput{StreamName: aws.String("same")}))(each).Shards {
				found = append(found, each.readAll("same", *shard.ShardId)...)
			}
			if len(found) != 1 || string(found[0].Data) != each.account+each.region {
				s.t.Errorf("%s in %s reads %d records", each.account, each.region, len(found))
			}
		}
		must(here.DeleteStream(here.ctx, &kinesis.DeleteStreamInput{StreamName: aws.String("same")}))(here)
		abroad.active("same")
		others.active("same")
	})
}

// TestKeyThatIsNoAccount: any other access key is account 000000000000.
func TestKeyThatIsNoAccount(t *testing.T) {
	s := shared.session(t, transports[0], "AKIDANYTHING", "us-east-1")
	s.create("anyone", 1)
	defer func() { must(s.DeleteStream(s.ctx, &kinesis.DeleteStreamInput{StreamName: aws.String("anyone")}))(s) }()
	if got, want := *s.active("anyone").StreamARN, "arn:aws:kinesis:us-east-1:000000000000:stream/anyone"; got != want {
		t.Errorf("ARN is %s, want %s", got, want)
	}
}
