package aws

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// objects is one test's view of S3: an account that nobody else uses, over one transport, and a bucket.
type objects struct {
	*s3.Client
	t        *testing.T
	ctx      context.Context
	server   *server
	account  string
	endpoint string
	http     *http.Client
	bucket   string
}

var buckets atomic.Int64

// s3Client connects one test. The SDK does not retry: a test must see each answer.
func (s *server) s3Client(t *testing.T, over transport, region string) *objects {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	tr := over.client(s)
	t.Cleanup(tr.CloseIdleConnections)
	o := &objects{t: t, ctx: ctx, server: s, account: nextAccount(), endpoint: s.endpoint(over.tls), http: &http.Client{Transport: &onlyProto{t: t, next: tr, proto: over.proto}}}
	o.Client = s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String(o.endpoint), UsePathStyle: true, HTTPClient: o.http, Retryer: aws.NopRetryer{}, Credentials: o.credentials(),
	})
	return o
}

// onlyProto is protoCheck for bodies that are streams: they are passed on as they are.
type onlyProto struct {
	t     *testing.T
	next  http.RoundTripper
	proto string
}

// RoundTrip passes the request on and looks at the answer.
func (p *onlyProto) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := p.next.RoundTrip(r)
	if err == nil && answer.Proto != p.proto {
		p.t.Errorf("answer over %s, want %s", answer.Proto, p.proto)
	}
	return answer, err
}

func (o *objects) credentials() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: o.account, SecretAccessKey: "any secret will do"}, nil
	})
}

// nextBucket is a name that no other test has.
func nextBucket() string { return fmt.Sprintf("bucket-%d", buckets.Add(1)) }

// withBucket makes a bucket for the test.
func (o *objects) withBucket() *objects {
	o.t.Helper()
	o.bucket = nextBucket()
	got(o.CreateBucket(o.ctx, &s3.CreateBucketInput{Bucket: &o.bucket}))(o.t)
	return o
}

// everyS3Transport runs a script once per transport, each time in a new account and bucket of the shared server.
func everyS3Transport(t *testing.T, script func(o *objects)) {
	t.Helper()
	for _, over := range transports {
		t.Run(over.name, func(t *testing.T) {
			t.Parallel()
			script(shared.s3Client(t, over, "us-east-1").withBucket())
		})
	}
}

// got is for calls that have no reason to fail.
func got[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// denied checks an error's code and status.
func (o *objects) denied(err error, status int, code string) {
	o.t.Helper()
	var api smithy.APIError
	var answer *smithyhttp.ResponseError
	if !errors.As(err, &api) || !errors.As(err, &answer) || api.ErrorCode() != code || answer.HTTPStatusCode() != status {
		o.t.Errorf("got %v, want %d %s", err, status, code)
	}
}

func (o *objects) put(key, body string) *s3.PutObjectOutput {
	o.t.Helper()
	return got(o.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: &key, Body: strings.NewReader(body)}))(o.t)
}

func (o *objects) get(key string) string {
	o.t.Helper()
	answer := got(o.GetObject(o.ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: &key}))(o.t)
	defer answer.Body.Close()
	return string(got(io.ReadAll(answer.Body))(o.t))
}

