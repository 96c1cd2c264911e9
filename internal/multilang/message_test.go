package multilang

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/consumer"
)

// TestEncode shows each message to the byte, as processors of the KCL for other languages read them.
func TestEncode(t *testing.T) {
	sequence, sub, kind := "12", int64(3), "ShutdownException"
	at := time.UnixMilli(1636609142123).UTC()
	for _, row := range []struct {
		message any
		want    string
	}{
		{initializeMessage{actionInitialize, "shardId-000000000001", "TRIM_HORIZON", 0},
			`{"action":"initialize","shardId":"shardId-000000000001","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}`},
		{recordsMessage(consumer.Batch{BehindLatest: 1500 * time.Millisecond, Records: []consumer.Record{
			{Data: []byte("a<\xff"), PartitionKey: "k&é\u2028", SequenceNumber: "7", SubSequenceNumber: 2, Arrived: at}, {PartitionKey: "k", SequenceNumber: "8"},
		}}), `{"action":"processRecords","records":[` +
			`{"action":"record","data":"YTz/","partitionKey":"k&é\u2028","sequenceNumber":"7","subSequenceNumber":2,"approximateArrivalTimestamp":1636609142123},` +
			`{"action":"record","data":"","partitionKey":"k","sequenceNumber":"8","subSequenceNumber":0,"approximateArrivalTimestamp":null}],"millisBehindLatest":1500}`},
		{recordsMessage(consumer.Batch{}), `{"action":"processRecords","records":[],"millisBehindLatest":0}`},
		{plainMessage{actionLeaseLost}, `{"action":"leaseLost"}`},
		{checkpointMessage{Action: actionCheckpoint}, `{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}`},
		{checkpointMessage{actionCheckpoint, &sequence, &sub, &kind}, `{"action":"checkpoint","sequenceNumber":"12","subSequenceNumber":3,"error":"ShutdownException"}`},
	} {
		got, err := encode(row.message)
		if err != nil || string(got) != row.want+"\n" {
			t.Errorf("got  %s, %v\nwant %s", got, err, row.want)
		}
	}
}

// TestDecode shows what a line of a child is taken for: a status, a checkpoint with its position, another action, or none.
func TestDecode(t *testing.T) {
	for line, want := range map[string]string{
		`{"action":"status","responseFor":"initialize"}`:                                           "status initialize",
		` { "responseFor" : "processRecords" , "action" : "status", "more": {} } `:                 "status processRecords",
		`{"action":"status","responseFor":null}`:                                                   "status ",
		`{"action":"status"}`:                                                                      "status ",
		`{"action":"checkpoint"}`:                                                                  "checkpoint - -",
		`{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}`:                   "checkpoint - -",
		`{"action":"checkpoint","sequenceNumber":"12","error":null}`:                               "checkpoint 12 -",
		`{"action":"checkpoint","sequenceNumber":"12","subSequenceNumber":3}`:                      "checkpoint 12 3",
		`{"action":"checkpoint","sequenceNumber":12345678901234567890123,"subSequenceNumber":"3"}`: "checkpoint 12345678901234567890123 3",
		`{"action":"initialize","shardId":"x"}`:                                                    "initialize",
		`{"action":"checkpoint","sequenceNumber":{}}`:                                              "",
		`{"action":"checkpoint","sequenceNumber":"1","subSequenceNumber":1.5}`:                     "",
		`{"action":7}`:          "",
		`{"action":null}`:       "",
		`{}`:                    "",
		`[]`:                    "",
		`"status"`:              "",
		``:                      "",
		`DEBUG: working`:        "",
		`{"action":"status"`:    "",
		`{"action":"status"} x`: "",
	} {
		got, err := decode([]byte(line))
		if (err != nil) != (want == "") || err != nil && !errors.Is(err, errNoMessage) {
			t.Errorf("%s: %v", line, err)
		}
		if err == nil && describe(got) != want {
			t.Errorf("%s: %q, want %q", line, describe(got), want)
		}
	}
}

func describe(a answer) string {
	switch a.action {
	case actionStatus:
		return "status " + a.responseFor
	case actionCheckpoint:
		parts := []string{"checkpoint", "-", "-"}
		if a.sequence != nil {
			parts[1] = *a.sequence
		}
		if a.subSequence != nil {
			parts[2] = string(rune('0' + *a.subSequence))
		}
		return strings.Join(parts, " ")
	}
	return a.action
}

// FuzzDecode shows that any line is read or is no message.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"action":"status","responseFor":"x"}`, `{"action":"checkpoint","sequenceNumber":1,"subSequenceNumber":"2"}`, "x", "{"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		a, err := decode(line)
		if err != nil && !errors.Is(err, errNoMessage) || err == nil && a.sequence != nil && a.action != actionCheckpoint {
			t.Fatalf("%q: %+v, %v", line, a, err)
		}
	})
}
