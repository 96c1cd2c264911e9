package aws

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/weir-stream/weir/internal/node"
)

// upload begins an upload.
func (o *objects) upload(in s3.CreateMultipartUploadInput) *string {
	o.t.Helper()
	in.Bucket = &o.bucket
	return got(o.CreateMultipartUpload(o.ctx, &in))(o.t).UploadId
}

func (o *objects) part(key string, id *string, number int32, body []byte) *s3.UploadPartOutput {
	o.t.Helper()
	return got(o.UploadPart(o.ctx, &s3.UploadPartInput{Bucket: &o.bucket, Key: &key, UploadId: id, PartNumber: &number, Body: bytes.NewReader(body)}))(o.t)
}

func completed(parts ...types.CompletedPart) *types.CompletedMultipartUpload {
	return &types.CompletedMultipartUpload{Parts: parts}
}

const fiveMiB = 5 << 20

// An object made of parts has their bytes, the ETag that S3 computes for parts, and, over whole objects or over parts, the checksum.
func TestMultipart(t *testing.T) {
	everyS3Transport(t, func(o *objects) {
		first, second := bytes.Repeat([]byte("a"), fiveMiB), []byte("the end")
		for _, row := range []struct {
			algorithm types.ChecksumAlgorithm
			kind      types.ChecksumType
		}{{"", ""}, {"CRC32", "COMPOSITE"}, {"CRC32C", "FULL_OBJECT"}, {"CRC64NVME", ""}, {"SHA256", "COMPOSITE"}} {
			key := fmt.Sprintf("k-%s-%s", row.algorithm, row.kind)
			id := o.upload(s3.CreateMultipartUploadInput{Key: &key, ChecksumAlgorithm: row.algorithm, ChecksumType: row.kind, ContentType: aws.String("text/x"), Tagging: aws.String("a=b"),
				Metadata: map[string]string{"m": "1"}})
			in := s3.UploadPartInput{Bucket: &o.bucket, Key: &key, UploadId: id, ChecksumAlgorithm: row.algorithm}
			var parts []types.CompletedPart
			for i, body := range [][]byte{first, second} {
				in.PartNumber, in.Body = aws.Int32(int32(i+1)), bytes.NewReader(body)
				part := got(o.UploadPart(o.ctx, &in))(o.t)
				parts = append(parts, types.CompletedPart{PartNumber: in.PartNumber, ETag: part.ETag,
					ChecksumCRC32: part.ChecksumCRC32, ChecksumCRC32C: part.ChecksumCRC32C, ChecksumCRC64NVME: part.ChecksumCRC64NVME, ChecksumSHA256: part.ChecksumSHA256})
			}
			listed := got(o.ListParts(o.ctx, &s3.ListPartsInput{Bucket: &o.bucket, Key: &key, UploadId: id, MaxParts: aws.Int32(1)}))(o.t)
			if len(listed.Parts) != 1 || *listed.Parts[0].Size != fiveMiB || *listed.Parts[0].ETag != *parts[0].ETag || !*listed.IsTruncated || *listed.NextPartNumberMarker != "1" {
				o.t.Errorf("%+v", listed)
			}
			done := got(o.CompleteMultipartUpload(o.ctx, &s3.CompleteMultipartUploadInput{Bucket: &o.bucket, Key: &key, UploadId: id, MultipartUpload: completed(parts...), MpuObjectSize: aws.Int64(fiveMiB + 7)}))(o.t)
			one, two := md5.Sum(first), md5.Sum(second)
			both := md5.Sum(append(one[:], two[:]...))
			if want := `"` + hex.EncodeToString(both[:]) + `-2"`; *done.ETag != want {
				o.t.Errorf("%s: ETag %s, want %s", key, *done.ETag, want)
			}
			again := got(o.CompleteMultipartUpload(o.ctx, &s3.CompleteMultipartUploadInput{Bucket: &o.bucket, Key: &key, UploadId: id, MultipartUpload: completed(parts...)}))(o.t)
			if *again.ETag != *done.ETag {
				o.t.Errorf("completed again: %s, %s", *again.ETag, *done.ETag)
			}
			answer := got(o.GetObject(o.ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled}))(o.t)
			body := got(io.ReadAll(answer.Body))(o.t) // the SDK compares whole checksums
			answer.Body.Close()
			if !bytes.Equal(body, append(bytes.Clone(first), second...)) || *answer.ContentType != "text/x" || answer.Metadata["m"] != "1" || aws.ToInt32(answer.TagCount) != 1 {
				o.t.Errorf("%s: %d bytes, %+v", key, len(body), answer)
			}
			if row.kind != "" && answer.ChecksumType != row.kind {
				o.t.Errorf("%s: checksum type %s", key, answer.ChecksumType)
			}
			part := got(o.GetObject(o.ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: &key, PartNumber: aws.Int32(2)}))(o.t)
			body = got(io.ReadAll(part.Body))(o.t)
			part.Body.Close()
			if !bytes.Equal(body, second) || *part.PartsCount != 2 {
				o.t.Errorf("%s: part 2 is %q, %+v", key, body, part)
			}
			if row.algorithm == "CRC32" {
				copied := got(o.CopyObject(o.ctx, &s3.CopyObjectInput{Bucket: &o.bucket, Key: aws.String("copy"), CopySource: aws.String(o.bucket + "/" + key)}))(o.t)
				whole := md5.Sum(append(bytes.Clone(first), second...))
				if want := `"` + hex.EncodeToString(whole[:]) + `"`; *copied.CopyObjectResult.ETag != want || copied.CopyObjectResult.ChecksumType != types.ChecksumTypeFullObject {
					o.t.Errorf("a copy has the ETag %s, want %s, and %s", *copied.CopyObjectResult.ETag, want, copied.CopyObjectResult.ChecksumType)
				}
			}
		}
	})
}

