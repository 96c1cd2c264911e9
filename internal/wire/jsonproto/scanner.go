package jsonproto

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/weir-stream/weir/internal/wire"
)

// Scanner reads one JSON body from front to back. It takes RFC 8259 and nothing else, copies nothing but strings
// with escapes, and nests at most wire.DepthMax deep. It implements wire.Source; the zero Scanner is at the end
// of an empty body.
//
// The loop over an object is
//
//	entries, err := s.EnterMap()
//	for {
//		more, err := s.More(&entries) // false: the object is over
//		key, err := s.Key()
//		…                             // read or Skip the value
//	}
type Scanner struct {
	data    []byte
	pos     int
	depth   int
	scratch []byte // the last string that had escapes
}

// NewScanner reads data, which must stay unchanged while the Scanner and its slices are in use.
func NewScanner(data []byte) Scanner { return Scanner{data: data} }

// Kind says what comes next, after white space, and consumes nothing else.
func (s *Scanner) Kind() (wire.Kind, error) {
	s.space()
	if s.pos == len(s.data) {
		return wire.KindEnd, nil
	}
	switch c := s.data[s.pos]; c {
	case '{':
		return wire.KindMap, nil
	case '[':
		return wire.KindList, nil
	case '"':
		return wire.KindText, nil
	case 't', 'f':
		return wire.KindBool, nil
	case 'n':
		return wire.KindNull, nil
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return wire.KindNumber, nil
		}
		return wire.KindEnd, s.syntax("no value starts with %q", c)
	}
}

// EnterMap steps into an object.
func (s *Scanner) EnterMap() (wire.Entries, error) { return s.enter('{', '}') }

// EnterList steps into an array.
func (s *Scanner) EnterList() (wire.Entries, error) { return s.enter('[', ']') }

func (s *Scanner) enter(open, closing byte) (wire.Entries, error) {
	s.space()
	if s.pos == len(s.data) || s.data[s.pos] != open {
		return wire.Entries{}, s.syntax("%q expected", open)
	}
	if s.depth == wire.DepthMax {
		return wire.Entries{}, s.syntax("more than %d levels", wire.DepthMax)
	}
	s.depth++
	s.pos++
	return wire.Entries{Left: -1, First: true, Close: closing}, nil
}

// More steps to the next entry; false means that the object or array is over and left.
func (s *Scanner) More(entries *wire.Entries) (bool, error) {
	s.space()
	if s.pos == len(s.data) {
		return false, s.syntax("%q expected", entries.Close)
	}
	if s.data[s.pos] == entries.Close {
		s.pos++
		s.depth--
		return false, nil
	}
	if entries.First {
		entries.First = false
		return true, nil
	}
	if s.data[s.pos] != ',' {
		return false, s.syntax("',' or %q expected", entries.Close)
	}
	s.pos++
	s.space()
	if s.pos < len(s.data) && s.data[s.pos] == entries.Close {
		return false, s.syntax("',' before %q", entries.Close)
	}
	return true, nil
}

// Key reads the name of an object's entry and its colon. It is valid until the next call.
func (s *Scanner) Key() ([]byte, error) {
	key, err := s.Text()
	if err != nil {
		return nil, err
	}
	s.space()
	if s.pos == len(s.data) || s.data[s.pos] != ':' {
		return nil, s.syntax("':' expected")
	}
	s.pos++
	return key, nil
}

// Text reads a string. It is valid until the next call: part of the body, or of the Scanner's own memory when
// it had escapes. Half a surrogate pair becomes U+FFFD; bytes that are not UTF-8 are an error.
func (s *Scanner) Text() ([]byte, error) {
	raw, escaped, err := s.RawText()
	if err != nil || !escaped {
		return raw, err
	}
	s.scratch = unescape(s.scratch[:0], raw)
	return s.scratch, nil
}

// RawText reads a string and returns what stands between its quotes, checked but not unescaped, and whether
// it has escapes. The slice is part of the body and stays valid as long as that does.
func (s *Scanner) RawText() (raw []byte, escaped bool, err error) {
	s.space()
	if s.pos == len(s.data) || s.data[s.pos] != '"' {
		return nil, false, s.syntax("a string expected")
	}
	start := s.pos + 1
	end := start
	quote := -1 // the first quote at or behind end; looked for once, not once per escape
	for {
		if quote < end {
			next := bytes.IndexByte(s.data[end:], '"')
			if next < 0 {
				return nil, false, s.syntax("a string without end")
			}
			quote = end + next
		}
		back := bytes.IndexByte(s.data[end:quote], '\\')
		if back < 0 {
			end = quote
			break
		}
		escaped = true
		size := escapeSize(s.data[end+back:])
		if size == 0 {
			return nil, false, s.syntax("a bad escape in a string")
		}
		end += back + size
	}
	raw = s.data[start:end]
	for _, c := range raw {
		if c < ' ' {
			return nil, false, s.syntax("a control character in a string")
		}
	}
	if !utf8.Valid(raw) {
		return nil, false, s.syntax("a string is not UTF-8")
	}
	s.pos = end + 1
	return raw, escaped, nil
}

