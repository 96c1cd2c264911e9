package catalog

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold/commands"
	"github.com/weir-stream/weir/internal/record"
)

// snapshotFormat is the version of the bytes that Encode writes. History:
//
//	1  streams with shards, retention, record size, tags; the test clock
//	2  shards that open, close and expire; consumers, policies, encryption, shard metrics, warm throughput, distribution; account settings. What is new
//	   may be left out, so that format 1 is read as format 2
const snapshotFormat = 2

// The snapshot as JSON. Fields stand in this order, maps in the order of their keys, streams in the order of account, region, name, and times
// are UTC in RFC 3339: equal states have equal bytes. What can be made from the rest is left out.
type (
	wireState struct {
		Format    int            `json:"format"`
		Version   int64          `json:"version"`
		LastGroup uint64         `json:"lastGroup"`
		TestClock time.Time      `json:"testClock,omitzero"`
		Spent     []wireSpent    `json:"spent,omitempty"`
		Settings  []wireSettings `json:"settings,omitempty"`
		Streams   []wireStream   `json:"streams"`
	}
	wireSettings struct {
		Account string    `json:"account"` // account/region
		Started time.Time `json:"started"`
		Ends    time.Time `json:"ends,omitzero"`
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
		Consumers      []wireConsumer    `json:"consumers,omitempty"`
		Policy         string            `json:"policy,omitempty"`
		Encryption     *Encryption       `json:"encryption,omitempty"`
		DataKeys       []DataKey         `json:"dataKeys,omitempty"`
		ShardMetrics   []string          `json:"shardMetrics,omitempty"`
		WarmMiBps      int               `json:"warmMiBps,omitempty"`
		Distribution   Distribution      `json:"distribution,omitempty"` // left out for USER_PARTITION_KEY
		TargetShards   int               `json:"targetShards,omitempty"`
		Scaled         []time.Time       `json:"scaled,omitempty"`
		ModeChanged    []time.Time       `json:"modeChanged,omitempty"`
		KeyChanged     []time.Time       `json:"keyChanged,omitempty"`
		Changed        int64             `json:"changed"`
	}
	wireConsumer struct {
		Name    string            `json:"name"`
		ARN     string            `json:"arn"`
		Created time.Time         `json:"created"`
		Policy  string            `json:"policy,omitempty"`
		Tags    map[string]string `json:"tags,omitempty"`
	}
	wireShard struct {
		Number         uint32              `json:"number"`
		Range          record.HashRange    `json:"range"`
		Parent         *uint32             `json:"parent,omitempty"`
		AdjacentParent *uint32             `json:"adjacentParent,omitempty"`
		Created        time.Time           `json:"created"`
		OpenedAt       time.Time           `json:"openedAt,omitzero"`
		Base           commitlog.Position  `json:"base"`
		State          string              `json:"state,omitempty"` // "opening", "closing" or "expired"; left out for open and closed ones
		End            *commitlog.Position `json:"end,omitempty"`   // of a closed or expired shard
		ClosedAt       time.Time           `json:"closedAt,omitzero"`
	}
)

// Encode is the state as canonical bytes: equal states, equal bytes.
func (s *State) Encode() []byte {
	wire := wireState{Format: snapshotFormat, Version: s.version, LastGroup: s.lastGroup, TestClock: s.testClock, Streams: make([]wireStream, 0, s.Len())}
	for name, second := range s.spent.All() {
		wire.Spent = append(wire.Spent, wireSpent{name, second})
	}
	for account, settings := range s.settings.All() {
		wire.Settings = append(wire.Settings, wireSettings{account, settings.Started, settings.Ends})
	}
	for stream := range s.All() {
		wire.Streams = append(wire.Streams, streamWire(stream))
	}
	b, err := json.Marshal(wire)
	if err != nil {
		panic("catalog: a state that JSON cannot hold: " + err.Error()) // times are within JSON's years: fold sees to it
	}
	return b
}

