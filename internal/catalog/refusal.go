package catalog

import (
	"encoding/json"
	"errors"

	"github.com/weir-stream/weir/internal/fault"
)

// A result is what a command answers with: nothing when it was done, otherwise the refusal.
type wireRefusal struct {
	Kind    string `json:"kind"`
	Message string `json:"message"` // as AWS words it: the customer reads it
}

// refusalKinds are the kinds that a refusal may have. The names are in logs and snapshots: they never change.
var refusalKinds = map[string]fault.Kind{
	"NotFound":      fault.NotFound,
	"Exists":        fault.Exists,
	"Invalid":       fault.Invalid,
	"LimitExceeded": fault.LimitExceeded,
	"WrongState":    fault.WrongState,
	"Unsupported":   fault.Unsupported,
}

// encodeRefusal is the result of a command that ended with err; nil for none.
func encodeRefusal(err error) []byte {
	if err == nil {
		return nil
	}
	var refusal *fault.Error
	if !errors.As(err, &refusal) {
		panic("catalog: a command refused without a kind: " + err.Error())
	}
	for name, kind := range refusalKinds { // at most one matches, so that the order of the map does not matter
		if kind == refusal.Kind {
			b, err := json.Marshal(wireRefusal{name, refusal.Message})
			if err != nil {
				panic("catalog: " + err.Error())
			}
			return b
		}
	}
	panic("catalog: no refusal may be of kind " + refusal.Kind.String())
}

// ResultError turns a command's result into an error: nil when it was done, otherwise a fault of the refusal's kind whose message is
// meant for the customer. Corrupt when it is no result.
func ResultError(result []byte) error {
	if len(result) == 0 {
		return nil
	}
	var w wireRefusal
	if err := strictly(result, &w); err != nil {
		return fault.As(fault.Corrupt, err, "result of a command")
	}
	kind, known := refusalKinds[w.Kind]
	if !known {
		return fault.New(fault.Corrupt, "result of a command has the kind %q", w.Kind)
	}
	return fault.New(kind, "%s", w.Message)
}
