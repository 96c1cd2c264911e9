package consumer

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// How long a request may take: a client of the SDK waits for ever for a server that has stopped to answer.
const (
	dynamoTimeout  = time.Minute      // requestTimeout of the KCL
	kinesisTimeout = 30 * time.Second // kinesisRequestTimeout of the KCL, for one GetRecords
	eventTimeout   = 35 * time.Second // between two events of a subscription, of which an idle one has one every five seconds (ShardConsumerSubscriber of the KCL)
)

// within calls with a deadline. O is the service's options.
func within[I, R, O any](ctx context.Context, limit time.Duration, call func(context.Context, I, ...func(*O)) (R, error), in I, options []func(*O)) (R, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return call(ctx, in, options...)
}

// timedDynamo is DynamoDBAPI with a deadline for every request.
type timedDynamo struct{ api DynamoDBAPI }

func (t timedDynamo) DescribeTable(ctx context.Context, in *dynamodb.DescribeTableInput, o ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error) {
	return within(ctx, dynamoTimeout, t.api.DescribeTable, in, o)
}

func (t timedDynamo) CreateTable(ctx context.Context, in *dynamodb.CreateTableInput, o ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error) {
	return within(ctx, dynamoTimeout, t.api.CreateTable, in, o)
}

func (t timedDynamo) UpdateTable(ctx context.Context, in *dynamodb.UpdateTableInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateTableOutput, error) {
	return within(ctx, dynamoTimeout, t.api.UpdateTable, in, o)
}

func (t timedDynamo) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return within(ctx, dynamoTimeout, t.api.GetItem, in, o)
}

func (t timedDynamo) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return within(ctx, dynamoTimeout, t.api.PutItem, in, o)
}

func (t timedDynamo) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return within(ctx, dynamoTimeout, t.api.UpdateItem, in, o)
}

func (t timedDynamo) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return within(ctx, dynamoTimeout, t.api.DeleteItem, in, o)
}

func (t timedDynamo) Scan(ctx context.Context, in *dynamodb.ScanInput, o ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	return within(ctx, dynamoTimeout, t.api.Scan, in, o)
}

func (t timedDynamo) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return within(ctx, dynamoTimeout, t.api.Query, in, o)
}

// timedKinesis is KinesisAPI with a deadline for every request but SubscribeToShard, which sees to that itself.
type timedKinesis struct{ api KinesisAPI }

func (t timedKinesis) ListShards(ctx context.Context, in *kinesis.ListShardsInput, o ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error) {
	return within(ctx, kinesisTimeout, t.api.ListShards, in, o)
}

func (t timedKinesis) DescribeStreamSummary(ctx context.Context, in *kinesis.DescribeStreamSummaryInput, o ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error) {
	return within(ctx, kinesisTimeout, t.api.DescribeStreamSummary, in, o)
}

func (t timedKinesis) GetShardIterator(ctx context.Context, in *kinesis.GetShardIteratorInput, o ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error) {
	return within(ctx, kinesisTimeout, t.api.GetShardIterator, in, o)
}

func (t timedKinesis) GetRecords(ctx context.Context, in *kinesis.GetRecordsInput, o ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	return within(ctx, kinesisTimeout, t.api.GetRecords, in, o)
}

func (t timedKinesis) RegisterStreamConsumer(ctx context.Context, in *kinesis.RegisterStreamConsumerInput, o ...func(*kinesis.Options)) (*kinesis.RegisterStreamConsumerOutput, error) {
	return within(ctx, kinesisTimeout, t.api.RegisterStreamConsumer, in, o)
}

func (t timedKinesis) DescribeStreamConsumer(ctx context.Context, in *kinesis.DescribeStreamConsumerInput, o ...func(*kinesis.Options)) (*kinesis.DescribeStreamConsumerOutput, error) {
	return within(ctx, kinesisTimeout, t.api.DescribeStreamConsumer, in, o)
}

func (t timedKinesis) SubscribeToShard(ctx context.Context, in *kinesis.SubscribeToShardInput, o ...func(*kinesis.Options)) (*kinesis.SubscribeToShardOutput, error) {
	return t.api.SubscribeToShard(ctx, in, o...)
}
