package streams

import (
	"context"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/record"
)

// iteratorLife is how long a shard iterator may be used (API_GetShardIterator: five minutes).
const iteratorLife = 5 * time.Minute

// Start says where an iterator begins.
type Start struct {
	Type      StartType
	Sequence  string    // for AtSequence and AfterSequence, as the customer wrote it
	Timestamp time.Time // for AtTimestamp
	Operation string    // what the customer called, for texts; empty is GetShardIterator
}

func (s *Start) operation() string {
	if s.Operation == "" {
		return "GetShardIterator"
	}
	return s.Operation
}

// StartType is one of the five ways to say where reading begins (API_GetShardIterator).
type StartType uint8

// The five iterator types.
const (
	TrimHorizon StartType = iota
	Latest
	AtSequence
	AfterSequence
	AtTimestamp
)

// iterator is what a shard iterator stands for.
type iterator struct {
	group    uint64
	shard    uint32
	position commitlog.Position
}

func (i iterator) fact() []byte {
	fact := binary.BigEndian.AppendUint64(make([]byte, 0, 20), i.group)
	fact = binary.BigEndian.AppendUint32(fact, i.shard)
	return binary.BigEndian.AppendUint64(fact, uint64(i.position))
}

func (s *Streams) iterator(i iterator, now time.Time) (string, error) {
	return s.tokens.make(shardIterator, now, i.fact())
}

// openIterator gives back what an iterator stands for. A pair of double quotes around it is allowed, as AWS allows it.
// Invalid when it is none of ours, Expired when it is more than five minutes old.
func (s *Streams) openIterator(token string, now time.Time) (iterator, error) {
	if len(token) >= 2 && token[0] == '"' && token[len(token)-1] == '"' {
		token = token[1 : len(token)-1]
	}
	fact, made, err := s.tokens.open(shardIterator, token)
	if err != nil || len(fact) != 20 {
		return iterator{}, fault.New(fault.Invalid, "Invalid ShardIterator.")
	}
	if now.Sub(made) > iteratorLife {
		return iterator{}, fault.New(fault.Expired, "Iterator expired. The iterator was created at time %s while right now it is %s which is further in the future than the tolerated delay of %d milliseconds.",
			javaDate(made), javaDate(now), iteratorLife.Milliseconds())
	}
	return iterator{
		group:    binary.BigEndian.Uint64(fact),
		shard:    binary.BigEndian.Uint32(fact[8:]),
		position: commitlog.Position(binary.BigEndian.Uint64(fact[12:])),
	}, nil
}

// javaDate writes a time as AWS's messages do.
func javaDate(t time.Time) string { return t.UTC().Format("Mon Jan 02 15:04:05 UTC 2006") }

// Iterator makes a shard iterator for GetRecords. shardID may be given in its short forms (see ParseShardID).
func (s *Streams) Iterator(ctx context.Context, stream *catalog.Stream, shardID string, start Start) (string, error) {
	r, err := s.route(ctx, stream)
	if err != nil {
		return "", err
	}
	shard, err := r.shard(shardID)
	if err != nil {
		return "", err
	}
	if !shard.meter.Iterator(s.clock.Now(), s.limits) {
		return "", rateExceeded(stream, shard.ID)
	}
	position, err := s.startPosition(ctx, r, shard, start)
	if err != nil {
		return "", err
	}
	return s.iterator(iterator{group: stream.Group, shard: shard.Number, position: position}, s.clock.Now())
}

// shard finds a shard by what a customer calls it.
func (r *route) shard(id string) (*Shard, error) {
	number, ok := ParseShardID(id)
	if !ok || r.byNumber(number) == nil {
		return nil, fault.New(fault.NotFound, "Shard %s in stream %s under account %s does not exist", id, r.stream.Name, r.stream.Account)
	}
	return r.byNumber(number), nil
}

