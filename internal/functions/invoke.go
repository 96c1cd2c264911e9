package functions

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/sandbox"
)

// Payload sizes (Lambda quotas, read 2026-11: 6 MB synchronous, 1 MB asynchronous).
const (
	PayloadBytesMax      = 6 << 20
	EventPayloadBytesMax = 1 << 20
)

// Invoke is Invoker's.
func (f *Functions) Invoke(ctx context.Context, r Request) (Result, error) {
	if err := checkPayload(r.Payload, PayloadBytesMax); err != nil {
		return Result{}, err
	}
	id, err := f.ids.next()
	if err != nil {
		return Result{}, err
	}
	if !r.Leave {
		return f.invoke(ctx, r, id)
	}
	return f.left.run(ctx, func(ctx context.Context) (Result, error) { return f.invoke(ctx, r, id) })
}

// left runs invocations that go on when their callers have left.
type left struct {
	ctx  context.Context // ends with the server
	stop context.CancelFunc

	mu      sync.Mutex // guards everything below
	ended   bool
	running int
	all     sync.WaitGroup
}

// run waits for an invocation, or until ctx ends.
func (l *left) run(ctx context.Context, invoke func(context.Context) (Result, error)) (Result, error) {
	type came struct {
		result Result
		err    error
	}
	done := make(chan came, 1) // whether anybody waits or not
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return Result{}, fault.New(fault.Unavailable, "functions are being stopped")
	}
	l.running++
	l.all.Go(func() {
		result, err := invoke(l.ctx)
		done <- came{result, err}
		l.mu.Lock()
		l.running--
		l.mu.Unlock()
	})
	l.mu.Unlock()
	select {
	case c := <-done:
		return c.result, c.err
	case <-ctx.Done():
		return Result{}, fault.Unknown(fault.Unavailable, ctx.Err(), "the caller left")
	}
}

// end stops what runs, waits for it, and lets nothing begin any more.
func (l *left) end() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.stop()
	l.all.Wait()
}

// idle says whether nothing runs.
func (l *left) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running == 0
}

// checkPayload holds a payload against its size, and asks that it be JSON.
func checkPayload(payload []byte, most int) error {
	if len(payload) > most {
		return fault.New(fault.LimitExceeded, "Request must be smaller than %d bytes for the InvokeFunction operation", most)
	}
	if len(payload) > 0 && !json.Valid(payload) {
		return fault.New(fault.Invalid, "Could not parse request body into json: Could not parse payload into json")
	}
	return nil
}

// invoke runs one event, whose payload has been checked.
func (f *Functions) invoke(ctx context.Context, r Request, id string) (_ Result, err error) {
	try := Try{Outcome: NotRun}
	defer func() {
		if fault.Is(err, fault.Throttled) {
			try.Outcome = Throttled
		}
		f.options.Observe(try)
	}()
	function, v, err := f.await(ctx, r.Function)
	if err != nil {
		return Result{}, err
	}
	release, err := f.limits.take(f.Catalog(), function, f.options.ConcurrencyMax)
	if err != nil {
		return Result{}, err
	}
	defer release()
	to, err := f.sandboxed(function, v, r.Function)
	if err != nil {
		return Result{}, err
	}
	payload := r.Payload
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	out, err := f.options.Sandbox.Invoke(ctx, to, sandbox.Event{RequestID: id, Payload: payload, ClientContext: r.ClientContext, TraceID: r.TraceID, Tail: r.Tail})
	if err != nil {
		return Result{}, err
	}
	try = Try{Outcome: Answered, Cold: out.Cold, Init: out.Init, Duration: out.Duration}
	if out.FunctionError != "" {
		try.Outcome = FunctionFailed
	}
	return Result{RequestID: id, Version: v.Number, Payload: out.Payload, FunctionError: out.FunctionError, Log: out.Log, Cold: out.Cold, Duration: out.Duration}, nil
}

// Resolve finds what an ARN names: the function and the version of the qualifier in it. NotFound when there is none.
func (f *Functions) Resolve(functionARN string) (*Function, *Version, error) {
	return f.Catalog().resolve(functionARN)
}

