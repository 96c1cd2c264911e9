package streams

import (
	"context"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
)

// dropping is a store that, asked where a time is in a stream's log, answers and then drops the record there.
type dropping struct{ commitlog.Store }

type droppingLog struct{ commitlog.Log }

func (d dropping) Open(ctx context.Context, id commitlog.ID) (commitlog.Log, error) {
	log, err := d.Store.Open(ctx, id)
	if err != nil || id.Group == 0 {
		return log, err
	}
	return droppingLog{log}, nil
}

func (d droppingLog) PositionAt(ctx context.Context, t time.Time) (commitlog.Position, error) {
	at, err := d.Log.PositionAt(ctx, t)
	if err != nil {
		return at, err
	}
	return at, d.Trim(ctx, at+1)
}

// A reader that looks for the horizon while the log drops what has expired goes on behind that.
func TestGetWhileRecordsExpire(t *testing.T) {
	w := newWorldOn(t, func(c clock.Clock) commitlog.Store { return dropping{commitlog.NewMemory(c, commitlog.Forever)} })
	w.create("s")
	s := w.await("s", active)
	for i := range 4 {
		p, err := w.streams.Begin(w.ctx, s)
		w.check(err)
		p.Add([]byte("k"), nil, 0)
		p.Commit(w.ctx)
		w.check(p.Result(0).Err)
		p.Release()
		if i == 0 {
			w.clock.Advance(time.Hour)
		}
	}
	w.clock.Advance(s.Retention() - time.Minute) // the first has expired
	token, err := w.streams.iterator(iterator{group: s.Group}, w.clock.Now())
	w.check(err)
	got, err := w.streams.Get(w.ctx, token, 10, nil, func(*catalog.Stream) error { return nil })
	w.check(err)
	if len(got.Records) != 2 || got.Records[0].Position != 2 {
		t.Errorf("%d records, the first at %d", len(got.Records), got.Records[0].Position)
	}
	got.Release()
}
