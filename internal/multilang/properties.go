package multilang

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-stream/weir/consumer"
)

// propertyRow is one property that the MultiLangDaemon of KCL 3.5 knows. It is set, or ignored with a reason, or refused with a reason. One that is set and ignored
// is checked, and has no effect but the reason's.
type propertyRow struct {
	set              func(*reading, string) error
	ignored, refused string
}

// properties is every property by its name. Sources: MultiLangDaemonConfig, MultiLangDaemonConfiguration and the beans beside it in amazon-kinesis-client-multilang 3.5.1.
var properties = map[string]propertyRow{
	"executableName": {set: func(r *reading, v string) error {
		r.settings.Command = strings.FieldsFunc(v, func(c rune) bool { return c == ' ' })
		return nil
	}},
	"processingLanguage": {set: text(func(s *Settings) *string { return &s.Language })},
	"applicationName":    {set: text(func(s *Settings) *string { return &s.Application })},
	"tableName":          {set: text(func(s *Settings) *string { return &s.Table })},
	"streamName":         {set: text(func(s *Settings) *string { return &s.Stream })},
	"streamArn":          {set: streamARN},
	"workerId":           {set: text(func(s *Settings) *string { return &s.Worker.Worker })},
	"workerIdentifier":   {set: text(func(s *Settings) *string { return &s.Worker.Worker })},

	"awsCredentialsProvider":           {set: credentials(func(s *Settings) *[]Provider { return &s.Credentials })},
	"awsCredentialsProviderDynamoDB":   {set: credentials(func(s *Settings) *[]Provider { return &s.DynamoDBCredentials })},
	"awsCredentialsProviderCloudWatch": {set: credentials(func(s *Settings) *[]Provider { return &s.CloudWatchCredentials })},

	"regionName":                        {set: text(func(s *Settings) *string { return &s.Region })},
	"kinesisClient.region":              {set: clientRegion},
	"dynamoDbClient.region":             {set: clientRegion},
	"cloudWatchClient.region":           {set: clientRegion},
	"kinesisEndpoint":                   {set: endpoint(func(s *Settings) *string { return &s.KinesisEndpoint })},
	"kinesisClient.endpointOverride":    {set: endpoint(func(s *Settings) *string { return &s.KinesisEndpoint })},
	"dynamoDBEndpoint":                  {set: endpoint(func(s *Settings) *string { return &s.DynamoDBEndpoint })},
	"dynamoDbClient.endpointOverride":   {set: endpoint(func(s *Settings) *string { return &s.DynamoDBEndpoint })},
	"cloudWatchClient.endpointOverride": {set: endpoint(func(s *Settings) *string { return &s.CloudWatchEndpoint })},
	"cloudWatchEndpoint":                {set: endpoint(func(s *Settings) *string { return &s.CloudWatchEndpoint })}, // the original has no short name for it

	"initialPositionInStream":         {set: initialPosition},
	"initialPositionInStreamExtended": {set: initialTimestamp},
	"retrievalMode":                   {set: oneOf(func(s *Settings) *string { return &s.Mode }, "DEFAULT", "FANOUT", "POLLING")},
	"fanoutConfig.consumerName":       {set: text(func(s *Settings) *string { return &s.Worker.ConsumerName })},
	"fanoutConfig.consumerArn":        {set: text(func(s *Settings) *string { return &s.Worker.ConsumerARN })},

	"fanoutConfig.maxDescribeStreamSummaryRetries":  {ignored: "requests are tried again as everywhere"},
	"fanoutConfig.maxDescribeStreamConsumerRetries": {ignored: "requests are tried again as everywhere"},
	"fanoutConfig.registerStreamConsumerRetries":    {ignored: "requests are tried again as everywhere"},
	"fanoutConfig.retryBackoffMillis":               {ignored: "requests are tried again as everywhere"},

	"maxRecords":                               {set: polling(number(func(s *Settings) *int { return &s.Worker.MaxRecords }, 0, 10_000))},
	"idleTimeBetweenReadsInMillis":             {set: polling(millis(func(s *Settings) *time.Duration { return &s.Worker.IdleBetweenReads }))},
	"retryGetRecordsInSeconds":                 {set: polling(number(func(*Settings) *int { return new(int) }, 0, 1<<31-1)), ignored: pollingOnly},
	"maxGetRecordsThreadPool":                  {set: polling(number(func(*Settings) *int { return new(int) }, 0, 1<<31-1)), ignored: pollingOnly},
	"millisBehindLatestThresholdForReducedTps": {set: polling(number(func(*Settings) *int { return new(int) }, 0, 1<<62)), ignored: pollingOnly},

	"callProcessRecordsEvenForEmptyRecordList": {set: flag(func(s *Settings) *bool { return &s.Worker.CallOnEmpty })},
	"parentShardPollIntervalMillis":            {set: millis(func(s *Settings) *time.Duration { return &s.Worker.ParentPoll })},
	"taskBackoffTimeMillis":                    {set: millis(func(s *Settings) *time.Duration { return &s.Worker.TaskBackoff })},
	"failoverTimeMillis":                       {set: millis(func(s *Settings) *time.Duration { return &s.Worker.Failover })},
	"leaseAssignmentIntervalMillis":            {set: millis(func(s *Settings) *time.Duration { return &s.Worker.AssignEvery })},
	"shardSyncIntervalMillis":                  {set: millis(func(s *Settings) *time.Duration { return &s.Worker.ShardSync })},
	"maxLeasesForWorker":                       {set: number(func(s *Settings) *int { return &s.Worker.MaxLeases }, 0, 1<<31-1)},
	"maxLeaseRenewalThreads":                   {set: number(func(s *Settings) *int { return &s.Worker.RenewThreads }, 0, 1000)},
	"isGracefulLeaseHandoffEnabled":            {set: gracefulHandoff},
	"gracefulLeaseHandoffTimeoutMillis":        {set: millis(func(s *Settings) *time.Duration { return &s.Worker.GracefulHandoff })},
	"workerMetricsReporterFreqInMillis":        {set: millis(func(s *Settings) *time.Duration { return &s.Worker.WorkerMetricsEvery })},
	"staleWorkerMetricsEntryCleanupDuration":   {set: isoDuration(func(s *Settings) *time.Duration { return &s.Worker.WorkerMetricsStale })},
	"clientVersionConfig":                      {set: clientVersion},

	"metricsLevel":             {set: oneOf(func(s *Settings) *string { return &s.MetricsLevel }, "NONE", "SUMMARY", "DETAILED")},
	"metricsEnabledDimensions": {set: metricsDimensions},
	"metricsBufferTimeMillis":  {set: millis(func(s *Settings) *time.Duration { return &s.MetricsEvery })},
	"metricsMaxQueueSize":      {set: number(func(s *Settings) *int { return &s.MetricsCapacity }, 1, 1<<31-1)},

	"shutdownGraceMillis":          {set: millis(func(s *Settings) *time.Duration { return &s.ShutdownGrace })},
	"timeoutInSeconds":             {set: seconds(func(s *Settings) *time.Duration { return &s.Timeout })},
	"logWarningForTaskAfterMillis": {set: millis(func(s *Settings) *time.Duration { return &s.WarnAfter })},

	"skipShardSyncAtWorkerInitializationIfLeasesExist": {ignored: "shards are listed when there are no leases, and by the leader"},
	"validateSequenceNumberBeforeCheckpointing":        {ignored: "what a checkpoint may be is always checked, as in KCL 2 and 3"},
	"maxActiveThreads":                         {ignored: "there are no threads to limit"},
	"enablePriorityLeaseAssignment":            {ignored: "there is one way in which leases are given"},
	"leaseTableDeletionProtectionEnabled":      {ignored: "the lease table is made without; set it on the table itself"},
	"leaseTablePitrEnabled":                    {ignored: "the lease table is made without; set it on the table itself"},
	"cleanupLeasesUponShardCompletion":         {ignored: "leases of finished shards are always deleted, as in KCL 2 and 3"},
	"ignoreUnexpectedChildShards":              {ignored: "child shards are taken from the shard's own end"},
	"maxLeasesToStealAtOneTime":                {ignored: "leases are given by the leader, not stolen, as in KCL 3"},
	"initialLeaseTableReadCapacity":            {ignored: "the lease table is made on demand, as in KCL 2 and 3"},
	"initialLeaseTableWriteCapacity":           {ignored: "the lease table is made on demand, as in KCL 2 and 3"},
	"leaseTableScanTotalSegments":              {ignored: "the lease table is read in one piece"},
	"listShardsBackoffTimeInMillis":            {ignored: "requests are tried again as everywhere"},
	"maxListShardsRetryAttempts":               {ignored: "requests are tried again as everywhere"},
	"schedulerInitializationBackoffTimeMillis": {ignored: "a start that fails is tried again after taskBackoffTimeMillis"},
	"migrateAllEntitiesToLeaseTable":           {ignored: "everything is in the lease table from the start; an application that is elsewhere is refused"},
	"tableMigrationCompleteBakeTimeSeconds":    {ignored: "everything is in the lease table from the start"},

	"inMemoryWorkerMetricsCaptureFrequencyMillis": {ignored: "leases are spread by number and throughput, not by the processors' load"},
	"noOfPersistedMetricsPerWorkerMetrics":        {ignored: "leases are spread by number and throughput, not by the processors' load"},
	"disableWorkerMetrics":                        {ignored: "leases are spread by number and throughput, not by the processors' load"},
	"maxThroughputPerHostKBps":                    {ignored: "there is no limit on a host's throughput"},
	"dampeningPercentage":                         {ignored: "the leader decides by itself how fast leases move"},
	"reBalanceThresholdPercentage":                {ignored: "the leader decides by itself how fast leases move"},
	"allowThroughputOvershoot":                    {ignored: "the leader decides by itself how fast leases move"},
	"varianceBalancingFrequency":                  {ignored: "the leader decides by itself how fast leases move"},
	"workerMetricsEMAAlpha":                       {ignored: "leases are spread by number and throughput, not by the processors' load"},

	"workerMetricsTableName":                  {ignored: elsewhere},
	"workerMetricsBillingMode":                {ignored: elsewhere},
	"workerMetricsReadCapacity":               {ignored: elsewhere},
	"workerMetricsWriteCapacity":              {ignored: elsewhere},
	"workerMetricsPointInTimeRecoveryEnabled": {ignored: elsewhere},
	"workerMetricsDeletionProtectionEnabled":  {ignored: elsewhere},
	"workerMetricsTags":                       {ignored: elsewhere},

	"coordinatorStateTableName":                  {ignored: elsewhere},
	"coordinatorStateBillingMode":                {ignored: elsewhere},
	"coordinatorStateReadCapacity":               {ignored: elsewhere},
	"coordinatorStateWriteCapacity":              {ignored: elsewhere},
	"coordinatorStatePointInTimeRecoveryEnabled": {ignored: elsewhere},
	"coordinatorStateDeletionProtectionEnabled":  {ignored: elsewhere},
	"coordinatorStateTags":                       {ignored: elsewhere},

	"shardPrioritization": {refused: "shards are processed side by side; there is no order to choose"},
}

