package objects

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// fiveMiB is the least that a part may have, unless it is the last ("Amazon S3 multipart upload limits").
const fiveMiB = 5 << 20

// What parts are made of.
var (
	firstPart   = strings.Repeat("a", fiveMiB)
	partsSource = strings.Repeat("0123456789", fiveMiB/10+100)
)

// upload begins an upload and gives its id, empty when that failed, which the step says.
func (s *session) upload(step string, in s3.CreateMultipartUploadInput) *string {
	in.Bucket = &s.bucket
	out, err := s.CreateMultipartUpload(s.ctx, &in)
	s.sees(step, outcome(err), "done")
	if err != nil {
		return aws.String("none")
	}
	return out.UploadId
}

// part uploads a part and gives its ETag, empty when that failed.
func (s *session) part(key string, id *string, number int32, body string) types.CompletedPart {
	out, err := s.UploadPart(s.ctx, &s3.UploadPartInput{Bucket: &s.bucket, Key: &key, UploadId: id, PartNumber: &number, Body: strings.NewReader(body)})
	if err != nil {
		return types.CompletedPart{PartNumber: &number, ETag: aws.String(outcome(err))}
	}
	return types.CompletedPart{PartNumber: &number, ETag: out.ETag}
}

// partsETag is the ETag of an object of parts: the MD5 of their MD5s, and how many they are ("Checking object integrity").
func partsETag(parts ...string) string {
	all := md5.New()
	for _, part := range parts {
		sum := md5.Sum([]byte(part))
		_, _ = all.Write(sum[:]) // a hash takes everything
	}
	return fmt.Sprintf(`"%s-%d"`, hex.EncodeToString(all.Sum(nil)), len(parts))
}

