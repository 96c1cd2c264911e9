package consumer_test

import (
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/weir-stream/weir/client/report"
	"github.com/weir-stream/weir/consumer"
)

// The reporter of client/report takes a worker's metrics.
var _ consumer.Metrics = (*report.Reporter)(nil)

// gauges sums what a worker measures, by name and dimensions as they are written on the page.
type gauges struct {
	mu   sync.Mutex
	sums map[string]float64
}

// Add takes one.
func (g *gauges) Add(name string, value float64, unit types.StandardUnit, dims ...types.Dimension) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := name + " " + string(unit)
	for _, d := range dims {
		key += " " + *d.Name + "=" + *d.Value
	}
	g.sums[key] += value
}

func (g *gauges) sum(key string) float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sums[key]
}

// TestMetrics shows names, units and dimensions of the KCL, and that records and bytes are counted exactly.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := begin(t, 1)
	g := &gauges{sums: map[string]float64{}}
	options := w.options("a", w.record("a"))
	options.Metrics = g
	a := w.start(options)
	w.put(5, 11) // of one byte each, and ten more with two
	w.eventually("every record is seen", w.complete)
	w.eventually("the lease is renewed", func() bool { return g.sum("CurrentLeases Count Operation=RenewAllLeases WorkerIdentifier=a") > 0 })
	a.leave()
	g.mu.Lock()
	defer g.mu.Unlock()
	const shard = " Operation=ProcessTask ShardId=shardId-000000000000"
	for key, want := range map[string]float64{"RecordsProcessed Count" + shard: 55, "DataBytesProcessed Bytes" + shard: 60} {
		if got := g.sums[key]; got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
	for _, key := range []string{
		"KinesisDataFetcher.getRecords.Success Count" + shard, "UpdateLease.Success Count" + shard,
		"CurrentLeases Count Operation=RenewAllLeases WorkerIdentifier=a", "RenewLease.Success Count Operation=RenewAllLeases WorkerIdentifier=a",
		"TotalLeases Count Operation=LeaseAssignmentManager", "NumWorkers Count Operation=LeaseAssignmentManager", "Success Count Operation=LeaseAssignmentManager",
		"CreateLease.Success Count Operation=ShardSyncTask", "NewLeasesDiscovered Count Operation=LeaseDiscovery WorkerIdentifier=a",
	} {
		if g.sums[key] <= 0 {
			t.Errorf("%s: %v", key, g.sums[key])
		}
	}
	for _, key := range []string{"MillisBehindLatest Milliseconds" + shard, "RecordProcessor.processRecords.Time Milliseconds" + shard, "ExpiredLeases Count Operation=LeaseAssignmentManager"} {
		if _, found := g.sums[key]; !found {
			t.Errorf("%s: never", key)
		}
	}
	if n := g.sums["LostLeases Count Operation=RenewAllLeases WorkerIdentifier=a"]; n != 0 {
		t.Errorf("%v leases lost", n)
	}
}