const (
	elsewhere   = "there is no such table: its items are in the lease table, as in KCL 3.5"
	pollingOnly = "it says only that retrievalMode is POLLING unless the file says otherwise; reads go at the pace of idleTimeBetweenReadsInMillis"
)

func text(field func(*Settings) *string) func(*reading, string) error {
	return func(r *reading, v string) error {
		*field(r.settings) = v
		return nil
	}
}

func oneOf(field func(*Settings) *string, words ...string) func(*reading, string) error {
	return func(r *reading, v string) error {
		word := strings.ToUpper(v)
		if !slices.Contains(words, word) {
			return fmt.Errorf("%q is none of %s", v, strings.Join(words, ", "))
		}
		*field(r.settings) = word
		return nil
	}
}

// number is an integer. 0 stands for the default, as in the original.
func number(field func(*Settings) *int, least, most int) func(*reading, string) error {
	return func(r *reading, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < least || n > most {
			return fmt.Errorf("%q is not a number from %d to %d", v, least, most)
		}
		*field(r.settings) = n
		return nil
	}
}

// millisMost is a hundred years. A Duration holds 292.
const millisMost = 100 * 365 * 24 * 3600 * 1000

// millis is a time in milliseconds. 0 leaves the default, as in the original.
func millis(field func(*Settings) *time.Duration) func(*reading, string) error {
	return func(r *reading, v string) error {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 || n > millisMost {
			return fmt.Errorf("%q is not a number of milliseconds", v)
		}
		if n > 0 {
			*field(r.settings) = time.Duration(n) * time.Millisecond
		}
		return nil
	}
}

