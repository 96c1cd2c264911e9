package tables

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/internal/tables/value"
)

// Status is where a table, index or TTL is in its life, in AWS's words.
type Status string

// The statuses.
const (
	Creating Status = "CREATING"
	Updating Status = "UPDATING"
	Active   Status = "ACTIVE"
	Deleting Status = "DELETING"

	Enabling  Status = "ENABLING"
	Enabled   Status = "ENABLED"
	Disabling Status = "DISABLING"
	Disabled  Status = "DISABLED"
)

// Units is provisioned throughput, which is kept and told, and not enforced.
type Units struct {
	Read, Write    int64
	Increased      time.Time
	Decreased      time.Time
	DecreasesToday int
}

// Table is what is known of a table. It is never changed once it is in a State; its Stats move.
type Table struct {
	ID         uint64 // never used again
	Name       string
	Status     Status
	Created    time.Time
	Key        KeySchema
	Attributes []KeyAttribute // as the customer declared them, in that order
	OnDemand   bool
	OnDemandAt time.Time // of the last change to on-demand
	Units      Units
	// MaxRead and MaxWrite are OnDemandThroughput, 0 for none. They are kept and told.
	MaxRead, MaxWrite int64
	Class             string // "" is STANDARD
	Protected         bool   // from DeleteTable
	Tags              map[string]string
	Indexes           []*Index
	IndexesMade       uint32 // the id of the latest index
	View              string // of the change stream; "" when there is none
	Stream            uint64 // the id of the latest change stream, open or not; 0 when there is none to be read
	StreamLabel       string // its label
	TTL               TTL

	stats *Stats
}

// Index is a global secondary index.
type Index struct {
	ID         uint32
	Name       string
	Key        KeySchema
	Projection string   // ALL, KEYS_ONLY or INCLUDE
	Include    []string // of INCLUDE
	Status     Status
	Cursor     []byte // of Creating: the key behind the last item that was indexed
	Units      Units
	MaxRead    int64
	MaxWrite   int64

	stats *Stats
}

// TTL says which attribute holds the second at which an item expires.
type TTL struct {
	Attribute string
	Status    Status // "" is Disabled
	Cursor    []byte // of Enabling
	Changed   time.Time
}

// Stats is how much there is: exact, where AWS's is six hours old.
type Stats struct{ Items, Bytes atomic.Int64 }

// Stats of the table.
func (t *Table) Stats() *Stats { return t.stats }

// Stats of the index.
func (ix *Index) Stats() *Stats { return ix.stats }

// Index is the index of a name, or nil.
func (t *Table) Index(name string) *Index {
	if i := slices.IndexFunc(t.Indexes, func(ix *Index) bool { return ix.Name == name }); i >= 0 {
		return t.Indexes[i]
	}
	return nil
}

// takesWrites says whether items may be read and written.
func (t *Table) takesWrites() bool { return t.Status == Active || t.Status == Updating }

// unsettled says whether Settle has something to do.
func (t *Table) unsettled() bool {
	return t.Status != Active || t.TTL.Status == Enabling || t.TTL.Status == Disabling
}

// project is the part of an item that an index holds.
func (ix *Index) project(t *Table, it value.Item) value.Item {
	if ix.Projection == "ALL" {
		return it
	}
	var out value.Item
	for _, a := range it {
		if slices.Contains(ix.Include, a.Name) || slices.Contains(ix.Key.Names(), a.Name) || slices.Contains(t.Key.Names(), a.Name) {
			out = append(out, a)
		}
	}
	return out
}

// Stream is a change stream: that of a table from when it was switched on until it was switched off.
type Stream struct {
	ID      uint64 // never used again, and grows
	TableID uint64
	Table   string // its name
	Key     KeySchema
	View    string // KEYS_ONLY, NEW_IMAGE, OLD_IMAGE or NEW_AND_OLD_IMAGES
	Created time.Time
	Closed  time.Time // zero while it is open
	// End is the position behind the last change of a closed stream.
	End int64
	// Trimmed is the place behind the last change that has expired.
	Trimmed Sequence
}

// Begin is the first place of the stream.
func (s *Stream) Begin() Sequence { return sequenceOf(int64(s.ID)-1, 0) }

// Last is the last place of a stream that is closed.
func (s *Stream) Last() (last Sequence, closed bool) {
	return sequenceOf(s.End, 0) - 1, !s.Closed.IsZero()
}

// labelLayout is how the label of a stream, a time, is written.
const labelLayout = "2006-01-02T15:04:05.000"

// Label is the last part of the stream's ARN.
func (s *Stream) Label() string { return s.Created.UTC().Format(labelLayout) }

// State is every table and stream of an account and region at a moment. It is never changed.
type State struct {
	Tables  map[string]*Table
	Streams []*Stream // by ID
	byID    map[uint64]*Table
	version int64
}

func emptyState() *State {
	return &State{Tables: map[string]*Table{}, byID: map[uint64]*Table{}}
}

// Names is the names of the tables, sorted.
func (s *State) Names() []string { return slices.Sorted(maps.Keys(s.Tables)) }

// Stream is the stream of an id, or nil.
func (s *State) Stream(id uint64) *Stream {
	i, found := slices.BinarySearchFunc(s.Streams, id, func(s *Stream, id uint64) int {
		switch {
		case s.ID < id:
			return -1
		case s.ID > id:
			return 1
		}
		return 0
	})
	if !found {
		return nil
	}
	return s.Streams[i]
}

// StreamNamed is the stream of a table's name and a label, or nil.
func (s *State) StreamNamed(table, label string) *Stream {
	for _, each := range s.Streams {
		if each.Table == table && each.Label() == label {
			return each
		}
	}
	return nil
}

// with is the state with a table replaced or added.
func (s *State) with(t *Table) *State {
	next := s.clone()
	next.Tables[t.Name] = t
	next.byID[t.ID] = t
	return next
}

// without is the state without a table.
func (s *State) without(t *Table) *State {
	next := s.clone()
	delete(next.Tables, t.Name)
	delete(next.byID, t.ID)
	return next
}

func (s *State) clone() *State {
	return &State{Tables: maps.Clone(s.Tables), byID: maps.Clone(s.byID), Streams: s.Streams, version: s.version + 1}
}

// clone is a copy of a table that may be changed before it is in a State.
func (t *Table) clone() *Table {
	c := *t
	c.Indexes = slices.Clone(t.Indexes)
	c.Tags = maps.Clone(t.Tags)
	return &c
}

// indexAt is a copy of an index in a cloned table, to be changed.
func (t *Table) indexAt(i int) *Index {
	c := *t.Indexes[i]
	t.Indexes[i] = &c
	return &c
}

// stream is a copy of the streams in which one is replaced or added.
func (s *State) withStream(stream *Stream) *State {
	next := s.clone()
	next.Streams = slices.Clone(s.Streams)
	for i := range next.Streams {
		if next.Streams[i].ID == stream.ID {
			next.Streams[i] = stream
			return next
		}
	}
	next.Streams = append(next.Streams, stream)
	return next
}

// withoutStream is the state without a stream.
func (s *State) withoutStream(id uint64) *State {
	next := s.clone()
	next.Streams = slices.DeleteFunc(slices.Clone(s.Streams), func(each *Stream) bool { return each.ID == id })
	return next
}

// sizeText is a bound of what a customer's text may repeat.
func sizeText(text string) string {
	const most = 255
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
