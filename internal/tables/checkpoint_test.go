package tables

import (
	"context"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/vfs"
)

// TestDamagedCheckpoint breaks the newest checkpoint in several ways: the one before it is used, the log has the rest, and nothing is missing. It also shows that two
// checkpoints are kept, and the log is trimmed behind the older.
func TestDamagedCheckpoint(t *testing.T) {
	const snapshots = "tables/" + account + "/" + region + "/snapshots"
	for _, row := range []struct {
		name  string
		spoil func(t *testing.T, fs vfs.FS, frame, state string)
	}{
		{"nothing", func(*testing.T, vfs.FS, string, string) {}},
		{"a byte of the frame", func(t *testing.T, fs vfs.FS, frame, _ string) {
			b, err := vfs.ReadFile(fs, frame)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)/2] ^= 1
			if err := vfs.WriteFile(fs, frame, b); err != nil {
				t.Fatal(err)
			}
		}},
		{"the database is gone", func(t *testing.T, fs vfs.FS, _, state string) {
			if err := vfs.RemoveAll(fs, state); err != nil {
				t.Fatal(err)
			}
		}},
		{"its manifest is cut", func(t *testing.T, fs vfs.FS, _, state string) {
			names, err := fs.List(state)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				if strings.HasPrefix(name, "MANIFEST") {
					if err := vfs.WriteFile(fs, path.Join(state, name), []byte("cut")); err != nil {
						t.Fatal(err)
					}
				}
			}
		}},
		{"a table's file is gone", func(t *testing.T, fs vfs.FS, _, state string) {
			names, err := fs.List(state)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				if path.Ext(name) == ".sst" {
					if err := fs.Remove(path.Join(state, name)); err != nil {
						t.Fatal(err)
					}
				}
			}
		}},
		{"the frame is gone", func(t *testing.T, fs vfs.FS, frame, _ string) {
			if err := fs.Remove(frame); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			mem := vfs.NewMem()
			w := begin(t, mem, clock.Real, 20)
			tab := w.makeTable("t", false, func(c *CreateTable) { c.View = "NEW_IMAGE" })
			var names, frames, states []string
			look := func() {
				var err error
				if names, err = mem.List(snapshots); err != nil {
					t.Fatal(err)
				}
				frames, states = nil, nil
				for _, name := range names {
					if strings.HasPrefix(name, "snapshot-") && len(name) == len("snapshot-")+16 {
						frames = append(frames, name)
					}
					if strings.HasPrefix(name, "state-") {
						states = append(states, name)
					}
				}
			}
			total := 0
			for ; total < 100 || len(frames) < 2 && total < 100000; total++ { // snapshots are made in the background
				w.put(tab, item("k", fmt.Sprint(total%50), "n", total))
				if total%10 == 0 {
					look()
				}
			}
			w.stop()
			look()
			if len(frames) != 2 || len(states) != 2 || strings.TrimPrefix(frames[1], "snapshot-") != strings.TrimPrefix(states[1], "state-") {
				t.Fatalf("snapshots are %v", names)
			}
			row.spoil(t, mem, path.Join(snapshots, frames[1]), path.Join(snapshots, states[1]))
			w.start()
			tab = w.table("t")
			items := w.read(Reading{Table: tab}).Items
			if len(items) != 50 || len(w.changesOf(tab)) != total {
				t.Errorf("%d items and %d changes are left", len(items), len(w.changesOf(tab)))
			}
			for _, it := range items {
				n, _ := it.Get("n").Number().Int64()
				if int(n) < total-50 {
					t.Errorf("%s is old", show(it))
				}
			}
			log, err := w.store.Open(context.Background(), LogID(account, region))
			if err != nil {
				t.Fatal(err)
			}
			bounds, err := log.Bounds(context.Background())
			if err != nil || fmt.Sprintf("snapshot-%016x", bounds.First) > frames[0] {
				t.Errorf("the log begins at %d, where the older snapshot is %s; %v", bounds.First, frames[0], err)
			}
			w.put(tab, item("k", "more"))
		})
	}
}
