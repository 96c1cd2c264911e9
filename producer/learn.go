package producer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/record"
)

// learner is what a stream knows about learning its shards. Guarded by stream.mu.
type learner struct {
	wanted  bool          // the table is missing, or was seen to be wrong
	running bool          // a goroutine lists shards
	first   bool          // nothing was learnt yet, and nothing has failed
	blind   bool          // the shards could not be learnt so far
	at      instant       // not before
	backoff time.Duration // after the next failure

	// known is the range of every shard seen, closed ones for a while, since a record may land on a shard that another reshard has closed meanwhile.
	known map[string]knownShard
}

type knownShard struct {
	hash record.HashRange
	seen instant // when it was last in a list
}

// shard is one that is open.
type shard struct {
	id   string
	hash record.HashRange
}

// Source: the KPL lists again after 1 s, twice as long after each failure, up to 30 s, and remembers closed shards for 60 s. learnPause is ours: a reshard of many
// shards makes the table wrong many times in a row.
const (
	learnBackoffFirst = time.Second
	learnBackoffMost  = 30 * time.Second
	closedKept        = time.Minute
	learnPause        = 200 * time.Millisecond
)

func newLearner() learner {
	return learner{wanted: true, first: true, blind: true, backoff: learnBackoffFirst, known: map[string]knownShard{}}
}

// holds says whether nothing may be sent because the answer is about to come: before the first is there, and while a table that is known to be wrong is corrected.
func (l *learner) holds() bool { return l.first || l.running && !l.blind }

// step starts to learn if that is due, and says when it will be.
func (l *learner) step(s *stream, now instant) (next instant) {
	switch {
	case !l.wanted || l.running:
		return never
	case now < l.at:
		return l.at
	}
	l.running = true
	var sought []string
	for _, one := range s.unjudged {
		one.sought = true
		sought = append(sought, one.shard)
	}
	s.p.running.Add(1)
	go s.learn(sought)
	return never
}

// doubt says that a record landed where none was expected. The caller holds s.mu.
func (s *stream) doubt() {
	s.learner.wanted = true
}

// learn lists the shards, and looks among the closed ones for those of sought that are not open.
func (s *stream) learn(sought []string) {
	defer s.p.running.Done()
	open, err := s.p.listShards(s.name, &types.ShardFilter{Type: types.ShardFilterTypeAtLatest})
	all := open
	if err == nil && slices.ContainsFunc(sought, func(id string) bool { return !slices.ContainsFunc(open, func(o shard) bool { return o.id == id }) }) {
		all, err = s.p.listShards(s.name, nil)
	}
	if err == nil {
		slices.SortFunc(open, func(a, b shard) int { return a.hash.Start.Cmp(b.hash.Start) })
		var ranges []record.HashRange
		for _, one := range open {
			ranges = append(ranges, one.hash)
		}
		if !record.Covers(ranges) { // seen in the middle of a reshard
			err = fmt.Errorf("the %d open shards do not take every hash key once", len(open))
		}
	}
	s.learnt(open, all, err)
	if err != nil && s.p.opts.Notice != nil && !s.p.isAborted() {
		s.p.opts.Notice(fmt.Errorf("stream %s: learn its shards: %w", s.name, err))
	}
}

// learnt puts what was learnt in place, and judges the records that waited for it.
func (s *stream) learnt(open, all []shard, err error) {
	now := s.p.now()
	s.mu.Lock()
	l := &s.learner
	l.running, l.first = false, false
	for _, one := range slices.Concat(open, all) {
		l.known[one.id] = knownShard{one.hash, now}
	}
	for id, one := range l.known {
		if one.seen+closedKept < now {
			delete(l.known, id)
		}
	}
	if err == nil {
		l.wanted, l.blind, l.backoff, l.at = false, false, learnBackoffFirst, now+learnPause
		if s.table.Load() != nil {
			s.install(open, now)
		}
	} else {
		l.at = now + l.backoff
		l.backoff = min(2*l.backoff, learnBackoffMost)
	}
	var ready []*landed
	waiting := s.unjudged
	s.unjudged = nil
	for _, one := range waiting {
		if _, known := l.known[one.shard]; known || one.sought {
			ready = append(ready, one)
		} else { // it landed while the list was on its way
			l.wanted = true
			s.unjudged = append(s.unjudged, one)
		}
	}
	s.mu.Unlock()
	for _, one := range ready {
		s.judge(one, true)
	}
	s.wake()
}

// listShards reads all pages.
func (p *Producer) listShards(stream string, filter *types.ShardFilter) (shards []shard, err error) {
	in := &kinesis.ListShardsInput{ShardFilter: filter}
	in.StreamName, in.StreamARN = nameOrARN(stream)
	for {
		ctx, cancel := p.withTimeout()
		out, err := p.opts.API.ListShards(ctx, in, withoutRetries)
		cancel()
		if err != nil {
			return nil, err
		}
		for _, one := range out.Shards {
			if one.HashKeyRange == nil {
				return nil, errors.New("a shard without a range of hash keys was listed")
			}
			start, err1 := record.ParseHashKey(aws.ToString(one.HashKeyRange.StartingHashKey))
			end, err2 := record.ParseHashKey(aws.ToString(one.HashKeyRange.EndingHashKey))
			if err := errors.Join(err1, err2); err != nil {
				return nil, err
			}
			shards = append(shards, shard{aws.ToString(one.ShardId), record.HashRange{Start: start, End: end}})
		}
		if aws.ToString(out.NextToken) == "" {
			return shards, nil
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken}
		if strings.HasPrefix(stream, "arn:") {
			in.StreamARN = &stream
		}
	}
}

// nameOrARN is how a stream is named in a request.
func nameOrARN(stream string) (name, arn *string) {
	if strings.HasPrefix(stream, "arn:") {
		return nil, &stream
	}
	return &stream, nil
}

// withTimeout is the context of one request.
func (p *Producer) withTimeout() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(p.life)
	timer := p.opts.Clock.NewTimer(p.opts.RequestTimeout)
	answered := make(chan struct{})
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-timer.C():
			cancel(errTimeout)
		case <-answered:
		}
	}()
	return ctx, func() {
		close(answered)
		<-gone
		timer.Stop()
		cancel(nil)
	}
}
