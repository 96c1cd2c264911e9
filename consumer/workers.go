package consumer

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Attributes of a worker's item (WorkerMetricStats of the KCL), whose key is the worker's name.
const (
	attrUpdated     = "lut" // N, seconds since 1970
	attrStats       = "sts" // M of lists of numbers: recent values by metric
	attrRange       = "opr" // M of lists of numbers: the most that a metric should be
	attrSupport     = "sup" // N, what the worker knows of the table's form; 1: that everything may be in one table
	attrSupportTime = "slu" // N, seconds
)

// supportCode says that this worker works with everything in one table (WorkerMetricStats.Features.SINGLE_TABLE_MIGRATION).
const supportCode = 1

// workerItem is what a worker says of itself.
type workerItem struct {
	name    string
	updated time.Time
	failing bool // a metric of it could not be taken; the KCL gives such a worker nothing
	valid   bool
}

// report writes that the worker is there. It has no metrics of the machine: its load is the throughput of its leases, which is what the KCL takes, too, on machines
// that it finds nothing to measure on.
func (t *table) report(ctx context.Context) error {
	now := number(t.clock.Now().Unix())
	_, _, err := update{set: map[string]types.AttributeValue{
		attrEntity: text(entityWorker), attrUpdated: now, attrSupport: number(supportCode), attrSupportTime: now,
		attrStats: &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{}},
		attrRange: &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{}},
	}}.apply(ctx, t.db, t.name, t.worker)
	if err != nil {
		return fmt.Errorf("report worker %s: %w", t.worker, err)
	}
	return nil
}

// parseWorker reads a worker's item.
func parseWorker(item map[string]types.AttributeValue) (workerItem, error) {
	w := workerItem{name: textOf(item, attrKey)}
	seconds, err := numberOf(item, attrUpdated)
	if err != nil {
		return workerItem{}, fmt.Errorf("worker %s: %w", w.name, err)
	}
	w.updated = time.Unix(seconds, 0)
	stats, _ := item[attrStats].(*types.AttributeValueMemberM)
	limits, _ := item[attrRange].(*types.AttributeValueMemberM)
	w.valid = seconds > 0
	if stats == nil || len(stats.Value) == 0 {
		return w, nil // one that is judged by its leases alone
	}
	for metric, values := range stats.Value {
		list, _ := values.(*types.AttributeValueMemberL)
		if list != nil && len(list.Value) > 0 {
			last, _ := list.Value[len(list.Value)-1].(*types.AttributeValueMemberN)
			w.failing = w.failing || last != nil && (last.Value == "-1" || last.Value == "-1.0")
		}
		if limits == nil || limits.Value[metric] == nil {
			w.valid = false
		}
	}
	return w, nil
}
