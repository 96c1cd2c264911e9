// Package kafkalog keeps the log contract on a cluster that speaks the Kafka protocol.
//
// It owns the mapping of logs to partitions, and what an answer of a broker says about an append. The contract belongs to commitlog, the
// bytes of a batch to commitlog/batch. It is a thin store: one process writes a log at a time, under a lease that somebody else keeps.
//
// What lies where:
//
//	what                               where
//	that a log exists or was deleted,  topic PREFIXlogs, one partition, kept for ever: an ordered list of entries (registry.go), folded in
//	its Config, where it is sealed     memory by every process. A cluster's control log will take this over.
//	a group                            topic PREFIXGROUP, made with its first log and deleted with its last
//	a log                              one partition of its group's topic: the n-th log created in the group has partition n, whatever its Member,
//	                                   because partitions can only be added at the end. The entry's place in the registry decides, so that
//	                                   two processes that create at once agree.
//	a record                           a Kafka record with its timestamp, key, value and headers, and ours: w.s (Member, uvarint) and w.g (the
//	                                   writer's incarnation, uvarint). A position is the offset.
//	a batch                            one Kafka record batch, which Kafka appends whole or not at all
//	Config.Retention                   retention.ms of the topic: the longest of its logs'. Kafka drops whole segments.
//	what is trimmed                    the partition's log start offset, set by DeleteRecords: exact
//	the end of a log                   a marker, a record with header w.c. The registry names the marker that counts.
//
// Kafka cannot seal a partition. Seal lets nothing of this process be under way, appends a marker with acks=all, and enters its offset in the
// registry: that is the end. What a former writer's connection still delivers lands in front of the marker, where it is visible and of
// unknown outcome, or behind it, where nobody ever looks. Readers see neither markers nor records with another log's w.s, and get
// w.s and w.g taken off: these names are reserved.
//
// Appends do not go through kgo's producer, which may cut the records of one call into two Kafka batches. They are produce requests of
// exactly one batch, acks=all, with a producer id and sequence for each log, so that asking again after a lost answer cannot append twice
// (produce.go). One is under way in each log at a time.
//
// Waits on the network take real time and are bounded: see Options. The injected clock stamps only markers and registry entries.
//
// Read Store, then log.go, then produce.go.
package kafkalog

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

// Options says which cluster, and under which names.
type Options struct {
	// Seeds are brokers to begin with, host:port.
	Seeds []string
	// Prefix begins the name of every topic, and sets one Weir apart from another on the same cluster.
	Prefix string
	Lease  commitlog.Lease
	Clock  clock.Clock
	// Replication is the replication factor of new topics; 0 leaves it to the cluster's default.
	Replication int16
	// Timeout is how long one call may take before it is Unavailable, waits for records excepted; 0 means 4 s: longer than a leader's
	// election, shorter than the patience of an HTTP client.
	Timeout time.Duration
	// Client is what else the connection needs: TLS, SASL, a dialer. It must not set what an application does with Kafka.
	Client []kgo.Opt
}

const (
	timeoutDefault = 4 * time.Second
	pauseFirst     = 10 * time.Millisecond // before asking again, doubled each time …
	pauseMost      = 50 * time.Millisecond // … up to this: a leader is elected in less
	pollEvery      = 50 * time.Millisecond // how often Wait looks for what other processes appended
	messageBytes   = 16 << 20              // max.message.bytes of our topics: a batch with a record of 10 MiB, and company
	fetchBytesMost = 50 << 20              // the most asked for at once, as of Kafka's own clients (fetch.max.bytes)
	dialTimeout    = 2 * time.Second       // leaves time for another broker within Timeout
)

// Store is a commitlog.Store on a Kafka cluster. Make one with Open.
type Store struct {
	options Options
	client  *kgo.Client
	topics  topics
	reg     registry

	closing chan struct{} // closed when Close begins: ends waits

	mu      sync.Mutex // guards closed and logs
	closed  bool
	logs    map[commitlog.ID]*log
	running sync.WaitGroup // calls under way; Add under mu while not closed
	shut    sync.Once
}

var _ commitlog.Store = (*Store)(nil)

// Open connects to the cluster and reads which logs there are. Unavailable when the cluster does not answer in time.
func Open(ctx context.Context, options Options) (*Store, error) {
	if options.Timeout == 0 {
		options.Timeout = timeoutDefault
	}
	if options.Replication == 0 {
		options.Replication = -1 // the protocol's word for "your default"
	}
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(options.Seeds...),
		kgo.ClientID("weir"),
		kgo.DialTimeout(dialTimeout),
		kgo.RetryTimeout(options.Timeout),
		kgo.RetryBackoffFn(func(int) time.Duration { return pauseMost }),
		kgo.MetadataMinAge(pauseMost),
	}, options.Client...)...)
	if err != nil {
		return nil, fault.As(fault.Invalid, err, "kafka client")
	}
	s := &Store{options: options, client: client, closing: make(chan struct{}), logs: map[commitlog.ID]*log{}}
	s.topics = topics{store: s, known: map[string]topic{}}
	s.reg = newRegistry(s)
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if err := s.reg.open(ctx); err != nil {
		client.Close()
		return nil, fault.Wrap(err, "open kafka log %q", options.Prefix)
	}
	return s, nil
}

// bounded is ctx with the end that every call has.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.options.Timeout)
}

// begin lets a call in unless the store is closed. The caller calls end when it is done.
func (s *Store) begin() (end func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fault.New(fault.Unavailable, "the store is closed")
	}
	s.running.Add(1)
	return s.running.Done, nil
}

