package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/segmentio/asm/base64"
)

// The floor is what any durable server of this API has to do, and nothing else: net/http, read the body, hash it for the signature, find
// the data, decode it with the same routine, append it to one growing file, one fdatasync for everyone who waits. It checks nothing,
// routes nothing, and can find nothing again.
//
// For reading, it builds the same answer from records that lie ready in memory: keys, sequence numbers and times are already text.

func runFloor(args []string) error {
	file, err := os.Create(filepath.Join(args[1], "floor.log.data"))
	if err != nil {
		return err
	}
	log := &floorLog{file: file}
	log.filled = sync.NewCond(&log.mu)
	go log.write()
	bodies := sync.Pool{New: func() any { return new([]byte) }}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /put", func(w http.ResponseWriter, r *http.Request) {
		buf := bodies.Get().(*[]byte)
		defer bodies.Put(buf)
		if cap(*buf) < int(r.ContentLength) {
			*buf = make([]byte, r.ContentLength)
		}
		body := (*buf)[:r.ContentLength]
		if _, err := io.ReadFull(r.Body, body); err != nil {
			return
		}
		sum := sha256.Sum256(body)
		_ = sum
		log.append(body)
		w.Header().Set("Content-Length", "2")
		io.WriteString(w, "{}")
	})
	records := floorRecords()
	answers := sync.Pool{New: func() any { return new([]byte) }}
	mux.HandleFunc("POST /get", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		buf := answers.Get().(*[]byte)
		defer answers.Put(buf)
		*buf = floorAnswer((*buf)[:0], records)
		w.Header().Set("Content-Length", strconv.Itoa(len(*buf)))
		w.Write(*buf)
	})
	return http.ListenAndServe(args[0], mux)
}

// floorLog is a growing file with group commit.
type floorLog struct {
	file *os.File

	mu      sync.Mutex // guards everything below
	filled  *sync.Cond // pending is no longer empty
	pending []byte
	spare   []byte
	done    chan struct{} // closed when pending is on disk
}

// append decodes every "Data" of a body into the pending block and waits for its sync.
func (l *floorLog) append(body []byte) {
	marker := []byte(`"Data":"`)
	l.mu.Lock()
	for {
		at := bytes.Index(body, marker)
		if at < 0 {
			break
		}
		body = body[at+len(marker):]
		end := bytes.IndexByte(body, '"')
		text := body[:end]
		from := len(l.pending)
		if need := from + base64.StdEncoding.DecodedLen(len(text)); need > cap(l.pending) {
			l.pending = append(make([]byte, 0, 2*need), l.pending...)
		}
		n, _ := base64.StdEncoding.Decode(l.pending[from:cap(l.pending)], text)
		l.pending = l.pending[:from+n]
		body = body[end:]
	}
	if l.done == nil {
		l.done = make(chan struct{})
		l.filled.Signal()
	}
	done := l.done
	l.mu.Unlock()
	<-done
}

func (l *floorLog) write() {
	for {
		l.mu.Lock()
		for l.done == nil {
			l.filled.Wait()
		}
		block, done := l.pending, l.done
		l.pending, l.spare, l.done = l.spare[:0], block, nil
		l.mu.Unlock()
		if _, err := l.file.Write(block); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := syscall.Fdatasync(int(l.file.Fd())); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		close(done)
	}
}

// floorRecord is a record with everything but its data ready as text.
type floorRecord struct{ sequence, arrived, key, data []byte }

func floorRecords() []floorRecord {
	records := make([]floorRecord, getLimit)
	for i := range records {
		records[i] = floorRecord{
			sequence: fmt.Appendf(nil, "%056d", i),
			arrived:  []byte("1763643600.123"),
			key:      fmt.Appendf(nil, "key-%d", i),
			data:     payload(i),
		}
	}
	return records
}

func floorAnswer(dst []byte, records []floorRecord) []byte {
	dst = append(dst, `{"Records":[`...)
	for i := range records {
		r := &records[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"SequenceNumber":"`...)
		dst = append(dst, r.sequence...)
		dst = append(dst, `","ApproximateArrivalTimestamp":`...)
		dst = append(dst, r.arrived...)
		dst = append(dst, `,"Data":"`...)
		size := base64.StdEncoding.EncodedLen(len(r.data))
		if cap(dst)-len(dst) < size {
			dst = append(dst, make([]byte, size)...)[:len(dst)]
		}
		base64.StdEncoding.Encode(dst[len(dst):len(dst)+size], r.data)
		dst = dst[:len(dst)+size]
		dst = append(dst, `","PartitionKey":"`...)
		dst = append(dst, r.key...)
		dst = append(dst, `"}`...)
	}
	return append(dst, `],"MillisBehindLatest":0,"NextShardIterator":"AAAAAAAAAAE"}`...)
}