func seconds(field func(*Settings) *time.Duration) func(*reading, string) error {
	return func(r *reading, v string) error {
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a number of seconds, from 1", v)
		}
		*field(r.settings) = time.Duration(n) * time.Second
		return nil
	}
}

// flag is a boolean in the words of Apache BeanUtils, by which the original reads it.
func flag(field func(*Settings) *bool) func(*reading, string) error {
	return func(r *reading, v string) error {
		on := slices.Contains([]string{"true", "yes", "y", "on", "1"}, strings.ToLower(v))
		if !on && !slices.Contains([]string{"false", "no", "n", "off", "0"}, strings.ToLower(v)) {
			return fmt.Errorf("%q is neither true nor false", v)
		}
		*field(r.settings) = on
		return nil
	}
}

func gracefulHandoff(r *reading, v string) error {
	var on bool
	err := flag(func(*Settings) *bool { return &on })(r, v)
	r.settings.Worker.NoGracefulHandoff = err == nil && !on
	return err
}

// polling notes that a property of polling is set, which the retrieval mode DEFAULT looks at. 0 is not set.
func polling(set func(*reading, string) error) func(*reading, string) error {
	return func(r *reading, v string) error {
		r.polling = r.polling || v != "0"
		return set(r, v)
	}
}

func endpoint(field func(*Settings) *string) func(*reading, string) error {
	return func(r *reading, v string) error {
		u, err := url.Parse(v)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("%q is not a URL such as https://kinesis.us-east-1.amazonaws.com", v)
		}
		*field(r.settings) = v
		return nil
	}
}

