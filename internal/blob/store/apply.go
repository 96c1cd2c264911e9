package store

import (
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
)

// apply is the only way in which anything changes: the state after a command, and the files that it refers to once more or once less. A refused
// command changes nothing and gives s itself. An error means that the command cannot be understood: nobody may go on behind it.
func apply(s *State, at time.Time, position commitlog.Position, command []byte) (next *State, result []byte, shared, dropped []uint64, err error) {
	c, err := known.Decode(command)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	private := *s
	ch := &change{state: &private, at: at, position: position}
	r, refusal := c.apply(ch)
	if refusal != nil {
		return s, encodeResult(Result{}, refusal), nil, nil, nil
	}
	private.version = position + 1
	r.At = at
	return &private, encodeResult(r, nil), ch.shared, ch.dropped, nil
}

// bucket is a private copy of a bucket that account owns; keep puts it back.
func (c *change) bucket(account, name string) (*Bucket, error) {
	b := c.state.Bucket(name)
	if b == nil {
		return nil, errNoBucket
	}
	if b.Account != account {
		return nil, errDenied
	}
	private := *b
	return &private, nil
}

func (c *change) keep(b *Bucket) { c.state.buckets = c.state.buckets.Put(b.Name, b) }

// took notes that a file has been named: no new one may have its number.
func (c *change) took(s *Segment) {
	if s.File >= c.state.nextFile {
		c.state.nextFile = s.File + 1
	}
}

func (c *change) drop(segments ...Segment) {
	for i := range segments {
		if segments[i].File != 0 {
			c.dropped = append(c.dropped, segments[i].File)
		}
	}
}

// put places an object in a private bucket and drops what it replaces.
func (c *change) put(b *Bucket, o *Object) Result {
	o.Seq, o.Modified = c.position, c.at
	if old := b.Object(o.Key); old != nil {
		c.drop(old.Segments...)
	}
	b.objects = b.objects.Put(o.Key, o)
	c.keep(b)
	return Result{Seq: o.Seq, ETag: o.ETag, Checksum: o.Checksum}
}

// check holds an object, nil for none, against a condition of a write.
func (want Condition) check(o *Object) error {
	switch {
	case want.IfNoneMatch && o != nil:
		return errPrecondition
	case want.IfMatch == "":
		return nil
	case o == nil:
		return errNoKey
	case want.IfMatch != "*" && want.IfMatch != o.ETag:
		return errPrecondition
	}
	return nil
}

func (q CreateBucket) apply(c *change) (Result, error) {
	if b := c.state.Bucket(q.Bucket); b != nil {
		if b.Account == q.Account {
			return Result{}, errOwned
		}
		return Result{}, errTaken
	}
	owned := 0
	for b := range c.state.Buckets("") {
		if b.Account == q.Account {
			owned++
		}
	}
	if owned >= q.Max {
		return Result{}, refuse("TooManyBuckets", "You have attempted to create more buckets than allowed")
	}
	c.keep(&Bucket{Name: q.Bucket, Account: q.Account, Region: q.Region, Created: c.at, Tags: q.Tags})
	return Result{}, nil
}

func (q DeleteBucket) apply(c *change) (Result, error) {
	b, err := c.bucket(q.Account, q.Bucket)
	if err != nil {
		return Result{}, err
	}
	if b.objects.Len() > 0 {
		return Result{}, errNotEmpty
	}
	for u := range b.Uploads("", "") { // uploads under way do not keep a bucket, and end with it
		for part := range u.Parts(0) {
			c.drop(*part)
		}
	}
	c.state.buckets = c.state.buckets.Remove(b.Name)
	c.state.rules = c.position + 1
	return Result{}, nil
}

func (q SetBucketTags) apply(c *change) (Result, error) {
	b, err := c.bucket(q.Account, q.Bucket)
	if err != nil {
		return Result{}, err
	}
	b.Tags = q.Tags
	c.keep(b)
	return Result{}, nil
}

func (q SetLifecycle) apply(c *change) (Result, error) {
	b, err := c.bucket(q.Account, q.Bucket)
	if err != nil {
		return Result{}, err
	}
	b.Lifecycle = q.Lifecycle
	c.state.rules = c.position + 1
	c.keep(b)
	return Result{}, nil
}

func (q PutObject) apply(c *change) (Result, error) {
	b, err := c.bucket(q.Account, q.Bucket)
	if err != nil {
		return Result{}, err
	}
	if err := q.Condition.check(b.Object(q.Key)); err != nil {
		return Result{}, err
	}
	c.took(&q.Segment)
	o := &Object{Key: q.Key, Size: q.Segment.Size, ETag: q.ETag, Meta: q.Meta, Tags: q.Tags, Checksum: q.Checksum}
	if q.Segment.File != 0 {
		o.Segments = []Segment{q.Segment}
	}
	return c.put(b, o), nil
}

func (q CopyObject) apply(c *change) (Result, error) {
	from, err := c.bucket(q.Account, q.SourceBucket)
	if err != nil {
		return Result{}, err
	}
	source := from.Object(q.SourceKey)
	if source == nil || source.Seq != q.SourceSeq {
		return Result{}, errMoved
	}
	b, err := c.bucket(q.Account, q.Bucket)
	if err != nil {
		return Result{}, err
	}
	if err := q.Condition.check(b.Object(q.Key)); err != nil {
		return Result{}, err
	}
	for i := range source.Segments {
		if file := source.Segments[i].File; file != 0 {
			c.shared = append(c.shared, file)
		}
	}
	return c.put(b, &Object{Key: q.Key, Size: source.Size, ETag: q.ETag, Meta: q.Meta, Tags: q.Tags, Checksum: q.Checksum, Segments: source.Segments}), nil
}

func (q SetObjectTags) apply(c *change) (Result, error) {
	b, err := c.bucket(q.Account, q.Bucket)
	if err != nil {
		return Result{}, err
	}
	o := b.Object(q.Key)
	if o == nil {
		return Result{}, errNoKey
	}
	private := *o
	private.Tags = q.Tags
	b.objects = b.objects.Put(q.Key, &private)
	c.keep(b)
	return Result{}, nil
}

func (q DeleteObjects) apply(c *change) (Result, error) {
	b, err := c.bucket(q.Account, q.Bucket)
	if err != nil {
		return Result{}, err
	}
	var r Result
	for i, item := range q.Items {
		o := b.Object(item.Key)
		switch {
		case item.Seq != 0 && (o == nil || o.Seq != item.Seq):
			continue
		case item.IfMatch != "" && (o == nil || item.IfMatch != "*" && item.IfMatch != o.ETag):
			if r.Failed == nil {
				r.Failed = map[int]*Refusal{}
			}
			r.Failed[i], _ = AsRefusal(errPrecondition)
			continue
		case o == nil:
			continue
		}
		c.drop(o.Segments...)
		b.objects = b.objects.Remove(item.Key)
	}
	c.keep(b)
	return r, nil
}
