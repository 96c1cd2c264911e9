// Package tolls is the toll company: forty stations, twenty thousand customers, and the log lines that their vehicles make.
//
// It owns the generator (traffic.go says how many, generate.go which), the rotating files that the stations write (logs.go),
// the oracle, which is what anyone who reads the lines must find (oracle.go), and the comparison with it (compare.go). The
// same seed gives the same bytes on every machine. How the lines get into a stream is feed.go's, which faults are survived
// on the way is check.go's, and what a server is belongs to package scenario.
//
// Read Line, then Generator.Next.
package tolls

import (
	"fmt"
	"time"
)

// Sizes of the company.
const (
	Stations  = 40
	Customers = 20_000
)

// Stream is where the lines go.
const Stream = "toll-transactions"

// slotLength is the grain of the traffic table and of the station reports.
const slotLength = 30 * time.Minute

// Scale is how much of the company's week is played.
type Scale struct {
	Name string
	// Start is in UTC, on a half-hour.
	Start time.Time
	Slots int // half-hours
	// First and Last are station numbers, both included.
	First, Last int
	// RotateBytes is the size at which a log file is rotated.
	RotateBytes int64
}

// The scales. The week has the end of a month in it; the three hours are on the Wednesday of that week.
var (
	Smoke = Scale{Name: "smoke", Start: time.Date(2026, 4, 1, 13, 0, 0, 0, time.UTC), Slots: 6, First: 2, Last: 7, RotateBytes: 128 << 10}
	Full  = Scale{Name: "full", Start: time.Date(2026, 3, 30, 0, 0, 0, 0, time.UTC), Slots: 7 * 48, First: 1, Last: Stations, RotateBytes: 16 << 20}
)

// ScaleNamed finds a scale.
func ScaleNamed(name string) (Scale, error) {
	for _, s := range []Scale{Smoke, Full} {
		if s.Name == name {
			return s, nil
		}
	}
	return Scale{}, fmt.Errorf("scale %q is neither smoke nor full", name)
}

// End is when the last half-hour ends.
func (s Scale) End() time.Time { return s.Start.Add(time.Duration(s.Slots) * slotLength) }

// StationName is the name of a station by its number, from 1.
func StationName(station int) string { return fmt.Sprintf("ST-%02d", station) }

// TxnID is the id of the seq-th vehicle, from 0.
func TxnID(seq int) string { return fmt.Sprintf("T%09d", seq) }

// Line is one line that a station wrote.
type Line struct {
	// Text has no line end.
	Text []byte
	// Written is when the line reached the file. Lines come in this order.
	Written time.Time
	// At is when the vehicle passed, in whole milliseconds.
	At time.Time
	// Seq numbers the vehicles in the order in which they were counted, from 0. TxnID(Seq) is in Text, whatever else is.
	Seq int

	Station  int // from 1
	Lane     int
	Customer int // from 0
	Cents    int
	Class    int // 1 to 5

	Late      bool // written 20 to 55 seconds after the vehicle passed
	Again     bool // the second copy of a duplicate
	Malformed bool // Text is not JSON
}
