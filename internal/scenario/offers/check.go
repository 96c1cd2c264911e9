package offers

import (
	"context"
	"encoding/json"
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

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/client/put"
	"github.com/weir-stream/weir/client/tail"
	"github.com/weir-stream/weir/internal/scenario"
)

// Faults are those that a check can be run under.
var Faults = []scenario.Fault{scenario.KillServer, scenario.SinkDown, scenario.PoisonRecord, scenario.Reshard}

// How often the faults happen in a run. The app's refusals cost a retry of each shard's batch, the pauses of which begin at one second.
const (
	kills    = 20
	reshards = 2
	refusals = 6
	poisons  = 2
)

// patience is how long a run may take from its first sign-up to its last offer. It takes seconds.
const patience = 2 * time.Minute

// backlog is how many sign-ups may be without an offer while more are put: the function runs while the stream is written.
const backlog = 400

// CheckOptions say what to run. Server, Client and Command are needed.
type CheckOptions struct {
	Seed   uint64
	Count  int // sign-ups. Default SmokeCount
	Fault  scenario.Fault
	Server scenario.Server
	// Client makes a client that tries each request once: the trying again is the Sender's.
	Client func(endpoint string) (*kinesis.Client, error)
	// Command is what the function's bootstrap becomes.
	Command []string
	// Say is told what happens, for people. May be nil.
	Say func(format string, args ...any)
}

// Report is what a run found.
type Report struct {
	Scenario string         `json:"scenario"`
	Seed     uint64         `json:"seed"`
	Fault    scenario.Fault `json:"fault,omitempty"`
	Passed   bool           `json:"passed"`

	SignUps int `json:"signUps"`
	Users   int `json:"users"`
	Places  int `json:"places"`  // countries
	Basic   int `json:"basic"`   // default plans, for unknown places
	Retried int `json:"retried"` // sign-ups put again after a refusal or a lost answer
	Read    int `json:"read"`    // offers in the stream
	Told    int `json:"told"`    // offers at the app
	Shards  int `json:"shards"`  // of the sign-ups, open and closed
	Faults  int `json:"faults"`  // kills, reshards, or calls that the app refused

	P99Millis   int64       `json:"p99Millis"` // from the put to the reading of the offer; what a sign-up waits behind others is in it
	Seconds     float64     `json:"seconds"`
	Differences Differences `json:"differences"`
}

// Line is the report in one line.
func (r Report) Line() string {
	verdict := "PASS"
	if !r.Passed {
		verdict = "FAIL"
	}
	fault := ""
	if r.Fault != "" {
		fault = fmt.Sprintf(" --fault %s (%d times)", r.Fault, r.Faults)
	}
	return fmt.Sprintf("%s offers --seed %d%s: %d sign-ups of %d users in %d countries, %d from nowhere known, put to %d shards, %d retried; %d offers read, %d told the app, %d duplicates; p99 %d ms; %.1f s",
		verdict, r.Seed, fault, r.SignUps, r.Users, r.Places, r.Basic, r.Shards, r.Retried, r.Read, r.Told, r.Differences.Duplicates, r.P99Millis, r.Seconds)
}

// check is one run.
type check struct {
	CheckOptions
	random *rand.Rand // of whoever breaks things, once that has begun
	oracle Oracle
	api    *kinesis.Client
	app    *App
	told   chan struct{} // has room for one word, "look"
	report Report

	mu     sync.Mutex           // guards everything below
	putAt  map[string]time.Time // by key, of the first try
	delays []time.Duration
}

