package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// Sketch, per 1 KiB record of a PutRecords with 500: 1.4 KiB read and hashed, 1 KiB decoded into a batch, checksummed, copied once into the
// journal's block, checksummed with the block, written once; one MD5 of the key; about 110 bytes of answer. 1/500 request, 1/125 append,
// and far less than 1/500 sync. No allocation.

// put compares PutRecords and PutRecord with the floor.
func (b *bench) put(ctx context.Context) error {
	b.printf("| put, 1 KiB records, durability sync | Weir: CPU s per million | floor: CPU s per million | ratio | Weir: records/s | p50 / p99 |\n|---|--:|--:|--:|--:|--:|\n")
	if err := b.comparePut(ctx, "PutRecords, 500 a request, 8 writers, 4 shards", "PutRecords", 8, batchSize, putRecordsBody); err != nil {
		return err
	}
	if err := b.comparePut(ctx, "PutRecord, 32 writers, 4 shards", "PutRecord", 32, 1, putRecordBody); err != nil {
		return err
	}
	b.printf("\n")
	return nil
}

func (b *bench) comparePut(ctx context.Context, title, operation string, writers, records int, body func(variant int) []byte) error {
	var ours, floors, ratios, rates []float64
	var p50, p99 time.Duration
	for round := range b.rounds {
		name := fmt.Sprintf("%s-%d", operation, round)
		weir, rate, latencies, err := b.measurePut(ctx, name, operation, writers, records, body, true)
		if err != nil {
			return err
		}
		floor, _, _, err := b.measurePut(ctx, name+"-floor", operation, writers, records, body, false)
		if err != nil {
			return err
		}
		ours, floors, ratios, rates = append(ours, weir), append(floors, floor), append(ratios, weir/floor), append(rates, rate)
		p50, p99 = latencies[len(latencies)/2], latencies[len(latencies)*99/100]
	}
	b.printf("| %s | %.2f | %.2f | **%.2f** | %.0f | %s / %s |\n", title, median(ours), median(floors), median(ratios), median(rates), p50.Round(10*time.Microsecond), p99.Round(10*time.Microsecond))
	return nil
}

// measurePut gives CPU seconds per million records and records per second.
func (b *bench) measurePut(ctx context.Context, name, operation string, writers, records int, body func(variant int) []byte, weir bool) (cpu, rate float64, latencies []time.Duration, err error) {
	dir := filepath.Join(b.dir, name)
	var p *process
	var k key
	path := "/put"
	if weir {
		if p, k, err = b.serve(dir); err != nil {
			return 0, 0, nil, err
		}
		path = "/"
		if err := createStream(p.addr, k, stream, 4); err != nil {
			p.kill()
			return 0, 0, nil, err
		}
	} else {
		k = key{"AKIDEXAMPLE", "secret"}
		if p, err = b.floor(dir); err != nil {
			return 0, 0, nil, err
		}
	}
	defer p.kill()
	requests := make([][]byte, 8)
	for i := range requests {
		if requests[i], err = signed(p.addr, path, operation, body(i), k); err != nil {
			return 0, 0, nil, err
		}
	}
	request := func(worker, i int) []byte { return requests[(worker+i)%len(requests)] }
	if _, _, err := drive(ctx, p.addr, writers, b.duration/5, request); err != nil { // warm
		return 0, 0, nil, err
	}
	before, err := p.cpu()
	if err != nil {
		return 0, 0, nil, err
	}
	began := time.Now()
	count, latencies, err := drive(ctx, p.addr, writers, b.duration, request)
	if err != nil {
		return 0, 0, nil, err
	}
	elapsed := time.Since(began)
	after, err := p.cpu()
	if err != nil {
		return 0, 0, nil, err
	}
	total := float64(count * records)
	return (after - before) / total * 1e6, total / elapsed.Seconds(), latencies, nil
}
