package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/producer"
)

// Sketch, per event of 100 bytes. PutRecord: a request, signed, parsed, answered: 100 to 200 µs of both sides. PutRecords with 500: about 135 bytes of JSON out and 110 back through the SDK's
// encoder and decoder, and a record of its own in the server: 5 µs. Packed: one allocation, two MD5s, 125 bytes copied twice, base64 and SHA-256 of 125 bytes, and of the server the same, for
// about 400 events as one record: 1 µs.

const (
	eventBytes = 100
	eventKeys  = 1000
)

// producer compares the events that one CPU second brings into a stream, of client and server together: record by record, 500 a request, and by the producer library.
func (b *bench) producer(ctx context.Context) error {
	b.printf("| events of %d bytes, %d keys, 4 shards, durability sync; CPU of client and server together | events a CPU second | of PutRecords | of PutRecord | events/s | client's share of the CPU |\n|---|--:|--:|--:|--:|--:|\n", eventBytes, eventKeys)
	type side struct {
		title string
		drive func(ctx context.Context, api *kinesis.Client, keys []string) (events int64, err error)
	}
	sides := []side{
		{"PutRecord by the SDK, 32 writers", putOne},
		{"PutRecords by the SDK, 500 a request, 8 writers", putMany},
		{"`producer`, 4 writers", func(ctx context.Context, api *kinesis.Client, keys []string) (int64, error) {
			return putPacked(ctx, api, keys, false)
		}},
		{"`producer`, ordered, 4 writers", func(ctx context.Context, api *kinesis.Client, keys []string) (int64, error) {
			return putPacked(ctx, api, keys, true)
		}},
	}
	keys := make([]string, eventKeys)
	for i := range keys {
		keys[i] = fmt.Sprintf("customer-%d", i)
	}
	perCPU, rates, shares := make([][]float64, len(sides)), make([][]float64, len(sides)), make([][]float64, len(sides))
	ofMany, ofOne := make([][]float64, len(sides)), make([][]float64, len(sides))
	for round := range b.rounds {
		var figures []float64
		for i, side := range sides {
			events, cpu, clientCPU, took, err := b.measureEvents(ctx, fmt.Sprintf("producer-%d-%d", round, i), keys, side.drive)
			if err != nil {
				return fmt.Errorf("%s: %w", side.title, err)
			}
			figures = append(figures, float64(events)/cpu)
			perCPU[i], rates[i], shares[i] = append(perCPU[i], float64(events)/cpu), append(rates[i], float64(events)/took.Seconds()), append(shares[i], clientCPU/cpu)
		}
		for i := range sides { // ratios within a round, in which the machine was the same
			ofOne[i], ofMany[i] = append(ofOne[i], figures[i]/figures[0]), append(ofMany[i], figures[i]/figures[1])
		}
	}
	for i, side := range sides {
		b.printf("| %s | %.0f | **%.2f** | **%.1f** | %.0f | %.0f %% |\n", side.title, median(perCPU[i]), median(ofMany[i]), median(ofOne[i]), median(rates[i]), 100*median(shares[i]))
	}
	b.printf("\n")
	return nil
}

// measureEvents drives a fresh server and gives how many events were acknowledged, and the CPU seconds that it took, of both and of the client alone.
func (b *bench) measureEvents(ctx context.Context, name string, keys []string, drive func(context.Context, *kinesis.Client, []string) (int64, error)) (events int64, cpu, clientCPU float64, took time.Duration, err error) {
	p, k, err := b.serve(filepath.Join(b.dir, name))
	if err != nil {
		return 0, 0, 0, 0, err
	}
	defer p.kill()
	if err := createStream(p.addr, k, stream, 4); err != nil {
		return 0, 0, 0, 0, err
	}
	api, err := client.NewKinesis(client.Options{Endpoint: "http://" + p.addr, AccessKey: k.id, SecretKey: k.secret, MaxAttempts: 1, Getenv: func(string) string { return "" }})
	if err != nil {
		return 0, 0, 0, 0, err
	}
	run := func(d time.Duration) (int64, error) {
		limited, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		return drive(limited, api, keys)
	}
	if _, err := run(b.duration / 5); err != nil { // warm
		return 0, 0, 0, 0, err
	}
	server, err := p.cpu()
	if err != nil {
		return 0, 0, 0, 0, err
	}
	own, err := cpuOf(os.Getpid())
	if err != nil {
		return 0, 0, 0, 0, err
	}
	began := time.Now()
	if events, err = run(b.duration); err != nil {
		return 0, 0, 0, 0, err
	}
	took = time.Since(began)
	ownAfter, err1 := cpuOf(os.Getpid())
	serverAfter, err2 := p.cpu()
	return events, serverAfter - server + ownAfter - own, ownAfter - own, took, errors.Join(err1, err2)
}

// inParallel runs write on so many goroutines, each again and again until ctx ends, and adds up what they wrote.
func inParallel(ctx context.Context, writers int, write func(worker, i int) (int64, error)) (int64, error) {
	var events atomic.Int64
	failed := make([]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil && failed[w] == nil; i++ {
				var n int64
				n, failed[w] = write(w, i)
				events.Add(n)
			}
		})
	}
	wg.Wait()
	return events.Load(), errors.Join(failed...)
}

// event is the data of all events: what is in it costs nobody more or less.
var event = payload(0)[:eventBytes]

func putOne(ctx context.Context, api *kinesis.Client, keys []string) (int64, error) {
	return inParallel(ctx, 32, func(worker, i int) (int64, error) {
		_, err := api.PutRecord(context.WithoutCancel(ctx), &kinesis.PutRecordInput{StreamName: aws.String(stream), Data: event, PartitionKey: &keys[(worker*271+i)%len(keys)]})
		return 1, err
	})
}

func putMany(ctx context.Context, api *kinesis.Client, keys []string) (int64, error) {
	return inParallel(ctx, 8, func(worker, i int) (int64, error) {
		records := make([]types.PutRecordsRequestEntry, batchSize)
		for j := range records {
			records[j] = types.PutRecordsRequestEntry{Data: event, PartitionKey: &keys[(worker*271+i*batchSize+j)%len(keys)]}
		}
		out, err := api.PutRecords(context.WithoutCancel(ctx), &kinesis.PutRecordsInput{StreamName: aws.String(stream), Records: records})
		if err == nil && aws.ToInt32(out.FailedRecordCount) > 0 {
			err = fmt.Errorf("%d records were refused", *out.FailedRecordCount)
		}
		return batchSize, err
	})
}

func putPacked(ctx context.Context, api *kinesis.Client, keys []string, ordered bool) (int64, error) {
	p, err := producer.New(producer.Options{API: api, RateLimit: 1 << 40, Ordered: ordered})
	if err != nil {
		return 0, err
	}
	var failed atomic.Int64
	note := func(f *producer.Future) {
		if f.Err() != nil {
			failed.Add(1)
		}
	}
	background := context.WithoutCancel(ctx)
	events, err := inParallel(ctx, 4, func(worker, i int) (int64, error) {
		for j := range batchSize {
			if _, err := p.Put(background, producer.UserRecord{Stream: stream, PartitionKey: keys[(worker*271+i*batchSize+j)%len(keys)], Data: event, Done: note}); err != nil {
				return int64(j), err
			}
		}
		return batchSize, nil
	})
	err = errors.Join(err, p.Close(context.WithoutCancel(ctx)))
	if n := failed.Load(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d records failed", n))
	}
	return events, err
}