// ParseShardID reads a shard's name in full, or in the short forms that AWS takes too: "shardId-7" and "7".
func ParseShardID(id string) (uint32, bool) {
	digits := id
	if dash := strings.LastIndexByte(id, '-'); dash >= 0 {
		if id[:dash] != "shardId" {
			return 0, false
		}
		digits = id[dash+1:]
	}
	if digits == "" || digits[0] == '+' {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	return uint32(n), err == nil
}

// startPosition is where in the shard's log a start points.
func (s *Streams) startPosition(ctx context.Context, r *route, shard *Shard, start Start) (commitlog.Position, error) {
	switch start.Type {
	case TrimHorizon:
		return s.horizon(ctx, r.stream, shard)
	case Latest:
		bounds, err := shard.log.Bounds(ctx)
		return bounds.Next, err
	case AtTimestamp:
		now := s.clock.Now()
		if start.Timestamp.After(now) {
			return 0, fault.New(fault.Invalid, "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: %d, currentTimestampInMillis: %d",
				start.Timestamp.UnixMilli(), now.UnixMilli())
		}
		from := r.stream.Horizon(now)
		if start.Timestamp.After(from) {
			from = start.Timestamp
		}
		return shard.log.PositionAt(ctx, from)
	default:
		return s.sequencePosition(ctx, r, shard, start)
	}
}

// sequencePosition is where a sequence number points: at its record, or behind it.
func (s *Streams) sequencePosition(ctx context.Context, r *route, shard *Shard, start Start) (commitlog.Position, error) {
	number, err := record.ParseSequenceNumber(start.Sequence)
	if err != nil {
		return 0, fault.New(fault.Invalid, "StartingSequenceNumber %s used in %s on shard %s in stream %s under account %s is invalid.",
			start.Sequence, start.operation(), shard.ID, r.stream.Name, r.stream.Account)
	}
	if number.Shard != shard.Number {
		return 0, fault.New(fault.Invalid, "Invalid StartingSequenceNumber. It encodes %s, while it was used in a call to a shard with %s",
			ShardID(number.Shard), shard.ID)
	}
	if number.ShardCreated != shard.Created.Unix() {
		return 0, fault.New(fault.Invalid, "StartingSequenceNumber %s used in %s on shard %s in stream %s under account %s is invalid because it did not come from this stream.",
			start.Sequence, start.operation(), shard.ID, r.stream.Name, r.stream.Account)
	}
	bounds, err := shard.log.Bounds(ctx)
	if err != nil {
		return 0, err
	}
	if number.Position == record.EndPosition {
		return bounds.Next, nil
	}
	position := max(number.Position-shard.Base, 0)
	switch {
	case number.Behind: // a place between two records: at it and after it are the same
		position = max(number.Position+1-shard.Base, 0)
	case start.Type == AfterSequence && number.Position != record.StartPosition:
		position++
	}
	if position > bounds.Next {
		return 0, fault.New(fault.Invalid, "StartingSequenceNumber %s used in %s on shard %s in stream %s under account %s is invalid.",
			start.Sequence, start.operation(), shard.ID, r.stream.Name, r.stream.Account)
	}
	return position, nil
}

// CheckOrdering judges a SequenceNumberForOrdering: it must be one that a record of stream has, or could have. The append order of the
// log already gives what it asks for to a caller who waits for each answer.
func (s *Streams) CheckOrdering(ctx context.Context, stream *catalog.Stream, sequence string) error {
	invalid := func() error {
		return fault.New(fault.Invalid, "ExclusiveMinimumSequenceNumber %s used in PutRecord on stream %s under account %s is invalid.", sequence, stream.Name, stream.Account)
	}
	number, err := record.ParseSequenceNumber(sequence)
	if err != nil {
		return invalid()
	}
	r, err := s.route(ctx, stream)
	if err != nil {
		return err
	}
	shard := r.byNumber(number.Shard)
	if shard == nil || number.ShardCreated != shard.Created.Unix() {
		return invalid()
	}
	bounds, err := shard.log.Bounds(ctx)
	if err != nil {
		return err
	}
	if number.Position-shard.Base >= bounds.Next {
		return invalid()
	}
	return nil
}
