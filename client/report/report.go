// Package report tells CloudWatch what a client program does.
//
// It owns the gathering: measurements become statistic sets, one for each metric and minute, and go out together every so often. What is measured, and
// what it is called, is the caller's; the client is any that has PutMetricData, of the AWS SDK or of a test.
//
// Measuring carries no weight: Add never blocks and never fails, and a nil *Reporter takes everything and does nothing.
//
// Read Options, then Reporter.
package report

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/weir-stream/weir/internal/clock"
)

// API is the part of the SDK's client that is used; a *cloudwatch.Client is one.
type API interface {
	PutMetricData(context.Context, *cloudwatch.PutMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.PutMetricDataOutput, error)
}

// Options say where the metrics go and how often.
type Options struct {
	// API takes the metrics. Required.
	API API
	// Namespace is what the metrics are listed under: 1 to 255 characters, not beginning with "AWS/" (API_PutMetricData). Required.
	Namespace string
	// Every is how long measurements are gathered before they are sent. Default one minute, which is the resolution of what is kept.
	Every time.Duration
	// Timeout ends one call of the API. Default 10 s.
	Timeout time.Duration
	// Capacity is how many statistic sets may wait, a metric's minute each. What comes when it is reached is dropped, counted, and told to Notice at
	// the next sending. Default 20,000, about 6 MB.
	Capacity int
	// Notice is told what could not be sent and what was dropped, one call at a time. May be nil.
	Notice func(error)
	// Clock tells which minute it is, and when to send. Default the system's; tests pass their own.
	Clock clock.Clock
}

// Defaults of Options, and what its fields may be at most.
const (
	DefaultEvery    = time.Minute
	DefaultTimeout  = 10 * time.Second
	DefaultCapacity = 20_000

	namespaceCharactersMax = 255 // API_PutMetricData
	dimensionsMax          = 30  // API_MetricDatum
)

func (o Options) withDefaults() (Options, error) {
	var wrong []error
	if o.API == nil {
		wrong = append(wrong, errors.New("API: there is none"))
	}
	if n := len([]rune(o.Namespace)); n == 0 || n > namespaceCharactersMax || strings.HasPrefix(o.Namespace, "AWS/") {
		wrong = append(wrong, fmt.Errorf("%s %.60q: want 1 to %d characters that do not begin with AWS/", "Namespace", o.Namespace, namespaceCharactersMax))
	}
	for _, field := range []struct {
		name  string
		value int64
	}{{"Every", int64(o.Every)}, {"Timeout", int64(o.Timeout)}, {"Capacity", int64(o.Capacity)}} {
		if field.value < 0 {
			wrong = append(wrong, fmt.Errorf("%s is less than nothing", field.name))
		}
	}
	if o.Every == 0 {
		o.Every = DefaultEvery
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Capacity == 0 {
		o.Capacity = DefaultCapacity
	}
	if o.Clock == nil {
		o.Clock = clock.Real
	}
	return o, errors.Join(wrong...)
}

// Reporter gathers measurements and sends them. It is safe for concurrent use; nil is a Reporter that does nothing.
type Reporter struct {
	opts Options

	stop    chan struct{} // closed by Close
	stopped chan struct{} // closed when run has returned
	cancel  context.CancelFunc

	sending chan struct{} // capacity 1: who holds it sends, so that Notice and the API are called one at a time

	mu      sync.Mutex // guards everything below; never held while the API is called
	sets    map[string]*set
	closed  bool
	dropped int64 // since it was last told
	lost    int64 // dropped since the beginning, told or not
}

// set is a metric's statistics of one minute.
type set struct {
	name                 string
	unit                 types.StandardUnit
	dimensions           []types.Dimension
	minute               time.Time
	count, sum, min, max float64
}

// New makes a Reporter and starts to send every so often, until Close. The error says all that is wrong with o at once.
func New(o Options) (*Reporter, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Reporter{
		opts: o, cancel: cancel, stop: make(chan struct{}), stopped: make(chan struct{}), sending: make(chan struct{}, 1), sets: map[string]*set{},
	}
	go r.run(ctx)
	return r, nil
}

// Add takes one measurement. It never blocks. More than 30 dimensions, a value that is no number, or no room left, drops it; drops are counted.
func (r *Reporter) Add(name string, value float64, unit types.StandardUnit, dims ...types.Dimension) {
	r.AddSet(name, Set{Count: 1, Sum: value, Min: value, Max: value}, unit, dims...)
}

// Set is many measurements of one metric: how many, their sum, the smallest and the largest.
type Set struct{ Count, Sum, Min, Max float64 }

// Include adds a measurement.
func (s *Set) Include(value float64) {
	if s.Count == 0 {
		s.Min, s.Max = value, value
	}
	s.Count++
	s.Sum += value
	s.Min, s.Max = min(s.Min, value), max(s.Max, value)
}

// AddSet takes many measurements at once, as Add would one by one. An empty set is nothing.
func (r *Reporter) AddSet(name string, many Set, unit types.StandardUnit, dims ...types.Dimension) {
	if r == nil || many.Count == 0 {
		return
	}
	minute := r.opts.Clock.Now().Truncate(time.Minute)
	var room [256]byte
	key := appendKey(room[:0], minute, name, unit, dims)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	one := r.sets[string(key)]
	if one == nil {
		if len(r.sets) >= r.opts.Capacity || len(dims) > dimensionsMax || !finite(many) {
			r.drop(1)
			return
		}
		one = &set{name: name, unit: unit, dimensions: append([]types.Dimension(nil), dims...), minute: minute, min: many.Min, max: many.Max}
		r.sets[string(key)] = one
	} else if !finite(many) {
		r.drop(1)
		return
	}
	one.count += many.Count
	one.sum += many.Sum
	one.min, one.max = min(one.min, many.Min), max(one.max, many.Max)
}

// drop counts what is lost. The caller holds mu.
func (r *Reporter) drop(n int64) {
	r.dropped += n
	r.lost += n
}

// finite says whether CloudWatch takes the values: no infinity, and nothing that is no number. inf−inf and NaN−NaN are NaN.
func finite(s Set) bool {
	return s.Sum-s.Sum == 0 && s.Min-s.Min == 0 && s.Max-s.Max == 0
}

// appendKey is what tells one set from another.
func appendKey(key []byte, minute time.Time, name string, unit types.StandardUnit, dims []types.Dimension) []byte {
	seconds := uint64(minute.Unix())
	for shift := 0; shift < 64; shift += 8 {
		key = append(key, byte(seconds>>shift))
	}
	key = append(append(append(append(key, name...), 0), unit...), 0)
	for _, d := range dims {
		if d.Name != nil {
			key = append(key, *d.Name...)
		}
		key = append(key, 0)
		if d.Value != nil {
			key = append(key, *d.Value...)
		}
		key = append(key, 0)
	}
	return key
}

// Dropped is how many measurements were lost since New: for want of room, or because CloudWatch did not take them.
func (r *Reporter) Dropped() int64 {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost
}