func etag(body string) string {
	sum := md5.Sum([]byte(body))
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// Buckets are made, found, listed and removed; a name is one bucket's on the whole server.
func TestBuckets(t *testing.T) {
	everyS3Transport(t, func(o *objects) {
		if head := got(o.HeadBucket(o.ctx, &s3.HeadBucketInput{Bucket: &o.bucket}))(o.t); *head.BucketRegion != "us-east-1" {
			o.t.Errorf("region %v", *head.BucketRegion)
		}
		if at := got(o.GetBucketLocation(o.ctx, &s3.GetBucketLocationInput{Bucket: &o.bucket}))(o.t); at.LocationConstraint != "" {
			o.t.Errorf("location %v", at.LocationConstraint)
		}
		got(o.CreateBucket(o.ctx, &s3.CreateBucketInput{Bucket: &o.bucket}))(o.t) // in us-east-1 once more is no error
		elsewhere := nextBucket()
		got(o.CreateBucket(o.ctx, &s3.CreateBucketInput{Bucket: &elsewhere, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}))(o.t)
		if at := got(o.GetBucketLocation(o.ctx, &s3.GetBucketLocationInput{Bucket: &elsewhere}))(o.t); at.LocationConstraint != "eu-west-1" {
			o.t.Errorf("location %v", at.LocationConstraint)
		}
		_, err := o.CreateBucket(o.ctx, &s3.CreateBucketInput{Bucket: &elsewhere, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}})
		o.denied(err, 409, "BucketAlreadyOwnedByYou")

		other := o.server.s3Client(o.t, transports[0], "eu-west-1")
		_, err = other.CreateBucket(o.ctx, &s3.CreateBucketInput{Bucket: &o.bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}})
		o.denied(err, 409, "BucketAlreadyExists")
		_, err = other.CreateBucket(o.ctx, &s3.CreateBucketInput{Bucket: aws.String(nextBucket())})
		o.denied(err, 400, "IllegalLocationConstraintException")
		_, err = other.ListObjectsV2(o.ctx, &s3.ListObjectsV2Input{Bucket: &o.bucket})
		o.denied(err, 403, "AccessDenied")
		_, err = other.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: aws.String("k"), Body: strings.NewReader("x")})
		o.denied(err, 403, "AccessDenied")

		_, err = o.CreateBucket(o.ctx, &s3.CreateBucketInput{Bucket: aws.String("Not-A-Name")})
		o.denied(err, 400, "InvalidBucketName")
		_, err = o.HeadBucket(o.ctx, &s3.HeadBucketInput{Bucket: aws.String("no-such-bucket")})
		o.denied(err, 404, "NotFound")
		_, err = o.ListObjectsV2(o.ctx, &s3.ListObjectsV2Input{Bucket: aws.String("no-such-bucket")})
		o.denied(err, 404, "NoSuchBucket")
		o.put("k", "x")
		_, err = o.DeleteBucket(o.ctx, &s3.DeleteBucketInput{Bucket: &o.bucket})
		o.denied(err, 409, "BucketNotEmpty")
		got(o.DeleteObject(o.ctx, &s3.DeleteObjectInput{Bucket: &o.bucket, Key: aws.String("k")}))(o.t)
		got(o.DeleteBucket(o.ctx, &s3.DeleteBucketInput{Bucket: &o.bucket}))(o.t)
		_, err = o.DeleteBucket(o.ctx, &s3.DeleteBucketInput{Bucket: &o.bucket})
		o.denied(err, 404, "NoSuchBucket")
	})
}

func TestListBuckets(t *testing.T) {
	o := shared.s3Client(t, transports[0], "us-east-1")
	for range 5 {
		o.withBucket()
	}
	all := got(o.ListBuckets(o.ctx, &s3.ListBucketsInput{}))(t)
	if len(all.Buckets) != 5 || all.Owner == nil || len(*all.Owner.ID) != 64 {
		t.Errorf("%d buckets, %v", len(all.Buckets), all.Owner)
	}
	pages := s3.NewListBucketsPaginator(o.Client, &s3.ListBucketsInput{MaxBuckets: aws.Int32(2), Prefix: aws.String("bucket-")})
	n := 0
	for pages.HasMorePages() {
		n += len(got(pages.NextPage(o.ctx))(t).Buckets)
	}
	if n != 5 {
		t.Errorf("%d buckets in pages", n)
	}
}

