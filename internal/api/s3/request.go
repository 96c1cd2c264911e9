package s3

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/weir-stream/weir/internal/blob/store"
	"github.com/weir-stream/weir/internal/edge"
)

// request is what the line and header of a request say: bucket and key, wherever they stand, and the query.
type request struct {
	method      string
	header      http.Header
	bucket, key string
	query       url.Values
}

// call is one request being answered.
type call struct {
	*edge.Call
	*request
	api *API
}

func newRequest(r *http.Request) *request {
	q := &request{method: r.Method, header: r.Header, query: r.URL.Query()}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if q.bucket = bucketOfHost(r.Host); q.bucket != "" {
		q.key = path
		return q
	}
	q.bucket, q.key, _ = strings.Cut(path, "/")
	return q
}

// bucketOfHost is the bucket that a host names: virtual-host style is BUCKET.s3.…, which every name of S3's endpoints has, and BUCKET.localhost,
// which resolvers send to this machine. Any other host names none, and the bucket is the first element of the path.
func bucketOfHost(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	host = strings.ToLower(host)
	if strings.HasPrefix(host, "s3.") || strings.HasPrefix(host, "s3-") {
		return ""
	}
	if bucket, _, is := strings.Cut(host, ".s3."); is {
		return bucket
	}
	bucket, is := strings.CutSuffix(host, ".localhost")
	if !is || services[bucket] {
		return ""
	}
	return bucket
}

// services are names before .localhost that stand for the server as a whole: its certificate has them, too.
var services = map[string]bool{"kinesis.us-east-1": true, "weir": true}

// keyBytesMax is the longest key (S3 User Guide, Naming Amazon S3 objects).
const keyBytesMax = 1024

