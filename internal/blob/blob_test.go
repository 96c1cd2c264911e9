package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.uber.org/goleak"

	"github.com/weir-stream/weir/internal/api/s3"
	"github.com/weir-stream/weir/internal/blob"
	"github.com/weir-stream/weir/internal/blob/store"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// embedded is a client of a server in memory, without a listener.
func embedded(t *testing.T) (*blob.Client, http.Handler) {
	t.Helper()
	now := clock.NewManual(time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC))
	logs := commitlog.NewMemory(now, commitlog.Forever)
	if err := logs.Create(t.Context(), commitlog.ID{}, commitlog.Config{}); err != nil {
		t.Fatal(err)
	}
	log, err := logs.Open(t.Context(), commitlog.ID{})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := store.Open(t.Context(), store.Options{Log: log, FS: vfs.NewMem(), Dir: "objects", Clock: now, Session: 1, Random: strings.NewReader(strings.Repeat("random", 1000)), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- objects.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := logs.Close(); err != nil {
			t.Error(err)
		}
	})
	handler, err := s3.New(s3.Options{Store: objects, Clock: now, Logger: quiet}).Local(quiet)
	if err != nil {
		t.Fatal(err)
	}
	return client(t, blob.Options{Embedded: handler, AccessKeyID: "111111111111"}), handler
}

