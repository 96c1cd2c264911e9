package offers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/internal/scenario"
)

// CheckOptions say what to run. Server, Client and Command are needed.
type CheckOptions struct {
	Seed    uint64
	Count   int     // sign-ups. Default SmokeCount
	Pace    Pace    // default Max, and Stepped with a Windowed Mapping
	Mapping Mapping // default Standard
	Fault   scenario.Fault
	// Server is fresh. Its clock stands still at Start when the pace is Stepped.
	Server scenario.Server
	// Console is the URL of the server's console, once it has started: the clock is moved there. Needed when the pace is Stepped.
	Console func() string
	// Client makes a client that tries each request once: the trying again is the Sender's.
	Client func(endpoint string) (*kinesis.Client, error)
	// Command is what the function's bootstrap becomes.
	Command []string
	// Say is told what happens, for people. May be nil.
	Say func(format string, args ...any)
}

// Validate fills in what is not said, and says what cannot be run together.
func (o *CheckOptions) Validate() error {
	if o.Count == 0 {
		o.Count = SmokeCount
	}
	if o.Mapping == "" {
		o.Mapping = Standard
	}
	if o.Pace == "" {
		o.Pace = Max
		if o.Mapping == Windowed {
			o.Pace = Stepped
		}
	}
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	switch {
	case o.Mapping != Windowed:
		return nil
	case o.Pace != Stepped:
		return fmt.Errorf("a window of %s is for the pace %s: nobody waits for it", Window, Stepped)
	case o.Fault != "":
		return fmt.Errorf("a window is checked without a fault: it has exactly one invocation, and a retry is another")
	case o.Count > SmokeCount:
		return fmt.Errorf("a window is checked with %d sign-ups: with more, a batch is full before its window ends", SmokeCount)
	}
	return nil
}

// Report is what a run found.
type Report struct {
	Scenario string         `json:"scenario"`
	Seed     uint64         `json:"seed"`
	Pace     Pace           `json:"pace"`
	Mapping  Mapping        `json:"mapping"`
	Fault    scenario.Fault `json:"fault,omitempty"`
	Passed   bool           `json:"passed"`

	SignUps     int `json:"signUps"`
	Users       int `json:"users"`
	Places      int `json:"places"`      // countries
	Basic       int `json:"basic"`       // default plans, for unknown places
	Retried     int `json:"retried"`     // sign-ups put again after a refusal or a lost answer
	Read        int `json:"read"`        // offers in the stream
	Told        int `json:"told"`        // offers at the app
	Invocations int `json:"invocations"` // of the function, that the app heard of and did not refuse
	Shards      int `json:"shards"`      // of the sign-ups, open and closed
	Faults      int `json:"faults"`      // kills, reshards, throttlings and calls that the app refused

	// How long it took from the put to the reading of the offer, of half and of ninety-nine of a hundred; what a sign-up waits behind others is in it. Absent when the pace is Stepped:
	// by the server's clock it takes no time.
	P50Millis int64 `json:"p50Millis,omitempty"`
	P99Millis int64 `json:"p99Millis,omitempty"`
	// BoundMillis is what P99Millis may be at most. Absent when nothing is asked of it.
	BoundMillis int64 `json:"boundMillis,omitempty"`

	ClockSeconds int         `json:"clockSeconds,omitempty"` // how far the server's clock was moved
	Seconds      float64     `json:"seconds"`                // of real time
	Differences  Differences `json:"differences"`
	Broken       []string    `json:"broken"` // what was promised besides, and not kept: the bound, the windows, the second of an offer
}

// Line is the report in one line.
func (r *Report) Line() string {
	verdict := "PASS"
	if !r.Passed {
		verdict = "FAIL"
	}
	flags := fmt.Sprintf("--seed %d", r.Seed)
	if r.Pace != Max {
		flags += fmt.Sprintf(" --pace %s", r.Pace)
	}
	if r.Mapping != Standard {
		flags += fmt.Sprintf(" --mapping %s", r.Mapping)
	}
	if r.Fault != "" {
		flags += fmt.Sprintf(" --fault %s (%d times)", r.Fault, r.Faults)
	}
	times := fmt.Sprintf("p50 %d ms, p99 %d ms", r.P50Millis, r.P99Millis)
	switch {
	case r.Pace == Stepped:
		times = fmt.Sprintf("%s by the server's clock", time.Duration(r.ClockSeconds)*time.Second)
	case r.BoundMillis > 0:
		times += fmt.Sprintf(" of at most %d", r.BoundMillis)
	}
	return fmt.Sprintf("%s offers %s: %d sign-ups of %d users in %d countries, %d from nowhere known, put to %d shards, %d retried; %d invocations, %d offers read, %d told the app, %d duplicates; %s; %.1f s",
		verdict, flags, r.SignUps, r.Users, r.Places, r.Basic, r.Shards, r.Retried, r.Invocations, r.Read, r.Told, r.Differences.Duplicates, times, r.Seconds)
}

// Lines is everything that is wrong, as sentences.
func (r *Report) Lines() []string { return slices.Concat(r.Differences.Lines(), r.Broken) }

// hold holds the time that offers took against a bound.
func (r *Report) hold(bound time.Duration) {
	if r.BoundMillis = bound.Milliseconds(); r.P99Millis > r.BoundMillis {
		r.broke("one offer in a hundred took %d ms or longer; at most %d are allowed", r.P99Millis, r.BoundMillis)
	}
}

