package tolls

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"time"
)

// Oracle is what anyone who reads the lines must find. It is computed by plain loops over what the generator made, never by
// reading lines, so that a mistake in a reader cannot hide in it. Vehicles are counted once and by their own time, and only
// those whose line is readable.
type Oracle struct {
	Scenario string    `json:"scenario"`
	Seed     uint64    `json:"seed"`
	Scale    string    `json:"scale"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`

	Lines    int   `json:"lines"` // duplicates and malformed ones included
	Bytes    int64 `json:"bytes"` // without line ends
	Vehicles int   `json:"vehicles"`
	Cents    int64 `json:"cents"`
	// SHA256 is of all lines, each with a line end, in the order of writing.
	SHA256 string `json:"sha256"`

	Late      []string `json:"late"`
	Duplicate []string `json:"duplicate"`
	Malformed []string `json:"malformed"`

	Stations map[string]*StationTotals `json:"stations"`
}

// StationTotals is what one station made.
type StationTotals struct {
	Vehicles int   `json:"vehicles"`
	Cents    int64 `json:"cents"`
	// HalfHours holds every half-hour of the scale, also those without a vehicle.
	HalfHours map[string]int `json:"halfHours"`
}

// slotName is how a half-hour is written in the oracle.
func slotName(at time.Time) string { return at.Truncate(slotLength).Format("2006-01-02T15:04Z") }

// Tally makes an Oracle of lines added one by one.
type Tally struct {
	oracle Oracle
	sum    hash.Hash
}

// NewTally begins with no lines, and with every half-hour of every station at nought.
func NewTally(seed uint64, scale Scale) *Tally {
	t := &Tally{sum: sha256.New(), oracle: Oracle{
		Scenario: "tolls", Seed: seed, Scale: scale.Name, Start: scale.Start, End: scale.End(),
		Late: []string{}, Duplicate: []string{}, Malformed: []string{}, Stations: map[string]*StationTotals{},
	}}
	for station := scale.First; station <= scale.Last; station++ {
		totals := &StationTotals{HalfHours: map[string]int{}}
		for slot := range scale.Slots {
			totals.HalfHours[slotName(scale.Start.Add(time.Duration(slot)*slotLength))] = 0
		}
		t.oracle.Stations[StationName(station)] = totals
	}
	return t
}

// Add counts one line.
func (t *Tally) Add(line Line) {
	t.sum.Write(line.Text)
	t.sum.Write([]byte{'\n'})
	t.oracle.Lines++
	t.oracle.Bytes += int64(len(line.Text))
	if line.Again {
		t.oracle.Duplicate = append(t.oracle.Duplicate, TxnID(line.Seq))
		return
	}
	if line.Late {
		t.oracle.Late = append(t.oracle.Late, TxnID(line.Seq))
	}
	if line.Malformed {
		t.oracle.Malformed = append(t.oracle.Malformed, TxnID(line.Seq))
		return
	}
	t.oracle.Vehicles++
	t.oracle.Cents += int64(line.Cents)
	station := t.oracle.Stations[StationName(line.Station)]
	station.Vehicles++
	station.Cents += int64(line.Cents)
	station.HalfHours[slotName(line.At)]++
}

// Oracle gives the totals of what was added so far.
func (t *Tally) Oracle() Oracle {
	o := t.oracle
	o.SHA256 = hex.EncodeToString(t.sum.Sum(nil))
	return o
}

// OracleOf runs the generator of a seed to its end.
func OracleOf(seed uint64, scale Scale) Oracle {
	tally := NewTally(seed, scale)
	g := NewGenerator(seed, scale)
	for {
		line, ok := g.Next()
		if !ok {
			return tally.Oracle()
		}
		tally.Add(line)
	}
}
