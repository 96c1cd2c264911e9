package client_test

import (
	"context"
	"fmt"
	"log"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/client/put"
)

// A `weir dev` on this machine, with its defaults.
func Example() {
	ctx := context.Background()
	api, err := client.NewKinesis(client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.EnsureStream(ctx, api, "orders", 2); err != nil {
		log.Fatal(err)
	}
	acks, err := put.New(api, "orders", put.Options{}).Send(ctx, []put.Record{{Key: "customer-7", Data: []byte("hello")}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(acks[0].Shard, acks[0].Sequence)
}
