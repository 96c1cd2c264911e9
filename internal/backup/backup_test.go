package backup_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/weir-stream/weir/internal/backup"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

var start = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bucket is a client of an S3 in this process.
func bucket(t *testing.T) *s3.Client {
	t.Helper()
	store := s3mem.New()
	must(t, store.CreateBucket("backups"))
	server := httptest.NewServer(gofakes3.New(store).Server())
	t.Cleanup(server.Close)
	return s3.New(s3.Options{
		BaseEndpoint: &server.URL, UsePathStyle: true, Region: "us-east-1", HTTPClient: server.Client(), Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "any", SecretAccessKey: "any"}, nil
		}),
	})
}

// targets are both kinds of place, empty.
func targets(t *testing.T, c clock.Clock) map[string]backup.Target {
	return map[string]backup.Target{
		"folder": backup.NewDir(vfs.NewMem()),
		"bucket": backup.NewS3(bucket(t), "backups", "weir/one", c, "a test", "token"),
	}
}

// Both kinds of place keep what they are given, whole or not at all, in order of name, and let one in at a time.
func TestTargets(t *testing.T) {
	for name, target := range targets(t, clock.NewManual(start)) {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			put := func(name, text, of string) error {
				sum := sha256.Sum256([]byte(of))
				return target.Put(ctx, name, strings.NewReader(text), int64(len(text)), hex.EncodeToString(sum[:]))
			}
			must(t, put("objects/b", "second", "second"))
			must(t, put("objects/a", "first", "first"))
			must(t, put("objects/a", "first again", "first again"))
			must(t, put("objects/deeper/c", "third", "third"))
			if err := put("objects/d", "what it is", "what it should be"); err == nil {
				t.Error("bytes that are not those of the sum are taken")
			}
			entries, err := target.List(ctx, "objects")
			must(t, err)
			entries = slices.DeleteFunc(entries, func(e backup.Entry) bool { return e.Name == "objects/deeper" })
			if got := fmt.Sprint(entries); got != "[{objects/a 11} {objects/b 6}]" {
				t.Error(got)
			}
			r, err := target.Get(ctx, "objects/a")
			must(t, err)
			b, err := io.ReadAll(r)
			must(t, err)
			must(t, r.Close())
			if string(b) != "first again" {
				t.Errorf("%q", b)
			}
			must(t, target.Delete(ctx, "objects/a"))
			if _, err := target.Get(ctx, "objects/a"); !fault.Is(err, fault.NotFound) {
				t.Errorf("deleted: %v", err)
			}
			must(t, target.Delete(ctx, "objects/a"))
			if entries, err := target.List(ctx, "nothing"); err != nil || len(entries) != 0 {
				t.Errorf("%v %v", entries, err)
			}
			unlock, err := target.Lock(ctx)
			must(t, err)
			if _, err := target.Lock(ctx); !fault.Is(err, fault.Conflict) {
				t.Errorf("two at once: %v", err)
			}
			unlock()
			unlock, err = target.Lock(ctx)
			must(t, err)
			unlock()
		})
	}
}

// The lock of a backup that died is anyone's after a while; that of one that lives is not.
func TestLockOfTheDead(t *testing.T) {
	now := clock.NewManual(start)
	api := bucket(t)
	one, other := backup.NewS3(api, "backups", "", now, "one", "1"), backup.NewS3(api, "backups", "", now, "other", "2")
	unlock, err := one.Lock(t.Context())
	must(t, err)
	for range 6 { // it is refreshed each minute
		now.BlockUntil(1)
		now.Advance(time.Minute)
	}
	now.BlockUntil(1)
	if _, err := other.Lock(t.Context()); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "one") {
		t.Errorf("of the living: %v", err)
	}
	unlock()
	must(t, put(t, api, "lock.json", fmt.Sprintf(`{"owner":"dead","token":"3","time":%q}`, now.Now().Add(-time.Hour).Format(time.RFC3339))))
	unlock, err = other.Lock(t.Context())
	must(t, err)
	unlock()
}

