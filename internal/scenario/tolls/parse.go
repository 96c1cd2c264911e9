package tolls

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Vehicle is what a reader of a line learns from it.
type Vehicle struct {
	Seq     int
	At      time.Time
	Station string
	Cents   int64
}

// ParseLine reads a line as anyone would who was given it: it knows nothing of the generator.
func ParseLine(text []byte) (Vehicle, error) {
	var row struct {
		Txn     string    `json:"txn_id"`
		TS      time.Time `json:"ts"`
		Station string    `json:"station"`
		Cents   int64     `json:"cents"`
	}
	if err := json.Unmarshal(text, &row); err != nil {
		return Vehicle{}, err
	}
	seq, ok := seqOf([]byte(row.Txn))
	if !ok {
		return Vehicle{}, fmt.Errorf("txn_id %q is none", row.Txn)
	}
	return Vehicle{Seq: seq, At: row.TS, Station: row.Station, Cents: row.Cents}, nil
}

// seqOf finds the number of the vehicle in a line, readable or not: T and nine digits.
func seqOf(text []byte) (int, bool) {
	for {
		at := bytes.IndexByte(text, 'T')
		if at < 0 || len(text) < at+10 {
			return 0, false
		}
		if seq, err := strconv.ParseUint(string(text[at+1:at+10]), 10, 32); err == nil {
			return int(seq), true
		}
		text = text[at+1:]
	}
}
