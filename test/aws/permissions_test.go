package aws

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/weir-stream/weir/internal/node"
)

const (
	ours   = "111111111111"
	theirs = "222222222222"
)

func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// allowing is a policy with one statement that allows actions on a resource; conditions is the rest of it.
func allowing(actions, resource, conditions string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":%s,"Resource":"%s"%s}]}`, actions, resource, conditions)
}

// TestPolicyOfAKey: what a user's policies allow goes through and nothing else does, in AWS's words.
func TestPolicyOfAKey(t *testing.T) {
	t.Parallel()
	k := newKeyed(t, node.Config{})
	writerKey := k.key(ours, "loader",
		allowing(`["kinesis:PutRecord*","kinesis:ListShards"]`, "arn:aws:kinesis:us-east-1:"+ours+":stream/tolls*", ""),
		`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kinesis:Put*","Resource":"arn:aws:kinesis:*:*:stream/*late"}}`)
	makerKey := k.key(ours, "maker", allowing(`"kinesis:CreateStream"`, "*", ""))
	root := k.as(ours, k.key(ours, ""))
	root.create("tolls", 1)
	root.create("tolls-late", 1)
	root.create("other", 1)
	writer := k.as(ours, writerKey)
	for range 3 { // the second and third are remembered
		writer.put("tolls", "k", "data")
	}
	must(writer.ListShards(writer.ctx, &kinesis.ListShardsInput{StreamARN: aws.String(writer.arn("tolls"))}))(writer)

	const user = "User: arn:aws:iam::111111111111:user/loader is not authorized to perform: "
	_, err := writer.PutRecord(writer.ctx, &kinesis.PutRecordInput{StreamName: aws.String("tolls-late"), PartitionKey: aws.String("k"), Data: []byte("x")})
	writer.refused(err, "AccessDeniedException", quote(user+"kinesis:PutRecord on resource: "+writer.arn("tolls-late")+" with an explicit deny in an identity-based policy"))
	_, err = writer.PutRecord(writer.ctx, &kinesis.PutRecordInput{StreamName: aws.String("other"), PartitionKey: aws.String("k"), Data: []byte("x")})
	writer.refused(err, "AccessDeniedException", quote(user+"kinesis:PutRecord on resource: "+writer.arn("other")+" because no identity-based policy allows the kinesis:PutRecord action"))
	_, err = writer.DescribeStream(writer.ctx, &kinesis.DescribeStreamInput{StreamName: aws.String("absent")})
	writer.refused(err, "AccessDeniedException", quote(user+"kinesis:DescribeStream on resource: "+writer.arn("absent")+" because no identity-based policy allows the kinesis:DescribeStream action"))
	_, err = writer.ListStreams(writer.ctx, nil)
	writer.refused(err, "AccessDeniedException", quote(user+"kinesis:ListStreams on resource: * because no identity-based policy allows the kinesis:ListStreams action"))
	_, err = writer.CreateStream(writer.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("tolls2"), ShardCount: aws.Int32(1)})
	writer.refused(err, "AccessDeniedException", quote(user+"kinesis:CreateStream on resource: "+writer.arn("tolls2")+" because no identity-based policy allows the kinesis:CreateStream action"))

	// An iterator that somebody else made opens nothing.
	iterator := root.iterator(&kinesis.GetShardIteratorInput{StreamName: aws.String("tolls"), ShardId: aws.String("0"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	_, err = writer.GetRecords(writer.ctx, &kinesis.GetRecordsInput{ShardIterator: &iterator})
	writer.refused(err, "AccessDeniedException", quote(user+"kinesis:GetRecords on resource: "+writer.arn("tolls")+" because no identity-based policy allows the kinesis:GetRecords action"))

	// With tags, making a stream takes the permission to tag it.
	maker := k.as(ours, makerKey)
	_, err = maker.CreateStream(maker.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("tagged"), ShardCount: aws.Int32(1), Tags: map[string]string{"a": "b"}})
	maker.refused(err, "AccessDeniedException", ".* not authorized to perform: kinesis:AddTagsToStream on resource: .*stream/tagged because .*")
}

// TestPolicyChangesAreSeen: a policy that is attached while the server runs holds within a second, and one that is taken away too.
func TestPolicyChangesAreSeen(t *testing.T) {
	t.Parallel()
	k := newKeyed(t, node.Config{})
	key := k.key(ours, "alice")
	alice := k.as(ours, key)
	alice.create("tolls", 1)
	alice.put("tolls", "k", "x")
	attach := func(document string) {
		if err := k.keys.Attach(key.AccessKeyID, authPolicy("only", document)); err != nil {
			t.Fatal(err)
		}
	}
	try := func() string {
		_, err := alice.PutRecord(alice.ctx, &kinesis.PutRecordInput{StreamName: aws.String("tolls"), PartitionKey: aws.String("k"), Data: []byte("x")})
		return errorCode(err)
	}
	attach(allowing(`"kinesis:Get*"`, "*", ""))
	eventually(t, "the policy to hold", func() bool { return try() == "AccessDeniedException" })
	attach(allowing(`"kinesis:Put*"`, "*", ""))
	eventually(t, "the new one to hold", func() bool { return try() == "" })
	if err := k.keys.Detach(key.AccessKeyID, "only", true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no policy to hold", func() bool {
		_, err := alice.ListStreams(alice.ctx, nil)
		return err == nil
	})
}

