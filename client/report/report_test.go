package report_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"

	"github.com/weir-stream/weir/client/report"
	"github.com/weir-stream/weir/internal/clock"
)

var start = time.Date(2026, 11, 27, 12, 0, 30, 0, time.UTC)

// cloud is a CloudWatch that remembers, and fails when told to.
type cloud struct {
	mu    sync.Mutex
	calls [][]string
	fail  []error       // for the next calls
	said  chan struct{} // one for each call; capacity of a test's calls
}

func (c *cloud) PutMetricData(_ context.Context, in *cloudwatch.PutMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.PutMetricDataOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { c.said <- struct{}{} }()
	if len(c.fail) > 0 {
		err := c.fail[0]
		c.fail = c.fail[1:]
		if err != nil {
			return nil, err
		}
	}
	var lines []string
	for _, d := range in.MetricData {
		line := fmt.Sprintf("%s %s %s", d.Timestamp.Format("15:04:05"), *d.MetricName, d.Unit)
		for _, dim := range d.Dimensions {
			line += " " + *dim.Name + "=" + *dim.Value
		}
		lines = append(lines, fmt.Sprintf("%s: %v %v %v %v", line, *d.StatisticValues.SampleCount, *d.StatisticValues.Sum, *d.StatisticValues.Minimum, *d.StatisticValues.Maximum))
	}
	slices.Sort(lines)
	c.calls = append(c.calls, lines)
	return &cloudwatch.PutMetricDataOutput{}, nil
}

func (c *cloud) lines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Concat(c.calls...)
}

func begin(t *testing.T, opts report.Options) (*report.Reporter, *cloud, *clock.Manual) {
	t.Helper()
	c, m := &cloud{said: make(chan struct{}, 100)}, clock.NewManual(start)
	opts.API, opts.Clock = c, m
	if opts.Namespace == "" {
		opts.Namespace = "test"
	}
	r, err := report.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close(context.Background()) })
	return r, c, m
}

func dim(name, value string) types.Dimension {
	return types.Dimension{Name: aws.String(name), Value: aws.String(value)}
}

