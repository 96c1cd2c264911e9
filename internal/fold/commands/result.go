package commands

import (
	"encoding/json"
	"errors"

	"github.com/weir-stream/weir/internal/fault"
)

// result is what a command answers with: a refusal, or a value, or neither when there is nothing to say.
type result struct {
	Kind    string          `json:"kind,omitempty"`    // of a refusal
	Message string          `json:"message,omitempty"` // as AWS words it: the customer reads it
	Value   json.RawMessage `json:"value,omitempty"`
}

// kinds are those that a refusal may have. The names are in logs and snapshots: they never change.
var kinds = map[string]fault.Kind{
	"NotFound":      fault.NotFound,
	"Exists":        fault.Exists,
	"Invalid":       fault.Invalid,
	"Conflict":      fault.Conflict,
	"LimitExceeded": fault.LimitExceeded,
	"WrongState":    fault.WrongState,
	"Unsupported":   fault.Unsupported,
}

// EncodeResult is the result of a command that ended with a value, which may be nil, or with a refusal. It panics when the refusal has no kind that one may have: that
// is the machine's mistake, and fold stops there.
func EncodeResult(value any, refusal error) []byte {
	if refusal != nil {
		return encodeRefusal(refusal)
	}
	if value == nil {
		return nil
	}
	text, err := json.Marshal(value)
	if err == nil {
		text, err = json.Marshal(result{Value: text})
	}
	if err != nil {
		panic("commands: " + err.Error())
	}
	return text
}

func encodeRefusal(err error) []byte {
	var refusal *fault.Error
	if !errors.As(err, &refusal) {
		panic("commands: a refusal without a kind: " + err.Error())
	}
	for name, kind := range kinds { // at most one matches, so that the order of the map does not matter
		if kind == refusal.Kind {
			b, err := json.Marshal(result{Kind: name, Message: refusal.Message})
			if err != nil {
				panic("commands: " + err.Error())
			}
			return b
		}
	}
	panic("commands: no refusal may be of kind " + refusal.Kind.String())
}

// DecodeResult turns a result into what it says: the value goes to into, unless that is nil, and a refusal is an error of its kind whose message is meant for the
// customer. Corrupt when it is no result.
func DecodeResult(b []byte, into any) error {
	if len(b) == 0 {
		return nil
	}
	var r result
	if err := Strictly(b, &r); err != nil {
		return fault.As(fault.Corrupt, err, "result of a command")
	}
	if r.Kind != "" {
		kind, known := kinds[r.Kind]
		if !known {
			return fault.New(fault.Corrupt, "result of a command has the kind %q", r.Kind)
		}
		return fault.New(kind, "%s", r.Message)
	}
	if r.Value == nil {
		return fault.New(fault.Corrupt, "result of a command says nothing")
	}
	if into == nil {
		return nil
	}
	return fault.As(fault.Corrupt, json.Unmarshal(r.Value, into), "result of a command")
}
