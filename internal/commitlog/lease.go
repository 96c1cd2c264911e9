package commitlog

import (
	"github.com/weir-stream/weir/internal/fault"
)

// Lease is a node's right to acknowledge appends. In the embedded mode holding the data directory's lock is the lease and it never runs
// out; in a cluster it is renewed through the control log, and lasts only so long.
type Lease interface {
	// Current is the incarnation that holds the right now, and whether the right is held at this moment. An incarnation is
	// never used again after it was lost: who gets the right back gets a higher one.
	Current() (incarnation uint64, held bool)
}

// Forever is the lease of a process that alone owns its data: incarnation 1, always held.
var Forever Lease = forever{}

type forever struct{}

func (forever) Current() (uint64, bool) { return 1, true }

// BeginUnder notes the lease that an append begins with. Fenced, and nothing appended, when it is not held.
func BeginUnder(l Lease) (incarnation uint64, err error) {
	incarnation, held := l.Current()
	if !held {
		return 0, fault.New(fault.Fenced, "append: the lease is not held")
	}
	return incarnation, nil
}

// AckUnder allows the acknowledgement of an append that is durable and began under incarnation. Otherwise Fenced with outcome
// unknown: the bytes are there, but another node may have closed the log before them.
func AckUnder(l Lease, incarnation uint64) error {
	now, held := l.Current()
	if !held || now != incarnation {
		return fault.Unknown(fault.Fenced, nil, "append: the lease it began under (incarnation %d) is over", incarnation)
	}
	return nil
}
