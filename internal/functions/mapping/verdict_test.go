package mapping

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/fault"
)

// What a function's answer means, as recorded of AWS.
func TestVerdicts(t *testing.T) {
	sequences := func(i int) string { return fmt.Sprint(10 + i) }
	item := func(ids ...string) string { return `{"batchItemFailures":[` + strings.Join(ids, ",") + `]}` }
	for _, row := range []struct {
		payload string
		want    outcome
		at      int
	}{
		{``, succeeded, 0},
		{`""`, succeeded, 0},
		{`null`, succeeded, 0},
		{`{}`, succeeded, 0},
		{`{"batchItemFailures":[]}`, succeeded, 0},
		{`{"batchItemFailures":null}`, succeeded, 0},
		{`{"statusCode":200}`, succeeded, 0},
		{`"done"`, succeeded, 0},
		{item(`{"itemIdentifier":""}`), failed, 0},
		{item(`{"itemIdentifier":null}`), failed, 0},
		{item(`{"itemIdentifier":"9"}`), failed, 0},
		{item(`{"id":"11"}`), failed, 0},
		{item(`{}`), failed, 0},
		{item(`"11"`), failed, 0},
		{`{"batchItemFailures":"x"}`, failed, 0},
		{item(`{"itemIdentifier":"10"}`), failed, 0},
		{item(`{"itemIdentifier":"12"}`), partly, 2},
		{item(`{"itemIdentifier":"13"}`, `{"itemIdentifier":"11"}`), partly, 1},
		{item(`{"itemIdentifier":"13"}`, `{"itemIdentifier":""}`), failed, 0},
	} {
		v := judge(Result{Payload: []byte(row.payload)}, nil, sequences, 4, true, false)
		if v.outcome != row.want || v.at != row.at {
			t.Errorf("%s: %+v, want %d at %d", row.payload, v, row.want, row.at)
		}
		if v := judge(Result{Payload: []byte(row.payload)}, nil, sequences, 4, false, false); v.outcome != succeeded {
			t.Errorf("%s, without reports: %+v", row.payload, v)
		}
	}
	for err, want := range map[error]outcome{
		fault.New(fault.Throttled, "x"): again, fault.New(fault.NotFound, "x"): again, fault.New(fault.Unavailable, "x"): again, fault.New(fault.Internal, "x"): again,
		fault.New(fault.LimitExceeded, "x"): impossible,
	} {
		if v := judge(Result{}, err, sequences, 4, true, true); v.outcome != want {
			t.Errorf("%v: %+v", err, v)
		}
	}
	if v := judge(Result{FunctionError: "Unhandled", Payload: []byte(`{}`)}, nil, sequences, 4, true, false); v.outcome != failed || v.reported {
		t.Errorf("%+v", v)
	}
	for payload, want := range map[string]outcome{
		`{"state":{}}`: succeeded, `{"state":{"a":1}}`: succeeded, `{"state":null}`: failed, `{"state":1}`: failed, `{}`: failed, ``: failed, `null`: failed,
		`{"state":{},"batchItemFailures":[{"itemIdentifier":"12"}]}`: partly,
	} {
		if v := judge(Result{Payload: []byte(payload)}, nil, sequences, 4, true, true); v.outcome != want {
			t.Errorf("in a window, %s: %+v", payload, v)
		}
	}
}

func FuzzJudge(f *testing.F) {
	f.Add([]byte(`{"batchItemFailures":[{"itemIdentifier":"1"}],"state":{"a":1}}`))
	f.Add([]byte(`{"batchItemFailures":[{"itemIdentifier":null}]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, tumbling := range []bool{false, true} {
			v := judge(Result{Payload: payload}, nil, func(i int) string { return fmt.Sprint(i) }, 3, true, tumbling)
			if v.outcome == partly && (v.at < 1 || v.at > 2) || v.outcome != partly && v.at != 0 {
				t.Errorf("%s: %+v", payload, v)
			}
		}
	})
}
