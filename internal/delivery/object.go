package delivery

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/weir-stream/weir/internal/blob"
)

// partBytes is how much of an object is held in memory before it goes on its way: more than a buffer of the default size and the record that overfills it, so that most objects are
// one call. A larger object is put in parts of this size.
const partBytes = 8 << 20

// abortMax is how long forgetting the parts of an object that failed may take, in real time.
const abortMax = 10 * time.Second

// object is one being put: an io.Writer of its bytes as they are stored.
type object struct {
	ctx     context.Context // of the attempt
	client  *blob.Client
	bucket  string
	key     string // set before the first Write
	how     blob.Put
	encoder io.WriteCloser // writes here; nil before the first record
	part    []byte
	upload  *blob.Upload // nil while everything fits in part
}

// Write takes bytes, and sends those that are a part.
func (o *object) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if len(o.part) == partBytes { // more than one part, then
			if err := o.send(); err != nil {
				return 0, err
			}
		}
		take := min(partBytes-len(o.part), len(p))
		o.part, p = append(o.part, p[:take]...), p[take:]
	}
	return n, nil
}

func (o *object) send() (err error) {
	if o.upload == nil {
		if o.upload, err = o.client.Upload(o.ctx, o.bucket, o.key, o.how); err != nil {
			return err
		}
	}
	if err := o.upload.Part(o.ctx, o.part); err != nil {
		return err
	}
	o.part = o.part[:0]
	return nil
}

// finish puts what is left: when it returns without an error, the object is durable.
func (o *object) finish() error {
	if err := o.encoder.Close(); err != nil {
		return err
	}
	if o.upload == nil {
		_, err := o.client.Put(o.ctx, o.bucket, o.key, bytes.NewReader(o.part), int64(len(o.part)), o.how)
		return err
	}
	if len(o.part) > 0 {
		if err := o.send(); err != nil {
			return err
		}
	}
	if err := o.upload.Complete(o.ctx); err != nil {
		return err
	}
	o.upload = nil
	return nil
}

// abort forgets the parts of an object that was not finished. That this fails leaves parts behind, which a lifecycle of the bucket takes away.
func (o *object) abort() {
	if o.upload == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.ctx), abortMax)
	defer cancel()
	_ = o.upload.Abort(ctx) // the attempt's own error counts
}