// What is put is got back: bytes, headers, metadata, ETag, checksums of every algorithm; what does not fit its digest is refused and leaves nothing.
func TestPutObject(t *testing.T) {
	everyS3Transport(t, func(o *objects) {
		for _, algorithm := range []types.ChecksumAlgorithm{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} {
			for _, size := range []int{0, 11, 600_000} {
				body := strings.Repeat("0123456789\n", size/11)
				key := fmt.Sprintf("%s/%d å+b c", algorithm, size)
				put := got(o.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: &key, Body: strings.NewReader(body), ChecksumAlgorithm: algorithm,
					ContentType: aws.String("text/x"), CacheControl: aws.String("no-store"), ContentEncoding: aws.String("x"), ContentLanguage: aws.String("de"),
					ContentDisposition: aws.String("inline"), Metadata: map[string]string{"a": "1", "b-c": "zwei"}, Tagging: aws.String("x=y&z=")}))(o.t)
				if *put.ETag != etag(body) {
					o.t.Errorf("%s: ETag %s, want %s", key, *put.ETag, etag(body))
				}
				answer := got(o.GetObject(o.ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled}))(o.t)
				read := string(got(io.ReadAll(answer.Body))(o.t)) // the SDK compares the checksum
				answer.Body.Close()
				if read != body || *answer.ContentType != "text/x" || *answer.CacheControl != "no-store" || aws.ToString(answer.ContentEncoding) != "x" || *answer.ContentLanguage != "de" ||
					*answer.ContentDisposition != "inline" || answer.Metadata["a"] != "1" || answer.Metadata["b-c"] != "zwei" || aws.ToInt32(answer.TagCount) != 2 {
					o.t.Errorf("%s: %d bytes, %+v", key, len(read), answer)
				}
				if answer.ChecksumType != types.ChecksumTypeFullObject {
					o.t.Errorf("%s: checksum type %q", key, answer.ChecksumType)
				}
			}
		}
		key := aws.String("refused")
		_, err := o.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: key, Body: strings.NewReader("x"), ContentMD5: aws.String(base64.StdEncoding.EncodeToString(make([]byte, 16)))})
		o.denied(err, 400, "BadDigest")
		_, err = o.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: key, Body: strings.NewReader("x"), ContentMD5: aws.String("no digest")})
		o.denied(err, 400, "InvalidDigest")
		_, err = o.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: key, Body: strings.NewReader("x"), ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(make([]byte, 32)))})
		o.denied(err, 400, "BadDigest")
		_, err = o.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: key, Body: strings.NewReader("x"), Metadata: map[string]string{"a": strings.Repeat("x", 3000)}})
		o.denied(err, 400, "MetadataTooLarge")
		_, err = o.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: key, Body: strings.NewReader("x"), ServerSideEncryption: types.ServerSideEncryptionAes256})
		o.denied(err, 501, "NotImplemented")
		_, err = o.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: key, Body: strings.NewReader("x"), StorageClass: types.StorageClassGlacier})
		o.denied(err, 501, "NotImplemented")
		_, err = o.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: key, Body: strings.NewReader("x"), ACL: types.ObjectCannedACLPublicRead})
		o.denied(err, 400, "AccessControlListNotSupported")
		_, err = o.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: aws.String(strings.Repeat("k", 1025)), Body: strings.NewReader("x")})
		o.denied(err, 400, "KeyTooLongError")
		_, err = o.HeadObject(o.ctx, &s3.HeadObjectInput{Bucket: &o.bucket, Key: key})
		o.denied(err, 404, "NotFound")

		o.put("fd", "file")
		o.put("fd/x", "below it")
		o.put("fd/", "a folder to some")
		if a, b, c := o.get("fd"), o.get("fd/x"), o.get("fd/"); a != "file" || b != "below it" || c != "a folder to some" {
			o.t.Errorf("%q, %q, %q", a, b, c)
		}
		o.put("fd", "replaced")
		if now := o.get("fd"); now != "replaced" {
			o.t.Errorf("got %q", now)
		}
	})
}

// If-None-Match: * and If-Match of a write are decided with the write.
func TestConditionalWrites(t *testing.T) {
	everyS3Transport(t, func(o *objects) {
		key := aws.String("k")
		put := func(body string, match, noneMatch *string) error {
			_, err := o.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: key, Body: strings.NewReader(body), IfMatch: match, IfNoneMatch: noneMatch})
			return err
		}
		o.denied(put("x", aws.String(etag("first")), nil), 404, "NoSuchKey")
		if err := put("first", nil, aws.String("*")); err != nil {
			o.t.Fatal(err)
		}
		o.denied(put("second", nil, aws.String("*")), 412, "PreconditionFailed")
		o.denied(put("second", aws.String(etag("other")), nil), 412, "PreconditionFailed")
		if err := put("second", aws.String(etag("first")), nil); err != nil {
			o.t.Error(err)
		}
		o.denied(put("third", nil, aws.String(etag("second"))), 501, "NotImplemented")
		_, err := o.DeleteObject(o.ctx, &s3.DeleteObjectInput{Bucket: &o.bucket, Key: key, IfMatch: aws.String(etag("first"))})
		o.denied(err, 412, "PreconditionFailed")
		got(o.DeleteObject(o.ctx, &s3.DeleteObjectInput{Bucket: &o.bucket, Key: key, IfMatch: aws.String(etag("second"))}))(o.t)
	})
}

