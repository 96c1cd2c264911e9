package crash

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/vfs"
)

const (
	childLogs    = 6
	childWriters = 12
	childKeeps   = 3000 // records of each log that trimming leaves
)

// options are what child and parent open the store with: files so small that layout, merging and deletion happen all the time.
func options(dir string) (disklog.Options, error) {
	fs, err := vfs.NewOS(dir)
	return disklog.Options{
		FS: fs, Dir: "log",
		JournalBytes: 1 << 20, SegmentBytes: 8 << 20, TendEvery: 20 * time.Millisecond,
		ThrottleWait: time.Minute, // a slow disk is no failure here
	}, err
}

// child appends, trims, creates, seals and deletes until it is killed, and says on standard output what was acknowledged, one line each, written
// in one call after the acknowledgement:
//
//	append LOG POSITION RECORDS CHECKSUM
//	trim LOG POSITION
//	create LOG · seal LOG END · delete LOG
func child(dir string, seed uint64) error {
	o, err := options(dir)
	if err != nil {
		return err
	}
	s, err := disklog.Open(o)
	if err != nil {
		return err
	}
	var mu sync.Mutex // one line at a time
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(os.Stdout, format+"\n", args...)
	}
	ctx := context.Background()
	failed := make(chan error, childWriters+1)
	for w := range childWriters {
		r := rand.New(rand.NewPCG(seed, uint64(w)))
		id := commitlog.ID{Group: 1, Member: uint32(w % childLogs)}
		if err := s.Create(ctx, id, commitlog.Config{}); err != nil {
			return err
		}
		say("create %s", id)
		l, err := s.Open(ctx, id)
		if err != nil {
			return err
		}
		go func() { failed <- appendForEver(ctx, l, id, r, w < childLogs, say) }()
	}
	go func() { failed <- bearAndBury(ctx, s, rand.New(rand.NewPCG(seed, 99)), say) }()
	return <-failed
}

func appendForEver(ctx context.Context, l commitlog.Log, id commitlog.ID, r *rand.Rand, trims bool, say func(string, ...any)) error {
	var b batch.Batch
	for {
		b.Reset()
		n := 1 + r.IntN(8)
		sum := uint64(0)
		for range n {
			value := make([]byte, 8+r.IntN(2000))
			for i := range value {
				value[i] = byte(r.Uint32())
			}
			b.Append(time.Now().UnixMilli(), nil, value)
			sum = checksum(sum, value)
		}
		position, err := l.Append(ctx, &b)
		if err != nil {
			return err
		}
		say("append %s %d %d %d", id, position, n, sum)
		if before := position - childKeeps; trims && before > 0 && r.IntN(20) == 0 {
			if err := l.Trim(ctx, before); err != nil {
				return err
			}
			say("trim %s %d", id, before)
		}
	}
}

// bearAndBury makes short-lived logs, which are sealed, and some deleted.
func bearAndBury(ctx context.Context, s *disklog.Store, r *rand.Rand, say func(string, ...any)) error {
	for {
		id := commitlog.ID{Group: 2 + r.Uint64N(1<<50)}
		if err := s.Create(ctx, id, commitlog.Config{}); err != nil {
			return err
		}
		say("create %s", id)
		l, err := s.Open(ctx, id)
		if err != nil {
			return err
		}
		var b batch.Batch
		value := binary.LittleEndian.AppendUint64(nil, r.Uint64())
		b.Append(time.Now().UnixMilli(), nil, value)
		position, err := l.Append(ctx, &b)
		if err != nil {
			return err
		}
		say("append %s %d 1 %d", id, position, checksum(0, value))
		end, err := l.Seal(ctx)
		if err != nil {
			return err
		}
		say("seal %s %d", id, end)
		if r.IntN(4) > 0 {
			say("deleting %s", id)
			if err := s.Delete(ctx, id); err != nil {
				return err
			}
			say("delete %s", id)
		}
	}
}

var crcTable = crc64.MakeTable(crc64.ECMA)

// checksum of a sequence of values: sum is that of those before.
func checksum(sum uint64, value []byte) uint64 { return crc64.Update(sum, crcTable, value) }
