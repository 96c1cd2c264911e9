package quota

// The rates of Kinesis Data Streams: what a shard takes and gives, and how often an operation may be called.
const (
	ShardWriteBytes   Name = "kinesis-shard-write-bytes-per-second"
	ShardWriteRecords Name = "kinesis-shard-write-records-per-second"
	ShardReadBytes    Name = "kinesis-shard-read-bytes-per-second"
	ShardReadCalls    Name = "kinesis-shard-read-calls-per-second"
	FanOutBytes       Name = "kinesis-fan-out-bytes-per-second"
	IteratorCalls     Name = "kinesis-get-shard-iterator-calls-per-second"

	CreateStreamCalls     Name = "kinesis-create-stream-calls-per-second"
	DeleteStreamCalls     Name = "kinesis-delete-stream-calls-per-second"
	DescribeStreamCalls   Name = "kinesis-describe-stream-calls-per-second"
	DescribeSummaryCalls  Name = "kinesis-describe-stream-summary-calls-per-second"
	DescribeLimitsCalls   Name = "kinesis-describe-limits-calls-per-second"
	ListStreamsCalls      Name = "kinesis-list-streams-calls-per-second"
	ListShardsCalls       Name = "kinesis-list-shards-calls-per-second"
	TagCalls              Name = "kinesis-tag-calls-per-second"
	RetentionCalls        Name = "kinesis-retention-calls-per-second"
	SplitShardCalls       Name = "kinesis-split-shard-calls-per-second"
	MergeShardsCalls      Name = "kinesis-merge-shards-calls-per-second"
	UpdateShardCountCalls Name = "kinesis-update-shard-count-calls-per-second"
	ConsumerCalls         Name = "kinesis-consumer-calls-per-second"
	DescribeConsumerCalls Name = "kinesis-describe-stream-consumer-calls-per-second"
	MonitoringCalls       Name = "kinesis-enhanced-monitoring-calls-per-second"
	PolicyCalls           Name = "kinesis-resource-policy-calls-per-second"
	AccountSettingsCalls  Name = "kinesis-account-settings-calls-per-second"
	WarmThroughputCalls   Name = "kinesis-warm-throughput-calls-per-second"
	OtherCalls            Name = "kinesis-other-calls-per-second"
)

var rates = []Limit{
	// How fast a shard takes and gives, in either mode of a stream.
	{ShardWriteBytes, 1 << 20, "bytes a second of data and partition keys", PerShard, false, quotas, readNow},
	{ShardWriteRecords, 1_000, "records a second", PerShard, false, quotas, readNow},
	{ShardReadBytes, 2 << 20, "bytes a second, GetRecords", PerShard, false, quotas, readNow},
	{ShardReadCalls, 5, "GetRecords calls a second", PerShard, false, quotas, readNow},
	{IteratorCalls, 5, "GetShardIterator calls a second", PerShard, false, quotas, readNow},
	{FanOutBytes, 2 << 20, "bytes a second, SubscribeToShard", PerConsumer, false, "API_RegisterStreamConsumer", readNow},

	// How often an operation may be called. Where a row names several, each is counted by itself. Where the developer guide and the page of the
	// operation differ on what a rate is counted over, the row has the guide's, and says so.
	{CreateStreamCalls, 5, "CreateStream calls a second", PerRegion, false, quotas, readNow},
	{DeleteStreamCalls, 5, "DeleteStream calls a second", PerRegion, false, quotas, readNow},
	{DescribeStreamCalls, 10, "DescribeStream calls a second", PerRegion, false, quotas, readNow},
	{DescribeSummaryCalls, 20, "DescribeStreamSummary calls a second", PerRegion, false, quotas, readNow},
	{DescribeLimitsCalls, 1, "DescribeLimits calls a second", PerRegion, false, quotas, readNow},
	{ListStreamsCalls, 5, "ListStreams calls a second", PerRegion, false, quotas, readNow},
	{ListShardsCalls, 1_000, "ListShards calls a second", PerStream, false, quotas, readNow},
	{TagCalls, 5, "calls a second of each of AddTagsToStream (account and region), RemoveTagsFromStream, ListTagsForStream", PerStream, false,
		quotas + "; their own pages count all three by account", readNow},
	{RetentionCalls, 5, "calls a second of each of IncreaseStreamRetentionPeriod, DecreaseStreamRetentionPeriod", PerStream, false, quotas, readNow},
	{SplitShardCalls, 5, "SplitShard calls a second", PerStream, false, quotas + "; API_SplitShard counts by account", readNow},
	{MergeShardsCalls, 5, "MergeShards calls a second", PerStream, false, quotas + "; API_MergeShards counts by account", readNow},
	{UpdateShardCountCalls, 10, "UpdateShardCount calls a second", PerRegion, false, "API_UpdateShardCount", readNow},
	{ConsumerCalls, 5, "calls a second of each of RegisterStreamConsumer, DeregisterStreamConsumer, ListStreamConsumers", PerStream, false, quotas, readNow},
	{DescribeConsumerCalls, 20, "DescribeStreamConsumer calls a second", PerStream, false, quotas, readNow},
	{MonitoringCalls, 5, "calls a second of each of EnableEnhancedMonitoring, DisableEnhancedMonitoring", PerStream, false, quotas, readNow},
	{PolicyCalls, 5, "calls a second of each of PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy", PerRegion, false, quotas, readNow},
	{AccountSettingsCalls, 5, "calls a second of each of DescribeAccountSettings, UpdateAccountSettings", PerRegion, false, quotas, readNow},
	{WarmThroughputCalls, 5, "UpdateStreamWarmThroughput calls a second", PerRegion, false, quotas, readNow},
	{OtherCalls, 5, "calls a second of each of StartStreamEncryption, StopStreamEncryption, UpdateStreamMode, UpdateMaxRecordSize, " +
		"UpdateStreamRecordDistributionStrategy, TagResource, UntagResource, ListTagsForResource", PerStream, false,
		"none published (" + quotas + "); ours, after their neighbours", readNow},
}
