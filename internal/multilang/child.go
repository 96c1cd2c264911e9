package multilang

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-stream/weir/internal/clock"
)

// Bounds of a child's output.
const (
	// lineBytesMax is the longest line that may be a message. A child sends statuses and checkpoints, of a few hundred bytes. Longer lines are dropped, and said to be.
	lineBytesMax = 1 << 20
	// stderrBytesMax is where a line of standard error is cut in two.
	stderrBytesMax = 64 << 10
)

const (
	// closeGrace is how long a child may take to end once its standard input is closed. The original waits for ever.
	closeGrace = 10 * time.Second
	// pipeGrace is how long the pipes of a child that has ended are read on: for what it wrote last, if a process that left its group keeps them open.
	pipeGrace = time.Second
)

// child is one process, and the three goroutines and one thread that serve it. It is the leader of a process group of its own, which ends with it: a child that is a
// shell script leaves nothing behind. Where the system can, the child is killed when the daemon dies.
//
// The owner sends with send, and receives from lines and wrote. Standard output is read only as fast as lines are taken, so that a child that floods it waits.
type child struct {
	shard string
	say   func(shard, text string)
	clock clock.Clock

	lines  chan []byte   // of standard output, without their ends; closed at its end. Unbuffered
	out    chan []byte   // to standard input; closed by close. Capacity 1: a request being written, and one answer behind it
	wrote  chan error    // one for each of out. Capacity 2, as many as can be on their way
	drain  chan struct{} // closed when nobody takes lines any more: they are said
	exited chan struct{} // closed when the process has ended, after exit was set
	done   chan struct{} // closed when everything of the child has ended

	exit    string      // how it ended, for people
	closing atomic.Bool // its end is wanted
	once    sync.Once   // drain and out are closed once
	pid     int         // set once, before startChild returns

	mu        sync.Mutex // guards collected, and pid against being another's when it is killed
	collected bool
}

// startChild runs a command. ended is called, from a goroutine of the child's, when it has ended without having been told to; it must not wait for the child.
func startChild(shard string, command, environment []string, c clock.Clock, say func(shard, text string), ended func(how string)) (*child, error) {
	ch := &child{
		shard: shard, say: say, clock: c, lines: make(chan []byte), out: make(chan []byte, 1), wrote: make(chan error, 2),
		drain: make(chan struct{}), exited: make(chan struct{}), done: make(chan struct{}),
	}
	cmd := exec.Command(command[0], command[1:]...)
	if errors.Is(cmd.Err, exec.ErrDot) {
		cmd.Err = nil // found by way of a PATH with the current directory in it, which is how samples of the KCL are run
	}
	cmd.Env = environment
	ownGroup(cmd)
	var theirs, ours []*os.File
	fail := func(err error) (*child, error) {
		for _, f := range append(theirs, ours...) {
			err = errors.Join(err, f.Close())
		}
		return nil, err
	}
	for i := range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			return fail(err)
		}
		if i == 0 {
			theirs, ours = append(theirs, r), append(ours, w)
		} else {
			theirs, ours = append(theirs, w), append(ours, r)
		}
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs[0], theirs[1], theirs[2]
	started := make(chan error, 1)
	var pipes sync.WaitGroup
	go func() {
		// The system kills a child when the thread dies that started it, so this one stays as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		pipes.Go(func() { ch.readOut(ours[1]) })
		pipes.Go(func() { ch.readErr(ours[2]) })
		pipes.Go(func() { ch.write(ours[0]) })
		ch.pid = cmd.Process.Pid
		started <- nil
		ch.exit = howEnded(ch.collect(cmd))
		close(ch.exited)
		if !ch.closing.Load() {
			ended(ch.exit)
		}
		until := time.Now().Add(pipeGrace) // of the pipes' own clock
		for _, f := range ours {
			_ = f.SetDeadline(until) // or we would wait for a process that left the group and has the pipe; it may be closed already
		}
		pipes.Wait()
		close(ch.done)
	}()
	err := <-started
	if err != nil {
		return fail(err)
	}
	for _, f := range theirs {
		err = errors.Join(err, f.Close())
	}
	return ch, err
}

// collect waits for the process, and ends what is left of its group.
func (c *child) collect(cmd *exec.Cmd) error {
	if awaitExit(c.pid) { // until it is collected, its number is nobody else's
		c.mu.Lock()
		defer c.mu.Unlock()
		killGroup(c.pid)
		c.collected = true
		return cmd.Wait()
	}
	err := cmd.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.collected = true
	killGroup(c.pid)
	return err
}

func howEnded(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// send puts a line on its way. There must be at most one other on its way. To a child that has ended nothing is sent, and wrote stays silent.
func (c *child) send(line []byte) {
	select {
	case c.out <- line:
	case <-c.exited:
	}
}

func (c *child) write(stdin *os.File) {
	defer stdin.Close()
	for {
		select {
		case line, more := <-c.out:
			if !more {
				return
			}
			_, err := stdin.Write(line)
			c.wrote <- err
		case <-c.exited:
			return
		}
	}
}

// readOut hands out the lines of standard output.
func (c *child) readOut(stdout *os.File) {
	defer close(c.lines)
	defer stdout.Close()
	forLines(stdout, lineBytesMax, func(line []byte, whole bool) {
		if !whole {
			c.say(c.shard, fmt.Sprintf("dropped a line of more than %d bytes on standard output", lineBytesMax))
			return
		}
		select {
		case c.lines <- line:
		case <-c.drain:
			if len(line) > 0 {
				c.say(c.shard, string(line))
			}
		}
	})
}

// readErr passes standard error on.
func (c *child) readErr(stderr *os.File) {
	defer stderr.Close()
	forLines(stderr, stderrBytesMax, func(line []byte, whole bool) {
		c.say(c.shard, string(line))
	})
}

// forLines calls f for each line, without its end, until the input is over. Of a line that is longer than most f gets the first bytes, marked as not whole; standard
// error gets them in pieces, the last of which is whole.
func forLines(from io.Reader, most int, f func(line []byte, whole bool)) {
	r := bufio.NewReader(from)
	var line []byte
	long := false
	for {
		part, err := r.ReadSlice('\n')
		ended := len(part) > 0 && part[len(part)-1] == '\n'
		if ended {
			part = part[:len(part)-1]
			if len(part) > 0 && part[len(part)-1] == '\r' {
				part = part[:len(part)-1]
			}
		}
		line = append(line, part...)
		switch {
		case len(line) > most:
			if !long {
				f(line[:most], false)
			}
			long, line = true, line[:0]
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		}
		if ended || err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if !long && (ended || len(line) > 0) {
				f(line, true)
			}
			line, long = nil, false
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// close ends a child in order: its input ends, what it still says is said, and it is killed if it does not end within closeGrace. It returns when the child is gone.
func (c *child) close() {
	c.letGo()
	timer := c.clock.NewTimer(closeGrace)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C():
		c.say(c.shard, "did not end with its input, and is killed")
		c.kill()
	}
}

// kill ends a child and its process group at once. It returns when they are gone.
func (c *child) kill() {
	c.letGo()
	c.mu.Lock()
	if !c.collected {
		killGroup(c.pid)
	}
	c.mu.Unlock()
	<-c.done
}

func (c *child) letGo() {
	c.once.Do(func() {
		c.closing.Store(true)
		close(c.drain)
		close(c.out)
	})
}
