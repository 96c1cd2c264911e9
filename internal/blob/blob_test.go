package blob_test

import (
	"bytes"
	"context"
	"errors"
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
	"github.com/weir-stream/weir/internal/blob/blobtest"
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

// What engines rely on holds for our server in this process, for it behind a listener, and for gofakes3. test/interop has it hold for versitygw.
func TestWhatEnginesRelyOn(t *testing.T) {
	local, _ := embedded(t)
	_, handler := embedded(t)
	listening := httptest.NewServer(handler)
	defer listening.Close()
	peer := httptest.NewServer(gofakes3.New(s3mem.New(), gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	defer peer.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	differs := map[string]map[string]string{"gofakes3": {"make it again": "exists"}} // it calls every bucket that is there somebody else's
	for name, c := range map[string]*blob.Client{
		"embedded":          local,
		"behind a listener": client(t, blob.Options{Endpoint: listening.URL, AccessKeyID: "222222222222", SecretAccessKey: "x", Transport: transport}),
		"gofakes3":          client(t, blob.Options{Endpoint: peer.URL, AccessKeyID: "x", SecretAccessKey: "x", Transport: transport}),
	} {
		for _, complaint := range blobtest.Run(t.Context(), c, "some-bucket", differs[name]) {
			t.Errorf("%s: %s", name, complaint)
		}
	}
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
