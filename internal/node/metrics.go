package node

import (
	"math"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/vfs"
)

// metrics is what the node counts, on a registry of its own so that two nodes in one process do not mix. The parts report typed events;
// this is where they become figures.
type metrics struct {
	registry *prometheus.Registry

	requests       *prometheus.CounterVec
	requestSeconds *prometheus.HistogramVec
	bytesIn        *prometheus.CounterVec
	bytesOut       *prometheus.CounterVec

	syncSeconds prometheus.Histogram
	syncBytes   prometheus.Counter
	appends     prometheus.Counter
	layouts     prometheus.Counter
	merges      prometheus.Counter
	dropped     prometheus.Counter
	refusing    prometheus.Gauge
	behind      *prometheus.CounterVec
	damages     prometheus.Counter
	passedOver  prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_requests_total", Help: "Requests answered. A rise in status 5xx is ours to mend, in 4xx the clients'.",
		}, []string{"service", "operation", "status", "error"}),
		requestSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_request_seconds", Help: "Time from a request's header to the end of its answer. A rise of puts alone points at the disk.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 2.5, 12),
		}, []string{"service", "operation"}),
		bytesIn: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_request_bytes_total", Help: "Bytes of request bodies received.",
		}, []string{"service", "operation"}),
		bytesOut: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_response_bytes_total", Help: "Bytes of answers sent.",
		}, []string{"service", "operation"}),
		syncSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "weir_disklog_sync_seconds", Help: "Time to write and sync one block of the journal. It is the floor under every put; a rise means a slow or busy device.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16),
		}),
		syncBytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_disklog_sync_bytes_total", Help: "Bytes written to the journal.",
		}),
		appends: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_disklog_appends_total", Help: "Batches and control frames written to the journal. Divided by the count of weir_disklog_sync_seconds it is how many share a sync.",
		}),
		layouts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_disklog_layouts_total", Help: "Times that a full journal was laid out as segments.",
		}),
		merges: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_disklog_merges_total", Help: "Times that small or half-dead segments became one.",
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_disklog_dropped_segments_total", Help: "Segments deleted because retention, trimming or deletion left nothing in them.",
		}),
		refusing: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "weir_disklog_refusing", Help: "1 while appends are refused because the disk is full or broken; then make room or mend it. Reads go on.",
		}),
		behind: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_disklog_behind_total", Help: "Background work that failed and will be tried again. Growing for minutes, it leads to throttled puts.",
		}, []string{"work"}),
		damages: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_disklog_damages_total", Help: "Reads that met bytes which are not what was written. Any rise means a failing device; the log says where.",
		}),
		passedOver: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_disklog_passed_over_total", Help: "Reads that went on behind records that weir doctor --repair had given up; the log says where.",
		}),
	}
	m.registry.MustRegister(m.passedOver, m.requests, m.requestSeconds, m.bytesIn, m.bytesOut, m.syncSeconds, m.syncBytes, m.appends, m.layouts, m.merges, m.dropped,
		m.refusing, m.behind, m.damages, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// watchStore adds what the store knows at any time.
func (m *metrics) watchStore(store *disklog.Store) {
	for _, g := range []struct {
		name, help string
		value      func(disklog.Stats) float64
	}{
		{"weir_disklog_journal_bytes", "Bytes in the journal, which are also in memory. At its bound, puts wait for the background writer.", func(s disklog.Stats) float64 { return float64(s.JournalBytes) }},
		{"weir_disklog_segments", "Segment files.", func(s disklog.Stats) float64 { return float64(s.Segments) }},
		{"weir_disklog_logs", "Logs: one for each shard, and the system's own.", func(s disklog.Stats) float64 { return float64(s.Logs) }},
	} {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help}, func() float64 { return g.value(store.Stats()) }))
	}
}

// watchDisk adds the room of the device, where the system tells.
func (m *metrics) watchDisk(fs vfs.FS) {
	if _, _, err := vfs.Free(fs); err != nil {
		return
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "weir_disk_free_bytes", Help: "Room on the device of the data directory. At none, puts are refused.",
	}, func() float64 {
		free, _, err := vfs.Free(fs)
		if err != nil {
			return math.NaN()
		}
		return float64(free)
	}), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "weir_disk_bytes", Help: "Size of the device of the data directory.",
	}, func() float64 {
		_, total, err := vfs.Free(fs)
		if err != nil {
			return math.NaN()
		}
		return float64(total)
	}))
}

