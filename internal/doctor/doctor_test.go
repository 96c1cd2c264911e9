package doctor_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/doctor"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// directory is a data directory with a control log that says nothing yet.
func directory(t *testing.T) (dir string, fs vfs.FS) {
	t.Helper()
	dir = t.TempDir()
	fs, err := vfs.NewOS(dir)
	must(t, err)
	store, err := disklog.Open(disklog.Options{FS: fs, Dir: "log", Clock: clock.Real})
	must(t, err)
	must(t, store.Create(t.Context(), commitlog.ID{}, commitlog.Config{}))
	must(t, store.Create(t.Context(), commitlog.ID{Group: 9, Member: 1}, commitlog.Config{}))
	must(t, store.Close())
	return dir, fs
}

// Each row puts something beside the logs, and says what is found, whether that is damage, and what a repair leaves there.
func TestFilesBesideTheLogs(t *testing.T) {
	const old = `{"version":1,"keys":[{"accessKeyId":"AKIAX","secret":"s","account":"000000000000","name":"","created":"2026-11-18T13:14:15Z"}]}`
	for _, row := range []struct {
		file, content string
		says          string // empty: nothing is found
		damage        bool
		stays         bool // after a repair
	}{
		{"keys.json", old, "", false, true},
		{"keys.json", `{"version":1,"keys":[{"accessKeyId":"A"`, "keys.json", true, false},
		{"secret", strings.Repeat("s", 32), "", false, true},
		{"secret", "short", "5 bytes instead of 32", true, false},
		{"master-keys.json", "{", "put your copy of it back", true, true},
		{"control/snapshot-0000000000000005", "nonsense", "control/snapshot-0000000000000005", true, false},
		{"control/snapshot-0000000000000005.bad", "put aside", "counts for nothing", false, true},
		{"pins/backup", "not a directory here", "was held for a backup when the server ended; the next start removes it", false, true},
		{"log/segment-0000000000000077", "of a crash", "counts for nothing", false, true},
		{"log/something", "of somebody else", "left alone", false, true},
	} {
		t.Run(row.file+" "+row.says, func(t *testing.T) {
			dir, fs := directory(t)
			name := filepath.Join(dir, row.file)
			must(t, os.MkdirAll(filepath.Dir(name), 0o700))
			must(t, os.WriteFile(name, []byte(row.content), 0o600))
			x, err := doctor.Examine(t.Context(), doctor.Options{FS: fs})
			must(t, err)
			defer x.Close()
			said := func(f doctor.Finding) bool { return strings.Contains(f.Text, row.says) && f.File == row.file }
			findings, notes := slices.ContainsFunc(x.Report.Findings, said), slices.ContainsFunc(x.Report.Notes, said)
			if row.says != "" && (findings != row.damage || notes == row.damage) || x.Report.Sound == row.damage {
				t.Errorf("%+v", x.Report)
			}
			if got, err := os.ReadFile(name); err != nil || string(got) != row.content {
				t.Errorf("looking changed it: %q %v", got, err)
			}
			plan, err := x.Plan(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
			must(t, err)
			must(t, x.Repair(t.Context(), plan))
			_, err = os.Stat(name)
			if stays := err == nil; stays != row.stays {
				t.Errorf("after the repair it is there: %v", stays)
			}
			if _, err := os.Stat(filepath.Join(dir, "quarantine/20261120T120000Z", row.file)); (err == nil) == row.stays {
				t.Errorf("in the quarantine: %v", err)
			}
		})
	}
}

// A log that no stream has is noted, and no damage; a directory that is none is refused; and one that a server has is left alone.
func TestWhatIsNoDamage(t *testing.T) {
	_, fs := directory(t)
	x, err := doctor.Examine(t.Context(), doctor.Options{FS: fs})
	must(t, err)
	if !x.Report.Sound || len(x.Report.Notes) != 1 || x.Report.Notes[0].Kind != disklog.LogNoStream || x.Report.Notes[0].Log != "9/1" {
		t.Errorf("%+v", x.Report)
	}
	if _, err := doctor.Examine(t.Context(), doctor.Options{FS: fs}); !fault.Is(err, fault.Conflict) {
		t.Errorf("locked: %v", err)
	}
	copied, err := doctor.Examine(t.Context(), doctor.Options{FS: fs, Unlocked: true})
	must(t, err)
	copied.Close()
	x.Close()
	if _, err := doctor.Examine(t.Context(), doctor.Options{FS: vfs.NewMem()}); !fault.Is(err, fault.NotFound) {
		t.Errorf("nothing: %v", err)
	}
}

// Records are those of streams; what other logs hold is counted apart.
func TestWhatIsCounted(t *testing.T) {
	_, fs := directory(t)
	store, err := disklog.Open(disklog.Options{FS: fs, Dir: "log", Clock: clock.Real})
	must(t, err)
	for id, records := range map[commitlog.ID]int{{Group: 9, Member: 1}: 3, {Member: 2}: 2} {
		must(t, store.Create(t.Context(), id, commitlog.Config{}))
		log, err := store.Open(t.Context(), id)
		must(t, err)
		var b batch.Batch
		for range records {
			b.Append(1, nil, []byte("x"))
		}
		_, err = log.Append(t.Context(), &b)
		must(t, err)
	}
	must(t, store.Close())
	x, err := doctor.Examine(t.Context(), doctor.Options{FS: fs})
	must(t, err)
	defer x.Close()
	if r := x.Report; r.Records != 3 || r.Commands != 2 || r.Checked.Records != 5 {
		t.Errorf("%d records, %d commands, %+v", r.Records, r.Commands, r.Checked)
	}
}
