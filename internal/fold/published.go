package fold

import (
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
)

// Rules are a machine whose state is a value that nobody changes: a command makes another one. They keep what Machine promises.
type Rules[S comparable] struct {
	// Apply is Machine.Apply from one state to the next; to the same when nothing came of the command.
	Apply  func(s S, at time.Time, position commitlog.Position, command []byte) (next S, result []byte, err error)
	Encode func(s S) []byte          // what Machine.Snapshot gives; it may run beside Apply
	Decode func(b []byte) (S, error) // what Machine.Restore reads
}

// Published is the Machine of some Rules. Whoever asks has its latest state, without a lock that the machine would wait for, and may keep it. It is safe for concurrent use.
type Published[S comparable] struct {
	rules Rules[S]

	mu      sync.RWMutex  // guards everything below
	state   S             // the latest
	changed chan struct{} // closed and replaced when state is
}

// Publish makes a machine of rules and the state that it begins with.
func Publish[S comparable](begin S, rules Rules[S]) *Published[S] {
	return &Published[S]{rules: rules, state: begin, changed: make(chan struct{})}
}

// Now is the latest state.
func (p *Published[S]) Now() S {
	state, _ := p.Watch()
	return state
}

// Watch gives the latest state, and a channel that is closed when there is a newer one.
func (p *Published[S]) Watch() (state S, changed <-chan struct{}) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.state, p.changed
}

func (p *Published[S]) publish(state S) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if state == p.state {
		return
	}
	p.state = state
	close(p.changed)
	p.changed = make(chan struct{})
}

// Apply is Machine's.
func (p *Published[S]) Apply(at time.Time, position commitlog.Position, command []byte) ([]byte, error) {
	next, result, err := p.rules.Apply(p.Now(), at, position, command)
	if err != nil {
		return nil, err
	}
	p.publish(next)
	return result, nil
}

// Snapshot is Machine's.
func (p *Published[S]) Snapshot() (encode func() []byte) {
	state := p.Now()
	return func() []byte { return p.rules.Encode(state) }
}

// Restore is Machine's.
func (p *Published[S]) Restore(snapshot []byte) error {
	state, err := p.rules.Decode(snapshot)
	if err != nil {
		return err
	}
	p.publish(state)
	return nil
}
