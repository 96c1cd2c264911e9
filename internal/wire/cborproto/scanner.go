package cborproto

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/weir-stream/weir/internal/wire"
)

// Scanner reads one CBOR body from front to back. It allocates nothing but the memory of strings that come in
// chunks, never more than the body is long, and nests at most wire.DepthMax deep. It implements wire.Source;
// the zero Scanner is at the end of an empty body.
//
// The loop over a map is
//
//	entries, err := s.EnterMap()
//	for {
//		more, err := s.More(&entries) // false: the map is over
//		key, err := s.Key()
//		…                             // read or Skip the value
//	}
type Scanner struct {
	data    []byte
	pos     int
	depth   int
	scratch []byte // the last string that came in chunks
	chunked bool   // the last string did
}

// NewScanner reads data, which must stay unchanged while the Scanner and its slices are in use.
func NewScanner(data []byte) Scanner { return Scanner{data: data} }

// Kind reads over tags and says what comes next.
func (s *Scanner) Kind() (wire.Kind, error) {
	if s.pos == len(s.data) {
		return wire.KindEnd, nil
	}
	h, err := s.peek()
	if err != nil {
		return wire.KindEnd, err
	}
	switch h.major {
	case majorUint, majorNegInt:
		return wire.KindNumber, nil
	case majorBytes:
		return wire.KindBlob, nil
	case majorText:
		return wire.KindText, nil
	case majorArray:
		return wire.KindList, nil
	case majorMap:
		return wire.KindMap, nil
	}
	switch h.info {
	case simpleFalse, simpleTrue:
		return wire.KindBool, nil
	case simpleNull, simpleUndefined:
		return wire.KindNull, nil
	case simpleFloat16, simpleFloat32, simpleFloat64:
		return wire.KindNumber, nil
	}
	return wire.KindEnd, s.syntax("simple value %d", h.info)
}

// peek reads over tags and gives the head of what they are on.
func (s *Scanner) peek() (head, error) {
	for {
		h, ok := readHead(s.data[s.pos:])
		if !ok {
			return head{}, s.syntax("a bad or cut off head")
		}
		if h.major != majorTag {
			return h, nil
		}
		s.pos += h.size
	}
}

// EnterMap steps into a map.
func (s *Scanner) EnterMap() (wire.Entries, error) { return s.enter(majorMap, 2) }

// EnterList steps into an array.
func (s *Scanner) EnterList() (wire.Entries, error) { return s.enter(majorArray, 1) }

// enter steps into what has major; an entry of it takes at least bytesMin.
func (s *Scanner) enter(major byte, bytesMin uint64) (wire.Entries, error) {
	h, err := s.peek()
	if err != nil {
		return wire.Entries{}, err
	}
	if h.major != major {
		return wire.Entries{}, s.syntax("major type %d where %d is expected", h.major, major)
	}
	if s.depth == wire.DepthMax {
		return wire.Entries{}, s.syntax("more than %d levels", wire.DepthMax)
	}
	s.depth++
	s.pos += h.size
	if h.info == infoIndefinite {
		return wire.Entries{Left: -1}, nil
	}
	if h.arg > uint64(len(s.data)-s.pos)/bytesMin {
		return wire.Entries{}, s.syntax("%d entries announced, %d bytes left", h.arg, len(s.data)-s.pos)
	}
	return wire.Entries{Left: int(h.arg)}, nil
}

// More steps to the next entry; false means that the map or array is over and left.
func (s *Scanner) More(entries *wire.Entries) (bool, error) {
	switch {
	case entries.Left > 0:
		entries.Left--
		return true, nil
	case entries.Left == 0:
		s.depth--
		return false, nil
	case isBreak(s.data[s.pos:]):
		s.pos++
		s.depth--
		return false, nil
	case s.pos == len(s.data):
		return false, s.syntax("the body ends inside an indefinite length")
	}
	return true, nil
}

// Key reads the key of a map's entry, which must be text. It is valid until the next call.
func (s *Scanner) Key() ([]byte, error) { return s.Text() }

// Text reads a text string: part of the body, or of the Scanner's own memory, valid until the next call, when it
// came in chunks. Bytes that are not UTF-8 are an error.
func (s *Scanner) Text() ([]byte, error) {
	text, err := s.chunks(majorText)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(text) {
		return nil, s.syntax("text is not UTF-8")
	}
	return text, nil
}

// Bytes reads a byte string: part of the body, or of the Scanner's own memory, valid until the next call, when
// it came in chunks.
func (s *Scanner) Bytes() ([]byte, error) { return s.chunks(majorBytes) }

// Chunked says whether the last string that was read came in chunks, and so is not a part of the body.
func (s *Scanner) Chunked() bool { return s.chunked }

// Blob reads a byte string into memory of its own.
func (s *Scanner) Blob() ([]byte, error) {
	kind, err := s.Kind()
	if err != nil {
		return nil, err
	}
	if kind == wire.KindText {
		return nil, wire.ConversionError(kind, "a Blob")
	}
	data, err := s.chunks(majorBytes)
	if err != nil {
		return nil, err
	}
	return append(make([]byte, 0, len(data)), data...), nil
}