func put(t *testing.T, api *s3.Client, key, body string) error {
	t.Helper()
	_, err := api.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("backups"), Key: &key, Body: strings.NewReader(body)})
	return err
}

// directory is a data directory with one log of n records, on a disk in memory.
func directory(t *testing.T, fs vfs.FS, n int) {
	t.Helper()
	store, err := disklog.Open(disklog.Options{FS: fs, Dir: "log", Clock: clock.NewManual(start), JournalBytes: 2 << 10})
	must(t, err)
	id := commitlog.ID{Group: 7}
	must(t, store.Create(t.Context(), commitlog.ID{}, commitlog.Config{}))
	must(t, store.Create(t.Context(), id, commitlog.Config{}))
	log, err := store.Open(t.Context(), id)
	must(t, err)
	for i := range n {
		var b batch.Batch
		b.Append(start.UnixMilli()+int64(i), []byte("k"), bytes.Repeat([]byte{byte(i)}, 100))
		_, err := log.Append(t.Context(), &b)
		must(t, err)
	}
	must(t, store.Close())
}

// records counts what a directory has in its log.
func records(t *testing.T, fs vfs.FS) int64 {
	t.Helper()
	im, err := disklog.Examine(fs, "log", false)
	must(t, err)
	defer im.Close()
	if found := im.Findings(); len(found) > 0 {
		t.Errorf("%+v", found)
	}
	for _, info := range im.Logs() {
		if info.ID.Group == 7 {
			return info.Bounds.Next
		}
	}
	return 0
}

func source(fs vfs.FS, hour int) backup.Source {
	return backup.Source{Files: fs, Rest: fs, Taken: start.Add(time.Duration(hour) * time.Hour)}
}

// A second backup copies what is new, old ones go when they are told to, and what no backup needs goes with them; each one that is there is restored whole.
func TestIncremental(t *testing.T) {
	for name, target := range targets(t, clock.Real) {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			for hour, want := range []int64{30, 60, 90} {
				directory(t, fs, 30)
				dry, err := backup.Make(t.Context(), target, source(fs, hour), backup.Options{DryRun: true})
				must(t, err)
				out, err := backup.Make(t.Context(), target, source(fs, hour), backup.Options{Weir: "test"})
				must(t, err)
				if dry.CopiedFiles != out.CopiedFiles || out.CopiedFiles == 0 || out.CopiedBytes > out.Backup.Bytes {
					t.Errorf("%d: %d files, %d bytes of %d; said before: %d", hour, out.CopiedFiles, out.CopiedBytes, out.Backup.Bytes, dry.CopiedFiles)
				}
				to := vfs.NewMem()
				_, err = backup.Restore(t.Context(), target, to, backup.RestoreOptions{})
				must(t, err)
				if got := records(t, to); got != want {
					t.Errorf("%d records, want %d", got, want)
				}
			}
			if _, err := backup.Make(t.Context(), target, source(fs, 1), backup.Options{}); !fault.Is(err, fault.Conflict) {
				t.Errorf("a backup of the past: %v", err)
			}
			all, err := backup.List(t.Context(), target)
			must(t, err)
			if len(all) != 3 {
				t.Fatalf("%d backups", len(all))
			}
			before := vfs.NewMem()
			_, err = backup.Restore(t.Context(), target, before, backup.RestoreOptions{ID: all[0].ID})
			must(t, err)
			if got := records(t, before); got != 30 {
				t.Errorf("%d records in the first", got)
			}
			if _, err := backup.Restore(t.Context(), target, before, backup.RestoreOptions{}); !fault.Is(err, fault.Exists) {
				t.Errorf("over another one: %v", err)
			}
			objects, err := target.List(t.Context(), "objects")
			must(t, err)
			out, err := backup.Make(t.Context(), target, source(fs, 3), backup.Options{Keep: 1})
			must(t, err)
			left, err := target.List(t.Context(), "objects")
			must(t, err)
			if len(out.Removed) != 3 || out.CopiedFiles != 0 || len(left) >= len(objects) {
				t.Errorf("removed %v, copied %d, %d objects of %d", out.Removed, out.CopiedFiles, len(left), len(objects))
			}
			_, err = backup.Restore(t.Context(), target, vfs.NewMem(), backup.RestoreOptions{})
			must(t, err)
			if _, err := backup.Restore(t.Context(), target, vfs.NewMem(), backup.RestoreOptions{ID: all[0].ID}); !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), out.Backup.ID) {
				t.Errorf("a backup that is gone: %v", err)
			}
		})
	}
}

