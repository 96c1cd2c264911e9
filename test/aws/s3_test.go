package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	s3script "github.com/weir-stream/weir/test/objects"
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

func (o *objects) put(key, body string) {
	o.t.Helper()
	got(o.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: &key, Body: strings.NewReader(body)}))(o.t)
}

func (o *objects) get(key string) string {
	o.t.Helper()
	answer := got(o.GetObject(o.ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: &key}))(o.t)
	defer answer.Body.Close()
	return string(got(io.ReadAll(answer.Body))(o.t))
}

// everyPeer runs a script of test/objects against Weir, once per transport and each time in a new account of the shared server, and against gofakes3.
func everyPeer(t *testing.T, script s3script.Script) {
	t.Helper()
	for _, over := range transports {
		t.Run(over.name, func(t *testing.T) {
			t.Parallel()
			o := shared.s3Client(t, over, "us-east-1")
			follow(o.ctx, t, script, s3script.Peer{Name: "Weir", Client: o.Client, HTTP: o.http})
		})
	}
	t.Run("gofakes3", func(t *testing.T) {
		t.Parallel()
		peer := httptest.NewServer(gofakes3.New(s3mem.New(), gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
		t.Cleanup(peer.Close)
		client := s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: &peer.URL, UsePathStyle: true, HTTPClient: peer.Client(), Retryer: aws.NopRetryer{},
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "any", SecretAccessKey: "any"}, nil
			})})
		ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
		t.Cleanup(cancel)
		follow(ctx, t, script, s3script.Peer{Name: "gofakes3", Client: client, HTTP: peer.Client(), Differs: s3script.Gofakes3})
	})
}

func follow(ctx context.Context, t *testing.T, script s3script.Script, peer s3script.Peer) {
	t.Helper()
	for _, complaint := range script.Run(ctx, peer) {
		t.Errorf("%s: %s", peer.Name, complaint)
	}
}

func TestBuckets(t *testing.T)              { everyPeer(t, s3script.Buckets) }
func TestListBuckets(t *testing.T)          { everyPeer(t, s3script.ListBuckets) }
func TestPutObject(t *testing.T)            { everyPeer(t, s3script.PutObject) }
func TestChecksums(t *testing.T)            { everyPeer(t, s3script.Checksums) }
func TestObjectKeys(t *testing.T)           { everyPeer(t, s3script.Keys) }
func TestConditionalWrites(t *testing.T)    { everyPeer(t, s3script.ConditionalWrites) }
func TestGetObject(t *testing.T)            { everyPeer(t, s3script.GetObject) }
func TestRanges(t *testing.T)               { everyPeer(t, s3script.Ranges) }
func TestConditionalReads(t *testing.T)     { everyPeer(t, s3script.ConditionalReads) }
func TestListObjects(t *testing.T)          { everyPeer(t, s3script.ListObjects) }
func TestDeleteObjects(t *testing.T)        { everyPeer(t, s3script.DeleteObjects) }
func TestCopyObject(t *testing.T)           { everyPeer(t, s3script.CopyObject) }
func TestTagging(t *testing.T)              { everyPeer(t, s3script.Tagging) }
func TestPresigned(t *testing.T)            { everyPeer(t, s3script.Presigned) }
func TestMultipart(t *testing.T)            { everyPeer(t, s3script.Multipart) }
func TestMultipartErrors(t *testing.T)      { everyPeer(t, s3script.MultipartErrors) }
func TestUploadPartCopy(t *testing.T)       { everyPeer(t, s3script.UploadPartCopy) }
func TestListMultipartUploads(t *testing.T) { everyPeer(t, s3script.ListMultipartUploads) }
func TestObjectAttributes(t *testing.T)     { everyPeer(t, s3script.ObjectAttributes) }
func TestManagers(t *testing.T)             { everyPeer(t, s3script.Managers) }

// A name is one bucket's on the whole server, and a bucket its owner's alone, from any region.
func TestBucketsOfOthers(t *testing.T) {
	everyS3Transport(t, func(o *objects) {
		o.put("k", "x")
		other := o.server.s3Client(o.t, transports[0], "eu-west-1")
		_, err := other.CreateBucket(o.ctx, &s3.CreateBucketInput{Bucket: &o.bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}})
		o.denied(err, 409, "BucketAlreadyExists")
		_, err = other.CreateBucket(o.ctx, &s3.CreateBucketInput{Bucket: aws.String(nextBucket())})
		o.denied(err, 400, "IllegalLocationConstraintException")
		_, err = other.ListObjectsV2(o.ctx, &s3.ListObjectsV2Input{Bucket: &o.bucket})
		o.denied(err, 403, "AccessDenied")
		_, err = other.PutObject(o.ctx, &s3.PutObjectInput{Bucket: &o.bucket, Key: aws.String("k"), Body: strings.NewReader("x")})
		o.denied(err, 403, "AccessDenied")
		if all := got(other.ListBuckets(o.ctx, &s3.ListBucketsInput{}))(o.t); len(all.Buckets) != 0 {
			o.t.Errorf("%d buckets of others", len(all.Buckets))
		}
	})
}

// What a put may ask for and Weir does not do is refused by name.
func TestPutObjectRefusals(t *testing.T) {
	o := shared.s3Client(t, transports[0], "us-east-1").withBucket()
	for _, row := range []struct {
		in     s3.PutObjectInput
		status int
		code   string
	}{
		{s3.PutObjectInput{ServerSideEncryption: types.ServerSideEncryptionAes256}, 501, "NotImplemented"},
		{s3.PutObjectInput{StorageClass: types.StorageClassGlacier}, 501, "NotImplemented"},
		{s3.PutObjectInput{ACL: types.ObjectCannedACLPublicRead}, 400, "AccessControlListNotSupported"},
	} {
		row.in.Bucket, row.in.Key, row.in.Body = &o.bucket, aws.String("refused"), strings.NewReader("x")
		_, err := o.PutObject(o.ctx, &row.in)
		o.denied(err, row.status, row.code)
	}
	_, err := o.HeadObject(o.ctx, &s3.HeadObjectInput{Bucket: &o.bucket, Key: aws.String("refused")})
	o.denied(err, 404, "NotFound")
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
