package consumer

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cloudwatch "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// Units of metrics.
const (
	count  = cloudwatch.StandardUnitCount
	millis = cloudwatch.StandardUnitMilliseconds
	bytes  = cloudwatch.StandardUnitBytes
)

// Dimensions are those of the KCL.
func operation(name string) cloudwatch.Dimension {
	return cloudwatch.Dimension{Name: aws.String("Operation"), Value: aws.String(name)}
}

func shardDimension(shard string) cloudwatch.Dimension {
	return cloudwatch.Dimension{Name: aws.String("ShardId"), Value: aws.String(shard)}
}

func (w *Worker) identity() cloudwatch.Dimension {
	return cloudwatch.Dimension{Name: aws.String("WorkerIdentifier"), Value: aws.String(w.options.Worker)}
}

func (w *Worker) measure(name string, value float64, unit cloudwatch.StandardUnit, dims ...cloudwatch.Dimension) {
	w.options.Metrics.Add(name, value, unit, dims...)
}

// took measures something that has been tried: PREFIX.Success, 1 or 0, and PREFIX.Time. An empty prefix is for the operation itself.
func (w *Worker) took(prefix string, began time.Time, success bool, dims ...cloudwatch.Dimension) {
	if prefix != "" {
		prefix += "."
	}
	value := 0.0
	if success {
		value = 1
	}
	w.measure(prefix+"Success", value, count, dims...)
	w.measure(prefix+"Time", float64(w.options.Clock.Now().Sub(began).Milliseconds()), millis, dims...)
}

func (w *Worker) event(kind, shard, detail string) {
	w.options.Events(Event{Kind: kind, Shard: shard, Detail: detail})
}
