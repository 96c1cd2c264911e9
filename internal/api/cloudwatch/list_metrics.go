package cloudwatch

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/metrics"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/cloudwatch"
)

// listMax is how many metrics an answer of ListMetrics has at most (API_ListMetrics).
const listMax = 500

// ListMetrics lists the metrics that were put, 500 at a time, sorted.
//
// Source: API_ListMetrics (read 2026-11). Shown by: TestListMetrics in test/cloudwatch.
// Order: AWS promises none; here by namespace, name and dimensions, and the token is the place behind the last.
// Differs from AWS: a metric is listed at once rather than within fifteen minutes, and no longer than three hours after it was put last, so that RecentlyActive changes nothing.
// IncludeLinkedAccounts and OwningAccount are refused by name. There are no metrics of AWS/Kinesis: those are on /metrics.
func (a *API) listMetrics(c *edge.Call, in *shapes.ListMetricsInput) (*shapes.ListMetricsOutput, error) {
	if err := a.authorize(c); err != nil {
		return nil, err
	}
	switch {
	case in.IncludeLinkedAccounts != nil && *in.IncludeLinkedAccounts:
		return nil, notYet("IncludeLinkedAccounts")
	case in.OwningAccount != nil:
		return nil, notYet("OwningAccount")
	}
	after := ""
	if in.NextToken != nil {
		place, err := base64.RawURLEncoding.DecodeString(*in.NextToken)
		if err != nil || len(place) == 0 {
			return nil, invalid("The value for parameter NextToken is invalid.")
		}
		after = string(place)
	}
	type placed struct {
		place string
		id    *metrics.ID
	}
	var found []placed
	a.metrics.Each(func(s *metrics.Series) {
		if s.ID.Account != c.Account || s.ID.Region != c.Region || !wanted(in, &s.ID) {
			return
		}
		if place := placeOf(&s.ID); place > after {
			found = append(found, placed{place, &s.ID})
		}
	})
	slices.SortFunc(found, func(a, b placed) int { return cmp.Compare(a.place, b.place) })
	found = slices.CompactFunc(found, func(a, b placed) bool { return a.place == b.place }) // one metric in two units
	out := &shapes.ListMetricsOutput{Metrics: []shapes.Metric{}}
	for i, p := range found {
		if i == listMax {
			token := base64.RawURLEncoding.EncodeToString([]byte(found[i-1].place))
			out.NextToken = &token
			break
		}
		m := shapes.Metric{Namespace: &p.id.Namespace, MetricName: &p.id.Name, Dimensions: []shapes.Dimension{}}
		for _, d := range p.id.Dimensions {
			m.Dimensions = append(m.Dimensions, shapes.Dimension{Name: &d.Name, Value: &d.Value})
		}
		out.Metrics = append(out.Metrics, m)
	}
	return out, nil
}

// placeOf is where a metric stands in the order. The parts are free of the separator: what is put has no control characters.
func placeOf(id *metrics.ID) string {
	parts := []string{id.Namespace, id.Name}
	for _, d := range id.Dimensions {
		parts = append(parts, d.Name, d.Value)
	}
	return strings.Join(parts, "\x1f")
}

// wanted says whether a metric passes the filters. Every dimension of the filter must be there, with its value where one is given.
func wanted(in *shapes.ListMetricsInput, id *metrics.ID) bool {
	if in.Namespace != nil && *in.Namespace != id.Namespace || in.MetricName != nil && *in.MetricName != id.Name {
		return false
	}
	for _, f := range in.Dimensions {
		if !slices.ContainsFunc(id.Dimensions, func(d metrics.Dimension) bool { return d.Name == *f.Name && (f.Value == nil || d.Value == *f.Value) }) {
			return false
		}
	}
	return true
}
