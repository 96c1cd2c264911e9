package s3

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/weir-stream/weir/internal/blob/store"
)

// copyTries is how often a copy begins anew because its source was replaced meanwhile.
const copyTries = 5

// copyObject gives a key the bytes of another object, without moving them: both share the files.
//
// Source: API_CopyObject (read 2026-11). Shown by: TestCopyObject in test/aws.
// Differs from AWS: source and destination must be the caller's own.
func (q *call) copyObject() error {
	if _, err := q.findBucket(); err != nil {
		return err
	}
	bucket, key, err := q.copySource()
	if err != nil {
		return err
	}
	condition, err := q.writeCondition()
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		command, err := q.copyCommand(bucket, key)
		if err != nil {
			return err
		}
		command.Condition = condition
		r, err := q.api.store.Propose(q.Ctx, command)
		if refusal, is := store.AsRefusal(err); is && refusal.Code == "ConditionalRequestConflict" && try < copyTries {
			continue
		}
		if err != nil {
			return err
		}
		q.setExpiration(q.key)
		return q.reply(struct {
			XMLName      xml.Name
			LastModified string
			ETag         string
			checksumMembers
		}{root("CopyObjectResult"), stamp(r.At), quoted(r.ETag), membersOf(r.Checksum, true)})
	}
}

// copyCommand looks at the source as it is now, and says what to do.
func (q *call) copyCommand(bucket, key string) (store.CopyObject, error) {
	none := store.CopyObject{}
	_, source, err := q.source(bucket, key)
	if err != nil {
		return none, err
	}
	if source.Size > objectBytesMax {
		return none, invalidRequest("The specified copy source is larger than the maximum allowable size for a copy source: 5368709120")
	}
	algorithm, err := readAlgorithm(q.header.Get("X-Amz-Checksum-Algorithm"))
	if err != nil {
		return none, err
	}
	c := store.CopyObject{
		Account: q.Account, SourceBucket: bucket, SourceKey: key, SourceSeq: source.Seq, Bucket: q.bucket, Key: q.key,
		ETag: source.ETag, Meta: source.Meta, Tags: source.Tags, Checksum: source.Checksum,
	}
	switch directive := q.header.Get("X-Amz-Metadata-Directive"); directive {
	case "", "COPY":
		if bucket == q.bucket && key == q.key {
			return none, invalidRequest("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, " +
				"storage class, website redirect location or encryption attributes.")
		}
	case "REPLACE":
		if c.Meta, err = q.meta(); err != nil {
			return none, err
		}
	default:
		return none, invalidArgument("Unknown metadata directive.", "x-amz-metadata-directive", directive)
	}
	switch directive := q.header.Get("X-Amz-Tagging-Directive"); directive {
	case "", "COPY":
	case "REPLACE":
		if c.Tags, err = q.taggingHeader(); err != nil {
			return none, err
		}
	default:
		return none, invalidArgument("Unknown tagging directive.", "x-amz-tagging-directive", directive)
	}
	if algorithm == "" {
		algorithm = source.Checksum.Algorithm
	}
	if !source.IsMD5() || algorithm != source.Checksum.Algorithm || source.Checksum.Composite {
		if c.ETag, c.Checksum, err = q.digest(q.Ctx, bucket, source, algorithm); err != nil {
			return none, err
		}
	}
	return c, nil
}

// digest reads an object for its MD5 and a checksum over all of it.
func (q *call) digest(ctx context.Context, bucket string, source *store.Object, algorithm store.Algorithm) (string, store.Checksum, error) {
	r, err := q.api.store.Open(bucket, source.Key)
	if err != nil {
		return "", store.Checksum{}, err
	}
	defer func() { _ = r.Close() }() // only read
	sums := []hash.Hash{md5.New()}
	if algorithm != "" {
		sums = append(sums, algorithm.New())
	}
	into := make([]io.Writer, len(sums))
	for i := range sums {
		into[i] = sums[i]
	}
	if _, err := io.Copy(io.MultiWriter(into...), &untilDone{ctx, r}); err != nil {
		return "", store.Checksum{}, err
	}
	if algorithm == "" {
		return hexOf(sums[0].Sum(nil)), store.Checksum{}, nil
	}
	return hexOf(sums[0].Sum(nil)), store.Checksum{Algorithm: algorithm, Value: base64.StdEncoding.EncodeToString(sums[1].Sum(nil))}, nil
}

// untilDone stops reading when its context ends.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

// Read gives the next bytes.
func (u *untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// copySource reads which object is to be copied.
func (q *call) copySource() (bucket, key string, err error) {
	text := q.header.Get("X-Amz-Copy-Source")
	path, query, _ := strings.Cut(text, "?")
	if version, is := strings.CutPrefix(query, "versionId="); is && version != "null" {
		return "", "", invalidArgument("Invalid version id specified", "x-amz-copy-source", text)
	}
	decoded, err := url.PathUnescape(path)
	if err != nil || !utf8.ValidString(decoded) {
		return "", "", invalidArgument("Invalid copy source encoding.", "x-amz-copy-source", text)
	}
	if strings.HasPrefix(decoded, "arn:") {
		return "", "", notImplemented("A copy source that is an ARN")
	}
	bucket, key, _ = strings.Cut(strings.TrimPrefix(decoded, "/"), "/")
	if bucket == "" || key == "" {
		return "", "", invalidArgument("Invalid copy source object key", "x-amz-copy-source", text)
	}
	return bucket, key, nil
}

// source finds the object to be copied, and checks the conditions on it.
func (q *call) source(bucket, key string) (*store.Bucket, *store.Object, error) {
	b, err := q.ownBucket(bucket)
	if err != nil {
		return nil, nil, err
	}
	if owner := q.header.Get("X-Amz-Source-Expected-Bucket-Owner"); owner != "" && owner != b.Account {
		return nil, nil, errDenied
	}
	if err := q.may("GetObject", arnOf(bucket, key)); err != nil {
		return nil, nil, err
	}
	o := b.Object(key)
	if o == nil {
		return nil, nil, withResource(newError(http.StatusNotFound, "NoSuchKey", "The specified key does not exist."), "Key", key)
	}
	if q.conditions("X-Amz-Copy-Source-", o) != nil { // also what would be "not modified" of a read
		return nil, nil, errPrecondition
	}
	return b, o, nil
}
