package agent

import (
	"bytes"
	"strings"
	"time"

	"github.com/weir-stream/weir/client/follow"
)

// item is a record on its way, and where it came from.
type item struct {
	Record
	file   string // key of the file in the flow's Set
	path   string
	offset int64
	batch  *follow.Batch // line is its first line there
	line   int
	read   time.Time
}

func (i *item) bytes() int { return len(i.Data) + len(i.Key) }

// before is the position from which the item is read again.
func (i *item) before() follow.Position { return i.batch.Before(i.line) }

// splitter makes records of the lines of one file.
type splitter struct {
	header int  // lines of the header still to be skipped
	ended  bool // the footer was met

	// open is a record that may go on: lines up to the next start pattern, or up to the size that lines are joined to. Nil when there is none.
	open  *item
	since time.Time // when open began
}

// split gives the finished records of a batch to emit. Memory is bounded by the largest record: what goes beyond is dropped, as it would be cut off anyway.
func (s *splitter) split(c *FlowConfig, file string, batch *follow.Batch, now time.Time, emit func(*item)) {
	if batch.Start == 0 { // another file, or the same one truncated
		s.close(c, emit)
		s.header, s.ended = c.SkipHeaderLines, false
	}
	for i, line := range batch.Lines {
		if s.header > 0 {
			s.header--
			continue
		}
		if s.ended {
			continue
		}
		text := make([]byte, len(line), len(line)+1)
		copy(text, line)
		if last := i == len(batch.Lines)-1; !last || !batch.Unended && !batch.CutOff {
			text = append(text, '\n')
		}
		next := &item{Record: Record{Data: text}, file: file, path: batch.Path, offset: batch.Offset(i), batch: batch, line: i}
		switch {
		case c.StartPattern != nil && s.open != nil && !c.StartPattern.Match(line):
			if len(s.open.Data) <= c.RecordBytesMax() {
				s.open.Data = append(s.open.Data, text...)
			}
		case c.AggregateBytes > 0 && s.open != nil && len(s.open.Data)+len(text) <= c.AggregateBytes && !c.isFooter(text):
			s.open.Data = append(s.open.Data, text...)
		case c.StartPattern != nil || c.AggregateBytes > 0 && !c.isFooter(text):
			s.close(c, emit)
			s.open, s.since = next, now
		default:
			s.close(c, emit)
			s.finish(c, next, emit)
		}
	}
}

// close finishes the open record.
func (s *splitter) close(c *FlowConfig, emit func(*item)) {
	if s.open == nil {
		return
	}
	open := s.open
	s.open = nil
	s.finish(c, open, emit)
}

// finish hands a record on, unless it is the footer.
func (s *splitter) finish(c *FlowConfig, one *item, emit func(*item)) {
	if s.ended {
		return
	}
	if c.isFooter(one.Data) {
		s.ended = true
		return
	}
	emit(one)
}

func (c *FlowConfig) isFooter(text []byte) bool {
	return c.FooterPattern != nil && c.FooterPattern.MatchString(strings.TrimFunc(string(text), func(r rune) bool { return r <= ' ' }))
}

// cut shortens a record that is too large for its service, so that it ends with the terminator.
func (c *FlowConfig) cut(r *Record) bool {
	room := c.RecordBytesMax() - len(r.Key)
	if len(r.Data) <= room {
		return false
	}
	r.Data = append(bytes.Clone(r.Data[:room-len(c.Terminator)]), c.Terminator...)
	return true
}
