package catalog

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
)

// snapshotFormat is the version of the bytes that Encode writes. History:
//
//	1  streams with shards, retention, record size, tags; the test clock
const snapshotFormat = 1

// The snapshot as JSON. Fields stand in this order, maps in the order of their keys, streams in the order of account, region, name, and times
// are UTC in RFC 3339: equal states have equal bytes. What can be made from the rest is left out.
type (
	wireState struct {
		Format    int          `json:"format"`
		Version   int64        `json:"version"`
		LastGroup uint64       `json:"lastGroup"`
		TestClock time.Time    `json:"testClock,omitzero"`
		Spent     []wireSpent  `json:"spent,omitempty"`
		Streams   []wireStream `json:"streams"`
	}
	wireSpent struct {
		Name   string `json:"name"`   // account/region/name of a stream that is gone
		Second int64  `json:"second"` // since 1970: the latest in which one of its shards was made
	}
	wireStream struct {
		Account        string            `json:"account"`
		Region         string            `json:"region"`
		Name           string            `json:"name"`
		ID             string            `json:"id"`
		Group          uint64            `json:"group"`
		Created        time.Time         `json:"created"`
		Status         Status            `json:"status"`
		Mode           Mode              `json:"mode"`
		Shards         []wireShard       `json:"shards"`
		RetentionHours int               `json:"retentionHours"`
		HorizonFloor   time.Time         `json:"horizonFloor,omitzero"`
		MaxRecordKiB   int               `json:"maxRecordKiB"`
		Tags           map[string]string `json:"tags,omitempty"`
		Changed        int64             `json:"changed"`
	}
	wireShard struct {
		Number         uint32              `json:"number"`
		Range          record.HashRange    `json:"range"`
		Parent         *uint32             `json:"parent,omitempty"`
		AdjacentParent *uint32             `json:"adjacentParent,omitempty"`
		Created        time.Time           `json:"created"`
		Base           commitlog.Position  `json:"base"`
		End            *commitlog.Position `json:"end,omitempty"` // of a closed shard
		ClosedAt       time.Time           `json:"closedAt,omitzero"`
	}
)

// Encode is the state as canonical bytes: equal states, equal bytes.
func (s *State) Encode() []byte {
	wire := wireState{Format: snapshotFormat, Version: s.version, LastGroup: s.lastGroup, TestClock: s.testClock, Streams: make([]wireStream, 0, s.Len())}
	for name, second := range s.spent.all() {
		wire.Spent = append(wire.Spent, wireSpent{name, second})
	}
	for stream := range s.All() {
		w := wireStream{
			stream.Account, stream.Region, stream.Name, stream.ID, stream.Group, stream.Created, stream.Status, stream.Mode,
			make([]wireShard, len(stream.Shards)), stream.RetentionHours, stream.HorizonFloor, stream.MaxRecordKiB, stream.Tags, stream.Changed,
		}
		for i, shard := range stream.Shards {
			w.Shards[i] = wireShard{Number: shard.Number, Range: shard.Range, Parent: shard.Parent, AdjacentParent: shard.AdjacentParent,
				Created: shard.Created, Base: shard.Base}
			if shard.Status == Closed {
				w.Shards[i].End, w.Shards[i].ClosedAt = &shard.End, shard.ClosedAt
			}
		}
		wire.Streams = append(wire.Streams, w)
	}
	b, err := json.Marshal(wire)
	if err != nil {
		panic("catalog: a state that JSON cannot hold: " + err.Error()) // times are within JSON's years: fold sees to it
	}
	return b
}

