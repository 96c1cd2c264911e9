package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	openConnections = 10_000
	slowSenders     = 400 // of which so many send a request a byte at a time
	slowTakers      = 100 // and so many take a GetRecords answer of 1.4 MB a few bytes at a time; the others are idle
	slowInterval    = 250 * time.Millisecond
	slowStart       = 5 * time.Second // over which they begin, one after the other
	dialersAtOnce   = 64
)

// Sketch, an idle connection: a goroutine that waits for bytes, and net/http's two buffers of 4 KiB; nothing runs for it. So what 10,000 of them cost a
// put is memory to scan for the collector, and nothing else.

// connections measures puts beside many open connections. Both processes need a few more files than there are connections; the Go runtime raises its
// limit as far as the system allows.
func (b *bench) connections(ctx context.Context) error {
	p, k, err := b.serve(filepath.Join(b.dir, "connections"))
	if err != nil {
		return err
	}
	defer p.kill()
	if err := createStream(p.addr, k, stream, 4); err != nil {
		return err
	}
	fill, err := signed(p.addr, "/", "PutRecords", putRecordsBody(0), k)
	if err != nil {
		return err
	}
	if _, _, err := drive(ctx, p.addr, 4, b.duration/5, func(int, int) []byte { return fill }); err != nil { // something to take, and warm
		return err
	}
	alone, err := b.lanes(ctx, p.addr, k)
	if err != nil {
		return err
	}
	before, err := p.memory("VmRSS")
	if err != nil {
		return err
	}

	crowd, err := gather(ctx, p.addr, k)
	defer crowd.leave()
	if err != nil {
		return err
	}
	idle, err := p.memory("VmRSS")
	if err != nil {
		return err
	}
	if err := crowd.dawdle(ctx, p.addr, k); err != nil {
		return err
	}
	select { // until all of them are at it
	case <-time.After(slowStart):
	case <-ctx.Done():
	}
	among, err := b.lanes(ctx, p.addr, k)
	if err != nil {
		return err
	}
	peak, err := p.memory("VmHWM")
	if err != nil {
		return err
	}
	b.printf("| %d puts a second, 1 KiB each, on %d connections | p50 ms | p99 ms | max ms |\n|---|--:|--:|--:|\n", int(time.Second/laneInterval)*lanes, lanes)
	b.quantiles("alone", alone)
	b.quantiles(fmt.Sprintf("beside %d connections, %d of them sending a byte every %v and %d taking 1.4 MB as slowly", openConnections, slowSenders, slowInterval, slowTakers), among)
	b.printf("\nAn idle connection takes %.1f kB of the server; at most %.0f MB were resident, answers that were being taken included. Slow ones were cut off %d times.\n\n",
		(idle-before)*1000/openConnections, peak, crowd.cut.Load())
	return nil
}

// lanes puts on every lane for a while and gives how long each put took, in ms.
func (b *bench) lanes(ctx context.Context, addr string, k key) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, b.duration)
	defer cancel()
	var mu sync.Mutex // guards what follows
	var took []float64
	var failure error
	var writing sync.WaitGroup
	for lane := range lanes {
		writing.Go(func() {
			puts, err := writeLane(ctx, addr, k, lane)
			mu.Lock()
			defer mu.Unlock()
			failure = errors.Join(failure, err)
			for _, one := range puts {
				took = append(took, millis(one.answered.Sub(one.due)))
			}
		})
	}
	writing.Wait()
	return took, failure
}

// crowd is many open connections.
type crowd struct {
	conns []net.Conn
	cut   atomic.Int64 // how often the server had enough of a slow one
	stop  func()
	slow  sync.WaitGroup
}

// gather opens the connections, each of which asks for something small once, as those in the pools of SDKs have.
func gather(ctx context.Context, addr string, k key) (*crowd, error) {
	c := &crowd{conns: make([]net.Conn, openConnections)}
	request, err := signed(addr, "/", "ListStreams", []byte(`{}`), k)
	if err != nil {
		return c, err
	}
	var next atomic.Int64
	failures := make(chan error, dialersAtOnce)
	var dialing sync.WaitGroup
	for range dialersAtOnce {
		dialing.Go(func() {
			reader := bufio.NewReader(nil)
			for i := int(next.Add(1)) - 1; i < len(c.conns) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				var err error
				if c.conns[i], err = net.Dial("tcp", addr); err == nil {
					reader.Reset(c.conns[i])
					_, err = (&conn{Conn: c.conns[i], r: reader}).do(request)
				}
				if err != nil {
					failures <- fmt.Errorf("connection %d: %w", i, err)
					return
				}
			}
		})
	}
	dialing.Wait()
	close(failures)
	return c, errors.Join(<-failures, ctx.Err())
}

// leave closes everything.
func (c *crowd) leave() {
	if c.stop != nil {
		c.stop()
	}
	for _, conn := range c.conns {
		if conn != nil {
			conn.Close()
		}
	}
	c.slow.Wait()
}

// dawdle makes some connections slow. One that the server cuts off begins again on a new one.
func (c *crowd) dawdle(ctx context.Context, addr string, k key) error {
	ctx, c.stop = context.WithCancel(ctx)
	sending, err := signed(addr, "/", "PutRecord", putRecordBody(1), k)
	if err != nil {
		return err
	}
	var start struct{ ShardIterator string }
	if err := call(addr, k, "GetShardIterator", `{"StreamName":"`+stream+`","ShardId":"shardId-000000000000","ShardIteratorType":"TRIM_HORIZON"}`, &start); err != nil {
		return err
	}
	taking, err := signed(addr, "/", "GetRecords", fmt.Appendf(nil, `{"ShardIterator":%q,"Limit":%d}`, start.ShardIterator, getLimit), k)
	if err != nil {
		return err
	}
	for i := range slowSenders + slowTakers {
		request := taking
		if i < slowSenders {
			request = sending
		}
		c.slow.Go(func() {
			select {
			case <-time.After(slowStart * time.Duration(i) / (slowSenders + slowTakers)):
			case <-ctx.Done():
			}
			c.slowly(ctx, addr, i, request, i < slowSenders)
		})
	}
	return nil
}

// slowly goes on with request after request on connection i.
func (c *crowd) slowly(ctx context.Context, addr string, i int, request []byte, sends bool) {
	conn := c.conns[i]
	body := bytes.Index(request, []byte("\r\n\r\n")) + 4
	for ctx.Err() == nil {
		var err error
		if sends {
			if _, err = conn.Write(request[:body]); err == nil {
				err = trickle(ctx, len(request)-body, func(at int) error { _, err := conn.Write(request[body+at : body+at+1]); return err })
			}
		} else if _, err = conn.Write(request); err == nil {
			few := make([]byte, 64)
			err = trickle(ctx, 1<<30, func(int) error { _, err := conn.Read(few); return err })
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.cut.Add(1)
		}
		conn.Close()
		fresh, err := net.Dial("tcp", addr)
		if err != nil {
			return // the server is gone
		}
		conn = fresh
		defer fresh.Close()
	}
}

// trickle does something again and again, slowly, up to n times.
func trickle(ctx context.Context, n int, do func(at int) error) error {
	for at := range n {
		select {
		case <-time.After(slowInterval):
		case <-ctx.Done():
			return nil
		}
		if err := do(at); err != nil {
			return err
		}
	}
	return nil
}
