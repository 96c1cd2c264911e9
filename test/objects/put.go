package objects

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// PutObject gives back what was put, headers and metadata included; what does not fit its digest is refused and leaves nothing. Source: API_PutObject, API_Error,
// "Working with object metadata" (2 KB of user metadata).
var PutObject = Script{"PutObject", func(s *session) {
	s.sees("put", told(s.PutObject(s.ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: aws.String("k"), Body: strings.NewReader("hello"),
		ContentType: aws.String("text/x"), CacheControl: aws.String("no-store"), ContentEncoding: aws.String("x"), ContentLanguage: aws.String("de"),
		ContentDisposition: aws.String("inline"), Metadata: map[string]string{"a": "1", "b-c": "zwei"}, Tagging: aws.String("x=y&z=")}))(func(o *s3.PutObjectOutput) string {
		return text(o.ETag)
	}), etag("hello"))
	s.sees("headers", told(s.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: aws.String("k")}))(func(o *s3.HeadObjectOutput) string {
		return strings.Join([]string{text(o.ContentType), text(o.CacheControl), text(o.ContentEncoding), text(o.ContentLanguage), text(o.ContentDisposition)}, " ")
	}), "text/x no-store x de inline")
	s.sees("metadata", told(s.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: aws.String("k")}))(func(o *s3.HeadObjectOutput) string { return fmt.Sprint(o.Metadata) }), "map[a:1 b-c:zwei]")
	s.sees("number of tags", told(s.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String("k")}))(func(o *s3.GetObjectOutput) string {
		_ = o.Body.Close()
		return fmt.Sprint(aws.ToInt32(o.TagCount))
	}), "2")
	s.sees("replace", s.put("k", "hello again"), "done")
	s.sees("get what replaced it", s.get("k"), "hello again")
	s.sees("headers of what replaced it", told(s.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: aws.String("k")}))(func(o *s3.HeadObjectOutput) string {
		return text(o.CacheControl) + fmt.Sprint(o.Metadata)
	}), "map[]")

	for _, row := range []struct {
		step string
		in   s3.PutObjectInput
		want string
	}{
		{"another MD5", s3.PutObjectInput{ContentMD5: aws.String(base64.StdEncoding.EncodeToString(make([]byte, 16)))}, "400 BadDigest"},
		{"an MD5 that is none", s3.PutObjectInput{ContentMD5: aws.String("no digest")}, "400 InvalidDigest"},
		{"another checksum", s3.PutObjectInput{ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(make([]byte, 32)))}, "400 BadDigest"},
		{"too much metadata", s3.PutObjectInput{Metadata: map[string]string{"a": strings.Repeat("x", 3000)}}, "400 MetadataTooLarge"},
	} {
		row.in.Bucket, row.in.Key, row.in.Body = &s.bucket, aws.String("refused"), strings.NewReader("x")
		s.sees(row.step, done(s.PutObject(s.ctx, &row.in)), row.want)
	}
	s.sees("head what was refused", done(s.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: aws.String("refused")})), "404 NotFound")
}}

// Checksums of every algorithm are verified by the server when it is put, kept, and verified by the SDK when it is got, for bodies of no byte, of one packet and of many. Source:
// "Checking object integrity".
var Checksums = Script{"Checksums", func(s *session) {
	for _, algorithm := range []types.ChecksumAlgorithm{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} {
		for _, size := range []int{0, 11, 600_006} {
			body := strings.Repeat("0123456789\n", size/11)
			key := fmt.Sprintf("%s %d", algorithm, size)
			s.sees("put "+key, told(s.PutObject(s.ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: strings.NewReader(body), ChecksumAlgorithm: algorithm}))(func(o *s3.PutObjectOutput) string {
				return text(o.ETag)
			}), etag(body))
			var kind types.ChecksumType
			answer, err := s.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
			if err == nil {
				kind = answer.ChecksumType
			}
			s.sees("get "+key, short(content(answer, err)), short(body))
			s.sees("get "+key+": type", string(kind), "FULL_OBJECT")
		}
	}
	asked := func(o *s3.Options) { o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired }
	s.sees("put without one", done(s.PutObject(s.ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: aws.String("without"), Body: strings.NewReader("hello")}, asked)), "done")
	s.sees("head what was put without one", told(s.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: aws.String("without"), ChecksumMode: types.ChecksumModeEnabled}))(func(o *s3.HeadObjectOutput) string {
		return fmt.Sprintf("%s %s", text(o.ChecksumCRC64NVME), o.ChecksumType)
	}), "M3eFcAZSQlc= FULL_OBJECT")
}}

