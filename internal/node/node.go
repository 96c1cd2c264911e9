// Package node puts the parts of Weir together: configuration to a running server, in order, and back in reverse.
//
// It is the only place that knows everyone. What the parts do belongs to them; what people type belongs to cmd/weir.
//
// Read Config, then Start, which is the list of what this binary can do.
package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/internal/api/cloudwatch"
	"github.com/weir-stream/weir/internal/api/dynamodb"
	"github.com/weir-stream/weir/internal/api/kinesis"
	"github.com/weir-stream/weir/internal/api/s3"
	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/blob/store"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/console"
	"github.com/weir-stream/weir/internal/controller"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/delivery"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/functions"
	"github.com/weir-stream/weir/internal/functions/mapping"
	reported "github.com/weir-stream/weir/internal/metrics"
	"github.com/weir-stream/weir/internal/quota"
	"github.com/weir-stream/weir/internal/quota/meter"
	"github.com/weir-stream/weir/internal/readers"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/streams/elastic"
	"github.com/weir-stream/weir/internal/tables"
	"github.com/weir-stream/weir/internal/vfs"
)

// Names inside the data directory.
const (
	logDir     = datadir.Log
	controlDir = datadir.Control
	secretName = datadir.Secret
)

// controlLog is the log of the control plane: the first of the system's own.
var controlLog = commitlog.ID{}

// consoleDrain is how long a look at the console may take when the node stops.
const consoleDrain = time.Second

// invocationDrain is how long functions that were given records of a stream, and deliveries, may take to end when the node stops. Records of those that take longer are given again after
// the restart.
const invocationDrain = 10 * time.Second

// Node is a running server.
type Node struct {
	config  Config
	logger  *slog.Logger
	metrics *metrics
	closers []func() error // in the order of making; closed in reverse

	quota        *quota.Table
	disk         *vfs.Faulty // nil but in tests of faults
	pins         *pins
	started      time.Time // real time
	damages      damageNotes
	store        *disklog.Store
	control      *controller.Controller
	streams      *streams.Streams
	tables       *tables.Engine
	objects      *store.Store
	scaler       *elastic.Scaler
	functions    *functions.Functions
	functionsDir string // of the machine; empty when functions cannot run here
	// functionsBound is what bounds functions. Set at start.
	functionsBound console.FunctionsStatus
	mappings       *mapping.Engine
	consumed       *readers.Checkpoints
	delivery       *delivery.Engine
	calls          inFlight
	edge           *edge.Edge
	console        net.Listener // nil when off

	naming   atomic.Pointer[controller.Controller] // control as soon as it is open: the store reports from before that, and from any goroutine
	delivers atomic.Pointer[delivery.Engine]       // delivery, likewise

	incarnation atomic.Uint64 // how often the data directory has been opened
	refusing    atomic.Bool   // appends fail because the disk is full or broken

	stopEdge func() // begins the drain
	edgeDone chan struct{}
	stopRest func()
	rest     sync.WaitGroup // everything that runs behind the edge

	stop sync.Once
	done chan struct{} // closed when everything has stopped; its closer is shutdown
	mu   sync.Mutex
	err  error // why the node ended by itself
}