// TestConditionsOnRequests: where a request comes from and how is what the server sees, over every transport; tags of the stream count as they are now.
func TestConditionsOnRequests(t *testing.T) {
	t.Parallel()
	k := newKeyed(t, node.Config{})
	rootKey := k.key(ours, "")
	secure := k.key(ours, "secure", allowing(`"kinesis:PutRecord"`, "*", `,"Condition":{"Bool":{"aws:SecureTransport":"true"},"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}`))
	abroad := k.key(ours, "abroad", allowing(`"kinesis:PutRecord"`, "*", `,"Condition":{"NotIpAddress":{"aws:SourceIp":"127.0.0.1"}}`))
	taggedKey := k.key(ours, "tagged", allowing(`"kinesis:PutRecord"`, "*", `,"Condition":{"StringEquals":{"aws:ResourceTag/team":"roads"}}`))
	taggerKey := k.key(ours, "tagger",
		allowing(`"kinesis:TagResource"`, "*", `,"Condition":{"StringEquals":{"aws:RequestTag/stage":"test"},"ForAllValues:StringEquals":{"aws:TagKeys":"stage"}}`),
		allowing(`"kinesis:UntagResource"`, "*", `,"Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"stage"}}`))
	strangeKey := k.key(ours, "strange", allowing(`"*"`, "*", `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`))
	root := k.as(ours, rootKey)
	root.create("tolls", 1)
	for _, over := range transports {
		for name, row := range map[string]struct {
			key  aws.Credentials
			want bool
		}{"secure": {secure, over.tls}, "abroad": {abroad, false}} {
			s := k.over(over, ours, row.key)
			for range 2 {
				_, err := s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: aws.String("tolls"), PartitionKey: aws.String("k"), Data: []byte("x")})
				if (err == nil) != row.want {
					t.Errorf("%s over %s: %v", name, over.name, err)
				}
			}
		}
	}

	tagged := k.as(ours, taggedKey)
	try := func() string {
		_, err := tagged.PutRecord(tagged.ctx, &kinesis.PutRecordInput{StreamName: aws.String("tolls"), PartitionKey: aws.String("k"), Data: []byte("x")})
		return errorCode(err)
	}
	for i, team := range []string{"roads", "rails", "roads"} {
		must(root.AddTagsToStream(root.ctx, &kinesis.AddTagsToStreamInput{StreamName: aws.String("tolls"), Tags: map[string]string{"team": team}}))(root)
		if code := try(); (code == "") != (team == "roads") {
			t.Errorf("tag %d, %s: %q", i, team, code)
		}
	}

	tagger := k.as(ours, taggerKey)
	for _, row := range []struct {
		tags map[string]string
		code string
	}{{map[string]string{"stage": "test"}, ""}, {map[string]string{"stage": "live"}, "AccessDeniedException"}, {map[string]string{"stage": "test", "team": "rails"}, "AccessDeniedException"}} {
		_, err := tagger.TagResource(tagger.ctx, &kinesis.TagResourceInput{ResourceARN: aws.String(tagger.arn("tolls")), Tags: row.tags})
		if errorCode(err) != row.code {
			t.Errorf("tags %v: %v", row.tags, err)
		}
	}
	for key, code := range map[string]string{"stage": "", "team": "AccessDeniedException"} {
		_, err := tagger.UntagResource(tagger.ctx, &kinesis.UntagResourceInput{ResourceARN: aws.String(tagger.arn("tolls")), TagKeys: []string{key}})
		if errorCode(err) != code {
			t.Errorf("untag %s: %v", key, err)
		}
	}

	strange := k.as(ours, strangeKey)
	_, err := strange.ListStreams(strange.ctx, nil)
	strange.refused(err, "AccessDeniedException", ".* because the condition key aws:PrincipalOrgID in an identity-based policy is not known to this version of Weir")
}

