package kinesis

import (
	"bytes"
	"unicode/utf8"
)

// scanJSON reads the plain case of a PutRecord or PutRecords body without copying: an object of known members whose strings
// have no escapes. It says false for everything else (a member of another type, an escape, a null, damage), and the general
// codec then decodes the same bytes or finds the exact words for what is wrong with them. So the scanner never has to report an error.
func (r *putRequest) scanJSON(body []byte, single bool) bool {
	s := jsonScanner{buf: body}
	if single {
		var e entry
		if !s.open('{') {
			return false
		}
		for {
			name, ok := s.name()
			if !ok || !r.member(&s, name) && !e.member(&s, name) {
				return false
			}
			if more, ok := s.more('}'); !ok {
				return false
			} else if !more {
				break
			}
		}
		r.entries = append(r.entries, e)
		return s.end()
	}
	if !s.open('{') {
		return false
	}
	for {
		name, ok := s.name()
		if !ok {
			return false
		}
		if string(name) == "Records" {
			ok = len(r.entries) == 0 && r.scanRecords(&s)
		} else {
			ok = r.member(&s, name)
		}
		if !ok {
			return false
		}
		if more, ok := s.more('}'); !ok {
			return false
		} else if !more {
			return s.end()
		}
	}
}

// scanRecords reads the array of records.
func (r *putRequest) scanRecords(s *jsonScanner) bool {
	if !s.open('[') {
		return false
	}
	for {
		var e entry
		if len(r.entries) == putRecordsMax || !s.open('{') {
			return false
		}
		for {
			name, ok := s.name()
			if !ok || !e.member(s, name) {
				return false
			}
			if more, ok := s.more('}'); !ok {
				return false
			} else if !more {
				break
			}
		}
		r.entries = append(r.entries, e)
		if more, ok := s.more(']'); !ok || !more {
			return ok
		}
	}
}

// member reads a member of the request itself. DryRun, StreamId, SequenceNumberForOrdering and what is unknown take the general way.
func (r *putRequest) member(s *jsonScanner, name []byte) bool {
	switch string(name) {
	case "StreamName":
		return s.text(&r.streamName)
	case "StreamARN":
		return s.text(&r.streamARN)
	}
	return false
}

// member reads a member of one record.
func (e *entry) member(s *jsonScanner, name []byte) bool {
	switch string(name) {
	case "Data":
		e.encoded = true
		return s.raw(&e.data)
	case "PartitionKey":
		return s.text(&e.partitionKey)
	case "ExplicitHashKey":
		return s.text(&e.explicitHashKey)
	}
	return false
}

// jsonScanner walks JSON text. Every method says whether what it expects stands at the place reached, and moves behind it.
// Empty objects and arrays are not expected anywhere: the operations have required members.
type jsonScanner struct {
	buf []byte
	at  int
}

// next is the next byte that is not white space, or 0 at the end, with the scanner behind it.
func (s *jsonScanner) next() byte {
	for s.at < len(s.buf) {
		b := s.buf[s.at]
		s.at++
		if b != ' ' && b != '\n' && b != '\t' && b != '\r' {
			return b
		}
	}
	return 0
}

func (s *jsonScanner) open(bracket byte) bool { return s.next() == bracket }

// name reads a member's name and the colon behind it.
func (s *jsonScanner) name() (name []byte, ok bool) {
	ok = s.text(&name) && s.next() == ':'
	return name, ok
}

// more says whether another member or element follows, or the bracket that ends them.
func (s *jsonScanner) more(end byte) (more, ok bool) {
	b := s.next()
	return b == ',', b == ',' || b == end
}

// end says whether nothing but white space is left.
func (s *jsonScanner) end() bool { return s.next() == 0 && s.at == len(s.buf) }

// raw reads a string that has no escapes, without looking at its characters: base64 is judged by its decoder. A value that stands
// twice is refused, so that the general codec decides which of the two counts.
func (s *jsonScanner) raw(into *[]byte) bool {
	if *into != nil || s.next() != '"' {
		return false
	}
	n := bytes.IndexByte(s.buf[s.at:], '"')
	if n < 0 {
		return false
	}
	text := s.buf[s.at : s.at+n : s.at+n]
	if bytes.IndexByte(text, '\\') >= 0 {
		return false
	}
	s.at += n + 1
	*into = text
	return true
}

// text is raw for strings that people read: valid UTF-8 without control characters.
func (s *jsonScanner) text(into *[]byte) bool {
	if !s.raw(into) {
		return false
	}
	for _, b := range *into {
		if b < ' ' || b >= utf8.RuneSelf {
			return utf8.Valid(*into) && bytes.IndexFunc(*into, func(r rune) bool { return r < ' ' }) < 0
		}
	}
	return true
}