// Multipart makes objects of parts, with checksums over the object, over its parts, or none asked for. Source: "Uploading and copying objects using multipart upload",
// API_CompleteMultipartUpload, API_ListParts.
var Multipart = Script{"Multipart", func(s *session) {
	first, second := firstPart, "the end"
	for _, row := range []struct {
		algorithm types.ChecksumAlgorithm
		kind      types.ChecksumType
	}{{"", ""}, {"CRC32", "COMPOSITE"}, {"CRC32C", "FULL_OBJECT"}, {"CRC64NVME", ""}, {"SHA256", "COMPOSITE"}} {
		key := fmt.Sprintf("k-%s-%s", row.algorithm, row.kind)
		id := s.upload(key+": begin", s3.CreateMultipartUploadInput{Key: &key, ChecksumAlgorithm: row.algorithm, ChecksumType: row.kind, ContentType: aws.String("text/x"), Tagging: aws.String("a=b"),
			Metadata: map[string]string{"m": "1"}})
		var parts []types.CompletedPart
		var tags []string
		for i, body := range []string{first, second} {
			part, err := s.UploadPart(s.ctx, &s3.UploadPartInput{Bucket: &s.bucket, Key: &key, UploadId: id, ChecksumAlgorithm: row.algorithm, PartNumber: aws.Int32(int32(i + 1)), Body: strings.NewReader(body)})
			if err != nil {
				tags = append(tags, outcome(err))
				continue
			}
			tags = append(tags, text(part.ETag))
			parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: part.ETag,
				ChecksumCRC32: part.ChecksumCRC32, ChecksumCRC32C: part.ChecksumCRC32C, ChecksumCRC64NVME: part.ChecksumCRC64NVME, ChecksumSHA256: part.ChecksumSHA256})
		}
		s.sees(key+": parts", strings.Join(tags, " "), etag(first)+" "+etag(second))
		s.sees(key+": list them one by one", told(s.ListParts(s.ctx, &s3.ListPartsInput{Bucket: &s.bucket, Key: &key, UploadId: id, MaxParts: aws.Int32(1)}))(func(o *s3.ListPartsOutput) string {
			var all []string
			for _, p := range o.Parts {
				all = append(all, fmt.Sprintf("%d of %d bytes %s", aws.ToInt32(p.PartNumber), aws.ToInt64(p.Size), text(p.ETag)))
			}
			return fmt.Sprintf("%s, more %t behind %s", strings.Join(all, ", "), aws.ToBool(o.IsTruncated), text(o.NextPartNumberMarker))
		}), fmt.Sprintf("1 of %d bytes %s, more true behind 1", fiveMiB, etag(first)))
		complete := func() string {
			return told(s.CompleteMultipartUpload(s.ctx, &s3.CompleteMultipartUploadInput{Bucket: &s.bucket, Key: &key, UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
				MpuObjectSize: aws.Int64(int64(len(first) + len(second)))}))(func(o *s3.CompleteMultipartUploadOutput) string { return text(o.ETag) })
		}
		s.sees(key+": complete", complete(), partsETag(first, second))
		s.sees(key+": complete again", complete(), partsETag(first, second))
		answer, err := s.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled}) // the SDK compares whole checksums
		s.sees(key+": get", short(content(answer, err)), short(first+second))
		s.sees(key+": what it has", told(answer, err)(func(o *s3.GetObjectOutput) string {
			return fmt.Sprintf("%s %v", text(o.ContentType), o.Metadata)
		}), "text/x map[m:1]")
		s.sees(key+": number of tags", told(answer, err)(func(o *s3.GetObjectOutput) string { return fmt.Sprint(aws.ToInt32(o.TagCount)) }), "1")
		s.sees(key+": checksum", told(answer, err)(func(o *s3.GetObjectOutput) string { return string(o.ChecksumType) }), string(checksumType(row.algorithm, row.kind)))
		part, err := s.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key, PartNumber: aws.Int32(2)})
		s.sees(key+": get part 2", short(content(part, err)), second)
		s.sees(key+": number of parts", told(part, err)(func(o *s3.GetObjectOutput) string { return fmt.Sprint(aws.ToInt32(o.PartsCount)) }), "2")
	}
	s.sees("copy an object of parts", told(s.CopyObject(s.ctx, &s3.CopyObjectInput{Bucket: &s.bucket, Key: aws.String("copy"), CopySource: aws.String(s.bucket + "/k-CRC32-COMPOSITE")}))(func(o *s3.CopyObjectOutput) string {
		return fmt.Sprintf("%s %s", text(o.CopyObjectResult.ETag), o.CopyObjectResult.ChecksumType)
	}), etag(first+second)+" FULL_OBJECT")
}}

// checksumType is the type of the checksum that an upload makes: CRC64NVME is always over the object, and it is what an upload gets that asks for none ("Checking object integrity").
func checksumType(algorithm types.ChecksumAlgorithm, kind types.ChecksumType) types.ChecksumType {
	if algorithm == "" || algorithm == "CRC64NVME" {
		return types.ChecksumTypeFullObject
	}
	return kind
}