// Create makes a log exist: an entry in the registry, then a partition. What a crash leaves undone in between, Open does.
func (s *Store) Create(ctx context.Context, id commitlog.ID, config commitlog.Config) error {
	if config.Retention < 0 {
		return fault.New(fault.Invalid, "create log %s: a retention of %v is negative", id, config.Retention)
	}
	return s.administer(ctx, "create", id, func(ctx context.Context) error {
		if err := s.creatable(id, config); err != nil {
			return err
		}
		if _, exists := s.reg.find(id); !exists {
			if err := s.reg.propose(ctx, entry{Op: opCreate, Group: id.Group, Member: id.Member, Retention: config.Retention}); err != nil {
				return err
			}
			if err := s.creatable(id, config); err != nil { // another process may have been first
				return err
			}
		}
		if err := s.ensureTopic(ctx, id.Group); err != nil {
			return err
		}
		return s.setRetention(ctx, id.Group) // the topic may be older than the log
	})
}

// creatable says why a log cannot be created with config. Nil also when it exists with config.
func (s *Store) creatable(id commitlog.ID, config commitlog.Config) error {
	if s.reg.wasDeleted(id) {
		return fault.New(fault.Exists, "it was deleted, and an id is never used again")
	}
	if found, exists := s.reg.find(id); exists && found.config != config {
		return fault.New(fault.Exists, "it exists with another configuration")
	}
	return nil
}

// Open finds a log.
func (s *Store) Open(ctx context.Context, id commitlog.ID) (commitlog.Log, error) {
	var opened *log
	err := s.administer(ctx, "open", id, func(ctx context.Context) error {
		found, exists := s.reg.find(id)
		if !exists {
			return fault.New(fault.NotFound, "it does not exist")
		}
		if err := s.ensureTopic(ctx, id.Group); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.logs[id] == nil {
			s.logs[id] = newLog(s, id, found)
		}
		opened = s.logs[id]
		return nil
	})
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// Delete removes a log, then its records. When that fails half-way the log is gone and an error says that its records may not be: asking again removes them.
func (s *Store) Delete(ctx context.Context, id commitlog.ID) error {
	s.mu.Lock()
	l := s.logs[id]
	s.mu.Unlock()
	if l != nil { // lets what is under way finish, as nothing is appended to a deleted log
		if err := l.turn.take(ctx); err != nil {
			return err
		}
		defer l.turn.give()
	}
	return s.administer(ctx, "delete", id, func(ctx context.Context) error {
		if _, exists := s.reg.find(id); exists {
			if err := s.reg.propose(ctx, entry{Op: opDelete, Group: id.Group, Member: id.Member}); err != nil {
				return err
			}
		}
		if l != nil {
			l.drop()
			s.mu.Lock()
			delete(s.logs, id)
			s.mu.Unlock()
		}
		partition, deleted := s.reg.deletedPartition(id)
		if !deleted {
			return nil
		}
		if s.reg.live(id.Group) == 0 {
			return s.topics.remove(ctx, s.topicName(id.Group))
		}
		if err := s.deleteRecords(ctx, s.topicName(id.Group), partition, allRecords); err != nil {
			return err
		}
		return s.setRetention(ctx, id.Group)
	})
}

// Logs lists the logs that exist.
func (s *Store) Logs(ctx context.Context) ([]commitlog.ID, error) {
	end, err := s.begin()
	if err != nil {
		return nil, fault.Wrap(err, "list logs")
	}
	defer end()
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if err := s.reg.turn.take(ctx); err != nil {
		return nil, err
	}
	defer s.reg.turn.give()
	if err := s.reg.catchUp(ctx); err != nil {
		return nil, fault.Wrap(err, "list logs")
	}
	ids := s.reg.list()
	slices.SortFunc(ids, commitlog.ID.Compare)
	return ids, nil
}

// administer runs a call that asks or changes the registry: one at a time, on its newest state, within the time a call may take.
func (s *Store) administer(ctx context.Context, doing string, id commitlog.ID, do func(ctx context.Context) error) error {
	end, err := s.begin()
	if err != nil {
		return fault.Wrap(err, "%s log %s", doing, id)
	}
	defer end()
	inner, cancel := s.bounded(ctx)
	defer cancel()
	if err = s.reg.turn.take(inner); err == nil {
		if err = s.reg.catchUp(inner); err == nil {
			err = do(inner)
		}
		s.reg.turn.give()
	}
	return timedOut(ctx, err, "%s log %s", doing, id)
}

// timedOut names what was being done. The end of the caller's own context stays recognisable; the end of our patience is Unavailable, not the caller's deadline.
func timedOut(caller context.Context, err error, doing string, args ...any) error {
	if err == nil {
		return nil
	}
	if caller.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		unknown := fault.IsUnknown(err)
		err = fault.New(fault.Unavailable, "the cluster did not answer in time: %v", err)
		if unknown {
			err = fault.Unknown(fault.Unavailable, err, "")
		}
	}
	return fault.Wrap(err, doing, args...)
}

// Close ends waits, waits for what else is under way (each call is bounded), and hangs up. Closing twice is no error.
func (s *Store) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	s.running.Wait()
	s.shut.Do(s.client.Close)
	return nil
}

// turn is a mutex whose taker gives up when its context ends. Capacity one: full while taken.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

// pause waits for d of real time, or until ctx ends, and says whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	timer, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-timer.Done()
	return ctx.Err() == nil
}
