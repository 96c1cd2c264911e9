package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/weir-stream/weir/client"
)

// benchCommand is `weir bench`.
type benchCommand struct {
	endpointFlags
	Stream   string        `default:"weir-bench" help:"Stream to use. It is created unless it exists."`
	Size     int           `default:"1024" help:"Bytes of a record."`
	Batch    int           `default:"500" help:"Records of a request, 1 to 500; 1 uses PutRecord."`
	Writers  int           `default:"8" help:"Writers at a time."`
	Shards   int           `default:"4" help:"Shards of a stream that is created."`
	Duration time.Duration `default:"10s" help:"How long to write."`
	NoRead   bool          `name:"no-read" help:"Only write: leave out reading everything back."`
	Keep     bool          `help:"Leave the stream there afterwards. One that existed always stays."`
	JSON     bool          `name:"json" help:"Print JSON."`
}

// benchRequestBytes is the most data of one request (API_PutRecords: 10 MiB). Anything larger would only measure how it is refused.
const benchRequestBytes = 10 << 20

// Help is what `weir help bench` adds.
func (c *benchCommand) Help() string {
	return "Client and server share the machine when both run on it, so this is a figure to compare, not the server's most. " +
		"Records that a server refuses are counted under their error code."
}

// benchPhase is what one direction gave.
type benchPhase struct {
	Records  int            `json:"records"`
	Bytes    int64          `json:"bytes"`
	Requests int            `json:"requests"`
	Seconds  float64        `json:"seconds"`
	Rate     float64        `json:"recordsPerSecond"`
	MB       float64        `json:"megabytesPerSecond"` // of 10^6 bytes of data
	P50      float64        `json:"p50Millis"`
	P99      float64        `json:"p99Millis"`
	Max      float64        `json:"maxMillis"`
	Errors   map[string]int `json:"errors"` // records refused and requests failed, by code
}

// Run writes, then reads.
func (c *benchCommand) Run(ctx context.Context, t *terminal) error {
	if c.Batch < 1 || c.Batch > 500 || c.Writers < 1 || c.Size < 1 || c.Size > 10<<20 || c.Shards < 1 || c.Duration <= 0 {
		return usagef("--batch is 1 to 500, --size 1 to %d, and --writers, --shards and --duration are above nought", 10<<20)
	}
	if c.Size*c.Batch > benchRequestBytes {
		return usagef("%d records of %d bytes are more than a request may hold, %d bytes; --batch %d is the most for this --size",
			c.Batch, c.Size, benchRequestBytes, max(1, benchRequestBytes/c.Size))
	}
	api, err := c.api(t, 1)
	if err != nil {
		return err
	}
	created, err := client.EnsureStream(ctx, api, c.Stream, c.Shards)
	if err != nil {
		return c.explain(t, err, "")
	}
	if created && !c.Keep {
		defer func() {
			if _, err := api.DeleteStream(context.WithoutCancel(ctx), &kinesis.DeleteStreamInput{StreamName: aws.String(c.Stream)}); err != nil {
				fmt.Fprintf(t.err, "weir: stream %s stays behind: %v\n", c.Stream, err)
			}
		}()
	}
	from := time.Now().Add(-time.Second)
	result := struct {
		Size    int         `json:"size"`
		Batch   int         `json:"batch"`
		Writers int         `json:"writers"`
		Put     benchPhase  `json:"put"`
		Get     *benchPhase `json:"get,omitempty"`
	}{Size: c.Size, Batch: c.Batch, Writers: c.Writers}
	if result.Put, err = c.put(ctx, api); err != nil {
		return c.explain(t, err, c.Stream)
	}
	if !c.JSON {
		result.Put.print(t, "put")
	}
	if !c.NoRead {
		get, err := c.get(ctx, api, from, created)
		if err != nil {
			return c.explain(t, err, c.Stream)
		}
		result.Get = &get
		if !c.JSON {
			get.print(t, "get")
		}
	}
	if c.JSON {
		return t.json(result)
	}
	return nil
}

// measured collects what the requests of one goroutine took.
type measured struct {
	phase     benchPhase
	latencies []time.Duration
}

func (m *measured) failed(err error) {
	if m.phase.Errors == nil {
		m.phase.Errors = map[string]int{}
	}
	var api smithy.APIError
	code := "no answer"
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	m.phase.Errors[code]++
}

