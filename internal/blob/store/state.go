package store

import (
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/ordered"
)

// State is everything that exists: buckets, their objects, and uploads under way. It never changes; a command makes another one. Nobody may write to what it
// leads to.
type State struct {
	version  int64  // the position behind the last command that changed anything
	rules    int64  // the position behind the last command that changed any lifecycle, since the state was restored; not in snapshots
	nextFile uint64 // above every file number that any command has named
	buckets  ordered.Map[string, *Bucket]
}

// Bucket is a named set of objects. Names are unique on the server, across accounts and regions, as they are at AWS.
type Bucket struct {
	Name    string
	Account string // its owner, twelve digits
	Region  string // where it was created; any region reaches it
	Created time.Time
	Tags    map[string]string
	// Lifecycle is what expires by itself; nil is nothing.
	Lifecycle *Lifecycle

	objects ordered.Map[string, *Object]
	uploads ordered.Map[string, *Upload] // by uploadName
}

// Object is one key's value. Its bytes are in files; Segments says which.
type Object struct {
	Key      string             `json:"key"`
	Seq      commitlog.Position `json:"seq"` // of the command that put it: no two objects share one
	Modified time.Time          `json:"modified"`
	Size     int64              `json:"size"`
	ETag     string             `json:"etag"` // without quotes
	Meta     *Meta              `json:"meta,omitempty"`
	Tags     map[string]string  `json:"tags,omitempty"`
	Checksum Checksum           `json:"checksum,omitzero"`
	Segments []Segment          `json:"segments,omitempty"` // in order; their sizes add up to Size
	Parts    bool               `json:"parts,omitempty"`    // it was uploaded in parts, one segment each
	Upload   string             `json:"upload,omitempty"`   // the upload that made it, so that completing twice is once
}

// Meta is what a client says of an object besides its bytes, and hears again. User metadata is keyed by lower-case names without x-amz-meta-.
type Meta struct {
	ContentType        string            `json:"contentType,omitempty"`
	CacheControl       string            `json:"cacheControl,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	Expires            string            `json:"expires,omitempty"` // as sent: S3 does not read it
	User               map[string]string `json:"user,omitempty"`
}

// Segment is a piece of an object that is one file from its beginning to its end. Of an object uploaded in parts it is one part.
type Segment struct {
	Number   int       `json:"number,omitempty"` // of the part, 1 to 10,000; 0 when the object came whole
	File     uint64    `json:"file,omitempty"`   // 0 when there are no bytes
	Size     int64     `json:"size"`
	CRC      uint32    `json:"crc"`                // CRC-32C of the bytes, checked when they are read whole
	ETag     string    `json:"etag,omitempty"`     // MD5 of a part's bytes in hexadecimal
	Checksum string    `json:"checksum,omitempty"` // of a part, in its upload's algorithm, or else in CRC64NVME
	Modified time.Time `json:"modified,omitzero"`  // of a part
}

// Checksum is what the client, or S3 on its behalf, computed over an object's bytes.
type Checksum struct {
	Algorithm Algorithm `json:"algorithm,omitempty"` // empty: there is none
	Value     string    `json:"value,omitempty"`     // base64; a composite one ends in -N for N parts
	Composite bool      `json:"composite,omitempty"` // over the checksums of the parts, not over the bytes
}

// Upload is a multipart upload that is neither completed nor aborted.
type Upload struct {
	ID        string
	Key       string
	Initiated time.Time
	Meta      *Meta
	Tags      map[string]string
	Algorithm Algorithm // of the checksums of its parts; empty when none were announced
	Composite bool      // how the object's checksum will be made of them
	parts     ordered.Map[int, *Segment]
}

// uploadName sorts uploads by key, then by the order of their ids. Neither keys nor ids hold a zero byte where it would matter: ids are our own.
func uploadName(key, id string) string { return key + "\x00" + id }

// Empty is the state before the first command.
func Empty() *State { return &State{nextFile: 1} }

// Version grows with every command that changed something.
func (s *State) Version() int64 { return s.version }

// Bucket is the bucket of a name, nil when there is none.
func (s *State) Bucket(name string) *Bucket {
	b, _ := s.buckets.Get(name)
	return b
}

// Buckets are the buckets from a name on, in order.
func (s *State) Buckets(from string) iter.Seq[*Bucket] {
	return func(yield func(*Bucket) bool) {
		for _, b := range s.buckets.From(from) {
			if !yield(b) {
				return
			}
		}
	}
}

// Object is the object of a key, nil when there is none.
func (b *Bucket) Object(key string) *Object {
	o, _ := b.objects.Get(key)
	return o
}

// Objects are the objects from a key on, in the order of the keys' bytes.
func (b *Bucket) Objects(from string) iter.Seq[*Object] {
	return func(yield func(*Object) bool) {
		for _, o := range b.objects.From(from) {
			if !yield(o) {
				return
			}
		}
	}
}

// Len is how many objects the bucket has.
func (b *Bucket) Len() int { return b.objects.Len() }

// Upload is the upload of an id under a key, nil when there is none.
func (b *Bucket) Upload(key, id string) *Upload {
	u, _ := b.uploads.Get(uploadName(key, id))
	return u
}

// Uploads are the uploads from a key and an id on, in that order.
func (b *Bucket) Uploads(fromKey, fromID string) iter.Seq[*Upload] {
	return func(yield func(*Upload) bool) {
		for _, u := range b.uploads.From(uploadName(fromKey, fromID)) {
			if !yield(u) {
				return
			}
		}
	}
}

// Part is the part of a number, nil when it has not been uploaded.
func (u *Upload) Part(number int) *Segment {
	p, _ := u.parts.Get(number)
	return p
}

// Parts are the parts from a number on, in order.
func (u *Upload) Parts(from int) iter.Seq[*Segment] {
	return func(yield func(*Segment) bool) {
		for _, p := range u.parts.From(from) {
			if !yield(p) {
				return
			}
		}
	}
}

// PartCount is in how many parts the object was uploaded, 0 when it came whole.
func (o *Object) PartCount() int {
	if !o.Parts {
		return 0
	}
	return len(o.Segments)
}

// IsMD5 says whether ETag is the MD5 of the bytes, and not the digest over parts.
func (o *Object) IsMD5() bool { return !strings.Contains(o.ETag, "-") }

// Expiry is when a bucket's lifecycle removes an object, and the rule that says so; zero when none does.
func (b *Bucket) Expiry(o *Object) (at time.Time, rule string) {
	if b.Lifecycle == nil {
		return time.Time{}, ""
	}
	for i := range b.Lifecycle.Rules {
		r := &b.Lifecycle.Rules[i]
		if due := r.expires(o); !due.IsZero() && (at.IsZero() || due.Before(at)) {
			at, rule = due, r.ID
		}
	}
	return at, rule
}

// partETag is the ETag of an object made of parts: the MD5 of their MD5s, and how many they are.
func partETag(digest string, parts int) string { return digest + "-" + strconv.Itoa(parts) }
