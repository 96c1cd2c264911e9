package tables

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables/value"
	"github.com/weir-stream/weir/internal/vfs"
)

// call is what one client asked of a register, and answer what it heard.
type call struct {
	key  string
	verb string // get, swap (from → to), put
	from int
	to   int
}

type answer struct {
	value   int // 0 when there is none
	swapped bool
}

// register is the model: an item with a number.
var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, op := range history {
			key := op.Input.(call).key
			byKey[key] = append(byKey[key], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return 0 },
	Step: func(state, input, output any) (bool, any) {
		now, in, out := state.(int), input.(call), output.(answer)
		switch {
		case in.verb == "get":
			return out.value == now, now
		case in.verb == "put":
			return true, in.to
		case out.swapped:
			return now == in.from, in.to
		default:
			return now != in.from && out.value == now, now // a refused swap shows the item
		}
	},
}

// TestWritesAreLinearizable lets clients put, swap on condition and read a few items at once, and searches for an order of all they heard that one
// register after the other would give.
func TestWritesAreLinearizable(t *testing.T) {
	base := seedOf(t)
	w := begin(t, vfs.NewMem(), clock.Real, 50)
	tab := w.makeTable("t", false, nil)
	region := w.region()
	const clients, calls, keys = 8, 150, 3
	began := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	var running sync.WaitGroup
	for client := range clients {
		r := rand.New(rand.NewPCG(base, uint64(client)))
		running.Go(func() {
			for n := range calls {
				in := call{key: fmt.Sprint("k", r.IntN(keys)), from: 1 + r.IntN(4), to: 1 + r.IntN(4)}
				in.verb = []string{"get", "put", "swap", "swap"}[r.IntN(4)]
				start := time.Since(began).Nanoseconds()
				out, err := ask(region, tab, in)
				if err != nil {
					t.Errorf("client %d, call %d: %v", client, n, err)
					return
				}
				op := porcupine.Operation{ClientId: client, Input: in, Output: out, Call: start, Return: time.Since(began).Nanoseconds()}
				mu.Lock()
				history = append(history, op)
				mu.Unlock()
			}
		})
	}
	running.Wait()
	if result := porcupine.CheckOperationsTimeout(register, history, time.Minute); result != porcupine.Ok {
		t.Errorf("%d calls have no order that explains them: %s", len(history), result)
	}
}

func ask(region *Region, tab *Table, in call) (out answer, err error) {
	ctx := context.Background()
	of := func(it value.Item) int {
		n, _ := it.Get("n").Number().Int64()
		return int(n)
	}
	switch in.verb {
	case "get":
		it, _, err := region.Get(tab, item("k", in.key))
		return answer{value: of(it)}, err
	case "put":
		_, err = region.Write(ctx, []Write{{Table: tab, Verb: VerbPut, Item: item("k", in.key, "n", in.to)}}, false, "")
		return out, err
	}
	p := placeholdersOf(map[string]value.Value{":from": num(in.from)})
	_, err = region.Write(ctx, []Write{{Table: tab, Verb: VerbPut, Item: item("k", in.key, "n", in.to), Condition: p("n = :from"), ReturnOnFailure: true}}, false, "")
	var failed *ConditionFailed
	switch {
	case err == nil:
		return answer{swapped: true}, nil
	case errors.As(err, &failed) && fault.Is(err, fault.Conflict):
		return answer{value: of(failed.Item)}, nil
	}
	return out, err
}