func TestMultipartErrors(t *testing.T) {
	o := shared.s3Client(t, transports[0], "us-east-1").withBucket()
	key := "k"
	id := o.upload(s3.CreateMultipartUploadInput{Key: &key})
	one, two := o.part(key, id, 1, []byte("short")), o.part(key, id, 2, []byte("end"))
	complete := func(id *string, parts ...types.CompletedPart) error {
		_, err := o.CompleteMultipartUpload(o.ctx, &s3.CompleteMultipartUploadInput{Bucket: &o.bucket, Key: &key, UploadId: id, MultipartUpload: completed(parts...)})
		return err
	}
	first, second := types.CompletedPart{PartNumber: aws.Int32(1), ETag: one.ETag}, types.CompletedPart{PartNumber: aws.Int32(2), ETag: two.ETag}
	o.denied(complete(id, first, second), 400, "EntityTooSmall")
	o.denied(complete(id, second, first), 400, "InvalidPartOrder")
	o.denied(complete(id, types.CompletedPart{PartNumber: aws.Int32(1), ETag: two.ETag}), 400, "InvalidPart")
	o.denied(complete(id, types.CompletedPart{PartNumber: aws.Int32(3), ETag: two.ETag}), 400, "InvalidPart")
	o.denied(complete(id), 400, "MalformedXML")
	o.denied(complete(aws.String("no upload"), first), 404, "NoSuchUpload")
	_, err := o.UploadPart(o.ctx, &s3.UploadPartInput{Bucket: &o.bucket, Key: &key, UploadId: id, PartNumber: aws.Int32(10_001), Body: strings.NewReader("x")})
	o.denied(err, 400, "InvalidArgument")
	_, err = o.UploadPart(o.ctx, &s3.UploadPartInput{Bucket: &o.bucket, Key: &key, UploadId: aws.String("no upload"), PartNumber: aws.Int32(1), Body: strings.NewReader("x")})
	o.denied(err, 404, "NoSuchUpload")
	_, err = o.CompleteMultipartUpload(o.ctx, &s3.CompleteMultipartUploadInput{Bucket: &o.bucket, Key: &key, UploadId: id, MultipartUpload: completed(first), MpuObjectSize: aws.Int64(1)})
	o.denied(err, 400, "InvalidRequest")
	o.put(key, "there")
	_, err = o.CompleteMultipartUpload(o.ctx, &s3.CompleteMultipartUploadInput{Bucket: &o.bucket, Key: &key, UploadId: id, MultipartUpload: completed(first), IfNoneMatch: aws.String("*")})
	o.denied(err, 412, "PreconditionFailed")
	got(o.AbortMultipartUpload(o.ctx, &s3.AbortMultipartUploadInput{Bucket: &o.bucket, Key: &key, UploadId: id}))(t)
	_, err = o.AbortMultipartUpload(o.ctx, &s3.AbortMultipartUploadInput{Bucket: &o.bucket, Key: &key, UploadId: id})
	o.denied(err, 404, "NoSuchUpload")
	_, err = o.ListParts(o.ctx, &s3.ListPartsInput{Bucket: &o.bucket, Key: &key, UploadId: id})
	o.denied(err, 404, "NoSuchUpload")
	_, err = o.CreateMultipartUpload(o.ctx, &s3.CreateMultipartUploadInput{Bucket: &o.bucket, Key: &key, ChecksumAlgorithm: "SHA256", ChecksumType: "FULL_OBJECT"})
	o.denied(err, 400, "InvalidRequest")

	sized := o.upload(s3.CreateMultipartUploadInput{Key: &key, ChecksumAlgorithm: "CRC32C"})
	_, err = o.UploadPart(o.ctx, &s3.UploadPartInput{Bucket: &o.bucket, Key: &key, UploadId: sized, PartNumber: aws.Int32(1), Body: strings.NewReader("x"), ChecksumAlgorithm: "CRC32"})
	o.denied(err, 400, "InvalidRequest")
	part := o.part(key, sized, 1, []byte("x"))
	_, err = o.CompleteMultipartUpload(o.ctx, &s3.CompleteMultipartUploadInput{Bucket: &o.bucket, Key: &key, UploadId: sized, ChecksumCRC32C: aws.String(base64.StdEncoding.EncodeToString(make([]byte, 4))),
		MultipartUpload: completed(types.CompletedPart{PartNumber: aws.Int32(1), ETag: part.ETag})})
	o.denied(err, 400, "BadDigest")
	if body := o.get(key); body != "there" {
		t.Errorf("got %q", body)
	}
}

