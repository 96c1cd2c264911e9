package offers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/internal/scenario"
)

// Faults are those that a check can be run under, one or several at once.
var Faults = []scenario.Fault{scenario.KillServer, scenario.SinkDown, scenario.PoisonRecord, scenario.Reshard, scenario.Throttle}

// How often the faults happen in a run. The app's refusals cost a retry of each shard's batch, the pauses of which begin at one second.
const (
	kills     = 20
	reshards  = 2
	throttles = 2
	refusals  = 6
	poisons   = 2
)

// reservedAfter is the function's reserved concurrency once it may run again: one for each shard, and one to spare.
const reservedAfter = 5

// poison draws the sign-ups on which the function fails, among the first.
func (c *check) poison() []string {
	if !c.Fault.Has(scenario.PoisonRecord) {
		return nil
	}
	g := c.generator()
	var keys []string
	for range min(c.Count, 4*batchSize) {
		keys = append(keys, g.Next().Key())
	}
	c.random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys[:min(poisons, len(keys))]
}

// moment is when something breaks.
type moment struct {
	at    int // sign-ups
	fault scenario.Fault
	odd   bool // it is the second, the fourth and so on of its fault
}

// plan draws every moment of the run, in order. The last kill is when the app was told of everything.
func (c *check) plan() []moment {
	var all []moment
	for _, kind := range []struct {
		fault scenario.Fault
		times int
	}{{scenario.KillServer, kills}, {scenario.Reshard, reshards}, {scenario.Throttle, throttles}} {
		if !c.Fault.Has(kind.fault) {
			continue
		}
		due := make([]int, kind.times)
		for i := range due {
			due[i] = c.random.IntN(c.Count * 3 / 4)
		}
		slices.Sort(due)
		if kind.fault == scenario.KillServer {
			due[len(due)-1] = c.Count
		}
		for i, at := range due {
			all = append(all, moment{at, kind.fault, i%2 == 1})
		}
	}
	slices.SortStableFunc(all, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	return all
}

// breakThings lets everything of the plan happen when it is due.
func (c *check) breakThings(ctx context.Context) error {
	for _, m := range c.plan() {
		if err := c.untilTold(ctx, m.at); err != nil {
			return err
		}
		strike := c.throttle
		if m.fault != scenario.Throttle {
			strike = c.strike(m)
		}
		if err := c.strikeKilled(ctx, m, strike); err != nil {
			return err
		}
	}
	return nil
}

// strike draws how a kill or a reshard goes, and gives what does it.
func (c *check) strike(m moment) func(context.Context) error {
	c.report.Faults++
	if m.fault == scenario.KillServer {
		return c.drawKill()
	}
	change := scenario.DrawShardChange(c.random, c.api, SignUps, !m.odd)
	return func(ctx context.Context) error {
		what, err := change.Run(ctx)
		c.Say("resharded at %d sign-ups: %s", m.at, what)
		return err
	}
}

// strikeKilled does something, and kills the server meanwhile if it is killed in this run at all.
func (c *check) strikeKilled(ctx context.Context, m moment, strike func(context.Context) error) error {
	killed := make(chan error, 1)
	if c.Fault.Has(scenario.KillServer) && m.fault != scenario.KillServer {
		c.report.Faults++
		kill := c.drawKill()
		go func() { killed <- kill(ctx) }()
	} else {
		killed <- nil
	}
	err := strike(ctx)
	if err = errors.Join(err, <-killed); err != nil {
		return fmt.Errorf("fault %s at %d sign-ups: %w", m.fault, m.at, err)
	}
	return nil
}

// untilTold waits until the app was told of so many sign-ups, and then for its next call, unless that was the last.
func (c *check) untilTold(ctx context.Context, distinct int) error {
	for {
		c.mu.Lock()
		told := c.told
		c.mu.Unlock()
		_, now, _ := c.app.State()
		if now >= c.Count {
			return nil
		}
		select {
		case <-told:
			if now >= distinct {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// drawKill draws when within the next ten milliseconds the server is killed. It is started again.
func (c *check) drawKill() func(context.Context) error {
	delay := time.Duration(c.random.IntN(10_000)) * time.Microsecond
	return func(ctx context.Context) error {
		if err := client.Sleep(ctx, delay); err != nil {
			return err
		}
		if err := c.Server.Kill(); err != nil {
			return err
		}
		return c.Server.Start(ctx, "")
	}
}

// throttle takes the function's concurrency away, waits until that is what holds the mapping up, and gives it back.
func (c *check) throttle(ctx context.Context) error {
	if err := c.reserve(ctx, 0); err != nil {
		return err
	}
	for {
		throttled, err := c.throttled(ctx)
		if err != nil {
			return err
		}
		_, now, _ := c.app.State()
		if throttled {
			c.report.Faults++
			c.Say("throttled at %d sign-ups", now)
		}
		if throttled || now >= c.Count {
			return c.reserve(ctx, reservedAfter)
		}
		if err := client.Sleep(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

// reserve sets the function's reserved concurrency, of a server that may be killed meanwhile.
func (c *check) reserve(ctx context.Context, concurrency int32) error {
	return insist(ctx, func() error {
		_, err := functionsOf(c.api).PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String(Function), ReservedConcurrentExecutions: aws.Int32(concurrency)})
		return err
	})
}

// throttled says whether the last that the mapping tells of is that its function may not run.
func (c *check) throttled(ctx context.Context) (throttled bool, err error) {
	err = insist(ctx, func() error {
		list, err := functionsOf(c.api).ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{FunctionName: aws.String(Function)})
		if err == nil {
			throttled = len(list.EventSourceMappings) == 1 && strings.Contains(aws.ToString(list.EventSourceMappings[0].LastProcessingResult), "throttled")
		}
		return err
	})
	return throttled, err
}

// insist asks until it is answered.
func insist(ctx context.Context, ask func() error) error {
	var backoff client.Backoff
	for {
		err := ask()
		if err == nil || !client.Retriable(err) {
			return err
		}
		if err := backoff.Wait(ctx, err); err != nil {
			return err
		}
	}
}
