package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"github.com/weir-stream/weir/internal/console"
)

// Shows what weir delivery status says of a delivery stream whose bucket is not there, to people and to programs, and of none.
func TestDeliveryStatus(t *testing.T) {
	env := serverFor(t)
	base := []string{"delivery", "status", "--console", env["CONSOLE"]}
	if stdout, stderr, code := weir(t, nil, "", base...); code != exitOK || !strings.Contains(stdout, "no delivery streams") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	client := firehose.New(firehose.Options{Region: "us-east-1", BaseEndpoint: aws.String(env["AWS_ENDPOINT_URL"]), Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "any", SecretAccessKey: "any"}, nil
	})})
	_, err := client.CreateDeliveryStream(t.Context(), &firehose.CreateDeliveryStreamInput{DeliveryStreamName: aws.String("receipts"), ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
		BucketARN: aws.String("arn:aws:s3:::none"), RoleARN: aws.String("arn:aws:iam::123456789012:role/delivery"),
		BufferingHints: &types.BufferingHints{SizeInMBs: aws.Int32(1), IntervalInSeconds: aws.Int32(0)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutRecord(t.Context(), &firehose.PutRecordInput{DeliveryStreamName: aws.String("receipts"), Record: &types.Record{Data: []byte("first")}}); err != nil { // the SDK tries again while it is CREATING
		t.Fatal(err)
	}
	var report []console.DeliveryStreamStatus
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for failed := false; !failed; {
		stdout, stderr, code := weir(t, nil, "", append(base, "receipts", "--json")...)
		if err := json.Unmarshal([]byte(stdout), &report); err != nil || len(report) != 1 {
			t.Fatal(err, stdout, stderr)
		}
		failed = code == exitFailed
		select {
		case <-deadline.C:
			t.Fatal("waited for an attempt to fail")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if s := report[0]; s.Name != "receipts" || s.Status != "ACTIVE" || s.ErrorCode != "S3.NoSuchBucket" || s.BufferedRecords != 1 || s.BufferedBytes != 5 || s.SizeBytes != 1<<20 || s.Oldest.IsZero() || s.Tries < 1 || s.NextTry.IsZero() || s.LostRecords != 0 {
		t.Errorf("%+v", s)
	}
	stdout, _, code := weir(t, nil, "", base...)
	for _, text := range []string{"DELIVERY STREAM", "receipts", "ACTIVE", "puts", "S3.NoSuchBucket after", "again in"} {
		if !strings.Contains(stdout, text) {
			t.Errorf("%q is not in\n%s", text, stdout)
		}
	}
	if code != exitFailed {
		t.Errorf("exit %d", code)
	}
	if _, stderr, code := weir(t, nil, "", append(base, "none")...); code != exitUsage || !strings.Contains(stderr, "no delivery stream none") {
		t.Errorf("none: exit %d, %s", code, stderr)
	}
}