// A backup that is killed at any call leaves the one before it whole, and the next one succeeds.
func TestBackupIsKilled(t *testing.T) {
	first, second := vfs.NewMem(), vfs.NewMem()
	directory(t, first, 30)
	directory(t, second, 30)
	directory(t, second, 30)
	whole := vfs.NewMem()
	_, err := backup.Make(t.Context(), backup.NewDir(whole), source(first, 0), backup.Options{})
	must(t, err)
	for nth := 1; ; nth++ {
		place := whole.KillClone()
		disk := vfs.NewFaulty(place, vfs.Rule{Op: vfs.OpWrite | vfs.OpCreate | vfs.OpRename | vfs.OpRemove | vfs.OpSync | vfs.OpSyncDir, Nth: nth, Times: -1})
		_, err := backup.Make(t.Context(), backup.NewDir(disk), source(second, 1), backup.Options{Keep: 1})
		after := place.CrashClone(rand.New(rand.NewPCG(uint64(nth), 7)))
		all, listErr := backup.List(t.Context(), backup.NewDir(after))
		must(t, listErr)
		to := vfs.NewMem()
		_, restoreErr := backup.Restore(t.Context(), backup.NewDir(after), to, backup.RestoreOptions{})
		if restoreErr != nil {
			t.Fatalf("killed at call %d (%v): %d backups, %v", nth, err, len(all), restoreErr)
		}
		if got := records(t, to); got != 30 && got != 60 {
			t.Errorf("killed at call %d: %d records", nth, got)
		}
		if _, err := backup.Make(t.Context(), backup.NewDir(after), source(second, 2), backup.Options{Keep: 1}); err != nil {
			t.Errorf("the one after call %d: %v", nth, err)
		}
		if err == nil {
			if nth < 10 {
				t.Errorf("only %d calls", nth)
			}
			return
		}
	}
}

// A restore that is killed at any call goes on where it was.
func TestRestoreIsKilled(t *testing.T) {
	fs, place := vfs.NewMem(), backup.NewDir(vfs.NewMem())
	directory(t, fs, 60)
	_, err := backup.Make(t.Context(), place, source(fs, 0), backup.Options{})
	must(t, err)
	for nth := 1; ; nth++ {
		mem := vfs.NewMem()
		disk := vfs.NewFaulty(mem, vfs.Rule{Op: vfs.OpWrite | vfs.OpCreate | vfs.OpRename | vfs.OpSync | vfs.OpSyncDir | vfs.OpMkdir | vfs.OpLock, Nth: nth, Times: -1})
		_, err := backup.Restore(t.Context(), place, disk, backup.RestoreOptions{})
		after := mem.CrashClone(rand.New(rand.NewPCG(uint64(nth), 9)))
		if _, err := backup.Restore(t.Context(), place, after, backup.RestoreOptions{}); err != nil {
			t.Fatalf("after call %d: %v", nth, err)
		}
		if got := records(t, after); got != 60 {
			t.Errorf("after call %d: %d records", nth, got)
		}
		if err == nil {
			return
		}
	}
}

