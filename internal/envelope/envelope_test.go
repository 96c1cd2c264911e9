package envelope

import (
	"bytes"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

var start = time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)

func openRing(t *testing.T, fs vfs.FS, logger *slog.Logger) *Ring {
	t.Helper()
	r, err := OpenRing(Options{FS: fs, File: "master-keys.json", Clock: clock.NewManual(start), Random: rand.Reader, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// dataKey makes and opens a data key of a stream.
func dataKey(t *testing.T, r *Ring, group uint64, id uint32) *DataKey {
	t.Helper()
	version, wrapped, err := r.Wrap(DefaultMaster, group)
	if err != nil {
		t.Fatal(err)
	}
	k, err := r.DataKey(group, id, version, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sealed(t *testing.T, k *DataKey, key, data string) []byte {
	t.Helper()
	room := make([]byte, SealedSize(len(key), len(data)))
	if n := copy(Lay(room, []byte(key)), data); n != len(data) {
		t.Fatalf("room for %d bytes of %d", n, len(data))
	}
	if err := k.Seal(room); err != nil {
		t.Fatal(err)
	}
	return room
}

// What was sealed is opened with the same key and data, takes the room that was said, and shows nothing of them.
func TestSealAndOpen(t *testing.T) {
	k := dataKey(t, openRing(t, vfs.NewMem(), nil), 7, 1)
	for _, row := range []struct{ key, data string }{{"", ""}, {"k", ""}, {"", "d"}, {strings.Repeat("key", 60), strings.Repeat("data", 5000)}} {
		room := sealed(t, k, row.key, row.data)
		if len(row.key) > 8 && (bytes.Contains(room, []byte(row.key[:8])) || bytes.Contains(room, []byte(row.data[:8]))) {
			t.Error("the plaintext is there")
		}
		before := []byte("before")
		dst := make([]byte, len(before), len(before)+PlainSize(room))
		copy(dst, before)
		all, key, data, err := k.Open(dst, room)
		if err != nil || string(key) != row.key || string(data) != row.data || !bytes.HasPrefix(all, before) || &all[0] != &dst[0] {
			t.Errorf("%q, %d bytes, %v", key, len(data), err)
		}
	}
	if id, err := KeyOf(k.Mark()); id != 1 || err != nil {
		t.Errorf("mark: %d, %v", id, err)
	}
	if _, err := KeyOf([]byte{2, 0, 0, 0, 1}); !fault.Is(err, fault.Unsupported) {
		t.Errorf("a later version: %v", err)
	}
	if _, err := KeyOf([]byte{1}); !fault.Is(err, fault.Corrupt) {
		t.Errorf("a short mark: %v", err)
	}
}

// A record opens under its own key, for its own stream, unchanged, and in no other case.
func TestChangedRecordsDoNotOpen(t *testing.T) {
	r := openRing(t, vfs.NewMem(), nil)
	version, wrapped, err := r.Wrap(DefaultMaster, 7)
	if err != nil {
		t.Fatal(err)
	}
	key, err := r.unwrap(version, 7, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	with := func(key []byte, group uint64, id uint32) *DataKey {
		k, err := newDataKey(key, group, id, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	room := sealed(t, with(key, 7, 1), "key", "data")
	for name, k := range map[string]*DataKey{"other stream": with(key, 8, 1), "other id": with(key, 7, 2), "other key": with(make([]byte, 32), 7, 1)} {
		if all, _, _, err := k.Open(nil, room); !fault.Is(err, fault.Corrupt) || len(all) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range room {
		room[i] ^= 1
		if _, _, _, err := with(key, 7, 1).Open(nil, room); !fault.Is(err, fault.Corrupt) {
			t.Errorf("byte %d: %v", i, err)
		}
		room[i] ^= 1
	}
	for n := range room {
		if _, _, _, err := with(key, 7, 1).Open(nil, room[:n]); !fault.Is(err, fault.Corrupt) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// No two records have one nonce: not of goroutines at the same time, not of a key that was opened again, as after a restart or from a copy of the directory.
func TestNoncesDiffer(t *testing.T) {
	fs := vfs.NewMem()
	version, wrapped, err := openRing(t, fs, nil).Wrap(DefaultMaster, 7)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	for range 3 {
		k, err := openRing(t, fs, nil).DataKey(7, 1, version, wrapped)
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for range 500 {
					room := make([]byte, SealedSize(1, 1))
					if err := k.Seal(room); err != nil {
						t.Error(err)
					}
					mu.Lock()
					if nonce := string(room[:nonceSize]); seen[nonce] {
						t.Error("a nonce twice")
					} else {
						seen[nonce] = true
					}
					mu.Unlock()
				}
			})
		}
		wait.Wait()
	}
	if len(seen) != 6000 {
		t.Errorf("%d nonces", len(seen))
	}
}

// After 2^32 records the derived key is another, and records of before are still opened.
func TestSessionsEnd(t *testing.T) {
	k := dataKey(t, openRing(t, vfs.NewMem(), nil), 7, 1)
	first := sealed(t, k, "k", "first")
	k.session.Load().used.Store(sessionMax)
	second := sealed(t, k, "k", "second")
	if bytes.Equal(first[:prefixSize], second[:prefixSize]) {
		t.Error("the prefix stayed")
	}
	for _, room := range [][]byte{first, second} {
		if _, _, _, err := k.Open(nil, room); err != nil {
			t.Error(err)
		}
	}
}

// A rotated master key wraps with its new version; a data key wrapped anew is the same key; what is then not needed can go, and what wraps cannot.
func TestRotateAndRewrap(t *testing.T) {
	fs := vfs.NewMem()
	r := openRing(t, fs, nil)
	version, wrapped, err := r.Wrap(DefaultMaster, 7)
	if err != nil || version != "aws/kinesis:1" {
		t.Fatal(version, err)
	}
	k, err := r.DataKey(7, 1, version, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	room := sealed(t, k, "k", "data")
	if same, again, err := r.Rewrap(7, version, wrapped); same != version || !bytes.Equal(again, wrapped) || err != nil {
		t.Errorf("rewrapped under the newest: %s, %v", same, err)
	}
	if err := r.Remove(DefaultMaster, 1); !fault.Is(err, fault.Conflict) {
		t.Errorf("the version that wraps goes: %v", err)
	}
	if n, err := r.Rotate(DefaultMaster); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	version, wrapped, err = r.Rewrap(7, version, wrapped)
	if err != nil || version != "aws/kinesis:2" {
		t.Fatal(version, err)
	}
	if err := r.Remove(DefaultMaster, 1); err != nil {
		t.Error(err)
	}
	after, err := openRing(t, fs, nil).DataKey(7, 1, version, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, data, err := after.Open(nil, room); string(data) != "data" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := openRing(t, fs, nil).DataKey(8, 1, version, wrapped); !errors.As(err, new(*MasterError)) {
		t.Errorf("another stream's data key opens: %v", err)
	}
	for name, err := range map[string]error{"create": r.Create(DefaultMaster), "remove": r.Remove(DefaultMaster, 1), "rotate": second(r.Rotate("none"))} {
		if !fault.Is(err, fault.Exists) && !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "a b", "alias/x", "aws/s3", "x:1", strings.Repeat("x", 129)} {
		if err := r.Create(name); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func second(_ int, err error) error { return err }

// Without its master key nothing opens, the error names it, the log says so once, and a key of the same name does not do. When it is back, everything opens.
func TestLostMaster(t *testing.T) {
	fs := vfs.NewMem()
	r := openRing(t, fs, nil)
	if err := r.Create("tolls"); err != nil {
		t.Fatal(err)
	}
	version, wrapped, err := r.Wrap("tolls", 7)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := secretfile.Read(fs, "master-keys.json", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := fs.Remove("master-keys.json"); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	r = openRing(t, fs, slog.New(slog.NewTextHandler(&log, nil)))
	for range 3 {
		var lost *MasterError
		if _, err := r.DataKey(7, 1, version, wrapped); !errors.As(err, &lost) || !lost.Missing || !strings.Contains(err.Error(), "tolls:1 is not in master-keys.json") {
			t.Errorf("%v", err)
		}
		if _, _, err := r.Wrap("tolls", 7); !errors.As(err, &lost) {
			t.Errorf("%v", err)
		}
	}
	if n := strings.Count(log.String(), "tolls:1"); n != 1 {
		t.Errorf("the log says it %d times: %s", n, log.String())
	}
	if err := r.Create("tolls"); err != nil {
		t.Fatal(err)
	}
	var lost *MasterError
	if _, err := r.DataKey(7, 1, version, wrapped); !errors.As(err, &lost) || lost.Missing {
		t.Errorf("another key of the name: %v", err)
	}
	if err := secretfile.Replace(fs, "master-keys.json", kept); err != nil {
		t.Fatal(err)
	}
	if _, err := openRing(t, fs, nil).DataKey(7, 1, version, wrapped); err != nil {
		t.Errorf("restored: %v", err)
	}
}

func TestDecodeMastersRefuses(t *testing.T) {
	key := `"key":"` + strings.Repeat("QUFB", 10) + `QUE="`
	for _, row := range []struct {
		text string
		kind fault.Kind
	}{
		{`{`, fault.Corrupt}, {`{}`, fault.Corrupt}, {`{"version":2}`, fault.Unsupported},
		{`{"version":1,"masterKeys":[{"name":"a","versions":[]}]}`, fault.Corrupt},
		{`{"version":1,"masterKeys":[{"name":"a b","versions":[{"version":1,` + key + `}]}]}`, fault.Corrupt},
		{`{"version":1,"masterKeys":[{"name":"a","versions":[{"version":1,"key":"QUFB"}]}]}`, fault.Corrupt},
		{`{"version":1,"masterKeys":[{"name":"a","versions":[{"version":2,` + key + `},{"version":1,` + key + `}]}]}`, fault.Corrupt},
		{`{"version":1,"masterKeys":[{"name":"a","versions":[{"version":1,` + key + `}]},{"name":"a","versions":[{"version":1,` + key + `}]}]}`, fault.Corrupt},
	} {
		if _, err := decodeMasters([]byte(row.text)); !fault.Is(err, row.kind) {
			t.Errorf("%s: %v", row.text, err)
		}
	}
	if _, err := decodeMasters([]byte(`{"version":1,"masterKeys":[{"name":"a","versions":[{"version":1,` + key + `}]}]}`)); err != nil {
		t.Error(err)
	}
}

// FuzzOpen: no bytes make a data key open what it did not seal.
func FuzzOpen(f *testing.F) {
	k, err := newDataKey(make([]byte, 32), 7, 1, bytes.NewReader(make([]byte, 64)))
	if err != nil {
		f.Fatal(err)
	}
	room := make([]byte, SealedSize(1, 4))
	Lay(room, []byte("k"))
	if err := k.Seal(room); err != nil {
		f.Fatal(err)
	}
	f.Add(room[:30], k.Mark())
	f.Fuzz(func(t *testing.T, data, mark []byte) {
		if all, _, _, err := k.Open(nil, data); (err == nil || all != nil) && !bytes.Equal(data, room) {
			t.Errorf("opened %x", data)
		}
		if id, err := KeyOf(mark); err == nil && len(mark) != 5 {
			t.Errorf("%d of %x", id, mark)
		}
	})
}

// FuzzDecodeMasters: no file panics, and what is accepted has a newest version of every key.
func FuzzDecodeMasters(f *testing.F) {
	f.Add([]byte(`{"version":1,"masterKeys":[{"name":"a","versions":[{"version":1,"key":"` + strings.Repeat("QUFB", 10) + `QUE="}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeMasters(data)
		if err != nil {
			return
		}
		for _, one := range m.Masters {
			if v := one.newest(); len(v.Key) != keySize || m.version(versionName(one.Name, v.Version)) == nil {
				t.Errorf("%+v", one)
			}
		}
	})
}

// The sketch: AES-GCM runs at some GB/s, so that 1 KiB takes a fraction of a microsecond beside some hundred nanoseconds for the call; no allocation.
func BenchmarkSeal(b *testing.B) {
	k, err := newDataKey(make([]byte, 32), 7, 1, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	room := make([]byte, SealedSize(32, 1024))
	b.SetBytes(1024)
	b.ReportAllocs()
	for b.Loop() {
		Lay(room, []byte("a key"))
		if err := k.Seal(room); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	k, err := newDataKey(make([]byte, 32), 7, 1, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	room := make([]byte, SealedSize(5, 1024))
	Lay(room, []byte("a key"))
	if err := k.Seal(room); err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, PlainSize(room))
	b.SetBytes(1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := k.Open(dst, room); err != nil {
			b.Fatal(err)
		}
	}
}
