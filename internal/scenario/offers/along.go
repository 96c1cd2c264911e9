package offers

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/client/put"
	"github.com/weir-stream/weir/client/tail"
)

// patience is how long a run may take from its first sign-up to its last offer, beyond the time in which they come. It takes seconds.
const patience = 2 * time.Minute

// backlog is how many sign-ups may be without an offer while more are put at the pace Max: the function runs while the stream is written.
const backlog = 400

// together puts, breaks and reads until every sign-up has its offer. That it takes too long is no error: what is missing is seen later.
func (c *check) together(ctx context.Context) error {
	// Two hundred a second are slower than any machine that this is meant for.
	inTime, cancel := context.WithTimeout(ctx, patience+time.Duration(c.Count)*time.Second/Rate)
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
		c.Say("not everything came in time: %v", err)
		return nil
	}
	return err
}

// chunk is how many sign-ups are put at once: a twentieth of a second's at the pace Real, and a twentieth of what ten seconds have at the pace Max.
func (c *check) chunk() int {
	if c.Pace == Real {
		return Rate / 20
	}
	return 50
}

// put brings the sign-ups into the stream: each when it is due, or not far ahead of the function.
func (c *check) put(ctx context.Context) error {
	sender := c.sender()
	g := c.generator()
	begun := time.Now()
	for sent := 0; sent < c.Count; {
		if _, distinct, _ := c.app.State(); c.Pace == Max && sent-distinct > backlog {
			if err := client.Sleep(ctx, 5*time.Millisecond); err != nil {
				return err
			}
			continue
		}
		signUps := make([]SignUp, min(c.chunk(), c.Count-sent))
		for i := range signUps {
			signUps[i] = g.Next()
		}
		if c.Pace == Real {
			due := begun.Add(signUps[len(signUps)-1].At.Sub(Start))
			if err := client.Sleep(ctx, time.Until(due)); err != nil {
				return err
			}
		}
		if err := c.send(ctx, sender, signUps); err != nil {
			return err
		}
		sent += len(signUps)
	}
	return nil
}

func (c *check) sender() *put.Sender {
	return put.New(c.api, SignUps, put.Options{Retried: func(records int, _ error) { c.report.Retried += records }})
}

// send puts some sign-ups.
func (c *check) send(ctx context.Context, sender *put.Sender, signUps []SignUp) error {
	records := make([]put.Record, 0, len(signUps))
	for _, s := range signUps {
		text, err := json.Marshal(s)
		if err != nil {
			return err
		}
		records = append(records, put.Record{Key: s.User, Data: text})
	}
	c.mu.Lock()
	now := time.Now()
	for _, s := range signUps {
		c.putAt[s.Key()] = now
	}
	c.mu.Unlock()
	_, err := sender.Send(ctx, records)
	return err
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