// TestEveryOperationAsks: a caller who may nothing is refused by every operation, before it says anything of what exists.
func TestEveryOperationAsks(t *testing.T) {
	t.Parallel()
	k := newKeyed(t, node.Config{})
	nobodyKey := k.key(ours, "nobody", allowing(`"firehose:*"`, "*", ""))
	root := k.as(ours, k.key(ours, ""))
	root.create("tolls", 1)
	nobody := k.as(ours, nobodyKey)
	stream := nobody.arn("tolls")
	iterator := root.iterator(&kinesis.GetShardIteratorInput{StreamName: aws.String("tolls"), ShardId: aws.String("0"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	fields := map[string]any{
		"StreamARN": &stream, "ResourceARN": &stream, "ConsumerARN": aws.String(stream + "/consumer/c:1"), "ConsumerName": aws.String("c"),
		"ShardId": aws.String("shardId-000000000000"), "ShardIteratorType": types.ShardIteratorTypeLatest, "ShardIterator": &iterator,
		"Data": []byte("x"), "PartitionKey": aws.String("k"), "Records": []types.PutRecordsRequestEntry{{Data: []byte("x"), PartitionKey: aws.String("k")}},
		"TagKeys": []string{"a"}, "Policy": aws.String("{}"), "RetentionPeriodHours": aws.Int32(48), "MaxRecordSizeInKiB": aws.Int32(2048),
		"ShardToSplit": aws.String("shardId-000000000000"), "NewStartingHashKey": aws.String("7"), "ShardToMerge": aws.String("shardId-000000000000"),
		"AdjacentShardToMerge": aws.String("shardId-000000000001"), "TargetShardCount": aws.Int32(2), "ScalingType": types.ScalingTypeUniformScaling,
		"EncryptionType": types.EncryptionTypeKms, "KeyId": aws.String("alias/aws/kinesis"),
		"ShardLevelMetrics": []types.MetricsName{types.MetricsNameAll}, "StartingPosition": &types.StartingPosition{Type: types.ShardIteratorTypeLatest},
		"WarmThroughputMiBps": aws.Int32(10), "RecordDistributionStrategy": types.RecordDistributionStrategyAuto,
		"MinimumThroughputBillingCommitment": &types.MinimumThroughputBillingCommitmentInput{Status: types.MinimumThroughputBillingCommitmentInputStatusEnabled},
	}
	for _, name := range operations(t) {
		if !supported[name] {
			continue
		}
		method := reflect.ValueOf(nobody.Client).MethodByName(name)
		in := reflect.New(method.Type().In(1).Elem())
		for field, value := range fields {
			if f := in.Elem().FieldByName(field); f.IsValid() && f.Type() == reflect.TypeOf(value) {
				f.Set(reflect.ValueOf(value))
			}
		}
		if f := in.Elem().FieldByName("StreamName"); f.IsValid() && !in.Elem().FieldByName("StreamARN").IsValid() {
			f.Set(reflect.ValueOf(aws.String("tolls")))
		}
		if f := in.Elem().FieldByName("Tags"); f.IsValid() && name != "CreateStream" && name != "RegisterStreamConsumer" {
			f.Set(reflect.ValueOf(map[string]string{"a": "b"}))
		}
		if f := in.Elem().FieldByName("StreamModeDetails"); f.IsValid() {
			f.Set(reflect.ValueOf(&types.StreamModeDetails{StreamMode: types.StreamModeOnDemand}))
		}
		answers := method.Call([]reflect.Value{reflect.ValueOf(nobody.ctx), in})
		err, _ := answers[1].Interface().(error)
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != "AccessDeniedException" || !strings.Contains(api.ErrorMessage(), "perform: kinesis:"+name+" on") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKeyThatEnds: a rotated key signs no more after its end, and its successor does from the start.
func TestKeyThatEnds(t *testing.T) {
	t.Parallel()
	k := newKeyed(t, node.Config{})
	old := k.key(ours, "alice")
	k.as(ours, old).create("tolls", 1)
	made, err := k.keys.Rotate(old.AccessKeyID, 0)
	if err != nil {
		t.Fatal(err)
	}
	k.as(ours, aws.Credentials{AccessKeyID: made.ID, SecretAccessKey: made.Secret}).put("tolls", "k", "x")
	s := k.signedSession(t, transports[0], old, "us-east-1")
	eventually(t, "the old key to end", func() bool {
		_, err := s.ListStreams(s.ctx, nil)
		return errorCode(err) == "UnrecognizedClientException"
	})
	if old.SecretAccessKey == made.Secret {
		t.Error("the secret is the same")
	}
}
