package consumer

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/weir-stream/weir/internal/record"
)

// Attributes of the lease table, as KCL 3.5.1 names them (DynamoDBLeaseSerializer).
const (
	attrKey            = "leaseKey"     // S, the hash key: a shard's id, a worker's name, or the name of another item
	attrOwner          = "leaseOwner"   // S, absent if nobody has the lease
	attrCounter        = "leaseCounter" // N, grows with every heartbeat, checkpoint and change of owner
	attrSwitches       = "ownerSwitchesSinceCheckpoint"
	attrCheckpoint     = "checkpoint"                  // S
	attrCheckpointSub  = "checkpointSubSequenceNumber" // N
	attrPending        = "pendingCheckpoint"           // S, absent if nothing is prepared
	attrPendingSub     = "pendingCheckpointSubSequenceNumber"
	attrPendingState   = "pendingCheckpointState" // B
	attrParents        = "parentShardId"          // SS, absent if there are none
	attrChildren       = "childShardIds"          // SS
	attrHashStart      = "startingHashKey"        // S, decimal
	attrHashEnd        = "endingHashKey"
	attrThroughput     = "throughputKBps"  // N
	attrCheckpointOwns = "checkpointOwner" // S, who still has the lease while leaseOwner waits for it: a graceful handoff
	attrEntity         = "entityType"      // S; absent in leases that older versions wrote
	attrStreamName     = "streamName"      // S, in leases of an application of several streams
)

// Entities: what an item of the table is.
const (
	entityLease     = "LEASE"
	entityLeader    = "LEADER"
	entityMigration = "CLIENT_VERSION_MIGRATION"
	entityWorker    = "WORKER_METRIC_STATS"
)

// lease is an item of the lease table that is about a shard.
type lease struct {
	shard      string
	owner      string // empty: nobody
	handingOff string // checkpointOwner: who still processes the shard, for owner to take over. Empty: owner does
	counter    int64
	switches   int64
	checkpoint Position
	pending    *Position
	parents    []string
	children   []string
	hashes     *record.HashRange // nil in leases that an old version wrote
	throughput *float64          // KiB a second; nil if nobody has measured it
}

// actualOwner is who processes the shard.
func (l *lease) actualOwner() string {
	if l.handingOff != "" {
		return l.handingOff
	}
	return l.owner
}

// ended says whether everything in the shard has been processed.
func (l *lease) ended() bool { return l.checkpoint.SequenceNumber == ShardEnd }

// item is the lease as it is written when it is new. Empty sets and strings are left out, as the KCL does.
func (l *lease) item() map[string]types.AttributeValue {
	item := map[string]types.AttributeValue{
		attrKey: text(l.shard), attrCounter: number(l.counter), attrSwitches: number(l.switches),
		attrCheckpoint: text(l.checkpoint.SequenceNumber), attrCheckpointSub: number(l.checkpoint.SubSequenceNumber), attrEntity: text(entityLease),
	}
	if l.owner != "" {
		item[attrOwner] = text(l.owner)
	}
	if len(l.parents) > 0 {
		item[attrParents] = &types.AttributeValueMemberSS{Value: l.parents}
	}
	if len(l.children) > 0 {
		item[attrChildren] = &types.AttributeValueMemberSS{Value: l.children}
	}
	if l.hashes != nil {
		item[attrHashStart], item[attrHashEnd] = text(l.hashes.Start.String()), text(l.hashes.End.String())
	}
	return item
}

// parseLease reads an item. It is an error if the item is a lease and cannot be understood; ok is false if it is something else.
func parseLease(item map[string]types.AttributeValue) (l *lease, ok bool, err error) {
	if entity := textOf(item, attrEntity); entity != "" && entity != entityLease {
		return nil, false, nil
	}
	l = &lease{
		shard: textOf(item, attrKey), owner: textOf(item, attrOwner), handingOff: textOf(item, attrCheckpointOwns),
		checkpoint: Position{SequenceNumber: textOf(item, attrCheckpoint)}, parents: setOf(item, attrParents), children: setOf(item, attrChildren),
	}
	if _, found := item[attrStreamName]; found {
		return nil, true, fmt.Errorf("%w: lease %s is of an application of several streams, which this library does not take part in", ErrState, l.shard)
	}
	if l.checkpoint.SequenceNumber == "" {
		return nil, true, fmt.Errorf("lease %s has no checkpoint", l.shard)
	}
	for name, value := range map[string]*int64{attrCounter: &l.counter, attrSwitches: &l.switches, attrCheckpointSub: &l.checkpoint.SubSequenceNumber} {
		if *value, err = numberOf(item, name); err != nil {
			return nil, true, fmt.Errorf("lease %s: %w", l.shard, err)
		}
	}
	if sequence := textOf(item, attrPending); sequence != "" {
		sub, err := numberOf(item, attrPendingSub)
		if err != nil {
			return nil, true, fmt.Errorf("lease %s: %w", l.shard, err)
		}
		l.pending = &Position{SequenceNumber: sequence, SubSequenceNumber: sub}
	}
	if start, end := textOf(item, attrHashStart), textOf(item, attrHashEnd); start != "" && end != "" {
		hashes, err := parseRange(start, end)
		if err != nil {
			return nil, true, fmt.Errorf("lease %s: %w", l.shard, err)
		}
		l.hashes = hashes
	}
	if n, found := item[attrThroughput].(*types.AttributeValueMemberN); found {
		value, err := strconv.ParseFloat(n.Value, 64)
		if err != nil {
			return nil, true, fmt.Errorf("lease %s: %s: %w", l.shard, attrThroughput, err)
		}
		l.throughput = &value
	}
	return l, true, nil
}

func parseRange(start, end string) (*record.HashRange, error) {
	from, err := record.ParseHashKey(start)
	if err != nil {
		return nil, err
	}
	to, err := record.ParseHashKey(end)
	if err != nil {
		return nil, err
	}
	return &record.HashRange{Start: from, End: to}, nil
}

func text(value string) types.AttributeValue {
	return &types.AttributeValueMemberS{Value: value}
}

func number(value int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(value, 10)}
}

// rounded is a number with six digits behind the point, as the KCL writes throughput and metrics.
func rounded(value float64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatFloat(value, 'f', 6, 64)}
}

func textOf(item map[string]types.AttributeValue, name string) string {
	if s, ok := item[name].(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// numberOf is a whole number, 0 if it is absent.
func numberOf(item map[string]types.AttributeValue, name string) (int64, error) {
	n, ok := item[name].(*types.AttributeValueMemberN)
	if !ok {
		return 0, nil
	}
	value, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return value, nil
}

func setOf(item map[string]types.AttributeValue, name string) []string {
	if ss, ok := item[name].(*types.AttributeValueMemberSS); ok {
		return slices.Sorted(slices.Values(ss.Value))
	}
	return nil
}

// observed is a lease with what a leader knows of it beyond the item: when it first saw the counter that it has now.
type observed struct {
	*lease
	since       time.Time // of this counter. The zero time in a lease that nobody has had
	handoffEnds time.Time // when the handoff under way is over, whether or not it has been made
}
