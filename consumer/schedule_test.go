package consumer_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// TestRandomSchedule shows workers that come, leave in order and die while records are put and the stream is resharded: every record is seen, none before its
// predecessor, and again only where the worker that had it was killed or lost its lease.
func TestRandomSchedule(t *testing.T) {
	t.Parallel()
	schedule(t, false)
}

// TestRandomScheduleWithLostReplies is the same with a DynamoDB of which one request in fifteen fails, half of them after it was carried out. A record may come again wherever a
// checkpoint failed.
func TestRandomScheduleWithLostReplies(t *testing.T) {
	t.Parallel()
	schedule(t, true)
}

func schedule(t *testing.T, lossy bool) {
	seed := time.Now().UnixNano()
	if f := flag.Lookup("seed"); f != nil && f.Value.String() != "0" {
		if _, err := fmt.Sscan(f.Value.String(), &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("go test ./consumer -run %s -seed %d", t.Name(), seed)
		}
	})
	r := rand.New(rand.NewPCG(uint64(seed), 0))
	w := begin(t, 2)
	w.failover = quick
	var workers []*runner
	killed := map[string]bool{}
	started := 0
	begin := func() {
		name := fmt.Sprint("w", started)
		started++
		options := w.options(name, w.record(name))
		if lossy {
			options.DynamoDB = &lossyDynamo{Client: w.dynamo, r: rand.New(rand.NewPCG(uint64(seed), uint64(started)))}
		}
		workers = append(workers, w.start(options))
	}
	take := func() *runner {
		i := r.IntN(len(workers))
		one := workers[i]
		workers = append(workers[:i], workers[i+1:]...)
		return one
	}
	begin()
	for range 14 {
		w.put(10, 1+r.IntN(3))
		switch n := r.IntN(10); {
		case len(workers) == 0 || n < 3 && len(workers) < 4:
			begin()
		case n < 5:
			one := take()
			killed[one.Name()] = true
			one.halt()
		case n < 6:
			take().leave()
		case n < 8:
			w.reshardIfNew(1 + int32(r.IntN(4)))
		default:
			seen := len(w.seen())
			if len(w.holders()) > 0 {
				w.eventually("something happens", func() bool { return len(w.seen()) > seen || w.complete() })
			}
		}
	}
	if len(workers) == 0 {
		begin()
	}
	w.eventually("every record is seen", w.complete)
	for _, one := range workers {
		one.leave()
	}
	w.verify()
	type id struct {
		key    string
		number int
	}
	who, gone := map[id]line{}, map[[2]string]bool{}
	for _, l := range w.seen() {
		if l.kind == 'L' {
			gone[[2]string{l.worker, l.shard}] = true
		}
	}
	for _, l := range w.seen() {
		if l.kind != 'R' {
			continue
		}
		one := id{l.key, l.number}
		if before, again := who[one]; again && !lossy && !killed[before.worker] && !gone[[2]string{before.worker, before.shard}] {
			t.Errorf("%s %d comes to %s again, though %s had neither died nor lost the lease", l.key, l.number, l.worker, before.worker)
		}
		who[one] = l
	}
}

// lossyDynamo fails some requests, of those some after they were carried out.
type lossyDynamo struct {
	*dynamodb.Client
	mu sync.Mutex
	r  *rand.Rand // guarded by mu
}

var errLost = errors.New("the connection was lost")

// lossy calls, or seems not to have.
func lossy[I, O any](ctx context.Context, l *lossyDynamo, call func(context.Context, I, ...func(*dynamodb.Options)) (*O, error), in I) (*O, error) {
	l.mu.Lock()
	chance := l.r.IntN(30)
	l.mu.Unlock()
	if chance == 0 {
		return nil, errLost
	}
	out, err := call(ctx, in)
	if chance == 1 {
		return nil, errLost
	}
	return out, err
}

// GetItem may be lost.
func (l *lossyDynamo) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return lossy(ctx, l, l.Client.GetItem, in)
}

// PutItem may be lost.
func (l *lossyDynamo) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return lossy(ctx, l, l.Client.PutItem, in)
}

// UpdateItem may be lost.
func (l *lossyDynamo) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return lossy(ctx, l, l.Client.UpdateItem, in)
}

// DeleteItem may be lost.
func (l *lossyDynamo) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return lossy(ctx, l, l.Client.DeleteItem, in)
}

// Scan may be lost.
func (l *lossyDynamo) Scan(ctx context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	return lossy(ctx, l, l.Client.Scan, in)
}

// Query may be lost.
func (l *lossyDynamo) Query(ctx context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return lossy(ctx, l, l.Client.Query, in)
}