// clientRegion is a region of one client, which must be the region of all.
func clientRegion(r *reading, v string) error {
	r.regions = append(r.regions, v)
	return nil
}

var streamARNShape = regexp.MustCompile(`^arn:aws[^:]*:kinesis:[^:]+:\d{12}:stream/([^/]+)$`)

func streamARN(r *reading, v string) error {
	found := streamARNShape.FindStringSubmatch(v)
	if found == nil {
		return fmt.Errorf("%q is not arn:aws:kinesis:REGION:ACCOUNT:stream/NAME", v)
	}
	r.arn = found[1]
	return nil
}

func initialPosition(r *reading, v string) error {
	r.position = strings.ToUpper(v)
	if !slices.Contains([]string{consumer.TrimHorizon, consumer.Latest, consumer.AtTimestamp}, r.position) {
		return fmt.Errorf("%q is none of TRIM_HORIZON, LATEST, AT_TIMESTAMP", v)
	}
	return nil
}

// initialTimestamp is in seconds since 1970.
func initialTimestamp(r *reading, v string) error {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 1 || n > millisMost/1000 {
		return fmt.Errorf("%q is not a time in seconds since 1970", v)
	}
	r.settings.Worker.InitialTimestamp = time.Unix(n, 0)
	return nil
}

func clientVersion(_ *reading, v string) error {
	switch strings.ToUpper(v) {
	case "CLIENT_VERSION_CONFIG_3X":
		return nil
	case "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X":
		return errors.New("this daemon does not share an application with KCL 2: finish the migration to CLIENT_VERSION_CONFIG_3X first")
	}
	return fmt.Errorf("%q is not CLIENT_VERSION_CONFIG_3X", v)
}

func metricsDimensions(r *reading, v string) error {
	r.settings.MetricsDimensions = nil
	for name := range strings.SplitSeq(v, ",") {
		if name = strings.TrimSpace(name); name != "" {
			r.settings.MetricsDimensions = append(r.settings.MetricsDimensions, name)
		}
	}
	return nil
}

var isoDurationShape = regexp.MustCompile(`(?i)^P(?:(\d{1,5})D)?(T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})(?:[.,](\d{1,9}))?S)?)?$`)

// isoDuration is what java.time.Duration.parse reads, such as PT15M or P2D, without signs.
func isoDuration(field func(*Settings) *time.Duration) func(*reading, string) error {
	return func(r *reading, v string) error {
		part := isoDurationShape.FindStringSubmatch(v)
		if part == nil || part[1]+part[2] == "" || strings.EqualFold(part[2], "T") {
			return fmt.Errorf("%q is not a duration such as PT15M, PT10H or P2D", v)
		}
		var d time.Duration
		for i, unit := range map[int]time.Duration{1: 24 * time.Hour, 3: time.Hour, 4: time.Minute, 5: time.Second} {
			n, _ := strconv.ParseInt("0"+part[i], 10, 64) // digits by the shape
			d += time.Duration(n) * unit
		}
		nanos, _ := strconv.ParseInt((part[6] + "000000000")[:9], 10, 64)
		*field(r.settings) = d + time.Duration(nanos)
		return nil
	}
}
