package mapping

// work is a batch on its way, as the parts into which it has been cut. It is plain: the worker invokes, and work says what is next.
//
//	            failed, may be bisected       failed, tries left      failed, no tries left
//	[4 5 6]  →  [4] [5 6]                     [4 5 6]                 discarded
//	            success up to 5               success
//	         →  [5 6]                         nothing
//
// Each part that a cut makes is a batch of its own: its tries are counted from the beginning. A cut is no try. So a batch is bisected down to the record that fails also when no
// retries are allowed, and a record that fails behind others that succeeded is given to the function once with them and then as often as a batch of its own.
type work struct {
	parts []part // in order; the first is next
}

// part is records that go to the function together.
type part struct {
	records []record
	invokes int // that reached the function
	failed  int // of those, how many failed
	missed  int // tries since that did not reach it
	last    Result
	blamed  bool // the last failure was one that the function reported itself
}

// next is what to do with the first part after a verdict.
type next uint8

const (
	proceed next = iota // with the part that is first now, at once
	retry               // with the same part, after a pause
	discard             // the first part is given up
)

// judged moves on after a verdict over the first part, and says how many records, from the front, are done.
func (w *work) judged(v verdict, c *Config) (done int, then next) {
	p := &w.parts[0]
	if v.outcome != again {
		p.invokes++
		p.missed = 0
	}
	switch v.outcome {
	case succeeded:
		return w.drop(), proceed
	case partly:
		w.cut(v.at)
		return w.drop(), proceed
	case again:
		p.missed++
		return 0, retry
	case impossible:
		if len(p.records) > 1 {
			w.cut(len(p.records) / 2)
			return 0, proceed
		}
		return 0, discard
	default:
		p.blamed = v.reported
		if c.Bisect && !v.reported && len(p.records) > 1 {
			w.cut(len(p.records) / 2)
			return 0, proceed
		}
		if p.failed++; c.Retries != Forever && p.failed > c.Retries {
			return 0, discard
		}
		return 0, retry
	}
}

// cut makes two parts of the first one, the first with n records.
func (w *work) cut(n int) {
	records := w.parts[0].records
	w.parts = append([]part{{records: records[:n:n]}, {records: records[n:]}}, w.parts[1:]...)
}

// drop takes the first part away, and says how many records it had.
func (w *work) drop() int {
	n := len(w.parts[0].records)
	w.parts = w.parts[1:]
	return n
}

// expired cuts off the records, from the front, that arrived before a time, and gives how many they are: the first part is they then.
func (w *work) expired(before int64) int {
	p := &w.parts[0]
	n := 0
	for n < len(p.records) && p.records[n].arrival < before {
		n++
	}
	if n > 0 && n < len(p.records) {
		was := *p
		w.cut(n)
		was.records = w.parts[0].records
		w.parts[0] = was // what is told of them is what happened to them
		rest := was
		rest.records = w.parts[1].records
		w.parts[1] = rest // and the others have been tried as often
	}
	return n
}
