package firehose

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/node"
)

// Policies decide who may do what to which delivery stream, by name and by tag; control calls are audited and puts are not.
func TestPermissions(t *testing.T) {
	dir := t.TempDir()
	keys, err := auth.OpenStore(openDir(t, dir), clock.Real, nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := keys.Make(auth.Spec{Account: "111111111111", User: "app", Policies: []auth.Policy{{Name: "only", Document: []byte(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["firehose:CreateDeliveryStream","firehose:DescribeDeliveryStream","firehose:PutRecord"],"Resource":"arn:aws:firehose:us-east-1:111111111111:deliverystream/mine"},
		{"Effect":"Allow","Action":"firehose:TagDeliveryStream","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"tolls"}}}]}`)}}})
	if err != nil {
		t.Fatal(err)
	}
	server, err := start(node.Config{DataDir: dir, Audit: true})
	if err != nil {
		t.Fatal(err)
	}
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	s := &session{t: t, ctx: t.Context(), account: "111111111111", server: server, Client: sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://" + server.node.Addr()), HTTPClient: &http.Client{Transport: transport}, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: made.ID, SecretAccessKey: made.Secret}, nil
		}),
	})}
	const denied = "AccessDeniedException"
	tagged := func(team string) error {
		_, err := s.CreateDeliveryStream(s.ctx, &sdk.CreateDeliveryStreamInput{
			DeliveryStreamName: aws.String("mine"), ExtendedS3DestinationConfiguration: s.destination(), Tags: []types.Tag{{Key: aws.String("team"), Value: &team}},
		})
		return err
	}
	s.refused(tagged("bridges"), denied, "is not authorized to perform: firehose:TagDeliveryStream")
	s.must(tagged("tolls"))
	s.active("mine")
	_, err = s.PutRecord(s.ctx, &sdk.PutRecordInput{DeliveryStreamName: aws.String("mine"), Record: &types.Record{Data: []byte("a")}})
	s.must(err)
	_, err = s.PutRecord(s.ctx, &sdk.PutRecordInput{DeliveryStreamName: aws.String("none"), Record: &types.Record{Data: []byte("a")}})
	s.refused(err, denied, "User: arn:aws:iam::111111111111:user/app is not authorized to perform: firehose:PutRecord on resource: arn:aws:firehose:us-east-1:111111111111:deliverystream/none")
	_, err = s.PutRecordBatch(s.ctx, &sdk.PutRecordBatchInput{DeliveryStreamName: aws.String("mine"), Records: []types.Record{{Data: []byte("a")}}})
	s.refused(err, denied, "firehose:PutRecordBatch")
	_, err = s.ListDeliveryStreams(s.ctx, &sdk.ListDeliveryStreamsInput{})
	s.refused(err, denied, "firehose:ListDeliveryStreams")
	_, err = s.DeleteDeliveryStream(s.ctx, &sdk.DeleteDeliveryStreamInput{DeliveryStreamName: aws.String("mine")})
	s.refused(err, denied, "firehose:DeleteDeliveryStream")
	s.must(server.stop())
	var audited string
	s.must(filepath.WalkDir(filepath.Join(dir, "audit"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		audited += string(text)
		return err
	}))
	for _, want := range []string{`"operation":"CreateDeliveryStream"`, `"operation":"DeleteDeliveryStream"`, `"service":"firehose"`, `deliverystream/mine`} {
		if !strings.Contains(audited, want) {
			t.Errorf("%s is not in the audit log: %s", want, audited)
		}
	}
	if strings.Contains(audited, "PutRecord") {
		t.Error("puts are in the audit log")
	}
}
