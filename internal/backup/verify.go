package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"

	"github.com/weir-stream/weir/internal/fault"
)

// Verified is what Verify found.
type Verified struct {
	Backups int   `json:"backups"`
	Files   int   `json:"files"` // objects that were read
	Bytes   int64 `json:"bytes"`
	// Wrong says of each file that is missing or not what it was, in which backups it is.
	Wrong []string `json:"wrong"`
}

// Verify reads every object that a backup has, each once, and holds it against its sum. What is wrong is in the result; an error is the place's, or Corrupt when the JSON of
// a backup is damaged.
func Verify(ctx context.Context, target Target, progress func(done, total int64)) (v Verified, err error) {
	all, err := List(ctx, target)
	if err != nil {
		return v, err
	}
	type object struct {
		file File
		in   []string
	}
	var order []*object
	objects := make(map[string]*object)
	total := int64(0)
	for _, b := range all {
		for _, f := range b.Files {
			o := objects[f.SHA256]
			if o == nil {
				o = &object{file: f}
				objects[f.SHA256] = o
				order = append(order, o)
				total += f.Size
			}
			o.in = append(o.in, b.ID)
		}
	}
	v.Backups = len(all)
	for _, o := range order {
		why, err := wrongWith(ctx, target, o.file)
		if err != nil {
			return v, err
		}
		if why != "" {
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s of backup %s and %d others: %s", o.file.Path, o.in[len(o.in)-1], len(o.in)-1, why))
		}
		v.Files++
		if v.Bytes += o.file.Size; progress != nil {
			progress(v.Bytes, total)
		}
	}
	return v, nil
}

// wrongWith reads an object. Empty is that it is what it was.
func wrongWith(ctx context.Context, target Target, f File) (string, error) {
	r, err := target.Get(ctx, path.Join(objectsDir, f.SHA256))
	if fault.Is(err, fault.NotFound) {
		return "it is missing", nil
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	h := sha256.New()
	n, err := io.Copy(h, ending{ctx, r})
	if err != nil {
		return "", fault.As(fault.Unavailable, err, "read %s", f.Path)
	}
	if n != f.Size || hex.EncodeToString(h.Sum(nil)) != f.SHA256 {
		return "its bytes have changed", nil
	}
	return "", nil
}
