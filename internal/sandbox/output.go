package sandbox

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	// tailBytes is how much of the log an invocation gives back (API_Invoke: the last 4 KB).
	tailBytes = 4096
	// lineMax is where a line is cut into several.
	lineMax = 64 << 10
	// floodBytes is how much of what one invocation writes is handed on; the rest is counted. A function that writes without end would otherwise fill
	// whatever listens.
	floodBytes = 1 << 20
)

// output is what a process writes, to stdout and stderr alike, and the lines that the pool writes about it.
type output struct {
	f      *Function
	stream string
	to     func(Line)
	now    func() time.Time

	mu      sync.Mutex    // guards everything below
	marks   int           // markers that drain has met
	met     chan struct{} // closed and replaced when marks grows
	tail    []byte        // the end of what came since the invocation began
	handed  int           // bytes of it that were handed on
	dropped int64         // bytes of it that were not
}

// begin starts an invocation's share of the output.
func (o *output) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail, o.handed, o.dropped = o.tail[:0], 0, 0
}

// end says what was left out, and gives the end of the invocation's output.
func (o *output) end() []byte {
	o.mu.Lock()
	dropped := o.dropped
	o.dropped = 0
	o.mu.Unlock()
	if dropped > 0 {
		o.say(fmt.Sprintf("%d bytes of output beyond %d were dropped", dropped, floodBytes))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]byte(nil), o.tail...)
}

// say writes a line of the pool's own.
func (o *output) say(text string) { o.write(text, true) }

func (o *output) write(text string, own bool) {
	o.mu.Lock()
	o.tail = append(append(o.tail, text...), '\n')
	if n := len(o.tail); n > 2*tailBytes {
		o.tail = append(o.tail[:0], o.tail[n-tailBytes:]...)
	}
	hand := own || o.handed+len(text) <= floodBytes
	if hand && !own {
		o.handed += len(text)
	} else if !hand {
		o.dropped += int64(len(text))
	}
	o.mu.Unlock()
	if hand {
		o.to(Line{Account: o.f.Account, Region: o.f.Region, Function: o.f.Name, Version: o.f.Version, Stream: o.stream, Time: o.now(), Text: text})
	}
}

// mark is a line that the pool writes into a process's output, and that drain does not hand on: what the process wrote before it has then been read. A
// process answers and prints in two ways, of which the second may be slower.
const mark = "\x00weir\x00\n"

// marked says how many markers have been met, and gives a channel that is closed when there is another.
func (o *output) marked() (int, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.met == nil {
		o.met = make(chan struct{})
	}
	return o.marks, o.met
}

func (o *output) meet() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.marks++
	if o.met != nil {
		close(o.met)
		o.met = nil
	}
}

// drain reads what a process writes until it ends, so that the process never waits for us.
func (o *output) drain(from io.Reader) {
	r := bufio.NewReaderSize(from, lineMax)
	for {
		line, err := r.ReadSlice('\n')
		line, marked := bytes.CutSuffix(line, []byte(mark))
		if len(line) > 0 {
			o.write(strings.TrimSuffix(string(line), "\n"), false)
		}
		if marked {
			o.meet()
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// clip is at most the last 4 KiB of a log.
func clip(log []byte) []byte {
	if n := len(log); n > tailBytes {
		return log[n-tailBytes:]
	}
	return log
}
