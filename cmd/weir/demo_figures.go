package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/weir-stream/weir/client/tail"
	"github.com/weir-stream/weir/internal/scenario/tolls"
)

// figures is what the demo counts. Safe for concurrent use.
type figures struct {
	scale tolls.Scale

	mu sync.Mutex // guards everything below
	snapshot
	behind map[string]time.Duration // by shard that is being read
	seen   map[int]bool             // vehicles that were read
}

// snapshot is the figures at one moment.
type snapshot struct {
	at        time.Time
	scenario  time.Time // the scenario's time
	written   int
	rotations int
	done      bool // the stations have written everything
	acked     int
	ackedSize int64
	got       int // records read
	gotSize   int64
	vehicles  map[string]int // by station, each once
	repeated  int            // records of vehicles that had been read
	malformed int
	lag       time.Duration // of the shard that is furthest behind
	shards    int           // being read
	closed    int           // read to their end, which a reshard gave them
	message   string
	messageAt time.Time
}

func newFigures(scale tolls.Scale) *figures {
	return &figures{scale: scale, behind: map[string]time.Duration{}, seen: map[int]bool{}, snapshot: snapshot{scenario: scale.Start, vehicles: map[string]int{}}}
}

func (f *figures) wrote(line tolls.Line, rotations int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written++
	f.rotations = rotations
	f.scenario = line.Written
}

func (f *figures) finished() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = true
}

func (f *figures) put(records, size int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acked += records
	f.ackedSize += int64(size)
}

func (f *figures) read(b tail.Batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.behind[b.Shard] = b.Behind
	if b.Closed {
		delete(f.behind, b.Shard)
		f.closed++
	}
	f.shards, f.lag = len(f.behind), 0
	for _, lag := range f.behind {
		f.lag = max(f.lag, lag)
	}
	for _, r := range b.Records {
		f.got++
		f.gotSize += int64(len(r.Data))
		vehicle, err := tolls.ParseLine(r.Data)
		switch {
		case err != nil:
			f.malformed++
		case f.seen[vehicle.Seq]:
			f.repeated++
		default:
			f.seen[vehicle.Seq] = true
			f.vehicles[vehicle.Station]++
		}
	}
}

func (f *figures) note(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.message, f.messageAt = text, time.Now()
}

// now copies the figures.
func (f *figures) now() snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.snapshot
	s.at = time.Now()
	s.vehicles = make(map[string]int, len(f.vehicles))
	for name, n := range f.vehicles {
		s.vehicles[name] = n
	}
	return s
}

// last is what stays on the terminal when the screen is gone.
func (f *figures) last(data string) string {
	s := f.now()
	vehicles := 0
	for _, n := range s.vehicles {
		vehicles += n
	}
	return fmt.Sprintf("%s lines written, %s put and acknowledged in this run, %s read back: %s vehicles, %s duplicates, %s malformed. The same command goes on in %s.",
		countText(int64(s.written)), countText(int64(s.acked)), countText(int64(s.got)), countText(int64(vehicles)), countText(int64(s.repeated)), countText(int64(s.malformed)), data)
}