// brokenMax is how many broken promises are named.
const brokenMax = 10

func (r *Report) broke(format string, args ...any) {
	if len(r.Broken) < brokenMax {
		r.Broken = append(r.Broken, fmt.Sprintf(format, args...))
	}
}

// check is one run.
type check struct {
	CheckOptions
	random *rand.Rand // of whoever breaks things, once that has begun
	oracle Oracle
	api    *kinesis.Client
	app    *App
	report Report

	mu     sync.Mutex           // guards everything below
	told   chan struct{}        // closed and replaced when the app was told of offers
	putAt  map[string]time.Time // by key, of the first try
	delays []time.Duration
}

// Check puts sign-ups into the stream of a fresh server, on which the function runs, breaks what the fault breaks on the way, and compares the offers in
// the stream and at the app with the oracle. An error is that the run could not be made; a difference is in the Report.
//
// When the fault happens is drawn from the seed, in sign-ups that the app was told of: a kill comes within milliseconds of a call of the function, so that it
// falls between that call, the writing of the offers and the checkpoint of the batch.
func Check(ctx context.Context, opts CheckOptions) (Report, error) {
	if err := opts.Validate(); err != nil {
		return Report{}, err
	}
	c := newCheck(opts)
	c.oracle = oracleOf(c.generator(), opts.Count)
	c.report = Report{Scenario: "offers", Seed: opts.Seed, Pace: opts.Pace, Mapping: opts.Mapping, Fault: opts.Fault, SignUps: opts.Count, Users: len(c.oracle.Users), Places: c.oracle.Places, Basic: c.oracle.Basic}
	begun := time.Now()
	if err := opts.Server.Start(ctx, ""); err != nil {
		return c.report, err
	}
	err := c.run(ctx)
	scenario.HangUp(c.api)
	err = errors.Join(err, opts.Server.Stop(context.WithoutCancel(ctx)))
	c.report.Seconds = time.Since(begun).Seconds()
	return c.report, err
}

// newCheck makes a run of valid options.
func newCheck(opts CheckOptions) *check {
	return &check{CheckOptions: opts, random: rand.New(rand.NewPCG(opts.Seed, 0x636865636b)), told: make(chan struct{}), putAt: map[string]time.Time{}} // the second word is "check"
}

// generator is that of the run's sign-ups: spread over the Span when the pace is Stepped.
func (c *check) generator() *Generator {
	if c.Pace == Stepped {
		return newGenerator(c.Seed, (Span / time.Duration(c.Count)).Truncate(time.Millisecond))
	}
	return NewGenerator(c.Seed)
}

func (c *check) run(ctx context.Context) (err error) {
	if c.api, err = c.Client(c.Server.Endpoint()); err != nil {
		return err
	}
	refuse := 0
	if c.Fault.Has(scenario.SinkDown) {
		refuse = refusals
	}
	c.app = NewApp(refuse)
	c.app.Told = c.wasTold
	url, stop, err := ServeApp(ctx, c.app)
	if err != nil {
		return err
	}
	defer stop()
	if err := Install(ctx, c.api, Setup{Command: c.Command, App: url, Poison: c.poison(), Mapping: c.Mapping}); err != nil {
		return err
	}
	if c.Pace == Stepped {
		err = c.step(ctx)
	} else {
		err = c.together(ctx)
	}
	if err != nil {
		return err
	}
	return c.judge(ctx)
}

// judge reads what came out and fills in the report.
func (c *check) judge(ctx context.Context) error {
	read, err := c.readBack(ctx)
	if err != nil {
		return err
	}
	told, _, refused := c.app.State()
	r := &c.report
	r.Read, r.Told, r.Invocations, r.Faults = len(read), len(told), len(c.app.Batches()), r.Faults+refused
	r.Differences = Compare(c.oracle, read, told, c.Fault.Deduped())
	// A connection that was open before the last kill is found dead by whoever asks on it next.
	err = insist(ctx, func() error {
		shards, err := c.api.ListShards(ctx, &kinesis.ListShardsInput{StreamName: aws.String(SignUps)})
		if err == nil {
			r.Shards = len(shards.Shards)
		}
		return err
	})
	if err != nil {
		return err
	}
	if slices.Sort(c.delays); len(c.delays) > 0 {
		r.P50Millis, r.P99Millis = c.delays[len(c.delays)/2].Milliseconds(), c.delays[len(c.delays)*99/100].Milliseconds()
	}
	if c.Pace == Real && c.Fault == "" { // what a fault holds up is no measure of the way that offers take
		r.hold(c.Mapping.Bound())
	}
	if c.Mapping == Windowed {
		for _, line := range windowsBroken(c.app.Batches(), r.Shards) {
			r.broke("%s", line)
		}
	}
	r.Passed = len(r.Lines()) == 0
	return nil
}

// wasTold wakes those who wait for the app.
func (c *check) wasTold(int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.told)
	c.told = make(chan struct{})
}

// ServeApp makes an app reachable for functions of this machine, until stop is called.
func ServeApp(ctx context.Context, app *App) (url string, stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: app, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		_ = server.Serve(listener) // its end is Close
		close(done)
	}()
	return "http://" + listener.Addr().String(), func() {
		_ = server.Close() // nobody waits for the app any more
		<-done
	}, nil
}
