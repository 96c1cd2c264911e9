package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// lineMax bounds a line: entries have at most 64 KiB of parameters.
const lineMax = 1 << 20

// Read gives the entries of a directory from a time on, in the order in which they were written, until yield says no. spoiled is how many lines are no entries:
// a crash leaves at most one a file. NotFound when there is no audit log.
func Read(fs vfs.FS, dir string, since time.Time, yield func(Entry, []byte) bool) (spoiled int, err error) {
	names, err := fs.List(dir)
	if err != nil {
		return 0, fault.Wrap(err, "audit log")
	}
	first := since.UTC().Format(time.DateOnly)
	for _, name := range names {
		day, ok := strings.CutSuffix(name, ".jsonl")
		if _, err := time.Parse(time.DateOnly, day); !ok || err != nil || day < first {
			continue
		}
		more, n, err := readDay(fs, fileName(dir, day), since, yield)
		spoiled += n
		if err != nil || !more {
			return spoiled, fault.Wrap(err, "audit log: %s", name)
		}
	}
	return spoiled, nil
}

func readDay(fs vfs.FS, name string, since time.Time, yield func(Entry, []byte) bool) (more bool, spoiled int, err error) {
	f, err := fs.Open(name)
	if err != nil {
		return false, 0, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return false, 0, err
	}
	lines := bufio.NewScanner(io.NewSectionReader(f, 0, size))
	lines.Buffer(nil, lineMax)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var e Entry
		if json.Unmarshal(line, &e) != nil || e.Operation == "" {
			spoiled++
			continue
		}
		if !e.Time.Before(since) && !yield(e, line) {
			return false, spoiled, nil
		}
	}
	return true, spoiled, fault.As(fault.Corrupt, lines.Err(), "")
}
