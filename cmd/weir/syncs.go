package main

import (
	"bufio"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
)

// syncMetric is the histogram of how long a write and sync of the journal took.
const syncMetric = "weir_disklog_sync_seconds"

// syncFigures is what a histogram of syncs says.
type syncFigures struct {
	count    int64
	p50, p99 time.Duration // the upper bound of the bucket that holds it
}

// String is the figures for people.
func (s syncFigures) String() string {
	if s.count == 0 {
		return "no syncs yet"
	}
	return fmt.Sprintf("%s fsyncs   half within %s, 99 %% within %s", countText(s.count), durationText(s.p50), durationText(s.p99))
}

// parseSyncs finds the histogram in Prometheus's text format.
func parseSyncs(metrics string) syncFigures {
	counts := map[float64]float64{} // by upper bound, those below it included
	for lines := bufio.NewScanner(strings.NewReader(metrics)); lines.Scan(); {
		rest, found := strings.CutPrefix(lines.Text(), syncMetric+"_bucket{")
		if !found {
			continue
		}
		labels, value, _ := strings.Cut(rest, "} ")
		_, bound, _ := strings.Cut(labels, `le="`)
		bound, _, _ = strings.Cut(bound, `"`)
		le, err1 := strconv.ParseFloat(bound, 64)
		n, err2 := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err1 == nil && err2 == nil {
			counts[le] += n
		}
	}
	bounds := make([]float64, 0, len(counts))
	for le := range counts {
		bounds = append(bounds, le)
	}
	sort.Float64s(bounds)
	total := counts[math.Inf(1)]
	at := func(part float64) time.Duration {
		largest := 0.0
		for _, le := range bounds {
			if !math.IsInf(le, 1) {
				largest = le
			}
			if counts[le] >= part*total {
				break
			}
		}
		return time.Duration(largest * float64(time.Second))
	}
	return syncFigures{count: int64(total), p50: at(0.5), p99: at(0.99)}
}