// Keys may be anything in UTF-8 up to 1,024 bytes: also one that another key goes on from behind a slash, and what URLs and XML have meanings for. Source: "Naming Amazon S3 objects".
var Keys = Script{"Keys", func(s *session) {
	for _, key := range []string{
		"fd", "fd/x", "fd/", "a b", "a+b", "a%20b", "100%", "%2F", "å/é/ü", "日本", "🎈", "<c>&'\"", "?a=b#c", "a:b;c,d=e@f", "a\\b", "~-_.!*()", "a//b", "..a", ".hidden", strings.Repeat("k", 200) + "/" + strings.Repeat("l", 200),
	} {
		name := short(key)
		s.sees("put "+name, s.put(key, "in "+key), "done")
		s.sees("get "+name, s.get(key), "in "+key)
	}
	// All are put: none took another's place.
	var wrong []string
	for _, key := range []string{"fd", "fd/x", "fd/", "a b", "a+b", "a%20b", "a//b"} {
		if got := s.get(key); got != "in "+key {
			wrong = append(wrong, fmt.Sprintf("%s is %s", key, got))
		}
	}
	s.sees("all at once", strings.Join(wrong, ", "), "")
	list := func(delimiter string) string {
		return told(s.ListObjectsV2(s.ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: aws.String("fd"), Delimiter: &delimiter}))(func(o *s3.ListObjectsV2Output) string {
			return strings.Join(names(o.Contents, o.CommonPrefixes), "|")
		})
	}
	s.sees("list fd", list(""), "fd|fd/|fd/x")
	s.sees("list fd with a delimiter", list("/"), "fd|fd/…")
	s.sees("delete fd", done(s.DeleteObject(s.ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String("fd")})), "done")
	s.sees("get fd after that", s.get("fd"), "404 NoSuchKey")
	s.sees("get fd/x after that", s.get("fd/x"), "in fd/x")
	s.sees("1,024 bytes", s.put(strings.Repeat("k", 1024), "x"), "done")
	s.sees("1,025 bytes", s.put(strings.Repeat("k", 1025), "x"), "400 KeyTooLongError")
}}

// ConditionalWrites happen only when what they ask holds, decided with the write. Source: "How to prevent object overwrites with conditional writes", "How to perform conditional deletes".
var ConditionalWrites = Script{"ConditionalWrites", func(s *session) {
	key := aws.String("k")
	put := func(body string, match, noneMatch *string) string {
		return done(s.PutObject(s.ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: key, Body: strings.NewReader(body), IfMatch: match, IfNoneMatch: noneMatch}))
	}
	remove := func(match string) string {
		return done(s.DeleteObject(s.ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: key, IfMatch: &match}))
	}
	s.sees("If-Match where nothing is", put("x", aws.String(etag("first")), nil), "404 NoSuchKey")
	s.sees("If-None-Match: * where nothing is", put("first", nil, aws.String("*")), "done")
	s.sees("If-None-Match: * where something is", put("second", nil, aws.String("*")), "412 PreconditionFailed")
	s.sees("If-Match another", put("second", aws.String(etag("other")), nil), "412 PreconditionFailed")
	s.sees("get what was not replaced", s.get("k"), "first")
	s.sees("If-Match", put("second", aws.String(etag("first")), nil), "done")
	s.sees("get what was replaced", s.get("k"), "second")
	s.sees("If-None-Match with an ETag", put("third", nil, aws.String(etag("second"))), "501 NotImplemented")
	s.sees("delete If-Match another", remove(etag("first")), "412 PreconditionFailed")
	s.sees("delete If-Match", remove(etag("second")), "done")
	s.sees("get what was deleted", s.get("k"), "404 NoSuchKey")
}}
