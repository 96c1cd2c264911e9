package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// first times how long someone who types the demo's command waits until a record can be read, and counts the allocations of a put.
func (b *bench) first(context.Context) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	began := time.Now()
	p, err := start(addr, filepath.Join(b.dir, "demo.log"), b.weir, "demo", "tolls", "--listen", addr, "--data", filepath.Join(b.dir, "demo"))
	if err != nil {
		return err
	}
	defer p.kill()
	for deadline := began.Add(time.Minute); ; time.Sleep(time.Millisecond) {
		read, err := demoHasRecords(addr)
		if err == nil && read {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no record within a minute: %w", err)
		}
	}
	b.printf("| the first minute | |\n|---|--:|\n| built binary: `weir demo tolls` until a record is read back | **%s** |\n", time.Since(began).Round(time.Millisecond))
	allocs, err := putAllocations()
	if err != nil {
		return err
	}
	b.printf("| allocations per record, PutRecords with 500 over 4 shards (`go test -bench PutRecords ./internal/api/kinesis`) | **%.2f** |\n\n", allocs/batchSize)
	return nil
}

// demoHasRecords says whether the demo's stream has a record to read.
func demoHasRecords(addr string) (bool, error) {
	k := key{"test", "test"}
	var start struct{ ShardIterator string }
	if err := call(addr, k, "GetShardIterator", `{"StreamName":"toll-transactions","ShardId":"shardId-000000000000","ShardIteratorType":"TRIM_HORIZON"}`, &start); err != nil {
		return false, err
	}
	var answer struct{ Records []json.RawMessage }
	err := call(addr, k, "GetRecords", fmt.Sprintf(`{"ShardIterator":%q,"Limit":1}`, start.ShardIterator), &answer)
	return len(answer.Records) > 0, err
}

// putAllocations is the allocations of one PutRecords with 500 records, as Go's own benchmark counts them.
func putAllocations() (float64, error) {
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", "PutRecords/records=500", "-benchmem", "github.com/weir-stream/weir/internal/api/kinesis")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[len(fields)-1] == "allocs/op" {
			var allocs float64
			_, err := fmt.Sscan(fields[len(fields)-2], &allocs)
			return allocs, err
		}
	}
	return 0, fmt.Errorf("no figure in %q", out)
}