func TestGetObject(t *testing.T) {
	everyS3Transport(t, func(o *objects) {
		o.put("k", "hello")
		head := got(o.HeadObject(o.ctx, &s3.HeadObjectInput{Bucket: &o.bucket, Key: aws.String("k")}))(o.t)
		if *head.ContentLength != 5 || *head.ETag != etag("hello") || time.Since(*head.LastModified) > time.Hour || *head.ContentType == "" || *head.AcceptRanges != "bytes" {
			o.t.Errorf("%+v", head)
		}
		answer := got(o.GetObject(o.ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: aws.String("k"), ResponseContentType: aws.String("text/y"),
			ResponseContentDisposition: aws.String("attachment; filename=x"), ResponseCacheControl: aws.String("no-cache")}))(o.t)
		answer.Body.Close()
		if *answer.ContentType != "text/y" || *answer.ContentDisposition != "attachment; filename=x" || *answer.CacheControl != "no-cache" {
			o.t.Errorf("%+v", answer)
		}
		_, err := o.GetObject(o.ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: aws.String("nothing")})
		o.denied(err, 404, "NoSuchKey")
		_, err = o.GetObject(o.ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: aws.String("k"), VersionId: aws.String("3")})
		o.denied(err, 400, "InvalidArgument")
		_, err = o.GetObject(o.ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: aws.String("k"), ExpectedBucketOwner: aws.String("123123123123")})
		o.denied(err, 403, "AccessDenied")
	})
}

func TestRanges(t *testing.T) {
	everyS3Transport(t, func(o *objects) {
		body := "0123456789"
		o.put("k", body)
		o.put("empty", "")
		for _, row := range []struct{ spec, want, contentRange string }{
			{"bytes=0-0", "0", "bytes 0-0/10"}, {"bytes=3-5", "345", "bytes 3-5/10"}, {"bytes=7-", "789", "bytes 7-9/10"}, {"bytes=-3", "789", "bytes 7-9/10"},
			{"bytes=-30", body, "bytes 0-9/10"}, {"bytes=5-99", "56789", "bytes 5-9/10"}, {"bytes=5-3", body, ""}, {"bytes=0-1,3-4", body, ""}, {"lines=0-1", body, ""},
		} {
			answer := got(o.GetObject(o.ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: aws.String("k"), Range: &row.spec}))(o.t)
			read := string(got(io.ReadAll(answer.Body))(o.t))
			answer.Body.Close()
			if read != row.want || aws.ToString(answer.ContentRange) != row.contentRange {
				o.t.Errorf("%s gives %q, %q", row.spec, read, aws.ToString(answer.ContentRange))
			}
		}
		for _, row := range [][2]string{{"k", "bytes=10-"}, {"k", "bytes=-0"}, {"empty", "bytes=0-"}} {
			_, err := o.GetObject(o.ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: &row[0], Range: &row[1]})
			o.denied(err, 416, "InvalidRange")
		}
	})
}