// MultipartErrors are what cannot be made of parts. Source: API_CompleteMultipartUpload (special errors), API_UploadPart, API_AbortMultipartUpload.
var MultipartErrors = Script{"MultipartErrors", func(s *session) {
	key := "k"
	s.sees("put", s.put(key, "there"), "done")
	id, first, second := new(string), types.CompletedPart{}, types.CompletedPart{}
	begin := func(step, body string) { // each has an upload of its own: a server that completes one must not spoil the others
		id = s.upload("begin, "+step, s3.CreateMultipartUploadInput{Key: &key})
		first, second = s.part(key, id, 1, body), s.part(key, id, 2, "end")
	}
	complete := func(in s3.CompleteMultipartUploadInput, parts ...types.CompletedPart) string {
		in.Bucket, in.Key, in.MultipartUpload = &s.bucket, &key, &types.CompletedMultipartUpload{Parts: parts}
		if in.UploadId == nil {
			in.UploadId = id
		}
		return done(s.CompleteMultipartUpload(s.ctx, &in))
	}
	for _, row := range []struct {
		step  string
		in    s3.CompleteMultipartUploadInput
		parts func() []types.CompletedPart
		want  string
	}{
		{"a small part that is not the last", s3.CompleteMultipartUploadInput{}, func() []types.CompletedPart { return []types.CompletedPart{first, second} }, "400 EntityTooSmall"},
		{"out of order", s3.CompleteMultipartUploadInput{}, func() []types.CompletedPart { return []types.CompletedPart{second, first} }, "400 InvalidPartOrder"},
		{"the ETag of another part", s3.CompleteMultipartUploadInput{}, func() []types.CompletedPart {
			return []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: second.ETag}}
		}, "400 InvalidPart"},
		{"a part that is none", s3.CompleteMultipartUploadInput{}, func() []types.CompletedPart {
			return []types.CompletedPart{{PartNumber: aws.Int32(3), ETag: second.ETag}}
		}, "400 InvalidPart"},
		{"of no parts", s3.CompleteMultipartUploadInput{}, func() []types.CompletedPart { return nil }, "400 MalformedXML"},
		{"an upload that is none", s3.CompleteMultipartUploadInput{UploadId: aws.String("no upload")}, func() []types.CompletedPart { return []types.CompletedPart{first} }, "404 NoSuchUpload"},
		{"of another size", s3.CompleteMultipartUploadInput{MpuObjectSize: aws.Int64(1)}, func() []types.CompletedPart { return []types.CompletedPart{first} }, "400 InvalidRequest"},
		{"where something is, If-None-Match: *", s3.CompleteMultipartUploadInput{IfNoneMatch: aws.String("*")}, func() []types.CompletedPart { return []types.CompletedPart{first} }, "412 PreconditionFailed"},
	} {
		body := "short"
		if row.step == "out of order" { // else it is small, too
			body = strings.Repeat("x", fiveMiB)
		}
		begin(row.step, body)
		s.sees(row.step, complete(row.in, row.parts()...), row.want)
	}
	s.sees("get what none of them replaced", s.get(key), "there")
	begin("to abort", "short")
	s.sees("part 10,001", text(s.part(key, id, 10_001, "x").ETag), "400 InvalidArgument")
	s.sees("a part of an upload that is none", text(s.part(key, aws.String("no upload"), 1, "x").ETag), "404 NoSuchUpload")
	abort := func() string {
		return done(s.AbortMultipartUpload(s.ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: &key, UploadId: id}))
	}
	s.sees("abort", abort(), "done")
	s.sees("abort again", abort(), "404 NoSuchUpload")
	s.sees("list parts of what was aborted", done(s.ListParts(s.ctx, &s3.ListPartsInput{Bucket: &s.bucket, Key: &key, UploadId: id})), "404 NoSuchUpload")
	s.sees("begin with a whole SHA256", done(s.CreateMultipartUpload(s.ctx, &s3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: &key, ChecksumAlgorithm: "SHA256", ChecksumType: "FULL_OBJECT"})), "400 InvalidRequest")

	id = s.upload("begin with CRC32C", s3.CreateMultipartUploadInput{Key: &key, ChecksumAlgorithm: "CRC32C"})
	s.sees("a part with another algorithm", done(s.UploadPart(s.ctx, &s3.UploadPartInput{Bucket: &s.bucket, Key: &key, UploadId: id, PartNumber: aws.Int32(1), Body: strings.NewReader("x"), ChecksumAlgorithm: "CRC32"})), "400 InvalidRequest")
	part, err := s.UploadPart(s.ctx, &s3.UploadPartInput{Bucket: &s.bucket, Key: &key, UploadId: id, PartNumber: aws.Int32(1), Body: strings.NewReader("x"), ChecksumAlgorithm: "CRC32C"})
	s.sees("a part with its algorithm", outcome(err), "done")
	if err == nil {
		s.sees("complete with another checksum", complete(s3.CompleteMultipartUploadInput{UploadId: id, ChecksumCRC32C: aws.String(base64.StdEncoding.EncodeToString(make([]byte, 4)))},
			types.CompletedPart{PartNumber: aws.Int32(1), ETag: part.ETag, ChecksumCRC32C: part.ChecksumCRC32C}), "400 BadDigest")
	}
}}