// What changed in the place is found: in a file, in the list of files, and nothing is restored of it.
func TestDamagedPlace(t *testing.T) {
	fs, mem := vfs.NewMem(), vfs.NewMem()
	directory(t, fs, 30)
	place := backup.NewDir(mem)
	_, err := backup.Make(t.Context(), place, source(fs, 0), backup.Options{})
	must(t, err)
	for _, folder := range []string{"objects", "backups"} {
		entries, err := place.List(t.Context(), folder)
		must(t, err)
		for _, e := range entries {
			if e.Size == 0 {
				continue
			}
			spoilt := mem.KillClone()
			f, err := spoilt.Open(e.Name)
			must(t, err)
			var b [1]byte
			_, err = f.ReadAt(b[:], e.Size/2)
			must(t, err)
			b[0] ^= 1
			_, err = f.WriteAt(b[:], e.Size/2)
			must(t, err)
			must(t, f.Close())
			v, err := backup.Verify(t.Context(), backup.NewDir(spoilt), nil)
			if folder == "objects" && (err != nil || len(v.Wrong) != 1) || folder == "backups" && !fault.Is(err, fault.Corrupt) {
				t.Errorf("%s: verified %+v, %v", e.Name, v, err)
			}
			if _, err := backup.Restore(t.Context(), backup.NewDir(spoilt), vfs.NewMem(), backup.RestoreOptions{}); !fault.Is(err, fault.Corrupt) {
				t.Errorf("%s: %v", e.Name, err)
			}
			must(t, spoilt.Remove(e.Name))
			if v, err := backup.Verify(t.Context(), backup.NewDir(spoilt), nil); folder == "objects" && (err != nil || len(v.Wrong) != 1) {
				t.Errorf("%s is gone: verified %+v, %v", e.Name, v, err)
			}
			_, err = backup.Restore(t.Context(), backup.NewDir(spoilt), vfs.NewMem(), backup.RestoreOptions{})
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("%s is gone: %v", e.Name, err)
			}
		}
	}
}

// The context's end ends a backup, and nothing is left of it in the list.
func TestCancelled(t *testing.T) {
	fs, place := vfs.NewMem(), backup.NewDir(vfs.NewMem())
	directory(t, fs, 30)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := backup.Make(ctx, place, source(fs, 0), backup.Options{Progress: func(int64, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if all, err := backup.List(t.Context(), place); err != nil || len(all) != 0 {
		t.Errorf("%v %v", all, err)
	}
}

// Which moments there are, and which backup has one.
func TestChoose(t *testing.T) {
	at := func(minute int) time.Time { return start.Add(time.Duration(minute) * time.Minute) }
	all := []backup.Backup{
		{ID: "1", From: at(0), Taken: at(10)}, {ID: "2", From: at(5), Taken: at(20)}, {ID: "3", From: at(25), Taken: at(30)},
	}
	for _, row := range []struct {
		o    backup.RestoreOptions
		want string // an ID, or part of the refusal
	}{
		{backup.RestoreOptions{}, "3"},
		{backup.RestoreOptions{ID: "1"}, "1"},
		{backup.RestoreOptions{ID: "4"}, "1, 2, 3"},
		{backup.RestoreOptions{At: at(7)}, "1"},
		{backup.RestoreOptions{At: at(10)}, "1"},
		{backup.RestoreOptions{At: at(11)}, "2"},
		{backup.RestoreOptions{At: at(22)}, "2026-11-20T12:00:00Z to 2026-11-20T12:20:00Z, 2026-11-20T12:25:00Z to 2026-11-20T12:30:00Z"},
		{backup.RestoreOptions{At: at(7), ID: "3"}, "possible is"},
	} {
		b, err := backup.Choose(all, row.o)
		if b.ID != row.want && (err == nil || !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%+v: %s %v", row.o, b.ID, err)
		}
	}
}

// Any bytes as the JSON of a backup: no panic, and no path that leaves the directory.
func FuzzBackup(f *testing.F) {
	f.Add([]byte(`{"version":1,"id":"20261127T210500.123Z","files":[{"path":"log/MANIFEST","size":3,"sha256":"` + strings.Repeat("0", 64) + `"}]}`))
	f.Add([]byte(`{"version":1,"id":"20261127T210500.123Z","files":[{"path":"../x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := backup.Decode(data, "20261127T210500.123Z")
		if err != nil {
			return
		}
		for _, file := range b.Files {
			if strings.Contains("/"+file.Path+"/", "/../") || strings.HasPrefix(file.Path, "/") {
				t.Errorf("%q", file.Path)
			}
		}
	})
}
