// Package blob is how engines keep objects: a client of S3, whose server is in this process or anywhere.
//
// It owns the client: the few calls that engines make, their errors as kinds of fault, and the transport that reaches a server in the same
// process. The embedded server's buckets belong to blob/store, what it answers to api/s3. An engine is given a Client and does not know
// which server it is: another one is another Options.
//
// Read Client, then transport.go.
package blob

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/weir-stream/weir/internal/fault"
)

// Options say which S3 is spoken to, and as whom.
type Options struct {
	// Embedded is the server in this process; the access key is then the account of twelve digits, and every other field but Region may be empty.
	Embedded http.Handler
	// Endpoint is the URL of another server, such as "https://s3.eu-central-1.amazonaws.com" or "http://127.0.0.1:9000". Empty, without Embedded, is AWS.
	Endpoint string
	// Region is what requests are signed for. Default us-east-1.
	Region string
	// AccessKeyID, SecretAccessKey and SessionToken sign requests.
	AccessKeyID, SecretAccessKey, SessionToken string
	// Credentials sign requests in place of those three, when they may change.
	Credentials aws.CredentialsProvider
	// VirtualHosts puts the bucket into the host's name, which AWS wants for its own endpoints and few others understand.
	VirtualHosts bool
	// Transport carries requests to Endpoint. Default http.DefaultTransport.
	Transport http.RoundTripper
}

// Client keeps objects. It is safe for concurrent use. Errors have the kinds NotFound (bucket or object), Denied, Conflict (a condition did not
// hold), Exists, Invalid, Throttled or Unavailable; the mark "unknown" says that a change may have happened.
type Client struct{ s3 *s3.Client }

// New makes a client; nothing is asked of the server. Invalid when options contradict each other.
func New(o Options) (*Client, error) {
	if o.Embedded != nil && (o.Endpoint != "" || o.Transport != nil) {
		return nil, fault.New(fault.Invalid, "objects: an embedded server has no endpoint and no transport")
	}
	if o.Embedded != nil && o.Credentials != nil {
		return nil, fault.New(fault.Invalid, "objects: an embedded server knows accounts alone")
	}
	if o.AccessKeyID == "" && o.Credentials == nil {
		return nil, fault.New(fault.Invalid, "objects: no access key")
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	options := s3.Options{
		Region: o.Region, UsePathStyle: !o.VirtualHosts,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: o.AccessKeyID, SecretAccessKey: o.SecretAccessKey, SessionToken: o.SessionToken}, nil
		}),
	}
	if o.Credentials != nil {
		options.Credentials = o.Credentials
	}
	switch {
	case o.Embedded != nil:
		// Over https the SDK does not hash a body before it sends it: a checksum behind the body is enough, and nobody listens in between.
		options.BaseEndpoint = aws.String("https://localhost")
		options.HTTPClient = &http.Client{Transport: InProcess{o.Embedded}}
		options.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: o.AccessKeyID, SecretAccessKey: "nobody checks it"}, nil
		})
		options.Retryer = aws.NopRetryer{} // nothing can be lost on the way
		options.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
	case o.Endpoint != "":
		options.BaseEndpoint = aws.String(o.Endpoint)
		options.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired // few servers know the trailers that carry them
		options.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	default:
		options.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
	}
	if o.Transport != nil {
		options.HTTPClient = &http.Client{Transport: o.Transport}
	}
	return &Client{s3.New(options)}, nil
}

// S3 is the SDK's client inside, for what has no method here.
func (c *Client) S3() *s3.Client { return c.s3 }

// Info is what is known of an object without reading it.
type Info struct {
	Key      string
	Size     int64
	ETag     string // without quotes
	Modified time.Time
}

// Put says how an object is put. The zero Put is none of it.
type Put struct {
	ContentType     string
	ContentEncoding string
	Metadata        map[string]string
	IfAbsent        bool   // only if the key has nothing; otherwise Conflict
	IfMatch         string // only if the key has an object of this ETag; otherwise Conflict, or NotFound
}