func streamWire(stream *Stream) wireStream {
	w := wireStream{
		Account: stream.Account, Region: stream.Region, Name: stream.Name, ID: stream.ID, Group: stream.Group, Created: stream.Created,
		Status: stream.Status, Mode: stream.Mode, Shards: make([]wireShard, len(stream.Shards)), RetentionHours: stream.RetentionHours,
		HorizonFloor: stream.HorizonFloor, MaxRecordKiB: stream.MaxRecordKiB, Tags: stream.Tags, Policy: stream.Policy, Encryption: stream.Encryption,
		DataKeys: stream.DataKeys, ShardMetrics: stream.ShardMetrics, WarmMiBps: stream.WarmMiBps, Distribution: stream.Distribution,
		TargetShards: stream.TargetShards, Scaled: stream.Scaled, ModeChanged: stream.ModeChanged, KeyChanged: stream.KeyChanged, Changed: stream.Changed,
	}
	if w.Distribution == ByPartitionKey {
		w.Distribution = ""
	}
	for _, c := range stream.Consumers {
		w.Consumers = append(w.Consumers, wireConsumer(c))
	}
	for i, shard := range stream.Shards {
		to := &w.Shards[i]
		*to = wireShard{Number: shard.Number, Range: shard.Range, Parent: shard.Parent, AdjacentParent: shard.AdjacentParent,
			Created: shard.Created, OpenedAt: shard.OpenedAt, Base: shard.Base}
		switch {
		case shard.Status == Opening:
			to.State = "opening"
		case shard.Closing:
			to.State = "closing"
		case shard.Status == Expired:
			to.State = "expired"
		}
		if shard.Status == Closed || shard.Status == Expired {
			to.End, to.ClosedAt = &shard.End, shard.ClosedAt
		}
	}
	return w
}

// Decode reads what Encode wrote. Unsupported when a newer version wrote it; Corrupt when it makes no sense.
func Decode(b []byte) (*State, error) {
	var format struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(b, &format); err != nil {
		return nil, fault.As(fault.Corrupt, err, "catalog snapshot")
	}
	if format.Format < 1 || format.Format > snapshotFormat {
		return nil, fault.New(fault.Unsupported, "catalog snapshot has format %d; this version of Weir reads 1 to %d", format.Format, snapshotFormat)
	}
	var wire wireState
	if err := commands.Strictly(b, &wire); err != nil {
		return nil, fault.As(fault.Corrupt, err, "catalog snapshot")
	}
	s := &State{version: wire.Version, lastGroup: wire.LastGroup, testClock: wire.TestClock.UTC()}
	if !sayable(s.testClock) {
		return nil, fault.New(fault.Corrupt, "catalog snapshot: the test clock stands at %v", s.testClock)
	}
	for _, w := range wire.Spent {
		s.spent = s.spent.Put(w.Name, w.Second)
	}
	for _, w := range wire.Settings {
		if w.Started.IsZero() || !sayable(w.Started) || !sayable(w.Ends) {
			return nil, fault.New(fault.Corrupt, "catalog snapshot: the commitment of account %q goes from %v to %v", w.Account, w.Started, w.Ends)
		}
		s.settings = s.settings.Put(w.Account, AccountSettings{Started: w.Started.UTC(), Ends: w.Ends.UTC()})
	}
	for _, w := range wire.Streams {
		stream, wrong := w.stream()
		if wrong == "" {
			wrong = s.misfit(stream)
		}
		if wrong != "" {
			return nil, fault.New(fault.Corrupt, "catalog snapshot: stream %q under account %q in region %q: %s", w.Name, w.Account, w.Region, wrong)
		}
		s.with(nil, stream)
	}
	return s, nil
}

