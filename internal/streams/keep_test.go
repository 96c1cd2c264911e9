package streams

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/controller"
	"github.com/weir-stream/weir/internal/vfs"
)

// After Keep the logs keep what the catalog says, also where Run has not come to it: nothing here runs Streams, as if the node had just been killed.
func TestKeep(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	now := clock.NewManual(time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC))
	w := &world{T: t, ctx: ctx, clock: now, store: &failing{Store: commitlog.NewMemory(now, commitlog.Forever)}}
	w.check(w.store.Create(ctx, commitlog.ID{}, commitlog.Config{}))
	control, err := w.store.Open(ctx, commitlog.ID{})
	w.check(err)
	w.control, err = controller.Open(ctx, controller.Options{Log: control, FS: vfs.NewMem(), Dir: "control", Clock: now, Session: 1})
	w.check(err)
	w.streams, err = New(Options{Store: w.store, Control: w.control, Clock: now, Secret: make([]byte, 32), Random: rand.Reader})
	w.check(err)
	done := make(chan error, 1)
	go func() { done <- w.control.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})

	w.create("s")
	s := w.control.State().Stream("123456789012", "eu-west-3", "s")
	w.check(w.store.Create(ctx, LogID(s, 0), logConfig(s)))
	w.check(w.control.Propose(ctx, catalog.StreamReady{Group: s.Group}))
	w.check(w.control.Propose(ctx, catalog.IncreaseRetention{Account: s.Account, Region: s.Region, Name: s.Name, Hours: 72}))
	log, err := w.store.Open(ctx, LogID(s, 0))
	w.check(err)
	w.check(w.streams.Keep(ctx, w.await("s", active)))
	if got := log.Config().Retention; got != 72*time.Hour {
		t.Errorf("the log keeps records for %v", got)
	}
}
