package readers

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/weir-stream/weir/internal/fault"
)

// checkpointState is every checkpoint there is, as of one place in their log. It is immutable: a change makes another, which shares the maps that did not change.
type checkpointState struct {
	consumers map[string]map[string]Checkpoint // by consumer, then by the shard's key; no inner map is empty
}

// The commands. In the log each is a byte that says which, and its fields: texts and bytes with a uvarint length before them, positions as varints. A number, once
// released, never changes its meaning.
const (
	setKind  = 1 // consumer, shard, position, flags, state
	dropKind = 2 // consumer, number of shards (0: all), shards
)

// flagDone is the one flag of a Set.
const flagDone = 1

// setCheckpoint moves a consumer in a shard.
type setCheckpoint struct {
	consumer, shard string
	to              Checkpoint
}

// dropCheckpoints forgets a consumer, in some shards or in all.
type dropCheckpoints struct {
	consumer string
	shards   []string
}

func (c setCheckpoint) encode() []byte {
	b := append(make([]byte, 0, 32+len(c.consumer)+len(c.shard)+len(c.to.State)), setKind)
	return appendCheckpoint(appendText(appendText(b, c.consumer), c.shard), c.to)
}

func (c dropCheckpoints) encode() []byte {
	b := appendText([]byte{dropKind}, c.consumer)
	b = binary.AppendUvarint(b, uint64(len(c.shards)))
	for _, shard := range c.shards {
		b = appendText(b, shard)
	}
	return b
}

func appendCheckpoint(b []byte, c Checkpoint) []byte {
	b = binary.AppendVarint(b, c.Position)
	var flags byte
	if c.Done {
		flags = flagDone
	}
	return appendText(append(b, flags), string(c.State))
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// apply gives the state after a command, and its result: nothing, or why it was refused. An error means that the command cannot be understood.
func (s *checkpointState) apply(command []byte) (*checkpointState, []byte, error) {
	d := decoder{rest: command}
	switch kind := d.byte(); kind {
	case setKind:
		c := setCheckpoint{consumer: d.text(), shard: d.text(), to: d.checkpoint()}
		if err := d.done("checkpoint command"); err != nil {
			return nil, nil, err
		}
		if was, has := s.consumers[c.consumer][c.shard]; has && (c.to.Position < was.Position || was.Done && !c.to.Done) {
			return s, fmt.Appendf(nil, "consumer %s in %s is at %d already and does not go back to %d", c.consumer, c.shard, was.Position, c.to.Position), nil
		}
		next := s.copy(c.consumer)
		if next.consumers[c.consumer] == nil {
			next.consumers[c.consumer] = map[string]Checkpoint{}
		}
		next.consumers[c.consumer][c.shard] = c.to
		return next, nil, nil
	case dropKind:
		c := dropCheckpoints{consumer: d.text()}
		for range d.count() {
			c.shards = append(c.shards, d.text())
		}
		if err := d.done("checkpoint command"); err != nil {
			return nil, nil, err
		}
		next := s.copy(c.consumer)
		for _, shard := range c.shards {
			delete(next.consumers[c.consumer], shard)
		}
		if len(c.shards) == 0 || len(next.consumers[c.consumer]) == 0 {
			delete(next.consumers, c.consumer)
		}
		return next, nil, nil
	default:
		if d.bad {
			return nil, nil, fault.New(fault.Corrupt, "empty checkpoint command")
		}
		return nil, nil, fault.New(fault.Unsupported, "checkpoint command %d is not known to this version of Weir", kind)
	}
}

// copy is s with a map of its own for one consumer.
func (s *checkpointState) copy(consumer string) *checkpointState {
	next := &checkpointState{consumers: maps.Clone(s.consumers)}
	if next.consumers == nil {
		next.consumers = map[string]map[string]Checkpoint{}
	}
	if of := next.consumers[consumer]; of != nil {
		next.consumers[consumer] = maps.Clone(of)
	}
	return next
}

// snapshotFormat is the version of the bytes that encode writes. History: 1 is the first.
const snapshotFormat = 1

// encode is the state as canonical bytes: the format, then consumers and their shards in order, each list with its length before it.
func (s *checkpointState) encode() []byte {
	b := binary.AppendUvarint([]byte{snapshotFormat}, uint64(len(s.consumers)))
	for _, consumer := range slices.Sorted(maps.Keys(s.consumers)) {
		shards := s.consumers[consumer]
		b = binary.AppendUvarint(appendText(b, consumer), uint64(len(shards)))
		for _, shard := range slices.Sorted(maps.Keys(shards)) {
			b = appendCheckpoint(appendText(b, shard), shards[shard])
		}
	}
	return b
}

// decodeCheckpoints reads what encode wrote. Unsupported when a newer version wrote it; Corrupt when it makes no sense.
func decodeCheckpoints(b []byte) (*checkpointState, error) {
	d := decoder{rest: b}
	if format := d.byte(); format != snapshotFormat && !d.bad {
		return nil, fault.New(fault.Unsupported, "snapshot of checkpoints has format %d; this version of Weir reads %d", format, snapshotFormat)
	}
	s := &checkpointState{consumers: map[string]map[string]Checkpoint{}}
	last := ""
	for i := range d.count() {
		consumer := d.text()
		shards := map[string]Checkpoint{}
		lastShard := ""
		n := d.count()
		for j := range n {
			shard := d.text()
			shards[shard] = d.checkpoint()
			d.bad = d.bad || j > 0 && shard <= lastShard
			lastShard = shard
		}
		d.bad = d.bad || n == 0 || i > 0 && consumer <= last
		last = consumer
		s.consumers[consumer] = shards
	}
	return s, d.done("snapshot of checkpoints")
}

// decoder reads fields, and remembers that one was not there.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) byte() byte {
	if d.bad = d.bad || len(d.rest) == 0; d.bad {
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if d.bad = d.bad || n <= 0 || n > 1 && d.rest[n-1] == 0; d.bad { // no number is written in more bytes than it needs
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1) // encoding/binary's zigzag
}

// count is how many things follow, none of which takes no byte.
func (d *decoder) count() int {
	n := d.uvarint()
	if d.bad = d.bad || n > uint64(len(d.rest)); d.bad {
		return 0
	}
	return int(n)
}

func (d *decoder) text() string {
	n := d.count()
	text := string(d.rest[:n])
	d.rest = d.rest[n:]
	return text
}

func (d *decoder) checkpoint() (c Checkpoint) {
	c.Position = d.varint()
	flags := d.byte()
	d.bad = d.bad || flags > flagDone
	c.Done = flags == flagDone
	if state := d.text(); state != "" {
		c.State = []byte(state)
	}
	return c
}

// done says that nothing may follow.
func (d *decoder) done(what string) error {
	if d.bad || len(d.rest) > 0 {
		return fault.New(fault.Corrupt, "%s is not well formed", what)
	}
	return nil
}