// check refuses what no operation accepts.
func (q *call) check(op *operation) error {
	if op.on == onService {
		return nil
	}
	if !validBucketName(q.bucket) {
		return withResource(newError(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid."), "BucketName", q.bucket)
	}
	switch {
	case len(q.key) > keyBytesMax:
		return newError(http.StatusBadRequest, "KeyTooLongError", "Your key is too long")
	case !utf8.ValidString(q.key):
		return newError(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.")
	}
	if owner := q.header.Get("X-Amz-Expected-Bucket-Owner"); owner != "" {
		if b := q.api.store.State().Bucket(q.bucket); b != nil && b.Account != owner {
			return errDenied
		}
	}
	if version := q.query.Get("versionId"); version != "" && version != "null" {
		return newError(http.StatusBadRequest, "InvalidArgument", "Invalid version id specified") // there is no versioning: null is the one version
	}
	return q.refuseOptions()
}

// refused are headers that ask for what is not there. Empty values, and those listed, ask for what is.
var refused = []struct {
	header string
	ok     []string
	what   string
}{
	{"X-Amz-Server-Side-Encryption", nil, "Server-side encryption"},
	{"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", nil, "Server-side encryption"},
	{"X-Amz-Server-Side-Encryption-Context", nil, "Server-side encryption"},
	{"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled", []string{"false", "False"}, "Server-side encryption"},
	{"X-Amz-Server-Side-Encryption-Customer-Algorithm", nil, "Server-side encryption with customer keys"},
	{"X-Amz-Server-Side-Encryption-Customer-Key", nil, "Server-side encryption with customer keys"},
	{"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Algorithm", nil, "Server-side encryption with customer keys"},
	{"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key", nil, "Server-side encryption with customer keys"},
	{"X-Amz-Object-Lock-Mode", nil, "Object Lock"},
	{"X-Amz-Object-Lock-Legal-Hold", []string{"OFF"}, "Object Lock"},
	{"X-Amz-Object-Lock-Retain-Until-Date", nil, "Object Lock"},
	{"X-Amz-Object-Lock-Event-Hold", []string{"OFF"}, "Object Lock"},
	{"X-Amz-Object-Lock-Event-Hold-Duration-Days", nil, "Object Lock"},
	{"X-Amz-Object-Lock-Event-Hold-Duration-Years", nil, "Object Lock"},
	{"X-Amz-Bucket-Object-Lock-Enabled", []string{"false", "False"}, "Object Lock"},
	{"X-Amz-Bucket-Namespace", []string{"global"}, "A namespace of buckets"},
	{"X-Amz-Website-Redirect-Location", nil, "Website redirection"},
	{"X-Amz-Write-Offset-Bytes", nil, "Appending to objects"},
	{"X-Amz-Mfa", nil, "MFA delete"},
	{"X-Amz-Grant-Read", nil, "Access control lists"},
	{"X-Amz-Grant-Write", nil, "Access control lists"},
	{"X-Amz-Grant-Read-Acp", nil, "Access control lists"},
	{"X-Amz-Grant-Write-Acp", nil, "Access control lists"},
	{"X-Amz-Grant-Full-Control", nil, "Access control lists"},
}

func (q *call) refuseOptions() error {
	for _, row := range refused {
		value := q.header.Get(row.header)
		accepted := value == ""
		for _, ok := range row.ok {
			accepted = accepted || value == ok
		}
		if !accepted {
			return notImplemented(row.what + " (" + strings.ToLower(row.header) + ")")
		}
	}
	switch acl := q.header.Get("X-Amz-Acl"); acl {
	case "", "private", "bucket-owner-full-control": // what every object has
	default:
		return errACL
	}
	switch class := q.header.Get("X-Amz-Storage-Class"); class {
	case "", "STANDARD":
		return nil
	default:
		return notImplemented("The storage class " + class)
	}
}

// validBucketName follows the rules for general purpose buckets (S3 User Guide, General purpose bucket naming rules).
func validBucketName(name string) bool {
	if len(name) < 3 || len(name) > 63 || strings.Contains(name, "..") || strings.HasPrefix(name, "xn--") || strings.HasPrefix(name, "sthree-") ||
		strings.HasSuffix(name, "-s3alias") || strings.HasSuffix(name, "--ol-s3") || strings.HasSuffix(name, ".mrap") || strings.HasSuffix(name, "--x-s3") {
		return false
	}
	for i := range len(name) {
		c := name[i]
		alphanumeric := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alphanumeric && (c != '-' && c != '.' || i == 0 || i == len(name)-1) {
			return false
		}
	}
	return !looksLikeIP(name)
}

func looksLikeIP(name string) bool {
	parts := strings.Split(name, ".")
	if len(parts) != 4 {
		return false
	}
	for _, part := range parts {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			return false
		}
	}
	return true
}

// findBucket is the bucket of the request, which must be the caller's.
func (q *call) findBucket() (*store.Bucket, error) { return q.ownBucket(q.bucket) }

func (q *call) ownBucket(name string) (*store.Bucket, error) {
	b := q.api.store.State().Bucket(name)
	if b == nil {
		return nil, withResource(newError(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"), "BucketName", name)
	}
	if b.Account != q.Account {
		return nil, errDenied
	}
	return b, nil
}

// findObject is the object of the request.
func (q *call) findObject() (*store.Bucket, *store.Object, error) {
	b, err := q.findBucket()
	if err != nil {
		return nil, nil, err
	}
	o := b.Object(q.key)
	if o == nil {
		return nil, nil, q.noKey()
	}
	return b, o, nil
}

// noKey says that there is no object, to those who may know (API_GetObject: without s3:ListBucket the answer is 403).
func (q *call) noKey() error {
	if err := q.may("ListBucket", arnOf(q.bucket, "")); err != nil {
		return err
	}
	return withResource(newError(http.StatusNotFound, "NoSuchKey", "The specified key does not exist."), "Key", q.key)
}

// contentMD5 is the digest of the Content-MD5 header in hexadecimal, empty when there is none.
func (q *call) contentMD5() (string, error) {
	text := q.header.Get("Content-Md5")
	if text == "" {
		return "", nil
	}
	digest, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(digest) != 16 {
		return "", newError(http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified was invalid.")
	}
	return hexOf(digest), nil
}
