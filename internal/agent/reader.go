package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Note is something that a person should know of a configuration, though it is no mistake.
type Note struct {
	Where string `json:"where"` // the file, and the flow
	Key   string `json:"key"`
	Text  string `json:"text"`
}

// String is the note on a line.
func (n Note) String() string { return fmt.Sprintf("%s: %s: %s", n.Where, n.Key, n.Text) }

// findings are all mistakes and notes of a configuration.
type findings struct {
	wrong []error
	notes []Note
}

// reader reads the keys of one JSON object, and knows in the end which nobody asked for. Values are taken as the Kinesis Agent takes them: a number may be
// written as a text, a truth value as "yes".
type reader struct {
	*findings
	where string
	keys  map[string]json.RawMessage
	asked map[string]bool
}

func newReader(f *findings, where string, keys map[string]json.RawMessage) *reader {
	return &reader{findings: f, where: where, keys: keys, asked: map[string]bool{}}
}

// refuse says that the value of a key is wrong.
func (r *reader) refuse(key, format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Errorf("%s: %s: %s", r.where, key, fmt.Sprintf(format, args...)))
}

// note says something about a key.
func (r *reader) note(key, text string) { r.notes = append(r.notes, Note{r.where, key, text}) }

// has says whether a key is there and not null.
func (r *reader) has(key string) bool {
	raw, ok := r.keys[key]
	return ok && string(raw) != "null"
}

// raw is the value of a key as it is written.
func (r *reader) raw(key string) (json.RawMessage, bool) {
	r.asked[key] = true
	if !r.has(key) {
		return nil, false
	}
	return r.keys[key], true
}

// scalar is a value as text: texts as they are, numbers and truth values as they are written.
func (r *reader) scalar(key string) (string, bool) {
	raw, ok := r.raw(key)
	if !ok {
		return "", false
	}
	switch raw[0] {
	case '{', '[':
		r.refuse(key, "%s is no single value", short(string(raw)))
		return "", false
	case '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			r.refuse(key, "%v", err)
			return "", false
		}
		return text, true
	}
	return string(raw), true
}

// short is the beginning of a value, for messages.
func short(text string) string {
	if len(text) > 60 {
		return text[:60] + "…"
	}
	return text
}

func (r *reader) text(key, otherwise string) string {
	if text, ok := r.scalar(key); ok {
		return text
	}
	return otherwise
}

// required is a text that has to be there and not be empty.
func (r *reader) required(key string) string {
	text := r.text(key, "")
	if text == "" {
		r.refuse(key, "it is needed")
	}
	return text
}

// number is a whole number from least to most.
func (r *reader) number(key string, otherwise, least, most int64) int64 {
	text, ok := r.scalar(key)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	switch {
	case err != nil:
		r.refuse(key, "%q is no whole number", short(text))
	case n < least && most == math.MaxInt64:
		r.refuse(key, "%d is less than %d", n, least)
	case n < least || n > most:
		r.refuse(key, "%d is outside of %d to %d", n, least, most)
	default:
		return n
	}
	return otherwise
}

func (r *reader) truth(key string, otherwise bool) bool {
	text, ok := r.scalar(key)
	if !ok {
		return otherwise
	}
	switch strings.ToLower(text) {
	case "true", "yes", "t", "y", "1":
		return true
	case "false", "no", "f", "n", "0":
		return false
	}
	r.refuse(key, "%q is neither true nor false", short(text))
	return otherwise
}

// oneOf is one of some words.
func (r *reader) oneOf(key, otherwise string, words ...string) string {
	text, ok := r.scalar(key)
	if !ok {
		return otherwise
	}
	if !slices.Contains(words, text) {
		r.refuse(key, "%q is none of %s", short(text), listed(words))
		return otherwise
	}
	return text
}

func listed(words []string) string { return strings.Join(words, ", ") }

// texts is a list of texts.
func (r *reader) texts(key string) []string {
	raw, ok := r.raw(key)
	if !ok {
		return nil
	}
	var values []any
	if err := json.Unmarshal(raw, &values); err != nil {
		r.refuse(key, "%s is no list", short(string(raw)))
		return nil
	}
	texts := make([]string, len(values))
	for i, v := range values {
		if texts[i], ok = v.(string); !ok {
			r.refuse(key, "%s is no list of texts", short(string(raw)))
			return nil
		}
	}
	return texts
}

// objects reads a list of objects, each with a reader of its own.
func (r *reader) objects(key string) []*reader {
	raw, ok := r.raw(key)
	if !ok {
		return nil
	}
	var values []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		r.refuse(key, "%s is no list of objects", short(string(raw)))
		return nil
	}
	readers := make([]*reader, len(values))
	for i, keys := range values {
		readers[i] = newReader(r.findings, fmt.Sprintf("%s: %s[%d]", r.where, key, i), keys)
	}
	return readers
}

// pattern is a Java pattern put into a frame. What Go's RE2 has no means for is refused: looking ahead and behind, back references, possessive quantifiers.
func (r *reader) pattern(key, otherwise, frame string) *regexp.Regexp {
	text := r.text(key, otherwise)
	compiled, err := regexp.Compile(text)
	if err == nil {
		compiled, err = regexp.Compile(fmt.Sprintf(frame, text))
	}
	if err != nil {
		cause := err
		if inner := errors.Unwrap(err); inner != nil {
			cause = inner
		}
		r.refuse(key, "%q is a pattern that weir agent cannot use (it has RE2, without looking around, back references and possessive quantifiers): %v", short(text), cause)
		return regexp.MustCompile(`\z\A.`)
	}
	return compiled
}

// noEffect notes each of the keys that is there and changes nothing here.
func (r *reader) noEffect(why string, keys ...string) {
	for _, key := range keys {
		if _, there := r.raw(key); there {
			r.note(key, "has no effect: "+why)
		}
	}
}

// ignoreRest takes all keys as read.
func (r *reader) ignoreRest() {
	for key := range r.keys {
		r.asked[key] = true
	}
}

// done notes the keys that nobody asked for.
func (r *reader) done() {
	for _, key := range slices.Sorted(maps.Keys(r.keys)) {
		if !r.asked[key] {
			r.note(key, "is unknown and not read")
		}
	}
}