// Start brings a node up: when it returns, the ports answer. Stop it, or wait for Done.
//
// Conflict when another process has the data directory; Denied when an address is open to others and there are no keys; Corrupt
// when what is on disk is not what was written.
func Start(ctx context.Context, config Config) (_ *Node, err error) {
	n := &Node{config: config, logger: config.Logger, metrics: newMetrics(), started: time.Now().UTC(), edgeDone: make(chan struct{}), done: make(chan struct{})}
	if n.logger == nil {
		n.logger = slog.Default()
	}
	defer func() {
		if err != nil {
			_ = n.close() // the first error counts
		}
	}()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if n.quota, err = quota.New(config.Quotas); err != nil {
		return nil, err
	}
	if _, err := os.Stat(config.DataDir); errors.Is(err, os.ErrNotExist) { // there are no keys either, and a refusal leaves no directory behind
		if err := config.checkListen(false); err != nil {
			return nil, err
		}
	}
	osFS, err := vfs.NewOS(config.DataDir)
	if err != nil {
		return nil, err
	}
	keys, err := n.openKeys(osFS)
	if err != nil {
		return nil, err
	}
	fs := osFS
	if config.Faults != "" {
		n.disk = vfs.NewFaulty(osFS)
		fs = n.disk
	}
	now, testClock, testStart := n.clock()
	if err := n.openStore(ctx, fs, now); err != nil {
		return nil, err
	}
	if n.pins, err = openPins(fs, config.DataDir, n.store, now); err != nil {
		return nil, err
	}
	if err := n.openControl(ctx, fs, now, testClock, testStart); err != nil {
		return nil, err
	}
	secret, err := loadSecret(fs)
	if err != nil {
		return nil, err
	}
	masters, err := n.openMasters(osFS)
	if err != nil {
		return nil, err
	}
	if err := n.openObjects(ctx, fs, now, testClock != nil); err != nil {
		return nil, err
	}
	options := streams.Options{Store: n.store, Control: n.control, Clock: now, Secret: secret, Random: rand.Reader, Keys: masters}
	if config.limited() {
		options.Limits = meter.LimitsOf(n.quota)
	}
	n.streams, err = streams.New(options)
	if err != nil {
		return nil, err
	}
	n.metrics.registry.MustRegister(&kinesisMetrics{control: n.control, streams: n.streams, clock: now})
	n.metrics.watchStreams(n.streams)
	n.scaler = elastic.New(elastic.Options{Control: n.control, Traffic: n.streams.Traffic, Clock: now, Quota: n.quota, Logger: n.logger})
	n.tables, err = tables.Open(ctx, tables.Options{Store: n.store, FS: fs, Dir: datadir.Tables, SnapshotEvery: config.SnapshotEvery, Clock: now, TestClock: testClock != nil, Random: rand.Reader, Logger: n.logger})
	if err != nil {
		return nil, err
	}
	n.closers = append(n.closers, n.tables.Close)
	auditLog, err := n.openAudit(fs)
	if err != nil {
		return nil, err
	}
	lambdaAPI, err := n.openFunctions(ctx, fs, now, keys, auditLog)
	if err != nil {
		return nil, err
	}
	firehoseAPI, err := n.openDelivery(ctx, fs, now, auditLog)
	if err != nil {
		return nil, err
	}
	dynamo := dynamodb.New(dynamodb.Options{Tables: n.tables, Clock: now, Audit: auditLog, Secret: secret, Logger: n.logger})
	clients := reported.New(reported.Options{Clock: now})
	n.metrics.registry.MustRegister(&reportedMetrics{clients})
	services := []edge.Service{
		dynamo, dynamo.Streams(), lambdaAPI, firehoseAPI,
		cloudwatch.New(cloudwatch.Options{Metrics: clients, Clock: now, Audit: auditLog, Logger: n.logger}),
		kinesis.New(kinesis.Options{Streams: n.streams, Control: n.control, Clock: now, Keys: masters, Audit: auditLog, Logger: n.logger, Quota: n.quota, Limited: config.limited()}),
		s3.New(s3.Options{Store: n.objects, Clock: now, Audit: auditLog, Logger: n.logger}), // last: without a signature it takes what the others leave
	}
	if err := n.openEdge(osFS, keys, services); err != nil {
		return nil, err
	}
	if err := n.openConsole(); err != nil {
		return nil, err
	}
	n.run(testClock, auditLog)
	if config.Faults == diskFull {
		n.disk.Add(vfs.Rule{Op: vfs.OpWrite | vfs.OpAllocate | vfs.OpCreate, Times: -1, Err: vfs.ErrNoSpace})
	}
	return n, nil
}

// clock is the node's time: the system's, or one that stands still. A test clock stands at 1970 until the control log says where it was left.
func (n *Node) clock() (now clock.Clock, test *clock.Manual, start time.Time) {
	if n.config.TestClock == "" {
		return clock.Real, nil, time.Time{}
	}
	test = clock.NewManual(time.Unix(0, 0))
	start = time.Now().UTC()
	if n.config.TestClock != "now" {
		start, _ = time.Parse(time.RFC3339, n.config.TestClock) // Validate has parsed it
	}
	return test, test, start
}

// A server that was killed may have left a process of a function's that was on its way from fork to exec: it has the directory's lock, too, for some milliseconds more, and a restart right
// after the kill must not fail for that. What holds the lock for longer is another server.
const (
	lockPatience = time.Second
	lockLook     = 10 * time.Millisecond
)

func (n *Node) openStore(ctx context.Context, fs vfs.FS, now clock.Clock) error {
	durability, err := n.config.durability()
	if err != nil {
		return err
	}
	for until := time.Now().Add(lockPatience); ; {
		n.store, err = disklog.Open(disklog.Options{FS: fs, Dir: logDir, Clock: now, DeviceClock: clock.Real, Durability: durability, OnEvent: n.observeLog})
		if !fault.Is(err, fault.Conflict) || time.Now().After(until) || clock.Sleep(ctx, clock.Real, lockLook) != nil {
			break
		}
	}
	if err != nil {
		return fault.Wrap(err, "open %s", n.config.DataDir)
	}
	n.closers = append(n.closers, n.store.Close)
	n.metrics.watchStore(n.store)
	n.metrics.watchDisk(fs)
	return n.store.Create(ctx, controlLog, commitlog.Config{})
}

