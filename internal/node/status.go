package node

import (
	"context"
	"encoding/json"
	"path/filepath"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/console"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/vfs"
)

// damagedMost is how many damaged places are remembered for the status; the log has all.
const damagedMost = 20

// damageNotes remembers what the store has met. It is told from any goroutine.
type damageNotes struct {
	mu         sync.Mutex // guards everything below
	met        int64
	passedOver int64
	places     []damageNote // the latest last
}

type damageNote struct {
	disklog.Damage
	seen time.Time
}

func (d *damageNotes) note(damage disklog.Damage, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.met++
	for i := range d.places {
		if known := &d.places[i]; known.Log == damage.Log && known.To == damage.To {
			known.seen = at
			return
		}
	}
	d.places = append(d.places, damageNote{damage, at})
	if len(d.places) > damagedMost {
		d.places = d.places[1:]
	}
}

// lost notes a file that cannot be used; which positions that costs is told apart.
func (d *damageNotes) lost() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.met++
}

func (d *damageNotes) pass() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.passedOver++
}

// lastBackupBytesMax bounds a note of four fields, one of which names every region with tables.
const lastBackupBytesMax = 4 << 20

// status is what the console says of the node as a whole.
func (n *Node) status(ctx context.Context) console.Status {
	health, err := n.health(ctx)
	if health.Status = "ok"; err != nil {
		health.Status = err.Error()
	}
	stats := n.store.Stats()
	st := console.Status{
		Health: health, Started: n.started, Now: n.pins.clock.Now().UTC(), Data: n.pins.data, Dev: n.config.Dev, Limits: limitsOff,
		TestClock: n.config.TestClock != "", Durability: n.config.Durability,
		Journal:  console.JournalStatus{Files: stats.Journals, Bytes: stats.JournalBytes, Most: stats.JournalMost},
		Segments: console.FileStatus{Files: stats.Segments, Bytes: stats.SegmentBytes},
		Refusing: n.refusing.Load(), Damaged: []console.DamageStatus{}, Streams: []console.StreamStatus{},
	}
	st.Functions = n.functionsBound
	st.DeliveryStreams = n.deliveryStatus()
	if n.config.limited() {
		st.Limits = limitsAWS
	}
	if st.Durability == "" {
		st.Durability = "sync"
	}
	if absolute, err := filepath.Abs(st.Data); err == nil {
		st.Data = absolute
	}
	if free, all, err := vfs.Free(n.pins.fs); err == nil {
		st.Disk = &console.DiskStatus{Free: free, All: all}
	}
	if b, err := secretfile.Read(n.pins.fs, datadir.LastBackup, lastBackupBytesMax); err == nil {
		var last console.LastBackup
		if json.Unmarshal(b, &last) == nil {
			st.LastBackup = &last
		}
	}
	state := n.control.State()
	n.damages.mu.Lock()
	st.Damages, st.PassedOver = n.damages.met, n.damages.passedOver
	for _, d := range n.damages.places {
		place := console.DamageStatus{Seen: d.seen.UTC(), Log: d.Log.String(), FirstPosition: d.From, LastPosition: d.To - 1, File: d.File, Byte: d.At}
		if stream := state.StreamByGroup(d.Log.Group); stream != nil {
			place.Stream, place.Account, place.Region, place.Shard = stream.Name, stream.Account, stream.Region, streams.ShardID(d.Log.Member)
		}
		if of := n.deliveryOf(d.Log); of != nil {
			place.DeliveryStream, place.Account, place.Region = of.Name, of.Account, of.Region
		}
		st.Damaged = append(st.Damaged, place)
	}
	n.damages.mu.Unlock()
	for stream := range state.All() {
		st.Streams = append(st.Streams, n.streamStatus(stream, st.Now))
	}
	return st
}

func (n *Node) streamStatus(stream *catalog.Stream, now time.Time) console.StreamStatus {
	stats := n.streams.Stats(stream)
	s := console.StreamStatus{
		Account: stream.Account, Region: stream.Region, Name: stream.Name, Status: string(stream.Status), Mode: string(stream.Mode),
		RetentionHours: stream.RetentionHours, Consumers: len(stream.Consumers),
		IncomingRecords: stats.IncomingRecords.Load(), IncomingBytes: stats.IncomingBytes.Load(),
		OutgoingRecords: stats.GetRecordsRecords.Load(), OutgoingBytes: stats.GetRecordsBytes.Load(),
		WriteThrottled: stats.WriteExceeded.Load(), ReadThrottled: stats.ReadExceeded.Load(),
	}
	for i := range stream.Consumers {
		pushed := stats.Consumer(stream.Consumers[i].Name)
		s.OutgoingRecords += pushed.Records.Load()
		s.OutgoingBytes += pushed.Bytes.Load()
	}
	if stream.Encryption != nil {
		s.Encryption = stream.Encryption.KeyID
	}
	if age, some := stats.IteratorAge.Highest(now); some {
		s.IteratorAgeMillis = &age
	}
	for i := range stream.Shards {
		switch stream.Shards[i].Status {
		case catalog.Open:
			s.Shards.Open++
		case catalog.Closed:
			s.Shards.Closed++
		case catalog.Opening:
			s.Shards.Opening++
		case catalog.Expired:
			s.Shards.Expired++
		}
	}
	return s
}
