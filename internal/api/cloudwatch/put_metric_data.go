package cloudwatch

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/metrics"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/cloudwatch"
)

// Limits of PutMetricData (API_PutMetricData, API_MetricDatum and API_EntityMetricData, read 2026-11).
const (
	metricsMax = 1000 // in one call
	valuesMax  = 150  // of one metric in one call
	pastMax    = 14 * 24 * time.Hour
	futureMax  = 2 * time.Hour
)

// magnitudeMax bounds what may be reported: -2^360 to 2^360 (API_MetricDatum).
var magnitudeMax = math.Ldexp(1, 360)

// PutMetricData keeps what a program reports of itself: all of a call, or nothing of it.
//
// Source: API_PutMetricData (read 2026-11). Shown by: TestPutMetricData, TestPutMetricDataRefusals, TestProtocols in test/cloudwatch.
// Order: values that fall into one minute are added up at once and seen by the next read.
// Differs from AWS: metrics are kept in memory, bounded (see package metrics), and by the minute whatever StorageResolution says. Of EntityMetricData the metrics are kept and the
// entities are not; StrictEntityValidation is refused by name.
func (a *API) putMetricData(c *edge.Call, in *shapes.PutMetricDataInput) (*nothing, error) {
	if err := a.authorize(c); err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(*in.Namespace, "AWS/"):
		return nil, invalid("The value %s for parameter Namespace is invalid.", *in.Namespace)
	case !plain(*in.Namespace):
		return nil, invalid("The value for parameter Namespace contains characters that are not supported.")
	case in.StrictEntityValidation != nil && *in.StrictEntityValidation:
		return nil, notYet("StrictEntityValidation")
	}
	count := len(in.MetricData)
	for i := range in.EntityMetricData {
		count += len(in.EntityMetricData[i].MetricData)
	}
	switch {
	case count == 0:
		return nil, missing("The parameter MetricData is required.")
	case count > metricsMax:
		return nil, invalid("The collection MetricData must not have a size greater than %d.", metricsMax)
	}
	r := report{scope: metrics.Scope{Account: c.Account, Region: c.Region}, namespace: *in.Namespace, now: a.clock.Now(), data: make([]metrics.Datum, 0, count)}
	if err := r.take("MetricData", in.MetricData); err != nil {
		return nil, err
	}
	for i := range in.EntityMetricData {
		if err := r.take(fmt.Sprintf("EntityMetricData.member.%d.MetricData", i+1), in.EntityMetricData[i].MetricData); err != nil {
			return nil, err
		}
	}
	a.metrics.Put(r.data)
	return &nothing{}, nil
}

// report is what a call brings, as far as it was read.
type report struct {
	scope     metrics.Scope
	namespace string
	now       time.Time
	data      []metrics.Datum
}

// take reads the metrics of one list, whose name is where.
func (r *report) take(where string, from []shapes.MetricDatum) error {
	for i := range from {
		m, at := &from[i], fmt.Sprintf("%s.member.%d", where, i+1)
		if !plain(*m.MetricName) {
			return invalid("The value for parameter %s.MetricName contains characters that are not supported.", at)
		}
		dimensions, err := dimensionsOf(at+".Dimensions", m.Dimensions)
		if err != nil {
			return err
		}
		d := metrics.Datum{ID: metrics.ID{Scope: r.scope, Namespace: r.namespace, Name: *m.MetricName, Dimensions: dimensions}, Unit: "None", At: r.now}
		if m.Unit != nil {
			d.Unit = string(*m.Unit)
		}
		if m.Timestamp != nil {
			d.At = *m.Timestamp
			if d.At.Before(r.now.Add(-pastMax)) || d.At.After(r.now.Add(futureMax)) {
				return invalid("The parameter %s.Timestamp must be within two weeks before and two hours after the current time.", at)
			}
		}
		if m.StorageResolution != nil && *m.StorageResolution != 1 && *m.StorageResolution != 60 {
			return invalid("The value %d for parameter %s.StorageResolution is invalid.", *m.StorageResolution, at)
		}
		if d.Value, err = valueOf(at, m); err != nil {
			return err
		}
		r.data = append(r.data, d)
	}
	return nil
}

// plain says whether text is free of control characters, which metrics do not have in their names ("Dimensions", CloudWatch User Guide, read 2026-11).
func plain(text string) bool { return !strings.ContainsFunc(text, unicode.IsControl) }

