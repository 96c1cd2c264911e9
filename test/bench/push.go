package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/internal/wire/eventstream"
)

const (
	pushRate      = 500 // records a second of the latency table
	fanConsumers  = 20  // what a stream may have (API_RegisterStreamConsumer)
	fanBatch      = 100 // records of a PutRecords, so that 2 MiB a second are 20 or so
	fanPerSecond  = 2 << 20
	patientForAll = 10 * time.Second // how long after the last put a subscriber may take to have everything
)

// push measures how long after a put has begun its record has been pushed to a subscriber, and whether twenty consumers of one shard keep up with 2 MiB a second each.
//
// The time is from before the request is written to behind the decoding of the frame in which the record came, on one clock: request, sync, push. Durability is sync, so that it
// holds one fdatasync, which the floor of the same minute has too.
func (b *bench) push(ctx context.Context) error {
	b.printf("| push through SubscribeToShard, 1 KiB records, durability sync, 1 shard, h2c | put to push p50 / p99 | put alone p50 / p99 | floor's put p50 / p99 | Weir: CPU s per s | pushed of put |\n|---|--:|--:|--:|--:|--:|\n")
	for _, row := range []struct {
		title     string
		consumers int
		body      func(i int) []byte
		records   int
		rate      float64 // puts a second
	}{
		{fmt.Sprintf("PutRecord, %d/s, 1 consumer", pushRate), 1, pushBody, 1, pushRate},
		{fmt.Sprintf("PutRecords of %d, 2 MiB/s, %d consumers", fanBatch, fanConsumers), fanConsumers, fanBody, fanBatch, fanPerSecond / fanBatch / (recordBytes + 10)},
	} {
		var p50s, p99s, puts50, puts99, floors50, floors99, cpus []float64
		var pushed, put int
		for round := range b.rounds {
			r, err := b.measurePush(ctx, fmt.Sprintf("push-%d-%d", row.consumers, round), row.consumers, row.records, row.rate, row.body)
			if err != nil {
				return err
			}
			floor, err := b.floorPush(ctx, fmt.Sprintf("push-%d-%d-floor", row.consumers, round), row.rate, row.body)
			if err != nil {
				return err
			}
			p50s, p99s = append(p50s, at(r.pushes, 50)), append(p99s, at(r.pushes, 99))
			puts50, puts99 = append(puts50, at(r.puts, 50)), append(puts99, at(r.puts, 99))
			floors50, floors99 = append(floors50, at(floor, 50)), append(floors99, at(floor, 99))
			cpus = append(cpus, r.cpu)
			pushed, put = pushed+len(r.pushes), put+r.expected
		}
		b.printf("| %s | **%.2f / %.2f ms** | %.2f / %.2f ms | %.2f / %.2f ms | %.2f | %d of %d |\n", row.title, median(p50s), median(p99s), median(puts50), median(puts99),
			median(floors50), median(floors99), median(cpus), pushed, put)
	}
	b.printf("\n")
	return nil
}

// at is a percentile in milliseconds.
func at(durations []time.Duration, percent int) float64 {
	if len(durations) == 0 {
		return 0
	}
	slices.Sort(durations)
	return float64(durations[len(durations)*percent/100]) / float64(time.Millisecond)
}

// pushKey is the partition key that says which put a record came from.
func pushKey(i int) string { return fmt.Sprintf("p%09d", i) }

func pushBody(i int) []byte {
	return fmt.Appendf(nil, `{"StreamName":"%s","Data":"%s","PartitionKey":"%s"}`, stream, pushData, pushKey(i))
}

var pushData = base64.StdEncoding.EncodeToString(payload(1))

func fanBody(i int) []byte {
	var out strings.Builder
	out.WriteString(`{"StreamName":"` + stream + `","Records":[`)
	for j := range fanBatch {
		if j > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `{"Data":"%s","PartitionKey":"%s"}`, pushData, pushKey(i))
	}
	out.WriteString(`]}`)
	return []byte(out.String())
}

// pushResult is what one side of a round has seen.
type pushResult struct {
	pushes, puts []time.Duration // a push for each record and consumer, a put for each request
	expected     int             // pushes
	cpu          float64         // of the server, seconds per second
}

// measurePush puts at a steady rate while consumers are subscribed.
func (b *bench) measurePush(ctx context.Context, name string, consumers, records int, rate float64, body func(int) []byte) (pushResult, error) {
	var r pushResult
	p, k, err := b.serve(filepath.Join(b.dir, name))
	if err != nil {
		return r, err
	}
	defer p.kill()
	if err := createStream(p.addr, k, stream, 1); err != nil {
		return r, err
	}
	count := int(rate * b.duration.Seconds())
	r.expected = count * records * consumers
	began := make([]atomic.Int64, count) // when put i began, since start
	start := time.Now()

	subscribed, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan pushes, consumers)
	ready := make(chan error, consumers)
	for c := range consumers {
		var answer struct{ Consumer struct{ ConsumerARN string } }
		arn := "arn:aws:kinesis:us-east-1:000000000000:stream/" + stream
		if err := call(p.addr, k, "RegisterStreamConsumer", fmt.Sprintf(`{"StreamARN":%q,"ConsumerName":"c%d"}`, arn, c), &answer); err != nil {
			return r, err
		}
		go func() {
			results <- subscribe(subscribed, p.addr, k, answer.Consumer.ConsumerARN, count*records, ready, func(i int) time.Duration {
				return time.Since(start) - time.Duration(began[i].Load())
			})
		}()
	}
	for range consumers {
		if err := <-ready; err != nil {
			return r, err
		}
	}
	before, err := p.cpu()
	if err != nil {
		return r, err
	}
	r.puts, err = steady(ctx, p.addr, "/", operationOf(records), k, count, rate, body, func(i int) { began[i].Store(int64(time.Since(start))) })
	if err != nil {
		return r, err
	}
	after, err := p.cpu()
	if err != nil {
		return r, err
	}
	r.cpu = (after - before) / b.duration.Seconds()
	late := time.AfterFunc(patientForAll, cancel)
	defer late.Stop()
	for range consumers {
		one := <-results
		if one.err != nil && subscribed.Err() == nil {
			return r, one.err
		}
		r.pushes = append(r.pushes, one.after...)
	}
	return r, nil
}

