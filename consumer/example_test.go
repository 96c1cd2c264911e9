package consumer_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/consumer"
)

// greeter tells the records of a shard.
type greeter struct {
	tell func(format string, args ...any)
	done func() // called for every record
}

// Initialize has nothing to prepare. start says where the shard begins.
func (g *greeter) Initialize(_ context.Context, start consumer.Start) error {
	g.tell("%s from %s\n", start.Shard, start.From)
	return nil
}

// ProcessRecords does the work and then says that it is done.
func (g *greeter) ProcessRecords(ctx context.Context, batch consumer.Batch) error {
	for _, record := range batch.Records {
		g.tell("%s: %s\n", record.PartitionKey, record.Data)
		g.done()
	}
	return batch.Checkpoint.Checkpoint(ctx)
}

// LeaseLost has nothing to give back.
func (g *greeter) LeaseLost(context.Context) {}

// ShardEnded must checkpoint, or the children of the shard are not processed.
func (g *greeter) ShardEnded(ctx context.Context, c consumer.Checkpointer) error {
	return c.Checkpoint(ctx)
}

// ShutdownRequested is the moment to finish what is under way.
func (g *greeter) ShutdownRequested(ctx context.Context, c consumer.Checkpointer) error {
	return c.Checkpoint(ctx)
}

// A worker reads a stream of one shard, and ends in order. Any number of workers, in Go or Java, may share the application.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	endpoint := aws.String("http://" + shared.Addr()) // without one, the clients speak to AWS
	streams := kinesis.New(kinesis.Options{Region: "us-east-1", BaseEndpoint: endpoint, Credentials: anybody})
	tables := dynamodb.New(dynamodb.Options{Region: "us-east-1", BaseEndpoint: endpoint, Credentials: anybody})
	if err := putGreetings(ctx, streams); err != nil {
		fmt.Println(err)
		return
	}
	tell := func(format string, args ...any) { fmt.Printf(format, args...) }

	var three sync.WaitGroup
	three.Add(3)
	worker, err := consumer.New(consumer.Options{
		Application: "greetings-reader", // the lease table's name, too
		Stream:      "greetings",
		Kinesis:     streams,
		DynamoDB:    tables,
		Factory:     func(string) (consumer.Processor, error) { return &greeter{tell: tell, done: three.Done}, nil },
		Notice:      func(err error) { fmt.Println("trouble:", err) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		three.Wait()
		if err := worker.Shutdown(ctx); err != nil {
			fmt.Println(err)
		}
	}()
	if err := worker.Run(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// shardId-000000000000 from TRIM_HORIZON
	// en: hello
	// fr: salut
	// de: hallo
}

// anybody is who `weir dev` lets in.
var anybody = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "300000000000", SecretAccessKey: "any"}, nil
})

// putGreetings makes the stream and puts three records.
func putGreetings(ctx context.Context, streams *kinesis.Client) error {
	stream := aws.String("greetings")
	if _, err := streams.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: stream, ShardCount: aws.Int32(1)}); err != nil {
		return err
	}
	soon := func(o *kinesis.StreamExistsWaiterOptions) { o.MinDelay = 20 * time.Millisecond }
	if err := kinesis.NewStreamExistsWaiter(streams, soon).Wait(ctx, &kinesis.DescribeStreamInput{StreamName: stream}, time.Minute); err != nil {
		return err
	}
	for _, greeting := range [][2]string{{"en", "hello"}, {"fr", "salut"}, {"de", "hallo"}} {
		if _, err := streams.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: stream, PartitionKey: &greeting[0], Data: []byte(greeting[1])}); err != nil {
			return err
		}
	}
	return nil
}
