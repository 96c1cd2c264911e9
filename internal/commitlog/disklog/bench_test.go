package disklog_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/vfs"
)

// How much does an append cost on the real disk, alone and in company?
//
// Sketch, per batch of n records of 1 KiB: its n × 1.04 KiB are copied once (under the lock, or before it when larger than 128 KiB), checksummed once (by the
// writer), and written twice, to the journal and later to a segment. Per block: 32 bytes and 20 a batch, one write a MiB, one fdatasync, one
// channel. No allocation per record; per batch its share of a 1 MiB chunk, or its own memory, and of the tail's slice. With w writers a sync is
// shared by up to w batches.
func BenchmarkAppend(b *testing.B) {
	for _, records := range []int{1, 125, 500} {
		for _, writers := range []int{1, 8, 32} {
			b.Run(fmt.Sprintf("batch=%d/writers=%d", records, writers), func(b *testing.B) {
				fs, err := vfs.NewOS(b.TempDir())
				if err != nil {
					b.Fatal(err)
				}
				benchmarkAppend(b, disklog.Options{FS: fs, Dir: "log"}, records, writers)
			})
		}
	}
}

// The same without waiting for the disk: what is left is the processor's part.
func BenchmarkAppendOS(b *testing.B) {
	for _, records := range []int{1, 125, 500} {
		b.Run(fmt.Sprintf("batch=%d/writers=8", records), func(b *testing.B) {
			fs, err := vfs.NewOS(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			benchmarkAppend(b, disklog.Options{FS: fs, Dir: "log", Durability: disklog.OS, ThrottleWait: time.Minute}, records, 8)
		})
	}
}

func benchmarkAppend(b *testing.B, o disklog.Options, records, writers int) {
	var syncs atomic.Int64
	o.OnEvent = func(e disklog.Event) {
		if _, ok := e.(disklog.Synced); ok {
			syncs.Add(1)
		}
	}
	o.ThrottleWait = time.Minute
	s, err := disklog.Open(o)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	logs := make([]commitlog.Log, 4)
	for i := range logs {
		id := commitlog.ID{Group: 1, Member: uint32(i)}
		if err := s.Create(ctx, id, commitlog.Config{Retention: 24 * time.Hour}); err != nil {
			b.Fatal(err)
		}
		if logs[i], err = s.Open(ctx, id); err != nil {
			b.Fatal(err)
		}
	}
	var bt batch.Batch
	value := make([]byte, 1024)
	for range records {
		bt.Append(time.Now().UnixMilli(), []byte("customer-4711"), value)
	}
	b.SetBytes(int64(len(bt.Bytes())))
	b.ReportAllocs()
	b.ResetTimer()
	syncs.Store(0)
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			var own batch.Batch
			for range records {
				own.Append(time.Now().UnixMilli(), []byte("customer-4711"), value)
			}
			for left.Add(-1) >= 0 {
				if _, err := logs[w%len(logs)].Append(ctx, &own); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/float64(max(syncs.Load(), 1)), "batches/sync")
	b.ReportMetric(float64(b.N*records)/b.Elapsed().Seconds(), "records/s")
}

// How fast is reading, from segments and from the tail? Sketch, per record of 1 KiB: read once, checksummed once (segments), or nothing but the slice
// (tail, large batches).
func BenchmarkRead(b *testing.B) {
	for _, from := range []string{"segments", "tail"} {
		b.Run(from, func(b *testing.B) {
			fs, err := vfs.NewOS(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			o := disklog.Options{FS: fs, Dir: "log", Durability: disklog.OS}
			if from == "segments" {
				o.JournalBytes = 8 << 20
				o.ThrottleWait = time.Minute
			}
			s, err := disklog.Open(o)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			id := commitlog.ID{Group: 1}
			if err := s.Create(ctx, id, commitlog.Config{}); err != nil {
				b.Fatal(err)
			}
			l, err := s.Open(ctx, id)
			if err != nil {
				b.Fatal(err)
			}
			var bt batch.Batch
			for range 125 {
				bt.Append(time.Now().UnixMilli(), []byte("customer-4711"), make([]byte, 1024))
			}
			const batches = 400
			for range batches {
				if _, err := l.Append(ctx, &bt); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(bt.Bytes())))
			b.ReportAllocs()
			next := commitlog.Position(0)
			for b.Loop() {
				chunk, err := l.Read(ctx, next, 128<<10)
				if err != nil {
					b.Fatal(err)
				}
				if next = chunk.Next; next >= batches*125 {
					next = 0
				}
			}
		})
	}
}

// How long until the first append after a crash, with the journal full?
func BenchmarkOpen(b *testing.B) {
	fs, err := vfs.NewOS(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	o := disklog.Options{FS: fs, Dir: "log", Durability: disklog.OS}
	s, err := disklog.Open(o)
	if err != nil {
		b.Fatal(err)
	}
	id := commitlog.ID{Group: 1}
	if err := s.Create(ctx, id, commitlog.Config{}); err != nil {
		b.Fatal(err)
	}
	l, err := s.Open(ctx, id)
	if err != nil {
		b.Fatal(err)
	}
	var bt batch.Batch
	for range 500 {
		bt.Append(time.Now().UnixMilli(), []byte("customer-4711"), make([]byte, 1024))
	}
	for range 110 { // 56 MB: just under a full file
		if _, err := l.Append(ctx, &bt); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		if s, err = disklog.Open(o); err != nil {
			b.Fatal(err)
		}
	}
	_ = s.Close()
}
