package producer_test

import (
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/producer"
)

// Shows that every option outside its range is named, all at once, and that the edges of the ranges are in.
func TestOptions(t *testing.T) {
	_, err := producer.New(producer.Options{
		AggregationMaxCount: -1, AggregationMaxSize: 63, CollectionMaxCount: 501, CollectionMaxSize: 52_223, MaxConnections: 257, MaxUserRecordSize: 10<<20 + 1, RateLimit: -1,
		RecordMaxBufferedTime: -1, RecordTtl: 99 * time.Millisecond, RequestTimeout: 11 * time.Minute, MetricsUploadDelay: time.Hour, MetricsLevel: "all", MetricsGranularity: "record",
		OutstandingRecordsMax: 1 << 40, OutstandingBytesMax: -1,
	})
	for _, name := range []string{
		"API", "AggregationMaxCount", "AggregationMaxSize", "CollectionMaxCount", "CollectionMaxSize", "MaxConnections", "MaxUserRecordSize", "RateLimit", "RecordMaxBufferedTime",
		"RecordTtl", "RequestTimeout", "MetricsUploadDelay", "MetricsLevel", "MetricsGranularity", "OutstandingRecordsMax", "OutstandingBytesMax",
	} {
		if err == nil || !strings.Contains(err.Error(), name+":") {
			t.Errorf("%s is not named in %v", name, err)
		}
	}
	begin(t, producer.Options{
		API: newFake(1), AggregationMaxCount: 1, AggregationMaxSize: 64, CollectionMaxCount: 1, CollectionMaxSize: 52_224, MaxConnections: 256, MaxUserRecordSize: 64, RateLimit: 1,
		RecordMaxBufferedTime: 1, RecordTtl: 100 * time.Millisecond, RequestTimeout: 100 * time.Millisecond, MetricsLevel: "none", MetricsGranularity: "global",
	})
	for want, o := range map[string]producer.Options{
		"needs a CloudWatch":              {API: newFake(1), MetricsLevel: producer.MetricsSummary},
		"less than RecordMaxBufferedTime": {API: newFake(1), RecordMaxBufferedTime: time.Second, RecordTtl: 500 * time.Millisecond},
	} {
		if _, err := producer.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}