func TestConditionalReads(t *testing.T) {
	everyS3Transport(t, func(o *objects) {
		o.put("k", "hello")
		past, future := aws.Time(time.Now().Add(-time.Hour)), aws.Time(time.Now().Add(time.Hour))
		for _, row := range []struct {
			name   string
			in     s3.GetObjectInput
			status int
		}{
			{"match", s3.GetObjectInput{IfMatch: aws.String(etag("hello"))}, 200},
			{"match one of", s3.GetObjectInput{IfMatch: aws.String(`"x", ` + etag("hello"))}, 200},
			{"match another", s3.GetObjectInput{IfMatch: aws.String(etag("other"))}, 412},
			{"none match", s3.GetObjectInput{IfNoneMatch: aws.String(etag("hello"))}, 304},
			{"none match another", s3.GetObjectInput{IfNoneMatch: aws.String(etag("other"))}, 200},
			{"modified", s3.GetObjectInput{IfModifiedSince: past}, 200},
			{"not modified", s3.GetObjectInput{IfModifiedSince: future}, 304},
			{"unmodified", s3.GetObjectInput{IfUnmodifiedSince: future}, 200},
			{"modified since", s3.GetObjectInput{IfUnmodifiedSince: past}, 412},
			{"the ETag counts before the time", s3.GetObjectInput{IfMatch: aws.String(etag("hello")), IfUnmodifiedSince: past}, 200},
			{"also for none match", s3.GetObjectInput{IfNoneMatch: aws.String(etag("hello")), IfModifiedSince: past}, 304},
		} {
			row.in.Bucket, row.in.Key = &o.bucket, aws.String("k")
			answer, err := o.GetObject(o.ctx, &row.in)
			status := 200
			var failed *smithyhttp.ResponseError
			if errors.As(err, &failed) {
				status = failed.HTTPStatusCode()
			} else if err == nil {
				answer.Body.Close()
			}
			if status != row.status {
				o.t.Errorf("%s: %d, want %d", row.name, status, row.status)
			}
			_, err = o.HeadObject(o.ctx, &s3.HeadObjectInput{Bucket: &o.bucket, Key: aws.String("k"), IfMatch: row.in.IfMatch, IfNoneMatch: row.in.IfNoneMatch,
				IfModifiedSince: row.in.IfModifiedSince, IfUnmodifiedSince: row.in.IfUnmodifiedSince})
			if status = 200; errors.As(err, &failed) {
				status = failed.HTTPStatusCode()
			}
			if status != row.status {
				o.t.Errorf("%s by HEAD: %d, want %d", row.name, status, row.status)
			}
		}
	})
}

