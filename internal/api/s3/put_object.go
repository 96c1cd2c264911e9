package s3

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weir-stream/weir/internal/blob/store"
)

const (
	// objectBytesMax is the most that one put, part or copy may have: 5 GiB (S3 User Guide, Amazon S3 multipart upload limits).
	objectBytesMax = 5 << 30
	// userBytesMax is the room for names and values of user metadata (S3 User Guide, User-defined object metadata).
	userBytesMax = 2 << 10
)

// putObject stores a body under a key, in place of what the key has.
//
// Source: API_PutObject (read 2026-11). Shown by: TestPutObject in test/aws.
// Conditions: If-None-Match: * and If-Match are decided together with the put; of two at once one is refused.
// Durability: the answer comes after file, name and command are on disk.
// Checksum: the one that the request claims, otherwise CRC64NVME, as S3 computes ("Checking object integrity").
// Differs from AWS: what refused (request.go) names is refused.
func (q *call) putObject() error {
	b, err := q.findBucket()
	if err != nil {
		return err
	}
	condition, err := q.writeCondition()
	if err != nil {
		return err
	}
	meta, err := q.meta()
	if err != nil {
		return err
	}
	tags, err := q.taggingHeader()
	if err != nil {
		return err
	}
	content, checksum, err := q.receive("", store.CRC64NVME)
	if err != nil {
		return err
	}
	r, err := q.api.store.PutContent(q.Ctx, content, store.PutObject{
		Account: q.Account, Bucket: b.Name, Key: q.key, ETag: content.MD5, Meta: meta, Tags: tags, Checksum: checksum, Segment: content.Segment, Condition: condition,
	})
	if err != nil {
		return err
	}
	h := q.Writer.Header()
	h["Etag"] = []string{quoted(r.ETag)}
	setChecksum(h, r.Checksum)
	q.setExpiration(q.key)
	return q.nothing(http.StatusOK)
}

// receive makes the body durable, and holds it against everything that the request says of it. besides is an algorithm to compute also when the
// request does not claim it; the checksum given is that one, or else the claimed one, or else one in the algorithm otherwise. Either may be empty.
func (q *call) receive(besides, otherwise store.Algorithm) (*store.Content, store.Checksum, error) {
	size, err := q.size()
	if err != nil {
		return nil, store.Checksum{}, err
	}
	md5, err := q.contentMD5()
	if err != nil {
		return nil, store.Checksum{}, err
	}
	claim, err := q.claimed()
	if err != nil {
		return nil, store.Checksum{}, err
	}
	algorithm := cmp.Or(besides, claim.algorithm, otherwise)
	content, err := q.api.store.Write(q.Ctx, q.Stream, store.WriteOptions{
		Size: size, Algorithms: []store.Algorithm{claim.algorithm, algorithm},
		Check: func(c *store.Content) error {
			if md5 != "" && md5 != c.MD5 {
				return errBadMD5
			}
			if c.Segment.Size != size {
				return newError(http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
			}
			return q.holds(claim, c.Sums)
		},
	})
	if err != nil {
		return nil, store.Checksum{}, err
	}
	if algorithm == "" {
		return content, store.Checksum{}, nil
	}
	return content, store.Checksum{Algorithm: algorithm, Value: content.Sums[algorithm]}, nil
}

// size is how long the payload will be; every request must say so.
func (q *call) size() (int64, error) {
	size := q.Request.ContentLength
	if text := q.header.Get("X-Amz-Decoded-Content-Length"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return 0, invalidArgument("Value for x-amz-decoded-content-length header is invalid.", "x-amz-decoded-content-length", text)
		}
		size = n
	}
	switch {
	case size < 0:
		return 0, errNoLength
	case size > objectBytesMax:
		return 0, errTooLarge
	}
	return size, nil
}

// writeCondition reads If-Match and If-None-Match of a write.
func (q *call) writeCondition() (c store.Condition, err error) {
	if text := q.header.Get("If-None-Match"); text != "" {
		if strings.TrimSpace(text) != "*" {
			return c, notImplemented("If-None-Match with anything but * in a write")
		}
		c.IfNoneMatch = true
	}
	if text := q.header.Get("If-Match"); text != "" {
		if strings.Contains(text, ",") || strings.TrimSpace(text) == "*" && q.method != http.MethodDelete {
			return c, notImplemented("If-Match with anything but one ETag in a write")
		}
		c.IfMatch = unquoted(text)
	}
	if c.IfNoneMatch && c.IfMatch != "" {
		return c, notImplemented("If-Match together with If-None-Match")
	}
	for _, name := range []string{"If-Modified-Since", "If-Unmodified-Since"} {
		if q.header.Get(name) != "" {
			return c, notImplemented(name + " in a write")
		}
	}
	return c, nil
}

// meta reads what a request says of an object besides its bytes; nil when it says nothing.
func (q *call) meta() (*store.Meta, error) {
	m := store.Meta{
		ContentType: q.header.Get("Content-Type"), CacheControl: q.header.Get("Cache-Control"), ContentDisposition: q.header.Get("Content-Disposition"),
		ContentLanguage: q.header.Get("Content-Language"), Expires: q.header.Get("Expires"), ContentEncoding: withoutChunked(q.header.Values("Content-Encoding")),
	}
	user := 0
	for name, values := range q.header {
		suffix, is := strings.CutPrefix(name, "X-Amz-Meta-")
		if !is {
			continue
		}
		if m.User == nil {
			m.User = map[string]string{}
		}
		suffix = strings.ToLower(suffix)
		value := strings.Join(values, ",")
		if !utf8.ValidString(value) {
			return nil, invalidArgument("Metadata values must be UTF-8.", "x-amz-meta-"+suffix, "")
		}
		m.User[suffix] = value
		user += len(suffix) + len(value)
	}
	for _, value := range []string{m.ContentType, m.CacheControl, m.ContentDisposition, m.ContentLanguage, m.Expires, m.ContentEncoding} {
		if !utf8.ValidString(value) {
			return nil, invalidArgument("Header values must be UTF-8.", "header", "")
		}
	}
	if user > userBytesMax {
		return nil, withResource(withResource(newError(http.StatusBadRequest, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size"),
			"Size", strconv.Itoa(user)), "MaxSizeAllowed", strconv.Itoa(userBytesMax))
	}
	if m.ContentType == "" && m.CacheControl == "" && m.ContentDisposition == "" && m.ContentLanguage == "" && m.Expires == "" && m.ContentEncoding == "" && m.User == nil {
		return nil, nil
	}
	return &m, nil
}

// withoutChunked is a Content-Encoding without aws-chunked, which is the transfer's and not the object's.
func withoutChunked(values []string) string {
	var kept []string
	for _, value := range values {
		for token := range strings.SplitSeq(value, ",") {
			if token = strings.TrimSpace(token); token != "" && !strings.EqualFold(token, "aws-chunked") {
				kept = append(kept, token)
			}
		}
	}
	return strings.Join(kept, ",")
}

// setExpiration tells when the lifecycle removes an object, if it does.
func (q *call) setExpiration(key string) {
	b := q.api.store.State().Bucket(q.bucket)
	if b == nil {
		return
	}
	if o := b.Object(key); o != nil {
		if at, rule := b.Expiry(o); !at.IsZero() {
			q.Writer.Header()["X-Amz-Expiration"] = []string{`expiry-date="` + at.UTC().Format(http.TimeFormat) + `", rule-id="` + rule + `"`}
		}
	}
}

// httpTime is a time as headers have it.
func httpTime(t time.Time) string { return t.UTC().Format(http.TimeFormat) }