func (n *Node) openControl(ctx context.Context, fs vfs.FS, now clock.Clock, test *clock.Manual, testStart time.Time) error {
	log, err := n.store.Open(ctx, controlLog)
	if err != nil {
		return err
	}
	var session [8]byte
	if _, err := rand.Read(session[:]); err != nil {
		return fault.As(fault.Internal, err, "session id")
	}
	n.control, err = controller.Open(ctx, controller.Options{
		Log: log, FS: fs, Dir: controlDir, Clock: now, Session: binary.BigEndian.Uint64(session[:]) | 1,
		TestClock: test, TestClockStart: testStart, Quota: n.quota, Logger: n.logger,
	})
	if err != nil {
		return fault.Wrap(err, "control plane")
	}
	n.naming.Store(n.control)
	return nil
}

// loadSecret reads the secret of this data directory, or makes it.
func loadSecret(fs vfs.FS) ([]byte, error) {
	const size = datadir.SecretBytes
	secret, err := secretfile.Read(fs, secretName, size)
	if fault.Is(err, fault.NotFound) {
		secret = make([]byte, size)
		if _, err := rand.Read(secret); err != nil {
			return nil, fault.As(fault.Internal, err, "make %s", secretName)
		}
		return secret, secretfile.Replace(fs, secretName, secret)
	}
	if err == nil && len(secret) != size {
		err = fault.New(fault.Corrupt, "%s has %d bytes instead of %d", secretName, len(secret), size)
	}
	return secret, err
}

// openKeys reads the access keys, and refuses the addresses that they are too few for.
func (n *Node) openKeys(fs vfs.FS) (*auth.Store, error) {
	keys, err := auth.OpenStore(fs, clock.Real, nil)
	if err != nil {
		return nil, err
	}
	hasKeys, err := keys.Has()
	if err != nil {
		return nil, err
	}
	if err := n.config.checkListen(hasKeys); err != nil {
		return nil, err
	}
	if !hasKeys && !n.config.Dev {
		n.logger.Warn("there are no access keys: every request is refused until weir keys create makes one", "data_dir", n.config.DataDir)
	}
	return keys, nil
}

func (n *Node) openEdge(fs vfs.FS, keys *auth.Store, services []edge.Service) error {
	options := edge.Options{Listen: n.config.Listen, TLSListen: n.config.TLSListen, Auth: auth.NewKeys(keys), Observe: n.metrics.observeRequest, Logger: n.logger}
	options.ConnectionsMax = n.connectionsMax()
	if n.config.Dev {
		options.Auth = auth.Any{}
	}
	for _, service := range services {
		options.Services = append(options.Services, counted{service, &n.calls, n.config.TestClock != ""})
	}
	var err error
	if n.config.TLSListen != "" {
		var names []string
		if host, err := os.Hostname(); err == nil {
			names = append(names, host)
		}
		if options.TLS, err = edge.OpenAuthority(fs, clock.Real, nil, names); err != nil {
			return err
		}
	}
	if n.edge, err = edge.Open(options); err != nil {
		return err
	}
	n.closers = append(n.closers, func() error { n.edge.Close(); return nil })
	return nil
}

func (n *Node) openConsole() error {
	if n.config.ConsoleListen == "" {
		return nil
	}
	listener, err := net.Listen("tcp", n.config.ConsoleListen)
	if err != nil {
		return fault.As(fault.Unavailable, err, "console")
	}
	n.console = listener
	n.closers = append(n.closers, func() error { listener.Close(); return nil })
	return nil
}