func TestUploadPartCopy(t *testing.T) {
	everyS3Transport(t, func(o *objects) {
		body := strings.Repeat("0123456789", fiveMiB/10+100)
		o.put("source", body)
		key := "k"
		id := o.upload(s3.CreateMultipartUploadInput{Key: &key, ChecksumAlgorithm: "CRC32", ChecksumType: "FULL_OBJECT"})
		source := aws.String(o.bucket + "/source")
		whole := got(o.UploadPartCopy(o.ctx, &s3.UploadPartCopyInput{Bucket: &o.bucket, Key: &key, UploadId: id, PartNumber: aws.Int32(1), CopySource: source}))(o.t)
		part := got(o.UploadPartCopy(o.ctx, &s3.UploadPartCopyInput{Bucket: &o.bucket, Key: &key, UploadId: id, PartNumber: aws.Int32(2), CopySource: source, CopySourceRange: aws.String("bytes=3-5")}))(o.t)
		for _, bad := range []string{"bytes=3-", "bytes=-3", fmt.Sprintf("bytes=0-%d", len(body)), "3-5"} {
			_, err := o.UploadPartCopy(o.ctx, &s3.UploadPartCopyInput{Bucket: &o.bucket, Key: &key, UploadId: id, PartNumber: aws.Int32(3), CopySource: source, CopySourceRange: &bad})
			o.denied(err, 400, "InvalidArgument")
		}
		_, err := o.UploadPartCopy(o.ctx, &s3.UploadPartCopyInput{Bucket: &o.bucket, Key: &key, UploadId: id, PartNumber: aws.Int32(3), CopySource: source, CopySourceIfMatch: aws.String("x")})
		o.denied(err, 412, "PreconditionFailed")
		got(o.CompleteMultipartUpload(o.ctx, &s3.CompleteMultipartUploadInput{Bucket: &o.bucket, Key: &key, UploadId: id, MultipartUpload: completed(
			types.CompletedPart{PartNumber: aws.Int32(1), ETag: whole.CopyPartResult.ETag}, types.CompletedPart{PartNumber: aws.Int32(2), ETag: part.CopyPartResult.ETag})}))(o.t)
		if read := o.get(key); read != body+"345" {
			o.t.Errorf("%d bytes, want %d", len(read), len(body)+3)
		}
	})
}

