package agent

import (
	"sync"
	"time"
)

// FlowStatus is how a flow is.
type FlowStatus struct {
	Flow        string       `json:"flow"`
	Destination string       `json:"destination"`
	Files       []FileStatus `json:"files"`
	BytesBehind int64        `json:"bytesBehind"` // not read yet
	Queued      int          `json:"queued"`      // records read and not taken yet
	QueuedBytes int          `json:"queuedBytes"`
	OldestSince *time.Time   `json:"oldestSince,omitempty"` // when the oldest of them was read

	Lines       int64 `json:"lines"` // read, since the agent started, as are the counts below
	Sent        int64 `json:"sent"`
	SentBytes   int64 `json:"sentBytes"`
	Requests    int64 `json:"requests"`
	Retried     int64 `json:"retried"`     // records that were sent again
	Skipped     int64 `json:"skipped"`     // lines that are none of their format
	Unconverted int64 `json:"unconverted"` // records sent as they are, because they could not be converted
	Cut         int64 `json:"cut"`         // records that were too large
	Refused     int64 `json:"refused"`     // records given up, because the service would never take them
	Lost        int64 `json:"lost"`        // times that bytes went before they were read

	LastSent        time.Time `json:"lastSent,omitzero"`
	Waiting         string    `json:"waiting,omitempty"` // why records are being sent again, while they are
	LastError       string    `json:"lastError,omitempty"`
	LastErrorAt     time.Time `json:"lastErrorAt,omitzero"`
	CheckpointAt    time.Time `json:"checkpointAt,omitzero"`
	CheckpointError string    `json:"checkpointError,omitempty"`
}

// FileStatus is how far a file is.
type FileStatus struct {
	Path   string `json:"path"`
	Offset int64  `json:"offset"` // read
	Behind int64  `json:"behind"` // bytes after it, without those of newer files
}

// status is a FlowStatus that its flow changes and others look at.
type status struct {
	mu      sync.Mutex
	now     FlowStatus
	skipped int64 // since skips was asked last
}

func (s *status) begin(c *FlowConfig) {
	s.now.Flow, s.now.Destination, s.now.Files = c.ID, c.Destination(), []FileStatus{}
}

func (s *status) count(change func(*FlowStatus)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.now)
}

func (s *status) readLines(n int) { s.count(func(now *FlowStatus) { now.Lines += int64(n) }) }

func (s *status) lost() { s.count(func(now *FlowStatus) { now.Lost++ }) }

// skippedLogged is how many skipped lines are logged between two reports of progress; a pattern that is used as a filter skips most lines.
const skippedLogged = 10

// skip counts a skipped line, and says whether to log it.
func (s *status) skip() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Skipped++
	s.skipped++
	return s.skipped <= skippedLogged
}

// skips is how many lines were skipped since the last time, and not logged one by one.
func (s *status) skips() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := max(0, s.skipped-skippedLogged)
	s.skipped = 0
	return n
}

func (s *status) get() FlowStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// reportEvery is how often a flow looks at the sizes of its files for its status.
const reportEvery = time.Second

// report puts what only the flow's goroutine knows into its status.
func (f *Flow) report(now bool) {
	at := f.o.Clock.Now()
	if !now && at.Sub(f.reported) < reportEvery {
		return
	}
	f.reported = at
	files := make([]FileStatus, 0, 8)
	behind := int64(0)
	for _, key := range f.set.Keys() {
		file := f.set.File(key)
		one := FileStatus{Path: file.Path(), Offset: file.At().Offset, Behind: file.Unread()}
		behind += one.Behind
		files = append(files, one)
	}
	var oldest *time.Time
	if len(f.queue) > 0 {
		oldest = &f.queue[0].read
	}
	f.status.count(func(s *FlowStatus) {
		s.Files, s.BytesBehind, s.Queued, s.QueuedBytes, s.OldestSince = files, behind, len(f.queue), f.queueBytes, oldest
	})
}
