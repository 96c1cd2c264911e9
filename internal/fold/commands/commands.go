// Package commands is what machines whose commands are JSON have in common: a command's versioned name in the log, strict reading, and results.
//
// It owns those bytes. What a command means and when it is refused belongs to the machine; its way through the log to fold.
//
// Read Set, then EncodeResult.
package commands

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/weir-stream/weir/internal/fault"
)

// Set is the commands that a machine understands, by versioned name: what makes a C of a body.
//
// In the log a command is {"type": "CreateFunction.1", "body": {…}}. A type, once released, never changes its fields or its meaning: what has to change gets the
// next number, and the old number is understood for as long as a log may hold it. A reader refuses a field it does not know, because leaving it out would be
// another command.
type Set[C any] map[string]func(body []byte) (C, error)

// As reads a body as a T, which must be a C: an entry of a Set.
func As[T, C any](body []byte) (C, error) {
	var c T
	err := Strictly(body, &c)
	return any(c).(C), err
}

// wire is a command in the log.
type wire struct {
	Type string          `json:"type"`
	Body json.RawMessage `json:"body"`
}

// Encode is a command as the log holds it. Invalid when JSON cannot say it.
func Encode(kind string, command any) ([]byte, error) {
	body, err := json.Marshal(command)
	if err != nil {
		return nil, fault.As(fault.Invalid, err, "command %s", kind)
	}
	return json.Marshal(wire{kind, body})
}

// Decode reads a command from the log. Unsupported when its type or one of its fields is not known, Corrupt when it is no command at all. Neither is a refusal:
// whoever meets one cannot go on.
func (s Set[C]) Decode(b []byte) (c C, err error) {
	var w wire
	if err := Strictly(b, &w); err != nil {
		return c, fault.As(fault.Corrupt, err, "command")
	}
	decode, known := s[w.Type]
	if !known {
		return c, fault.New(fault.Unsupported, "command %q is not known to this version of Weir", w.Type)
	}
	if c, err = decode(w.Body); err != nil {
		return c, fault.As(fault.Unsupported, err, "command %q has a body that is not known to this version of Weir", w.Type)
	}
	return c, nil
}

// Strictly reads one JSON value and nothing behind it, with no field that into does not have.
func Strictly(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fault.New(fault.Corrupt, "something follows the JSON value")
	}
	return nil
}
