// Package blobtest holds any server of objects to what engines rely on: the script of package blob's promises, for Weir in the same process, for Weir behind a listener, and
// for servers of others.
//
// What clients of S3 may rely on beyond that belongs to test/objects.
//
// Read Run.
package blobtest

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/weir-stream/weir/internal/blob"
	"github.com/weir-stream/weir/internal/fault"
)

// script is one run.
type script struct {
	ctx        context.Context
	client     *blob.Client
	bucket     string
	differs    map[string]string
	complaints []string
}

// Run does what engines do in a bucket that is not there yet, and says what was not as the methods of blob.Client promise. differs is what a server is known to do otherwise,
// by step; it must do exactly so.
func Run(ctx context.Context, client *blob.Client, bucket string, differs map[string]string) (complaints []string) {
	s := &script{ctx: ctx, client: client, bucket: bucket, differs: maps.Clone(differs)}
	s.putAndGet()
	s.conditions()
	s.upload()
	s.find()
	s.remove()
	for step := range s.differs {
		s.complaints = append(s.complaints, step+": is known to differ, and does not")
	}
	return s.complaints
}

func (s *script) sees(step, got, want string) {
	if other, differs := s.differs[step]; differs && other != want {
		want = other
		delete(s.differs, step)
	}
	if got != want {
		s.complaints = append(s.complaints, fmt.Sprintf("%s: got %s, want %s", step, got, want))
	}
}

func (s *script) putAndGet() {
	s.sees("put without a bucket", s.put("k", "x", blob.Put{}), refused(fault.NotFound))
	s.sees("make the bucket", outcome(s.client.MakeBucket(s.ctx, s.bucket)), "done")
	s.sees("make it again", outcome(s.client.MakeBucket(s.ctx, s.bucket)), "done")
	s.sees("get nothing", s.get("k"), refused(fault.NotFound))
	s.sees("put with a type and metadata", s.put("fd", "file", blob.Put{ContentType: "text/plain", Metadata: map[string]string{"a": "b"}}), md5Of("file"))
	for key, body := range map[string]string{"fd/x": "below", "a b+c%/é": "odd", "empty": "", "large": strings.Repeat("0123456789", 500_000)} {
		s.sees("put "+key, s.put(key, body, blob.Put{}), md5Of(body))
		s.sees("get "+key, s.get(key), whole(body))
	}
	s.sees("get fd", s.get("fd"), whole("file"))
}

func (s *script) conditions() {
	s.sees("put if absent, there", s.put("fd", "other", blob.Put{IfAbsent: true}), refused(fault.Conflict))
	s.sees("put if absent", s.put("new", "new", blob.Put{IfAbsent: true}), md5Of("new"))
	s.sees("put if another", s.put("new", "newer", blob.Put{IfMatch: "0123456789abcdef0123456789abcdef"}), refused(fault.Conflict))
	s.sees("get what was not replaced", s.get("new"), whole("new"))
	s.sees("put if this one", s.put("new", "newer", blob.Put{IfMatch: md5Of("new")}), md5Of("newer"))
	s.sees("get what was replaced", s.get("new"), whole("newer"))
}

func (s *script) upload() {
	first, last := strings.Repeat("0123456789abcdef", blob.PartBytesMin/16), "the end"
	_, err := s.client.Upload(s.ctx, s.bucket+"-none", "parts", blob.Put{})
	s.sees("upload without a bucket", outcome(err), refused(fault.NotFound))
	u, err := s.client.Upload(s.ctx, s.bucket, "parts", blob.Put{ContentType: "text/plain"})
	s.sees("upload", outcome(err), "done")
	if err != nil {
		return
	}
	s.sees("upload part 1", outcome(u.Part(s.ctx, []byte(first))), "done")
	s.sees("get what is being uploaded", s.get("parts"), refused(fault.NotFound))
	s.sees("upload part 2", outcome(u.Part(s.ctx, []byte(last))), "done")
	s.sees("complete", outcome(u.Complete(s.ctx)), "done")
	content := func(said string) string { return said[:max(strings.LastIndex(said, ","), 0)] } // ETags of parts differ between servers
	s.sees("get what was uploaded", content(s.get("parts")), content(whole(first+last)))
	s.sees("remove what was uploaded", outcome(s.client.Delete(s.ctx, s.bucket, "parts")), "done")
	if u, err = s.client.Upload(s.ctx, s.bucket, "parts", blob.Put{}); err == nil {
		s.sees("upload part 1 of another", outcome(u.Part(s.ctx, []byte(first))), "done")
		s.sees("abort", outcome(u.Abort(s.ctx)), "done")
		s.sees("abort again", outcome(u.Abort(s.ctx)), "done")
		s.sees("complete what was aborted", outcome(u.Complete(s.ctx)), refused(fault.NotFound))
	}
	s.sees("get what was aborted", s.get("parts"), refused(fault.NotFound))
}

func (s *script) find() {
	info, err := s.client.Head(s.ctx, s.bucket, "fd")
	s.sees("head", fmt.Sprint(outcome(err), " ", info.Size, " ", info.ETag), "done 4 "+md5Of("file"))
	_, err = s.client.Head(s.ctx, s.bucket, "none")
	s.sees("head nothing", outcome(err), refused(fault.NotFound))
	for prefix, want := range map[string]string{"": "a b+c%/é 3|empty 0|fd 4|fd/x 5|large 5000000|new 5", "fd": "fd 4|fd/x 5", "none": ""} {
		var keys []string
		for info, err := range s.client.List(s.ctx, s.bucket, prefix) {
			if err != nil {
				keys = append(keys, outcome(err))
				break
			}
			keys = append(keys, fmt.Sprint(info.Key, " ", info.Size))
		}
		s.sees("list "+prefix, strings.Join(keys, "|"), want)
	}
}

func (s *script) remove() {
	s.sees("delete", outcome(s.client.Delete(s.ctx, s.bucket, "fd")), "done")
	s.sees("delete nothing", outcome(s.client.Delete(s.ctx, s.bucket, "fd")), "done")
	s.sees("get what was deleted", s.get("fd"), refused(fault.NotFound))
	s.sees("get what is below it", s.get("fd/x"), whole("below"))
}

// put gives the ETag, or the outcome.
func (s *script) put(key, body string, o blob.Put) string {
	etag, err := s.client.Put(s.ctx, s.bucket, key, strings.NewReader(body), int64(len(body)), o)
	if err != nil {
		return outcome(err)
	}
	return etag
}

func (s *script) get(key string) string {
	r, info, err := s.client.Get(s.ctx, s.bucket, key)
	if err != nil {
		return outcome(err)
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		return err.Error()
	}
	return said(string(body), info.Size, info.ETag)
}

func whole(body string) string { return said(body, int64(len(body)), md5Of(body)) }

func said(body string, size int64, etag string) string {
	return fmt.Sprintf("%d of %d bytes, %.20s, %s", len(body), size, body, etag)
}

func md5Of(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

// outcome is the kind of an error, and whether it may have happened.
func outcome(err error) string {
	switch {
	case err == nil:
		return "done"
	case fault.IsUnknown(err):
		return fault.KindOf(err).String() + ", and it may have happened"
	}
	return refused(fault.KindOf(err))
}

func refused(kind fault.Kind) string { return kind.String() }