// dimensionsOf checks dimensions, whose list is called at.
func dimensionsOf(at string, from []shapes.Dimension) ([]metrics.Dimension, error) {
	out := make([]metrics.Dimension, len(from))
	seen := make(map[string]bool, len(from))
	for i, d := range from {
		if seen[*d.Name] {
			return nil, invalid("No Metric Dimension can be specified more than once: %s.", *d.Name)
		}
		if !plain(*d.Name) || !plain(*d.Value) {
			return nil, invalid("The parameter %s.member.%d contains characters that are not supported.", at, i+1)
		}
		seen[*d.Name] = true
		out[i] = metrics.Dimension{Name: *d.Name, Value: *d.Value}
	}
	return out, nil
}

// valueOf reads the one of the three ways to say a value that was used.
func valueOf(at string, m *shapes.MetricDatum) (metrics.Value, error) {
	ways := 0
	for _, used := range []bool{m.Value != nil, m.StatisticValues != nil, m.Values != nil} {
		if used {
			ways++
		}
	}
	switch {
	case ways > 1:
		return metrics.Value{}, combination("The parameters " + at + ".Value, " + at + ".Values and " + at + ".StatisticValues are mutually exclusive and you have specified more than one.")
	case m.Counts != nil && m.Values == nil:
		return metrics.Value{}, combination("The parameter " + at + ".Counts requires " + at + ".Values.")
	case m.Value != nil:
		return single(at+".Value", *m.Value)
	case m.StatisticValues != nil:
		return summary(at+".StatisticValues", m.StatisticValues)
	case m.Values != nil:
		return counted(at, m.Values, m.Counts)
	}
	return metrics.Value{}, missing("At least one of the parameters " + at + ".Value, " + at + ".Values or " + at + ".StatisticValues must be specified.")
}

func single(at string, v float64) (metrics.Value, error) {
	if !reportable(v) {
		return metrics.Value{}, invalid("The value %v for parameter %s is invalid.", v, at)
	}
	return metrics.Value{Count: 1, Sum: v, Min: v, Max: v}, nil
}

func reportable(v float64) bool { return math.Abs(v) <= magnitudeMax } // false for NaN

func summary(at string, s *shapes.StatisticSet) (metrics.Value, error) {
	for _, part := range []struct {
		name  string
		value float64
	}{{"SampleCount", *s.SampleCount}, {"Sum", *s.Sum}, {"Minimum", *s.Minimum}, {"Maximum", *s.Maximum}} {
		if !reportable(part.value) {
			return metrics.Value{}, invalid("The value %v for parameter %s.%s is invalid.", part.value, at, part.name)
		}
	}
	switch {
	case *s.SampleCount < 0:
		return metrics.Value{}, invalid("The value %v for parameter %s.SampleCount is invalid.", *s.SampleCount, at)
	case *s.Maximum < *s.Minimum:
		return metrics.Value{}, invalid("The parameter %s.Maximum must be greater than or equal to %s.Minimum.", at, at)
	}
	return metrics.Value{Count: *s.SampleCount, Sum: *s.Sum, Min: *s.Minimum, Max: *s.Maximum}, nil
}

// counted is values, each as often as its count says; once where there are no counts.
func counted(at string, values, counts []float64) (metrics.Value, error) {
	switch {
	case len(values) == 0:
		return metrics.Value{}, missing("The parameter " + at + ".Values is required.")
	case len(values) > valuesMax:
		return metrics.Value{}, invalid("The collection %s.Values must not have a size greater than %d.", at, valuesMax)
	case counts != nil && len(counts) != len(values):
		return metrics.Value{}, invalid("The parameters %s.Values and %s.Counts must be of the same size.", at, at)
	}
	var all metrics.Value
	for i, v := range values {
		count := 1.0
		if counts != nil {
			count = counts[i]
		}
		switch {
		case !reportable(v):
			return metrics.Value{}, invalid("The value %v for parameter %s.Values.member.%d is invalid.", v, at, i+1)
		case !reportable(count) || count < 0:
			return metrics.Value{}, invalid("The value %v for parameter %s.Counts.member.%d is invalid.", count, at, i+1)
		case count > 0:
			all.Add(metrics.Value{Count: count, Sum: v * count, Min: v, Max: v})
		}
	}
	return all, nil
}
