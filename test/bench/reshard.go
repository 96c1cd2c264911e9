package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	lanes        = 16                    // writers, each with a hash key of its own, evenly over the key space
	laneInterval = 32 * time.Millisecond // between a lane's puts: 500 a second together
)

// Sketch, a split as a put that meets it feels it: one sync for the seal, one for the report in the control log, one for the put itself in the
// child; the puts of other ranges share those syncs and wait for none of them but their own.

// reshard splits and merges shards without end under steady puts, and measures how long the puts wait.
func (b *bench) reshard(ctx context.Context) error {
	p, k, err := b.serve(filepath.Join(b.dir, "reshard"))
	if err != nil {
		return err
	}
	defer p.kill()
	if err := createStream(p.addr, k, stream, 4); err != nil {
		return err
	}
	usual, err := b.lanes(ctx, p.addr, k)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, b.duration)
	defer cancel()
	puts := make([][]put, lanes)
	failures := make(chan error, lanes+1)
	var writing sync.WaitGroup
	for lane := range lanes {
		writing.Go(func() {
			var err error
			if puts[lane], err = writeLane(ctx, p.addr, k, lane); err != nil {
				failures <- err
			}
		})
	}
	reshards, err := keepResharding(ctx, p.addr, k)
	writing.Wait()
	close(failures)
	for failure := range failures {
		err = errors.Join(err, failure)
	}
	if err != nil {
		return err
	}

	var inside, beside, gaps, took []float64
	for _, r := range reshards {
		took = append(took, millis(r.end.Sub(r.begin)))
		for lane, all := range puts {
			slowest, gap, any := during(all, r)
			switch {
			case any && r.takes(lane):
				inside, gaps = append(inside, slowest), append(gaps, gap)
			case any:
				beside = append(beside, slowest)
			}
		}
	}
	b.printf("| a reshard's pause, %d puts a second over 4 shards, %d splits and merges | p50 ms | p99 ms | max ms |\n|---|--:|--:|--:|\n", int(time.Second/laneInterval)*lanes, len(reshards))
	b.quantiles("every put of as long a time before, without reshards", usual)
	b.quantiles("slowest put of each hash range that a reshard moved", inside)
	b.quantiles(fmt.Sprintf("longest gap between its acknowledgements, of which %d ms are between its puts", laneInterval.Milliseconds()), gaps)
	b.quantiles("slowest put of each other hash range meanwhile", beside)
	b.quantiles("from SplitShard or MergeShards to ACTIVE", took)
	b.printf("\n")
	return nil
}

// quantiles prints a row.
func (b *bench) quantiles(title string, values []float64) {
	if len(values) == 0 {
		b.printf("| %s | | | |\n", title)
		return
	}
	slices.Sort(values)
	at := func(q float64) float64 { return values[min(int(q*float64(len(values))), len(values)-1)] }
	b.printf("| %s | %.1f | **%.1f** | %.1f |\n", title, at(0.5), at(0.99), values[len(values)-1])
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// put is one put of a lane: when it should have been sent, and when it was answered.
type put struct{ due, answered time.Time }

// laneKey is the hash key of a lane: the middle of its part of the key space.
func laneKey(lane int) *big.Int {
	width := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(lanes))
	key := new(big.Int).Mul(width, big.NewInt(int64(lane)))
	return key.Add(key, new(big.Int).Rsh(width, 1))
}

// writeLane puts a record every laneInterval until ctx ends. A put that waits does not put off those behind it: they are due when they are, and are
// sent as soon as the connection is free.
func writeLane(ctx context.Context, addr string, k key, lane int) (puts []put, err error) {
	body := fmt.Appendf(nil, `{"StreamName":"%s","Data":"%s","PartitionKey":"lane-%d","ExplicitHashKey":"%s"}`,
		stream, base64.StdEncoding.EncodeToString(payload(lane)), lane, laneKey(lane))
	request, err := signed(addr, "/", "PutRecord", body, k)
	if err != nil {
		return nil, err
	}
	c, err := dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	due := time.Now().Add(laneInterval * time.Duration(lane) / lanes)
	for ; ; due = due.Add(laneInterval) {
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return puts, nil
		}
		if _, err := c.do(request); err != nil {
			return puts, fmt.Errorf("put of lane %d: %w", lane, err)
		}
		puts = append(puts, put{due, time.Now()})
	}
}

