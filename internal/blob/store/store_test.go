package store

import (
	"bytes"
	"context"
	cryptorand "crypto/rand"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

var seed = flag.Uint64("seed", 0, "of random tests; 0 takes a new one")

var start = time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)

const account = "000000000000"

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// random is a generator whose seed a failing test prints.
func random(t testing.TB) *rand.Rand {
	chosen := *seed
	if chosen == 0 {
		chosen = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("go test ./internal/blob/store -run %s -seed %d", t.Name(), chosen)
		}
	})
	return rand.New(rand.NewPCG(chosen, 0))
}

// opened is a store with its log, on one file system.
type opened struct {
	*Store
	log  *disklog.Store
	stop func() error
}

// open opens and runs a store until stop, which waits for the end.
func open(t testing.TB, fs vfs.FS, c clock.Clock) (*opened, error) {
	t.Helper()
	o, run, err := assemble(fs, c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	o.stop = sync.OnceValue(func() error {
		cancel()
		err := <-done
		_ = o.log.Close() // on a broken disk it says so
		return err
	})
	t.Cleanup(func() { _ = o.stop() })
	return o, nil
}

// assemble opens a store on a file system, and gives what runs it.
func assemble(fs vfs.FS, c clock.Clock) (*opened, func(context.Context) error, error) {
	logs, err := disklog.Open(disklog.Options{FS: fs, Dir: "log", Clock: c, DeviceClock: clock.Real, ThrottleWait: time.Minute})
	if err != nil {
		return nil, nil, err
	}
	id := commitlog.ID{Member: 1}
	if err := logs.Create(context.Background(), id, commitlog.Config{}); err != nil {
		return nil, nil, err
	}
	log, err := logs.Open(context.Background(), id)
	if err != nil {
		return nil, nil, err
	}
	s, err := Open(context.Background(), Options{
		Log: log, FS: fs, Dir: "objects", Clock: c, Session: rand.Uint64() | 1, Random: cryptorand.Reader,
		TestClock: true, SnapshotEvery: 20, Logger: quiet,
	})
	if err != nil {
		return nil, nil, err
	}
	return &opened{Store: s, log: logs}, s.Run, nil
}

func mustOpen(t testing.TB, fs vfs.FS, c clock.Clock) *opened {
	t.Helper()
	o, err := open(t, fs, c)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *opened) put(key, body string, condition Condition) (Result, error) {
	c, err := o.Write(context.Background(), strings.NewReader(body), WriteOptions{Size: int64(len(body))})
	if err != nil {
		return Result{}, err
	}
	return o.PutContent(context.Background(), c, PutObject{Account: account, Bucket: "b", Key: key, ETag: c.MD5, Segment: c.Segment, Condition: condition})
}

func (o *opened) get(key string) (string, error) {
	r, err := o.Open("b", key)
	if err != nil {
		return "", err
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	return string(body), err
}

func (o *opened) do(c Command) error {
	_, err := o.Propose(context.Background(), c)
	return err
}

func (o *opened) makeBucket(t testing.TB) {
	t.Helper()
	if err := o.do(CreateBucket{Account: account, Region: "us-east-1", Bucket: "b", Max: 100}); err != nil {
		t.Fatal(err)
	}
}

// filesOn are the names of all files of objects.
func filesOn(t testing.TB, fs vfs.FS) (names []string) {
	t.Helper()
	dirs, err := fs.List("objects/files")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		in, err := fs.List(path.Join("objects/files", dir))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, in...)
	}
	return names
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("waited for %s", what)
		case <-tick.C:
		}
	}
}

