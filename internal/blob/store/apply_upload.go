package store

import "strconv"

// partBytesMin is the least that a part may have unless it is the last (S3 User Guide, Amazon S3 multipart upload limits).
const partBytesMin = 5 << 20

func (q CreateUpload) apply(c *change) (Result, error) {
	b, err := c.bucket(q.Account, q.Bucket)
	if err != nil {
		return Result{}, err
	}
	name := uploadName(q.Key, q.Upload)
	b.uploads = b.uploads.Put(name, &Upload{
		ID: q.Upload, Key: q.Key, Initiated: c.at, Meta: q.Meta, Tags: q.Tags, Algorithm: q.Algorithm, Composite: q.Composite,
	})
	c.keep(b)
	return Result{}, nil
}

// upload is a private copy of an upload; keepUpload puts it back.
func (c *change) upload(account, bucket, key, id string) (*Bucket, *Upload, error) {
	b, err := c.bucket(account, bucket)
	if err != nil {
		return nil, nil, err
	}
	u := b.Upload(key, id)
	if u == nil {
		return b, nil, errNoUpload
	}
	private := *u
	return b, &private, nil
}

func (q PutPart) apply(c *change) (Result, error) {
	b, u, err := c.upload(q.Account, q.Bucket, q.Key, q.Upload)
	if err != nil {
		return Result{}, err
	}
	part := q.Part
	part.Modified = c.at
	c.took(&part)
	if old := u.Part(part.Number); old != nil {
		c.drop(*old)
	}
	u.parts = u.parts.Put(part.Number, &part)
	b.uploads = b.uploads.Put(uploadName(q.Key, q.Upload), u)
	c.keep(b)
	return Result{ETag: part.ETag}, nil
}

func (q CompleteUpload) apply(c *change) (Result, error) {
	b, u, err := c.upload(q.Account, q.Bucket, q.Key, q.Upload)
	if err != nil {
		if b != nil {
			if o := b.Object(q.Key); o != nil && o.Upload == q.Upload { // the same request again, after a lost answer
				return Result{Seq: o.Seq, ETag: o.ETag, Checksum: o.Checksum}, nil
			}
		}
		return Result{}, err
	}
	o, err := q.assemble(u)
	if err != nil {
		return Result{}, err
	}
	if err := q.Condition.check(b.Object(q.Key)); err != nil {
		return Result{}, err
	}
	used := make(map[int]bool, len(q.Parts))
	for _, p := range q.Parts {
		used[p.Number] = true
	}
	for part := range u.Parts(0) {
		if !used[part.Number] {
			c.drop(*part)
		}
	}
	b.uploads = b.uploads.Remove(uploadName(q.Key, q.Upload))
	return c.put(b, o), nil
}

// assemble makes the object of an upload's parts.
func (q CompleteUpload) assemble(u *Upload) (*Object, error) {
	if len(q.Parts) == 0 {
		return nil, errPart
	}
	o := &Object{Key: q.Key, Meta: u.Meta, Tags: u.Tags, Parts: true, Upload: u.ID, Segments: make([]Segment, 0, len(q.Parts))}
	for i := 1; i < len(q.Parts); i++ {
		if q.Parts[i].Number <= q.Parts[i-1].Number {
			return nil, errPartOrder
		}
	}
	for i, wanted := range q.Parts {
		part := u.Part(wanted.Number)
		if part == nil || part.ETag != wanted.ETag || wanted.Checksum != "" && part.Checksum != wanted.Checksum {
			return nil, errPart
		}
		if part.Size < partBytesMin && i < len(q.Parts)-1 {
			return nil, errTooSmall
		}
		o.Segments = append(o.Segments, *part)
		o.Size += part.Size
	}
	var whole bool
	if o.ETag, whole = etagOf(o.Segments); !whole {
		return nil, errPart
	}
	if u.Algorithm == "" && q.Otherwise != "" {
		o.Checksum, _ = checksumOf(q.Otherwise, false, o.Segments) // a part that came before version 2 has none in it, and then neither has the object
	}
	if u.Algorithm != "" {
		if o.Checksum, whole = checksumOf(u.Algorithm, u.Composite, o.Segments); !whole {
			return nil, refuse("InvalidRequest", "The upload was created using a "+string(u.Algorithm)+" checksum. The complete request must include the checksum for each part.")
		}
	}
	if q.Checksum != "" && q.Checksum != o.Checksum.Value && q.Checksum+"-"+strconv.Itoa(len(q.Parts)) != o.Checksum.Value {
		return nil, refuse("BadDigest", "The checksum you specified did not match the calculated checksum.")
	}
	if q.Size != nil && *q.Size != o.Size {
		return nil, refuse("InvalidRequest", "The provided 'x-amz-mp-object-size' header does not match what was computed.")
	}
	return o, nil
}

func (q AbortUploads) apply(c *change) (Result, error) {
	b, err := c.bucket(q.Account, q.Bucket)
	if err != nil {
		return Result{}, err
	}
	for _, item := range q.Items {
		u := b.Upload(item.Key, item.Upload)
		if u == nil {
			if q.Silent {
				continue
			}
			return Result{}, errNoUpload
		}
		for part := range u.Parts(0) {
			c.drop(*part)
		}
		b.uploads = b.uploads.Remove(uploadName(item.Key, item.Upload))
	}
	c.keep(b)
	return Result{}, nil
}