func TestListObjects(t *testing.T) {
	everyS3Transport(t, func(o *objects) {
		keys := []string{"a", "a/b", "a/c/d", "b c+d&e", "fd", "fd/x", "z/1", "z/2", "é/ü"}
		for _, key := range keys {
			o.put(key, key)
		}
		list := func(in s3.ListObjectsV2Input) (names []string) {
			in.Bucket = &o.bucket
			pages := s3.NewListObjectsV2Paginator(o.Client, &in)
			for pages.HasMorePages() {
				page := got(pages.NextPage(o.ctx))(o.t)
				if int(*page.KeyCount) != len(page.Contents)+len(page.CommonPrefixes) {
					o.t.Errorf("KeyCount %d", *page.KeyCount)
				}
				for _, c := range page.Contents {
					if *c.ETag != etag(*c.Key) || *c.Size != int64(len(*c.Key)) || c.StorageClass != "STANDARD" {
						o.t.Errorf("%+v", c)
					}
					names = append(names, *c.Key)
				}
				for _, p := range page.CommonPrefixes {
					names = append(names, *p.Prefix+"…")
				}
			}
			return names
		}
		for _, row := range []struct {
			in   s3.ListObjectsV2Input
			want string
		}{
			{s3.ListObjectsV2Input{}, strings.Join(keys, "|")},
			{s3.ListObjectsV2Input{MaxKeys: aws.Int32(2)}, strings.Join(keys, "|")},
			{s3.ListObjectsV2Input{Delimiter: aws.String("/")}, "a|b c+d&e|fd|a/…|fd/…|z/…|é/…"},
			{s3.ListObjectsV2Input{Delimiter: aws.String("/"), MaxKeys: aws.Int32(1)}, "a|a/…|b c+d&e|fd|fd/…|z/…|é/…"},
			{s3.ListObjectsV2Input{Prefix: aws.String("a/"), Delimiter: aws.String("/")}, "a/b|a/c/…"},
			{s3.ListObjectsV2Input{StartAfter: aws.String("fd")}, "fd/x|z/1|z/2|é/ü"},
			{s3.ListObjectsV2Input{Prefix: aws.String("none")}, ""},
		} {
			if names := strings.Join(list(row.in), "|"); names != row.want {
				o.t.Errorf("%+v gives %s, want %s", row.in, names, row.want)
			}
		}
		encoded := got(o.ListObjectsV2(o.ctx, &s3.ListObjectsV2Input{Bucket: &o.bucket, EncodingType: types.EncodingTypeUrl, Prefix: aws.String("b"), FetchOwner: aws.Bool(true)}))(o.t)
		if *encoded.Contents[0].Key != "b%20c%2Bd%26e" || encoded.Contents[0].Owner == nil {
			o.t.Errorf("%+v", encoded.Contents[0])
		}
		first := got(o.ListObjects(o.ctx, &s3.ListObjectsInput{Bucket: &o.bucket, Delimiter: aws.String("/"), MaxKeys: aws.Int32(2)}))(o.t)
		if !*first.IsTruncated || *first.NextMarker != "a/" {
			o.t.Fatalf("%+v", first)
		}
		second := got(o.ListObjects(o.ctx, &s3.ListObjectsInput{Bucket: &o.bucket, Delimiter: aws.String("/"), Marker: first.NextMarker}))(o.t)
		if len(second.Contents) != 2 || *second.Contents[0].Key != "b c+d&e" || len(second.CommonPrefixes) != 3 || second.Contents[0].Owner == nil {
			o.t.Errorf("%+v", second)
		}
		if none := got(o.ListObjectsV2(o.ctx, &s3.ListObjectsV2Input{Bucket: &o.bucket, MaxKeys: aws.Int32(0)}))(o.t); *none.IsTruncated || len(none.Contents) > 0 {
			o.t.Errorf("%+v", none)
		}
		_, err := o.ListObjectsV2(o.ctx, &s3.ListObjectsV2Input{Bucket: &o.bucket, ContinuationToken: aws.String("no token")})
		o.denied(err, 400, "InvalidArgument")
		_, err = o.ListObjectsV2(o.ctx, &s3.ListObjectsV2Input{Bucket: &o.bucket, MaxKeys: aws.Int32(-1)})
		o.denied(err, 400, "InvalidArgument")
	})
}

func TestListObjectVersions(t *testing.T) {
	o := shared.s3Client(t, transports[0], "us-east-1").withBucket()
	o.put("a", "a")
	o.put("b", "b")
	all := got(o.ListObjectVersions(o.ctx, &s3.ListObjectVersionsInput{Bucket: &o.bucket}))(t)
	if len(all.Versions) != 2 || *all.Versions[1].Key != "b" || *all.Versions[1].VersionId != "null" || !*all.Versions[1].IsLatest {
		t.Errorf("%+v", all.Versions)
	}
	got(o.DeleteObject(o.ctx, &s3.DeleteObjectInput{Bucket: &o.bucket, Key: aws.String("a"), VersionId: aws.String("null")}))(t)
}

func TestDeleteObjects(t *testing.T) {
	everyS3Transport(t, func(o *objects) {
		for _, key := range []string{"a", "b", "<c>&", "kept"} {
			o.put(key, key)
		}
		id := func(key string) types.ObjectIdentifier { return types.ObjectIdentifier{Key: &key} }
		kept := id("kept")
		kept.ETag = aws.String(etag("another"))
		answer := got(o.DeleteObjects(o.ctx, &s3.DeleteObjectsInput{Bucket: &o.bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{id("a"), id("<c>&"), id("never was"), kept}}}))(o.t)
		if len(answer.Deleted) != 3 || *answer.Deleted[1].Key != "<c>&" || len(answer.Errors) != 1 || *answer.Errors[0].Code != "PreconditionFailed" {
			o.t.Errorf("%+v", answer)
		}
		quiet := got(o.DeleteObjects(o.ctx, &s3.DeleteObjectsInput{Bucket: &o.bucket, Delete: &types.Delete{Quiet: aws.Bool(true), Objects: []types.ObjectIdentifier{id("b")}}}))(o.t)
		if len(quiet.Deleted)+len(quiet.Errors) != 0 {
			o.t.Errorf("%+v", quiet)
		}
		left := got(o.ListObjectsV2(o.ctx, &s3.ListObjectsV2Input{Bucket: &o.bucket}))(o.t)
		if len(left.Contents) != 1 || *left.Contents[0].Key != "kept" {
			o.t.Errorf("%+v", left.Contents)
		}
		many := make([]types.ObjectIdentifier, 1001)
		for i := range many {
			many[i] = id(fmt.Sprint(i))
		}
		_, err := o.DeleteObjects(o.ctx, &s3.DeleteObjectsInput{Bucket: &o.bucket, Delete: &types.Delete{Objects: many}})
		o.denied(err, 400, "MalformedXML")
		got(o.DeleteObject(o.ctx, &s3.DeleteObjectInput{Bucket: &o.bucket, Key: aws.String("never was")}))(o.t)
	})
}