// each runs work n times side by side and adds up what was measured.
func each(n int, work func(i int, m *measured)) benchPhase {
	all := make([]measured, n)
	var wg sync.WaitGroup
	begun := time.Now()
	for i := range n {
		wg.Go(func() { work(i, &all[i]) })
	}
	wg.Wait()
	total := benchPhase{Seconds: time.Since(begun).Seconds(), Errors: map[string]int{}}
	var latencies []time.Duration
	for _, m := range all {
		total.Records += m.phase.Records
		total.Bytes += m.phase.Bytes
		total.Requests += m.phase.Requests
		for code, count := range m.phase.Errors {
			total.Errors[code] += count
		}
		latencies = append(latencies, m.latencies...)
	}
	slices.Sort(latencies)
	if len(latencies) > 0 {
		at := func(part float64) float64 {
			return float64(latencies[min(len(latencies)-1, int(part*float64(len(latencies))))]) / float64(time.Millisecond)
		}
		total.P50, total.P99, total.Max = at(0.5), at(0.99), at(1)
	}
	total.Rate = float64(total.Records) / total.Seconds
	total.MB = float64(total.Bytes) / total.Seconds / 1e6
	return total
}

func (c *benchCommand) put(ctx context.Context, api *kinesis.Client) (benchPhase, error) {
	data := make([]byte, c.Size)
	rand.Read(data) // data that does not compress
	end, cancel := context.WithTimeout(ctx, c.Duration)
	defer cancel()
	phase := each(c.Writers, func(writer int, m *measured) {
		for n := 0; end.Err() == nil; n++ {
			begun := time.Now()
			taken, refused, err := c.putOnce(ctx, api, data, writer, n)
			if err != nil {
				m.failed(err)
				if client.Sleep(end, 10*time.Millisecond) != nil {
					return
				}
				continue
			}
			m.latencies = append(m.latencies, time.Since(begun))
			m.phase.Requests++
			m.phase.Records += taken
			m.phase.Bytes += int64(taken) * int64(len(data))
			for range refused {
				m.failed(&types.ProvisionedThroughputExceededException{})
			}
		}
	})
	if phase.Records == 0 && ctx.Err() == nil {
		return phase, fmt.Errorf("nothing was taken: %v", phase.Errors)
	}
	return phase, ctx.Err()
}

// putOnce makes one request.
func (c *benchCommand) putOnce(ctx context.Context, api *kinesis.Client, data []byte, writer, n int) (taken, refused int, err error) {
	if c.Batch == 1 {
		_, err := api.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: aws.String(c.Stream), Data: data, PartitionKey: aws.String(fmt.Sprintf("%d-%d", writer, n))})
		return 1, 0, err
	}
	entries := make([]types.PutRecordsRequestEntry, c.Batch)
	for i := range entries {
		entries[i] = types.PutRecordsRequestEntry{Data: data, PartitionKey: aws.String(fmt.Sprintf("%d-%d-%d", writer, n, i))}
	}
	out, err := api.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: aws.String(c.Stream), Records: entries})
	if err != nil {
		return 0, 0, err
	}
	refused = int(aws.ToInt32(out.FailedRecordCount))
	return len(entries) - refused, refused, nil
}

// get reads every open shard, each by one reader: all of a stream that the bench created, else from a little before it began.
func (c *benchCommand) get(ctx context.Context, api *kinesis.Client, from time.Time, created bool) (benchPhase, error) {
	shards, err := api.ListShards(ctx, &kinesis.ListShardsInput{StreamName: aws.String(c.Stream)})
	if err != nil {
		return benchPhase{}, err
	}
	phase := each(len(shards.Shards), func(i int, m *measured) {
		in := &kinesis.GetShardIteratorInput{StreamName: aws.String(c.Stream), ShardId: shards.Shards[i].ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
		if !created {
			in.ShardIteratorType, in.Timestamp = types.ShardIteratorTypeAtTimestamp, aws.Time(from)
		}
		iterator, err := api.GetShardIterator(ctx, in)
		if err != nil {
			m.failed(err)
			return
		}
		for next := iterator.ShardIterator; next != nil && ctx.Err() == nil; {
			begun := time.Now()
			out, err := api.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: next, Limit: aws.Int32(10000)})
			if err != nil {
				m.failed(err)
				if !client.Retriable(err) || client.Sleep(ctx, 200*time.Millisecond) != nil {
					return
				}
				continue
			}
			m.latencies = append(m.latencies, time.Since(begun))
			m.phase.Requests++
			for _, r := range out.Records {
				m.phase.Records++
				m.phase.Bytes += int64(len(r.Data))
			}
			next = out.NextShardIterator
			if len(out.Records) == 0 && aws.ToInt64(out.MillisBehindLatest) == 0 {
				return
			}
		}
	})
	return phase, ctx.Err()
}

func (p benchPhase) print(t *terminal, what string) {
	fmt.Fprintf(t.out, "%s  %s records/s  %.1f MB/s  %s records in %.1f s  latency of %s requests: p50 %.1f ms, p99 %.1f ms, max %.1f ms\n", t.paint(bold, what),
		countText(int64(p.Rate)), p.MB, countText(int64(p.Records)), p.Seconds, countText(int64(p.Requests)), p.P50, p.P99, p.Max)
	for code, n := range p.Errors {
		fmt.Fprintf(t.out, "     %s %s\n", countText(int64(n)), t.paint(red, code))
	}
}
