package consumer

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// The leader's lock is an item as the DynamoDB Lock Client keeps it. Who holds it writes a new record version number with every heartbeat. Who wants it and finds the
// same number for as long as leaseDuration says may take it, on the condition that the number is still the same. Nobody compares clocks.
const (
	leaderKey       = "Leader"
	attrLockOwner   = "ownerName"
	attrLockLease   = "leaseDuration" // S, milliseconds
	attrLockVersion = "recordVersionNumber"
	attrReleased    = "isReleased" // S "1" if nobody holds it
	lockReleased    = "1"
)

// lock is one worker's view of the leader's lock.
type lock struct {
	table *table
	lease time.Duration // how long it is ours without a heartbeat

	mu      sync.Mutex // guards everything below
	version string     // ours; empty if we do not hold it
	renewed time.Time  // when our version was written, taken before the request
	tried   string     // a version of ours of which nobody knows whether it was written: the answer was lost
	triedAt time.Time
	seen    string    // another's version
	since   time.Time // when we first saw it
}

// held says whether this worker may act as the leader at this moment.
func (k *lock) held() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.version != "" && k.table.clock.Now().Before(k.renewed.Add(k.lease))
}

// keep sends a heartbeat if the lock is ours, and tries to take it if it may be taken.
func (k *lock) keep(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.version != "" {
		return k.heartbeat(ctx)
	}
	return k.acquire(ctx)
}

func (k *lock) heartbeat(ctx context.Context) error {
	now, next := k.table.clock.Now(), newVersion()
	item, ok, err := update{
		want: map[string]types.AttributeValue{attrKey: text(leaderKey), attrLockOwner: text(k.table.worker), attrLockVersion: text(k.version)},
		set:  map[string]types.AttributeValue{attrLockVersion: text(next), attrLockLease: text(k.duration())},
	}.apply(ctx, k.table.db, k.table.name, leaderKey)
	switch {
	case err != nil:
		k.tried, k.triedAt = next, now
		if !now.Before(k.renewed.Add(k.lease)) {
			k.version = "" // it is over, whether or not the request was carried out
		}
		return fmt.Errorf("heartbeat of the leader's lock: %w", err)
	case ok:
		k.version, k.renewed = next, now
	case k.isTried(item):
		k.version, k.renewed = k.tried, k.triedAt // the heartbeat before was carried out
		k.tried = ""
		return k.heartbeat(ctx)
	default:
		k.version = "" // another has it
	}
	return nil
}

// isTried says whether an item is what we wrote without having been told so. Then the lock is ours: waiting for it to expire, as for another's, would leave the application
// without a leader.
func (k *lock) isTried(item map[string]types.AttributeValue) bool {
	return k.tried != "" && textOf(item, attrLockVersion) == k.tried && textOf(item, attrReleased) == ""
}

func (k *lock) acquire(ctx context.Context) error {
	out, err := k.table.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(k.table.name), Key: map[string]types.AttributeValue{attrKey: text(leaderKey)}, ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return fmt.Errorf("look at the leader's lock: %w", err)
	}
	if k.isTried(out.Item) {
		k.version, k.renewed, k.tried = k.tried, k.triedAt, ""
		return k.heartbeat(ctx)
	}
	version := textOf(out.Item, attrLockVersion)
	want := absent
	switch {
	case len(out.Item) == 0:
	case textOf(out.Item, attrReleased) != "":
		want = map[string]types.AttributeValue{attrKey: text(leaderKey), attrReleased: text(lockReleased), attrLockVersion: text(version)}
	default:
		now := k.table.clock.Now()
		if version != k.seen {
			k.seen, k.since = version, now
		}
		millis, err := strconv.ParseInt(textOf(out.Item, attrLockLease), 10, 64)
		if err != nil {
			return fmt.Errorf("the leader's lock: %s: %w", attrLockLease, err)
		}
		if now.Sub(k.since) < time.Duration(millis)*time.Millisecond {
			return nil
		}
		want = map[string]types.AttributeValue{attrKey: text(leaderKey), attrLockVersion: text(version)}
	}
	now, next := k.table.clock.Now(), newVersion()
	item := map[string]types.AttributeValue{
		attrKey: text(leaderKey), attrEntity: text(entityLeader), attrLockOwner: text(k.table.worker), attrLockLease: text(k.duration()), attrLockVersion: text(next),
	}
	ok, err := putIf(ctx, k.table.db, k.table.name, item, want)
	if err != nil {
		k.tried, k.triedAt = next, now
		return fmt.Errorf("take the leader's lock: %w", err)
	}
	if ok {
		k.version, k.renewed, k.seen = next, now, ""
	}
	return nil
}

// release gives the lock up, if it is ours, so that the next leader need not wait.
func (k *lock) release(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.version == "" {
		return nil
	}
	version := k.version
	k.version = ""
	_, _, err := update{
		want: map[string]types.AttributeValue{attrKey: text(leaderKey), attrLockOwner: text(k.table.worker), attrLockVersion: text(version)},
		set:  map[string]types.AttributeValue{attrReleased: text(lockReleased)},
	}.apply(ctx, k.table.db, k.table.name, leaderKey)
	if err != nil {
		return fmt.Errorf("release the leader's lock: %w", err)
	}
	return nil
}

func (k *lock) duration() string { return strconv.FormatInt(k.lease.Milliseconds(), 10) }

// newVersion is a random version number; that of the Lock Client is a UUID, and so is this.
func newVersion() string {
	r := randomHex(16)
	return r[:8] + "-" + r[8:12] + "-4" + r[13:16] + "-8" + r[17:20] + "-" + r[20:]
}
