// Package objects is what clients of S3 do, as scripts that any server can be held to: Weir, and the peers that are not AWS either.
//
// It owns the scripts, in which each step says what AWS's documentation lets a client expect, and the list of what is known to be different at the peers
// (differences.go). test/aws runs them against Weir over every transport and against gofakes3; test/interop/objects against versitygw. What only Weir has an answer to,
// such as other accounts and what is refused by name, belongs to test/aws.
//
// Read Script, then get.go.
package objects

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Peer is a server that speaks S3.
type Peer struct {
	Name   string
	Client *s3.Client // does not retry: a script must see each answer
	HTTP   *http.Client
	// Differs is what the server is known to answer otherwise. It must do exactly so.
	Differs []Difference
}

// Difference is what one server answers otherwise than AWS's documentation says.
type Difference struct {
	Script  string
	Answers map[string]string // by step: what the server answers. A … in a step stands for anything, also in several steps, which then all answer so.
	Does    string            // what it does, in words
	Page    string            // of AWS, which says that it should not, or that it is free to
}

// Script is one thing that clients do, in steps.
type Script struct {
	Name string
	run  func(s *session)
}

// All is every script.
var All = []Script{
	Buckets, ListBuckets, PutObject, Checksums, Keys, ConditionalWrites, GetObject, Ranges, ConditionalReads, ListObjects, DeleteObjects, CopyObject, Tagging, Presigned,
	Multipart, MultipartErrors, UploadPartCopy, ListMultipartUploads, ObjectAttributes, Managers,
}

// Run does a script and says what was not as it should be. A difference that is listed and is none any more is a complaint, too, so that the list stays true.
func (one Script) Run(ctx context.Context, peer Peer) (complaints []string) {
	s := &session{Client: peer.Client, ctx: ctx, http: peer.HTTP, bucket: nextBucket(), seen: map[string]bool{}}
	s.sees("create the bucket", done(s.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &s.bucket})), "done")
	return one.follow(s, peer.Differs)
}

// follow runs the script itself.
func (one Script) follow(s *session, differs []Difference) (complaints []string) {
	for _, d := range differs {
		if d.Script != one.Name {
			continue
		}
		for step, answer := range d.Answers {
			s.known = append(s.known, &known{step: step, answer: answer, does: d.Does})
		}
	}
	one.run(s)
	for _, k := range s.known {
		if !k.met {
			s.complaints = append(s.complaints, fmt.Sprintf("%s: is in the list of differences, and no such step differs: take it out (%s)", k.step, k.does))
		}
	}
	return s.complaints
}

// known is one answer of the list of differences.
type known struct {
	step, answer, does string
	met                bool
}

func (k *known) is(step string) bool {
	before, behind, several := strings.Cut(k.step, "…")
	if !several {
		return k.step == step
	}
	return len(step) >= len(before)+len(behind) && strings.HasPrefix(step, before) && strings.HasSuffix(step, behind)
}

// session is one run of a script.
type session struct {
	*s3.Client
	ctx        context.Context
	http       *http.Client
	bucket     string // made for the script
	known      []*known
	seen       map[string]bool // names of steps
	complaints []string
}

// sees compares what a step gave with what AWS gives, or with what is known of this server.
func (s *session) sees(step, got, want string) {
	if s.seen[step] {
		s.complaints = append(s.complaints, fmt.Sprintf("%s: two steps have this name", step))
	}
	s.seen[step] = true
	for _, k := range s.known {
		if !k.is(step) {
			continue
		}
		if got != k.answer {
			s.complaints = append(s.complaints, fmt.Sprintf("%s: got %s; the list of differences says %s, and AWS %s", step, got, k.answer, want))
		}
		k.met = k.met || got == k.answer && got != want
		return
	}
	if got != want {
		s.complaints = append(s.complaints, fmt.Sprintf("%s: got %s, want %s", step, got, want))
	}
}

var buckets atomic.Int64

// nextBucket is a name that no other run has.
func nextBucket() string { return fmt.Sprintf("script-%d", buckets.Add(1)) }

// outcome is what became of a call: "done", or status and code.
func outcome(err error) string {
	if err == nil {
		return "done"
	}
	var api smithy.APIError
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && errors.As(err, &api) {
		return fmt.Sprintf("%d %s", answer.HTTPStatusCode(), api.ErrorCode())
	}
	if errors.As(err, &answer) {
		return fmt.Sprintf("%d without a code", answer.HTTPStatusCode())
	}
	return err.Error()
}

// status is what became of a call whose error has no body.
func status(err error) string {
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) {
		return fmt.Sprint(answer.HTTPStatusCode())
	}
	return outcome(err)
}

// done is for calls of which only the outcome counts.
func done[T any](_ T, err error) string { return outcome(err) }

// told is what a call answered, in the words of a function, or its outcome when that is an error.
func told[T any](value T, err error) func(words func(T) string) string {
	return func(words func(T) string) string {
		if err != nil {
			return outcome(err)
		}
		return words(value)
	}
}

// put stores an object that nothing is special about, and gives the outcome.
func (s *session) put(key, body string) string {
	return done(s.PutObject(s.ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: strings.NewReader(body)}))
}

// get is what an object holds, or the outcome.
func (s *session) get(key string) string {
	return content(s.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key}))
}

// content is the body of an answer, or what became of the call.
func content(answer *s3.GetObjectOutput, err error) string {
	return told(answer, err)(func(answer *s3.GetObjectOutput) string {
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return fmt.Sprintf("%q and %v", body, err)
		}
		return string(body)
	})
}

// short is a text that fits a line.
func short(text string) string {
	if len(text) <= 40 {
		return text
	}
	sum := md5.Sum([]byte(text))
	return fmt.Sprintf("%d bytes %x", len(text), sum[:4])
}

// etag is the ETag of an object that was put in one piece: the MD5 of its bytes (API_Object).
func etag(body string) string {
	sum := md5.Sum([]byte(body))
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// text is a pointer's string; empty when there is none.
func text(p *string) string { return aws.ToString(p) }
