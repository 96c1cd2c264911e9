package mapping

import (
	"context"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	numbers "github.com/weir-stream/weir/internal/record"
)

// judgement watches a function and holds what mappings promise against what it is given.
type judgement struct {
	*testing.T

	mu        sync.Mutex // guards everything below
	r         *mathrand.Rand
	healthy   bool
	reports   bool
	run       int              // crashes so far
	floors    map[uint32]int64 // by shard, its checkpoint at the last crash
	succeeded map[string]int   // by record, 1 + the run in which it last succeeded
	discarded map[string]bool  // as of the last look at the documents
	last      map[string]int   // by key, the number of the last record that succeeded for the first time
}

func split(data string) (key string, n int) {
	key, value, _ := strings.Cut(data, "=")
	n, _ = strconv.Atoi(value)
	return key, n
}

func (j *judgement) invoke(ctx context.Context, e *event) (Result, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range e.Records {
		number, err := numbers.ParseSequenceNumber(e.Records[i].Kinesis.Number)
		if err != nil {
			j.Error(err)
		}
		if floor := j.floors[number.Shard]; number.Position < floor {
			j.Errorf("run %d: %s, at %d of shard %d, is before the checkpoint %d", j.run, e.Records[i].Kinesis.Data, number.Position, number.Shard, floor)
		}
		if data := string(e.Records[i].Kinesis.Data); j.succeeded[data] == j.run+1 {
			j.Errorf("run %d: %s was given again after it had succeeded", j.run, data)
		}
	}
	cut, result, err := len(e.Records), Result{Payload: []byte(`{}`)}, error(nil)
	if !j.healthy && ctx.Err() == nil {
		switch dice := j.r.IntN(10); {
		case dice < 3:
			cut, result = 0, errored
		case dice == 3:
			cut, err = 0, fault.New(fault.Throttled, "not now")
		case dice < 6 && j.reports && len(e.Records) > 0:
			cut = j.r.IntN(len(e.Records))
			result, _ = answers(`{"batchItemFailures":[{"itemIdentifier":"` + e.Records[cut].Kinesis.Number + `"}]}`)
		}
	}
	for i := range cut {
		data := string(e.Records[i].Kinesis.Data)
		key, n := split(data)
		if j.succeeded[data] == 0 {
			if n <= j.last[key] && !j.discarded[data] {
				j.Errorf("run %d: key %s: %d after %d", j.run, key, n, j.last[key])
			}
			j.last[key] = max(j.last[key], n)
		}
		j.succeeded[data] = j.run + 1
	}
	return result, err
}

// Whatever fails, is resharded and is killed: every record is delivered or told of in a document; of each key, records succeed in their order; nothing comes twice but what
// a crash repeats, and nothing before the checkpoint that was there then.
func TestDelivery(t *testing.T) {
	for range 4 {
		t.Run("random", testDelivery)
	}
}

func testDelivery(t *testing.T) {
	r := random(t)
	w := setUp(t)
	j := &judgement{T: t, r: mathrand.New(mathrand.NewPCG(r.Uint64(), 1)), floors: map[uint32]int64{}, succeeded: map[string]int{}, discarded: map[string]bool{}, last: map[string]int{}}
	w.does("f", j.invoke)
	w.create("s", 1+r.IntN(3))
	j.reports = r.IntN(2) == 0
	m := w.mapTo("f", func(c *Config) {
		c.BatchSize, c.Parallelization, c.Bisect, c.ReportItems = 1+r.IntN(8), 1+r.IntN(4), r.IntN(2) == 0, j.reports
		c.Retries, c.WindowSeconds, c.OnFailure = r.IntN(4)-1, r.IntN(2)*r.IntN(5), "arn:aws:s3:::failed"
		t.Logf("%+v", *c)
	})
	// look gathers which records were told of.
	look := func() {
		docs, _ := w.documents()
		j.mu.Lock()
		defer j.mu.Unlock()
		for _, d := range docs {
			e := new(event)
			must(t, json.Unmarshal([]byte(d["payload"].(string)), e))
			for i := range e.Records {
				j.discarded[string(e.Records[i].Kinesis.Data)] = true
			}
		}
	}
	put := map[string]int{}
	var all []string
	reshards := 0
	for range 60 {
		switch dice := r.IntN(20); {
		case dice < 12:
			var texts []string
			for range 1 + r.IntN(12) {
				key := fmt.Sprint(r.IntN(8))
				put[key]++
				texts = append(texts, fmt.Sprintf("%s=%d", key, put[key]))
			}
			w.put("s", texts...)
			all = append(all, texts...)
		case dice < 15:
			w.clock.Advance(time.Duration(r.IntN(5000)) * time.Millisecond)
		case dice < 16:
			w.pass(time.Duration(r.IntN(20)) * time.Second)
		case dice < 17 && reshards < 6:
			reshards++
			open := w.stream("s").OpenShards()
			if to := max(1, (open+1)/2) + r.IntN(open); to != open {
				w.reshard("s", to)
			}
		case dice < 19:
			w.crash()
			look()
			j.mu.Lock()
			j.run++
			for key, at := range w.checkpoints.Shards(m.consumer()) {
				var group uint64
				var shard uint32
				if n, _ := fmt.Sscanf(key, "%d/shardId-%d", &group, &shard); n == 2 {
					j.floors[shard] = at.Position
				}
			}
			j.mu.Unlock()
			w.open()
		default:
			w.update(m.UUID, func(u *Update) { u.Config.BatchSize = 1 + r.IntN(8) })
		}
	}
	j.mu.Lock()
	j.healthy = true
	j.mu.Unlock()
	w.pass(10 * time.Minute)
	look()
	for _, data := range all {
		if j.succeeded[data] == 0 && !j.discarded[data] {
			t.Errorf("%s is nowhere", data)
		}
	}
	if t.Failed() {
		t.Log(w.checkpoints.Shards(m.consumer()), w.mapping(m.UUID))
		for _, s := range w.stream("s").Shards {
			t.Log(s.Number, s.Status, s.End, s.Base)
		}
	}
	if len(all) == 0 {
		t.Error("the test tests little")
	}
}
