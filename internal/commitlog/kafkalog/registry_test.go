package kafkalog

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/weir-stream/weir/internal/commitlog"
)

// Whatever entries come, no two logs of a group share a partition, the counts agree, and what was deleted stays deleted.
func FuzzRegistry(f *testing.F) {
	f.Add([]byte(`{"v":1,"op":"create","group":5,"member":9,"retention_ns":1000}
{"v":1,"op":"create","group":5,"member":2}
{"v":1,"op":"seal","group":5,"member":2,"end":7}
{"v":1,"op":"seal","group":5,"member":2,"end":8}
{"v":1,"op":"configure","group":5,"member":9}
{"v":1,"op":"delete","group":5,"member":9}
{"v":1,"op":"create","group":5,"member":9}
{"v":1,"op":"create","group":5,"member":1}`))
	f.Add([]byte(`{"v":2}` + "\n" + `{"v":1,"op":"delete"}`))
	f.Fuzz(func(t *testing.T, lines []byte) {
		r := registry{logs: map[commitlog.ID]*registered{}, deleted: map[commitlog.ID]int32{}, groups: map[uint64]*group{}}
		ends := map[commitlog.ID]commitlog.Position{}
		for line := range bytes.Lines(lines) {
			var e entry
			if json.Unmarshal(line, &e) != nil || r.apply(e) != nil {
				continue
			}
			taken := map[uint64]map[int32]bool{}
			take := func(id commitlog.ID, partition int32) {
				if taken[id.Group] == nil {
					taken[id.Group] = map[int32]bool{}
				}
				if taken[id.Group][partition] || partition < 0 || partition >= r.groups[id.Group].partitions {
					t.Fatalf("partition %d of group %d is taken twice or does not exist", partition, id.Group)
				}
				taken[id.Group][partition] = true
			}
			live := map[uint64]int{}
			for id, l := range r.logs {
				take(id, l.partition)
				live[id.Group]++
				if end, sealed := ends[id]; sealed && (!l.sealed || l.end != end) {
					t.Fatalf("log %s was sealed at %d, now %+v", id, end, l)
				}
				if l.sealed {
					ends[id] = l.end
				}
			}
			for id, partition := range r.deleted {
				take(id, partition)
				if r.logs[id] != nil {
					t.Fatalf("log %s exists and was deleted", id)
				}
			}
			for id, g := range r.groups {
				if g.live != live[id] || len(taken[id]) != int(g.partitions) {
					t.Fatalf("group %d: %+v, %d live, %d partitions taken", id, g, live[id], len(taken[id]))
				}
			}
		}
	})
}