func (s *Scanner) chunks(major byte) ([]byte, error) {
	h, err := s.peek()
	if err != nil {
		return nil, err
	}
	if h.major != major {
		return nil, s.syntax("major type %d where %d is expected", h.major, major)
	}
	s.pos += h.size
	s.chunked = h.info == infoIndefinite
	if !s.chunked {
		return s.take(h.arg)
	}
	s.scratch = s.scratch[:0]
	for !isBreak(s.data[s.pos:]) {
		chunk, ok := readHead(s.data[s.pos:])
		if !ok || chunk.major != major || chunk.info == infoIndefinite {
			return nil, s.syntax("a bad chunk of a string")
		}
		s.pos += chunk.size
		data, err := s.take(chunk.arg)
		if err != nil {
			return nil, err
		}
		if major == majorText && !utf8.Valid(data) {
			return nil, s.syntax("a chunk of text is not UTF-8") // RFC 8949 §3.2.3: none splits a character
		}
		s.scratch = append(s.scratch, data...)
	}
	s.pos++
	return s.scratch, nil
}

// take reads size bytes.
func (s *Scanner) take(size uint64) ([]byte, error) {
	if size > uint64(len(s.data)-s.pos) {
		return nil, s.syntax("%d bytes announced, %d left", size, len(s.data)-s.pos)
	}
	data := s.data[s.pos : s.pos+int(size) : s.pos+int(size)]
	s.pos += int(size)
	return data, nil
}

// Bool reads true or false.
func (s *Scanner) Bool() (bool, error) {
	h, err := s.peek()
	if err != nil {
		return false, err
	}
	if h.major != majorSimple || h.info != simpleFalse && h.info != simpleTrue {
		return false, s.syntax("a boolean expected")
	}
	s.pos += h.size
	return h.info == simpleTrue, nil
}

// Int reads a number, cuts off its fraction and holds it within int64. What is not a number is 0.
func (s *Scanner) Int() (int64, error) { return s.integer(math.Trunc) }

// Millis reads a timestamp, with its tag or without: milliseconds since 1970, held within int64. A fraction,
// which no known client sends, is rounded half away from zero.
func (s *Scanner) Millis() (int64, error) { return s.integer(math.Round) }

func (s *Scanner) integer(whole func(float64) float64) (int64, error) {
	h, err := s.peek()
	if err != nil {
		return 0, err
	}
	switch {
	case h.major == majorUint:
		s.pos += h.size
		return int64(min(h.arg, math.MaxInt64)), nil
	case h.major == majorNegInt:
		s.pos += h.size
		return -1 - int64(min(h.arg, math.MaxInt64)), nil
	}
	value, err := s.Float()
	if err != nil {
		return 0, err
	}
	switch value = whole(value); {
	case math.IsNaN(value):
		return 0, nil
	case value >= math.MaxInt64:
		return math.MaxInt64, nil
	case value <= math.MinInt64:
		return math.MinInt64, nil
	}
	return int64(value), nil
}

// Float reads a number.
func (s *Scanner) Float() (float64, error) {
	h, err := s.peek()
	if err != nil {
		return 0, err
	}
	switch {
	case h.major == majorUint:
		s.pos += h.size
		return float64(h.arg), nil
	case h.major == majorNegInt:
		s.pos += h.size
		return -1 - float64(h.arg), nil
	case h.major == majorSimple && h.info >= simpleFloat16 && h.info <= simpleFloat64:
		s.pos += h.size
		return h.float(), nil
	}
	return 0, s.syntax("a number expected")
}

// Skip reads a value of any kind and forgets it.
func (s *Scanner) Skip() error {
	h, err := s.peek()
	if err != nil {
		return err
	}
	switch h.major {
	case majorBytes:
		_, err := s.Bytes()
		return err
	case majorText:
		_, err := s.Text()
		return err
	case majorArray, majorMap:
		return s.skipEntries(h.major)
	}
	if h.info == infoIndefinite {
		return s.syntax("a break where a value is expected")
	}
	s.pos += h.size
	return nil
}

func (s *Scanner) skipEntries(major byte) error {
	values, enter := 1, s.EnterList
	if major == majorMap {
		values, enter = 2, s.EnterMap
	}
	entries, err := enter()
	if err != nil {
		return err
	}
	for {
		more, err := s.More(&entries)
		if err != nil || !more {
			return err
		}
		for range values {
			if err := s.Skip(); err != nil {
				return err
			}
		}
	}
}

// End checks that nothing is left.
func (s *Scanner) End() error {
	if s.pos != len(s.data) {
		return s.syntax("something follows the value")
	}
	return nil
}

func (s *Scanner) syntax(format string, args ...any) error {
	return wire.SyntaxError("cbor: byte "+strconv.Itoa(s.pos)+": "+format, args...)
}
