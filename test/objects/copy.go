package objects

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// CopyObject makes an object of another, with its metadata and tags or with new ones. Source: API_CopyObject.
var CopyObject = Script{"CopyObject", func(s *session) {
	s.sees("put", done(s.PutObject(s.ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: aws.String("a b+c/é"), Body: strings.NewReader("hello"), Metadata: map[string]string{"x": "y"},
		ContentType: aws.String("text/x"), Tagging: aws.String("t=1"), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32})), "done")
	copied := func(in s3.CopyObjectInput) string {
		in.Bucket = &s.bucket
		return told(s.CopyObject(s.ctx, &in))(func(o *s3.CopyObjectOutput) string {
			r := o.CopyObjectResult
			if r == nil {
				return "nothing"
			}
			if text(r.ETag) != etag("hello") {
				return "the ETag " + text(r.ETag)
			}
			return fmt.Sprintf("copied, CRC32 %t, SHA256 %t", r.ChecksumCRC32 != nil, r.ChecksumSHA256 != nil)
		})
	}
	head := func(key string) string {
		return told(s.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key}))(func(o *s3.HeadObjectOutput) string {
			return fmt.Sprintf("%s %v, %d tags", text(o.ContentType), o.Metadata, aws.ToInt32(o.TagCount))
		})
	}
	s.sees("copy", copied(s3.CopyObjectInput{Key: aws.String("copy"), CopySource: aws.String(s.bucket + "/a%20b%2Bc/%C3%A9")}), "copied, CRC32 true, SHA256 false")
	s.sees("what the copy has", head("copy"), "text/x map[x:y], 1 tags")
	s.sees("delete the source", done(s.DeleteObject(s.ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String("a b+c/é")})), "done")
	s.sees("get the copy of what is gone", s.get("copy"), "hello")
	self := aws.String("/" + s.bucket + "/copy")
	s.sees("onto itself, without a change", copied(s3.CopyObjectInput{Key: aws.String("copy"), CopySource: self}), "400 InvalidRequest")
	s.sees("onto itself, with new metadata", copied(s3.CopyObjectInput{Key: aws.String("copy"), CopySource: self, MetadataDirective: types.MetadataDirectiveReplace,
		Metadata: map[string]string{"new": "1"}, TaggingDirective: types.TaggingDirectiveReplace, ChecksumAlgorithm: types.ChecksumAlgorithmSha256}), "copied, CRC32 false, SHA256 true")
	s.sees("what it has now", strings.TrimPrefix(head("copy"), "binary/octet-stream "), "map[new:1], 0 tags")
	s.sees("get it", s.get("copy"), "hello")
	for _, row := range []struct {
		step string
		in   s3.CopyObjectInput
		want string
	}{
		{"if the source has another ETag", s3.CopyObjectInput{CopySource: self, CopySourceIfMatch: aws.String(etag("other"))}, "412 PreconditionFailed"},
		{"if the source has not this ETag", s3.CopyObjectInput{CopySource: self, CopySourceIfNoneMatch: aws.String(etag("hello"))}, "412 PreconditionFailed"},
		{"of nothing", s3.CopyObjectInput{CopySource: aws.String(s.bucket + "/none")}, "404 NoSuchKey"},
		{"of no bucket", s3.CopyObjectInput{CopySource: aws.String("no-such-bucket/none")}, "404 NoSuchBucket"},
	} {
		row.in.Key = aws.String("x")
		s.sees(row.step, copied(row.in), row.want)
	}
}}

// Tagging sets, lists and removes the tags of objects and buckets. Source: API_PutObjectTagging ("at most 10"), API_PutBucketTagging.
var Tagging = Script{"Tagging", func(s *session) {
	s.sees("put", s.put("k", "x"), "done")
	set := func(n int) *types.Tagging {
		tagging := &types.Tagging{TagSet: []types.Tag{}}
		for i := range n {
			tagging.TagSet = append(tagging.TagSet, types.Tag{Key: aws.String(fmt.Sprint("k", i)), Value: aws.String(" v + ")})
		}
		return tagging
	}
	said := func(tags []types.Tag) string {
		var all []string
		for _, tag := range tags {
			all = append(all, text(tag.Key)+"="+text(tag.Value))
		}
		slices.Sort(all) // AWS promises no order
		return strings.Join(all, ",")
	}
	object := func() string {
		return told(s.GetObjectTagging(s.ctx, &s3.GetObjectTaggingInput{Bucket: &s.bucket, Key: aws.String("k")}))(func(o *s3.GetObjectTaggingOutput) string { return said(o.TagSet) })
	}
	bucket := func() string {
		return told(s.GetBucketTagging(s.ctx, &s3.GetBucketTaggingInput{Bucket: &s.bucket}))(func(o *s3.GetBucketTaggingOutput) string { return said(o.TagSet) })
	}
	s.sees("tags of an object that has none", object(), "")
	s.sees("tag the object", done(s.PutObjectTagging(s.ctx, &s3.PutObjectTaggingInput{Bucket: &s.bucket, Key: aws.String("k"), Tagging: set(3)})), "done")
	s.sees("its tags", object(), "k0= v + ,k1= v + ,k2= v + ")
	s.sees("eleven tags", done(s.PutObjectTagging(s.ctx, &s3.PutObjectTaggingInput{Bucket: &s.bucket, Key: aws.String("k"), Tagging: set(11)})), "400 BadRequest")
	s.sees("untag the object", done(s.DeleteObjectTagging(s.ctx, &s3.DeleteObjectTaggingInput{Bucket: &s.bucket, Key: aws.String("k")})), "done")
	s.sees("its tags after that", object(), "")
	s.sees("tags of nothing", done(s.GetObjectTagging(s.ctx, &s3.GetObjectTaggingInput{Bucket: &s.bucket, Key: aws.String("none")})), "404 NoSuchKey")
	s.sees("tags of a bucket that has none", bucket(), "404 NoSuchTagSet")
	s.sees("tag the bucket", done(s.PutBucketTagging(s.ctx, &s3.PutBucketTaggingInput{Bucket: &s.bucket, Tagging: set(2)})), "done")
	s.sees("the bucket's tags", bucket(), "k0= v + ,k1= v + ")
	s.sees("untag the bucket", done(s.DeleteBucketTagging(s.ctx, &s3.DeleteBucketTaggingInput{Bucket: &s.bucket})), "done")
}}