func TestCopyObject(t *testing.T) {
	everyS3Transport(t, func(o *objects) {
		got(o.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: aws.String("a b+c/é"), Body: strings.NewReader("hello"), Metadata: map[string]string{"x": "y"},
			ContentType: aws.String("text/x"), Tagging: aws.String("t=1"), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32}))(o.t)
		source := aws.String(o.bucket + "/a%20b%2Bc/%C3%A9")
		copied := got(o.CopyObject(o.ctx, &s3.CopyObjectInput{Bucket: &o.bucket, Key: aws.String("copy"), CopySource: source}))(o.t)
		if *copied.CopyObjectResult.ETag != etag("hello") || copied.CopyObjectResult.ChecksumCRC32 == nil {
			o.t.Errorf("%+v", copied.CopyObjectResult)
		}
		head := got(o.HeadObject(o.ctx, &s3.HeadObjectInput{Bucket: &o.bucket, Key: aws.String("copy")}))(o.t)
		if head.Metadata["x"] != "y" || *head.ContentType != "text/x" || aws.ToInt32(head.TagCount) != 1 {
			o.t.Errorf("%+v", head)
		}
		got(o.DeleteObject(o.ctx, &s3.DeleteObjectInput{Bucket: &o.bucket, Key: aws.String("a b+c/é")}))(o.t)
		if body := o.get("copy"); body != "hello" {
			o.t.Errorf("the copy of what is gone is %q", body)
		}
		self := aws.String("/" + o.bucket + "/copy")
		_, err := o.CopyObject(o.ctx, &s3.CopyObjectInput{Bucket: &o.bucket, Key: aws.String("copy"), CopySource: self})
		o.denied(err, 400, "InvalidRequest")
		replaced := got(o.CopyObject(o.ctx, &s3.CopyObjectInput{Bucket: &o.bucket, Key: aws.String("copy"), CopySource: self, MetadataDirective: types.MetadataDirectiveReplace,
			Metadata: map[string]string{"new": "1"}, TaggingDirective: types.TaggingDirectiveReplace, ChecksumAlgorithm: types.ChecksumAlgorithmSha256}))(o.t)
		if replaced.CopyObjectResult.ChecksumSHA256 == nil {
			o.t.Errorf("%+v", replaced.CopyObjectResult)
		}
		head = got(o.HeadObject(o.ctx, &s3.HeadObjectInput{Bucket: &o.bucket, Key: aws.String("copy")}))(o.t)
		if len(head.Metadata) != 1 || head.Metadata["new"] != "1" || head.TagCount != nil {
			o.t.Errorf("%+v", head)
		}
		_, err = o.CopyObject(o.ctx, &s3.CopyObjectInput{Bucket: &o.bucket, Key: aws.String("x"), CopySource: self, CopySourceIfMatch: aws.String(etag("other"))})
		o.denied(err, 412, "PreconditionFailed")
		_, err = o.CopyObject(o.ctx, &s3.CopyObjectInput{Bucket: &o.bucket, Key: aws.String("x"), CopySource: self, CopySourceIfNoneMatch: aws.String(etag("hello"))})
		o.denied(err, 412, "PreconditionFailed")
		_, err = o.CopyObject(o.ctx, &s3.CopyObjectInput{Bucket: &o.bucket, Key: aws.String("x"), CopySource: aws.String(o.bucket + "/none")})
		o.denied(err, 404, "NoSuchKey")
		_, err = o.CopyObject(o.ctx, &s3.CopyObjectInput{Bucket: &o.bucket, Key: aws.String("x"), CopySource: aws.String("no-such-bucket/none")})
		o.denied(err, 404, "NoSuchBucket")
	})
}