func client(t *testing.T, o blob.Options) *blob.Client {
	t.Helper()
	c, err := blob.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The same script gives the same answers from our server in this process, from it behind a listener, and from gofakes3 (1.2.0, which here differs in nothing).
func TestSameScriptEverywhere(t *testing.T) {
	local, _ := embedded(t)
	_, handler := embedded(t)
	listening := httptest.NewServer(handler)
	defer listening.Close()
	peer := httptest.NewServer(gofakes3.New(s3mem.New(), gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	defer peer.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	ours := script(t, local)
	for name, c := range map[string]*blob.Client{
		"behind a listener": client(t, blob.Options{Endpoint: listening.URL, AccessKeyID: "222222222222", SecretAccessKey: "x", Transport: transport}),
		"gofakes3":          client(t, blob.Options{Endpoint: peer.URL, AccessKeyID: "x", SecretAccessKey: "x", Transport: transport}),
	} {
		theirs := script(t, c)
		for step, got := range theirs {
			if got != ours[step] {
				t.Errorf("%s, %s: %s, embedded: %s", name, step, got, ours[step])
			}
		}
	}
}

// script does what engines do, and gives what came of each step.
func script(t *testing.T, c *blob.Client) map[string]string {
	t.Helper()
	ctx := t.Context()
	steps := map[string]string{}
	say := func(step string, value any, err error) {
		if err != nil {
			value = fmt.Sprintf("%s, unknown %v", fault.KindOf(err), fault.IsUnknown(err))
		}
		steps[step] = fmt.Sprint(value)
	}
	put := func(step, bucket, key, body string, o blob.Put) {
		etag, err := c.Put(ctx, bucket, key, strings.NewReader(body), int64(len(body)), o)
		say(step, etag, err)
	}
	get := func(step, bucket, key string) {
		r, info, err := c.Get(ctx, bucket, key)
		if err != nil {
			say(step, nil, err)
			return
		}
		defer r.Close()
		body, err := io.ReadAll(r)
		say(step, fmt.Sprintf("%d of %d bytes, %.20s, %s", len(body), info.Size, body, info.ETag), err)
	}
	const b = "some-bucket"
	put("put without a bucket", b, "k", "x", blob.Put{})
	say("make the bucket", "made", c.MakeBucket(ctx, b))
	get("get nothing", b, "k")
	put("put", b, "fd", "file", blob.Put{ContentType: "text/plain", Metadata: map[string]string{"a": "b"}})
	put("put below it", b, "fd/x", "below", blob.Put{})
	put("put an odd key", b, "a b+c%/é", "odd", blob.Put{})
	put("put nothing", b, "empty", "", blob.Put{})
	put("put a large one", b, "large", strings.Repeat("0123456789", 500_000), blob.Put{})
	for _, key := range []string{"fd", "fd/x", "a b+c%/é", "empty", "large"} {
		get("get "+key, b, key)
	}
	put("put if absent, there", b, "fd", "other", blob.Put{IfAbsent: true})
	put("put if absent", b, "new", "new", blob.Put{IfAbsent: true})
	put("put if another", b, "new", "newer", blob.Put{IfMatch: "0123456789abcdef0123456789abcdef"})
	get("get new", b, "new")
	info, err := c.Head(ctx, b, "fd")
	say("head", fmt.Sprint(info.Size, info.ETag), err)
	_, err = c.Head(ctx, b, "none")
	say("head nothing", nil, err)
	var keys []string
	for info, err := range c.List(ctx, b, "") {
		if err != nil {
			say("list", nil, err)
			break
		}
		keys = append(keys, fmt.Sprint(info.Key, " ", info.Size))
	}
	say("list", strings.Join(keys, "|"), nil)
	say("delete", "deleted", c.Delete(ctx, b, "fd"))
	say("delete nothing", "deleted", c.Delete(ctx, b, "fd"))
	get("get what was deleted", b, "fd")
	get("get what is below it", b, "fd/x")
	return steps
}

// A body that breaks leaves nothing, and one that is given up ends the call.
func TestBrokenBodies(t *testing.T) {
	c, _ := embedded(t)
	if err := c.MakeBucket(t.Context(), "some-bucket"); err != nil {
		t.Fatal(err)
	}
	broken := io.MultiReader(strings.NewReader("some"), iotest.ErrReader(errors.New("broken")))
	if _, err := c.Put(t.Context(), "some-bucket", "k", broken, 100, blob.Put{}); err == nil {
		t.Error("a broken body was stored")
	}
	if _, err := c.Head(t.Context(), "some-bucket", "k"); !fault.Is(err, fault.NotFound) {
		t.Errorf("after a broken body: %v", err)
	}
	body := bytes.Repeat([]byte("x"), 4<<20)
	if _, err := c.Put(t.Context(), "some-bucket", "k", bytes.NewReader(body), int64(len(body)), blob.Put{}); err != nil {
		t.Fatal(err)
	}
	r, _, err := c.Get(t.Context(), "some-bucket", "k")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil { // goleak sees whether the server's side has ended, too
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := c.Put(ctx, "some-bucket", "k", reader, 100, blob.Put{})
		ended <- err
	}()
	if _, err := writer.Write([]byte("some")); err != nil {
		t.Fatal(err)
	}
	cancel()
	_ = writer.Close() // or the read of the body that is under way keeps the call
	if err := <-ended; err == nil {
		t.Error("a put that was given up succeeded")
	}
}

// Options that contradict each other are refused, and so is a client without a key.
func TestOptions(t *testing.T) {
	for _, o := range []blob.Options{{}, {Embedded: http.NotFoundHandler(), Endpoint: "http://x", AccessKeyID: "k"}, {Embedded: http.NotFoundHandler()}} {
		if _, err := blob.New(o); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// A handler that panics before it answers, or in the middle, is an error and not an answer.
func TestHandlerThatPanics(t *testing.T) {
	for _, row := range []struct {
		name    string
		handler http.HandlerFunc
		begins  bool
	}{
		{"before", func(http.ResponseWriter, *http.Request) { panic("x") }, false},
		{"in the middle", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))
			panic(http.ErrAbortHandler)
		}, true},
	} {
		r, err := http.NewRequest("GET", "https://localhost/", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := blob.InProcess{Handler: row.handler}.RoundTrip(r)
		if (err == nil) != row.begins {
			t.Errorf("%s: %v", row.name, err)
		}
		if err != nil {
			continue
		}
		if _, err := io.ReadAll(answer.Body); err == nil {
			t.Errorf("%s: the answer seems whole", row.name)
		}
		_ = answer.Body.Close()
	}
}
