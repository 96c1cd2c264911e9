package store

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// history is what a key may be. Each key has one writer, so at any moment there is what was acknowledged last and at most one attempt beyond it.
type history struct {
	mu        sync.Mutex
	acked     map[string]string // "" for no object
	attempted map[string]string
}

func (h *history) begin(key, value string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.attempted[key] = value
}

func (h *history) end(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acked[key] = h.attempted[key]
	delete(h.attempted, key)
}

// image is a disk as a power cut at one moment leaves it, and what may be on it.
type image struct {
	at      string
	fs      *vfs.Mem
	allowed map[string][]string
}

// The power is cut before file operations that chance picks, while writers put, upload, copy and delete. On every image the store
// opens; what was acknowledged is there whole, what was under way is there whole or not at all, and nothing else takes room.
func TestPowerCut(t *testing.T) {
	r := random(t)
	mem := vfs.NewMem()
	faulty := vfs.NewFaulty(mem)
	o := mustOpen(t, faulty, clock.NewManual(start))
	o.makeBucket(t)
	h := &history{acked: map[string]string{}, attempted: map[string]string{}}
	seeds := [4]uint64{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()} // of the writers
	var mu sync.Mutex                                                  // guards images, and r from here on
	var images []image
	const imagesMax = 60
	faulty.Hook(func(op vfs.Op, name string) {
		if op&vfs.OpMutation == 0 {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if len(images) >= imagesMax || r.IntN(8) > 0 {
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		i := image{at: fmt.Sprintf("before operation %#x on %s", op, name), fs: mem.CrashClone(r), allowed: map[string][]string{}}
		for key, value := range h.acked {
			i.allowed[key] = append(i.allowed[key], value)
		}
		for key, value := range h.attempted {
			if len(i.allowed[key]) == 0 {
				i.allowed[key] = []string{""}
			}
			i.allowed[key] = append(i.allowed[key], value)
		}
		images = append(images, i)
	})
	var writers sync.WaitGroup
	for w := range seeds {
		chance := rand.New(rand.NewPCG(seeds[w], uint64(w)))
		writers.Go(func() {
			for n := range 40 {
				key := fmt.Sprintf("w%d/%d", w, chance.IntN(3))
				body := strings.Repeat(fmt.Sprintf("%d.%d,", w, n), 1+chance.IntN(300))
				var err error
				switch chance.IntN(8) {
				case 0:
					h.begin(key, "")
					err = o.do(DeleteObjects{Account: account, Bucket: "b", Items: []Delete{{Key: key}}})
				case 1:
					h.begin(key, body)
					err = o.upload(key, []byte(body))
				case 2:
					source := o.State().Bucket("b").Object(fmt.Sprintf("w%d/0", w))
					if source == nil {
						continue
					}
					h.begin(key, h.ackedValue(source.Key))
					err = o.do(CopyObject{Account: account, SourceBucket: "b", SourceKey: source.Key, SourceSeq: source.Seq, Bucket: "b", Key: key, ETag: source.ETag})
				default:
					h.begin(key, body)
					_, err = o.put(key, body, Condition{})
				}
				if err != nil {
					t.Error(err)
					return
				}
				h.end(key)
			}
		})
	}
	writers.Wait()
	faulty.Hook(nil)
	if len(images) < imagesMax {
		t.Errorf("only %d images", len(images))
	}
	for _, i := range images {
		i.check(t)
	}
}

func (h *history) ackedValue(key string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.acked[key]
}

func (i *image) check(t *testing.T) {
	t.Helper()
	o, err := open(t, i.fs, clock.NewManual(start))
	if err != nil {
		t.Errorf("%s: %v", i.at, err)
		return
	}
	for key, allowed := range i.allowed {
		got, err := o.get(key)
		if fault.Is(err, fault.NotFound) {
			got, err = "", nil
		}
		fits := false
		for _, value := range allowed {
			fits = fits || got == value
		}
		if err != nil || !fits {
			t.Errorf("%s: %q has %d bytes (%v), which is none of %d values", i.at, key, len(got), err, len(allowed))
		}
	}
	for object := range o.State().Bucket("b").Objects("") {
		if i.allowed[object.Key] == nil {
			t.Errorf("%s: %q came from nowhere", i.at, object.Key)
		}
	}
	needed := map[uint64]bool{}
	o.State().files(func(file uint64) { needed[file] = true })
	if names := filesOn(t, i.fs); len(names) != len(needed) {
		t.Errorf("%s: %d files on disk, %d needed", i.at, len(names), len(needed))
	}
	if err := o.stop(); err != nil {
		t.Errorf("%s: %v", i.at, err)
	}
}
