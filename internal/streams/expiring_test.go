package streams

import (
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/record"
)

// A request that looked at the stream before one of its closed shards expired, and goes on after that shard's log is gone, is none the worse for it.
func TestRequestWhileShardExpires(t *testing.T) {
	w := newWorld(t)
	w.create("s")
	s := w.await("s", active)
	w.check(w.control.Propose(w.ctx, catalog.SplitShard{Address: catalog.Address{Account: s.Account, Region: s.Region, Name: s.Name}, Shard: 0, At: record.FullRange.Middle()}))
	s = w.await("s", func(s *catalog.Stream) bool { return active(s) && s.OpenShards() == 2 })
	w.clock.Advance(s.Retention() + 2*time.Hour)
	w.await("s", func(s *catalog.Stream) bool { return s.Shard(0) == nil })
	p, err := w.streams.Begin(w.ctx, s)
	w.check(err)
	p.Add([]byte("k"), nil, 0)
	p.Commit(w.ctx)
	w.check(p.Result(0).Err)
	p.Release()
}
