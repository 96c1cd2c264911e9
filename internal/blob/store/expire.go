package store

import (
	"context"
	"time"

	"github.com/weir-stream/weir/internal/clock"
)

const (
	// expireAtOnce is how many objects one command removes: as many as DeleteObjects of S3.
	expireAtOnce = 1000
	// expireBackoff is how long what did not get through waits: what it brings is never urgent.
	expireBackoff = time.Second
)

// pass is one look at everything that lifecycles may let go.
type pass struct {
	day   time.Time // the midnight that it looked for
	rules int64     // State.rules as it was
	none  bool      // there was no lifecycle
}

// expire removes what lifecycles say, until ctx ends. Everything that is due is due at a midnight in UTC, so it looks once a day, and when a
// lifecycle is put.
func (s *Store) expire(ctx context.Context) {
	for {
		state, changed := s.watch()
		now := s.clock.Now().UTC()
		if !s.passed(state, now) {
			none, err := s.expireDue(ctx, state, now)
			if err == nil {
				s.mu.Lock()
				s.last = pass{now.Truncate(day), state.rules, none}
				s.mu.Unlock()
				continue
			}
			if ctx.Err() != nil {
				return
			}
			s.logger.Warn("expired objects could not be removed; trying again", "err", err)
			if clock.Sleep(ctx, s.options.Backoff, expireBackoff) != nil {
				return
			}
			continue
		}
		if !s.waitForRules(ctx, state, changed, now.Truncate(day).Add(day)) {
			return
		}
	}
}

// passed says whether nothing can be due since the last pass.
func (s *Store) passed(state *State, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.rules == state.rules && (s.last.none || s.last.day.Equal(now.Truncate(day)))
}

// Settled says whether nothing that lifecycles let go, and no file that is forgotten, is still there.
func (s *Store) Settled() bool { return s.passed(s.State(), s.clock.Now().UTC()) && s.files.settled() }

// waitForRules returns at midnight, or when the lifecycles have changed; false when ctx ends.
func (s *Store) waitForRules(ctx context.Context, state *State, changed <-chan struct{}, midnight time.Time) bool {
	var struck <-chan time.Time // never, when there are no lifecycles
	s.mu.Lock()
	none := s.last.none
	s.mu.Unlock()
	if !none {
		timer := s.clock.NewTimer(midnight.Sub(s.clock.Now()))
		defer timer.Stop()
		struck = timer.C()
	}
	for rules := state.rules; state.rules == rules; {
		select {
		case <-struck:
			return true
		case <-changed:
			state, changed = s.watch()
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// expireDue removes everything that is due at now, and says whether there was no lifecycle at all.
func (s *Store) expireDue(ctx context.Context, state *State, now time.Time) (none bool, err error) {
	none = true
	for b := range state.Buckets("") {
		if b.Lifecycle == nil {
			continue
		}
		none = false
		due := DeleteObjects{Account: b.Account, Bucket: b.Name}
		for o := range b.Objects("") {
			if at, _ := b.Expiry(o); at.IsZero() || at.After(now) {
				continue
			}
			due.Items = append(due.Items, Delete{Key: o.Key, Seq: o.Seq})
			if len(due.Items) == expireAtOnce {
				if err := s.proposeForGone(ctx, due); err != nil {
					return none, err
				}
				due.Items = nil
			}
		}
		if len(due.Items) > 0 {
			if err := s.proposeForGone(ctx, due); err != nil {
				return none, err
			}
		}
		aborts := AbortUploads{Account: b.Account, Bucket: b.Name, Silent: true}
		for u := range b.Uploads("", "") {
			if at, _ := b.AbortOf(u); !at.IsZero() && !at.After(now) {
				aborts.Items = append(aborts.Items, Abort{Key: u.Key, Upload: u.ID})
			}
		}
		if len(aborts.Items) > 0 {
			if err := s.proposeForGone(ctx, aborts); err != nil {
				return none, err
			}
		}
	}
	return none, nil
}

// proposeForGone proposes a removal; a bucket that is gone or somebody else's now needs none.
func (s *Store) proposeForGone(ctx context.Context, c Command) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	_, err := s.Propose(ctx, c)
	if _, refused := AsRefusal(err); refused {
		return nil
	}
	return err
}
