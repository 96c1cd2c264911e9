package kafkalog

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/fault"
)

// registry is which logs there are: a fold over the entries of topic PREFIXlogs, whose one partition puts them in order.
type registry struct {
	store    *Store
	topic    string
	turn     turn // held by whoever asks the cluster; guards next and producer
	next     int64
	producer producer

	mu      sync.Mutex // guards everything below
	logs    map[commitlog.ID]*registered
	deleted map[commitlog.ID]int32 // and the partition each had
	groups  map[uint64]*group
}

// registered is what the registry says of a log that exists.
type registered struct {
	partition int32
	config    commitlog.Config
	sealed    bool
	end       commitlog.Position // of a sealed log
}

type group struct {
	partitions int32 // how many logs were ever created in it
	live       int   // how many exist
}

// entry is one record of the registry's topic, in JSON.
type entry struct {
	Version   int                `json:"v"`
	Op        string             `json:"op"`
	Group     uint64             `json:"group"`
	Member    uint32             `json:"member"`
	Retention time.Duration      `json:"retention_ns,omitempty"` // create, configure
	End       commitlog.Position `json:"end,omitempty"`          // seal
}

// The operations, and the version of the format: 1 since the beginning.
const (
	entryVersion = 1

	opCreate    = "create"
	opConfigure = "configure"
	opSeal      = "seal"
	opDelete    = "delete"
)

func newRegistry(s *Store) registry {
	return registry{
		store: s, topic: s.options.Prefix + "logs", turn: newTurn(),
		logs: map[commitlog.ID]*registered{}, deleted: map[commitlog.ID]int32{}, groups: map[uint64]*group{},
	}
}

// open makes the topic exist and reads it.
func (r *registry) open(ctx context.Context) error {
	if err := r.turn.take(ctx); err != nil {
		return err
	}
	defer r.turn.give()
	if err := r.store.topics.ensure(ctx, r.topic, 1, 0); err != nil {
		return err
	}
	return r.catchUp(ctx)
}

// catchUp applies what was appended since, by whomever. The caller has the turn.
func (r *registry) catchUp(ctx context.Context) error {
	for {
		got, err := r.store.fetch(ctx, r.topic, 0, r.next, fetchBytesMost)
		if err != nil {
			return fault.Wrap(err, "read registry %s from %d", r.topic, r.next)
		}
		if got.err != nil {
			return fault.As(fault.Corrupt, got.err, "registry %s at %d", r.topic, r.next)
		}
		for _, record := range got.records {
			var e entry
			if err := json.Unmarshal(record.Value, &e); err != nil {
				return fault.As(fault.Corrupt, err, "registry %s at %d", r.topic, record.Offset)
			}
			if err := r.apply(e); err != nil {
				return fault.Wrap(err, "registry %s at %d", r.topic, record.Offset)
			}
			r.next = record.Offset + 1
		}
		r.next = max(r.next, got.next)
		if r.next >= got.highWatermark {
			return nil
		}
	}
}

// propose appends an entry and applies it, and what others appended before it. The caller has the turn.
func (r *registry) propose(ctx context.Context, e entry) error {
	e.Version = entryVersion
	value, err := json.Marshal(e)
	if err != nil {
		return fault.As(fault.Internal, err, "registry entry")
	}
	var b batch.Batch
	b.Append(r.store.options.Clock.Now().UnixMilli(), nil, value)
	if _, err := r.store.produce(ctx, &r.producer, r.topic, 0, &b); err != nil {
		return fault.Wrap(err, "append to registry %s", r.topic)
	}
	return r.catchUp(ctx)
}

// apply is the fold. What makes no sense, because another process was first, changes nothing.
func (r *registry) apply(e entry) error {
	if e.Version != entryVersion {
		return fault.New(fault.Unsupported, "an entry of version %d: only %d is known", e.Version, entryVersion)
	}
	id := commitlog.ID{Group: e.Group, Member: e.Member}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.logs[id]
	_, deleted := r.deleted[id]
	switch e.Op {
	case opCreate:
		if l != nil || deleted {
			return nil
		}
		g := r.groups[id.Group]
		if g == nil {
			g = &group{}
			r.groups[id.Group] = g
		}
		r.logs[id] = &registered{partition: g.partitions, config: commitlog.Config{Retention: e.Retention}}
		g.partitions++
		g.live++
	case opConfigure:
		if l != nil {
			l.config = commitlog.Config{Retention: e.Retention}
		}
	case opSeal:
		if l != nil && !l.sealed {
			l.sealed, l.end = true, e.End
		}
	case opDelete:
		if l != nil {
			delete(r.logs, id)
			r.deleted[id] = l.partition
			r.groups[id.Group].live--
		}
	default:
		return fault.New(fault.Unsupported, "an entry %q is not known", e.Op)
	}
	return nil
}

// find gives a copy of what is registered.
func (r *registry) find(id commitlog.ID) (registered, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.logs[id]; l != nil {
		return *l, true
	}
	return registered{}, false
}

func (r *registry) wasDeleted(id commitlog.ID) bool {
	_, deleted := r.deletedPartition(id)
	return deleted
}

func (r *registry) deletedPartition(id commitlog.ID) (int32, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	partition, deleted := r.deleted[id]
	return partition, deleted
}

// live is how many logs of a group exist.
func (r *registry) live(groupID uint64) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.groups[groupID]; g != nil {
		return g.live
	}
	return 0
}

func (r *registry) list() []commitlog.ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := make([]commitlog.ID, 0, len(r.logs))
	for id := range r.logs {
		ids = append(ids, id)
	}
	return ids
}

// wanted is what the group's topic must be: how many partitions, and the longest retention of its logs, 0 for ever.
func (r *registry) wanted(groupID uint64) (partitions int32, retention time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []time.Duration
	for id, l := range r.logs {
		if id.Group == groupID {
			all = append(all, l.config.Retention)
		}
	}
	if g := r.groups[groupID]; g != nil {
		partitions = g.partitions
	}
	if len(all) > 0 && !slices.Contains(all, 0) {
		retention = slices.Max(all)
	}
	return partitions, retention
}
