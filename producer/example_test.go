package producer_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/producer"
)

// serveExample is a Weir in this process, and a client of it. Elsewhere it is `weir dev`, `weir serve` or AWS, and the client is any *kinesis.Client.
func serveExample() (api producer.API, stop func()) {
	dir, err := os.MkdirTemp("", "weir-example-")
	if err != nil {
		panic(err)
	}
	n, err := node.Start(context.Background(), node.Config{DataDir: dir, Dev: true, Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	c, err := client.NewKinesis(client.Options{Endpoint: "http://" + n.Addr(), Getenv: func(string) string { return "" }})
	if err != nil {
		panic(err)
	}
	if _, err := client.EnsureStream(context.Background(), c, "orders", 1); err != nil {
		panic(err)
	}
	return c, func() {
		if err := errors.Join(n.Stop(context.Background()), os.RemoveAll(dir)); err != nil {
			panic(err)
		}
	}
}

// Records are put one by one and go together: two orders of a customer lie in one record of the stream.
func Example() {
	api, stop := serveExample()
	defer stop()
	ctx := context.Background()

	p, err := producer.New(producer.Options{API: api, RecordMaxBufferedTime: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	var orders []*producer.Future
	for _, order := range []string{"two planks", "a saw"} {
		f, err := p.Put(ctx, producer.UserRecord{Stream: "orders", PartitionKey: "customer-7", Data: []byte(order)})
		if err != nil {
			log.Fatal(err)
		}
		orders = append(orders, f)
	}
	if err := p.Flush(ctx); err != nil { // or they would wait for more, for ten seconds
		log.Fatal(err)
	}
	for _, f := range orders {
		result, err := f.Wait(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(result.ShardID, result.SubSequenceNumber, len(result.Attempts))
	}
	if err := p.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// shardId-000000000000 0 1
	// shardId-000000000000 1 1
}

// Ordered keeps the order of each key, over retries and reshards; Done is called in that order.
func Example_ordered() {
	api, stop := serveExample()
	defer stop()

	p, err := producer.New(producer.Options{API: api, Ordered: true})
	if err != nil {
		log.Fatal(err)
	}
	for i := range 3 {
		record := producer.UserRecord{Stream: "orders", PartitionKey: "customer-7", Data: fmt.Appendf(nil, "step %d", i), Done: func(f *producer.Future) {
			if f.Err() != nil {
				log.Fatal(f.Err())
			}
			fmt.Println("done:", i)
		}}
		if _, err := p.Put(context.Background(), record); err != nil {
			log.Fatal(err)
		}
	}
	if err := p.Close(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// done: 0
	// done: 1
	// done: 2
}

// A record that cannot be sent ends as a *Failure, with everything that was tried.
func ExampleFailure() {
	api, stop := serveExample()
	defer stop()

	p, err := producer.New(producer.Options{API: api})
	if err != nil {
		log.Fatal(err)
	}
	f, err := p.Put(context.Background(), producer.UserRecord{Stream: "no-such-stream", PartitionKey: "k", Data: []byte("x")})
	if err != nil {
		log.Fatal(err)
	}
	_, err = f.Wait(context.Background())
	var failure *producer.Failure
	if errors.As(err, &failure) {
		fmt.Println(failure.Code, len(failure.Attempts), failure.Unknown)
	}
	if err := p.Close(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: ResourceNotFoundException 1 false
}
