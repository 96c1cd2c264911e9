package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// getFill is how many records are read in the comparison: enough to lie in segment files and not only in the memory tail.
const getFill = 200_000

// get compares GetRecords from TRIM_HORIZON with a handler that only builds the same answer.
func (b *bench) get(ctx context.Context) error {
	p, k, err := b.serve(filepath.Join(b.dir, "get"))
	if err != nil {
		return err
	}
	defer p.kill()
	if err := createStream(p.addr, k, stream, 4); err != nil {
		return err
	}
	if err := fill(p.addr, k, getFill); err != nil {
		return err
	}
	floor, err := b.floor(filepath.Join(b.dir, "get-floor"))
	if err != nil {
		return err
	}
	defer floor.kill()

	var ours, floors, ratios, rates []float64
	for range b.rounds {
		began := time.Now()
		before, err := p.cpu()
		if err != nil {
			return err
		}
		records := 0
		for time.Since(began) < b.duration && ctx.Err() == nil {
			n, err := drain(p.addr, k)
			if err != nil {
				return err
			}
			records += n
		}
		elapsed := time.Since(began)
		after, err := p.cpu()
		if err != nil {
			return err
		}
		weir := (after - before) / float64(records) * 1e6

		request, err := signed(floor.addr, "/get", "GetRecords", []byte("{}"), key{"AKIDEXAMPLE", "secret"})
		if err != nil {
			return err
		}
		if before, err = floor.cpu(); err != nil {
			return err
		}
		count, _, err := drive(ctx, floor.addr, 1, b.duration, func(int, int) []byte { return request })
		if err != nil {
			return err
		}
		if after, err = floor.cpu(); err != nil {
			return err
		}
		least := (after - before) / float64(count*getLimit) * 1e6
		ours, floors, ratios, rates = append(ours, weir), append(floors, least), append(ratios, weir/least), append(rates, float64(records)/elapsed.Seconds())
	}
	b.printf("| get, 1 KiB records, %d a request, from TRIM_HORIZON | Weir: CPU s per million | floor: CPU s per million | ratio | Weir: records/s |\n|---|--:|--:|--:|--:|\n", getLimit)
	b.printf("| GetRecords, 1 reader | %.2f | %.2f | **%.2f** | %.0f |\n\n", median(ours), median(floors), median(ratios), median(rates))
	return nil
}

// fill puts records into the stream.
func fill(addr string, k key, records int) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	var requests [][]byte
	for i := range 8 {
		request, err := signed(addr, "/", "PutRecords", putRecordsBody(i), k)
		if err != nil {
			return err
		}
		requests = append(requests, request)
	}
	for i := 0; i*batchSize < records; i++ {
		if _, err := c.do(requests[i%len(requests)]); err != nil {
			return err
		}
	}
	return nil
}

// drain reads every shard of the stream once, and counts.
func drain(addr string, k key) (records int, err error) {
	c, err := dial(addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	for shard := range 4 {
		var start struct{ ShardIterator string }
		if err := call(addr, k, "GetShardIterator", fmt.Sprintf(`{"StreamName":%q,"ShardId":"shardId-%012d","ShardIteratorType":"TRIM_HORIZON"}`, stream, shard), &start); err != nil {
			return 0, err
		}
		for iterator := start.ShardIterator; ; {
			request, err := signed(addr, "/", "GetRecords", fmt.Appendf(nil, `{"ShardIterator":%q,"Limit":%d}`, iterator, getLimit), k)
			if err != nil {
				return 0, err
			}
			answer, err := c.do(request)
			if err != nil {
				return 0, err
			}
			n, next, behind := glance(answer)
			records += n
			if behind == 0 {
				break
			}
			iterator = next
		}
	}
	return records, nil
}
