package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"time"

	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/vfs"
)

// Treatment is what a repair would do, or did.
type Treatment struct {
	Quarantine string   `json:"quarantine"` // where files go, in the data directory
	Steps      []Step   `json:"steps"`
	Refused    []string `json:"refused"` // why nothing is done
	Left       []string `json:"left"`    // what a repair leaves as it is: there is nothing to make it of

	plan *disklog.Plan
	when time.Time
}

// Step is one thing of a Treatment.
type Step struct {
	Do   string `json:"do"`
	Text string `json:"text"`

	Stream        string `json:"stream,omitempty"`
	Account       string `json:"account,omitempty"`
	Region        string `json:"region,omitempty"`
	Shard         string `json:"shard,omitempty"`
	FirstPosition *int64 `json:"firstPosition,omitempty"`
	LastPosition  *int64 `json:"lastPosition,omitempty"`
}

// Plan says what a repair would do, and changes nothing. now names the quarantine.
func (x *Examination) Plan(now time.Time) (*Treatment, error) {
	t := &Treatment{Quarantine: path.Join(datadir.Quarantine, now.UTC().Format("20060102T150405Z")), when: now, Refused: x.hopeless, Left: x.left}
	var err error
	if t.plan, err = x.image.Plan(now, x.claims()); err != nil {
		return nil, err
	}
	for _, s := range t.plan.Steps {
		step := Step{Do: s.Do, Text: s.Text}
		if stream := x.state.StreamByGroup(s.Log.Group); stream != nil {
			step.Stream, step.Account, step.Region, step.Shard = stream.Name, stream.Account, stream.Region, streams.ShardID(s.Log.Member)
			step.Text = fmt.Sprintf("stream %s (account %s, %s), %s: %s", stream.Name, stream.Account, stream.Region, step.Shard, s.Text)
		}
		if direct := x.deliveryOf(s.Log); direct != nil {
			step.Account, step.Region, step.Text = direct.Account, direct.Region, called(direct)+": "+s.Text
		}
		if s.Do == "give up" {
			last := s.To - 1
			step.FirstPosition, step.LastPosition = &s.From, &last
		}
		t.Steps = append(t.Steps, step)
	}
	for _, f := range x.put {
		t.Steps = append(t.Steps, Step{Do: "quarantine", Text: fmt.Sprintf("%s goes to the quarantine: %s", f.file, f.why)})
	}
	t.Refused = append(t.Refused, t.plan.Refused...)
	if !x.whole && len(x.hopeless) == 0 {
		t.Refused = append(t.Refused, "the control log is damaged, and no snapshot has what it said: which streams exist cannot be told; restore a backup")
	}
	for _, f := range x.Report.Findings {
		if f.Kind == disklog.StreamNoLog && len(t.plan.Steps) == 0 {
			t.Refused = append(t.Refused, f.Text+", and no damage says why: restore a backup, or delete the stream")
		}
	}
	return t, nil
}

// claims are the logs that exist according to the catalog; nil when it could not be read to its end, and then every log is kept.
func (x *Examination) claims() map[commitlog.ID]disklog.Claim {
	if !x.whole {
		return nil
	}
	claims := map[commitlog.ID]disklog.Claim{{}: {AtLeast: x.snapshot, Covered: true}}
	x.foldClaims(claims)
	x.directClaims(claims)
	for stream := range x.state.All() {
		for i := range stream.Shards {
			shard := &stream.Shards[i]
			claim := disklog.Claim{Retention: stream.Retention(), Optional: stream.Status == catalog.Creating || stream.Status == catalog.Deleting}
			switch shard.Status {
			case catalog.Open:
			case catalog.Closed:
				claim.Sealed, claim.End = true, shard.End-shard.Base
			case catalog.Opening:
				claim.Optional = true // its log is being made; the server does so again
			case catalog.Expired:
				continue // its log is being removed, and nobody reads it
			}
			claims[streams.LogID(stream, shard.Number)] = claim
		}
	}
	return claims
}

// Repair does what a plan says. Unsupported when the plan refuses; then nothing is changed. The Examination is of no more use.
func (x *Examination) Repair(ctx context.Context, t *Treatment) error {
	if len(t.Refused) > 0 {
		return fault.New(fault.Unsupported, "this cannot be repaired: %s", t.Refused[0])
	}
	if len(t.Steps) == 0 {
		return nil
	}
	fs := x.options.FS
	for _, dir := range []string{path.Join(t.Quarantine, datadir.Log), path.Join(t.Quarantine, datadir.Control)} {
		if err := fs.MkdirAll(dir); err != nil {
			return err
		}
	}
	for _, dir := range []string{".", datadir.Quarantine, t.Quarantine} {
		if err := fs.SyncDir(dir); err != nil {
			return err
		}
	}
	note, err := json.MarshalIndent(struct {
		When     time.Time `json:"when"`
		Findings []Finding `json:"findings"`
		Steps    []Step    `json:"steps"`
	}{t.when.UTC(), x.Report.Findings, t.Steps}, "", "  ")
	if err != nil {
		return fault.As(fault.Internal, err, "note")
	}
	if err := secretfile.Replace(fs, path.Join(t.Quarantine, "note.json"), append(note, '\n')); err != nil {
		return err
	}
	if len(t.plan.Steps) > 0 {
		if err := x.image.Repair(ctx, t.plan, path.Join(t.Quarantine, datadir.Log)); err != nil {
			return err
		}
	}
	for _, f := range x.put {
		to := path.Join(t.Quarantine, f.file)
		if err := makeDirs(fs, t.Quarantine, path.Dir(to)); err != nil {
			return err
		}
		if err := fs.Link(f.file, to); fault.Is(err, fault.Unsupported) {
			if err := copyFile(fs, f.file, to); err != nil {
				return err
			}
		} else if err != nil && !fault.Is(err, fault.Exists) {
			return err
		}
		if err := fs.SyncDir(path.Dir(to)); err != nil {
			return err
		}
		if err := fs.Remove(f.file); err != nil {
			return err
		}
		if err := fs.SyncDir(path.Dir(f.file)); err != nil {
			return err
		}
	}
	return nil
}

// makeDirs makes a directory and those between it and root, with durable names.
func makeDirs(fs vfs.FS, root, dir string) error {
	if err := fs.MkdirAll(dir); err != nil {
		return err
	}
	for ; dir != root && dir != "."; dir = path.Dir(dir) {
		if err := fs.SyncDir(path.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}

// asideBytesMax bounds a file that is copied into the quarantine where there are no links; a snapshot of the largest catalog is far smaller.
const asideBytesMax = 1 << 30

func copyFile(fs vfs.FS, from, to string) error {
	b, err := secretfile.Read(fs, from, asideBytesMax)
	if err != nil {
		return err
	}
	return secretfile.Replace(fs, to, b)
}
