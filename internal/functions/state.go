package functions

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold/commands"
)

// Catalog is every function that exists, as of one place in the log of functions. It is immutable and safe for anyone to keep.
type Catalog struct {
	version   int64                // 1 + the position of the last command that changed something; 0 before the first
	functions map[string]*Function // by key
}

// key is where a function stands in a Catalog: account, region and name, none of which holds a slash.
func key(account, region, name string) string { return account + "/" + region + "/" + name }

func (f *Function) key() string { return key(f.Account, f.Region, f.Name) }

// Function finds a function, or nil.
func (s *Catalog) Function(account, region, name string) *Function {
	return s.functions[key(account, region, name)]
}

// Functions are those of an account in a region, in order of name.
func (s *Catalog) Functions(account, region string) []*Function {
	prefix := key(account, region, "")
	return s.sorted(func(k string) bool { return strings.HasPrefix(k, prefix) })
}

// All is every function, in order of account, region and name.
func (s *Catalog) All() []*Function { return s.sorted(func(string) bool { return true }) }

func (s *Catalog) sorted(wanted func(key string) bool) []*Function {
	var found []*Function
	for k, f := range s.functions {
		if wanted(k) {
			found = append(found, f)
		}
	}
	slices.SortFunc(found, func(a, b *Function) int { return strings.Compare(a.key(), b.key()) })
	return found
}

// Reserved is how much concurrency the functions of an account in a region keep for themselves, but for one of them.
func (s *Catalog) Reserved(account, region, but string) (total int) {
	for _, f := range s.Functions(account, region) {
		if f.Reserved != nil && f.Name != but {
			total += *f.Reserved
		}
	}
	return total
}

// CodeBytes is what the codes of an account in a region come to.
func (s *Catalog) CodeBytes(account, region string) (total int64) {
	for _, f := range s.Functions(account, region) {
		f.all(func(v *Version) { total += v.Code.Size })
	}
	return total
}

// uses says whether a version of any function has a code.
func (s *Catalog) uses(sha256 string) (used bool) {
	for _, f := range s.functions {
		f.all(func(v *Version) { used = used || v.Code.SHA256 == sha256 })
	}
	return used
}

// with is the catalog with a function added or replaced; without is the catalog without one. s is a private copy, not yet published.
func (s *Catalog) with(f *Function) {
	s.functions = maps.Clone(s.functions)
	if s.functions == nil {
		s.functions = map[string]*Function{}
	}
	s.functions[f.key()] = f
}

func (s *Catalog) without(f *Function) {
	s.functions = maps.Clone(s.functions)
	delete(s.functions, f.key())
}

// snapshotFormat is the version of the bytes that Encode writes. History: 1 is the first.
const snapshotFormat = 1

// wireCatalog is a snapshot: functions in the order of All, fields in that of their structs, maps in that of their keys, times in UTC. Equal catalogs have equal bytes.
type wireCatalog struct {
	Format    int         `json:"format"`
	Version   int64       `json:"version"`
	Functions []*Function `json:"functions"`
}

// Encode is the catalog as canonical bytes.
func (s *Catalog) Encode() []byte {
	b, err := json.Marshal(wireCatalog{snapshotFormat, s.version, s.All()})
	if err != nil {
		panic("functions: a catalog that JSON cannot hold: " + err.Error())
	}
	return b
}

// DecodeCatalog reads what Encode wrote. Unsupported when a newer version wrote it; Corrupt when it makes no sense.
func DecodeCatalog(b []byte) (*Catalog, error) {
	var format struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(b, &format); err != nil {
		return nil, fault.As(fault.Corrupt, err, "snapshot of functions")
	}
	if format.Format != snapshotFormat {
		return nil, fault.New(fault.Unsupported, "snapshot of functions has format %d; this version of Weir reads %d", format.Format, snapshotFormat)
	}
	var w wireCatalog
	if err := commands.Strictly(b, &w); err != nil {
		return nil, fault.As(fault.Corrupt, err, "snapshot of functions")
	}
	s := &Catalog{version: w.Version, functions: map[string]*Function{}}
	for _, f := range w.Functions {
		if f == nil || strings.Contains(f.Account+f.Region+f.Name, "/") || s.functions[f.key()] != nil || f.Latest.Number != Latest {
			return nil, fault.New(fault.Corrupt, "snapshot of functions: a function that cannot be: %+v", f)
		}
		f.all(func(v *Version) { v.Modified = v.Modified.UTC() })
		for i := range f.EventConfigs {
			f.EventConfigs[i].Modified = f.EventConfigs[i].Modified.UTC()
		}
		s.functions[f.key()] = f
	}
	return s, nil
}

// Apply is the only way in which anything changes: the catalog after a command that stands at a position of the log of functions. A refused command changes nothing and
// gives s itself. The result is for commands.DecodeResult. An error means that the command cannot be understood.
func Apply(s *Catalog, at time.Time, position commitlog.Position, command []byte) (*Catalog, []byte, error) {
	c, err := known.Decode(command)
	if err != nil {
		return nil, nil, err
	}
	next := *s
	value, refusal := c.apply(&next, at, position)
	if refusal != nil {
		return s, commands.EncodeResult(nil, refusal), nil
	}
	next.version = position + 1
	return &next, commands.EncodeResult(value, nil), nil
}
