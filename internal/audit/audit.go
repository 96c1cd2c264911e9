// Package audit writes down who administered what: one line of JSON for each control call, a file for each day.
//
// It owns the lines and the files. Which calls are control calls, and what is said of them, belongs to the services. Calls that carry records are
// never here, and no data is.
//
// The log does not stand in the way: when it cannot be written, the service goes on, and what was left out is counted.
//
// There is this file, and read.go.
package audit

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// Entry is one call. Its fields are the line's, in this order.
type Entry struct {
	Time       time.Time       `json:"time"` // when the request arrived, UTC
	RequestID  string          `json:"requestId"`
	Account    string          `json:"account"`
	User       string          `json:"user"`                 // the caller's ARN
	KeyID      string          `json:"accessKeyId"`          // empty when nothing was signed, which weir dev allows
	Source     string          `json:"sourceIp"`             // of the connection
	Service    string          `json:"service"`              // kinesis
	Region     string          `json:"region"`               // that the request was signed for
	Operation  string          `json:"operation"`            // CreateStream
	Resource   string          `json:"resource,omitempty"`   // ARN, as far as the request names one
	Parameters json.RawMessage `json:"parameters,omitempty"` // the request, as JSON; absent when it could not be read
	ErrorCode  string          `json:"errorCode,omitempty"`  // AWS's name of the refusal; absent when it was granted
}

// syncEvery is how much of the log a failure of the machine may take. The end of the process takes nothing.
const syncEvery = time.Second

// Options says what a Log works with. Failed alone may be nil.
type Options struct {
	FS    vfs.FS
	Dir   string      // made if absent
	Clock clock.Clock // real time
	// Failed is told of each entry that could not be written, and of nil once when entries are written again.
	Failed func(error)
}

// Log appends entries to the file of their day. It is safe for concurrent use.
type Log struct {
	fs     vfs.FS
	dir    string
	clock  clock.Clock
	failed func(error)

	mu      sync.Mutex // guards everything below
	day     string     // of file: 2026-11-18
	file    vfs.File   // nil before the first entry, and after a failure
	size    int64      // where the next line begins
	dirty   bool       // something was written since the last sync
	failing bool       // the last entry was lost
}

// Open makes the directory. Nothing is written before the first entry.
func Open(o Options) (*Log, error) {
	l := &Log{fs: o.FS, dir: o.Dir, clock: o.Clock, failed: o.Failed}
	if l.failed == nil {
		l.failed = func(error) {}
	}
	if err := l.fs.MkdirAll(l.dir); err != nil {
		return nil, fault.Wrap(err, "audit log")
	}
	return l, fault.Wrap(l.fs.SyncDir("."), "audit log")
}

// Record appends an entry. Failures go to Options.Failed, never to the caller.
func (l *Log) Record(e Entry) {
	e.Time = e.Time.UTC()
	line, err := json.Marshal(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		err = l.append(e.Time.Format(time.DateOnly), append(line, '\n'))
	}
	switch {
	case err != nil:
		l.failed(fault.Wrap(err, "audit log: %s by %s", e.Operation, e.User))
	case l.failing:
		l.failed(nil)
	}
	l.failing = err != nil
}

func (l *Log) append(day string, line []byte) error {
	if l.file == nil || l.day != day {
		if err := l.open(day); err != nil {
			return err
		}
	}
	if _, err := l.file.WriteAt(line, l.size); err != nil { // what was written of it, the next line overwrites
		l.close()
		return err
	}
	l.size += int64(len(line))
	l.dirty = true
	return nil
}

// open goes to the end of the file of a day. A line that a crash tore is ended there, so that it spoils no other.
func (l *Log) open(day string) error {
	l.close()
	name := fileName(l.dir, day)
	f, err := l.fs.Open(name)
	if fault.Is(err, fault.NotFound) {
		if f, err = l.fs.Create(name); err == nil {
			err = l.fs.SyncDir(l.dir)
		}
	}
	if err != nil {
		return err
	}
	l.file, l.day = f, day
	if l.size, err = endLine(f); err != nil {
		l.close()
	}
	return err
}

// endLine ends the last line of a file, if nothing does, and gives the file's size.
func endLine(f vfs.File) (size int64, err error) {
	if size, err = f.Size(); err != nil || size == 0 {
		return size, err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], size-1); err != nil || last[0] == '\n' {
		return size, err
	}
	_, err = f.WriteAt([]byte{'\n'}, size)
	return size + 1, err
}

// close lets the file go, synced if that is possible.
func (l *Log) close() {
	if l.file == nil {
		return
	}
	if l.dirty {
		if err := l.file.SyncData(); err != nil {
			l.failed(fault.Wrap(err, "audit log: sync"))
		}
	}
	_ = l.file.Close() // nothing can be lost by it that the sync has not told of
	l.file, l.dirty = nil, false
}

// Run makes what was written durable, once a second, until ctx ends.
func (l *Log) Run(ctx context.Context) error {
	for clock.Sleep(ctx, l.clock, syncEvery) == nil {
		l.sync()
	}
	return nil
}

func (l *Log) sync() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dirty {
		return
	}
	if err := l.file.SyncData(); err != nil {
		l.failed(fault.Wrap(err, "audit log: sync"))
	}
	l.dirty = false
}

// Close makes everything durable and closes the file. Record may be called afterwards; it opens the file again.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.close()
	return nil
}

// fileName is where a day's entries are.
func fileName(dir, day string) string { return dir + "/" + day + ".jsonl" }