// Shows what is gathered into one set and what is not, and that sending happens when the time has come, without anybody asking.
func TestGathersByMetricAndMinute(t *testing.T) {
	r, c, m := begin(t, report.Options{})
	r.Add("Puts", 3, types.StandardUnitCount, dim("Stream", "a"))
	r.Add("Puts", 5, types.StandardUnitCount, dim("Stream", "a"))
	r.Add("Puts", 7, types.StandardUnitCount, dim("Stream", "b"))
	r.Add("Puts", 1, types.StandardUnitBytes, dim("Stream", "a"))
	r.Add("Puts", 2, types.StandardUnitCount)
	r.AddSet("Puts", report.Set{Count: 2, Sum: -4, Min: -9, Max: 5}, types.StandardUnitCount, dim("Stream", "a"))
	r.AddSet("Puts", report.Set{}, types.StandardUnitCount, dim("Stream", "c"))
	m.BlockUntil(1)
	m.Advance(40 * time.Second) // the next minute has begun, and it is not yet time to send
	r.Add("Puts", 11, types.StandardUnitCount, dim("Stream", "a"))
	if got := c.lines(); got != nil {
		t.Fatalf("sent early: %q", got)
	}
	m.Advance(20 * time.Second)
	<-c.said
	want := []string{
		"12:00:00 Puts Bytes Stream=a: 1 1 1 1",
		"12:00:00 Puts Count Stream=a: 4 4 -9 5",
		"12:00:00 Puts Count Stream=b: 1 7 7 7",
		"12:00:00 Puts Count: 1 2 2 2",
		"12:01:00 Puts Count Stream=a: 1 11 11 11",
	}
	if got := c.lines(); !slices.Equal(got, want) {
		t.Errorf("sent\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Shows that a call holds 1000 metrics and less than 1 MB, and that everything goes.
func TestCallsAreBounded(t *testing.T) {
	r, c, _ := begin(t, report.Options{})
	for i := range 2100 {
		r.Add(fmt.Sprint("m", i), 1, types.StandardUnitCount)
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, call := range c.calls {
		sizes = append(sizes, len(call))
	}
	if !slices.Equal(sizes, []int{1000, 1000, 100}) {
		t.Errorf("calls of %v", sizes)
	}
	c.calls = nil
	long := strings.Repeat("v", 255)
	for i := range 1000 {
		r.Add(fmt.Sprint("m", i), 1, types.StandardUnitCount, dim("a", long), dim("b", long), dim("c", long))
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(c.lines()) != 1000 || len(c.calls) != 2 {
		t.Errorf("%d metrics in %d calls", len(c.lines()), len(c.calls))
	}
}

// Shows which failures keep the metrics for the next time, once and added to what came since, and which lose them and say so.
func TestFailures(t *testing.T) {
	var said []string
	r, c, _ := begin(t, report.Options{Notice: func(err error) { said = append(said, err.Error()) }})
	r.Add("m", 1, types.StandardUnitCount)
	c.fail = []error{errors.New("connection refused"), &smithy.GenericAPIError{Code: "ThrottlingException"}}
	for range 2 {
		if err := r.Flush(t.Context()); err == nil {
			t.Fatal("a failure is silent")
		}
		r.Add("m", 2, types.StandardUnitCount)
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.lines(); !slices.Equal(got, []string{"12:00:00 m Count: 3 5 1 2"}) {
		t.Errorf("sent %q", got)
	}
	r.Add("m", 1, types.StandardUnitCount)
	c.fail = []error{&smithy.GenericAPIError{Code: "InvalidParameterValue", Fault: smithy.FaultClient}}
	if err := r.Flush(t.Context()); err == nil || r.Dropped() != 1 {
		t.Errorf("error %v, %d lost", err, r.Dropped())
	}
	if err := r.Flush(t.Context()); err != nil || len(c.lines()) != 1 {
		t.Errorf("error %v; sent again: %q", err, c.lines())
	}
	if len(said) != 3 || !strings.Contains(said[0], "kept: connection refused") || !strings.Contains(said[2], "lost") {
		t.Errorf("Notice was told %q", said)
	}
}

// Shows that what does not fit is dropped, counted and told, and what is there goes on.
func TestCapacity(t *testing.T) {
	r, c, _ := begin(t, report.Options{Capacity: 2})
	for i := range 5 {
		r.Add(fmt.Sprint("m", i%3), 1, types.StandardUnitCount)
	}
	r.Add("m0", math.NaN(), types.StandardUnitCount)
	r.Add("m1", math.Inf(1), types.StandardUnitCount)
	if err := r.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "3 measurements were dropped") || r.Dropped() != 3 {
		t.Errorf("error %v, %d dropped", err, r.Dropped())
	}
	if got := c.lines(); !slices.Equal(got, []string{"12:00:00 m0 Count: 2 2 1 1", "12:00:00 m1 Count: 2 2 1 1"}) {
		t.Errorf("sent %q", got)
	}
}

// Shows that Close sends the rest, that Add afterwards does nothing, and that no Reporter at all is one that does nothing.
func TestClose(t *testing.T) {
	r, c, _ := begin(t, report.Options{})
	r.Add("m", 1, types.StandardUnitCount)
	for range 2 {
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.Add("m", 1, types.StandardUnitCount)
	if err := r.Flush(t.Context()); err != nil || len(c.lines()) != 1 {
		t.Errorf("error %v, sent %q", err, c.lines())
	}
	var none *report.Reporter
	none.Add("m", 1, types.StandardUnitCount)
	if none.Flush(t.Context()) != nil || none.Close(t.Context()) != nil || none.Dropped() != 0 {
		t.Error("nil does something")
	}
}

// Shows that everything that is wrong is said at once, by name.
func TestOptions(t *testing.T) {
	_, err := report.New(report.Options{Namespace: "AWS/Kinesis", Every: -1, Capacity: -1})
	for _, name := range []string{"API", "Namespace", "Every", "Capacity"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
}

// Shows that a measurement of a metric that is known costs no allocation.
func TestAddDoesNotAllocate(t *testing.T) {
	r, _, _ := begin(t, report.Options{})
	dims := []types.Dimension{dim("StreamName", "orders"), dim("ShardId", "shardId-000000000000")}
	r.Add("m", 1, types.StandardUnitCount, dims...)
	if n := testing.AllocsPerRun(100, func() { r.Add("m", 1, types.StandardUnitCount, dims...) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
