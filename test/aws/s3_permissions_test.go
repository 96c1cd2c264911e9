package aws

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/vfs"
)

// A key with a policy may do in S3 what the policy says and nothing else, object by object; the audit log has who administered buckets, and no objects.
func TestS3Permissions(t *testing.T) {
	dir := t.TempDir()
	fs := got(vfs.NewOS(dir))(t)
	keys := got(auth.OpenStore(fs, clock.Real, nil))(t)
	root := got(keys.Create("123456789012", "all"))(t)
	document := `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/pub/*"},
		{"Effect":"Allow","Action":["s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::BUCKET/in/*"}]}`
	bucket := nextBucket()
	limited := got(keys.Make(auth.Spec{Account: "123456789012", Name: "some", Policies: []auth.Policy{{Name: "p", Document: []byte(strings.ReplaceAll(document, "BUCKET", bucket))}}}))(t)
	s := &server{node: got(node.Start(context.Background(), node.Config{DataDir: dir, Listen: "127.0.0.1:0", Audit: true, Logger: slog.New(slog.DiscardHandler)}))(t)}
	t.Cleanup(func() { s.halt(t) })
	as := func(key auth.Key) *objects {
		o := s.s3Client(t, transports[0], "us-east-1")
		o.bucket = bucket
		o.Client = s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: &o.endpoint, UsePathStyle: true, Retryer: aws.NopRetryer{}, HTTPClient: o.http,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}, nil
			})})
		return o
	}
	all, some := as(root), as(limited)
	got(all.CreateBucket(all.ctx, &s3.CreateBucketInput{Bucket: &bucket}))(t)
	for _, key := range []string{"pub/a", "in/a", "secret"} {
		all.put(key, key)
	}
	if body := some.get("pub/a"); body != "pub/a" {
		t.Errorf("got %q", body)
	}
	some.put("in/b", "b")
	for name, try := range map[string]func() error{
		"get": func() error {
			_, err := some.GetObject(some.ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("secret")})
			return err
		},
		"get what is not there, without ListBucket": func() error {
			_, err := some.GetObject(some.ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("pub/none")})
			return err
		},
		"put": func() error {
			_, err := some.PutObject(some.ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("pub/x"), Body: strings.NewReader("x")})
			return err
		},
		"put with tags": func() error {
			_, err := some.PutObject(some.ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("in/x"), Body: strings.NewReader("x"), Tagging: aws.String("a=b")})
			return err
		},
		"copy from": func() error {
			_, err := some.CopyObject(some.ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: aws.String("in/x"), CopySource: aws.String(bucket + "/secret")})
			return err
		},
		"list": func() error {
			_, err := some.ListObjectsV2(some.ctx, &s3.ListObjectsV2Input{Bucket: &bucket})
			return err
		},
		"list buckets": func() error {
			_, err := some.ListBuckets(some.ctx, &s3.ListBucketsInput{})
			return err
		},
		"delete the bucket": func() error {
			_, err := some.DeleteBucket(some.ctx, &s3.DeleteBucketInput{Bucket: &bucket})
			return err
		},
		"upload": func() error {
			_, err := some.CreateMultipartUpload(some.ctx, &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: aws.String("x")})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			some := *some
			some.t = t
			some.denied(try(), 403, "AccessDenied")
		})
	}
	many := got(some.DeleteObjects(some.ctx, &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("in/a")}, {Key: aws.String("secret")}}}}))(t)
	if len(many.Deleted) != 1 || len(many.Errors) != 1 || *many.Errors[0].Code != "AccessDenied" || all.get("secret") != "secret" {
		t.Errorf("%+v", many)
	}
	s.halt(t)
	var lines []string
	if spoiled, err := audit.Read(fs, datadir.Audit, time.Time{}, func(e audit.Entry, _ []byte) bool {
		lines = append(lines, e.Operation+" "+e.Resource+" "+e.ErrorCode)
		return true
	}); err != nil || spoiled != 0 {
		t.Fatal(spoiled, err)
	}
	log := strings.Join(lines, "\n")
	for _, want := range []string{"CreateBucket arn:aws:s3:::" + bucket + " ", "DeleteBucket arn:aws:s3:::" + bucket + " AccessDenied", "ListBuckets  AccessDenied"} {
		if !strings.Contains(log, want) {
			t.Errorf("the audit log has no %q:\n%s", want, log)
		}
	}
	if len(lines) != 3 {
		t.Errorf("the audit log has %d lines:\n%s", len(lines), log)
	}
}
