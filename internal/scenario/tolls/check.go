package tolls

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/client/put"
	"github.com/weir-stream/weir/client/tail"
	"github.com/weir-stream/weir/internal/scenario"
)

// Faults are those that a check can be run under.
var Faults = []scenario.Fault{scenario.KillServer, scenario.DuplicateDelivery, scenario.Reshard, scenario.DiskFull, scenario.TornJournal, scenario.KillDuringReshard}

// CheckOptions say what to run. Server, Dir and Client are needed.
type CheckOptions struct {
	Seed  uint64
	Scale Scale
	Fault scenario.Fault
	// Shards of the stream. Default 4.
	Shards int
	// Dir takes the log files, oracle.json, and the agent.json and checkpoints of the agent that follows them. It is empty at the beginning.
	Dir    string
	Server scenario.Server
	// Client makes a client that tries each request once: the trying again is the agent's.
	Client func(endpoint string) (*kinesis.Client, error)
	// Say is told what happens, for people. May be nil.
	Say func(format string, args ...any)
}

// Report is what a run found.
type Report struct {
	Scenario string         `json:"scenario"`
	Seed     uint64         `json:"seed"`
	Scale    string         `json:"scale"`
	Fault    scenario.Fault `json:"fault,omitempty"`
	Passed   bool           `json:"passed"`

	Lines     int   `json:"lines"`
	Bytes     int64 `json:"bytes"`
	Vehicles  int   `json:"vehicles"`
	Cents     int64 `json:"cents"`
	Malformed int   `json:"malformed"`
	Late      int   `json:"late"`
	Duplicate int   `json:"duplicate"`
	Rotations int   `json:"rotations"`

	Acked   int `json:"acked"`   // lines
	Read    int `json:"read"`    // records
	Resent  int `json:"resent"`  // lines sent once more on purpose
	Retried int `json:"retried"` // records sent again after a refusal or a lost answer
	Faults  int `json:"faults"`  // kills, reshards, full disks and torn blocks
	Shards  int `json:"shards"`  // that were read, open and closed

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
	return fmt.Sprintf("%s tolls --seed %d --scale %s%s: %d lines, %d bytes, %d vehicles, %d cents, %d malformed, %d rotations; %d acked, %d retried, %d resent, %d read from %d shards; %.1f s",
		verdict, r.Seed, r.Scale, fault, r.Lines, r.Bytes, r.Vehicles, r.Cents, r.Malformed, r.Rotations, r.Acked, r.Retried, r.Resent, r.Read, r.Shards, r.Seconds)
}

// check is one run. All of it happens in one goroutine, but for the kills of F1 and the reshards of F5, which fall into requests on
// purpose, and for the reader that runs along with F5.
type check struct {
	CheckOptions
	random  *rand.Rand
	api     *kinesis.Client
	sender  *put.Sender // of what is sent beside the agent
	feed    *feed       // nil while the files are not followed
	compare *Compare
	report  Report

	failed       error // why a fault could not be made to happen; ends the run
	restartAgent bool  // the agent is to be left where it stands after this step

	instants    []instant      // ascending: where the fault happens next
	killing     chan error     // receives the end of the kill under way; nil when there is none
	resharding  chan resharded // receives the end of the reshard under way; nil when there is none
	reshards    int            // begun
	reshardedAt int            // lines acknowledged when the last one began
	along       *along         // nil when nothing is resharded
	readOrder   *order         // of what readBack read
}

// instant is when a part of the fault happens.
type instant struct {
	acked int // lines
	fault scenario.Fault
}

// Check writes the log files, has an agent follow them into the stream of a fresh server, breaks what the fault breaks on the way, reads
// the stream back and compares. An error is that the run could not be made; a difference is in the Report.
//
// The steps are: write a few lines, follow the files, send what was found, and so on to the end of the scale; then read every
// shard from its oldest record to its newest. How many lines are written between two looks, when the fault happens and what
// it hits are drawn from the seed, so that the same seed repeats a run but for the moments of the kills.
func Check(ctx context.Context, opts CheckOptions) (Report, error) {
	if opts.Shards == 0 {
		opts.Shards = 4
	}
	if opts.Say == nil {
		opts.Say = func(string, ...any) {}
	}
	c := &check{CheckOptions: opts, compare: NewCompare(), random: newRandom(opts.Seed)}
	begun := time.Now()
	if err := opts.Server.Start(ctx, ""); err != nil {
		return c.report, err
	}
	err := c.run(ctx)
	err = errors.Join(err, c.closeFeed(), c.waitKill(), c.waitReshard(), c.along.stop()) // a run that failed may have left one under way
	scenario.HangUp(c.api)
	err = errors.Join(err, opts.Server.Stop(context.WithoutCancel(ctx)))
	c.report.Seconds = time.Since(begun).Seconds()
	return c.report, err
}

// newRandom is what a run draws from.
func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x636865636b)) } // the second word is "check"

