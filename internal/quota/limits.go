package quota

// The limits of Kinesis Data Streams that are counts and sizes. Those that are rates are in rates.go.
const (
	Shards            Name = "kinesis-shards"
	StreamsCreating   Name = "kinesis-streams-creating"
	StreamsOnDemand   Name = "kinesis-streams-on-demand"
	Tags              Name = "kinesis-tags"
	RetentionHoursMin Name = "kinesis-retention-hours-min"
	RetentionHoursMax Name = "kinesis-retention-hours-max"
	MaxRecordKiBMin   Name = "kinesis-max-record-kib-min"
	MaxRecordKiBMax   Name = "kinesis-max-record-kib-max"
	OnDemandShards    Name = "kinesis-on-demand-initial-shards"

	StreamShards       Name = "kinesis-stream-shards"
	ShardCountUpdates  Name = "kinesis-shard-count-updates-per-day"
	ModeChanges        Name = "kinesis-mode-changes-per-day"
	KeyChanges         Name = "kinesis-encryption-key-changes-per-day"
	Consumers          Name = "kinesis-consumers"
	ConsumersAdvantage Name = "kinesis-consumers-advantage"
	WarmMiBps          Name = "kinesis-warm-throughput-mib-per-second"

	PartitionKeyChars Name = "kinesis-partition-key-chars"
	PutRecordsRecords Name = "kinesis-put-records-records"
	PutRecordsBytes   Name = "kinesis-put-records-bytes"
	GetRecordsRecords Name = "kinesis-get-records-records"
	GetRecordsBytes   Name = "kinesis-get-records-bytes"
	ListStreamsPage   Name = "kinesis-list-streams-page"
	ListStreamsMax    Name = "kinesis-list-streams-page-max"
	ListShardsPage    Name = "kinesis-list-shards-page"
	DescribePage      Name = "kinesis-describe-stream-page"
	IteratorSeconds   Name = "kinesis-shard-iterator-seconds"
	NextTokenSeconds  Name = "kinesis-next-token-seconds"
)

// pages that several rows quote.
const (
	quotas  = "Kinesis Data Streams developer guide, Quotas and limits"
	readNow = "2026-11"
)

var limits = []Limit{
	// What an account may have. Only the first three are raised on request.
	{Shards, 20_000, "open shards of provisioned streams", PerRegion, false, quotas + " (us-east-1)", readNow},
	{StreamsCreating, 5, "streams in CREATING", PerRegion, false, "API_CreateStream", readNow},
	{StreamsOnDemand, 50, "streams in mode ON_DEMAND", PerRegion, false, quotas, readNow},
	{Tags, 50, "tags", PerStream, true, "API_AddTagsToStream", readNow},
	{RetentionHoursMin, 24, "hours", PerStream, true, "API_DecreaseStreamRetentionPeriod", readNow},
	{RetentionHoursMax, 8_760, "hours", PerStream, true, "API_IncreaseStreamRetentionPeriod", readNow},
	{MaxRecordKiBMin, 1_024, "KiB", PerStream, true, "API_UpdateMaxRecordSize", readNow},
	{MaxRecordKiBMax, 10_240, "KiB", PerStream, true, "API_UpdateMaxRecordSize", readNow},
	{OnDemandShards, 4, "shards of a new stream in mode ON_DEMAND", PerStream, true, quotas + " (4 MB/s of writing)", readNow},
	{StreamShards, 10_000, "open shards", PerStream, false, "API_UpdateShardCount", readNow},
	{ShardCountUpdates, 10, "UpdateShardCount calls in 24 hours", PerStream, false, "API_UpdateShardCount", readNow},
	{ModeChanges, 2, "changes of mode in 24 hours", PerStream, false, "API_UpdateStreamMode", readNow},
	{KeyChanges, 25, "changes of the encryption key in 24 hours", PerStream, false, "API_StartStreamEncryption", readNow},
	{Consumers, 20, "registered consumers", PerStream, false, "API_RegisterStreamConsumer", readNow},
	{ConsumersAdvantage, 50, "registered consumers, with a billing commitment", PerStream, false, "API_RegisterStreamConsumer", readNow},
	{WarmMiBps, 10_240, "MiB a second of warm throughput", PerStream, false, "API_UpdateStreamWarmThroughput (10 GiB/s)", readNow},

	// What one request or answer may hold.
	{PartitionKeyChars, 256, "Unicode characters", PerRecord, true, "API_PutRecord", readNow},
	{PutRecordsRecords, 500, "records", PerRequest, true, "API_PutRecords", readNow},
	{PutRecordsBytes, 10 << 20, "bytes of data and partition keys", PerRequest, true, "API_PutRecords", readNow},
	{GetRecordsRecords, 10_000, "records", PerRequest, true, "API_GetRecords", readNow},
	{GetRecordsBytes, 10 << 20, "bytes", PerRequest, true, "API_GetRecords", readNow},
	{ListStreamsPage, 100, "streams, when the request names no number", PerRequest, true, "API_ListStreams", readNow},
	{ListStreamsMax, 10_000, "streams", PerRequest, true, "API_ListStreams", readNow},
	{ListShardsPage, 1_000, "shards, also when the request names no number", PerRequest, true, "API_ListShards", readNow},
	{DescribePage, 100, "shards, also when the request names no number", PerRequest, true, "API_DescribeStream", readNow},
	{IteratorSeconds, 300, "seconds that a shard iterator lives", PerRequest, true, "API_GetShardIterator", readNow},
	{NextTokenSeconds, 300, "seconds that a page token lives", PerRequest, true, "API_ListShards", readNow},
}
