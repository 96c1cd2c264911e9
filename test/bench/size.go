package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// memory measures what is resident when nothing happens, with many idle shards, and at most under load.
func (b *bench) memory(ctx context.Context) error {
	b.printf("| memory of `weir serve`, MB resident | |\n|---|--:|\n")
	p, k, err := b.serve(filepath.Join(b.dir, "memory"))
	if err != nil {
		return err
	}
	defer func() { p.kill() }()
	idle, err := p.memory("VmRSS")
	if err != nil {
		return err
	}
	b.printf("| idle, no stream | %.0f |\n", idle)

	began := time.Now()
	if err := createStream(p.addr, k, "wide", 10_000); err != nil {
		return err
	}
	took := time.Since(began)
	wide, err := p.memory("VmRSS")
	if err != nil {
		return err
	}
	b.printf("| 10,000 idle shards (made in %s) | %.0f |\n", took.Round(time.Millisecond), wide)
	p.kill()
	if p, k, err = b.serve(filepath.Join(b.dir, "memory")); err != nil {
		return err
	}
	if wide, err = p.memory("VmRSS"); err != nil {
		return err
	}
	b.printf("| 10,000 idle shards, after kill -9 and restart | %.0f |\n", wide)

	if err := createStream(p.addr, k, stream, 4); err != nil {
		return err
	}
	requests := make([][]byte, 8)
	for i := range requests {
		if requests[i], err = signed(p.addr, "/", "PutRecords", putRecordsBody(i), k); err != nil {
			return err
		}
	}
	if _, _, err := drive(ctx, p.addr, 8, 2*b.duration, func(worker, i int) []byte { return requests[(worker+i)%len(requests)] }); err != nil {
		return err
	}
	peak, err := p.memory("VmHWM")
	if err != nil {
		return err
	}
	b.printf("| the most, under PutRecords from 8 writers for %s | %.0f |\n\n", 2*b.duration, peak)
	return nil
}

// restart kills a server with much on disk and times the way back to the first acknowledged put.
func (b *bench) restart(ctx context.Context, gib int) error {
	dir := filepath.Join(b.dir, "restart")
	p, k, err := b.serve(dir)
	if err != nil {
		return err
	}
	defer func() { p.kill() }()
	if err := createStream(p.addr, k, stream, 4); err != nil {
		return err
	}
	if err := fillWide(ctx, p.addr, k, gib<<20); err != nil {
		return err
	}
	p.kill()
	size, err := diskUse(dir)
	if err != nil {
		return err
	}
	began := time.Now()
	if p, k, err = b.serve(dir); err != nil {
		return err
	}
	answering := time.Since(began)
	if err := call(p.addr, k, "PutRecord", string(putRecordBody(1)), nil); err != nil {
		return err
	}
	first := time.Since(began)
	b.printf("| restart after kill -9 | |\n|---|--:|\n| on disk | %.1f GiB |\n| until the port answers | %s |\n| until the first put is acknowledged | **%s** |\n\n",
		float64(size)/(1<<30), answering.Round(time.Millisecond), first.Round(time.Millisecond))
	return nil
}

// fillWide puts records from 8 writers, in rounds short enough for their signatures.
func fillWide(ctx context.Context, addr string, k key, records int) error {
	for put := 0; put < records; {
		requests := make([][]byte, 8)
		for i := range requests {
			var err error
			if requests[i], err = signed(addr, "/", "PutRecords", putRecordsBody(i), k); err != nil {
				return err
			}
		}
		n, _, err := drive(ctx, addr, 8, 10*time.Second, func(worker, i int) []byte { return requests[(worker+i)%len(requests)] })
		if err != nil {
			return err
		}
		put += n * batchSize
		fmt.Fprintf(os.Stderr, "\rfilled %d of %d records", put, records)
	}
	fmt.Fprintln(os.Stderr)
	return nil
}

func diskUse(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return nil // gone meanwhile
		}
		total += info.Size()
		return nil
	})
	return total, err
}
