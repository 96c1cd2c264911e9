package mapping

import (
	"bytes"
	"encoding/json"

	"github.com/weir-stream/weir/internal/fault"
)

// outcome is what an invocation means for the records that it was given.
type outcome uint8

const (
	succeeded  outcome = iota // all are done
	partly                    // those before verdict.at are done, the others are a batch of their own
	failed                    // none is done, and it counts as a try
	again                     // none is done, and it does not count: the function was not reached
	impossible                // none is done, and no try can help
)

// verdict is the judgement over one invocation.
type verdict struct {
	outcome  outcome
	at       int             // of partly: above 0 and below the number of records
	reported bool            // of failed: the function itself said which record failed
	state    json.RawMessage // of succeeded and partly, in a tumbling window: what it returned
}

// judge says what came of an invocation with records, whose numbers are sequences. tumbling asks for a state.
//
// What the function's report means (as recorded of AWS):
//
//	success              ""  null  {}  {"batchItemFailures": []}  {"batchItemFailures": null}
//	failure of all       an itemIdentifier that is "", null, absent or no record of the batch; an error
//	success up to it     the lowest itemIdentifier
//
// A report that is no object, such as a text, is not one of Lambda's shapes; it is taken as success, as the absence of a report is.
func judge(result Result, err error, sequences func(i int) string, n int, reports, tumbling bool) verdict {
	switch {
	case fault.Is(err, fault.LimitExceeded):
		return verdict{outcome: impossible}
	case err != nil:
		return verdict{outcome: again}
	case result.FunctionError != "":
		return verdict{outcome: failed}
	}
	var v verdict
	if tumbling {
		var answer struct {
			State json.RawMessage `json:"state"`
		}
		if json.Unmarshal(result.Payload, &answer) != nil || !bytes.HasPrefix(bytes.TrimSpace(answer.State), []byte("{")) {
			return verdict{outcome: failed}
		}
		v.state = answer.State
	}
	if !reports {
		return v
	}
	var report struct {
		Failures json.RawMessage `json:"batchItemFailures"`
	}
	if text := bytes.TrimSpace(result.Payload); !bytes.HasPrefix(text, []byte("{")) || json.Unmarshal(text, &report) != nil || len(report.Failures) == 0 {
		return v
	}
	var items []struct {
		ID *string `json:"itemIdentifier"`
	}
	if json.Unmarshal(report.Failures, &items) != nil {
		return verdict{outcome: failed, reported: true}
	}
	places := make(map[string]int, n)
	for i := range n {
		places[sequences(i)] = i
	}
	lowest := n
	for _, item := range items {
		if item.ID == nil {
			return verdict{outcome: failed, reported: true}
		}
		at, known := places[*item.ID]
		if !known {
			return verdict{outcome: failed, reported: true}
		}
		lowest = min(lowest, at)
	}
	switch {
	case lowest == n:
	case lowest == 0:
		return verdict{outcome: failed, reported: true}
	default:
		v.outcome, v.at, v.reported = partly, lowest, true
	}
	return v
}