// run starts everything that runs. The edge has a context of its own, so that it drains while what stands behind it still works.
func (n *Node) run(testClock *clock.Manual, auditLog *audit.Log) {
	edgeCtx, stopEdge := context.WithCancel(context.Background())
	restCtx, stopRest := context.WithCancel(context.Background())
	n.stopEdge, n.stopRest = stopEdge, stopRest

	n.rest.Go(func() { n.ended(restCtx, "control plane", n.control.Run(restCtx)) })
	n.rest.Go(func() { n.ended(restCtx, "objects", n.objects.Run(restCtx)) })
	n.rest.Go(func() { n.ended(restCtx, "streams", n.streams.Run(restCtx, n.logger)) })
	n.rest.Go(func() { n.ended(restCtx, "tables", n.tables.Run(restCtx)) })
	n.rest.Go(func() { n.ended(restCtx, "scaling", n.scaler.Run(restCtx)) })
	n.rest.Go(func() { n.ended(restCtx, "functions", n.functions.Run(restCtx)) })
	n.rest.Go(func() { n.ended(restCtx, "checkpoints", n.consumed.Run(restCtx)) })
	n.rest.Go(func() { n.ended(restCtx, "event source mappings", n.mappings.Run(restCtx)) })
	n.rest.Go(func() { n.ended(restCtx, "delivery streams", n.delivery.Run(restCtx)) })
	if auditLog != nil {
		n.rest.Go(func() { n.ended(restCtx, "audit log", auditLog.Run(restCtx)) })
	}
	if n.console != nil {
		options := console.Options{Metrics: n.metrics.registry, Health: n.health, Masters: n.streams, Pin: n.pins.pin, Status: n.status}
		if testClock != nil {
			options.Clock = &steppedClock{node: n, clock: testClock}
		}
		server := &http.Server{
			Handler: console.New(options), ReadHeaderTimeout: 10 * time.Second,
			BaseContext: func(net.Listener) context.Context { return restCtx }, // what waits there ends with the node
		}
		n.rest.Go(func() {
			if err := server.Serve(n.console); err != http.ErrServerClosed {
				n.ended(restCtx, "console", err)
			}
		})
		n.rest.Go(func() {
			<-restCtx.Done()
			drain, cancel := context.WithTimeout(context.Background(), consoleDrain)
			defer cancel()
			if server.Shutdown(drain) != nil {
				_ = server.Close()
			}
		})
	}
	go func() {
		defer close(n.edgeDone)
		n.ended(edgeCtx, "edge", n.edge.Run(edgeCtx))
	}()
}

// ended notes that a part stopped by itself, and takes the node down with it.
func (n *Node) ended(ctx context.Context, part string, err error) {
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		err = fault.New(fault.Internal, "stopped without being told to")
	}
	n.mu.Lock()
	if n.err == nil {
		n.err = fault.Wrap(err, "%s", part)
	}
	n.mu.Unlock()
	n.logger.Error("the node stops because a part of it did", "part", part, "err", err)
	go n.shutdown()
}

// shutdown takes the parts down: functions end what they were given and objects under way are put, then the edge drains, since it is there that they reach streams and tables, then what stands behind
// it stops, then the store closes.
func (n *Node) shutdown() {
	n.stop.Do(func() {
		halt, cancel := context.WithTimeout(context.Background(), invocationDrain)
		var halting sync.WaitGroup
		halting.Go(func() { n.delivery.Halt(halt) })
		n.mappings.Halt(halt)
		halting.Wait()
		cancel()
		n.stopEdge()
		<-n.edgeDone
		n.stopRest()
		n.rest.Wait()
		if err := n.close(); err != nil {
			n.mu.Lock()
			if n.err == nil {
				n.err = err
			}
			n.mu.Unlock()
		}
		close(n.done)
	})
}

// close closes what was opened, the last first, and gives the first error.
func (n *Node) close() error {
	var first error
	for i := len(n.closers) - 1; i >= 0; i-- {
		if err := n.closers[i](); err != nil && first == nil {
			first = err
		}
	}
	n.closers = nil
	return first
}

// Stop drains and closes the node, and waits until nothing of it runs, or ctx ends. What was acknowledged is on disk before and after.
func (n *Node) Stop(ctx context.Context) error {
	go n.shutdown()
	select {
	case <-n.done:
		return n.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Done is closed when the node has stopped, by Stop or by itself.
func (n *Node) Done() <-chan struct{} { return n.done }

// Err is why the node stopped by itself, or could not close cleanly.
func (n *Node) Err() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

// Addr is where the API answers without TLS, as host:port; empty when it does not.
func (n *Node) Addr() string { return addrText(n.edge.Addr()) }

// TLSAddr is where the API answers over TLS, as host:port; empty when it does not.
func (n *Node) TLSAddr() string { return addrText(n.edge.TLSAddr()) }

// ConsoleAddr is where the console answers, as host:port; empty when it does not.
func (n *Node) ConsoleAddr() string {
	if n.console == nil {
		return ""
	}
	return addrText(n.console.Addr())
}

func addrText(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	return addr.String()
}

// health is what the console says of the node.
func (n *Node) health(context.Context) (console.Health, error) {
	err := n.Err()
	if err == nil && n.refusing.Load() {
		err = fault.New(fault.Full, "puts are refused: the disk is full or cannot be written")
	}
	return console.Health{Version: Version(), Incarnation: n.incarnation.Load(), Streams: n.control.State().Len()}, err
}
