package tolls

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/client/tail"
)

// along is a reader that reads the stream from its beginning while it is written, resharded and killed. It meets shards that close
// under it and children that are minutes younger than itself, and must have read in the end what a reader finds that comes
// afterwards, each customer's records in the same order, none of them twice.
type along struct {
	cancel context.CancelFunc
	done   chan error   // receives the end of the reading, once; capacity 1
	want   atomic.Int64 // records there are; nought while nobody knows

	// Of the reading goroutine until done has its end.
	read  int64
	order *order
}

// alongPatience is how long the reader may take to the newest record once no more are written.
const alongPatience = 30 * time.Second

// readAlong begins to read. The caller stops it.
func readAlong(ctx context.Context, api *kinesis.Client) *along {
	ctx, cancel := context.WithCancel(ctx)
	a := &along{cancel: cancel, done: make(chan error, 1), order: newOrder()}
	go func() {
		a.done <- tail.New(api, Stream, tail.Options{Idle: 20 * time.Millisecond}).Run(ctx, func(b tail.Batch) error {
			for _, r := range b.Records {
				a.read++
				a.order.add(b.Shard, aws.ToString(r.SequenceNumber), r.Data)
			}
			if want := a.want.Load(); want > 0 && a.read >= want && len(b.Records) == 0 {
				return tail.ErrStop
			}
			return nil
		})
	}()
	return a
}

// compare lets the reader come to its end and says how it differs from a reading of so many records in this order.
func (a *along) compare(records int, want *order) []string {
	a.want.Store(int64(records))
	timer := time.AfterFunc(alongPatience, a.cancel)
	err := <-a.done
	timer.Stop()
	a.done <- nil // for stop
	switch {
	case errors.Is(err, context.Canceled):
		return []string{fmt.Sprintf("a reader that ran along read %d of %d records, and no more in %s", a.read, records, alongPatience)}
	case err != nil:
		return []string{fmt.Sprintf("a reader that ran along ended after %d of %d records: %v", a.read, records, err)}
	case a.read != int64(records):
		return []string{fmt.Sprintf("a reader that ran along read %d records, and one afterwards %d", a.read, records)}
	}
	if n := a.order.differs(want); n > 0 {
		return []string{fmt.Sprintf("a reader that ran along read other records, or in another order, of %d customers", n)}
	}
	return nil
}

// stop ends the reading, if there is one, and waits for it.
func (a *along) stop() error {
	if a == nil {
		return nil
	}
	a.cancel()
	if err := <-a.done; err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("reading along: %w", err)
	}
	return nil
}

// orderSeed makes the digests of this process comparable.
var orderSeed = maphash.MakeSeed()

// order is what was read of each customer, and in which order, as a digest of sixteen bytes.
type order struct {
	digests map[uint64]uint64 // by customer
}

func newOrder() *order { return &order{digests: map[uint64]uint64{}} }

// add notes the next record.
func (o *order) add(shard, sequence string, text []byte) {
	customer := maphash.String(orderSeed, Key(text))
	o.digests[customer] = maphash.Comparable(orderSeed, struct {
		before                uint64
		shard, sequence, text string
	}{o.digests[customer], shard, sequence, string(text)})
}

// differs counts the customers of whom something else was read, or in another order.
func (o *order) differs(other *order) int {
	n := 0
	for customer, digest := range o.digests {
		if other.digests[customer] != digest {
			n++
		}
	}
	for customer := range other.digests {
		if _, both := o.digests[customer]; !both {
			n++
		}
	}
	return n
}
