package functions

import (
	"context"
	"maps"
	"path/filepath"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/sandbox"
)

// preparePause is how long to wait after a failure of ours, such as a full disk, before trying again.
const preparePause = time.Second

// prepare makes the code of changed functions ready and reports it, lets go of processes that are no longer current, and takes codes away that nobody uses, until ctx
// ends. It compares and reports: killed at any point, it finds the same difference after the restart.
func (f *Functions) prepare(ctx context.Context) {
	for {
		c, changed := f.catalog.Watch()
		err := f.prepareAll(ctx, c)
		if err == nil {
			err = f.codes.sweep(func(sha string) bool { return f.Catalog().uses(sha) })
		}
		f.forgetOld(c)
		if dropErr := f.dropUnpacked(); err == nil {
			err = dropErr
		}
		if err != nil && ctx.Err() == nil {
			f.options.Logger.Warn("functions: a function could not be made ready; trying again", "err", err)
			if clock.Sleep(ctx, f.options.Backoff, preparePause) != nil {
				return
			}
			continue
		}
		f.mu.Lock()
		f.settled = c.version
		f.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (f *Functions) prepareAll(ctx context.Context, c *Catalog) error {
	for _, function := range c.All() {
		latest := &function.Latest
		if latest.State != Pending && latest.Update != InProgress {
			continue
		}
		report := Prepared{Name: Name{function.Account, function.Region, function.Name}, Revision: latest.Revision}
		if latest.URL() == "" {
			if _, err := f.unpack(latest.Code.SHA256); err != nil {
				if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Corrupt) && !fault.Is(err, fault.NotFound) {
					return err // ours: a disk that is full, say
				}
				report.Failure = err.Error()
			}
		}
		if err := f.Propose(ctx, report, nil); err != nil {
			return err
		}
	}
	return nil
}

// unpacks makes each code be unpacked, or dropped, by one goroutine at a time.
type unpacks struct {
	mu    sync.Mutex             // guards under
	under map[string]*sync.Mutex // by SHA-256: every code that may lie unpacked

	unused map[string]time.Time // prepare's own: since when no function has had the code
}

// unpackedKept is how long a code stays unpacked when no function has it any more: a process at work with it may go on for as long as Lambda lets it, 15 minutes, and may
// be warm for ten more.
const unpackedKept = 30 * time.Minute

// dropUnpacked removes what was unpacked of codes that no function has had for a while.
func (f *Functions) dropUnpacked() error {
	u := &f.unpacks
	now := f.options.Backoff.Now()
	u.mu.Lock()
	codes := maps.Clone(u.under)
	u.mu.Unlock()
	if u.unused == nil {
		u.unused = map[string]time.Time{}
	}
	var first error
	for sha, mu := range codes {
		if f.Catalog().uses(sha) {
			delete(u.unused, sha)
			continue
		}
		since, known := u.unused[sha]
		if !known {
			u.unused[sha] = now
		}
		if !known || now.Sub(since) < unpackedKept {
			continue
		}
		mu.Lock()
		if !f.Catalog().uses(sha) { // or it is in use again, and whoever unpacks it waits for us
			if err := sandbox.Remove(filepath.Join(f.options.Cache, sha)); err != nil && first == nil {
				first = err
			}
			delete(u.unused, sha)
		}
		mu.Unlock()
	}
	return first
}

func (u *unpacks) of(sha256 string) *sync.Mutex {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.under == nil {
		u.under = map[string]*sync.Mutex{}
	}
	if u.under[sha256] == nil {
		u.under[sha256] = new(sync.Mutex)
	}
	return u.under[sha256]
}

// unpack makes sure that a code lies unpacked in the cache, and says where.
func (f *Functions) unpack(sha256 string) (dir string, err error) {
	mu := f.unpacks.of(sha256)
	mu.Lock()
	defer mu.Unlock()
	dir = filepath.Join(f.options.Cache, sha256)
	if sandbox.Unpacked(dir) {
		return dir, nil
	}
	zip, err := f.codes.get(sha256)
	if err != nil {
		return "", err
	}
	return dir, sandbox.Unpack(zip, dir)
}

// keyUse is what a sandbox key was made of.
type keyUse struct {
	account, region, name, version, revision string
}

// used remembers that processes of a key may be there.
func (f *Functions) used(sandboxKey string, function *Function, v *Version) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keys[sandboxKey] == nil {
		f.keys[sandboxKey] = &keyUse{function.Account, function.Region, function.Name, v.Number, v.Revision}
	}
}

// forgetOld lets go of processes of versions that are gone or have changed.
func (f *Functions) forgetOld(c *Catalog) {
	f.mu.Lock()
	var old []string
	for sandboxKey, use := range f.keys {
		function := c.Function(use.account, use.region, use.name)
		if function != nil {
			if v := function.Version(use.version); v != nil && v.Revision == use.revision {
				continue
			}
		}
		old = append(old, sandboxKey)
		delete(f.keys, sandboxKey)
	}
	f.mu.Unlock()
	for _, sandboxKey := range old {
		f.options.Forget(sandboxKey)
	}
}