func (w *wireStream) stream() (stream *Stream, wrong string) {
	stream = &Stream{
		Account: w.Account, Region: w.Region, Name: w.Name, ARN: arn.Stream(w.Region, w.Account, w.Name).String(), ID: w.ID, Group: w.Group,
		Created: w.Created.UTC(), Status: w.Status, Mode: w.Mode, Shards: make([]Shard, len(w.Shards)), RetentionHours: w.RetentionHours,
		HorizonFloor: w.HorizonFloor.UTC(), MaxRecordKiB: w.MaxRecordKiB, Tags: w.Tags, Policy: w.Policy, Encryption: w.Encryption,
		DataKeys: w.DataKeys, ShardMetrics: w.ShardMetrics, WarmMiBps: w.WarmMiBps, Distribution: w.Distribution,
		TargetShards: w.TargetShards, Scaled: inUTC(w.Scaled), ModeChanged: inUTC(w.ModeChanged), KeyChanged: inUTC(w.KeyChanged), Changed: w.Changed,
	}
	if stream.Distribution == "" {
		stream.Distribution = ByPartitionKey
	}
	for _, c := range w.Consumers {
		c.Created = c.Created.UTC()
		stream.Consumers = append(stream.Consumers, Consumer(c))
	}
	for i, shard := range w.Shards {
		to := &stream.Shards[i]
		*to = Shard{Number: shard.Number, Range: shard.Range, Parent: shard.Parent, AdjacentParent: shard.AdjacentParent,
			Created: shard.Created.UTC(), OpenedAt: shard.OpenedAt.UTC(), Base: shard.Base}
		if shard.End != nil {
			to.Status, to.End, to.ClosedAt = Closed, *shard.End, shard.ClosedAt.UTC()
		}
		switch {
		case shard.State == "":
		case shard.State == "opening" && shard.End == nil:
			to.Status = Opening
		case shard.State == "closing" && shard.End == nil:
			to.Closing = true
		case shard.State == "expired" && shard.End != nil:
			to.Status = Expired
		default:
			return nil, fmt.Sprintf("shard %d is %q", shard.Number, shard.State)
		}
	}
	return stream, ""
}

func inUTC(times []time.Time) []time.Time {
	for i := range times {
		times[i] = times[i].UTC()
	}
	return times
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
	if wrong := stream.misfitExtras(); wrong != "" {
		return wrong
	}
	for i := range stream.Shards {
		if shard := &stream.Shards[i]; !sayable(shard.Created) || !sayable(shard.ClosedAt) || !sayable(shard.OpenedAt) {
			return fmt.Sprintf("shard %d created at %v, closed at %v", shard.Number, shard.Created, shard.ClosedAt)
		}
		if i > 0 && stream.Shards[i].Number <= stream.Shards[i-1].Number {
			return fmt.Sprintf("shard %d behind shard %d", stream.Shards[i].Number, stream.Shards[i-1].Number)
		}
	}
	return ""
}

// misfitExtras is misfit for what format 2 brought.
func (s *Stream) misfitExtras() string {
	switch {
	case s.Distribution != ByPartitionKey && s.Distribution != Auto:
		return fmt.Sprintf("distribution %q", s.Distribution)
	case (s.Status == Updating) != (s.TargetShards != 0) && s.Status != Deleting:
		return fmt.Sprintf("%s on the way to %d shards", s.Status, s.TargetShards)
	case s.Encryption != nil && s.DataKey(s.Encryption.DataKey) == nil:
		return fmt.Sprintf("no data key %d", s.Encryption.DataKey)
	}
	for i := 1; i < len(s.DataKeys); i++ {
		if s.DataKeys[i].ID <= s.DataKeys[i-1].ID {
			return fmt.Sprintf("data key %d behind data key %d", s.DataKeys[i].ID, s.DataKeys[i-1].ID)
		}
	}
	for i := range s.Consumers {
		if !sayable(s.Consumers[i].Created) || i > 0 && s.Consumers[i].Name <= s.Consumers[i-1].Name {
			return fmt.Sprintf("consumer %q", s.Consumers[i].Name)
		}
	}
	for _, times := range [][]time.Time{s.Scaled, s.ModeChanged, s.KeyChanged} {
		for _, t := range times {
			if !sayable(t) {
				return fmt.Sprintf("changed at %v", t)
			}
		}
	}
	return ""
}

// sayable says whether JSON has words for a time in UTC: its years have four digits.
func sayable(t time.Time) bool { return t.Year() >= 0 && t.Year() <= 9999 }
