package consumer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cloudwatch "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/internal/clock"
)

// KinesisAPI is what a worker needs of Kinesis. A *kinesis.Client has it. The last three are for fan-out only.
type KinesisAPI interface {
	ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error)
	DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error)
	GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error)
	GetRecords(context.Context, *kinesis.GetRecordsInput, ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error)
	RegisterStreamConsumer(context.Context, *kinesis.RegisterStreamConsumerInput, ...func(*kinesis.Options)) (*kinesis.RegisterStreamConsumerOutput, error)
	DescribeStreamConsumer(context.Context, *kinesis.DescribeStreamConsumerInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamConsumerOutput, error)
	SubscribeToShard(context.Context, *kinesis.SubscribeToShardInput, ...func(*kinesis.Options)) (*kinesis.SubscribeToShardOutput, error)
}

// DynamoDBAPI is what a worker needs of DynamoDB. A *dynamodb.Client has it.
type DynamoDBAPI interface {
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	CreateTable(context.Context, *dynamodb.CreateTableInput, ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error)
	UpdateTable(context.Context, *dynamodb.UpdateTableInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateTableOutput, error)
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
}

// Metrics takes what a worker measures. A *report.Reporter of client/report is one. Add must not block.
type Metrics interface {
	Add(name string, value float64, unit cloudwatch.StandardUnit, dims ...cloudwatch.Dimension)
}

// Options say what to read, as which application, and how. Application, Stream, Factory, Kinesis and DynamoDB are needed; every other field has a default, which
// is the KCL's where it has one. Workers of one application should agree on Failover, GracefulHandoff and the initial position.
type Options struct {
	// Application names the application: its lease table, and in fan-out its consumer, have this name.
	Application string
	// Stream is the stream's name, or its ARN.
	Stream string
	// Worker is this worker's name in the lease table, unique in the application. Default: the host's name and a random part.
	Worker string
	// Factory makes processors.
	Factory Factory
	// Kinesis, DynamoDB are the clients.
	Kinesis  KinesisAPI
	DynamoDB DynamoDBAPI

	// InitialPosition is where a shard begins that has no lease when the application starts: TRIM_HORIZON (default), LATEST or AT_TIMESTAMP. Children of
	// shards that were read begin at TRIM_HORIZON always, as in the KCL.
	InitialPosition string
	// InitialTimestamp is the time for AT_TIMESTAMP.
	InitialTimestamp time.Time

	// FanOut reads with SubscribeToShard through a registered consumer, instead of GetRecords.
	FanOut bool
	// ConsumerName is the consumer's name in fan-out. Default Application.
	ConsumerName string
	// ConsumerARN names a consumer that is registered already, and nothing is registered then.
	ConsumerARN string

	// MaxRecords is how many records one GetRecords asks for, at most 10000. Default 10000.
	MaxRecords int
	// IdleBetweenReads is how long polling waits between two GetRecords of a shard. Default 1500 ms (idleTimeBetweenReadsInMillis).
	IdleBetweenReads time.Duration
	// CallOnEmpty calls ProcessRecords for reads without records, too (callProcessRecordsEvenForEmptyRecordList). Default false.
	CallOnEmpty bool
	// TaskBackoff is how long the first wait after an error of a processor or of Kinesis is. Default 500 ms (taskBackoffTimeMillis).
	TaskBackoff time.Duration
	// TaskBackoffMax is how long such a wait grows. Default 30 s.
	TaskBackoffMax time.Duration
	// ParentPoll is how often a shard whose parents are not finished looks again. Default 10 s (parentShardPollIntervalMillis).
	ParentPoll time.Duration

	// Failover is for how long a lease is its worker's without a heartbeat. Default 10 s (failoverTimeMillis). Heartbeats come three times as often.
	Failover time.Duration
	// AssignEvery is how often the leader gives leases to workers. Default twice Failover.
	AssignEvery time.Duration
	// ShardSync is how often the leader looks whether leases are missing. Default 2 minutes (leasesRecoveryAuditorExecutionFrequencyMillis).
	ShardSync time.Duration
	// LeaseCleanup is how often finished leases are looked for. Default 60 s (leaseCleanupIntervalMillis).
	LeaseCleanup time.Duration
	// MaxLeases is how many leases this worker gives a worker when it leads. Default without limit (maxLeasesForWorker).
	MaxLeases int
	// RenewThreads is how many leases are renewed at the same time. Default 20 (maxLeaseRenewalThreads).
	RenewThreads int
	// NoGracefulHandoff moves leases at once, without asking their owner to finish. Default false (isGracefulLeaseHandoffEnabled).
	NoGracefulHandoff bool
	// GracefulHandoff is how long a processor may take to finish before its lease is taken. Default 30 s (gracefulLeaseHandoffTimeoutMillis).
	GracefulHandoff time.Duration
	// WorkerMetricsEvery is how often the worker says that it is there. Default 30 s (workerMetricsReporterFreqInMillis). A leader that has not heard of a worker for
	// twice as long gives it no leases.
	WorkerMetricsEvery time.Duration
	// WorkerMetricsStale is after how long without news the leader deletes a worker's item. Default one day (staleWorkerMetricsEntryCleanupDuration).
	WorkerMetricsStale time.Duration
	// LeaderLease and LeaderHeartbeat are the leader's lock: how long it lives without a heartbeat, and how often one comes. Default 120 s and 30 s.
	LeaderLease, LeaderHeartbeat time.Duration
	// ProvisionedCapacity makes the lease table with so many read and write units. Default 0: on demand.
	ProvisionedCapacity int64
	// IndexPatience is how long the worker waits for the index LeaseOwnerToLeaseKeyIndex to become active. Default one hour (as KCL 3.5.1).
	IndexPatience time.Duration

	// Metrics takes the worker's metrics. Default: none.
	Metrics Metrics
	// Notice is told of what goes wrong and is tried again. It must be quick, and safe for several goroutines. Default: nobody is told.
	Notice func(error)
	// Events is told what the worker does. It must be quick, and safe for several goroutines. Default: nobody is told.
	Events func(Event)
	// Clock tells the time and wakes the worker. Default the system's.
	Clock clock.Clock
}

