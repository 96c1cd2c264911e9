// Command mixed shows that workers of the Kinesis Client Library for Java and of the package consumer share one application: its lease table, its leader, its handoffs.
//
//	mixed proof CLASSPATH              # starts workers of both kinds, kills some, and holds what they say against what was put
//	mixed worker APPLICATION NAME MODE # one worker in Go; MODE is polling or fan-out
//
// A worker prints a line for what happens to it, with the time in milliseconds before the shard, as interop.kcl.Worker in Java does; records before they are
// checkpointed. It ends in order when its standard input does.
//
//	I time shard                  it begins to process the shard
//	R time shard key data number  a record, with its sequence and subsequence number
//	E time shard                  the shard has ended, and that is checkpointed
//	S time shard                  it is asked to give the shard up, and checkpoints
//	X time shard                  a checkpoint was refused: its lease was not its own any more
//	L time shard                  it has lost the lease of the shard
//
// Read proof.go, then worker.go.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

func main() {
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 2 && args[0] == "proof":
		err = prove(args[1])
	case len(args) == 4 && args[0] == "worker":
		err = work(args[1], args[2], args[3])
	default:
		err = fmt.Errorf("mixed proof CLASSPATH, or mixed worker APPLICATION NAME MODE; not %q", args)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mixed:", err)
		os.Exit(1)
	}
}

// clients are those of the SDK, aimed at the server under test. Its account is the one that the Java side uses.
type clients struct {
	kinesis    *kinesis.Client
	dynamo     *dynamodb.Client
	cloudwatch *cloudwatch.Client
}

func newClients() clients {
	endpoint := aws.String(os.Getenv("WEIR_HTTP"))
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "200000000007", SecretAccessKey: "any"}, nil
	})
	return clients{
		kinesis:    kinesis.New(kinesis.Options{Region: "us-east-1", RetryMaxAttempts: 10, BaseEndpoint: endpoint, Credentials: credentials}),
		dynamo:     dynamodb.New(dynamodb.Options{Region: "us-east-1", RetryMaxAttempts: 10, BaseEndpoint: endpoint, Credentials: credentials}),
		cloudwatch: cloudwatch.New(cloudwatch.Options{Region: "us-east-1", BaseEndpoint: endpoint, Credentials: credentials}),
	}
}