// Put stores size bytes of body under a key, and gives the ETag. When it returns without an error the object is durable; with one, the key has what it had,
// unless the error is marked unknown. When ctx ends it still waits for the read of body that is under way.
func (c *Client) Put(ctx context.Context, bucket, key string, body io.Reader, size int64, o Put) (etag string, err error) {
	if _, seeks := body.(io.Seeker); !seeks {
		body = struct{ io.Reader }{body} // the SDK sends a pipe without its length, whatever it is told
	}
	in := &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: body, ContentLength: &size, Metadata: o.Metadata}
	set := func(to **string, value string) {
		if value != "" {
			*to = &value
		}
	}
	set(&in.ContentType, o.ContentType)
	set(&in.ContentEncoding, o.ContentEncoding)
	set(&in.IfMatch, o.IfMatch)
	if o.IfAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	out, err := c.s3.PutObject(ctx, in)
	if err != nil {
		return "", wrap(err, true, "put %s/%s", bucket, key)
	}
	return plain(out.ETag), nil
}

// Get opens an object. The caller closes it; reading it may fail with an error that has no kind.
func (c *Client) Get(ctx context.Context, bucket, key string) (io.ReadCloser, Info, error) {
	out, err := c.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, Info{}, wrap(err, false, "get %s/%s", bucket, key)
	}
	return out.Body, Info{key, aws.ToInt64(out.ContentLength), plain(out.ETag), aws.ToTime(out.LastModified)}, nil
}

// Head describes an object.
func (c *Client) Head(ctx context.Context, bucket, key string) (Info, error) {
	out, err := c.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return Info{}, wrap(err, false, "head %s/%s", bucket, key)
	}
	return Info{key, aws.ToInt64(out.ContentLength), plain(out.ETag), aws.ToTime(out.LastModified)}, nil
}

// Delete removes an object; one that is not there is no error.
func (c *Client) Delete(ctx context.Context, bucket, key string) error {
	_, err := c.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
	return wrap(err, true, "delete %s/%s", bucket, key)
}

// List gives the objects whose keys begin with a prefix, in the order of their keys' bytes, page by page as they are asked for. It ends with the first error.
func (c *Client) List(ctx context.Context, bucket, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		pages := s3.NewListObjectsV2Paginator(c.s3, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Info{}, wrap(err, false, "list %s/%s", bucket, prefix))
				return
			}
			for i := range page.Contents {
				o := &page.Contents[i]
				if !yield(Info{aws.ToString(o.Key), aws.ToInt64(o.Size), plain(o.ETag), aws.ToTime(o.LastModified)}, nil) {
					return
				}
			}
		}
	}
}

// MakeBucket makes a bucket in the client's region. One that is the caller's already is no error.
func (c *Client) MakeBucket(ctx context.Context, bucket string) error {
	in := &s3.CreateBucketInput{Bucket: &bucket}
	if region := c.s3.Options().Region; region != "us-east-1" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	_, err := c.s3.CreateBucket(ctx, in)
	var owned *types.BucketAlreadyOwnedByYou
	if errors.As(err, &owned) {
		return nil
	}
	return wrap(err, true, "make bucket %s", bucket)
}

func plain(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }

// wrap gives an error of the SDK its kind. changes says whether the call would have changed something.
func wrap(err error, changes bool, format string, args ...any) error {
	if err == nil {
		return nil
	}
	var answer *smithyhttp.ResponseError
	if !errors.As(err, &answer) { // nobody answered
		if changes {
			return fault.Unknown(fault.Unavailable, err, format, args...)
		}
		return fault.As(fault.Unavailable, err, format, args...)
	}
	kind := fault.Unavailable
	switch status := answer.HTTPStatusCode(); {
	case status == http.StatusNotFound:
		kind = fault.NotFound
	case status == http.StatusForbidden, status == http.StatusUnauthorized:
		kind = fault.Denied
	case status == http.StatusPreconditionFailed:
		kind = fault.Conflict
	case status == http.StatusConflict:
		kind = fault.Conflict
		var api smithy.APIError
		if errors.As(err, &api) && api.ErrorCode() == "BucketAlreadyExists" {
			kind = fault.Exists
		}
	case status == http.StatusTooManyRequests:
		kind = fault.Throttled
	case status == http.StatusNotImplemented:
		kind = fault.Unsupported
	case status >= 400 && status < 500:
		kind = fault.Invalid
	case changes && status != http.StatusServiceUnavailable: // it may have happened before the server failed
		return fault.Unknown(kind, err, format, args...)
	}
	return fault.As(kind, err, format, args...)
}
