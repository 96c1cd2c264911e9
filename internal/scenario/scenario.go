// Package scenario is what every acceptance scenario needs: the names of the faults that it may be run under, and what it
// asks of a server that it starts, kills and starts again.
//
// It owns the rule by which a run passes. Without a fault, and through reshards and throttling, what comes out equals the oracle exactly. With
// any other fault, the sets are equal after duplicates are removed by business key, and nothing that was acknowledged is
// missing. The records of one key come in their order, whatever happens. The scenarios themselves, each with its generator and its oracle, are the packages below; how a server is started is the caller's.
//
// Read Fault, then Server, then package tolls, then package offers.
package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// Fault is the name of what goes wrong during a run. The empty Fault is none.
type Fault string

// The faults, by the names that the command line takes.
const (
	KillServer        Fault = "F1" // the server is killed, as by kill -9, at twenty instants, and started again
	SinkDown          Fault = "F2" // a destination does not answer for a while
	PoisonRecord      Fault = "F3" // a function fails on one record
	DuplicateDelivery Fault = "F4" // requests that were answered are sent once more
	Reshard           Fault = "F5" // the stream is resharded twice under load
	DiskFull          Fault = "F6" // the disk has no room for a while
	ClockStep         Fault = "F7" // the clock steps by thirty seconds, both ways
	TornJournal       Fault = "F8" // the last block of the journal is torn by a kill
	Throttle          Fault = "F9" // a function's reserved concurrency is 0 for a while, then 5

	KillDuringReshard Fault = "F1+F5" // both, and the first kills come right after a reshard began
)

// all is every fault that has a name.
var all = []Fault{KillServer, SinkDown, PoisonRecord, DuplicateDelivery, Reshard, DiskFull, ClockStep, TornJournal, Throttle, KillDuringReshard}

// ParseFault finds a fault by name, among those that a scenario can be run under. No name is no fault. The error names them.
func ParseFault(name string, among ...Fault) (Fault, error) {
	fault := Fault(strings.ToUpper(name))
	if fault == "" || slices.Contains(among, fault) {
		return fault, nil
	}
	names := make([]string, len(among))
	for i, one := range among {
		names[i] = string(one)
	}
	if slices.Contains(all, fault) {
		return "", fmt.Errorf("fault %s is none of this scenario's, which are %s", fault, strings.Join(names, ", "))
	}
	return "", fmt.Errorf("fault %q is none of F1 to F9; this scenario's are %s", name, strings.Join(names, ", "))
}

// ParseFaults is ParseFault for a scenario that runs under several faults at once: their names with "+" between them, in any order, each among those given. They
// come back in the order of among, each once.
func ParseFaults(names string, among ...Fault) (Fault, error) {
	if names == "" {
		return "", nil
	}
	var parts []Fault
	for name := range strings.SplitSeq(names, "+") {
		fault, err := ParseFault(name, among...)
		if err == nil && fault == "" {
			err = fmt.Errorf("faults %q: there is none before or behind a +", names)
		}
		if err != nil {
			return "", err
		}
		parts = append(parts, fault)
	}
	var together []string
	for _, one := range among {
		if slices.Contains(parts, one) {
			together = append(together, string(one))
		}
	}
	return Fault(strings.Join(together, "+")), nil
}

// Has says whether one is the fault or a part of it.
func (f Fault) Has(one Fault) bool {
	return slices.Contains(strings.Split(string(f), "+"), string(one))
}

// Deduped says whether a run under the fault is compared after duplicates are removed. Reshards and throttling are no reason for any: what was not given to a function is given later.
func (f Fault) Deduped() bool {
	for part := range strings.SplitSeq(string(f), "+") {
		if part != "" && part != string(Reshard) && part != string(Throttle) {
			return true
		}
	}
	return false
}

// Server is a Weir that a scenario starts and kills. Every start has the same addresses and the same data.
type Server interface {
	// Start starts the server and returns when it answers. faults is what node.Config.Faults takes; empty is a healthy disk.
	Start(ctx context.Context, faults string) error
	// Stop ends the server in good order.
	Stop(ctx context.Context) error
	// Kill ends the server at once, as kill -9 does, and returns when it is gone.
	Kill() error
	// Endpoint is the URL of the API, good after the first Start.
	Endpoint() string
	// DataDir is the directory of everything durable.
	DataDir() string
}

// HangUp closes a client's idle connections, which a server that stops in good order would wait for. A nil client has none.
func HangUp(api *kinesis.Client) {
	if api == nil {
		return
	}
	if idle, ok := api.Options().HTTPClient.(interface{ CloseIdleConnections() }); ok {
		idle.CloseIdleConnections()
	}
}
