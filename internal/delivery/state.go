package delivery

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/fold/commands"
)

// Catalog is every delivery stream that exists, as of one place in their log. It is immutable and safe for anyone to keep.
type Catalog struct {
	version int64              // 1 + the position of the last command that changed something; 0 before the first
	last    uint64             // the highest number that was ever given
	streams map[string]*Stream // by key
}

// Stream finds a delivery stream, or nil.
func (c *Catalog) Stream(account, region, name string) *Stream {
	return c.streams[key(account, region, name)]
}

// Numbered finds a delivery stream by its number, or nil.
func (c *Catalog) Numbered(number uint64) *Stream {
	for _, s := range c.streams {
		if s.Number == number {
			return s
		}
	}
	return nil
}

// LastNumber is the highest number that a delivery stream ever had.
func (c *Catalog) LastNumber() uint64 { return c.last }

// Streams are those of an account in a region, in order of name.
func (c *Catalog) Streams(account, region string) []*Stream {
	prefix := key(account, region, "")
	return c.sorted(func(k string) bool { return strings.HasPrefix(k, prefix) })
}

// All is every delivery stream, in order of account, region and name.
func (c *Catalog) All() []*Stream { return c.sorted(func(string) bool { return true }) }

func (c *Catalog) sorted(wanted func(key string) bool) []*Stream {
	var found []*Stream
	for k, s := range c.streams {
		if wanted(k) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *Stream) int { return strings.Compare(a.key(), b.key()) })
	return found
}

// with adds or replaces a delivery stream. c is a private copy, not yet published.
func (c *Catalog) with(s *Stream) {
	c.streams = maps.Clone(c.streams)
	if c.streams == nil {
		c.streams = map[string]*Stream{}
	}
	c.streams[s.key()] = s
}

func (c *Catalog) without(s *Stream) {
	c.streams = maps.Clone(c.streams)
	delete(c.streams, s.key())
}

// snapshotFormat is the version of the bytes that Encode writes. History: 1 is the first.
const snapshotFormat = 1

// wireCatalog is a snapshot: delivery streams in the order of All, fields in that of their structs, times in UTC. Equal catalogs have equal bytes.
type wireCatalog struct {
	Format  int       `json:"format"`
	Version int64     `json:"version"`
	Last    uint64    `json:"last"`
	Streams []*Stream `json:"streams"`
}

// Encode is the catalog as canonical bytes.
func (c *Catalog) Encode() []byte {
	b, err := json.Marshal(wireCatalog{snapshotFormat, c.version, c.last, c.All()})
	if err != nil {
		panic("delivery: a catalog that JSON cannot hold: " + err.Error())
	}
	return b
}

// DecodeCatalog reads what Encode wrote. Unsupported when a newer version wrote it; Corrupt when it makes no sense.
func DecodeCatalog(b []byte) (*Catalog, error) {
	var format struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(b, &format); err != nil {
		return nil, fault.As(fault.Corrupt, err, "snapshot of delivery streams")
	}
	if format.Format != snapshotFormat {
		return nil, fault.New(fault.Unsupported, "snapshot of delivery streams has format %d; this version of Weir reads %d", format.Format, snapshotFormat)
	}
	var w wireCatalog
	if err := commands.Strictly(b, &w); err != nil {
		return nil, fault.As(fault.Corrupt, err, "snapshot of delivery streams")
	}
	c := &Catalog{version: w.Version, last: w.Last, streams: map[string]*Stream{}}
	for _, s := range w.Streams {
		if s == nil || s.Number == 0 || s.Number > w.Last || c.streams[s.key()] != nil {
			return nil, fault.New(fault.Corrupt, "snapshot of delivery streams: one that cannot be: %+v", s)
		}
		s.Created = s.Created.UTC()
		for _, t := range []*time.Time{&s.Updated, &s.Began} {
			if !t.IsZero() {
				*t = t.UTC()
			}
		}
		c.streams[s.key()] = s
	}
	return c, nil
}

// Apply is the only way in which anything changes: the catalog after a command that stands at a position of the log of delivery streams. A refused command changes nothing and
// gives c itself. The result is for commands.DecodeResult. An error means that the command cannot be understood.
func Apply(c *Catalog, at time.Time, position commitlog.Position, command []byte) (*Catalog, []byte, error) {
	does, err := known.Decode(command)
	if err != nil {
		return nil, nil, err
	}
	next := *c
	if refusal := does.apply(&next, at); refusal != nil {
		return c, commands.EncodeResult(nil, refusal), nil
	}
	next.version = position + 1
	return &next, nil, nil
}

// Machine is the catalog as a fold drives it, empty.
func Machine() *fold.Published[*Catalog] {
	return fold.Publish(&Catalog{}, fold.Rules[*Catalog]{Apply: Apply, Encode: (*Catalog).Encode, Decode: DecodeCatalog})
}
