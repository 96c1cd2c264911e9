package multilang

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/weir-stream/weir/consumer"
)

// Actions of the protocol. The daemon sends those of the first group, and checkpoint as an answer; a child sends status and checkpoint.
const (
	actionInitialize        = "initialize"
	actionProcessRecords    = "processRecords"
	actionLeaseLost         = "leaseLost"
	actionShardEnded        = "shardEnded"
	actionShutdownRequested = "shutdownRequested"

	actionCheckpoint = "checkpoint"
	actionStatus     = "status"
)

// Messages to a child. Fields that may be null are there as null, as the original's are: processors look them up without asking.
type (
	initializeMessage struct {
		Action            string `json:"action"`
		ShardID           string `json:"shardId"`
		SequenceNumber    string `json:"sequenceNumber"`
		SubSequenceNumber int64  `json:"subSequenceNumber"`
	}
	processRecordsMessage struct {
		Action             string          `json:"action"`
		Records            []recordMessage `json:"records"`
		MillisBehindLatest int64           `json:"millisBehindLatest"`
	}
	recordMessage struct {
		Action            string `json:"action"` // record
		Data              []byte `json:"data"`   // base64 with padding
		PartitionKey      string `json:"partitionKey"`
		SequenceNumber    string `json:"sequenceNumber"`
		SubSequenceNumber int64  `json:"subSequenceNumber"`
		Arrived           *int64 `json:"approximateArrivalTimestamp"` // milliseconds since 1970
	}
	plainMessage struct {
		Action string `json:"action"`
	}
	checkpointMessage struct {
		Action            string  `json:"action"`
		SequenceNumber    *string `json:"sequenceNumber"`
		SubSequenceNumber *int64  `json:"subSequenceNumber"`
		Error             *string `json:"error"` // the simple name of a Java exception
	}
)

// encode is a message as a line, with its end.
func encode(message any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(message); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func recordsMessage(batch consumer.Batch) processRecordsMessage {
	m := processRecordsMessage{Action: actionProcessRecords, Records: make([]recordMessage, 0, len(batch.Records)), MillisBehindLatest: batch.BehindLatest.Milliseconds()}
	for i := range batch.Records {
		r := &batch.Records[i]
		one := recordMessage{Action: "record", Data: r.Data, PartitionKey: r.PartitionKey, SequenceNumber: r.SequenceNumber, SubSequenceNumber: r.SubSequenceNumber}
		if one.Data == nil {
			one.Data = []byte{} // "" and not null
		}
		if !r.Arrived.IsZero() {
			millis := r.Arrived.UnixMilli()
			one.Arrived = &millis
		}
		m.Records = append(m.Records, one)
	}
	return m
}

// answer is what a child said: a status, or a request to checkpoint.
type answer struct {
	action      string
	responseFor string  // of a status; empty if it was null
	sequence    *string // of a checkpoint; nil is everything handed out so far
	subSequence *int64
}

// errNoMessage is that a line is no message: something that the child, or a library in it, printed.
var errNoMessage = errors.New("not a message")

// decode reads a line of a child. Other actions than the two a child may send are read too, and have no effect, as in the original. Numbers may be written as text and
// the other way round, as there.
func decode(line []byte) (answer, error) {
	var m struct {
		Action            *string         `json:"action"`
		ResponseFor       *string         `json:"responseFor"`
		SequenceNumber    json.RawMessage `json:"sequenceNumber"`
		SubSequenceNumber json.RawMessage `json:"subSequenceNumber"`
	}
	if line = bytes.TrimSpace(line); len(line) == 0 || line[0] != '{' {
		return answer{}, errNoMessage
	}
	if err := json.Unmarshal(line, &m); err != nil || m.Action == nil {
		return answer{}, errNoMessage
	}
	a := answer{action: *m.Action}
	switch a.action {
	case actionStatus:
		if m.ResponseFor != nil {
			a.responseFor = *m.ResponseFor
		}
	case actionCheckpoint:
		sequence, ok := scalar(m.SequenceNumber)
		if !ok {
			return answer{}, fmt.Errorf("%w: sequenceNumber %s", errNoMessage, m.SequenceNumber)
		}
		sub, ok := scalar(m.SubSequenceNumber)
		if !ok {
			return answer{}, fmt.Errorf("%w: subSequenceNumber %s", errNoMessage, m.SubSequenceNumber)
		}
		a.sequence = sequence
		if sub != nil {
			n, err := strconv.ParseInt(*sub, 10, 64)
			if err != nil {
				return answer{}, fmt.Errorf("%w: subSequenceNumber %s", errNoMessage, m.SubSequenceNumber)
			}
			a.subSequence = &n
		}
	}
	return a, nil
}

// scalar is the text of a JSON string or number; nil of null and of nothing.
func scalar(raw json.RawMessage) (*string, bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, true
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return &text, true
	}
	var number json.Number
	if json.Unmarshal(raw, &number) == nil {
		text = number.String()
		return &text, true
	}
	return nil, false
}
