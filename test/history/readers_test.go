package history

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/streams"
)

// reader follows a stream as the Kinesis Client Library does: it begins with the shards that have no parents left, reads each to its end, and goes on
// with the children that the last answer named, once all their parents are read. It goes on from the last iterator, or, as after a restart
// of the reader, from the last sequence number. It outlives the lives of the node.
type reader struct {
	sim    *sim
	stream string
	seen   Reader
	rand   *rand.Rand
	began  map[uint32]*bookmark
	ended  map[uint32]bool
	memory []batch.Record
}

// bookmark is where a reader is in a shard.
type bookmark struct {
	token string // empty: make one from last
	last  string // the sequence number of the last record seen; empty before the first
}

func newReader(s *sim, stream, name string, r *rand.Rand) *reader {
	return &reader{sim: s, stream: stream, rand: r, seen: Reader{Name: name}, began: make(map[uint32]*bookmark), ended: make(map[uint32]bool)}
}

// run reads until the life is over, or, once finish is closed, until nothing is left. It says whether it got so far.
func (r *reader) run(l *life, finish <-chan struct{}) bool {
	for _, at := range r.began {
		if r.rand.IntN(2) == 0 {
			at.token = "" // the reader was restarted too
		}
	}
	r.sweep(l)
	for l.ctx.Err() == nil {
		_, changed := r.sim.progress.now()
		finishing := false
		select {
		case <-finish:
			finishing = true
		default:
		}
		moved := false
		for _, shard := range r.reading() {
			if finishing || r.rand.IntN(3) > 0 {
				moved = r.step(l, shard) || moved
			}
		}
		switch {
		case moved:
		case finishing:
			return true
		default:
			select {
			case <-changed:
			case <-finish:
			case <-l.ctx.Done():
			}
		}
	}
	return false
}

// reading is the shards that have begun and not ended, in order.
func (r *reader) reading() []uint32 {
	var shards []uint32
	for shard := range r.began {
		if !r.ended[shard] {
			shards = append(shards, shard)
		}
	}
	slices.Sort(shards)
	return shards
}

// step reads on in a shard and says whether anything came of it.
func (r *reader) step(l *life, number uint32) (moved bool) {
	at := r.began[number]
	if at.token == "" || r.rand.IntN(15) == 0 {
		if !r.iterator(l, number) {
			return false
		}
	}
	got, err := l.streams.Get(l.ctx, at.token, 1+r.rand.IntN(60), r.memory[:0], func(*catalog.Stream) error { return nil })
	switch {
	case fault.Is(err, fault.Expired):
		l.note(func() { at.token = "" })
		return true
	case fault.Is(err, fault.Invalid), fault.Is(err, fault.NotFound): // the shard has expired, or does so right now
		r.gone(l, number, err)
		return true
	case err != nil:
		r.sim.surprised(l, err, "get", fault.Unavailable)
		return false
	}
	defer got.Release()
	r.memory = got.Records
	stream := l.stream(r.stream)
	l.note(func() {
		for i := range got.Records {
			s := sighting(got.Shard, &got.Records[i])
			r.seen.Steps = append(r.seen.Steps, Step{Kind: Saw, Shard: number, Sighting: s})
			at.last = s.Sequence.String()
		}
		at.token = got.Next
		if got.Next == "" {
			r.end(stream, number, got.Children)
		}
	})
	return len(got.Records) > 0 || got.Next == "" || got.MillisBehind > 0
}

// sighting is a record as it was read. One whose data is not what its ID asks for shows as one that nobody put.
func sighting(shard *streams.Shard, rec *batch.Record) Sighting {
	id, _, _ := strings.Cut(string(rec.Value), " ")
	if value(id) != string(rec.Value) {
		id = "damaged: " + string(rec.Value)
	}
	return Sighting{ID: id, Key: string(rec.Key), Sequence: shard.SequenceOf(rec)}
}

// iterator makes an iterator that goes on behind the last record seen.
func (r *reader) iterator(l *life, number uint32) bool {
	at, stream := r.began[number], l.stream(r.stream)
	start := streams.Start{Type: streams.TrimHorizon}
	if at.last != "" {
		start = streams.Start{Type: streams.AfterSequence, Sequence: at.last}
	}
	token, err := l.streams.Iterator(l.ctx, stream, streams.ShardID(number), start)
	if fault.Is(err, fault.NotFound) {
		r.gone(l, number, err)
		return false
	}
	if err != nil {
		r.sim.surprised(l, err, "make an iterator", fault.Unavailable)
		return false
	}
	return l.note(func() { at.token = token })
}

// end is called in note: a shard ended, and these go on where it did. Those begin whose parents have all been read.
func (r *reader) end(stream *catalog.Stream, number uint32, children []streams.Child) {
	r.ended[number] = true
	step := Step{Kind: Ended, Shard: number}
	for _, child := range children {
		step.Children = append(step.Children, child.Shard.Number)
	}
	r.seen.Steps = append(r.seen.Steps, step)
	for _, child := range children {
		unread := func(id string) bool {
			parent, _ := streams.ParseShardID(id)
			return !r.through(stream, &parent)
		}
		if !slices.ContainsFunc(child.Parents, unread) {
			r.begin(child.Shard.Number)
		}
	}
}

// through says whether nothing of a parent is left to read: it was read, or had expired before this reader came.
func (r *reader) through(stream *catalog.Stream, parent *uint32) bool {
	if parent == nil || r.ended[*parent] {
		return true
	}
	shard := stream.Shard(*parent)
	return r.began[*parent] == nil && (shard == nil || !shard.Status.Listed())
}

func (r *reader) begin(number uint32) {
	if r.began[number] == nil {
		r.began[number] = new(bookmark)
		r.seen.Steps = append(r.seen.Steps, Step{Kind: Began, Shard: number})
	}
}

// gone ends a shard that is not listed any more, and complains of any other reason to refuse it.
func (r *reader) gone(l *life, number uint32, err error) {
	stream := l.stream(r.stream)
	if shard := stream.Shard(number); shard != nil && shard.Status.Listed() {
		r.sim.surprised(l, err, "a listed shard")
		return
	}
	l.note(func() { r.end(stream, number, nil) })
	r.sweep(l)
}

// sweep begins with the shards in the list to which no parent leads any more: at first, and when shards have expired unread.
func (r *reader) sweep(l *life) {
	stream := l.stream(r.stream)
	l.note(func() {
		for i := range stream.Shards {
			if s := &stream.Shards[i]; s.Status.Listed() && r.through(stream, s.Parent) && r.through(stream, s.AdjacentParent) {
				r.begin(s.Number)
			}
		}
	})
}
