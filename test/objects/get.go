package objects

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// GetObject gives an object and what is known of it. Source: API_GetObject, API_HeadObject.
var GetObject = Script{"GetObject", func(s *session) {
	s.sees("put", s.put("k", "hello"), "done")
	s.sees("get", s.get("k"), "hello")
	s.sees("head", told(s.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: aws.String("k")}))(func(o *s3.HeadObjectOutput) string {
		return fmt.Sprintf("%d bytes %s, made now: %t, accepts %s, has a type: %t", aws.ToInt64(o.ContentLength), text(o.ETag), time.Since(aws.ToTime(o.LastModified)).Abs() < time.Hour, text(o.AcceptRanges),
			text(o.ContentType) != "")
	}), fmt.Sprintf("5 bytes %s, made now: true, accepts bytes, has a type: true", etag("hello")))
	s.sees("get with other headers", told(s.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String("k"), ResponseContentType: aws.String("text/y"),
		ResponseContentDisposition: aws.String("attachment; filename=x"), ResponseCacheControl: aws.String("no-cache")}))(func(o *s3.GetObjectOutput) string {
		_ = o.Body.Close()
		return strings.Join([]string{text(o.ContentType), text(o.ContentDisposition), text(o.CacheControl)}, ", ")
	}), "text/y, attachment; filename=x, no-cache")
	s.sees("get nothing", s.get("nothing"), "404 NoSuchKey")
	s.sees("head nothing", done(s.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: aws.String("nothing")})), "404 NotFound")
	s.sees("get a version that is none", done(s.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String("k"), VersionId: aws.String("3")})), "400 InvalidArgument")
	s.sees("get of another owner", done(s.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String("k"), ExpectedBucketOwner: aws.String("123123123123")})), "403 AccessDenied")
	s.sees("put nothing", s.put("empty", ""), "done")
	s.sees("get an object of no bytes", s.get("empty"), "")
	s.sees("delete", done(s.DeleteObject(s.ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String("k")})), "done")
	s.sees("get what was deleted", s.get("k"), "404 NoSuchKey")
	s.sees("delete it again", done(s.DeleteObject(s.ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String("k")})), "done")
}}

// Ranges give a part of an object; one that makes no sense gives all of it, and one behind the end is refused. Source: API_GetObject, RFC 9110 section 14.
var Ranges = Script{"Ranges", func(s *session) {
	body := "0123456789"
	s.sees("put", s.put("k", body), "done")
	s.sees("put nothing", s.put("empty", ""), "done")
	get := func(key, spec string) string {
		answer, err := s.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key, Range: &spec})
		if err != nil {
			return outcome(err)
		}
		return strings.TrimSpace(content(answer, nil) + " " + text(answer.ContentRange))
	}
	for _, row := range []struct{ spec, want string }{
		{"bytes=0-0", "0 bytes 0-0/10"}, {"bytes=3-5", "345 bytes 3-5/10"}, {"bytes=7-", "789 bytes 7-9/10"}, {"bytes=-3", "789 bytes 7-9/10"},
		{"bytes=-30", body + " bytes 0-9/10"}, {"bytes=5-99", "56789 bytes 5-9/10"}, {"bytes=5-3", body}, {"bytes=0-1,3-4", body}, {"lines=0-1", body},
		{"bytes=10-", "416 InvalidRange"}, {"bytes=-0", "416 InvalidRange"},
	} {
		s.sees(row.spec, get("k", row.spec), row.want)
	}
	s.sees("bytes=0- of nothing", get("empty", "bytes=0-"), "416 InvalidRange")
}}

// ConditionalReads give an object only when what they ask holds. Source: API_GetObject, API_HeadObject ("Consideration 1" and "2"), RFC 9110 section 13.
var ConditionalReads = Script{"ConditionalReads", func(s *session) {
	s.sees("put", s.put("k", "hello"), "done")
	head, err := s.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: aws.String("k")})
	if s.sees("head", outcome(err), "done"); err != nil {
		return
	}
	past, future := aws.Time(time.Now().Add(-time.Hour)), aws.Time(time.Now().Add(time.Hour))
	for _, row := range []struct {
		name string
		in   s3.GetObjectInput
		want string
	}{
		{"match", s3.GetObjectInput{IfMatch: aws.String(etag("hello"))}, "done"},
		{"match any", s3.GetObjectInput{IfMatch: aws.String("*")}, "done"},
		{"match one of two", s3.GetObjectInput{IfMatch: aws.String(`"x", ` + etag("hello"))}, "done"},
		{"match another", s3.GetObjectInput{IfMatch: aws.String(etag("other"))}, "412"},
		{"none match", s3.GetObjectInput{IfNoneMatch: aws.String(etag("hello"))}, "304"},
		{"none match another", s3.GetObjectInput{IfNoneMatch: aws.String(etag("other"))}, "done"},
		{"modified", s3.GetObjectInput{IfModifiedSince: past}, "done"},
		{"not modified", s3.GetObjectInput{IfModifiedSince: head.LastModified}, "304"},
		{"modified since a time to come", s3.GetObjectInput{IfModifiedSince: future}, "done"}, // AWS passes over it, says the suite that Ceph runs against it
		{"unmodified", s3.GetObjectInput{IfUnmodifiedSince: future}, "done"},
		{"modified since", s3.GetObjectInput{IfUnmodifiedSince: past}, "412"},
		{"match, though modified since", s3.GetObjectInput{IfMatch: aws.String(etag("hello")), IfUnmodifiedSince: past}, "done"},
		{"none match, though modified", s3.GetObjectInput{IfNoneMatch: aws.String(etag("hello")), IfModifiedSince: past}, "304"},
	} {
		row.in.Bucket, row.in.Key = &s.bucket, aws.String("k")
		answer, err := s.GetObject(s.ctx, &row.in)
		if err == nil {
			_ = answer.Body.Close()
		}
		s.sees(row.name, status(err), row.want)
		_, err = s.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: aws.String("k"), IfMatch: row.in.IfMatch, IfNoneMatch: row.in.IfNoneMatch,
			IfModifiedSince: row.in.IfModifiedSince, IfUnmodifiedSince: row.in.IfUnmodifiedSince})
		s.sees(row.name+", by HEAD", status(err), row.want)
	}
}}

// Presigned URLs do what they were signed for, without a header, until they expire, and for nobody who changes them. Source: "Authenticating requests: using query parameters".
var Presigned = Script{"Presigned", func(s *session) {
	send := func(method, url, body string) string {
		r, err := http.NewRequestWithContext(s.ctx, method, url, strings.NewReader(body))
		if err != nil {
			return err.Error()
		}
		answer, err := s.http.Do(r)
		if err != nil {
			return err.Error()
		}
		defer answer.Body.Close()
		read, err := io.ReadAll(answer.Body)
		if answer.StatusCode != http.StatusOK || err != nil {
			return fmt.Sprint(answer.StatusCode, err)
		}
		return "200 " + string(read)
	}
	signer := s3.NewPresignClient(s.Client)
	key := aws.String("a b+c/é%")
	put, err := signer.PresignPutObject(s.ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: key})
	s.sees("presign a PUT", outcome(err), "done")
	get, err := signer.PresignGetObject(s.ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: key, ResponseContentType: aws.String("text/z")})
	s.sees("presign a GET", outcome(err), "done")
	if err != nil || put == nil {
		return
	}
	s.sees("put", send("PUT", put.URL, "hello"), "200 ")
	s.sees("get", send("GET", get.URL, ""), "200 hello")
}}
