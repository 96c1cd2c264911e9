package aws

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/node"
)

// sharing is a resource policy that allows a principal some actions on a stream.
func sharing(principal, actions, on string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"share","Effect":"Allow","Principal":{"AWS":"%s"},"Action":%s,"Resource":"%s"}]}`, principal, actions, on)
}

// TestResourcePolicy: a policy is kept as it was put, replaced, and gone after it was deleted; what is no policy is refused with its place.
func TestResourcePolicy(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("tolls", 1)
		on := s.arn("tolls")
		get := func() string {
			return *must(s.GetResourcePolicy(s.ctx, &kinesis.GetResourcePolicyInput{ResourceARN: &on}))(s).Policy
		}
		put := func(policy string) error {
			_, err := s.PutResourcePolicy(s.ctx, &kinesis.PutResourcePolicyInput{ResourceARN: &on, Policy: &policy})
			return err
		}
		remove := func() {
			must(s.DeleteResourcePolicy(s.ctx, &kinesis.DeleteResourcePolicyInput{ResourceARN: &on}))(s)
		}
		if got := get(); got != "{}" {
			s.t.Errorf("none is %q", got)
		}
		remove()
		for _, policy := range []string{sharing(theirs, `"kinesis:PutRecord"`, on), sharing("arn:aws:iam::"+theirs+":root", `["kinesis:Get*"]`, on)} {
			if err := put(policy); err != nil {
				s.t.Error(err)
			}
			if got := get(); got != policy {
				s.t.Errorf("got %s, want %s", got, policy)
			}
		}
		s.refused(put("{}"), "InvalidArgumentException", "policy: Statement is missing")
		s.refused(put(allowing(`"kinesis:*"`, on, "")), "InvalidArgumentException", `policy: Statement\[0\] has no Principal`)
		s.refused(put(`{"Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"kinesis:*","Resource":"*"}}`),
			"InvalidArgumentException", ".*Principal: principals of kind Service are not supported.*")
		s.refused(put(`{"Statement":{"Effect":"Allow","Principal":"*","Action":"kinesis:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o"}}}}`),
			"InvalidArgumentException", "the condition key aws:PrincipalOrgID is not known.*")
		remove()
		if got := get(); got != "{}" {
			s.t.Errorf("after the deletion %q", got)
		}

		absent := s.arn("absent")
		_, err := s.GetResourcePolicy(s.ctx, &kinesis.GetResourcePolicyInput{ResourceARN: &absent})
		s.refused(err, "ResourceNotFoundException", "Stream absent under account {account} not found.")
		consumer := on + "/consumer/c:1790000000"
		_, err = s.GetResourcePolicy(s.ctx, &kinesis.GetResourcePolicyInput{ResourceARN: &consumer})
		s.refused(err, "ResourceNotFoundException", "Consumer c of stream tolls under account {account} not found.")
	})
}

