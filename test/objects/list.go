package objects

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// names are the keys of a page and the prefixes they have in common, these with … behind them.
func names(contents []types.Object, prefixes []types.CommonPrefix) (all []string) {
	for _, c := range contents {
		all = append(all, text(c.Key))
	}
	for _, p := range prefixes {
		all = append(all, text(p.Prefix)+"…")
	}
	return all
}

// ListObjects lists keys in the order of their bytes, in pages, by prefix, behind a key, and gathered by a delimiter, in both versions. Source: API_ListObjectsV2, API_ListObjects.
var ListObjects = Script{"ListObjects", func(s *session) {
	keys := []string{"a", "b c+d&e", "d/b", "d/c/d", "e(3).png", "f", "z/1", "z/2", "é/ü"}
	for _, key := range keys {
		s.sees("put "+key, s.put(key, key), "done")
	}
	list := func(in s3.ListObjectsV2Input) string {
		in.Bucket = &s.bucket
		var all []string
		pages := s3.NewListObjectsV2Paginator(s.Client, &in)
		for n := 0; pages.HasMorePages() && n < 20; n++ {
			page, err := pages.NextPage(s.ctx)
			if err != nil {
				return outcome(err)
			}
			if int(aws.ToInt32(page.KeyCount)) != len(page.Contents)+len(page.CommonPrefixes) {
				all = append(all, fmt.Sprint("KeyCount ", aws.ToInt32(page.KeyCount)))
			}
			all = append(all, names(page.Contents, page.CommonPrefixes)...)
		}
		return strings.Join(all, "|")
	}
	for _, row := range []struct {
		step string
		in   s3.ListObjectsV2Input
		want string
	}{
		{"all", s3.ListObjectsV2Input{}, strings.Join(keys, "|")},
		{"in pages of two", s3.ListObjectsV2Input{MaxKeys: aws.Int32(2)}, strings.Join(keys, "|")},
		{"with a delimiter", s3.ListObjectsV2Input{Delimiter: aws.String("/")}, "a|b c+d&e|e(3).png|f|d/…|z/…|é/…"},
		{"with a delimiter in pages of one", s3.ListObjectsV2Input{Delimiter: aws.String("/"), MaxKeys: aws.Int32(1)}, "a|b c+d&e|d/…|e(3).png|f|z/…|é/…"},
		{"with a prefix and a delimiter", s3.ListObjectsV2Input{Prefix: aws.String("d/"), Delimiter: aws.String("/")}, "d/b|d/c/…"},
		{"with a prefix that ends in a name", s3.ListObjectsV2Input{Prefix: aws.String("z/1")}, "z/1"},
		{"with a delimiter of letters", s3.ListObjectsV2Input{Delimiter: aws.String("/c/")}, "a|b c+d&e|d/b|e(3).png|f|z/1|z/2|é/ü|d/c/…"},
		{"behind a key", s3.ListObjectsV2Input{StartAfter: aws.String("f")}, "z/1|z/2|é/ü"},
		{"behind a key that is none", s3.ListObjectsV2Input{StartAfter: aws.String("d/bb")}, "d/c/d|e(3).png|f|z/1|z/2|é/ü"},
		{"behind a key, with a prefix", s3.ListObjectsV2Input{StartAfter: aws.String("z/1"), Prefix: aws.String("z/")}, "z/2"},
		{"with a prefix of nothing", s3.ListObjectsV2Input{Prefix: aws.String("none")}, ""},
	} {
		s.sees(row.step, list(row.in), row.want)
	}
	s.sees("what stands of each", told(s.ListObjectsV2(s.ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: aws.String("z"), MaxKeys: aws.Int32(1)}))(func(o *s3.ListObjectsV2Output) string {
		if len(o.Contents) != 1 {
			return fmt.Sprint(len(o.Contents), " keys")
		}
		c := o.Contents[0]
		return fmt.Sprintf("%s %d bytes %s %s, owner %t, more %t", text(c.ETag), aws.ToInt64(c.Size), c.StorageClass, text(c.Key), c.Owner != nil, aws.ToBool(o.IsTruncated))
	}), etag("z/1")+" 3 bytes STANDARD z/1, owner false, more true")
	for _, row := range []struct{ prefix, want string }{{"b", "b%20c%2Bd%26e"}, {"e", "e%283%29.png"}, {"é", "%C3%A9/%C3%BC"}} {
		s.sees("encoded "+row.prefix, told(s.ListObjectsV2(s.ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, EncodingType: types.EncodingTypeUrl, Prefix: &row.prefix}))(func(o *s3.ListObjectsV2Output) string {
			return strings.ReplaceAll(strings.Join(names(o.Contents, nil), "|"), "+", "%20") // either says a space
		}), row.want)
	}
	s.sees("with owners", told(s.ListObjectsV2(s.ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, MaxKeys: aws.Int32(1), FetchOwner: aws.Bool(true)}))(func(o *s3.ListObjectsV2Output) string {
		return fmt.Sprint(len(o.Contents) == 1 && o.Contents[0].Owner != nil)
	}), "true")
	s.sees("version 1, a page", told(s.ListObjects(s.ctx, &s3.ListObjectsInput{Bucket: &s.bucket, Delimiter: aws.String("/"), MaxKeys: aws.Int32(3)}))(func(o *s3.ListObjectsOutput) string {
		return fmt.Sprintf("%s, more %t, next %s", strings.Join(names(o.Contents, o.CommonPrefixes), "|"), aws.ToBool(o.IsTruncated), text(o.NextMarker))
	}), "a|b c+d&e|d/…, more true, next d/")
	s.sees("version 1, behind a marker", told(s.ListObjects(s.ctx, &s3.ListObjectsInput{Bucket: &s.bucket, Delimiter: aws.String("/"), Marker: aws.String("d/")}))(func(o *s3.ListObjectsOutput) string {
		return fmt.Sprintf("%s, owner %t", strings.Join(names(o.Contents, o.CommonPrefixes), "|"), len(o.Contents) > 0 && o.Contents[0].Owner != nil)
	}), "e(3).png|f|z/…|é/…, owner true")
	s.sees("version 1 without a delimiter has no next marker", told(s.ListObjects(s.ctx, &s3.ListObjectsInput{Bucket: &s.bucket, MaxKeys: aws.Int32(2)}))(func(o *s3.ListObjectsOutput) string {
		return fmt.Sprintf("%s, more %t, next %s", strings.Join(names(o.Contents, o.CommonPrefixes), "|"), aws.ToBool(o.IsTruncated), text(o.NextMarker))
	}), "a|b c+d&e, more true, next ")
	s.sees("no keys", told(s.ListObjectsV2(s.ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, MaxKeys: aws.Int32(0)}))(func(o *s3.ListObjectsV2Output) string {
		return fmt.Sprint(len(o.Contents), " more ", aws.ToBool(o.IsTruncated))
	}), "0 more false")
	s.sees("a token that is none", done(s.ListObjectsV2(s.ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, ContinuationToken: aws.String("no token")})), "400 InvalidArgument")
	s.sees("fewer than no keys", done(s.ListObjectsV2(s.ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, MaxKeys: aws.Int32(-1)})), "400 InvalidArgument")
}}