func refused(t testing.TB, err error, code string) {
	t.Helper()
	if r, is := AsRefusal(err); !is || r.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

// Random puts, copies, uploads and deletes do what a map does; names and bytes outlive the process; files that nobody needs go.
func TestStoreIsAMapThatLasts(t *testing.T) {
	r := random(t)
	fs, c := vfs.NewMem(), clock.NewManual(start)
	o := mustOpen(t, fs, c)
	o.makeBucket(t)
	model := map[string]string{}
	key := func() string { return []string{"fd", "fd/x", "fd/x/y", "a", "é", "z z"}[r.IntN(6)] }
	for range 300 {
		k := key()
		switch r.IntN(6) {
		case 0, 1, 2:
			body := strings.Repeat(string(rune('a'+r.IntN(26))), r.IntN(3)*r.IntN(400_000))
			if _, err := o.put(k, body, Condition{}); err != nil {
				t.Fatal(err)
			}
			model[k] = body
		case 3:
			to := key()
			if source := o.State().Bucket("b").Object(k); source != nil {
				if err := o.do(CopyObject{Account: account, SourceBucket: "b", SourceKey: k, SourceSeq: source.Seq, Bucket: "b", Key: to, ETag: source.ETag}); err != nil {
					t.Fatal(err)
				}
				model[to] = model[k]
			}
		case 4:
			if err := o.do(DeleteObjects{Account: account, Bucket: "b", Items: []Delete{{Key: k}}}); err != nil {
				t.Fatal(err)
			}
			delete(model, k)
		case 5:
			body := bytes.Repeat([]byte{byte(r.Uint32())}, partBytesMin+r.IntN(3))
			tail := []byte("tail")
			if err := o.upload(k, body, tail); err != nil {
				t.Fatal(err)
			}
			model[k] = string(body) + string(tail)
		}
		if r.IntN(60) == 0 {
			before := o.State().encode()
			if err := o.stop(); err != nil {
				t.Fatal(err)
			}
			fs = fs.KillClone()
			o = mustOpen(t, fs, c)
			if after := o.State().encode(); !bytes.Equal(before, after) {
				t.Fatalf("state after a restart\n%s, before\n%s", after, before)
			}
		}
	}
	for k, want := range model {
		if got, err := o.get(k); err != nil || got != want {
			t.Errorf("%q has %d bytes (%v), want %d", k, len(got), err, len(want))
		}
	}
	if n := o.State().Bucket("b").Len(); n != len(model) {
		t.Errorf("%d objects, want %d", n, len(model))
	}
	needed := map[uint64]bool{}
	o.State().files(func(file uint64) { needed[file] = true })
	eventually(t, "forgotten files to go", o.Settled)
	if names := filesOn(t, fs); len(names) != len(needed) {
		t.Errorf("%d files on disk, %d needed", len(names), len(needed))
	}
}

// upload makes an object of parts.
func (o *opened) upload(key string, parts ...[]byte) error {
	ctx := context.Background()
	id, err := o.NewUploadID()
	if err != nil {
		return err
	}
	if err := o.do(CreateUpload{Account: account, Bucket: "b", Key: key, Upload: id}); err != nil {
		return err
	}
	complete := CompleteUpload{Account: account, Bucket: "b", Key: key, Upload: id}
	for i, part := range parts {
		c, err := o.Write(ctx, bytes.NewReader(part), WriteOptions{Size: -1})
		if err != nil {
			return err
		}
		c.Segment.Number, c.Segment.ETag = i+1, c.MD5
		if _, err := o.PutContent(ctx, c, PutPart{Account: account, Bucket: "b", Key: key, Upload: id, Part: c.Segment}); err != nil {
			return err
		}
		complete.Parts = append(complete.Parts, CompletePart{Number: i + 1, ETag: c.MD5})
	}
	return o.do(complete)
}

// A reader gives the object that it opened, whole, while the key is replaced and deleted; its file goes when the reader does.
func TestReaderKeepsWhatItOpened(t *testing.T) {
	fs := vfs.NewMem()
	o := mustOpen(t, fs, clock.NewManual(start))
	o.makeBucket(t)
	body := strings.Repeat("old", 1000)
	if _, err := o.put("k", body, Condition{}); err != nil {
		t.Fatal(err)
	}
	r, err := o.Open("b", "k")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.put("k", "new", Condition{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the remover", o.Settled)
	if got, err := io.ReadAll(r); err != nil || string(got) != body {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if n := len(filesOn(t, fs)); n != 2 {
		t.Errorf("%d files while the old object is read", n)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the old file to go", func() bool { return len(filesOn(t, fs)) == 1 })
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Error("a closed reader reads")
	}
}

// Ranges give what slices of the whole give, also across segments.
func TestRanges(t *testing.T) {
	r := random(t)
	o := mustOpen(t, vfs.NewMem(), clock.NewManual(start))
	o.makeBucket(t)
	parts := [][]byte{make([]byte, partBytesMin), make([]byte, partBytesMin+7), make([]byte, 1000)}
	var whole []byte
	for _, p := range parts {
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		whole = append(whole, p...)
	}
	if err := o.upload("k", parts...); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		from := r.Int64N(int64(len(whole)))
		length := 1 + r.Int64N(int64(len(whole))-from)
		reader, err := o.Open("b", "k")
		if err != nil {
			t.Fatal(err)
		}
		reader.Range(from, length)
		got, err := io.ReadAll(reader)
		if err != nil || !bytes.Equal(got, whole[from:from+length]) {
			t.Fatalf("%d bytes from %d: %d bytes, %v", length, from, len(got), err)
		}
		if err := reader.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Of many conditional puts at once exactly one wins, and a replacement needs the ETag that is there.
func TestConditions(t *testing.T) {
	o := mustOpen(t, vfs.NewMem(), clock.NewManual(start))
	o.makeBucket(t)
	var all sync.WaitGroup
	results := make(chan error, 16)
	for i := range cap(results) {
		all.Go(func() {
			_, err := o.put("k", fmt.Sprint(i), Condition{IfNoneMatch: true})
			results <- err
		})
	}
	all.Wait()
	won := 0
	for range cap(results) {
		if err := <-results; err == nil {
			won++
		} else {
			refused(t, err, "PreconditionFailed")
		}
	}
	if won != 1 {
		t.Errorf("%d puts of 16 made the object", won)
	}
	etag := o.State().Bucket("b").Object("k").ETag
	_, err := o.put("k", "x", Condition{IfMatch: "another"})
	refused(t, err, "PreconditionFailed")
	_, err = o.put("nothing", "x", Condition{IfMatch: etag})
	refused(t, err, "NoSuchKey")
	if _, err := o.put("k", "x", Condition{IfMatch: etag}); err != nil {
		t.Error(err)
	}
	_, err = o.put("k", "y", Condition{IfMatch: etag})
	refused(t, err, "PreconditionFailed")
	eventually(t, "files of refused puts to go", func() bool { return o.Settled() })
}

// Names belong to whoever was first, and a bucket to its owner alone.
func TestBuckets(t *testing.T) {
	o := mustOpen(t, vfs.NewMem(), clock.NewManual(start))
	o.makeBucket(t)
	refused(t, o.do(CreateBucket{Account: account, Bucket: "b", Max: 100}), "BucketAlreadyOwnedByYou")
	refused(t, o.do(CreateBucket{Account: "111111111111", Bucket: "b", Max: 100}), "BucketAlreadyExists")
	refused(t, o.do(CreateBucket{Account: account, Bucket: "c", Max: 1}), "TooManyBuckets")
	refused(t, o.do(DeleteBucket{Account: "111111111111", Bucket: "b"}), "AccessDenied")
	refused(t, o.do(DeleteBucket{Account: account, Bucket: "c"}), "NoSuchBucket")
	if _, err := o.put("k", "x", Condition{}); err != nil {
		t.Fatal(err)
	}
	refused(t, o.do(DeleteBucket{Account: account, Bucket: "b"}), "BucketNotEmpty")
	if err := o.do(DeleteObjects{Account: account, Bucket: "b", Items: []Delete{{Key: "k"}}}); err != nil {
		t.Fatal(err)
	}
	if err := o.do(DeleteBucket{Account: account, Bucket: "b"}); err != nil {
		t.Error(err)
	}
}

// Parts are checked when the object is made of them, and completing twice is once.
func TestUploads(t *testing.T) {
	o := mustOpen(t, vfs.NewMem(), clock.NewManual(start))
	o.makeBucket(t)
	ctx := t.Context()
	if err := o.do(CreateUpload{Account: account, Bucket: "b", Key: "k", Upload: "u"}); err != nil {
		t.Fatal(err)
	}
	tags := map[int]string{}
	for number, size := range map[int]int{1: partBytesMin, 2: 3, 7: partBytesMin} {
		c, err := o.Write(ctx, bytes.NewReader(make([]byte, size)), WriteOptions{Size: int64(size)})
		if err != nil {
			t.Fatal(err)
		}
		c.Segment.Number, c.Segment.ETag = number, c.MD5
		tags[number] = c.MD5
		if _, err := o.PutContent(ctx, c, PutPart{Account: account, Bucket: "b", Key: "k", Upload: "u", Part: c.Segment}); err != nil {
			t.Fatal(err)
		}
	}
	complete := func(numbers ...int) CompleteUpload {
		q := CompleteUpload{Account: account, Bucket: "b", Key: "k", Upload: "u"}
		for _, n := range numbers {
			q.Parts = append(q.Parts, CompletePart{Number: n, ETag: tags[n]})
		}
		return q
	}
	refused(t, o.do(complete()), "InvalidPart")
	refused(t, o.do(complete(1, 3)), "InvalidPart")
	refused(t, o.do(complete(7, 1)), "InvalidPartOrder")
	refused(t, o.do(complete(1, 2, 7)), "EntityTooSmall")
	refused(t, o.do(CompleteUpload{Account: account, Bucket: "b", Key: "k", Upload: "v", Parts: complete(1).Parts}), "NoSuchUpload")
	first, err := o.Propose(ctx, complete(1, 2))
	if err != nil || !strings.HasSuffix(first.ETag, "-2") {
		t.Fatalf("%+v, %v", first, err)
	}
	second, err := o.Propose(ctx, complete(1, 2))
	if err != nil || second.Seq != first.Seq || second.ETag != first.ETag {
		t.Errorf("the same again: %+v, %v", second, err)
	}
	if obj := o.State().Bucket("b").Object("k"); obj.Size != partBytesMin+3 || obj.PartCount() != 2 {
		t.Errorf("%+v", obj)
	}
	eventually(t, "the part that was left out to go", o.Settled)
}

// What is read whole is held against its checksum: damage is said, and its last bytes are not given.
func TestDamageIsSeen(t *testing.T) {
	fs := vfs.NewMem()
	o := mustOpen(t, fs, clock.NewManual(start))
	o.makeBucket(t)
	if _, err := o.put("k", strings.Repeat("x", 1000), Condition{}); err != nil {
		t.Fatal(err)
	}
	name := o.files.name(o.State().Bucket("b").Object("k").Segments[0].File)
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("y"), 500); err != nil {
		t.Fatal(err)
	}
	if got, err := o.get("k"); !fault.Is(err, fault.Corrupt) || len(got) >= 1000 {
		t.Errorf("read %d damaged bytes, %v", len(got), err)
	}
	if err := f.Truncate(10); err != nil {
		t.Fatal(err)
	}
	if _, err := o.get("k"); !fault.Is(err, fault.Corrupt) {
		t.Errorf("a file cut short: %v", err)
	}
	if err := fs.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, err := o.get("k"); !fault.Is(err, fault.Corrupt) {
		t.Errorf("a file that is gone: %v", err)
	}
}

// A full disk refuses puts and leaves nothing of them; reading goes on, and with room again so do puts.
func TestFullDisk(t *testing.T) {
	mem := vfs.NewMem()
	fs := vfs.NewFaulty(mem)
	o := mustOpen(t, fs, clock.NewManual(start))
	o.makeBucket(t)
	if _, err := o.put("k", "kept", Condition{}); err != nil {
		t.Fatal(err)
	}
	fs.Add(vfs.Rule{Op: vfs.OpWrite | vfs.OpAllocate, Path: "0*", Times: -1, Err: vfs.ErrNoSpace})
	for _, size := range []int{10, 1 << 20} {
		if _, err := o.put("k", strings.Repeat("x", size), Condition{}); !fault.Is(err, fault.Full) {
			t.Errorf("put of %d bytes on a full disk: %v", size, err)
		}
	}
	if got, err := o.get("k"); err != nil || got != "kept" {
		t.Errorf("got %q, %v", got, err)
	}
	eventually(t, "what the refused puts left to go", func() bool { return len(filesOn(t, mem)) == 1 })
	fs.Heal()
	if _, err := o.put("k", "new", Condition{}); err != nil {
		t.Error(err)
	}
}

// Lifecycles remove what is due at midnight in UTC, and nothing else.
func TestLifecycle(t *testing.T) {
	c := clock.NewManual(start)
	o := mustOpen(t, vfs.NewMem(), c)
	o.makeBucket(t)
	for _, key := range []string{"tmp/a", "tmp/b", "kept", "dated/x"} {
		if _, err := o.put(key, key, Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.do(CreateUpload{Account: account, Bucket: "b", Key: "tmp/u", Upload: "u"}); err != nil {
		t.Fatal(err)
	}
	rules := &Lifecycle{Rules: []Rule{
		{ID: "tmp", Enabled: true, Prefix: "tmp/", ExpirationDays: 2},
		{ID: "dated", Enabled: true, Prefix: "dated/", ExpirationDate: start.Truncate(day).Add(day)},
		{ID: "off", Prefix: "kept", ExpirationDays: 1},
		{ID: "uploads", Enabled: true, AbortDays: 1},
	}}
	if err := o.do(SetLifecycle{Account: account, Bucket: "b", Lifecycle: rules}); err != nil {
		t.Fatal(err)
	}
	keys := func() string {
		var keys []string
		for object := range o.State().Bucket("b").Objects("") {
			keys = append(keys, object.Key)
		}
		for u := range o.State().Bucket("b").Uploads("", "") {
			keys = append(keys, "upload "+u.ID)
		}
		return strings.Join(keys, " ")
	}
	for _, step := range []struct {
		to   time.Time
		want string
	}{
		{start, "dated/x kept tmp/a tmp/b upload u"},
		{start.Truncate(day).Add(day), "kept tmp/a tmp/b upload u"},
		{start.Truncate(day).Add(2 * day), "kept tmp/a tmp/b"},
		{start.Truncate(day).Add(3*day - time.Second), "kept tmp/a tmp/b"},
		{start.Truncate(day).Add(3 * day), "kept"},
		{start.Truncate(day).Add(30 * day), "kept"},
	} {
		c.AdvanceTo(step.to)
		eventually(t, "the lifecycle", o.Settled)
		if got := keys(); got != step.want {
			t.Errorf("at %v: %s, want %s", step.to, got, step.want)
		}
	}
}

// Listing agrees with the slow way of doing it.
func TestList(t *testing.T) {
	r := random(t)
	b := &Bucket{}
	var keys []string
	for range 200 {
		var key strings.Builder
		for range 1 + r.IntN(5) {
			key.WriteString([]string{"a", "b", "/", "é", "\u00ff"}[r.IntN(5)])
		}
		if b.Object(key.String()) == nil {
			keys = append(keys, key.String())
		}
		b.objects = b.objects.Put(key.String(), &Object{Key: key.String()})
	}
	slices.Sort(keys)
	for range 500 {
		q := Listing{Prefix: []string{"", "a", "a/", "/"}[r.IntN(4)], Delimiter: []string{"", "/", "b", "é"}[r.IntN(4)], Max: 1 + r.IntN(20)}
		if r.IntN(2) == 0 {
			q.After = keys[r.IntN(len(keys))]
		}
		var want []string
		for _, key := range keys {
			if !strings.HasPrefix(key, q.Prefix) {
				continue
			}
			name := key
			if common, grouped := q.common(key); grouped {
				name = common
			}
			if name > q.After && !slices.Contains(want, name) && !(q.After != "" && strings.HasPrefix(q.After, name) && name != key) && (name != q.After) {
				want = append(want, name)
			}
		}
		var got []string
		for page := q; ; {
			entries, more := b.List(page)
			for _, e := range entries {
				got = append(got, e.Name)
			}
			if !more {
				break
			}
			if len(entries) != q.Max {
				t.Fatalf("%+v: %d entries and more", page, len(entries))
			}
			page.After = entries[len(entries)-1].Name
		}
		if strings.Contains(strings.Join(got, "\n"), "\n"+q.After+"\n") || !slices.Equal(dropPast(got, q.After), dropPast(want, q.After)) {
			t.Fatalf("%+v:\n%q, want\n%q", q, got, want)
		}
	}
}

// dropPast drops the common prefix that After lies in: whether it is listed again is StartAfter's business, not this test's.
func dropPast(names []string, after string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return after != "" && strings.HasPrefix(after, name) })
}