// Event is one thing that a worker did: for a log, and for tests.
type Event struct {
	// Kind is one of the Event… constants.
	Kind string
	// Shard is the shard's id, if it is about one.
	Shard string
	// Detail is for people.
	Detail string
}

// Kinds of events.
const (
	EventLeaseTaken      = "lease taken"      // the worker found that a lease is its own
	EventLeaseLost       = "lease lost"       // the lease is another's, or expired
	EventLeaseReleased   = "lease released"   // given up by itself: handoff or shutdown
	EventShardEnded      = "shard ended"      // SHARD_END is written
	EventLeaderElected   = "leader elected"   // this worker leads
	EventLeaderGone      = "leader gone"      // this worker no longer leads
	EventAssigned        = "assigned"         // as the leader: a lease was given to a worker
	EventHandoff         = "handoff"          // as the leader: a worker was asked to hand a lease over
	EventLeaseCreated    = "lease created"    // for a shard without one
	EventLeaseDeleted    = "lease deleted"    // of a finished shard
	EventAggregateDenied = "aggregate denied" // dropped: a part of the aggregate does not belong to the shard
)

// withDefaults fills what is empty, and says all that is wrong at once.
func (o Options) withDefaults() (Options, error) {
	var wrong []error
	need := func(ok bool, name string) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("option %s is needed", name))
		}
	}
	need(o.Application != "", "Application")
	need(o.Stream != "", "Stream")
	need(o.Factory != nil, "Factory")
	need(o.Kinesis != nil, "Kinesis")
	need(o.DynamoDB != nil, "DynamoDB")
	for _, d := range []struct {
		name      string
		value     *time.Duration
		otherwise time.Duration
	}{
		{"IdleBetweenReads", &o.IdleBetweenReads, 1500 * time.Millisecond},
		{"TaskBackoff", &o.TaskBackoff, 500 * time.Millisecond},
		{"TaskBackoffMax", &o.TaskBackoffMax, 30 * time.Second},
		{"ParentPoll", &o.ParentPoll, 10 * time.Second},
		{"Failover", &o.Failover, 10 * time.Second},
		{"ShardSync", &o.ShardSync, 2 * time.Minute},
		{"LeaseCleanup", &o.LeaseCleanup, time.Minute},
		{"GracefulHandoff", &o.GracefulHandoff, 30 * time.Second},
		{"WorkerMetricsEvery", &o.WorkerMetricsEvery, 30 * time.Second},
		{"WorkerMetricsStale", &o.WorkerMetricsStale, 24 * time.Hour},
		{"LeaderLease", &o.LeaderLease, 120 * time.Second},
		{"LeaderHeartbeat", &o.LeaderHeartbeat, 30 * time.Second},
		{"IndexPatience", &o.IndexPatience, time.Hour},
	} {
		if *d.value < 0 {
			wrong = append(wrong, fmt.Errorf("option %s of %s is less than nothing", d.name, *d.value))
		}
		if *d.value == 0 {
			*d.value = d.otherwise
		}
	}
	if o.AssignEvery == 0 {
		o.AssignEvery = 2 * o.Failover
	}
	if o.LeaderHeartbeat >= o.LeaderLease {
		wrong = append(wrong, fmt.Errorf("option LeaderHeartbeat of %s must come before a LeaderLease of %s is over", o.LeaderHeartbeat, o.LeaderLease))
	}
	for _, n := range []struct {
		name            string
		value           *int
		otherwise, most int
	}{{"MaxRecords", &o.MaxRecords, 10000, 10000}, {"MaxLeases", &o.MaxLeases, math.MaxInt32, math.MaxInt32}, {"RenewThreads", &o.RenewThreads, 20, 1000}} {
		if *n.value == 0 {
			*n.value = n.otherwise
		}
		if *n.value < 1 || *n.value > n.most {
			wrong = append(wrong, fmt.Errorf("option %s of %d is not between 1 and %d", n.name, *n.value, n.most))
		}
	}
	switch o.InitialPosition {
	case "":
		o.InitialPosition = TrimHorizon
	case TrimHorizon, Latest:
	case AtTimestamp:
		need(!o.InitialTimestamp.IsZero(), "InitialTimestamp, for AT_TIMESTAMP,")
	default:
		wrong = append(wrong, fmt.Errorf("option InitialPosition %q is not TRIM_HORIZON, LATEST or AT_TIMESTAMP", o.InitialPosition))
	}
	if o.Worker == "" {
		o.Worker = workerName()
	}
	if o.ConsumerName == "" {
		o.ConsumerName = o.Application
	}
	if o.Metrics == nil {
		o.Metrics = noMetrics{}
	}
	if o.Notice == nil {
		o.Notice = func(error) {}
	}
	if o.Events == nil {
		o.Events = func(Event) {}
	}
	if o.Clock == nil {
		o.Clock = clock.Real
	}
	return o, errors.Join(wrong...)
}

type noMetrics struct{}

func (noMetrics) Add(string, float64, cloudwatch.StandardUnit, ...cloudwatch.Dimension) {}

// streamName is the stream's name: the last part of an ARN.
func (o *Options) streamName() *string {
	if isARN(o.Stream) {
		return nil
	}
	return aws.String(o.Stream)
}

func (o *Options) streamARN() *string {
	if isARN(o.Stream) {
		return aws.String(o.Stream)
	}
	return nil
}
