package sandbox

import (
	"context"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/fault"
)

// Pool runs functions and keeps their processes warm. It is safe for concurrent use.
//
// An event takes an idle process of its function, the one that was used last; or starts one, if there is room; or takes the room of
// the process of another function that has been idle for longest; or waits until one of these is possible, in order of arrival. So the number of processes is
// bounded, and a function that is called often does not wait for those that are not.
type Pool struct {
	options Options

	mu      sync.Mutex            // guards everything below
	idle    map[string][]*process // by Function.Key, the last used at the end
	running int                   // processes, idle ones included
	waiting []chan struct{}       // who waits, in order; each is closed by whoever makes room
	closed  bool
	since   map[*process]time.Time // since when idle

	sweeping chan struct{} // closed when the sweeper has ended
	stop     chan struct{}
}

// NewPool makes a pool. Close it.
func NewPool(o Options) (*Pool, error) {
	if len(o.Launcher) > 0 && o.BootstrapDir == "" {
		return nil, fault.New(fault.Invalid, "sandbox: BootstrapDir must be given with Launcher")
	}
	o.withDefaults()
	p := &Pool{options: o, idle: map[string][]*process{}, since: map[*process]time.Time{}, sweeping: make(chan struct{}), stop: make(chan struct{})}
	go p.sweep()
	return p, nil
}

// Invoke gives the event to a process of the function, as Invoker says, or posts it to a remote function.
func (p *Pool) Invoke(ctx context.Context, f *Function, e Event) (Outcome, error) {
	if f.URL != "" {
		return p.invokeRemote(ctx, f, e)
	}
	proc, err := p.take(ctx, f)
	if err != nil {
		return Outcome{}, err
	}
	cold := proc == nil
	if cold {
		started, failure, err := start(ctx, &p.options, f)
		if err != nil || failure != nil {
			p.leave()
			if err != nil {
				return Outcome{}, err
			}
			return *failure, nil
		}
		proc = started
	}
	out, alive := proc.invoke(ctx, f.ARN, e, cold)
	if !alive {
		proc.stop()
		p.leave()
	} else {
		p.put(proc)
	}
	if !e.Tail {
		out.Log = nil
	}
	return out, nil
}

// take gives an idle process, or nil and the right to start one.
func (p *Pool) take(ctx context.Context, f *Function) (*process, error) {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, fault.New(fault.Unavailable, "function %s: functions are being stopped", f.Name)
		}
		for list := p.idle[f.Key]; len(list) > 0; list = p.idle[f.Key] {
			proc := list[len(list)-1]
			p.forgetIdle(proc)
			select {
			case <-proc.ended: // it went while nobody used it
				p.running--
				continue
			default:
				p.mu.Unlock()
				return proc, nil
			}
		}
		if p.running < p.options.ProcessesMax {
			p.running++
			p.mu.Unlock()
			return nil, nil
		}
		if oldest := p.oldestIdle(); oldest != nil {
			p.forgetIdle(oldest)
			p.mu.Unlock()
			oldest.stop()
			return nil, nil // its room is ours
		}
		turn := make(chan struct{})
		p.waiting = append(p.waiting, turn)
		p.mu.Unlock()
		select {
		case <-turn:
		case <-ctx.Done():
			p.mu.Lock()
			found := false
			for i := range p.waiting {
				if p.waiting[i] == turn {
					p.waiting = append(p.waiting[:i:i], p.waiting[i+1:]...)
					found = true
					break
				}
			}
			if !found {
				p.wake() // the turn had come: it is the next one's
			}
			p.mu.Unlock()
			return nil, fault.As(fault.Throttled, ctx.Err(), "function %s: no process became free", f.Name)
		}
	}
}

// put makes a process idle.
func (p *Pool) put(proc *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		p.running--
		go proc.stop()
		return
	}
	p.idle[proc.f.Key] = append(p.idle[proc.f.Key], proc)
	p.since[proc] = p.options.Clock.Now()
	p.wake()
}

// leave gives the room of a process back.
func (p *Pool) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	p.wake()
}

// wake lets the first who waits look again. The caller holds mu.
func (p *Pool) wake() {
	if len(p.waiting) > 0 {
		close(p.waiting[0])
		p.waiting = p.waiting[1:]
	}
}

// oldestIdle is the process that has been idle for longest, or nil. The caller holds mu.
func (p *Pool) oldestIdle() *process {
	var oldest *process
	for proc, since := range p.since {
		if oldest == nil || since.Before(p.since[oldest]) {
			oldest = proc
		}
	}
	return oldest
}

// forgetIdle takes a process out of the idle ones. The caller holds mu.
func (p *Pool) forgetIdle(proc *process) {
	list := p.idle[proc.f.Key]
	for i := range list {
		if list[i] == proc {
			list = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(p.idle, proc.f.Key)
	} else {
		p.idle[proc.f.Key] = list
	}
	delete(p.since, proc)
}

// Forget stops the idle processes of a function that has changed or is gone. Those at work end after their event finds them of an old Key: nobody asks for
// it any more, and the sweeper takes them.
func (p *Pool) Forget(key string) {
	p.mu.Lock()
	var gone []*process
	for len(p.idle[key]) > 0 {
		proc := p.idle[key][0]
		p.forgetIdle(proc)
		gone = append(gone, proc)
	}
	p.mu.Unlock()
	for _, proc := range gone {
		proc.stop()
		p.leave()
	}
}

// sweep stops processes that have been idle for too long.
func (p *Pool) sweep() {
	defer close(p.sweeping)
	for {
		timer := p.options.Clock.NewTimer(p.options.IdleMax / 4)
		select {
		case <-p.stop:
			timer.Stop()
			return
		case <-timer.C():
		}
		p.mu.Lock()
		var gone []*process
		for proc, since := range p.since {
			if p.options.Clock.Now().Sub(since) >= p.options.IdleMax {
				gone = append(gone, proc)
			}
		}
		for _, proc := range gone {
			p.forgetIdle(proc)
		}
		p.mu.Unlock()
		for _, proc := range gone {
			proc.stop()
			p.leave()
		}
	}
}

// Stats is what the pool holds now.
type Stats struct{ Processes, Idle, Waiting int }

// Stats counts processes and those who wait for one.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Processes: p.running, Idle: len(p.since), Waiting: len(p.waiting)}
}

// Close stops every idle process and lets nobody in any more. Invocations under way end by their own contexts; their processes end with them.
func (p *Pool) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	var gone []*process
	for proc := range p.since {
		gone = append(gone, proc)
	}
	for _, proc := range gone {
		p.forgetIdle(proc)
	}
	for len(p.waiting) > 0 {
		p.wake()
	}
	p.mu.Unlock()
	close(p.stop)
	<-p.sweeping
	for _, proc := range gone {
		proc.stop()
		p.leave()
	}
	return nil
}
