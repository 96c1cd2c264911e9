package offers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/internal/scenario"
)

// Steps of the server's clock, and how far it goes at most while a fault holds offers up.
const (
	stepUsual    = time.Second
	stepWindowed = 10 * time.Second // nothing happens until a window ends
	spanMax      = 3 * Span
)

// throttledSteps is how many steps the function's concurrency is taken away for.
const throttledSteps = 30

// step puts the sign-ups of each second and then moves the server's clock by it, until the Span is over and everybody has an offer. The server says that it is done with a second when
// nothing is in flight: without a fault everybody who signed up in it has an offer then, or, with windows, everybody up to the last window's end.
func (c *check) step(ctx context.Context) error {
	sender, g, moments := c.sender(), c.generator(), c.plan()
	hands := &hands{console: c.Console}
	defer hands.http.CloseIdleConnections()
	length := stepUsual
	if c.Mapping == Windowed {
		length = stepWindowed
	}
	next, sent, promised := g.Next(), 0, 0
	resume, before := 0, 0 // the step in which a throttled function may run again, and what the app had been told of by then
	for now, passed := 0, time.Duration(0); passed < Span || passed < spanMax && c.missing() > 0 || resume > 0 || len(moments) > 0; now++ {
		passed += length
		end := Start.Add(passed)
		var signUps []SignUp
		for ; sent < c.Count && next.At.Before(end); next, sent = g.Next(), sent+1 {
			signUps = append(signUps, next)
		}
		second := func(ctx context.Context) error {
			if err := c.send(ctx, sender, signUps); err != nil {
				return err
			}
			return hands.move(ctx, end)
		}
		if now == resume && resume > 0 {
			resume = 0
			if err := c.resume(ctx, before); err != nil {
				return err
			}
		}
		var err error
		switch due := len(moments) > 0 && sent >= moments[0].at; {
		case !due || resume > 0:
			err = second(ctx)
		case moments[0].fault == scenario.Throttle:
			resume = now + throttledSteps
			if err = c.reserve(ctx, 0); err == nil {
				err = c.strikeKilled(ctx, moments[0], second)
			}
			moments = moments[1:]
			_, before, _ = c.app.State()
		default:
			strike := c.strike(moments[0])
			err = c.strikeKilled(ctx, moments[0], func(ctx context.Context) error { return both(ctx, strike, second) })
			moments = moments[1:]
		}
		if err != nil {
			return err
		}
		c.report.ClockSeconds = int(passed / time.Second)
		if c.Mapping != Windowed || passed%Window == 0 {
			promised = sent
		}
		if c.Fault == "" {
			c.inTime(passed, promised)
		}
	}
	return nil
}

// missing is how many sign-ups the app was not told of.
func (c *check) missing() int {
	_, distinct, _ := c.app.State()
	return c.Count - distinct
}

// inTime holds what the app was told of when some time of the Span has passed against what it should have been.
func (c *check) inTime(passed time.Duration, want int) {
	if _, distinct, _ := c.app.State(); distinct != want {
		c.report.broke("after %s the app has been told of %d sign-ups, and not of %d", passed, distinct, want)
	}
}

// resume lets a throttled function run again, which has not run since.
func (c *check) resume(ctx context.Context, before int) error {
	_, now, _ := c.app.State()
	throttled, err := c.throttled(ctx)
	if err != nil {
		return err
	}
	if now != before || !throttled && now < c.Count {
		c.report.broke("the function was not to run for %d seconds: the app has been told of %d more sign-ups, and that it is throttled is %v", throttledSteps, now-before, throttled)
	}
	c.report.Faults++
	c.Say("throttled at %d sign-ups, for %d seconds", now, throttledSteps)
	return c.reserve(ctx, reservedAfter)
}

// both does two things at once.
func both(ctx context.Context, one, other func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- one(ctx) }()
	err := other(ctx)
	return errors.Join(err, <-done)
}

// hands move the clock of a server.
type hands struct {
	console func() string
	http    http.Client
}

// move moves the clock to a time and returns when nothing is in flight there. The server may be killed meanwhile.
func (h *hands) move(ctx context.Context, to time.Time) error {
	text, err := json.Marshal(map[string]any{"to": to})
	if err != nil {
		return err
	}
	var backoff client.Backoff
	for {
		err := h.try(ctx, text)
		var unreached *url.Error
		if err == nil || ctx.Err() != nil || !errors.As(err, &unreached) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if err := backoff.Wait(ctx, err); err != nil {
			return err
		}
	}
}

func (h *hands) try(ctx context.Context, move []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.console()+"/_weir/clock", bytes.NewReader(move))
	if err != nil {
		return err
	}
	response, err := h.http.Do(request)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the clock does not move: %s: %s", response.Status, answer)
	}
	return err
}

// windowsBroken says which shard has not had exactly one invocation for each window of the Span. A window's sign-ups are those that arrived in it.
func windowsBroken(batches []Batch, shards int) (lines []string) {
	type window struct {
		shard string
		i     int
	}
	const windows = int(Span / Window)
	invoked := map[window]int{}
	for _, b := range batches {
		first, last := int(b.First.Sub(Start)/Window), int(b.Last.Sub(Start)/Window)
		if first != last {
			lines = append(lines, fmt.Sprintf("an invocation of %s has sign-ups of window %d and of window %d", b.Shard, first, last))
		}
		if invoked[window{b.Shard, first}]++; invoked[window{b.Shard, first}] == 2 {
			lines = append(lines, fmt.Sprintf("window %d of %s has more than one invocation", first, b.Shard))
		}
	}
	if len(invoked) != shards*windows {
		lines = append(lines, fmt.Sprintf("%d windows of %d have an invocation", len(invoked), shards*windows))
	}
	return lines
}