// watchStreams adds what the streams know at any time.
func (m *metrics) watchStreams(s *streams.Streams) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "weir_subscriptions", Help: "SubscribeToShard calls that are being pushed records: one for each consumer and shard that is read. A fall means consumers that are gone.",
	}, func() float64 { return float64(s.Subscriptions()) }))
}

func (m *metrics) observeRequest(e edge.Event) {
	m.requests.WithLabelValues(e.Service, e.Operation, strconv.Itoa(e.Status), e.ErrorCode).Inc()
	m.requestSeconds.WithLabelValues(e.Service, e.Operation).Observe(e.Duration.Seconds())
	m.bytesIn.WithLabelValues(e.Service, e.Operation).Add(float64(e.BytesIn))
	m.bytesOut.WithLabelValues(e.Service, e.Operation).Add(float64(e.BytesOut))
}

// observeLog turns what the store reports into figures, and into lines for the operator where there is something to do.
func (n *Node) observeLog(event disklog.Event) {
	m := n.metrics
	switch e := event.(type) {
	case disklog.Opened:
		n.incarnation.Store(e.Incarnation)
		n.logger.Info("log opened", "incarnation", e.Incarnation, "logs", e.Logs, "segments", e.Segments, "replayed_bytes", e.Replayed, "torn_bytes", e.Torn, "duration", e.Duration)
	case disklog.Synced:
		m.syncSeconds.Observe(e.Duration.Seconds())
		m.syncBytes.Add(float64(e.Bytes))
		m.appends.Add(float64(e.Appends))
	case disklog.LaidOut:
		m.layouts.Inc()
	case disklog.Merged:
		m.merges.Inc()
	case disklog.Dropped:
		m.dropped.Inc()
	case disklog.Full:
		n.refusing.Store(true)
		m.refusing.Set(1)
		n.logger.Error("the disk is full: puts are refused until there is room", "err", e.Err)
	case disklog.Broken:
		n.refusing.Store(true)
		m.refusing.Set(1)
		n.logger.Error("the journal cannot be written: puts are refused until it can", "err", e.Err)
	case disklog.Healed:
		n.refusing.Store(false)
		m.refusing.Set(0)
		n.logger.Info("puts are taken again")
	case disklog.Behind:
		m.behind.WithLabelValues(e.Work).Inc()
		n.logger.Warn("background work failed and will be tried again", "work", e.Work, "err", e.Err, "in", e.Backoff)
	case disklog.Lost:
		m.damages.Inc()
		n.damages.lost()
		n.logger.Error("a file of the log is missing or damaged: what it held cannot be read until it is restored", "file", e.File, "err", e.Err)
	case disklog.PassedOver:
		m.passedOver.Inc()
		n.damages.pass()
		n.logger.Warn("a reader passed over records that a repair gave up", n.damageAttrs(disklog.Damage{Log: e.Log, From: e.From, To: e.To})...)
	case disklog.Damaged:
		m.damages.Inc()
		n.damages.note(e.Damage, time.Now())
		n.logger.Error("stored bytes are damaged or missing", n.damageAttrs(e.Damage)...)
	}
}

// damageAttrs is what an operator needs to find damage: the stream's name and shard, unless the log is the system's own or its stream is gone or
// not known yet, and the place on disk, unless the file is gone.
func (n *Node) damageAttrs(d disklog.Damage) []any {
	attrs := []any{"log", d.Log.String(), "first_position", d.From, "last_position", d.To - 1}
	if control := n.naming.Load(); control != nil {
		if stream := control.State().StreamByGroup(d.Log.Group); stream != nil {
			attrs = append(attrs, "stream", stream.Name, "account", stream.Account, "region", stream.Region, "shard", streams.ShardID(d.Log.Member))
		}
	}
	if s := n.deliveryOf(d.Log); s != nil {
		attrs = append(attrs, "deliveryStream", s.Name, "account", s.Account, "region", s.Region)
	}
	if d.File != "" {
		attrs = append(attrs, "file", filepath.Join(n.config.DataDir, logDir, d.File), "byte", d.At)
	}
	return attrs
}