// Decode reads what Encode wrote. Unsupported when a newer version wrote it; Corrupt when it makes no sense.
func Decode(b []byte) (*State, error) {
	var format struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(b, &format); err != nil {
		return nil, fault.As(fault.Corrupt, err, "catalog snapshot")
	}
	if format.Format != snapshotFormat {
		return nil, fault.New(fault.Unsupported, "catalog snapshot has format %d; this version of Weir reads %d", format.Format, snapshotFormat)
	}
	var wire wireState
	if err := strictly(b, &wire); err != nil {
		return nil, fault.As(fault.Corrupt, err, "catalog snapshot")
	}
	s := &State{version: wire.Version, lastGroup: wire.LastGroup, testClock: wire.TestClock.UTC()}
	if !sayable(s.testClock) {
		return nil, fault.New(fault.Corrupt, "catalog snapshot: the test clock stands at %v", s.testClock)
	}
	for _, w := range wire.Spent {
		s.spent = s.spent.put(w.Name, w.Second)
	}
	for _, w := range wire.Streams {
		stream := w.stream()
		if wrong := s.misfit(stream); wrong != "" {
			return nil, fault.New(fault.Corrupt, "catalog snapshot: stream %q under account %q in region %q: %s", w.Name, w.Account, w.Region, wrong)
		}
		s.with(nil, stream)
	}
	return s, nil
}

func (w *wireStream) stream() *Stream {
	stream := &Stream{
		w.Account, w.Region, w.Name, arn.Stream(w.Region, w.Account, w.Name).String(), w.ID, w.Group, w.Created.UTC(), w.Status, w.Mode,
		make([]Shard, len(w.Shards)), w.RetentionHours, w.HorizonFloor.UTC(), w.MaxRecordKiB, w.Tags, w.Changed,
	}
	for i, shard := range w.Shards {
		stream.Shards[i] = Shard{Number: shard.Number, Range: shard.Range, Parent: shard.Parent, AdjacentParent: shard.AdjacentParent,
			Created: shard.Created.UTC(), Base: shard.Base}
		if shard.End != nil {
			stream.Shards[i].Status, stream.Shards[i].End, stream.Shards[i].ClosedAt = Closed, *shard.End, shard.ClosedAt.UTC()
		}
	}
	return stream
}

// misfit says why a stream of a snapshot cannot be, or nothing. It holds a snapshot to what Apply keeps.
func (s *State) misfit(stream *Stream) string {
	switch {
	case strings.Contains(stream.Account, "/") || strings.Contains(stream.Region, "/") || strings.Contains(stream.Name, "/"):
		return "a name with a slash"
	case s.Stream(stream.Account, stream.Region, stream.Name) != nil:
		return "it stands twice"
	case s.StreamByID(stream.ID) != nil:
		return fmt.Sprintf("another has its id %q", stream.ID)
	case s.StreamByGroup(stream.Group) != nil:
		return fmt.Sprintf("another has its log group %d", stream.Group)
	case stream.Group == 0 || stream.Group > s.lastGroup:
		return fmt.Sprintf("log group %d was never given out", stream.Group)
	case stream.Changed < 1 || stream.Changed > s.version:
		return fmt.Sprintf("it changed at version %d", stream.Changed)
	case stream.Status != Creating && stream.Status != Active && stream.Status != Updating && stream.Status != Deleting:
		return fmt.Sprintf("status %q", stream.Status)
	case stream.Mode != Provisioned && stream.Mode != OnDemand:
		return fmt.Sprintf("mode %q", stream.Mode)
	case stream.RetentionHours < 1 || stream.RetentionHours > retentionHoursMax:
		return fmt.Sprintf("retention of %d hours", stream.RetentionHours)
	case len(stream.Shards) == 0:
		return "no shards"
	case !sayable(stream.Created) || !sayable(stream.HorizonFloor):
		return fmt.Sprintf("created at %v, horizon floor at %v", stream.Created, stream.HorizonFloor)
	}
	for i := range stream.Shards {
		if shard := &stream.Shards[i]; !sayable(shard.Created) || !sayable(shard.ClosedAt) {
			return fmt.Sprintf("shard %d created at %v, closed at %v", shard.Number, shard.Created, shard.ClosedAt)
		}
		if i > 0 && stream.Shards[i].Number <= stream.Shards[i-1].Number {
			return fmt.Sprintf("shard %d behind shard %d", stream.Shards[i].Number, stream.Shards[i-1].Number)
		}
	}
	return ""
}

// sayable says whether JSON has words for a time in UTC: its years have four digits.
func sayable(t time.Time) bool { return t.Year() >= 0 && t.Year() <= 9999 }
