package store

import (
	"time"

	"github.com/weir-stream/weir/internal/fold/commands"
)

// Command is something that may be asked of the store. See commands.Set for what its name and fields promise.
//
// Account is who asks: only a bucket's owner may do anything in it.
type Command interface {
	kind() string
	// apply does to c.state, a private copy, what the command asks, or refuses and leaves it alone. It hangs on nothing but its arguments.
	apply(c *change) (Result, error)
}

// Condition is what must hold of the object under a key for a write to happen (S3 User Guide, Conditional writes). The zero Condition always holds.
type Condition struct {
	IfMatch     string `json:"ifMatch,omitempty"`     // the ETag it must have, without quotes; * for any
	IfNoneMatch bool   `json:"ifNoneMatch,omitempty"` // there must be none
}

// CreateBucket makes a bucket.
type CreateBucket struct {
	Account string            `json:"account"`
	Region  string            `json:"region"`
	Bucket  string            `json:"bucket"`
	Tags    map[string]string `json:"tags,omitempty"`
	Max     int               `json:"max"` // how many buckets the account may have
}

// DeleteBucket removes an empty bucket.
type DeleteBucket struct {
	Account string `json:"account"`
	Bucket  string `json:"bucket"`
}

// SetBucketTags replaces a bucket's tags; none removes them.
type SetBucketTags struct {
	Account string            `json:"account"`
	Bucket  string            `json:"bucket"`
	Tags    map[string]string `json:"tags,omitempty"`
}

// SetLifecycle replaces a bucket's lifecycle; nil removes it.
type SetLifecycle struct {
	Account   string     `json:"account"`
	Bucket    string     `json:"bucket"`
	Lifecycle *Lifecycle `json:"lifecycle,omitempty"`
}

// PutObject puts an object whose bytes are durable in a file already, in place of what the key had.
type PutObject struct {
	Account   string            `json:"account"`
	Bucket    string            `json:"bucket"`
	Key       string            `json:"key"`
	ETag      string            `json:"etag"`
	Meta      *Meta             `json:"meta,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
	Checksum  Checksum          `json:"checksum,omitzero"`
	Segment   Segment           `json:"segment"`
	Condition Condition         `json:"condition,omitzero"`
}

// CopyObject puts an object that shares the files of another. Source must still be the object that the proposer looked at.
type CopyObject struct {
	Account      string            `json:"account"`
	SourceBucket string            `json:"sourceBucket"`
	SourceKey    string            `json:"sourceKey"`
	SourceSeq    int64             `json:"sourceSeq"`
	Bucket       string            `json:"bucket"`
	Key          string            `json:"key"`
	ETag         string            `json:"etag"`
	Meta         *Meta             `json:"meta,omitempty"`
	Tags         map[string]string `json:"tags,omitempty"`
	Checksum     Checksum          `json:"checksum,omitzero"`
	Condition    Condition         `json:"condition,omitzero"`
}

// SetObjectTags replaces an object's tags; none removes them.
type SetObjectTags struct {
	Account string            `json:"account"`
	Bucket  string            `json:"bucket"`
	Key     string            `json:"key"`
	Tags    map[string]string `json:"tags,omitempty"`
}

// DeleteObjects removes objects. A key that has none is no failure.
type DeleteObjects struct {
	Account string   `json:"account"`
	Bucket  string   `json:"bucket"`
	Items   []Delete `json:"items"`
}

// Delete is one key of DeleteObjects.
type Delete struct {
	Key     string `json:"key"`
	IfMatch string `json:"ifMatch,omitempty"` // as in Condition
	Seq     int64  `json:"seq,omitempty"`     // not 0: only this very object, and silently not another
}

// CreateUpload begins a multipart upload.
type CreateUpload struct {
	Account   string            `json:"account"`
	Bucket    string            `json:"bucket"`
	Key       string            `json:"key"`
	Upload    string            `json:"upload"` // its id, never used before
	Meta      *Meta             `json:"meta,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
	Algorithm Algorithm         `json:"algorithm,omitempty"`
	Composite bool              `json:"composite,omitempty"`
}

