package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// ordered is a JSON object whose members keep the order of the file: the order of a model's members is the
// order of Go fields and of validation texts.
type ordered[T any] struct {
	names  []string
	values map[string]T
}

func (o *ordered[T]) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		return fmt.Errorf("an object expected, found %v", token)
	}
	o.values = map[string]T{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		name := token.(string)
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		var value T
		if err := unmarshalStrict(raw, &value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if _, twice := o.values[name]; twice {
			return fmt.Errorf("%s: is there twice", name)
		}
		o.names = append(o.names, name)
		o.values[name] = value
	}
	return nil
}

func (o ordered[T]) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, name := range o.names {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := writeJSON(&out, name); err != nil {
			return nil, err
		}
		out.WriteByte(':')
		if err := writeJSON(&out, o.values[name]); err != nil {
			return nil, err
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// IsZero lets omitzero leave out an object without members.
func (o ordered[T]) IsZero() bool { return len(o.names) == 0 }

// unmarshalStrict refuses members that T does not have, by name.
func unmarshalStrict(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// writeJSON is json.Marshal without the escapes for HTML.
func writeJSON(out *bytes.Buffer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	out.Truncate(out.Len() - 1) // the line feed
	return nil
}
