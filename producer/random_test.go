package producer_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/producer"
)

var seed = flag.Uint64("seed", 0, "what the random test does; 0 takes another each time and says which")

// TestRandom puts from several goroutines while requests fail, answers are lost, records are refused, lists are stale, and the stream splits and merges. Every record that was acknowledged lies
// where its Result says, in a shard that has its hash key; and with Ordered, the first copies of each key's records are in order.
func TestRandom(t *testing.T) {
	rounds := 12
	first := *seed
	if first == 0 {
		first = rand.Uint64() >> 1
	} else {
		rounds = 1
	}
	for i := range rounds {
		one := first + uint64(i)
		t.Run(fmt.Sprint("seed=", one), func(t *testing.T) {
			t.Parallel()
			t.Logf("to repeat: go test ./producer -run TestRandom -seed %d", one)
			randomRound(t, one)
		})
	}
}

func randomRound(t *testing.T, seed uint64) {
	var mu sync.Mutex // of r
	r := rand.New(rand.NewPCG(seed, 1))
	chance := func(of int) bool {
		mu.Lock()
		defer mu.Unlock()
		return r.IntN(of) == 0
	}
	some := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return r.IntN(n)
	}
	f := newFake(1 + some(4))
	f.before = func(int, *kinesis.PutRecordsInput) error {
		if chance(15) {
			return errors.New("connection reset by the test")
		}
		return nil
	}
	f.after = func(int) error {
		if chance(15) {
			return errors.New("answer lost by the test")
		}
		return nil
	}
	f.refuse = func(int, int) string {
		if chance(6) {
			return "ProvisionedThroughputExceededException"
		}
		return ""
	}
	f.listing = func(call int) error {
		if call > 0 && chance(8) {
			return errors.New("list refused by the test")
		}
		return nil
	}
	f.stale = func(call int) bool { return call > 0 && chance(4) }
	ordered := some(2) == 0
	o := producer.Options{
		API: f, Ordered: ordered, RateLimit: 1 << 30, RecordMaxBufferedTime: 20 * time.Millisecond, RecordTtl: 10 * time.Minute, Clock: fast{time.Now()}, AggregationMaxSize: int64(300 + some(3000)),
		MaxConnections: int64(1 + some(5)), OutstandingRecordsMax: int64(50 + some(500)), AggregationEnabled: aws.Bool(some(5) > 0), CollectionMaxCount: int64(1 + some(20)),
	}
	p := begin(t, o)

	const writers, keys, each = 4, 5, 60
	futures := make([][]*producer.Future, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each * keys {
				data := fmt.Sprintf("w%d-k%d %d %s", w, i%keys, i/keys, strings.Repeat("x", some(200)))
				one := producer.UserRecord{Stream: "s", PartitionKey: fmt.Sprintf("w%d-k%d", w, i%keys), Data: []byte(data)}
				if i%keys == 4 {
					one.ExplicitHashKey = record.HashKey{Hi: uint64(w) << 62, Lo: 7}.String()
				}
				future, err := p.Put(context.Background(), one)
				if err != nil {
					t.Error(err)
					return
				}
				futures[w] = append(futures[w], future)
				if chance(60) { // a reshard
					f.mu.Lock()
					open := len(f.open())
					f.mu.Unlock()
					if w != 0 {
						continue
					}
					if open < 6 && (open < 2 || chance(2)) {
						f.split(some(open))
					} else {
						f.merge(some(open - 1))
					}
				}
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if records, bytes := p.Outstanding(); records != 0 || bytes != 0 {
		t.Errorf("%d records, %d bytes outstanding after Close", records, bytes)
	}

	all, astray := f.read(t)
	at := map[place]found{}
	for _, one := range all {
		at[one.place] = one
	}
	for w := range writers {
		for i, future := range futures[w] {
			result, err := future.Result()
			if err != nil {
				t.Fatalf("record %d of writer %d: %v", i, w, err)
			}
			key, explicit, data := future.Record()
			got, ok := at[place{result.ShardID, result.SequenceNumber, result.SubSequenceNumber}]
			if !ok || got.PartitionKey != key || string(got.Data) != string(data) || explicit != "" && got.ExplicitHashKey != explicit {
				t.Fatalf("record %d of writer %d is not at %+v: %+v", i, w, result, got)
			}
			if last := result.Attempts[len(result.Attempts)-1]; last.ErrorCode != "" || last.ShardID != result.ShardID {
				t.Fatalf("the last attempt is %+v", last)
			}
		}
	}
	next := map[string]int{}
	seen := map[string]bool{}
	for _, one := range all {
		fields := strings.Fields(string(one.Data))
		if seen[fields[0]+fields[1]] {
			continue
		}
		seen[fields[0]+fields[1]] = true
		n, _ := strconv.Atoi(fields[1])
		if ordered && n != next[fields[0]] {
			t.Fatalf("key %s: %d comes where %d is due", fields[0], n, next[fields[0]])
		}
		next[fields[0]]++
	}
	if len(seen) != writers*keys*each {
		t.Errorf("%d different records of %d", len(seen), writers*keys*each)
	}
	t.Logf("ordered %v, packed %v: %d copies of %d records in %d of the stream, %d of those astray, %d shards, %d requests, %d lists", ordered, *o.AggregationEnabled, len(all), len(seen), f.sequence, astray, len(f.shards), len(f.requests), f.lists)
}
