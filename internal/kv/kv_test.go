package kv

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/vfs"
)

func open(t *testing.T, fs vfs.FS, dir string) *DB {
	t.Helper()
	db, err := Open(Options{FS: fs, Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func put(t *testing.T, db *DB, from, to int, value string) {
	t.Helper()
	b := db.NewBatch()
	for i := from; i < to; i++ {
		b.Set(fmt.Appendf(nil, "k%06d", i), []byte(value))
	}
	if err := db.Commit(b); err != nil {
		t.Fatal(err)
	}
}

func keys(t *testing.T, db *DB, from, to []byte, reverse bool) (found []string) {
	t.Helper()
	it, err := db.Iterate(from, to, reverse)
	if err != nil {
		t.Fatal(err)
	}
	for it.Next() {
		v, err := it.Value()
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, string(it.Key())+"="+string(v))
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestReadAndWrite shows what a batch does and in which order an iterator walks.
func TestReadAndWrite(t *testing.T) {
	db := open(t, vfs.NewMem(), "db")
	put(t, db, 0, 5, "a")
	b := db.NewBatch()
	b.Delete([]byte("k000001"))
	b.Set([]byte("k000002"), []byte("b"))
	if v, _, err := db.Get(nil, []byte("k000002")); err != nil || string(v) != "a" {
		t.Errorf("a batch that is not committed shows %q, %v", v, err)
	}
	if err := db.Commit(b); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(keys(t, db, []byte("k000000"), []byte("k000004"), true)), "[k000003=a k000002=b k000000=a]"; got != want {
		t.Errorf("backwards %s, want %s", got, want)
	}
	b = db.NewBatch()
	b.DeleteRange([]byte("k000000"), []byte("k000003"))
	if err := db.Commit(b); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(keys(t, db, nil, nil, false)), "[k000003=a k000004=a]"; got != want {
		t.Errorf("after DeleteRange %s, want %s", got, want)
	}
	if _, found, err := db.GetString([]byte("k000000")); found || err != nil {
		t.Errorf("a deleted key is found (%v), %v", found, err)
	}
}

// TestCheckpointSurvivesPowerLoss commits, checkpoints, commits more and loses power at a random place of what was not synced: a clone of
// the checkpoint has what was committed before it and nothing else, however often.
func TestCheckpointSurvivesPowerLoss(t *testing.T) {
	for seed := range uint64(20) {
		mem := vfs.NewMem()
		db := open(t, mem, "live")
		put(t, db, 0, 1000, "first")
		if err := mem.MkdirAll("checkpoints"); err != nil {
			t.Fatal(err)
		}
		if err := mem.SyncDir("."); err != nil {
			t.Fatal(err)
		}
		if err := db.Checkpoint("checkpoints/1"); err != nil {
			t.Fatal(err)
		}
		put(t, db, 500, 1500, "second")
		if err := db.Flush(); err != nil {
			t.Fatal(err)
		}
		crashed := mem.CrashClone(rand.New(rand.NewPCG(seed, 1)))
		for again := range 2 {
			if err := Clone(crashed, "checkpoints/1", "live"); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			clone, err := Open(Options{FS: crashed, Dir: "live", Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			got := keys(t, clone, nil, nil, false)
			if len(got) != 1000 || got[999] != "k000999=first" {
				t.Errorf("seed %d: %d keys, last %s", seed, len(got), got[len(got)-1])
			}
			put(t, clone, 0, 2000, fmt.Sprint("after ", again)) // changes the clone alone
			if err := clone.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := clone.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestFullDiskHeals fills the disk: writing out waits, reads go on, and all is well when there is room.
func TestFullDiskHeals(t *testing.T) {
	faulty := vfs.NewFaulty(vfs.NewMem())
	db := open(t, faulty, "db")
	put(t, db, 0, 1000, string(bytes.Repeat([]byte("x"), 1000)))
	faulty.Add(vfs.Rule{Op: vfs.OpWrite | vfs.OpCreate | vfs.OpAllocate, Times: -1, Err: vfs.ErrNoSpace})
	flushed := make(chan error, 1)
	go func() { flushed <- db.Flush() }()
	if v, found, err := db.Get(nil, []byte("k000999")); !found || err != nil || len(v) != 1000 {
		t.Errorf("while the disk is full: %d bytes, %v, %v", len(v), found, err)
	}
	timer := time.NewTimer(3 * roomPause)
	select {
	case err := <-flushed:
		t.Fatalf("a flush without room returned %v", err)
	case <-timer.C:
	}
	faulty.Heal()
	if err := <-flushed; err != nil {
		t.Fatal(err)
	}
	if n := len(keys(t, db, nil, nil, false)); n != 1000 {
		t.Errorf("%d keys, want 1000", n)
	}
}

// TestFullDiskCloses closes a database that waits for room: nothing waits with it.
func TestFullDiskCloses(t *testing.T) {
	faulty := vfs.NewFaulty(vfs.NewMem())
	db, err := Open(Options{FS: faulty, Dir: "db", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	put(t, db, 0, 1000, "x")
	faulty.Add(vfs.Rule{Op: vfs.OpWrite | vfs.OpCreate | vfs.OpAllocate, Times: -1, Err: vfs.ErrNoSpace})
	ended := make(chan error, 1)
	go func() { ended <- db.Checkpoint("checkpoint") }()
	deadline := time.Now().Add(20 * time.Second)
	for db.disk.waiting.Load() == 0 && time.Now().Before(deadline) {
		<-time.NewTimer(time.Millisecond).C
	}
	db.Interrupt()
	if err := <-ended; err == nil {
		t.Error("a checkpoint without room succeeds")
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	faulty.Heal()
}

// TestFullDiskOpens refuses to open a database where there is no room, and does not wait.
func TestFullDiskOpens(t *testing.T) {
	for _, there := range []bool{false, true} {
		faulty := vfs.NewFaulty(vfs.NewMem())
		if there {
			db, err := Open(Options{FS: faulty, Dir: "db", Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			put(t, db, 0, 10, "x")
			if err := errors.Join(db.Flush(), db.Close()); err != nil {
				t.Fatal(err)
			}
		}
		faulty.Add(vfs.Rule{Op: vfs.OpWrite | vfs.OpCreate | vfs.OpAllocate, Times: -1, Err: vfs.ErrNoSpace})
		if db, err := Open(Options{FS: faulty, Dir: "db", Logger: slog.New(slog.DiscardHandler)}); err == nil {
			t.Errorf("there before: %v: it opens", there)
			_ = db.Close()
		}
	}
}