// Check puts sign-ups into the stream of a fresh server, on which the function runs, breaks what the fault breaks on the way, and compares the offers in
// the stream and at the app with the oracle. An error is that the run could not be made; a difference is in the Report.
//
// When the fault happens is drawn from the seed, in sign-ups that the app was told of: a kill comes within milliseconds of a call of the function, so that it
// falls between that call, the writing of the offers and the checkpoint of the batch.
func Check(ctx context.Context, opts CheckOptions) (Report, error) {
	if opts.Count == 0 {
		opts.Count = SmokeCount
	}
	if opts.Say == nil {
		opts.Say = func(string, ...any) {}
	}
	oracle := OracleOf(opts.Seed, opts.Count)
	c := &check{CheckOptions: opts, oracle: oracle, random: rand.New(rand.NewPCG(opts.Seed, 0x636865636b)), told: make(chan struct{}, 1), putAt: map[string]time.Time{}}
	c.report = Report{Scenario: "offers", Seed: opts.Seed, Fault: opts.Fault, SignUps: opts.Count, Users: len(oracle.Users), Places: oracle.Places, Basic: oracle.Basic}
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

func (c *check) run(ctx context.Context) (err error) {
	if c.api, err = c.Client(c.Server.Endpoint()); err != nil {
		return err
	}
	c.app = NewApp(map[bool]int{true: refusals}[c.Fault == scenario.SinkDown])
	c.app.Told = func(int) {
		select {
		case c.told <- struct{}{}:
		default:
		}
	}
	url, stop, err := ServeApp(ctx, c.app)
	if err != nil {
		return err
	}
	defer stop()
	if err := Install(ctx, c.api, Setup{Command: c.Command, App: url, Poison: c.poison()}); err != nil {
		return err
	}
	if err := c.together(ctx); err != nil {
		return err
	}
	read, err := c.readBack(ctx)
	if err != nil {
		return err
	}
	told, _, refused := c.app.State()
	c.report.Read, c.report.Told, c.report.Faults = len(read), len(told), c.report.Faults+refused
	c.report.Differences = Compare(c.oracle, read, told, c.Fault.Deduped())
	c.report.Passed = c.report.Differences.None()
	shards, err := c.api.ListShards(ctx, &kinesis.ListShardsInput{StreamName: aws.String(SignUps)})
	if err != nil {
		return err
	}
	c.report.Shards = len(shards.Shards)
	if slices.Sort(c.delays); len(c.delays) > 0 {
		c.report.P99Millis = c.delays[len(c.delays)*99/100].Milliseconds()
	}
	return nil
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

// poison draws the sign-ups on which the function fails, among the first.
func (c *check) poison() []string {
	if c.Fault != scenario.PoisonRecord {
		return nil
	}
	g := NewGenerator(c.Seed)
	var keys []string
	for range min(c.Count, 4*batchSize) {
		keys = append(keys, g.Next().Key())
	}
	c.random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys[:min(poisons, len(keys))]
}

// together puts, breaks and reads until every sign-up has its offer. That it takes too long is no error: what is missing is seen later.
func (c *check) together(ctx context.Context) error {
	inTime, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	parts := []func(context.Context) error{c.put, c.breakThings, c.readAlong}
	ends := make(chan error, len(parts))
	for _, part := range parts {
		go func() { ends <- part(inTime) }()
	}
	var err error
	for range parts {
		if end := <-ends; end != nil && err == nil {
			err = end
			cancel()
		}
	}
	if err != nil && errors.Is(inTime.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
		c.Say("not everything came in %s: %v", patience, err)
		return nil
	}
	return err
}

// put brings the sign-ups into the stream, not far ahead of the function.
func (c *check) put(ctx context.Context) error {
	sender := put.New(c.api, SignUps, put.Options{Retried: func(records int, _ error) { c.report.Retried += records }})
	g := NewGenerator(c.Seed)
	for sent := 0; sent < c.Count; {
		if _, distinct, _ := c.app.State(); sent-distinct > backlog {
			if err := client.Sleep(ctx, 5*time.Millisecond); err != nil {
				return err
			}
			continue
		}
		var records []put.Record
		c.mu.Lock()
		for range min(50, c.Count-sent) {
			s := g.Next()
			text, err := json.Marshal(s)
			if err != nil {
				c.mu.Unlock()
				return err
			}
			c.putAt[s.Key()] = time.Now()
			records = append(records, put.Record{Key: s.User, Data: text})
		}
		c.mu.Unlock()
		if _, err := sender.Send(ctx, records); err != nil {
			return err
		}
		sent += len(records)
	}
	return nil
}

// breakThings lets the kills or the reshards happen when they are due. The last kill is due when the app was told of everything.
func (c *check) breakThings(ctx context.Context) error {
	times := map[scenario.Fault]int{scenario.KillServer: kills, scenario.Reshard: reshards}[c.Fault]
	due := make([]int, times)
	for i := range due {
		due[i] = c.random.IntN(c.Count * 3 / 4)
	}
	slices.Sort(due)
	if c.Fault == scenario.KillServer {
		due[times-1] = c.Count
	}
	for i, at := range due {
		if err := c.untilTold(ctx, at); err != nil {
			return err
		}
		c.report.Faults++
		if c.Fault == scenario.KillServer {
			if err := c.kill(ctx); err != nil {
				return fmt.Errorf("kill %d, at %d sign-ups: %w", i+1, at, err)
			}
			continue
		}
		what, err := scenario.DrawShardChange(c.random, c.api, SignUps, i%2 == 0).Run(ctx)
		if err != nil {
			return fmt.Errorf("reshard at %d sign-ups: %w", at, err)
		}
		c.Say("resharded at %d sign-ups: %s", at, what)
	}
	return nil
}

// untilTold waits until the app was told of so many sign-ups, and then for its next call, unless that was the last.
func (c *check) untilTold(ctx context.Context, distinct int) error {
	for {
		_, now, _ := c.app.State()
		if now >= c.Count {
			return nil
		}
		select {
		case <-c.told:
			if now >= distinct {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// kill kills the server within the next ten milliseconds, and starts it again.
func (c *check) kill(ctx context.Context) error {
	if err := client.Sleep(ctx, time.Duration(c.random.IntN(10_000))*time.Microsecond); err != nil {
		return err
	}
	if err := c.Server.Kill(); err != nil {
		return err
	}
	return c.Server.Start(ctx, "")
}

// readAlong reads the offers while they are made, until there is one for each sign-up.
func (c *check) readAlong(ctx context.Context) error {
	seen := map[string]bool{}
	return tail.New(c.api, Offers, tail.Options{Idle: 20 * time.Millisecond}).Run(ctx, func(b tail.Batch) error {
		now := time.Now()
		for _, r := range b.Records {
			var offer Offer
			if json.Unmarshal(r.Data, &offer) != nil || seen[offer.Key()] {
				continue // Compare says what is wrong with it
			}
			seen[offer.Key()] = true
			c.mu.Lock()
			if at, ok := c.putAt[offer.Key()]; ok {
				c.delays = append(c.delays, now.Sub(at))
			}
			c.mu.Unlock()
		}
		if len(seen) >= c.Count {
			return tail.ErrStop
		}
		return nil
	})
}

// readBack reads every offer, each shard's in their order.
func (c *check) readBack(ctx context.Context) (all [][]byte, err error) {
	err = tail.New(c.api, Offers, tail.Options{UntilEnd: true}).Run(ctx, func(b tail.Batch) error {
		for _, r := range b.Records {
			all = append(all, r.Data)
		}
		return nil
	})
	return all, err
}