func TestTagging(t *testing.T) {
	everyS3Transport(t, func(o *objects) {
		o.put("k", "x")
		set := func(n int) *types.Tagging {
			tagging := &types.Tagging{TagSet: []types.Tag{}}
			for i := range n {
				tagging.TagSet = append(tagging.TagSet, types.Tag{Key: aws.String(fmt.Sprint("k", i)), Value: aws.String(" v & ")})
			}
			return tagging
		}
		got(o.PutObjectTagging(o.ctx, &s3.PutObjectTaggingInput{Bucket: &o.bucket, Key: aws.String("k"), Tagging: set(3)}))(o.t)
		tags := got(o.GetObjectTagging(o.ctx, &s3.GetObjectTaggingInput{Bucket: &o.bucket, Key: aws.String("k")}))(o.t)
		if len(tags.TagSet) != 3 || *tags.TagSet[2].Key != "k2" || *tags.TagSet[2].Value != " v & " {
			o.t.Errorf("%+v", tags.TagSet)
		}
		_, err := o.PutObjectTagging(o.ctx, &s3.PutObjectTaggingInput{Bucket: &o.bucket, Key: aws.String("k"), Tagging: set(11)})
		o.denied(err, 400, "BadRequest")
		got(o.DeleteObjectTagging(o.ctx, &s3.DeleteObjectTaggingInput{Bucket: &o.bucket, Key: aws.String("k")}))(o.t)
		if tags := got(o.GetObjectTagging(o.ctx, &s3.GetObjectTaggingInput{Bucket: &o.bucket, Key: aws.String("k")}))(o.t); len(tags.TagSet) != 0 {
			o.t.Errorf("%+v", tags.TagSet)
		}
		_, err = o.GetBucketTagging(o.ctx, &s3.GetBucketTaggingInput{Bucket: &o.bucket})
		o.denied(err, 404, "NoSuchTagSet")
		got(o.PutBucketTagging(o.ctx, &s3.PutBucketTaggingInput{Bucket: &o.bucket, Tagging: set(2)}))(o.t)
		if tags := got(o.GetBucketTagging(o.ctx, &s3.GetBucketTaggingInput{Bucket: &o.bucket}))(o.t); len(tags.TagSet) != 2 {
			o.t.Errorf("%+v", tags.TagSet)
		}
		got(o.DeleteBucketTagging(o.ctx, &s3.DeleteBucketTaggingInput{Bucket: &o.bucket}))(o.t)
	})
}

// The upload manager puts a body of several parts, the download manager gets it in ranges.
func TestManagers(t *testing.T) {
	everyS3Transport(t, func(o *objects) {
		body := bytes.Repeat([]byte("0123456789abcdef"), 11<<20/16)
		//nolint:staticcheck // deprecated this year, and in most programs that there are
		up := got(manager.NewUploader(o.Client).Upload(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: aws.String("large"), Body: bytes.NewReader(body)}))(o.t)
		if !strings.HasSuffix(*up.ETag, `-3"`) {
			o.t.Errorf("ETag %s", *up.ETag)
		}
		buffer := manager.NewWriteAtBuffer(nil)
		//nolint:staticcheck // likewise
		if n, err := manager.NewDownloader(o.Client).Download(o.ctx, buffer, &s3.GetObjectInput{Bucket: &o.bucket, Key: aws.String("large")}); err != nil || n != int64(len(body)) || !bytes.Equal(buffer.Bytes(), body) {
			o.t.Errorf("%d bytes, %v", n, err)
		}
	})
}