// UploadPartCopy makes parts of objects and of ranges of them. Source: API_UploadPartCopy.
var UploadPartCopy = Script{"UploadPartCopy", func(s *session) {
	body := partsSource
	s.sees("put", s.put("source", body), "done")
	key := "k"
	id := s.upload("begin", s3.CreateMultipartUploadInput{Key: &key, ChecksumAlgorithm: "CRC32", ChecksumType: "FULL_OBJECT"})
	var parts []types.CompletedPart
	part := func(number int32, in s3.UploadPartCopyInput) string {
		in.Bucket, in.Key, in.UploadId, in.PartNumber, in.CopySource = &s.bucket, &key, id, &number, aws.String(s.bucket+"/source")
		return told(s.UploadPartCopy(s.ctx, &in))(func(o *s3.UploadPartCopyOutput) string {
			r := o.CopyPartResult
			parts = append(parts, types.CompletedPart{PartNumber: &number, ETag: r.ETag, ChecksumCRC32: r.ChecksumCRC32})
			return text(r.ETag)
		})
	}
	s.sees("copy all of it", part(1, s3.UploadPartCopyInput{}), etag(body))
	s.sees("copy a range", part(2, s3.UploadPartCopyInput{CopySourceRange: aws.String("bytes=3-5")}), etag("345"))
	for _, bad := range []string{"bytes=3-", "bytes=-3", fmt.Sprintf("bytes=0-%d", len(body)), "3-5"} {
		s.sees("copy "+bad, part(3, s3.UploadPartCopyInput{CopySourceRange: &bad}), "400 InvalidArgument")
	}
	s.sees("copy if the source has another ETag", part(3, s3.UploadPartCopyInput{CopySourceIfMatch: aws.String(etag("other"))}), "412 PreconditionFailed")
	parts = slices.DeleteFunc(parts, func(p types.CompletedPart) bool { return *p.PartNumber == 3 })
	s.sees("complete", done(s.CompleteMultipartUpload(s.ctx, &s3.CompleteMultipartUploadInput{Bucket: &s.bucket, Key: &key, UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})), "done")
	s.sees("get", short(s.get(key)), short(body+"345"))
}}

// ListMultipartUploads lists uploads under way, in pages and gathered by a delimiter. Source: API_ListMultipartUploads.
var ListMultipartUploads = Script{"ListMultipartUploads", func(s *session) {
	begun := map[string]bool{}
	for i, key := range []string{"a", "a", "b/1", "b/2", "c"} {
		begun[*s.upload(fmt.Sprintf("begin %d", i), s3.CreateMultipartUploadInput{Key: &key})] = true
	}
	var keys []string
	pages := s3.NewListMultipartUploadsPaginator(s.Client, &s3.ListMultipartUploadsInput{Bucket: &s.bucket, MaxUploads: aws.Int32(2)})
	for n := 0; pages.HasMorePages() && n < 9; n++ {
		page, err := pages.NextPage(s.ctx)
		if err != nil {
			keys = append(keys, outcome(err))
			break
		}
		for _, u := range page.Uploads {
			keys = append(keys, text(u.Key))
			delete(begun, text(u.UploadId))
		}
	}
	s.sees("in pages of two", fmt.Sprintf("%s, not listed %d", strings.Join(keys, " "), len(begun)), "a a b/1 b/2 c, not listed 0")
	s.sees("with a delimiter", told(s.ListMultipartUploads(s.ctx, &s3.ListMultipartUploadsInput{Bucket: &s.bucket, Delimiter: aws.String("/")}))(func(o *s3.ListMultipartUploadsOutput) string {
		return fmt.Sprint(len(o.Uploads), " and ", strings.Join(names(nil, o.CommonPrefixes), " "))
	}), "3 and b/…")
}}