// resharding is a split or a merge, and the part of the key space that it moved.
type resharding struct {
	begin, end time.Time
	from, to   *big.Int
}

func (r resharding) takes(lane int) bool {
	key := laneKey(lane)
	return r.from.Cmp(key) <= 0 && key.Cmp(r.to) <= 0
}

// during is the slowest put, and the longest time without an answer, of the puts that were waiting at some moment of r. In ms.
func during(puts []put, r resharding) (slowest, gap float64, some bool) {
	for i, p := range puts {
		if p.answered.Before(r.begin) || p.due.After(r.end) {
			continue
		}
		some = true
		slowest = max(slowest, millis(p.answered.Sub(p.due)))
		if i > 0 {
			gap = max(gap, millis(p.answered.Sub(puts[i-1].answered)))
		}
	}
	return slowest, gap, some
}

// keepResharding splits each of the four shards in turn and merges it back, as fast as the stream becomes ACTIVE.
func keepResharding(ctx context.Context, addr string, k key) (all []resharding, err error) {
	for turn := 0; ctx.Err() == nil; turn++ {
		open, err := openShards(addr, k)
		if err != nil {
			return all, err
		}
		shard := open[turn%len(open)]
		if turn%2 == 0 {
			middle := new(big.Int).Add(shard.from, shard.to)
			r := resharding{from: shard.from, to: shard.to}
			err = timed(addr, k, &r, "SplitShard", fmt.Sprintf(`{"StreamName":"%s","ShardToSplit":"%s","NewStartingHashKey":"%s"}`, stream, shard.id, middle.Rsh(middle, 1)))
			all = append(all, r)
		} else {
			narrow := 0 // the pair that is narrowest together was one before
			for i := range len(open) - 1 {
				if new(big.Int).Sub(open[i+1].to, open[i].from).Cmp(new(big.Int).Sub(open[narrow+1].to, open[narrow].from)) < 0 {
					narrow = i
				}
			}
			r := resharding{from: open[narrow].from, to: open[narrow+1].to}
			err = timed(addr, k, &r, "MergeShards", fmt.Sprintf(`{"StreamName":"%s","ShardToMerge":"%s","AdjacentShardToMerge":"%s"}`, stream, open[narrow].id, open[narrow+1].id))
			all = append(all, r)
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// timed asks for a reshard and waits until the stream is ACTIVE.
func timed(addr string, k key, r *resharding, operation, body string) error {
	r.begin = time.Now()
	if err := call(addr, k, operation, body, nil); err != nil {
		return err
	}
	for {
		var answer struct{ StreamDescriptionSummary struct{ StreamStatus string } }
		if err := call(addr, k, "DescribeStreamSummary", `{"StreamName":"`+stream+`"}`, &answer); err != nil {
			return err
		}
		if answer.StreamDescriptionSummary.StreamStatus == "ACTIVE" {
			r.end = time.Now()
			return nil
		}
		time.Sleep(2 * time.Millisecond) // the client shares the cores
	}
}

// openShard is one that takes records.
type openShard struct {
	id       string
	from, to *big.Int
}

// openShards are the open shards in order of hash range.
func openShards(addr string, k key) ([]openShard, error) {
	var answer struct {
		Shards []struct {
			ShardID      string `json:"ShardId"`
			HashKeyRange struct {
				StartingHashKey, EndingHashKey string
			}
		}
	}
	if err := call(addr, k, "ListShards", `{"StreamName":"`+stream+`","ShardFilter":{"Type":"AT_LATEST"}}`, &answer); err != nil {
		return nil, err
	}
	var open []openShard
	for _, shard := range answer.Shards {
		from, ok := new(big.Int).SetString(shard.HashKeyRange.StartingHashKey, 10)
		to, too := new(big.Int).SetString(shard.HashKeyRange.EndingHashKey, 10)
		if !ok || !too {
			return nil, fmt.Errorf("shard %s takes %v", shard.ShardID, shard.HashKeyRange)
		}
		open = append(open, openShard{shard.ShardID, from, to})
	}
	slices.SortFunc(open, func(a, b openShard) int { return a.from.Cmp(b.from) })
	return open, nil
}
