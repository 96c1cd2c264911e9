package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
)

// S3 is a Target that is a bucket, or a part of one.
type S3 struct {
	api    *s3.Client
	bucket string
	prefix string // before every name: empty, or with a slash at its end
	clock  clock.Clock
	owner  string // who locks, for messages
	token  string // of this process, so that it knows its own lock
}

// NewS3 makes a Target of the objects below prefix in a bucket. owner is who locks, as others are told; token tells this process from all others.
func NewS3(api *s3.Client, bucket, prefix string, c clock.Clock, owner, token string) *S3 {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return &S3{api: api, bucket: bucket, prefix: prefix, clock: c, owner: owner, token: token}
}

// s3Fault gives an error of S3 its kind.
func s3Fault(err error, doing, name string) error {
	if err == nil {
		return nil
	}
	kind := fault.Unavailable
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "NoSuchKey", "NotFound", "NoSuchBucket":
			kind = fault.NotFound
		case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch":
			kind = fault.Denied
		case "PreconditionFailed", "ConditionalRequestConflict":
			kind = fault.Conflict
		}
	}
	return fault.As(kind, err, "%s %s", doing, name)
}

// Put writes an object; S3 makes it visible whole or not at all. AWS's holds it against the sum; for those that do not, the bytes are read once before.
func (t *S3) Put(ctx context.Context, name string, body io.ReadSeeker, size int64, sum string) error {
	raw, err := hex.DecodeString(sum)
	if err != nil {
		return fault.As(fault.Invalid, err, "sum")
	}
	h := sha256.New()
	n, err := io.Copy(h, ending{ctx, body})
	if err != nil {
		return err
	}
	if n != size || !bytes.Equal(h.Sum(nil), raw) {
		return fault.New(fault.Corrupt, "%d bytes of %d, and not those that they were", n, size)
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return fault.As(fault.Unavailable, err, "put %s", name)
	}
	_, err = t.api.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &t.bucket, Key: aws.String(t.prefix + name), Body: body, ContentLength: &size,
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(raw)),
	})
	return s3Fault(err, "put", name)
}

// Get opens an object.
func (t *S3) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	out, err := t.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &t.bucket, Key: aws.String(t.prefix + name)})
	if err != nil {
		return nil, s3Fault(err, "get", name)
	}
	return out.Body, nil
}

// List lists the objects below a folder.
func (t *S3) List(ctx context.Context, folder string) ([]Entry, error) {
	pages := s3.NewListObjectsV2Paginator(t.api, &s3.ListObjectsV2Input{Bucket: &t.bucket, Prefix: aws.String(t.prefix + folder + "/")})
	var entries []Entry
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s3Fault(err, "list", folder)
		}
		for _, o := range page.Contents {
			name := strings.TrimPrefix(aws.ToString(o.Key), t.prefix)
			if path.Dir(name) == folder {
				entries = append(entries, Entry{name, aws.ToInt64(o.Size)})
			}
		}
	}
	return entries, nil
}

// Delete removes an object.
func (t *S3) Delete(ctx context.Context, name string) error {
	_, err := t.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &t.bucket, Key: aws.String(t.prefix + name)})
	return s3Fault(err, "delete", name)
}

// A lock in a bucket is an object that its holder writes again every lockRefresh. One that was not written for lockStale belongs to somebody who is dead.
const (
	lockName    = "lock.json"
	lockRefresh = time.Minute
	lockStale   = 5 * time.Minute
)

// lockNote is what the lock's object says.
type lockNote struct {
	Owner string    `json:"owner"`
	Token string    `json:"token"`
	Time  time.Time `json:"time"`
}

// Lock writes the lock's object on the condition that there is none, and reads it back, for places that do not know conditions.
func (t *S3) Lock(ctx context.Context) (func(), error) {
	held, found, err := t.lockHeld(ctx)
	if err != nil {
		return nil, err
	}
	if found && t.clock.Now().Sub(held.Time) < lockStale {
		return nil, fault.New(fault.Conflict, "another backup is being made there, by %s since %s or longer; if it is dead, its lock ends within %s", held.Owner, held.Time.Format(time.RFC3339), lockStale)
	}
	if found {
		if err := t.Delete(ctx, lockName); err != nil {
			return nil, err
		}
	}
	if err := t.writeLock(ctx, true); err != nil {
		return nil, err
	}
	if held, found, err = t.lockHeld(ctx); err != nil {
		return nil, err
	}
	if !found || held.Token != t.token {
		return nil, fault.New(fault.Conflict, "another backup began there at the same moment")
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	var refreshing sync.WaitGroup
	refreshing.Go(func() {
		for clock.Sleep(life, t.clock, lockRefresh) == nil {
			_ = t.writeLock(life, false) // missed ones make the lock stale, and that is said to whoever comes
		}
	})
	return func() {
		end()
		refreshing.Wait()
		_ = t.Delete(context.WithoutCancel(ctx), lockName) // what stays is stale soon
	}, nil
}

func (t *S3) lockHeld(ctx context.Context) (note lockNote, found bool, err error) {
	r, err := t.Get(ctx, lockName)
	if fault.Is(err, fault.NotFound) {
		var missing *types.NoSuchBucket
		if errors.As(err, &missing) {
			return note, false, err
		}
		return note, false, nil
	}
	if err != nil {
		return note, false, err
	}
	defer func() { _ = r.Close() }()
	const lockBytesMax = 1 << 16 // it has a hundred or two
	data, err := io.ReadAll(io.LimitReader(r, lockBytesMax))
	if err != nil {
		return note, false, s3Fault(err, "read", lockName)
	}
	if err := json.Unmarshal(data, &note); err != nil {
		return note, false, fault.As(fault.Corrupt, err, "%s", lockName)
	}
	return note, true, nil
}

func (t *S3) writeLock(ctx context.Context, fresh bool) error {
	data, err := json.Marshal(lockNote{t.owner, t.token, t.clock.Now().UTC()})
	if err != nil {
		return fault.As(fault.Internal, err, "%s", lockName)
	}
	in := &s3.PutObjectInput{Bucket: &t.bucket, Key: aws.String(t.prefix + lockName), Body: bytes.NewReader(data)}
	if fresh {
		in.IfNoneMatch = aws.String("*")
	}
	if _, err = t.api.PutObject(ctx, in); err != nil {
		err = s3Fault(err, "put", lockName)
		if fault.Is(err, fault.Conflict) {
			return fault.New(fault.Conflict, "another backup began there at the same moment")
		}
	}
	return err
}