// Blob reads a string of base64 into memory of its own. The texts of its errors are Coral's, spelling included.
func (s *Scanner) Blob() ([]byte, error) {
	text, err := s.Text()
	if err != nil {
		return nil, err
	}
	blob := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := strictBase64.Decode(blob, text)
	if err != nil || len(text)%4 != 0 || bytes.ContainsAny(text, "\r\n") {
		return nil, blobError(text)
	}
	return blob[:n], nil
}

var strictBase64 = base64.StdEncoding.Strict()

// blobError says what is wrong with text, in the order in which Coral looks.
func blobError(text []byte) error {
	prefix := "'" + wire.Excerpt(string(text)) + "' can not be converted to a Blob: "
	if len(text)%4 != 0 {
		return wire.SerializationError(prefix + "Base64 encoded length is expected a multiple of 4 bytes but found: " + strconv.Itoa(len(text)))
	}
	for i, c := range text {
		alphabet := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/'
		padding := c == '=' && len(bytes.TrimLeft(text[i:], "=")) == 0 && len(text)-i <= 2
		if alphabet || padding {
			continue
		}
		bad, _ := utf8.DecodeRune(text[i:])
		return wire.SerializationError(prefix + "Invalid Base64 character: '" + string(bad) + "'")
	}
	return wire.SerializationError(prefix + "Invalid last non-pad Base64 character dectected")
}

// Bool reads true or false.
func (s *Scanner) Bool() (bool, error) {
	if s.literal("true") {
		return true, nil
	}
	if s.literal("false") {
		return false, nil
	}
	return false, s.syntax("a bad literal")
}

// Int reads a number, cuts off its fraction and holds it within int64.
func (s *Scanner) Int() (int64, error) {
	number, err := s.number()
	if err != nil {
		return 0, err
	}
	return scaled(number, 0, false), nil
}

// Float reads a number.
func (s *Scanner) Float() (float64, error) {
	number, err := s.number()
	if err != nil {
		return 0, err
	}
	value, err := strconv.ParseFloat(string(number), 64)
	if err != nil {
		return 0, s.syntax("a number beyond all floats")
	}
	return value, nil
}

// Millis reads seconds, whole or not, and gives milliseconds, rounded half away from zero and held within int64.
func (s *Scanner) Millis() (int64, error) {
	number, err := s.number()
	if err != nil {
		return 0, err
	}
	return scaled(number, 3, true), nil
}

// Skip reads a value of any kind and forgets it.
func (s *Scanner) Skip() error {
	kind, err := s.Kind()
	if err != nil {
		return err
	}
	switch kind {
	case wire.KindNull:
		if !s.literal("null") {
			return s.syntax("a bad literal")
		}
	case wire.KindBool:
		_, err = s.Bool()
	case wire.KindNumber:
		_, err = s.number()
	case wire.KindText:
		_, _, err = s.RawText()
	case wire.KindMap, wire.KindList:
		err = s.skipEntries(kind)
	default:
		err = s.syntax("a value expected")
	}
	return err
}

func (s *Scanner) skipEntries(kind wire.Kind) error {
	enter := s.EnterList
	if kind == wire.KindMap {
		enter = s.EnterMap
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
		if kind == wire.KindMap {
			if _, err := s.Key(); err != nil {
				return err
			}
		}
		if err := s.Skip(); err != nil {
			return err
		}
	}
}

// End checks that only white space is left.
func (s *Scanner) End() error {
	s.space()
	if s.pos != len(s.data) {
		return s.syntax("something follows the value")
	}
	return nil
}

func (s *Scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

func (s *Scanner) literal(word string) bool {
	s.space()
	if !bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
		return false
	}
	s.pos += len(word)
	return true
}

func (s *Scanner) syntax(format string, args ...any) error {
	return wire.SyntaxError("json: byte "+strconv.Itoa(s.pos)+": "+format, args...)
}

// escapeSize is the length of the escape that data starts with, or 0 when it is none.
func escapeSize(data []byte) int {
	if len(data) < 2 {
		return 0
	}
	switch data[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(data); ok {
			return 6
		}
	}
	return 0
}

// hex4 reads \uXXXX.
func hex4(data []byte) (rune, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range data[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unescape appends raw, whose escapes RawText has checked, to dst.
func unescape(dst, raw []byte) []byte {
	for {
		back := bytes.IndexByte(raw, '\\')
		if back < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:back]...)
		raw = raw[back:]
		if raw[1] != 'u' {
			dst = append(dst, unescaped[raw[1]])
			raw = raw[2:]
			continue
		}
		r, _ := hex4(raw)
		raw = raw[6:]
		if utf16.IsSurrogate(r) {
			low, _ := hex4(raw)
			r = utf16.DecodeRune(r, low)
			if r != utf8.RuneError {
				raw = raw[6:]
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
}

var unescaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}