func (c *check) run(ctx context.Context) error {
	if err := c.connect(ctx); err != nil {
		return err
	}
	oracle := OracleOf(c.Seed, c.Scale)
	c.report = Report{
		Scenario: "tolls", Seed: c.Seed, Scale: c.Scale.Name, Fault: c.Fault,
		Lines: oracle.Lines, Bytes: oracle.Bytes, Vehicles: oracle.Vehicles, Cents: oracle.Cents,
		Malformed: len(oracle.Malformed), Late: len(oracle.Late), Duplicate: len(oracle.Duplicate),
	}
	if err := c.keepOracle(oracle); err != nil {
		return err
	}
	c.instants = c.plan(oracle.Lines)
	if c.Fault.Has(scenario.Reshard) {
		c.along = readAlong(ctx, c.api)
	}
	if err := c.writeAndSend(ctx); err != nil {
		return err
	}
	if err := c.lastKills(ctx); err != nil {
		return err
	}
	if err := c.readBack(ctx); err != nil {
		return err
	}
	c.report.Differences = c.compare.Result(c.Fault.Deduped(), oracle)
	if c.along != nil {
		c.report.Differences.Along = c.along.compare(c.report.Read, c.readOrder)
	}
	c.report.Passed = c.report.Differences.None() && c.report.Acked >= oracle.Lines
	return nil
}

func (c *check) connect(ctx context.Context) (err error) {
	if c.api, err = c.Client(c.Server.Endpoint()); err != nil {
		return err
	}
	c.sender = put.New(c.api, Stream, put.Options{Retried: func(records int, _ error) { c.report.Retried += records }})
	_, err = client.EnsureStream(ctx, c.api, Stream, c.Shards)
	return err
}

func (c *check) keepOracle(oracle Oracle) error {
	text, err := json.MarshalIndent(oracle, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.Dir, "oracle.json"), append(text, '\n'), 0o666)
}

// plan draws when the fault happens. The last kill comes after the last line; of kills and reshards together, the first kills come
// right after the beginning of a reshard.
func (c *check) plan(lines int) []instant {
	var instants []instant
	for _, part := range []struct {
		fault scenario.Fault
		times int
	}{{scenario.Reshard, 2}, {scenario.KillServer, 20}, {scenario.DiskFull, 3}, {scenario.TornJournal, 5}} {
		for i := range part.times {
			if !c.Fault.Has(part.fault) {
				break
			}
			at := c.random.IntN(lines)
			if part.fault == scenario.KillServer && i < len(instants) && instants[i].fault == scenario.Reshard {
				at = instants[i].acked
			}
			instants = append(instants, instant{at, part.fault})
		}
	}
	if last := len(instants) - 1; c.Fault.Has(scenario.KillServer) {
		instants[last].acked = lines
	}
	slices.SortStableFunc(instants, func(a, b instant) int { return a.acked - b.acked })
	return instants
}

func (c *check) writeAndSend(ctx context.Context) (err error) {
	logs, err := OpenLogs(c.Dir, c.Scale.RotateBytes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logs.Close()) }()
	if err := WriteAgentConfig(filepath.Join(c.Dir, "agent.json"), c.Dir, filepath.Join(c.Dir, "agent"), c.Server.Endpoint()); err != nil {
		return err
	}
	if err := c.openFeed(ctx); err != nil {
		return err
	}
	generator := NewGenerator(c.Seed, c.Scale)
	for more := true; more; {
		for range 1 + c.random.IntN(max(500, c.report.Lines/40)) {
			var line Line
			if line, more = generator.Next(); !more {
				break
			}
			c.compare.Written(line)
			if err := logs.Write(line); err != nil {
				return err
			}
		}
		if err := logs.Flush(); err != nil {
			return err
		}
		if err := c.sendAll(ctx); err != nil {
			return err
		}
	}
	c.report.Rotations = logs.Rotations
	return c.closeFeed()
}

// due takes the next instant if it has come, and says what happens then.
func (c *check) due() (scenario.Fault, bool) {
	if len(c.instants) == 0 || c.report.Acked < c.instants[0].acked {
		return "", false
	}
	fault := c.instants[0].fault
	c.instants = c.instants[1:]
	return fault, true
}

// breakSomething lets a fault happen once, before or while the records are sent.
func (c *check) breakSomething(ctx context.Context, fault scenario.Fault, next []put.Record) error {
	c.report.Faults++
	switch fault {
	case scenario.KillServer:
		c.restartAgent = c.feed != nil && c.random.IntN(2) == 0
		return c.killSoon(ctx)
	case scenario.Reshard:
		return c.reshardSoon(ctx)
	case scenario.DiskFull:
		return c.fillDisk(ctx, next)
	default:
		return c.tearJournal(ctx, next)
	}
}

// readBack reads every shard from its oldest record to its newest, parents before children.
func (c *check) readBack(ctx context.Context) error {
	last := map[string]string{} // by shard
	c.readOrder = newOrder()
	reader := tail.New(c.api, Stream, tail.Options{UntilEnd: true})
	defer func() { c.report.Shards = len(last) }()
	return reader.Run(ctx, func(b tail.Batch) error {
		last[b.Shard] += "" // also of a shard without records
		for _, r := range b.Records {
			sequence := aws.ToString(r.SequenceNumber)
			// Decimal numbers of one length, or the longer is the larger.
			if before := last[b.Shard]; len(sequence) < len(before) || len(sequence) == len(before) && sequence <= before {
				return fmt.Errorf("%s: sequence number %s comes after %s", b.Shard, sequence, before)
			}
			last[b.Shard] = sequence
			c.report.Read++
			c.compare.Read(b.Shard, sequence, lineOf(r.Data))
			c.readOrder.add(b.Shard, sequence, r.Data)
		}
		return nil
	})
}
