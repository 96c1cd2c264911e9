package producer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/client/report"
	"github.com/weir-stream/weir/internal/clock"
)

// API is the part of the SDK's client that is used; a *kinesis.Client is one. Connections, certificates, endpoint, region and credentials are its own.
// Calls ask it to leave retries
// to the Producer. It must not keep the Data of records beyond a call.
type API interface {
	PutRecords(context.Context, *kinesis.PutRecordsInput, ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
	ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error)
}

// The values of MetricsLevel and MetricsGranularity.
const (
	MetricsNone     = "none"
	MetricsSummary  = "summary"
	MetricsDetailed = "detailed"

	MetricsGlobal = "global"
	MetricsStream = "stream"
	MetricsShard  = "shard"
)

// Options have the names, defaults and ranges of the KPL's configuration (KinesisProducerConfiguration, 1.0), as far as they are not about connections: those
// belong to the API. Zero is the default of each; times are Durations here and milliseconds there. At the end stand those that the KPL does not have.
type Options struct {
	// API is where records go. Required.
	API API

	// AggregationEnabled packs many records into one of the stream. nil is true; aws.Bool(false) sends each as it is.
	AggregationEnabled *bool
	// AggregationMaxCount is how many records one of the stream may hold. Default 4,294,967,295.
	AggregationMaxCount int64
	// AggregationMaxSize is how large one of the stream may grow, in bytes of data. Default 51,200, from 64 to 10,485,760. A larger record goes alone.
	AggregationMaxSize int64
	// CollectionMaxCount is how many records of the stream go into a PutRecords. Default and at most 500.
	CollectionMaxCount int64
	// CollectionMaxSize is how many bytes go into a PutRecords, keys included. Default 5 MiB, at least 52,224. One record always goes, however large.
	CollectionMaxSize int64
	// FailIfThrottled ends a record that was refused for going too fast, in place of trying again.
	FailIfThrottled bool
	// MaxConnections is how many PutRecords may be on their way at once. Default 24, from 1 to 256. The KPL, too, has as many requests as connections.
	MaxConnections int64
	// MaxUserRecordSize is how large a record may be, data and partition key together, in bytes. Default 1 MiB, from 64 to 10 MiB: a stream takes more than
	// 1 MiB only where its own settings say so.
	MaxUserRecordSize int64
	// RateLimit is how much goes to a shard, in percent of what AWS lets in: 1000 records and 1 MiB a second. Default 150, so that several producers can
	// use a shard up together. At least 1.
	RateLimit int64
	// RecordMaxBufferedTime is how long a record waits for company before it is sent, or tried again after half of it. Default 100 ms. A limit that is
	// reached, or a server that does not answer, makes it longer. One nanosecond is "at once", which the KPL calls 0.
	RecordMaxBufferedTime time.Duration
	// RecordTtl is how long a record is tried before it ends as Expired. Default 30 s, at least 100 ms, and not less than RecordMaxBufferedTime.
	RecordTtl time.Duration //nolint:revive // the KPL's spelling
	// RequestTimeout ends one request. Default 6 s, from 100 ms to 10 minutes.
	RequestTimeout time.Duration

	// MetricsLevel is what is reported to CloudWatch: MetricsNone, MetricsSummary or MetricsDetailed. Default detailed when there is a CloudWatch, else none.
	MetricsLevel string
	// MetricsGranularity is for what: MetricsGlobal for everything together, MetricsStream for each stream as well, MetricsShard for each shard as well. The default
	// is MetricsShard.
	MetricsGranularity string
	// MetricsNamespace is where CloudWatch lists the metrics. Default KinesisProducerLibrary.
	MetricsNamespace string
	// MetricsUploadDelay is how often they are sent. Default and at most one minute, at least 1 ms.
	MetricsUploadDelay time.Duration
	// CloudWatch takes the metrics; a *cloudwatch.Client is one. nil reports nothing.
	CloudWatch report.API

	// Ordered keeps the order of each partition key, at the price of one record of the stream at a time in flight for each shard. See the package's
	// comment for what is promised.
	Ordered bool
	// OutstandingRecordsMax is how many records may be put and not yet done. Put waits when it is reached, TryPut refuses. Default 50,000, at most 16,000,000.
	OutstandingRecordsMax int64
	// OutstandingBytesMax is the same for their data and keys. Default 128 MiB, at most 1 TiB. One record is always let in.
	OutstandingBytesMax int64
	// Notice is told what is nobody's record: a shard map that could not be learnt, metrics that were not taken. It must not block. May be nil.
	Notice func(error)
	// Clock is the time by which records wait and expire. Default the system's; tests pass their own.
	Clock clock.Clock
}

