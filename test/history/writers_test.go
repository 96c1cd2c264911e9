package history

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/internal/streams"
)

// writer puts records of keys that nobody else writes, one request after the other, and remembers what it was told. It outlives the lives of the node.
type writer struct {
	sim      *sim
	stream   string
	keys     []*key
	rand     *rand.Rand
	attempts []Attempt
}

// key is a partition key, with an explicit hash key or without.
type key struct {
	name     string
	explicit *record.HashKey
	hash     record.HashKey
	puts     int
}

func newWriter(s *sim, stream string, number int, r *rand.Rand) *writer {
	w := &writer{sim: s, stream: stream, rand: r}
	for i := range 1 + r.IntN(16) {
		k := &key{name: fmt.Sprintf("%s-%d-%d", stream, number, i)}
		k.hash = record.HashKeyOf([]byte(k.name))
		if r.IntN(3) == 0 {
			k.hash = explicitKey(r)
			k.explicit = &k.hash
		}
		w.keys = append(w.keys, k)
	}
	return w
}

// explicitKey is a hash key that lies, more often than not, where ranges begin and end.
func explicitKey(r *rand.Rand) record.HashKey {
	keys := record.UniformRanges(1 + r.IntN(12))
	switch keys := keys[r.IntN(len(keys))]; r.IntN(4) {
	case 0:
		return keys.Start
	case 1:
		return keys.End
	case 2:
		return keys.Middle()
	default:
		return record.HashKey{Hi: r.Uint64(), Lo: r.Uint64()}
	}
}

// value is the data of a record: its ID, and after a blank filling that follows from the ID, so that bytes of another record show.
func value(id string) string {
	sum := 0
	for _, b := range []byte(id) {
		sum = sum*31 + int(b)
	}
	repeat := sum & 15
	if sum&0xff00 == 0 {
		repeat = 2000
	}
	return id + " " + strings.Repeat(id+".", repeat)
}

// run puts until the life or the writing is over.
func (w *writer) run(l *life, enough <-chan struct{}) {
	var stale *catalog.Stream
	for l.ctx.Err() == nil {
		select {
		case <-enough:
			return
		default:
		}
		stream := l.stream(w.stream)
		if stale != nil && w.rand.IntN(8) == 0 {
			stream = stale // a request that takes long
		}
		if stream != nil {
			w.put(l, stream)
			stale = stream
		}
	}
}

// put is one request. One in four is cut off.
func (w *writer) put(l *life, stream *catalog.Stream) {
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	p, err := l.streams.Begin(ctx, stream)
	if err != nil {
		w.sim.surprised(l, err, "begin a put", fault.NotFound, fault.Unavailable)
		runtime.Gosched()
		return
	}
	defer p.Release()
	first, n := len(w.attempts), 1+w.rand.IntN(3)
	if w.rand.IntN(6) == 0 {
		n = 1 + w.rand.IntN(25)
	}
	for range n {
		k := w.keys[w.rand.IntN(len(w.keys))]
		id := fmt.Sprintf("%s#%d", k.name, k.puts)
		k.puts++
		data := value(id)
		copy(p.Add([]byte(k.name), k.explicit, len(data)), data)
		w.attempts = append(w.attempts, Attempt{ID: id, Key: k.name, Hash: k.hash})
	}
	if w.rand.IntN(4) == 0 {
		patience := w.rand.IntN(50)
		go func() {
			for range patience {
				runtime.Gosched()
			}
			cancel()
		}()
	}
	if l.limited { // the limit lets a few more in, so that requests are refused in part
		by := time.Duration(w.rand.IntN(30)) * time.Millisecond
		l.note(func() { l.clock.Advance(by) })
	}
	p.Commit(ctx)
	l.note(func() {
		for i := range n {
			w.attempts[first+i].answered(p.Result(i))
		}
	})
	for i := range n {
		w.sim.surprised(l, p.Result(i).Err, "put", fault.Unavailable, fault.Full, fault.Throttled,
			fault.NotFound) // the clock jumped, and the shard that it stood ready for closed and expired at once
	}
	w.sim.progress.tick(n)
}

// answered writes down what was said of an attempt.
func (a *Attempt) answered(r streams.Result) {
	switch {
	case r.Err == nil:
		a.Outcome, a.Sequence = Acknowledged, r.Sequence
		a.Shard, _ = streams.ParseShardID(r.ShardID)
	case !fault.IsUnknown(r.Err):
		a.Outcome = Refused
	}
}
