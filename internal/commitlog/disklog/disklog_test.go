package disklog_test

import (
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/commitlog/logtest"
	"github.com/weir-stream/weir/internal/vfs"
)

// The store keeps the contract: on the real disk and in memory, with journals so small that most of what is read comes from segments, and with every
// durability.
func TestContract(t *testing.T) {
	onDisk := func(t *testing.T) vfs.FS {
		fs, err := vfs.NewOS(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return fs
	}
	inMemory := func(*testing.T) vfs.FS { return vfs.NewMem() }
	for _, row := range []struct {
		name string
		fs   func(*testing.T) vfs.FS
		o    disklog.Options
	}{
		{"disk", onDisk, disklog.Options{}},
		{"memory", inMemory, disklog.Options{}},
		{"small journals", inMemory, disklog.Options{JournalBytes: 2 << 10, JournalFilesMax: 2000, TendEvery: time.Millisecond}},
		{"interval", inMemory, disklog.Options{Durability: disklog.Interval(time.Millisecond), JournalBytes: 8 << 10, JournalFilesMax: 2000}},
		{"os", inMemory, disklog.Options{Durability: disklog.OS, JournalBytes: 8 << 10, JournalFilesMax: 2000}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			where := make(map[commitlog.Store]vfs.FS)
			logtest.Test(t, func(t *testing.T, o logtest.Options) commitlog.Store {
				options := row.o
				options.Dir, options.Clock, options.Lease = "log", o.Clock, o.Lease
				options.FS = where[o.Reopen]
				if options.FS == nil {
					options.FS = row.fs(t)
				}
				s, err := disklog.Open(options)
				if err != nil {
					t.Fatal(err)
				}
				where[s] = options.FS
				return s
			})
		})
	}
}