// The defaults of the KPL 1.0, and ours.
const (
	defaultAggregationMaxCount   = math.MaxUint32
	defaultAggregationMaxSize    = 51_200
	defaultCollectionMaxCount    = 500
	defaultCollectionMaxSize     = 5 << 20
	defaultMaxConnections        = 24
	defaultMaxUserRecordSize     = 1 << 20
	defaultRateLimit             = 150
	defaultRecordMaxBufferedTime = 100 * time.Millisecond
	defaultRecordTTL             = 30 * time.Second
	defaultRequestTimeout        = 6 * time.Second
	defaultMetricsNamespace      = "KinesisProducerLibrary"
	defaultMetricsUploadDelay    = time.Minute
	defaultOutstandingRecords    = 50_000
	defaultOutstandingBytes      = 128 << 20
)

// withDefaults fills in what is zero, and says all that is wrong at once, each by the option's name.
func (o Options) withDefaults() (Options, error) {
	var wrong []error
	refuse := func(name, format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("%s: %s", name, fmt.Sprintf(format, args...)))
	}
	number := func(name string, value *int64, standard, least, most int64) {
		if *value == 0 {
			*value = standard
		}
		if *value < least || *value > most {
			refuse(name, "%d is not from %d to %d", *value, least, most)
		}
	}
	duration := func(name string, value *time.Duration, standard, least, most time.Duration) {
		if *value == 0 {
			*value = standard
		}
		if *value < least || *value > most {
			refuse(name, "%s is not from %s to %s", *value, least, most)
		}
	}
	if o.API == nil {
		refuse("API", "there is none")
	}
	if o.AggregationEnabled == nil {
		o.AggregationEnabled = aws.Bool(true)
	}
	number("AggregationMaxCount", &o.AggregationMaxCount, defaultAggregationMaxCount, 1, math.MaxInt64)
	number("AggregationMaxSize", &o.AggregationMaxSize, defaultAggregationMaxSize, 64, 10<<20)
	number("CollectionMaxCount", &o.CollectionMaxCount, defaultCollectionMaxCount, 1, 500)
	number("CollectionMaxSize", &o.CollectionMaxSize, defaultCollectionMaxSize, 52_224, math.MaxInt64)
	number("MaxConnections", &o.MaxConnections, defaultMaxConnections, 1, 256)
	number("MaxUserRecordSize", &o.MaxUserRecordSize, defaultMaxUserRecordSize, 64, 10<<20)
	number("RateLimit", &o.RateLimit, defaultRateLimit, 1, math.MaxInt64)
	number("OutstandingRecordsMax", &o.OutstandingRecordsMax, defaultOutstandingRecords, 1, 16_000_000)
	number("OutstandingBytesMax", &o.OutstandingBytesMax, defaultOutstandingBytes, 1, 1<<40-1)
	const forever = math.MaxInt64
	duration("RecordMaxBufferedTime", &o.RecordMaxBufferedTime, defaultRecordMaxBufferedTime, 1, forever)
	duration("RecordTtl", &o.RecordTtl, defaultRecordTTL, 100*time.Millisecond, forever)
	duration("RequestTimeout", &o.RequestTimeout, defaultRequestTimeout, 100*time.Millisecond, 10*time.Minute)
	duration("MetricsUploadDelay", &o.MetricsUploadDelay, defaultMetricsUploadDelay, time.Millisecond, time.Minute)
	if o.RecordTtl < o.RecordMaxBufferedTime {
		refuse("RecordTtl", "%s is less than RecordMaxBufferedTime, %s", o.RecordTtl, o.RecordMaxBufferedTime)
	}

	switch o.MetricsLevel {
	case "":
		o.MetricsLevel = MetricsNone
		if o.CloudWatch != nil {
			o.MetricsLevel = MetricsDetailed
		}
	case MetricsNone:
	case MetricsSummary, MetricsDetailed:
		if o.CloudWatch == nil {
			refuse("MetricsLevel", "%s needs a CloudWatch", o.MetricsLevel)
		}
	default:
		refuse("MetricsLevel", "%q is not %s, %s or %s", o.MetricsLevel, MetricsNone, MetricsSummary, MetricsDetailed)
	}
	switch o.MetricsGranularity {
	case "":
		o.MetricsGranularity = MetricsShard
	case MetricsGlobal, MetricsStream, MetricsShard:
	default:
		refuse("MetricsGranularity", "%q is not %s, %s or %s", o.MetricsGranularity, MetricsGlobal, MetricsStream, MetricsShard)
	}
	if o.MetricsNamespace == "" {
		o.MetricsNamespace = defaultMetricsNamespace
	}
	if o.Clock == nil {
		o.Clock = clock.Real
	}
	return o, errors.Join(wrong...)
}

// collectWait is how long a record of the stream that is ready waits for others of the same request. The KPL takes a fifth of the buffered time for it,
// and at most 50 ms.
func (o Options) collectWait() time.Duration {
	return min(50*time.Millisecond, o.RecordMaxBufferedTime/5)
}