func (s *Catalog) resolve(functionARN string) (*Function, *Version, error) {
	parsed, err := arn.Parse(functionARN)
	if err != nil {
		return nil, nil, err
	}
	name, qualifier, err := parsed.FunctionName()
	if err != nil {
		return nil, nil, err
	}
	function := s.Function(parsed.Account, parsed.Region, name)
	if function == nil {
		return nil, nil, NotFound(functionARN)
	}
	v := function.Qualified(qualifier)
	if v == nil {
		return nil, nil, NotFound(functionARN)
	}
	return function, v, nil
}

// await resolves an ARN, and waits while the version is being made ready.
func (f *Functions) await(ctx context.Context, functionARN string) (*Function, *Version, error) {
	for {
		c, changed := f.catalog.Watch()
		function, v, err := c.resolve(functionARN)
		switch {
		case err != nil:
			return nil, nil, err
		case v.State == Failed:
			return nil, nil, fault.New(fault.WrongState, "The operation cannot be performed at this time. The function is currently in the following state: Failed: %s", v.Reason)
		case v.State == Active:
			return function, v, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil, fault.As(fault.Unavailable, ctx.Err(), "function %s is being made ready", functionARN)
		}
	}
}

// sandboxed is a version as the sandbox runs it.
func (f *Functions) sandboxed(function *Function, v *Version, functionARN string) (*sandbox.Function, error) {
	to := &sandbox.Function{
		ARN: functionARN, Name: function.Name, Version: v.Number, Account: function.Account, Region: function.Region, Runtime: v.Config.Runtime, Handler: v.Config.Handler,
		URL: v.URL(), MemoryMB: v.Config.MemoryMB, Timeout: time.Duration(v.Config.TimeoutSeconds) * time.Second,
	}
	for _, name := range slices.Sorted(maps.Keys(v.Config.Env)) {
		to.Env = append(to.Env, name+"="+v.Config.Env[name])
	}
	if to.URL == "" {
		if err := f.options.Runs(v.Config.Runtime); err != nil {
			return nil, err
		}
		credentials, err := f.options.Credentials.Credentials(function.Account)
		if err != nil {
			return nil, fault.Wrap(err, "function %s: credentials", function.Name)
		}
		to.Env = append(credentials, to.Env...)
		if to.Code, err = f.unpack(v.Code.SHA256); err != nil {
			return nil, fault.Wrap(err, "function %s", function.Name)
		}
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%q", function.ARN(v.Number), v.Revision, v.Code.SHA256, to.Env))
	to.Key = fmt.Sprintf("%x", sum[:16])
	f.used(to.Key, function, v)
	return to, nil
}

// ids makes request ids: random UUIDs.
type ids struct {
	mu     sync.Mutex // guards random
	random io.Reader
}

func (i *ids) next() (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var id [16]byte
	if _, err := io.ReadFull(i.random, id[:]); err != nil {
		return "", fault.As(fault.Internal, err, "id of an invocation")
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // RFC 9562: version 4
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16]), nil
}

// ThrottledError is why a function may not run once more, inside a fault of kind Throttled.
type ThrottledError struct {
	Reserved bool // its own reservation is used up, and not what the account's functions share
}

// Error is AWS's text, the same for both.
func (*ThrottledError) Error() string { return "Rate Exceeded." }

// limits counts what runs, against what may.
type limits struct {
	mu      sync.Mutex     // guards running
	running map[string]int // invocations under way: by key of the function, and, for those without a reservation, by account and region
}

// take lets one more invocation of a function run, until release. Throttled when it may not: its reservation is used up, or what all functions of the account share.
func (l *limits) take(c *Catalog, f *Function, most int) (release func(), err error) {
	at := f.key()
	if f.Reserved == nil {
		at = f.Account + "/" + f.Region
		most -= c.Reserved(f.Account, f.Region, "")
	} else {
		most = *f.Reserved
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running == nil {
		l.running = map[string]int{}
	}
	if l.running[at] >= most {
		return nil, fault.As(fault.Throttled, &ThrottledError{Reserved: f.Reserved != nil}, "")
	}
	l.running[at]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.running[at]--; l.running[at] == 0 {
			delete(l.running, at)
		}
	}, nil
}
