package mapping

// leftover is what a shard's run that was stopped had not done, where lanes had done later records already: the next run of the same server passes those by. It is not durable:
// a crash repeats them.
type leftover struct {
	from  int64          // the checkpoint
	until int64          // what stands from here on was not read
	left  map[int64]bool // positions between that are not done
}

// done says whether the record at a position, at the checkpoint or behind it, was done by the run before.
func (l *leftover) done(position int64) bool {
	return l != nil && position < l.until && !l.left[position]
}

// rest is what the run leaves. Its workers have ended.
func (s *shardRun) rest() *leftover {
	l := &leftover{from: s.shard.Position(), until: s.shard.Position(), left: map[int64]bool{}}
	for i := range s.lanes {
		for j := range s.lanes[i].records {
			position := s.lanes[i].records[j].position
			l.left[position] = true
			l.from = min(l.from, position)
		}
	}
	if s.before != nil && s.before.until > l.until { // it did not come as far as the run before it
		for position := range s.before.left {
			if position >= l.until {
				l.left[position] = true
			}
		}
		l.until = s.before.until
	}
	return l
}
