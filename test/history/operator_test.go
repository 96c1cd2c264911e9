package history

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/internal/streams"
)

const account, region = "123456789012", "eu-west-3"

// openMost is how many open shards the operator lets a stream have: enough for every shape of reshard, few enough for thousands of them.
const openMost = 9

// operator reshards without end, changes retention, makes and deletes other streams, and moves the clock.
type operator struct {
	sim    *sim
	stream string
	rand   *rand.Rand
	days   bool // the clock also moves by more than the retention
	others int
}

// run works until the life or the writing is over.
func (o *operator) run(l *life, enough <-chan struct{}) {
	for l.ctx.Err() == nil {
		select {
		case <-enough:
			return
		default:
		}
		s := l.stream(o.stream)
		if s == nil {
			return
		}
		if command := o.command(l, s); command != nil {
			err := o.propose(l, command)
			o.sim.surprised(l, err, fmt.Sprintf("propose %T", command), fault.Unavailable, fault.Full, fault.Throttled,
				fault.WrongState, fault.Invalid, fault.LimitExceeded, fault.NotFound, fault.Exists, fault.Unsupported) // the state moved on meanwhile
		}
		if o.rand.IntN(2) == 0 {
			_, _ = l.await(l.ctx, o.stream, active) // or the next one is refused
		}
		o.sim.progress.more(l.ctx, enough, o.rand.IntN(80))
	}
}

// propose asks for something.
func (o *operator) propose(l *life, command catalog.Command) error {
	switch command.(type) {
	case catalog.IncreaseRetention, catalog.DecreaseRetention:
		o.sim.jumps.RLock()
		defer o.sim.jumps.RUnlock()
	}
	return l.control.Propose(l.ctx, command)
}

// kept says whether every log is kept for as long as the catalog says, and none is being made that may not be.
func kept(l *life) bool {
	for s := range l.control.State().All() {
		for i := range s.Shards {
			if shard := &s.Shards[i]; shard.Status.Listed() {
				log, err := l.store.Open(l.ctx, streams.LogID(s, shard.Number))
				if err != nil || log.Config().Retention != s.Retention() {
					return false
				}
			}
		}
		if !active(s) {
			return false
		}
	}
	return true
}

// command is what to ask for next; nil for nothing.
func (o *operator) command(l *life, s *catalog.Stream) catalog.Command {
	address := catalog.Address{Account: account, Region: region, Name: o.stream}
	open := openOf(s)
	r := o.rand
	switch r.IntN(10) {
	case 0:
		return o.other(l)
	case 1:
		hours := 24 * (1 + r.IntN(3))
		if hours < s.RetentionHours {
			return catalog.DecreaseRetention{Account: account, Region: region, Name: o.stream, Hours: hours}
		}
		return catalog.IncreaseRetention{Account: account, Region: region, Name: o.stream, Hours: hours}
	case 2:
		o.moveClock(l)
		return nil
	case 3, 4:
		target := max(1, min(openMost, (len(open)+1)/2+r.IntN(2*len(open))))
		if s.Mode == catalog.OnDemand {
			return catalog.ScaleStream{Group: s.Group, Target: target}
		}
		return catalog.UpdateShardCount{Address: address, Target: target}
	case 5:
		if r.IntN(4) == 0 {
			mode := catalog.OnDemand
			if s.Mode == mode {
				mode = catalog.Provisioned
			}
			return catalog.UpdateStreamMode{Address: address, Mode: mode}
		}
	}
	if len(open) > 1 && r.IntN(openMost) < len(open) {
		i := r.IntN(len(open) - 1)
		return catalog.MergeShards{Address: address, Shard: open[i].Number, Adjacent: open[i+1].Number}
	}
	shard := open[r.IntN(len(open))]
	at := shard.Range.Middle()
	if r.IntN(2) == 0 {
		at = record.HashKey{Hi: r.Uint64(), Lo: r.Uint64()} // often refused
	}
	return catalog.SplitShard{Address: address, Shard: shard.Number, At: at}
}

// openOf is the open shards of a stream in order of range.
func openOf(s *catalog.Stream) []catalog.Shard {
	open := slices.DeleteFunc(slices.Clone(s.Shards), func(shard catalog.Shard) bool { return shard.Status != catalog.Open })
	slices.SortFunc(open, func(a, b catalog.Shard) int { return a.Range.Start.Cmp(b.Range.Start) })
	return open
}

// other makes another stream, or deletes the last one.
func (o *operator) other(l *life) catalog.Command {
	name := fmt.Sprintf("%s-other-%d", o.stream, o.others)
	if l.stream(name) != nil {
		o.others++
		return catalog.DeleteStream{Account: account, Region: region, Name: name}
	}
	return catalog.CreateStream{Account: account, Region: region, Name: name, ShardCount: 1 + o.rand.IntN(3)}
}

// moveClock moves everyone's clock: a moment, longer than an iterator lives, or longer than records do. The last not before a changed retention has reached
// the logs: those that still have the shorter one would drop what the longer one keeps.
func (o *operator) moveClock(l *life) {
	by := time.Duration(o.rand.IntN(3000)) * time.Millisecond
	switch n := o.rand.IntN(10); {
	case n == 0 && o.days:
		o.sim.jumps.Lock()
		defer o.sim.jumps.Unlock()
		for l.ctx.Err() == nil && !kept(l) {
			runtime.Gosched()
		}
		by += 25 * time.Hour
	case n < 3:
		by += 5 * time.Minute
	}
	l.note(func() { l.clock.Advance(by) })
}

// observe writes down what the catalog says of a stream, as it changes, until the life or ctx is over.
func observe(ctx context.Context, l *life, t *tracked, s *sim) {
	for state := l.control.State(); ; {
		if stream := state.Stream(account, region, t.name); stream != nil && stream != t.last && stream.Status != catalog.Creating {
			l.note(func() {
				t.last = stream
				t.views = append(t.views, slices.Clone(stream.Shards))
			})
		}
		applied := l.control.Applied()
		l.note(func() { s.reached(applied) })
		s.progress.tick(0)
		var err error
		if state, err = l.control.Await(ctx, state.Version()); err != nil {
			return
		}
	}
}