// DeleteObjects removes up to 1,000 keys and says of each what became of it. Source: API_DeleteObjects.
var DeleteObjects = Script{"DeleteObjects", func(s *session) {
	for _, key := range []string{"a", "b", "<c>&", "kept"} {
		s.sees("put "+key, s.put(key, key), "done")
	}
	remove := func(quiet bool, objects ...types.ObjectIdentifier) string {
		return told(s.DeleteObjects(s.ctx, &s3.DeleteObjectsInput{Bucket: &s.bucket, Delete: &types.Delete{Objects: objects, Quiet: &quiet}}))(func(o *s3.DeleteObjectsOutput) string {
			var said []string
			for _, d := range o.Deleted {
				said = append(said, text(d.Key))
			}
			for _, e := range o.Errors {
				said = append(said, text(e.Key)+": "+text(e.Code))
			}
			return short(strings.Join(said, ", "))
		})
	}
	id := func(key string) types.ObjectIdentifier { return types.ObjectIdentifier{Key: &key} }
	kept := id("kept")
	kept.ETag = aws.String(etag("another"))
	s.sees("several", remove(false, id("a"), id("<c>&"), id("never was")), "a, <c>&, never was")
	s.sees("with another ETag", remove(false, kept), "kept: PreconditionFailed")
	s.sees("quietly", remove(true, id("b")), "")
	s.sees("what is left", told(s.ListObjectsV2(s.ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket}))(func(o *s3.ListObjectsV2Output) string { return strings.Join(names(o.Contents, nil), "|") }), "kept")
	many := make([]types.ObjectIdentifier, 1001)
	for i := range many {
		many[i] = id(fmt.Sprint(i))
	}
	s.sees("1,001", remove(false, many...), "400 MalformedXML")
	s.sees("1,000", remove(true, many[1:]...), "")
	s.sees("one that never was", done(s.DeleteObject(s.ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String("never was")})), "done")
}}
