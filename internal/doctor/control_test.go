package doctor_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/controller"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/doctor"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold"
	"github.com/weir-stream/weir/internal/vfs"
)

// later puts a snapshot beside the logs that knows of more commands than the control log of the directory has.
func later(t *testing.T, fs vfs.FS) {
	t.Helper()
	logs := commitlog.NewMemory(clock.Real, commitlog.Forever)
	defer logs.Close()
	must(t, logs.Create(t.Context(), commitlog.ID{}, commitlog.Config{}))
	log, err := logs.Open(t.Context(), commitlog.ID{})
	must(t, err)
	control := openControl(t, fs, log)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- control.Run(ctx) }()
	for {
		must(t, control.Propose(ctx, catalog.UpdateAccountSettings{Account: "111111111111", Region: "us-east-1", Commit: true}))
		if files, err := fold.SnapshotNames(fs, datadir.Control); err == nil && len(files) > 0 {
			break
		}
	}
	stop()
	must(t, <-done)
}

func openControl(t *testing.T, fs vfs.FS, log commitlog.Log) *controller.Controller {
	t.Helper()
	c, err := tryControl(t, fs, log)
	must(t, err)
	return c
}

func tryControl(t *testing.T, fs vfs.FS, log commitlog.Log) (*controller.Controller, error) {
	return controller.Open(t.Context(), controller.Options{Log: log, FS: fs, Dir: datadir.Control, Clock: clock.Real, Session: 7, SnapshotEvery: 2, Logger: slog.New(slog.DiscardHandler)})
}

// A control log that ends before its snapshot starts no server. When damage of the journal is why, a repair has it go on where the snapshot ends; without damage a repair
// is refused, says what to do, and changes nothing.
func TestControlLogEndsBeforeItsSnapshot(t *testing.T) {
	for _, row := range []struct {
		name    string
		damage  func(dir string) error
		refused string
	}{
		{"for no reason", func(string) error { return nil }, "put back the ones that belong together, or restore a backup"},
		{"the journal is gone", removeJournals, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir, fs := directory(t)
			later(t, fs)
			if _, err := startControl(t, fs); !fault.Is(err, fault.Corrupt) {
				t.Errorf("before: %v", err)
			}
			must(t, row.damage(dir))
			x, err := doctor.Examine(t.Context(), doctor.Options{FS: fs})
			must(t, err)
			if x.Report.Sound {
				t.Errorf("%+v", x.Report)
			}
			plan, err := x.Plan(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
			must(t, err)
			err = x.Repair(t.Context(), plan)
			x.Close()
			if row.refused != "" {
				if !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), row.refused) {
					t.Errorf("repair: %v", err)
				}
				if _, err := os.Stat(filepath.Join(dir, datadir.Quarantine)); err == nil {
					t.Error("a repair that was refused made a quarantine")
				}
				return
			}
			must(t, err)
			state, err := startControl(t, fs)
			must(t, err)
			if s := state.Settings("111111111111", "us-east-1"); s.Started.IsZero() {
				t.Errorf("what the snapshot knew is gone: %+v", s)
			}
		})
	}
}

// startControl is what a server's start does with the control log of a directory.
func startControl(t *testing.T, fs vfs.FS) (*catalog.State, error) {
	t.Helper()
	store, err := disklog.Open(disklog.Options{FS: fs, Dir: datadir.Log, Clock: clock.Real})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	log, err := store.Open(t.Context(), commitlog.ID{})
	if err != nil {
		return nil, err
	}
	c, err := tryControl(t, fs, log)
	if err != nil {
		return nil, err
	}
	return c.State(), nil
}

func removeJournals(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, datadir.Log, "journal-*"))
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return err
}
