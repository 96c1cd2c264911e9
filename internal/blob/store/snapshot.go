package store

import (
	"encoding/json"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold/commands"
)

// snapshotFormat is the version of a snapshot's body. docs/format/objects.md has its history.
const snapshotFormat = 1

type (
	wireState struct {
		Format   int          `json:"format"`
		Version  int64        `json:"version"`
		NextFile uint64       `json:"nextFile"`
		Buckets  []wireBucket `json:"buckets"`
	}
	wireBucket struct {
		Name      string            `json:"name"`
		Account   string            `json:"account"`
		Region    string            `json:"region"`
		Created   time.Time         `json:"created"`
		Tags      map[string]string `json:"tags,omitempty"`
		Lifecycle *Lifecycle        `json:"lifecycle,omitempty"`
		Objects   []*Object         `json:"objects,omitempty"`
		Uploads   []wireUpload      `json:"uploads,omitempty"`
	}
	wireUpload struct {
		ID        string            `json:"id"`
		Key       string            `json:"key"`
		Initiated time.Time         `json:"initiated"`
		Meta      *Meta             `json:"meta,omitempty"`
		Tags      map[string]string `json:"tags,omitempty"`
		Algorithm Algorithm         `json:"algorithm,omitempty"`
		Composite bool              `json:"composite,omitempty"`
		Parts     []*Segment        `json:"parts,omitempty"`
	}
)

// encode is the state as canonical bytes: equal states, equal bytes.
func (s *State) encode() []byte {
	wire := wireState{Format: snapshotFormat, Version: s.version, NextFile: s.nextFile, Buckets: make([]wireBucket, 0, s.buckets.Len())}
	for b := range s.Buckets("") {
		w := wireBucket{Name: b.Name, Account: b.Account, Region: b.Region, Created: b.Created, Tags: b.Tags, Lifecycle: b.Lifecycle}
		for o := range b.Objects("") {
			w.Objects = append(w.Objects, o)
		}
		for u := range b.Uploads("", "") {
			up := wireUpload{ID: u.ID, Key: u.Key, Initiated: u.Initiated, Meta: u.Meta, Tags: u.Tags, Algorithm: u.Algorithm, Composite: u.Composite}
			for part := range u.Parts(0) {
				up.Parts = append(up.Parts, part)
			}
			w.Uploads = append(w.Uploads, up)
		}
		wire.Buckets = append(wire.Buckets, w)
	}
	b, err := json.Marshal(wire)
	if err != nil {
		panic("store: a state that JSON cannot hold: " + err.Error()) // keys are UTF-8 and times within JSON's years: the commands' proposers see to it
	}
	return b
}

// decodeState reads what encode wrote. Unsupported when a newer version wrote it; Corrupt when it makes no sense.
func decodeState(b []byte) (*State, error) {
	var format struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(b, &format); err != nil {
		return nil, fault.As(fault.Corrupt, err, "objects snapshot")
	}
	if format.Format != snapshotFormat {
		return nil, fault.New(fault.Unsupported, "objects snapshot has format %d; this version of Weir reads %d", format.Format, snapshotFormat)
	}
	var wire wireState
	if err := commands.Strictly(b, &wire); err != nil {
		return nil, fault.As(fault.Corrupt, err, "objects snapshot")
	}
	s := &State{version: wire.Version, nextFile: wire.NextFile}
	for i := range wire.Buckets {
		b, wrong := wire.Buckets[i].bucket(s)
		if wrong == "" && s.Bucket(b.Name) != nil {
			wrong = "it stands twice"
		}
		if wrong != "" {
			return nil, fault.New(fault.Corrupt, "objects snapshot: bucket %q: %s", wire.Buckets[i].Name, wrong)
		}
		s.buckets = s.buckets.Put(b.Name, b)
	}
	return s, nil
}

func (w *wireBucket) bucket(s *State) (b *Bucket, wrong string) {
	b = &Bucket{Name: w.Name, Account: w.Account, Region: w.Region, Created: w.Created.UTC(), Tags: w.Tags, Lifecycle: w.Lifecycle}
	if !sayable(w.Created) {
		return nil, "created in no year of four digits"
	}
	for _, o := range w.Objects {
		if o == nil {
			return nil, "an object that is nothing"
		}
		o.Modified = o.Modified.UTC()
		if wrong := s.misfit(o.Size, o.Segments, true); wrong != "" || !sayable(o.Modified) {
			return nil, "object " + o.Key + ": " + wrong
		}
		b.objects = b.objects.Put(o.Key, o)
	}
	for _, up := range w.Uploads {
		u := &Upload{ID: up.ID, Key: up.Key, Initiated: up.Initiated.UTC(), Meta: up.Meta, Tags: up.Tags, Algorithm: up.Algorithm, Composite: up.Composite}
		if !sayable(u.Initiated) {
			return nil, "upload " + u.ID + ": begun in no year of four digits"
		}
		for _, part := range up.Parts {
			if part == nil {
				return nil, "upload " + u.ID + ": a part that is nothing"
			}
			part.Modified = part.Modified.UTC()
			if wrong := s.misfit(part.Size, []Segment{*part}, false); wrong != "" {
				return nil, "upload " + u.ID + ": " + wrong
			}
			u.parts = u.parts.Put(part.Number, part)
		}
		b.uploads = b.uploads.Put(uploadName(u.Key, u.ID), u)
	}
	if b.objects.Len() != len(w.Objects) || b.uploads.Len() != len(w.Uploads) {
		return nil, "a key or an upload stands twice"
	}
	return b, ""
}

// misfit says why segments cannot be those of a size, or nothing.
func (s *State) misfit(size int64, segments []Segment, inUTC bool) string {
	var sum int64
	for i := range segments {
		g := &segments[i]
		if inUTC {
			g.Modified = g.Modified.UTC()
		}
		if g.Size < 0 || g.File >= s.nextFile || (g.File == 0) != (g.Size == 0) || !sayable(g.Modified) {
			return "a segment that was never written"
		}
		sum += g.Size
	}
	if sum != size {
		return "its segments do not add up to its size"
	}
	return ""
}

// sayable says whether JSON has words for a time: its years have four digits.
func sayable(t time.Time) bool { return t.Year() >= 0 && t.Year() <= 9999 }

// files visits every file that the state refers to, as often as it does.
func (s *State) files(visit func(file uint64)) {
	each := func(segments []Segment) {
		for i := range segments {
			if segments[i].File != 0 {
				visit(segments[i].File)
			}
		}
	}
	for b := range s.Buckets("") {
		for o := range b.Objects("") {
			each(o.Segments)
		}
		for u := range b.Uploads("", "") {
			for part := range u.Parts(0) {
				each([]Segment{*part})
			}
		}
	}
}
