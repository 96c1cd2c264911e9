package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// stripComments blanks /* */ and // comments outside of texts, so that offsets and lines stay what they were. The Kinesis Agent's reader allows them.
func stripComments(text []byte) []byte {
	out := bytes.Clone(text)
	blank := func(from, to int) {
		for i := from; i < to; i++ {
			if out[i] != '\n' {
				out[i] = ' '
			}
		}
	}
	for i := 0; i < len(out); i++ {
		switch {
		case out[i] == '"':
			for i++; i < len(out) && out[i] != '"'; i++ {
				if out[i] == '\\' {
					i++
				}
			}
		case bytes.HasPrefix(out[i:], []byte("//")):
			end := bytes.IndexByte(out[i:], '\n')
			if end < 0 {
				end = len(out) - i
			}
			blank(i, i+end)
			i += end - 1
		case bytes.HasPrefix(out[i:], []byte("/*")):
			end := bytes.Index(out[i+2:], []byte("*/"))
			if end < 0 {
				return out // what is left is no JSON, and the reader says where
			}
			blank(i, i+end+4)
			i += end + 3
		}
	}
	return out
}

// parseObject reads one JSON object with comments. An error names the line.
func parseObject(text []byte) (map[string]json.RawMessage, error) {
	plain := stripComments(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	var object map[string]json.RawMessage
	err := json.Unmarshal(plain, &object)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line := 1 + bytes.Count(plain[:min(int(syntax.Offset), len(plain))], []byte("\n"))
		return nil, fmt.Errorf("line %d: %w", line, err)
	}
	if err == nil && object == nil {
		err = errors.New("it holds no JSON object")
	}
	return object, err
}

// member is a name and its value. Objects are slices of members, because their order is kept.
type member struct {
	name  string
	value any // nil, bool, json.Number, string, []any or []member
}

// parseOrdered reads a JSON value and keeps the order of members.
func parseOrdered(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	value, err := orderedValue(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	return value, nil
}

func orderedValue(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		object := []member{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			value, err := orderedValue(d)
			if err != nil {
				return nil, err
			}
			object = append(object, member{name.(string), value})
		}
		_, err := d.Token()
		return object, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			value, err := orderedValue(d)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err := d.Token()
		return list, err
	}
	return token, nil
}

// printer writes JSON as the Kinesis Agent does: compact, or with two blanks of indentation, " : " after names and lists on one line.
type printer struct{ pretty bool }

func (p printer) print(out *strings.Builder, value any, depth int) {
	switch v := value.(type) {
	case []member:
		p.object(out, v, depth)
	case []any:
		p.list(out, v, depth)
	case string:
		quote(out, v)
	case json.Number:
		out.WriteString(v.String())
	case bool:
		fmt.Fprintf(out, "%t", v)
	default:
		out.WriteString("null")
	}
}

func (p printer) object(out *strings.Builder, members []member, depth int) {
	if p.pretty && len(members) == 0 {
		out.WriteString("{ }")
		return
	}
	out.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			out.WriteByte(',')
		}
		if p.pretty {
			out.WriteString("\n" + strings.Repeat("  ", depth+1))
		}
		quote(out, m.name)
		if p.pretty {
			out.WriteByte(' ')
		}
		out.WriteByte(':')
		if p.pretty {
			out.WriteByte(' ')
		}
		p.print(out, m.value, depth+1)
	}
	if p.pretty {
		out.WriteString("\n" + strings.Repeat("  ", depth))
	}
	out.WriteByte('}')
}

func (p printer) list(out *strings.Builder, values []any, depth int) {
	separator, pad := ",", ""
	if p.pretty {
		separator, pad = ", ", " "
	}
	out.WriteString("[" + pad)
	for i, v := range values {
		if i > 0 {
			out.WriteString(separator)
		}
		p.print(out, v, depth)
	}
	if p.pretty && len(values) > 0 {
		out.WriteByte(' ')
	}
	out.WriteByte(']')
}

// quote writes a text with the escapes that JSON demands and no others.
func quote(out *strings.Builder, text string) {
	out.WriteByte('"')
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '"' || r == '\\':
			out.WriteByte('\\')
			out.WriteByte(byte(r))
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\r':
			out.WriteString(`\r`)
		case r == '\t':
			out.WriteString(`\t`)
		case r == '\b':
			out.WriteString(`\b`)
		case r == '\f':
			out.WriteString(`\f`)
		case r < ' ':
			fmt.Fprintf(out, `\u%04X`, r)
		default:
			out.WriteRune(r) // what is no UTF-8 becomes U+FFFD
		}
		i += size
	}
	out.WriteByte('"')
}

// put sets a member: in the place of an earlier one of that name, or at the end.
func put(object []member, name string, value any) []member {
	for i := range object {
		if object[i].name == name {
			object[i].value = value
			return object
		}
	}
	return append(object, member{name, value})
}
