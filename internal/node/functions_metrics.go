package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-stream/weir/internal/functions"
	"github.com/weir-stream/weir/internal/sandbox"
)

// functionMetrics is what the node counts of functions.
type functionMetrics struct {
	invocations *prometheus.CounterVec
	seconds     prometheus.Histogram
	coldSeconds prometheus.Histogram
}

func newFunctionMetrics(registry *prometheus.Registry) *functionMetrics {
	m := &functionMetrics{
		invocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_function_invocations_total",
			Help: "Tries to run a function, by what came of them: answered, failed (the function's own), throttled, or not_run for reasons of the server. A rise of not_run is ours to mend.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "weir_function_seconds", Help: "Time from handing an event to a function to its answer. A rise is the functions'.",
			Buckets: prometheus.ExponentialBuckets(0.001, 3, 12),
		}),
		coldSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "weir_function_init_seconds", Help: "Time that a new process took until it asked for its first event. A rise means a busy machine, or functions that load more.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 10),
		}),
	}
	registry.MustRegister(m.invocations, m.seconds, m.coldSeconds)
	return m
}

// observe counts a try to run a function.
func (m *functionMetrics) observe(t functions.Try) {
	m.invocations.WithLabelValues(string(t.Outcome)).Inc()
	if t.Outcome == functions.Answered || t.Outcome == functions.FunctionFailed {
		m.seconds.Observe(t.Duration.Seconds())
	}
	if t.Cold {
		m.coldSeconds.Observe(t.Init.Seconds())
	}
}

// watchFunctions adds what functions know at any time.
func (m *metrics) watchFunctions(f *functions.Functions, pool *sandbox.Pool) {
	for _, g := range []struct {
		name, help string
		value      func() float64
	}{
		{"weir_function_processes", "Processes of functions, warm ones included.", func() float64 { return float64(pool.Stats().Processes) }},
		{"weir_function_processes_idle", "Warm processes of functions that have nothing to do.", func() float64 { return float64(pool.Stats().Idle) }},
		{"weir_function_callers_waiting", "Invocations that wait for a process to become free. Above none for long, the machine is too small for its functions.", func() float64 { return float64(pool.Stats().Waiting) }},
		{"weir_function_events_waiting", "Asynchronous events that are not done: due, running, or waiting for another try. Growing, functions fail or are throttled.", func() float64 { return float64(f.Waiting()) }},
	} {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help}, g.value))
	}
}
