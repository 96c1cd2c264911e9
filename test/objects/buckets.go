package objects

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Buckets are made, found, and removed when they are empty. Source: API_CreateBucket, API_DeleteBucket, API_GetBucketLocation, API_HeadBucket, "Bucket naming rules".
var Buckets = Script{"Buckets", func(s *session) {
	s.sees("head", told(s.HeadBucket(s.ctx, &s3.HeadBucketInput{Bucket: &s.bucket}))(func(o *s3.HeadBucketOutput) string { return text(o.BucketRegion) }), "us-east-1")
	location := func(bucket string) string {
		return told(s.GetBucketLocation(s.ctx, &s3.GetBucketLocationInput{Bucket: &bucket}))(func(o *s3.GetBucketLocationOutput) string { return "in " + string(o.LocationConstraint) })
	}
	s.sees("location", location(s.bucket), "in ")
	s.sees("create it again, in us-east-1", done(s.CreateBucket(s.ctx, &s3.CreateBucketInput{Bucket: &s.bucket})), "done")
	elsewhere := nextBucket()
	create := func() string {
		return done(s.CreateBucket(s.ctx, &s3.CreateBucketInput{Bucket: &elsewhere, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}))
	}
	s.sees("create one in eu-west-1", create(), "done")
	s.sees("its location", location(elsewhere), "in eu-west-1")
	s.sees("create that again", create(), "409 BucketAlreadyOwnedByYou")
	s.sees("create without a fitting name", done(s.CreateBucket(s.ctx, &s3.CreateBucketInput{Bucket: aws.String("Not-A-Name")})), "400 InvalidBucketName")
	s.sees("head none", done(s.HeadBucket(s.ctx, &s3.HeadBucketInput{Bucket: aws.String("no-such-bucket")})), "404 NotFound")
	s.sees("list none", done(s.ListObjectsV2(s.ctx, &s3.ListObjectsV2Input{Bucket: aws.String("no-such-bucket")})), "404 NoSuchBucket")
	s.sees("put into none", done(s.PutObject(s.ctx, &s3.PutObjectInput{Bucket: aws.String("no-such-bucket"), Key: aws.String("k"), Body: strings.NewReader("x")})), "404 NoSuchBucket")
	s.sees("put", s.put("k", "x"), "done")
	remove := func() string { return done(s.DeleteBucket(s.ctx, &s3.DeleteBucketInput{Bucket: &s.bucket})) }
	s.sees("delete while it has something", remove(), "409 BucketNotEmpty")
	s.sees("delete what it has", done(s.DeleteObject(s.ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String("k")})), "done")
	s.sees("delete", remove(), "done")
	s.sees("delete again", remove(), "404 NoSuchBucket")
}}

// ListBuckets lists the caller's buckets, in pages and by prefix. Source: API_ListBuckets.
var ListBuckets = Script{"ListBuckets", func(s *session) {
	for i := range 5 {
		s.sees(fmt.Sprint("create ", i), done(s.CreateBucket(s.ctx, &s3.CreateBucketInput{Bucket: aws.String(fmt.Sprintf("%s-%d", s.bucket, i))})), "done")
	}
	s.sees("list", told(s.ListBuckets(s.ctx, &s3.ListBucketsInput{}))(func(o *s3.ListBucketsOutput) string {
		n := 0
		for _, b := range o.Buckets {
			if strings.HasPrefix(text(b.Name), s.bucket) {
				n++
			}
		}
		return fmt.Sprint(n, " and an owner: ", o.Owner != nil && text(o.Owner.ID) != "")
	}), "6 and an owner: true")
	pages := s3.NewListBucketsPaginator(s.Client, &s3.ListBucketsInput{MaxBuckets: aws.Int32(2), Prefix: aws.String(s.bucket + "-")})
	var sizes []string
	for pages.HasMorePages() && len(sizes) < 9 {
		sizes = append(sizes, told(pages.NextPage(s.ctx))(func(o *s3.ListBucketsOutput) string { return fmt.Sprint(len(o.Buckets)) }))
	}
	s.sees("pages of two with a prefix", strings.Join(sizes, " "), "2 2 1")
}}