func TestListMultipartUploads(t *testing.T) {
	o := shared.s3Client(t, transports[0], "us-east-1").withBucket()
	ids := map[string]bool{}
	for _, key := range []string{"a", "a", "b/1", "b/2", "c"} {
		ids[*o.upload(s3.CreateMultipartUploadInput{Key: &key})] = true
	}
	var keys []string
	pages := s3.NewListMultipartUploadsPaginator(o.Client, &s3.ListMultipartUploadsInput{Bucket: &o.bucket, MaxUploads: aws.Int32(2)})
	for pages.HasMorePages() {
		for _, u := range got(pages.NextPage(o.ctx))(t).Uploads {
			keys = append(keys, *u.Key)
			delete(ids, *u.UploadId)
		}
	}
	if strings.Join(keys, " ") != "a a b/1 b/2 c" || len(ids) > 0 {
		t.Errorf("%v, not listed %v", keys, ids)
	}
	grouped := got(o.ListMultipartUploads(o.ctx, &s3.ListMultipartUploadsInput{Bucket: &o.bucket, Delimiter: aws.String("/")}))(t)
	if len(grouped.Uploads) != 3 || len(grouped.CommonPrefixes) != 1 || *grouped.CommonPrefixes[0].Prefix != "b/" {
		t.Errorf("%+v", grouped)
	}
}

func TestObjectAttributes(t *testing.T) {
	o := shared.s3Client(t, transports[0], "us-east-1").withBucket()
	key := "k"
	id := o.upload(s3.CreateMultipartUploadInput{Key: &key, ChecksumAlgorithm: "SHA256"})
	part := got(o.UploadPart(o.ctx, &s3.UploadPartInput{Bucket: &o.bucket, Key: &key, UploadId: id, PartNumber: aws.Int32(4), Body: strings.NewReader("hello"), ChecksumAlgorithm: "SHA256"}))(t)
	got(o.CompleteMultipartUpload(o.ctx, &s3.CompleteMultipartUploadInput{Bucket: &o.bucket, Key: &key, UploadId: id,
		MultipartUpload: completed(types.CompletedPart{PartNumber: aws.Int32(4), ETag: part.ETag, ChecksumSHA256: part.ChecksumSHA256})}))(t)
	a := got(o.GetObjectAttributes(o.ctx, &s3.GetObjectAttributesInput{Bucket: &o.bucket, Key: &key, ObjectAttributes: []types.ObjectAttributes{"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"}}))(t)
	if !strings.HasSuffix(*a.ETag, "-1") || *a.ObjectSize != 5 || a.StorageClass != "STANDARD" || a.Checksum.ChecksumType != "COMPOSITE" || *a.ObjectParts.TotalPartsCount != 1 ||
		*a.ObjectParts.Parts[0].PartNumber != 4 || *a.ObjectParts.Parts[0].ChecksumSHA256 != *part.ChecksumSHA256 {
		t.Errorf("%+v %+v %+v", a, a.Checksum, a.ObjectParts)
	}
	o.put("plain", "x")
	a = got(o.GetObjectAttributes(o.ctx, &s3.GetObjectAttributesInput{Bucket: &o.bucket, Key: aws.String("plain"), ObjectAttributes: []types.ObjectAttributes{"ObjectSize"}}))(t)
	if *a.ObjectSize != 1 || a.ETag != nil || a.ObjectParts != nil {
		t.Errorf("%+v", a)
	}
}

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
	o.upload(s3.CreateMultipartUploadInput{Key: aws.String("u")})
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
