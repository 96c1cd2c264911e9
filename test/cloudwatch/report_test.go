package cloudwatch

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/weir-stream/weir/client/report"
	"github.com/weir-stream/weir/internal/clock"
)

// TestReporter shows that what the libraries report of themselves arrives whole: every metric of several calls, with its statistics, under its minute and dimensions.
func TestReporter(t *testing.T) {
	s := begin(t)
	r, err := report.New(report.Options{API: s, Namespace: "Library", Clock: clock.NewManual(minute().Add(20 * time.Second)), Notice: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []float64{3, 8, 4} {
		r.Add("UserRecordsPut", v, types.StandardUnitCount, dimension("StreamName", "orders"))
	}
	r.Add("RequestTime", 12.5, types.StandardUnitMilliseconds)
	for i := range 1100 {
		r.Add(fmt.Sprint("metric-", i), 1, types.StandardUnitCount)
	}
	if err := r.Close(s.ctx); err != nil {
		t.Fatal(err)
	}
	if got, want := s.show("Library", "UserRecordsPut", 60, dimension("StreamName", "orders")), "3 5 15 3 8 Count"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := s.show("Library", "RequestTime", 60), "1 12.5 12.5 12.5 12.5 Milliseconds"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for i := range 1100 {
		if got := s.show("Library", fmt.Sprint("metric-", i), 60); got != "1 1 1 1 1 Count" {
			t.Fatalf("metric %d: %q", i, got)
		}
	}
}