// floorPush is the puts alone, to the floor.
func (b *bench) floorPush(ctx context.Context, name string, rate float64, body func(int) []byte) ([]time.Duration, error) {
	p, err := b.floor(filepath.Join(b.dir, name))
	if err != nil {
		return nil, err
	}
	defer p.kill()
	return steady(ctx, p.addr, "/put", "PutRecord", key{"AKIDEXAMPLE", "secret"}, int(rate*b.duration.Seconds()), rate, body, func(int) {})
}

func operationOf(records int) string {
	if records == 1 {
		return "PutRecord"
	}
	return "PutRecords"
}

// steadyWriters is how many connections a steady load has, so that a put that takes long delays no other.
const steadyWriters = 8

// steady makes count requests, one every 1/rate seconds, and gives how long each took. Requests are signed before.
func steady(ctx context.Context, addr, path, operation string, k key, count int, rate float64, body func(int) []byte, begins func(i int)) ([]time.Duration, error) {
	requests := make([][]byte, count)
	for i := range requests {
		var err error
		if requests[i], err = signed(addr, path, operation, body(i), k); err != nil {
			return nil, err
		}
	}
	took := make([]time.Duration, count)
	next := make(chan int)
	errs := make(chan error, steadyWriters)
	for range steadyWriters {
		go func() {
			c, err := dial(addr)
			if err != nil {
				errs <- err
				return
			}
			defer c.Close()
			for i := range next {
				begins(i)
				began := time.Now()
				answer, err := c.do(requests[i])
				if err == nil {
					err = putAnswer(answer)
				}
				if err != nil {
					errs <- err
					return
				}
				took[i] = time.Since(began)
			}
			errs <- nil
		}()
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	var err error
	for i := 0; i < count && err == nil; i++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			err = ctx.Err()
			continue
		}
		select {
		case next <- i:
		case err = <-errs:
		}
	}
	close(next)
	for range steadyWriters {
		if err != nil {
			break
		}
		err = <-errs
	}
	return took, err
}

// pushes is what one subscriber was pushed.
type pushes struct {
	after []time.Duration
	err   error
}

// subscribe takes records until it has all, and notes for each how long ago its put began. ready is told when the subscription has begun.
func subscribe(ctx context.Context, addr string, k key, consumer string, all int, ready chan<- error, since func(put int) time.Duration) (out pushes) {
	out.after = make([]time.Duration, 0, all)
	over := &http.Transport{Protocols: new(http.Protocols)}
	over.Protocols.SetUnencryptedHTTP2(true)
	defer over.CloseIdleConnections()
	raw, err := signed(addr, "/", "SubscribeToShard", fmt.Appendf(nil, `{"ConsumerARN":%q,"ShardId":"shardId-000000000000","StartingPosition":{"Type":"LATEST"}}`, consumer), k)
	if err == nil {
		out.err = once(&sync.Once{}, ready, func(begun func()) error { return take(ctx, over, addr, raw, all, &out.after, begun, since) })
		return out
	}
	ready <- err
	out.err = err
	return out
}

// once tells ready exactly once, whether do begins or fails.
func once(o *sync.Once, ready chan<- error, do func(begun func()) error) error {
	err := do(func() { o.Do(func() { ready <- nil }) })
	o.Do(func() { ready <- err })
	return err
}

// take sends a signed request over a transport and reads the event stream that answers it.
func take(ctx context.Context, over *http.Transport, addr string, raw []byte, all int, after *[]time.Duration, begun func(), since func(put int) time.Duration) error {
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		return err
	}
	request.RequestURI, request.URL.Scheme, request.URL.Host = "", "http", addr
	answer, err := over.RoundTrip(request.WithContext(ctx))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		return fmt.Errorf("SubscribeToShard: %s: %s", answer.Status, text)
	}
	frames := eventstream.NewReader(answer.Body)
	for len(*after) < all {
		frame, err := frames.Next()
		if err != nil {
			return err
		}
		if frame.Headers.Text(":message-type") == "exception" {
			return fmt.Errorf("%s: %s", frame.Headers.Text(":exception-type"), frame.Payload)
		}
		begun()
		const mark = `"PartitionKey":"p`
		for rest := frame.Payload; ; {
			_, found, ok := bytes.Cut(rest, []byte(mark))
			if !ok {
				break
			}
			put, err := strconv.Atoi(string(found[:9]))
			if err != nil {
				return err
			}
			*after = append(*after, since(put))
			rest = found
		}
	}
	return nil
}
