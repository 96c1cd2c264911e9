package kinesis

import (
	"reflect"
	"strings"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota"
)

// rate is how often an operation may be called: which row of the quota table, and what the calls are counted over.
type rate struct {
	limit quota.Name
	over  quota.Scope // PerRegion or PerStream
}

// rates has every operation that is limited by its calls; the quota table has the sources. PutRecord, PutRecords, GetRecords and GetShardIterator are
// limited by shard, in streams.
var rates = map[string]rate{
	"AddTagsToStream":                        {quota.TagCalls, quota.PerRegion},
	"CreateStream":                           {quota.CreateStreamCalls, quota.PerRegion},
	"DecreaseStreamRetentionPeriod":          {quota.RetentionCalls, quota.PerStream},
	"DeleteResourcePolicy":                   {quota.PolicyCalls, quota.PerRegion},
	"DeleteStream":                           {quota.DeleteStreamCalls, quota.PerRegion},
	"DeregisterStreamConsumer":               {quota.ConsumerCalls, quota.PerStream},
	"DescribeAccountSettings":                {quota.AccountSettingsCalls, quota.PerRegion},
	"DescribeLimits":                         {quota.DescribeLimitsCalls, quota.PerRegion},
	"DescribeStream":                         {quota.DescribeStreamCalls, quota.PerRegion},
	"DescribeStreamConsumer":                 {quota.DescribeConsumerCalls, quota.PerStream},
	"DescribeStreamSummary":                  {quota.DescribeSummaryCalls, quota.PerRegion},
	"DisableEnhancedMonitoring":              {quota.MonitoringCalls, quota.PerStream},
	"EnableEnhancedMonitoring":               {quota.MonitoringCalls, quota.PerStream},
	"GetResourcePolicy":                      {quota.PolicyCalls, quota.PerRegion},
	"IncreaseStreamRetentionPeriod":          {quota.RetentionCalls, quota.PerStream},
	"ListShards":                             {quota.ListShardsCalls, quota.PerStream},
	"ListStreamConsumers":                    {quota.ConsumerCalls, quota.PerStream},
	"ListStreams":                            {quota.ListStreamsCalls, quota.PerRegion},
	"ListTagsForResource":                    {quota.OtherCalls, quota.PerStream},
	"ListTagsForStream":                      {quota.TagCalls, quota.PerStream},
	"MergeShards":                            {quota.MergeShardsCalls, quota.PerStream},
	"PutResourcePolicy":                      {quota.PolicyCalls, quota.PerRegion},
	"RegisterStreamConsumer":                 {quota.ConsumerCalls, quota.PerStream},
	"RemoveTagsFromStream":                   {quota.TagCalls, quota.PerStream},
	"SplitShard":                             {quota.SplitShardCalls, quota.PerStream},
	"StartStreamEncryption":                  {quota.OtherCalls, quota.PerStream},
	"StopStreamEncryption":                   {quota.OtherCalls, quota.PerStream},
	"TagResource":                            {quota.OtherCalls, quota.PerStream},
	"UntagResource":                          {quota.OtherCalls, quota.PerStream},
	"UpdateAccountSettings":                  {quota.AccountSettingsCalls, quota.PerRegion},
	"UpdateMaxRecordSize":                    {quota.OtherCalls, quota.PerStream},
	"UpdateShardCount":                       {quota.UpdateShardCountCalls, quota.PerRegion},
	"UpdateStreamMode":                       {quota.OtherCalls, quota.PerStream},
	"UpdateStreamRecordDistributionStrategy": {quota.OtherCalls, quota.PerStream},
	"UpdateStreamWarmThroughput":             {quota.WarmThroughputCalls, quota.PerRegion},
}

// throttle counts a call of a well-formed request, and refuses it with LimitExceeded when there were too many in the last second. in is the generated input
// of the operation. A stream of the name need not exist: each is counted by its own name.
func (a *API) throttle(c *edge.Call, in any) error {
	r, limited := rates[c.Operation]
	if !a.limited || !limited {
		return nil
	}
	stream := streamNamed(in)
	key := c.Operation + "/" + c.Account + "/" + c.Region
	if r.over == quota.PerStream {
		key += "/" + stream
	}
	switch {
	case a.calls.Take(a.clock.Now(), key, a.quota.Get(r.limit)):
		return nil
	case stream == "":
		return fault.New(fault.LimitExceeded, "Rate exceeded for account %s.", c.Account)
	default:
		return fault.New(fault.LimitExceeded, "Rate exceeded for stream %s under account %s.", stream, c.Account)
	}
}

// streamNamed is the name of the stream that a request is about, by whichever member of it says so, or "".
func streamNamed(in any) string {
	v := reflect.ValueOf(in).Elem()
	for _, member := range []string{"StreamName", "StreamARN", "ResourceARN", "ConsumerARN"} {
		field := v.FieldByName(member)
		if !field.IsValid() || field.Kind() != reflect.Pointer || field.IsNil() || field.Elem().Kind() != reflect.String {
			continue
		}
		text := field.Elem().String()
		if member == "StreamName" {
			return text
		}
		_, rest, _ := strings.Cut(text, ":stream/")
		name, _, _ := strings.Cut(rest, "/")
		return name
	}
	return ""
}
