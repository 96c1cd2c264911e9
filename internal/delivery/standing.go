package delivery

import "time"

// Standing is how a delivery stream stands now, over all shards of its source.
type Standing struct {
	// Records and Bytes are what was read and not delivered: buffers that are open, and those that wait for their turn or for the destination.
	Records, Bytes int64
	// Oldest is when the oldest of them arrived, and Due when the buffer that closes next does so at the latest. Zero is none.
	Oldest, Due time.Time
	// Behind is how old the oldest record is that was not read; 0 when there is none.
	Behind time.Duration
	// Code is what keeps an object from being delivered, in AWS's words, Reason the last failure of that kind, Tries how often it was tried, and Next when it will be again. Empty
	// when nothing does.
	Code, Reason string
	Tries        int
	Next         time.Time
}

// Standing is how the delivery stream of a number stands. It is zero while none is at work.
func (e *Engine) Standing(number uint64) Standing {
	e.mu.RLock()
	r := e.runners[number]
	e.mu.RUnlock()
	if r == nil {
		return Standing{}
	}
	all := Standing{Behind: r.reader.Lag()}
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.shards {
		s.mu.Lock()
		one := s.standing
		s.mu.Unlock()
		all.Records, all.Bytes = all.Records+one.Records, all.Bytes+one.Bytes
		all.Oldest, all.Due = earlier(all.Oldest, one.Oldest), earlier(all.Due, one.Due)
		if one.Code != "" && (all.Code == "" || one.Tries > all.Tries) {
			all.Code, all.Reason, all.Tries, all.Next = one.Code, one.Reason, one.Tries, one.Next
		}
	}
	return all
}

// earlier is the earlier of two times, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// note tells what the shard holds.
func (s *shardRun) note() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := Standing{Due: s.gather.due(), Code: s.standing.Code, Reason: s.standing.Reason, Tries: s.standing.Tries, Next: s.standing.Next}
	for _, sp := range append(s.gather.closed[:len(s.gather.closed):len(s.gather.closed)], s.gather.open) {
		if sp.empty() {
			continue
		}
		now.Records, now.Bytes, now.Oldest = now.Records+sp.records, now.Bytes+sp.bytes, earlier(now.Oldest, sp.oldest)
	}
	s.standing = now
}

// failed tells of a try that failed, and when the next one is; an empty code says that nothing is wrong any more.
func (s *shardRun) failed(code, reason string, tries int, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standing.Code, s.standing.Reason, s.standing.Tries, s.standing.Next = code, reason, tries, next
}
