package catalog

// LastGroup is the highest group that was given out: that of the newest stream, whether it still exists or not.
func (s *State) LastGroup() uint64 { return s.lastGroup }
