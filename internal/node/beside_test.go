package node_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/doctor"
	"github.com/weir-stream/weir/internal/fault"
)

// Each row breaks a directory with tables and objects, and says what the doctor finds, and whether a repair makes it sound.
func TestDamageBesideTheLogs(t *testing.T) {
	config := devConfig(t.TempDir())
	config.SnapshotEvery = 16
	n, stop := start(t, config)
	c := clientsOf(t, n)
	c.setUp(t)
	var w written
	stopWriting := write(t, c, &w)
	w.await(t, 70, 70)
	stopWriting()
	items, objects := w.now()
	stop()
	const snapshots = "tables/000000000000/us-east-1/snapshots"
	nth := func(dir, pattern string, n int) string {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		must(t, err)
		if len(found) <= n {
			t.Fatalf("%s: %v", pattern, found)
		}
		return found[n]
	}
	flip := func(file string) {
		b, err := os.ReadFile(file)
		must(t, err)
		b[len(b)/3] ^= 0x40
		must(t, os.WriteFile(file, b, 0o600))
	}
	for _, row := range []struct {
		name     string
		break_   func(dir string)
		kind     string // "" is sound
		says     []string
		repaired bool // sound after a repair
		refused  bool // the repair is
	}{
		{"nothing", func(string) {}, "", nil, true, false},
		{"newest frame of a table", func(dir string) { flip(nth(dir, snapshots+"/snapshot-*", 1)) }, "snapshot", []string{"tables of 000000000000 in us-east-1", "snapshot-"}, true, false},
		{"older frame of a table", func(dir string) { flip(nth(dir, snapshots+"/snapshot-*", 0)) }, "snapshot", []string{"us-east-1"}, true, false},
		{"a table file of the newest database", func(dir string) { flip(nth(nth(dir, snapshots+"/state-*", 1), "*.sst", 0)) }, "snapshot", []string{"us-east-1"}, true, false},
		{"the end of the list of files of the newest database", func(dir string) {
			file := nth(nth(dir, snapshots+"/state-*", 1), "MANIFEST-*", 0)
			b, err := os.ReadFile(file)
			must(t, err)
			b[len(b)-2] ^= 1
			must(t, os.WriteFile(file, b, 0o600))
		}, "snapshot", []string{"us-east-1"}, true, false},
		{"newest database gone", func(dir string) { must(t, os.RemoveAll(nth(dir, snapshots+"/state-*", 1))) }, "snapshot", []string{"checkpoint is missing"}, true, false},
		{"both frames", func(dir string) {
			flip(nth(dir, snapshots+"/snapshot-*", 0))
			flip(nth(dir, snapshots+"/snapshot-*", 1))
		}, "engine", []string{"us-east-1", "no whole snapshot reaches it"}, false, true},
		{"all snapshots gone", func(dir string) { must(t, os.RemoveAll(filepath.Join(dir, snapshots))) }, "engine", []string{"us-east-1", "no whole snapshot reaches it"}, false, true},
		{"directory of tables gone", func(dir string) { must(t, os.RemoveAll(filepath.Join(dir, "tables"))) }, "directory-missing", []string{"tables of account 000000000000"}, false, true},
		{"half of the journal", func(dir string) {
			file := nth(dir, "log/journal-*", 0)
			info, err := os.Stat(file)
			must(t, err)
			must(t, os.Truncate(file, info.Size()/2))
		}, "engine", []string{"us-east-1", "the log has lost its end"}, false, true},
		{"half of the journal, and a byte", func(dir string) {
			file := nth(dir, "log/journal-*", 0)
			info, err := os.Stat(file)
			must(t, err)
			must(t, os.Truncate(file, info.Size()/2))
			flip(file)
		}, "engine", []string{"us-east-1", "the log has lost its end"}, false, false}, // names of files that were removed since are back, and are said
		{"a byte of the journal", func(dir string) { flip(nth(dir, "log/journal-*", 0)) }, "end", []string{"tables of 000000000000 in eu-west-3", "may be missing"}, true, false},
		{"the journal", func(dir string) { must(t, os.Remove(nth(dir, "log/journal-*", 0))) }, "engine", []string{"us-east-1", "the log is missing"}, false, true},
		{"newest frame of objects", func(dir string) { flip(nth(dir, "objects/names/snapshot-*", 1)) }, "snapshot", []string{"objects: objects/names/snapshot-"}, true, false},
		{"an object's file gone", func(dir string) { must(t, os.Remove(nth(dir, "objects/files/*/*", 0))) }, "content", []string{"bucket photos, object \"large\"", "missing"}, false, false},
		{"an object's file cut", func(dir string) { must(t, os.Truncate(nth(dir, "objects/files/*/*", 0), 1<<20)) }, "content", []string{"bucket photos, object \"large\"", "1048576 bytes of 4194304"}, false, false},
		{"an object's byte", func(dir string) { flip(nth(dir, "objects/files/*/*", 0)) }, "content", []string{"bucket photos, object \"large\"", "CRC-32C"}, false, false},
		{"a file that no object has", func(dir string) {
			must(t, os.WriteFile(filepath.Join(filepath.Dir(nth(dir, "objects/files/*/*", 0)), "0000000000000fff"), []byte("of a crash"), 0o600))
		}, "", []string{"objects/files/0000000000000/0000000000000fff counts for nothing"}, true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.CopyFS(dir, os.DirFS(config.DataDir)))
			row.break_(dir)
			x, err := doctor.Examine(t.Context(), doctor.Options{FS: open(t, dir)})
			must(t, err)
			defer x.Close()
			findings := x.Report.Findings
			if row.kind == "" {
				findings = x.Report.Notes
			}
			said := slices.ContainsFunc(findings, func(f doctor.Finding) bool {
				return (row.kind == "" || string(f.Kind) == row.kind) && !slices.ContainsFunc(row.says, func(s string) bool { return !strings.Contains(f.Text, s) })
			})
			if x.Report.Sound != (row.kind == "") || len(row.says) > 0 && !said {
				t.Fatalf("sound %v: %+v %+v", x.Report.Sound, x.Report.Findings, x.Report.Notes)
			}
			plan, err := x.Plan(time.Now())
			must(t, err)
			err = x.Repair(t.Context(), plan)
			if row.refused != fault.Is(err, fault.Unsupported) || !row.refused && err != nil {
				t.Fatalf("repair: %v", err)
			}
			if row.kind == "content" && len(plan.Left) == 0 {
				t.Error("the plan does not say what is left")
			}
			x.Close()
			after, err := doctor.Examine(t.Context(), doctor.Options{FS: open(t, dir)})
			must(t, err)
			after.Close()
			if after.Report.Sound != row.repaired {
				t.Fatalf("after the repair: %+v", after.Report)
			}
			if row.name == "half of the journal, and a byte" { // files that lost commands may have named are kept from the server's sweep
				nth(dir, "quarantine/*/objects/files/*/*", 0)
				if slices.ContainsFunc(after.Report.Findings, func(f doctor.Finding) bool { return f.Kind != doctor.ContentDamaged }) {
					t.Errorf("%+v", after.Report.Findings)
				}
			}
			if row.repaired {
				again := config
				again.DataDir = dir
				n, _ := start(t, again)
				clientsOf(t, n).has(t, items, objects, true)
			}
		})
	}
}
