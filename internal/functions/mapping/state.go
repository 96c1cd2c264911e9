package mapping

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold/commands"
)

// Catalog is every mapping that exists, as of one place in the log of mappings. It is immutable and safe for anyone to keep.
type Catalog struct {
	version  int64               // 1 + the position of the last command that changed something; 0 before the first
	mappings map[string]*Mapping // by UUID
}

// Mapping finds a mapping of an account in a region, or nil.
func (s *Catalog) Mapping(account, region, uuid string) *Mapping {
	if m := s.mappings[uuid]; m != nil && m.Account == account && m.Region == region {
		return m
	}
	return nil
}

// All is every mapping, in order of UUID.
func (s *Catalog) All() []*Mapping {
	return slices.SortedFunc(maps.Values(s.mappings), func(a, b *Mapping) int { return strings.Compare(a.UUID, b.UUID) })
}

// with adds or replaces a mapping. s is a private copy, not yet published.
func (s *Catalog) with(m *Mapping) {
	s.mappings = maps.Clone(s.mappings)
	if s.mappings == nil {
		s.mappings = map[string]*Mapping{}
	}
	s.mappings[m.UUID] = m
}

// nameOf is the name of a function in its ARN, with the qualifier, if there is one.
func nameOf(functionARN string) string {
	if parsed, err := arn.Parse(functionARN); err == nil {
		return strings.TrimPrefix(parsed.Resource, "function:")
	}
	return functionARN
}

// snapshotFormat is the version of the bytes that Encode writes. History: 1 is the first.
const snapshotFormat = 1

// wireCatalog is a snapshot: mappings in order of UUID, fields in that of their structs, times in UTC. Equal catalogs have equal bytes.
type wireCatalog struct {
	Format   int        `json:"format"`
	Version  int64      `json:"version"`
	Mappings []*Mapping `json:"mappings"`
}

// Encode is the catalog as canonical bytes.
func (s *Catalog) Encode() []byte {
	b, err := json.Marshal(wireCatalog{snapshotFormat, s.version, s.All()})
	if err != nil {
		panic("mapping: a catalog that JSON cannot hold: " + err.Error())
	}
	return b
}

// DecodeCatalog reads what Encode wrote. Unsupported when a newer version wrote it; Corrupt when it makes no sense.
func DecodeCatalog(b []byte) (*Catalog, error) {
	var format struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(b, &format); err != nil {
		return nil, fault.As(fault.Corrupt, err, "snapshot of mappings")
	}
	if format.Format != snapshotFormat {
		return nil, fault.New(fault.Unsupported, "snapshot of mappings has format %d; this version of Weir reads %d", format.Format, snapshotFormat)
	}
	var w wireCatalog
	if err := commands.Strictly(b, &w); err != nil {
		return nil, fault.As(fault.Corrupt, err, "snapshot of mappings")
	}
	s := &Catalog{version: w.Version, mappings: map[string]*Mapping{}}
	for _, m := range w.Mappings {
		if m == nil || s.mappings[m.UUID] != nil {
			return nil, fault.New(fault.Corrupt, "snapshot of mappings: a mapping that cannot be: %+v", m)
		}
		m.Modified = m.Modified.UTC()
		if !m.Starting.Time.IsZero() {
			m.Starting.Time = m.Starting.Time.UTC()
		}
		s.mappings[m.UUID] = m
	}
	return s, nil
}

// Apply is the only way in which anything changes: the catalog after a command that stands at a position of the log of mappings. A refused command changes nothing and gives s
// itself. The result is for commands.DecodeResult. An error means that the command cannot be understood.
func Apply(s *Catalog, at time.Time, position commitlog.Position, command []byte) (*Catalog, []byte, error) {
	c, err := known.Decode(command)
	if err != nil {
		return nil, nil, err
	}
	next := *s
	if refusal := c.apply(&next, at, position); refusal != nil {
		return s, commands.EncodeResult(nil, refusal), nil
	}
	next.version = position + 1
	return &next, nil, nil
}