// TestAcrossAccounts: another account uses a stream by its ARN as far as the stream's policy and its own policies let it, through iterators and page tokens
// too, and learns nothing of streams that are not shared.
func TestAcrossAccounts(t *testing.T) {
	t.Parallel()
	k := newKeyed(t, node.Config{})
	rootKey, readerKey := k.key(theirs, ""), k.key(theirs, "reader", allowing(`"kinesis:Get*"`, "*", ""))
	aliceKey := k.key(ours, "alice", allowing(`"kinesis:ListShards"`, "*", ""))
	owner := k.as(ours, k.key(ours, ""))
	owner.create("tolls", 2)
	owner.create("private", 1)
	on, private, absent := owner.arn("tolls"), owner.arn("private"), owner.arn("absent")
	root, reader := k.as(theirs, rootKey), k.as(theirs, readerKey)
	share := func(policy string) {
		must(owner.PutResourcePolicy(owner.ctx, &kinesis.PutResourcePolicyInput{ResourceARN: &on, Policy: &policy}))(owner)
	}
	put := func(s *session, stream string) error {
		_, err := s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamARN: &stream, PartitionKey: aws.String("k"), Data: []byte("x")})
		return err
	}
	refusal := func(who, action, stream, because string) string {
		return quote("User: arn:aws:iam::" + theirs + ":" + who + " is not authorized to perform: kinesis:" + action + " on resource: " + stream + " " + because + " the kinesis:" + action + " action")
	}
	const noShare, noRight = "because no resource-based policy allows", "because no identity-based policy allows"

	for _, stream := range []string{on, private, absent} {
		root.refused(put(root, stream), "AccessDeniedException", refusal("root", "PutRecord", stream, noShare))
	}
	share(sharing(theirs, `["kinesis:PutRecord","kinesis:GetShardIterator","kinesis:GetRecords","kinesis:ListShards"]`, on))
	if err := put(root, on); err != nil {
		t.Error(err)
	}
	reader.refused(put(reader, on), "AccessDeniedException", refusal("user/reader", "PutRecord", on, noRight))
	root.refused(put(root, private), "AccessDeniedException", refusal("root", "PutRecord", private, noShare))

	var tokens []string
	page := must(root.ListShards(root.ctx, &kinesis.ListShardsInput{StreamARN: &on, MaxResults: aws.Int32(1)}))(root)
	tokens = append(tokens, *page.NextToken)
	must(root.ListShards(root.ctx, &kinesis.ListShardsInput{NextToken: &tokens[0]}))(root)
	_, err := reader.ListShards(reader.ctx, &kinesis.ListShardsInput{NextToken: &tokens[0]})
	reader.refused(err, "AccessDeniedException", refusal("user/reader", "ListShards", on, noRight))

	var records []types.Record
	iterators := map[string]string{}
	for _, shard := range []string{"0", "1"} {
		iterators[shard] = reader.iterator(&kinesis.GetShardIteratorInput{StreamARN: &on, ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		records = append(records, reader.read(iterators[shard])...)
	}
	if len(records) != 1 || string(records[0].Data) != "x" {
		t.Errorf("read %d records", len(records))
	}

	// What is no longer shared cannot be read with an iterator of before.
	share(sharing(theirs, `"kinesis:PutRecord"`, on))
	iterator := iterators["0"]
	_, err = reader.GetRecords(reader.ctx, &kinesis.GetRecordsInput{ShardIterator: &iterator})
	reader.refused(err, "AccessDeniedException", refusal("user/reader", "GetRecords", on, noShare))

	// The policy itself is the owner's, whatever it says; and one that locks everybody out can be taken back by the owner.
	share(sharing(theirs, `"kinesis:*"`, on))
	_, err = root.PutResourcePolicy(root.ctx, &kinesis.PutResourcePolicyInput{ResourceARN: &on, Policy: aws.String(sharing(theirs, `"kinesis:*"`, on))})
	root.refused(err, "AccessDeniedException", refusal("root", "PutResourcePolicy", on, noShare))
	share(`{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}`)
	owner.refused(put(owner, on), "AccessDeniedException", ".* with an explicit deny in a resource-based policy")
	must(owner.DeleteResourcePolicy(owner.ctx, &kinesis.DeleteResourcePolicyInput{ResourceARN: &on}))(owner)
	if err := put(owner, on); err != nil {
		t.Error(err)
	}

	// Within the account a policy lets in a user whose own policies do not.
	alice := k.as(ours, aliceKey)
	alice.refused(put(alice, on), "AccessDeniedException", ".* because no identity-based policy allows the kinesis:PutRecord action")
	share(sharing("arn:aws:iam::"+ours+":user/alice", `"kinesis:PutRecord"`, on))
	if err := put(alice, on); err != nil {
		t.Error(err)
	}
}

// TestConsumerAcrossAccounts: a consumer has a policy of its own, by which another account is pushed the records of the stream, encrypted ones too; the stream's
// policy says nothing of it. A user is let to a consumer by its ARN.
func TestConsumerAcrossAccounts(t *testing.T) {
	t.Parallel()
	k := newKeyed(t, node.Config{})
	rootKey := k.key(theirs, "")
	owner := k.as(ours, k.key(ours, ""))
	owner.create("tolls", 1)
	owner.encrypt("tolls", ourKey)
	consumer := owner.register("tolls", "dashboard")
	root := k.as(theirs, rootKey)
	put := func(on, policy string) {
		must(owner.PutResourcePolicy(owner.ctx, &kinesis.PutResourcePolicyInput{ResourceARN: &on, Policy: &policy}))(owner)
	}
	describe := func(s *session) error {
		_, err := s.DescribeStreamConsumer(s.ctx, &kinesis.DescribeStreamConsumerInput{ConsumerARN: &consumer})
		return err
	}
	put(owner.arn("tolls"), sharing(theirs, `"kinesis:*"`, owner.arn("tolls")))
	root.refused(describe(root), "AccessDeniedException", quote("User: arn:aws:iam::"+theirs+":root is not authorized to perform: kinesis:DescribeStreamConsumer on resource: "+consumer+
		" because no resource-based policy allows the kinesis:DescribeStreamConsumer action"))
	policy := sharing(theirs, `["kinesis:SubscribeToShard","kinesis:DescribeStreamConsumer"]`, consumer)
	put(consumer, policy)
	if got := *must(owner.GetResourcePolicy(owner.ctx, &kinesis.GetResourcePolicyInput{ResourceARN: &consumer}))(owner).Policy; got != policy {
		t.Errorf("the policy is %s", got)
	}
	if err := describe(root); err != nil {
		t.Error(err)
	}
	if _, err := root.DescribeStreamConsumer(root.ctx, &kinesis.DescribeStreamConsumerInput{StreamARN: aws.String(owner.arn("tolls")), ConsumerName: aws.String("dashboard")}); err != nil {
		t.Error(err)
	}
	_, err := root.DeregisterStreamConsumer(root.ctx, &kinesis.DeregisterStreamConsumerInput{ConsumerARN: &consumer})
	root.refused(err, "AccessDeniedException", ".* because no resource-based policy allows .*")
	absent := owner.arn("tolls") + "/consumer/absent:1790000000"
	_, err = root.DescribeStreamConsumer(root.ctx, &kinesis.DescribeStreamConsumerInput{ConsumerARN: &absent})
	root.refused(err, "AccessDeniedException", ".*absent:1790000000 because no resource-based policy allows .*")
	_, err = owner.DescribeStreamConsumer(owner.ctx, &kinesis.DescribeStreamConsumerInput{ConsumerARN: &absent})
	owner.refused(err, "ResourceNotFoundException", "Consumer absent of stream tolls under account {account} not found.")

	sub := root.subscribe(consumer, "shardId-000000000000", from(types.ShardIteratorTypeTrimHorizon, nil))
	owner.put("tolls", "key", "pushed")
	for {
		event := sub.event()
		if len(event.Records) == 0 {
			continue
		}
		if r := event.Records[0]; string(r.Data) != "pushed" || *r.PartitionKey != "key" || r.EncryptionType != types.EncryptionTypeKms {
			t.Errorf("pushed %q of %q, %q", r.Data, *r.PartitionKey, r.EncryptionType)
		}
		break
	}
	must(owner.DeleteResourcePolicy(owner.ctx, &kinesis.DeleteResourcePolicyInput{ResourceARN: &consumer}))(owner)
	if errorCode(describe(root)) != "AccessDeniedException" {
		t.Error("the policy is still there")
	}
}