// PutPart puts a part whose bytes are durable in a file already, in place of what the number had.
type PutPart struct {
	Account string  `json:"account"`
	Bucket  string  `json:"bucket"`
	Key     string  `json:"key"`
	Upload  string  `json:"upload"`
	Part    Segment `json:"part"`
}

// CompleteUpload makes an object of parts. Their files become the object's; no byte moves.
type CompleteUpload struct {
	Account  string         `json:"account"`
	Bucket   string         `json:"bucket"`
	Key      string         `json:"key"`
	Upload   string         `json:"upload"`
	Parts    []CompletePart `json:"parts"`
	Checksum string         `json:"checksum,omitempty"` // what the object's must be; empty asks nothing
	Size     *int64         `json:"size,omitempty"`     // what the object's must be
	// Otherwise is the algorithm of the object's checksum when its upload has none: every part has one in it. Version 1 did not know it, and gave none.
	Otherwise Algorithm `json:"otherwise,omitempty"`
	Condition Condition `json:"condition,omitzero"`
}

// CompletePart names a part by number and what it must be.
type CompletePart struct {
	Number   int    `json:"number"`
	ETag     string `json:"etag"`
	Checksum string `json:"checksum,omitempty"` // empty asks nothing
}

// AbortUploads ends uploads and forgets their parts.
type AbortUploads struct {
	Account string  `json:"account"`
	Bucket  string  `json:"bucket"`
	Items   []Abort `json:"items"`
	Silent  bool    `json:"silent,omitempty"` // an upload that is gone already is no failure
}

// Abort is one upload of AbortUploads.
type Abort struct {
	Key    string `json:"key"`
	Upload string `json:"upload"`
}

func (CreateBucket) kind() string   { return "CreateBucket.1" }
func (DeleteBucket) kind() string   { return "DeleteBucket.1" }
func (SetBucketTags) kind() string  { return "SetBucketTags.1" }
func (SetLifecycle) kind() string   { return "SetLifecycle.1" }
func (PutObject) kind() string      { return "PutObject.1" }
func (CopyObject) kind() string     { return "CopyObject.1" }
func (SetObjectTags) kind() string  { return "SetObjectTags.1" }
func (DeleteObjects) kind() string  { return "DeleteObjects.1" }
func (CreateUpload) kind() string   { return "CreateUpload.1" }
func (PutPart) kind() string        { return "PutPart.1" }
func (CompleteUpload) kind() string { return "CompleteUpload.2" }
func (AbortUploads) kind() string   { return "AbortUploads.1" }

// known is every command that this version understands.
var known = commands.Set[Command]{
	CreateBucket{}.kind():   commands.As[CreateBucket, Command],
	DeleteBucket{}.kind():   commands.As[DeleteBucket, Command],
	SetBucketTags{}.kind():  commands.As[SetBucketTags, Command],
	SetLifecycle{}.kind():   commands.As[SetLifecycle, Command],
	PutObject{}.kind():      commands.As[PutObject, Command],
	CopyObject{}.kind():     commands.As[CopyObject, Command],
	SetObjectTags{}.kind():  commands.As[SetObjectTags, Command],
	DeleteObjects{}.kind():  commands.As[DeleteObjects, Command],
	CreateUpload{}.kind():   commands.As[CreateUpload, Command],
	PutPart{}.kind():        commands.As[PutPart, Command],
	"CompleteUpload.1":      commands.As[CompleteUpload, Command],
	CompleteUpload{}.kind(): commands.As[CompleteUpload, Command],
	AbortUploads{}.kind():   commands.As[AbortUploads, Command],
}

// change is one command being applied.
type change struct {
	state    *State // private until apply returns
	at       time.Time
	position int64
	shared   []uint64 // files that have one reference more
	dropped  []uint64 // files that have one reference less
}