// ObjectAttributes are asked for by name. Source: API_GetObjectAttributes.
var ObjectAttributes = Script{"ObjectAttributes", func(s *session) {
	key := "k"
	id := s.upload("begin", s3.CreateMultipartUploadInput{Key: &key, ChecksumAlgorithm: "SHA256"})
	part, err := s.UploadPart(s.ctx, &s3.UploadPartInput{Bucket: &s.bucket, Key: &key, UploadId: id, PartNumber: aws.Int32(1), Body: strings.NewReader("hello"), ChecksumAlgorithm: "SHA256"})
	s.sees("part", outcome(err), "done")
	if err != nil {
		part = &s3.UploadPartOutput{}
	}
	s.sees("complete", done(s.CompleteMultipartUpload(s.ctx, &s3.CompleteMultipartUploadInput{Bucket: &s.bucket, Key: &key, UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{
		Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag, ChecksumSHA256: part.ChecksumSHA256}}}})), "done")
	attributes := func(key string, of ...types.ObjectAttributes) string {
		return told(s.GetObjectAttributes(s.ctx, &s3.GetObjectAttributesInput{Bucket: &s.bucket, Key: &key, ObjectAttributes: of}))(func(o *s3.GetObjectAttributesOutput) string {
			said := fmt.Sprintf("ETag %s, size %d, class %s", text(o.ETag), aws.ToInt64(o.ObjectSize), o.StorageClass)
			if o.Checksum != nil {
				said += fmt.Sprintf(", checksum %s", o.Checksum.ChecksumType)
			}
			if o.ObjectParts != nil {
				said += fmt.Sprintf(", parts %d", aws.ToInt32(o.ObjectParts.TotalPartsCount))
				for _, p := range o.ObjectParts.Parts {
					said += fmt.Sprintf(", part %d with its checksum %t", aws.ToInt32(p.PartNumber), text(p.ChecksumSHA256) == text(part.ChecksumSHA256))
				}
			}
			return said
		})
	}
	s.sees("all of an object of parts", attributes(key, "ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"),
		fmt.Sprintf("ETag %s, size 5, class STANDARD, checksum COMPOSITE, parts 1, part 1 with its checksum true", strings.Trim(partsETag("hello"), `"`)))
	s.sees("put", s.put("plain", "x"), "done")
	s.sees("the size alone", attributes("plain", "ObjectSize"), "ETag , size 1, class ")
	s.sees("of nothing", attributes("none", "ObjectSize"), "404 NoSuchKey")
}}

// Managers are the SDK's: a body of several parts goes up, and comes down in ranges.
var Managers = Script{"Managers", func(s *session) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 11<<20/16)
	//nolint:staticcheck // deprecated this year, and in most programs that there are
	s.sees("up", told(manager.NewUploader(s.Client).Upload(s.ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: aws.String("large"), Body: struct{ io.Reader }{bytes.NewReader(body)}}))(func(o *manager.UploadOutput) string {
		return text(o.ETag)
	}), partsETag(string(body[:fiveMiB]), string(body[fiveMiB:2*fiveMiB]), string(body[2*fiveMiB:])))
	buffer := manager.NewWriteAtBuffer(nil)
	//nolint:staticcheck // likewise
	n, err := manager.NewDownloader(s.Client).Download(s.ctx, buffer, &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String("large")})
	s.sees("down", fmt.Sprint(outcome(err), " ", n, " ", bytes.Equal(buffer.Bytes(), body)), fmt.Sprint("done ", len(body), " true"))
}}
