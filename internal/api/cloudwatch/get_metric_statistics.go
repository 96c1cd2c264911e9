package cloudwatch

import (
	"time"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/metrics"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/cloudwatch"
)

// datapointsMax is how many datapoints an answer has at most (API_GetMetricStatistics).
const datapointsMax = 1440

// units are all units, in the order in which they are looked for when a request names none.
var units = func() []string {
	in := shapes.Service.Operations["GetMetricStatistics"].Input
	return in.Members[in.MemberNamed([]byte("Unit"))].Shape.Enum
}()

// GetMetricStatistics adds up what was put of one metric over periods of whole minutes.
//
// Source: API_GetMetricStatistics (read 2026-11). Shown by: TestPutMetricData, TestGetMetricStatistics in test/cloudwatch.
// Order: AWS promises none; here by unit and time.
// Differs from AWS: no more is there than what package metrics keeps. Periods below a minute and ExtendedStatistics are refused by name.
func (a *API) getMetricStatistics(c *edge.Call, in *shapes.GetMetricStatisticsInput) (*shapes.GetMetricStatisticsOutput, error) {
	if err := a.authorize(c); err != nil {
		return nil, err
	}
	dimensions, err := dimensionsOf("Dimensions", in.Dimensions)
	if err != nil {
		return nil, err
	}
	period := time.Duration(*in.Period) * time.Second
	from, to := in.StartTime.Truncate(time.Minute), *in.EndTime
	switch {
	case in.ExtendedStatistics != nil:
		return nil, notYet("ExtendedStatistics")
	case len(in.Statistics) == 0:
		return nil, missing("Must specify either Statistics or ExtendedStatistics")
	case period < time.Minute && (*in.Period == 1 || *in.Period == 5 || *in.Period == 10 || *in.Period == 20 || *in.Period == 30):
		return nil, notYet("A Period below 60 seconds")
	case *in.Period <= 0 || period%time.Minute != 0:
		return nil, invalid("The value %d for parameter Period is invalid.", *in.Period)
	case !from.Before(to):
		return nil, combination("The parameter StartTime must be less than the parameter EndTime.")
	case to.Sub(from)/period >= datapointsMax:
		return nil, combination("You have requested more than the limit of 1,440 datapoints. You may reduce the datapoints requested by increasing Period, or decreasing the time range.")
	}
	id := metrics.ID{Scope: metrics.Scope{Account: c.Account, Region: c.Region}, Namespace: *in.Namespace, Name: *in.MetricName, Dimensions: dimensions}
	out := &shapes.GetMetricStatisticsOutput{Label: in.MetricName, Datapoints: []shapes.Datapoint{}}
	for _, unit := range units {
		if in.Unit != nil && string(*in.Unit) != unit {
			continue
		}
		out.Datapoints = append(out.Datapoints, datapoints(a.metrics.Statistics(id, unit, from, to), from, period, shapes.StandardUnit(unit), in.Statistics)...)
	}
	return out, nil
}

// datapoints adds minutes up to periods, which begin at from.
func datapoints(minutes []metrics.Minute, from time.Time, period time.Duration, unit shapes.StandardUnit, asked []shapes.Statistic) []shapes.Datapoint {
	var out []shapes.Datapoint
	for i := 0; i < len(minutes); {
		start := from.Add(minutes[i].Start.Sub(from) / period * period)
		var all metrics.Value
		for ; i < len(minutes) && minutes[i].Start.Before(start.Add(period)); i++ {
			all.Add(minutes[i].Value)
		}
		average := all.Sum / all.Count
		d := shapes.Datapoint{Timestamp: &start, Unit: &unit}
		for _, statistic := range asked {
			switch statistic {
			case shapes.StatisticSampleCount:
				d.SampleCount = &all.Count
			case shapes.StatisticAverage:
				d.Average = &average
			case shapes.StatisticSum:
				d.Sum = &all.Sum
			case shapes.StatisticMinimum:
				d.Minimum = &all.Min
			case shapes.StatisticMaximum:
				d.Maximum = &all.Max
			}
		}
		out = append(out, d)
	}
	return out
}
