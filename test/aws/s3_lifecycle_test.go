package aws

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/weir-stream/weir/internal/node"
)

// A lifecycle lets objects and uploads go at the midnights that it names, on the server's clock, and is read back as it was put.
func TestLifecycle(t *testing.T) {
	s := startFor(t, node.Config{TestClock: "2026-11-18T13:00:00Z"})
	o := s.s3Client(t, transports[0], "us-east-1").withBucket()
	clock := &session{t: t, ctx: o.ctx, server: s}
	_, err := o.GetBucketLifecycleConfiguration(o.ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &o.bucket})
	o.denied(err, 404, "NoSuchLifecycleConfiguration")
	put := func(rules ...types.LifecycleRule) error {
		_, err := o.PutBucketLifecycleConfiguration(o.ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: &o.bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules}})
		return err
	}
	days := func(n int32) *types.LifecycleExpiration { return &types.LifecycleExpiration{Days: &n} }
	if err := put(
		types.LifecycleRule{ID: aws.String("tmp"), Status: "Enabled", Filter: &types.LifecycleRuleFilter{Prefix: aws.String("tmp/")}, Expiration: days(1)},
		types.LifecycleRule{ID: aws.String("tagged"), Status: "Enabled", Filter: &types.LifecycleRuleFilter{And: &types.LifecycleRuleAndOperator{Prefix: aws.String("t/"), Tags: []types.Tag{{Key: aws.String("go"), Value: aws.String("yes")}}, ObjectSizeGreaterThan: aws.Int64(3)}}, Expiration: days(2)},
		types.LifecycleRule{ID: aws.String("dated"), Status: "Enabled", Prefix: aws.String("d/"), Expiration: &types.LifecycleExpiration{Date: aws.Time(time.Date(2026, 11, 19, 0, 0, 0, 0, time.UTC))}}, //nolint:staticcheck // the old element is still in use
		types.LifecycleRule{ID: aws.String("uploads"), Status: "Enabled", Filter: &types.LifecycleRuleFilter{}, AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(3)}},
		types.LifecycleRule{ID: aws.String("off"), Status: "Disabled", Filter: &types.LifecycleRuleFilter{}, Expiration: days(1)},
	); err != nil {
		t.Fatal(err)
	}
	back := got(o.GetBucketLifecycleConfiguration(o.ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &o.bucket}))(t)
	if r := back.Rules; len(r) != 5 || *r[0].Filter.Prefix != "tmp/" || *r[1].Filter.And.Tags[0].Key != "go" || *r[1].Filter.And.ObjectSizeGreaterThan != 3 || *r[2].Prefix != "d/" || //nolint:staticcheck // as above
		r[2].Expiration.Date.Day() != 19 || *r[3].AbortIncompleteMultipartUpload.DaysAfterInitiation != 3 || r[4].Status != "Disabled" || back.TransitionDefaultMinimumObjectSize != "all_storage_classes_128K" {
		t.Errorf("%+v", back)
	}
	expiring := got(o.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: aws.String("tmp/a"), Body: strings.NewReader("x")}))(t)
	if want := `expiry-date="Fri, 20 Nov 2026 00:00:00 GMT", rule-id="tmp"`; aws.ToString(expiring.Expiration) != want {
		t.Errorf("expiration %q, want %q", aws.ToString(expiring.Expiration), want)
	}
	o.put("d/a", "x")
	o.put("kept", "x")
	for key, body := range map[string]string{"t/large": "large", "t/s": "s"} {
		got(o.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: &key, Body: strings.NewReader(body), Tagging: aws.String("go=yes")}))(t)
	}
	o.put("t/untagged", "large")
	got(o.CreateMultipartUpload(o.ctx, &s3.CreateMultipartUploadInput{Bucket: &o.bucket, Key: aws.String("u")}))(t)
	for _, row := range []struct{ by, want string }{
		{"0s", "d/a kept t/large t/s t/untagged tmp/a upload"},
		{"11h", "kept t/large t/s t/untagged tmp/a upload"},
		{"23h59m", "kept t/large t/s t/untagged tmp/a upload"},
		{"1m", "kept t/large t/s t/untagged upload"},
		{"24h", "kept t/s t/untagged upload"},
		{"48h", "kept t/s t/untagged"},
	} {
		clock.advance(row.by)
		var there []string
		for _, c := range got(o.ListObjectsV2(o.ctx, &s3.ListObjectsV2Input{Bucket: &o.bucket}))(t).Contents {
			there = append(there, *c.Key)
		}
		if len(got(o.ListMultipartUploads(o.ctx, &s3.ListMultipartUploadsInput{Bucket: &o.bucket}))(t).Uploads) > 0 {
			there = append(there, "upload")
		}
		if now := strings.Join(there, " "); now != row.want {
			t.Errorf("after %s: %s, want %s", row.by, now, row.want)
		}
	}
	o.denied(put(types.LifecycleRule{Status: "Enabled", Filter: &types.LifecycleRuleFilter{}, Transitions: []types.Transition{{Days: aws.Int32(1), StorageClass: "GLACIER"}}}), 501, "NotImplemented")
	o.denied(put(types.LifecycleRule{Status: "Enabled", Filter: &types.LifecycleRuleFilter{}, Expiration: days(0)}), 400, "InvalidArgument")
	o.denied(put(types.LifecycleRule{Status: "Enabled", Filter: &types.LifecycleRuleFilter{}}), 400, "InvalidRequest")
	got(o.DeleteBucketLifecycle(o.ctx, &s3.DeleteBucketLifecycleInput{Bucket: &o.bucket}))(t)
	_, err = o.GetBucketLifecycleConfiguration(o.ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &o.bucket})
	o.denied(err, 404, "NoSuchLifecycleConfiguration")
}
