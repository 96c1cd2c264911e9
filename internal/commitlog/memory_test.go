package commitlog_test

import (
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/logtest"
	"github.com/weir-stream/weir/internal/fault"
)

func TestMemory(t *testing.T) {
	logtest.Test(t, func(t *testing.T, o logtest.Options) commitlog.Store {
		if o.Reopen != nil {
			return nil // keeps nothing
		}
		return commitlog.NewMemory(o.Clock, o.Lease)
	})
}

// Records past their retention go when the next append comes, a whole batch at a time.
func TestMemoryExpires(t *testing.T) {
	start := time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)
	c := clock.NewManual(start)
	store := commitlog.NewMemory(c, commitlog.Forever)
	id := commitlog.ID{Group: 1}
	if err := store.Create(t.Context(), id, commitlog.Config{Retention: time.Hour}); err != nil {
		t.Fatal(err)
	}
	log, err := store.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	appendAt := func(stamps ...time.Time) {
		t.Helper()
		var b batch.Batch
		for _, s := range stamps {
			b.Append(s.UnixMilli(), nil, []byte("x"))
		}
		if _, err := log.Append(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	first := func() commitlog.Position {
		t.Helper()
		bounds, err := log.Bounds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return bounds.First
	}
	appendAt(start)
	appendAt(start, start.Add(time.Minute)) // goes as a whole, by its youngest record
	c.Advance(time.Hour + time.Second)
	if first() != 0 {
		t.Error("dropped without an append")
	}
	appendAt(c.Now())
	if got := first(); got != 1 {
		t.Errorf("begins at %d, want 1", got)
	}
	if _, err := log.Read(t.Context(), 0, 1); !fault.Is(err, fault.Trimmed) {
		t.Errorf("read of an expired record: %v", err)
	}
	c.Advance(2 * time.Hour)
	appendAt(c.Now())
	if got := first(); got != 4 {
		t.Errorf("begins at %d, want 4", got)
	}
}

func TestCeilMillis(t *testing.T) {
	for _, row := range []struct {
		nanos, want int64
	}{{0, 0}, {1, 1}, {999_999, 1}, {1_000_000, 1}, {1_000_001, 2}, {-1, 0}, {-1_000_000, -1}, {-1_000_001, -1}} {
		if got := commitlog.CeilMillis(time.Unix(0, row.nanos)); got != row.want {
			t.Errorf("%d ns: %d, want %d", row.nanos, got, row.want)
		}
	}
}
