package elastic_test

import (
	"context"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fold/commands"
	"github.com/weir-stream/weir/internal/quota"
	"github.com/weir-stream/weir/internal/quota/meter"
	"github.com/weir-stream/weir/internal/streams/elastic"
)

const account, region = "123456789012", "eu-west-3"

// plane is a control plane without a log: a command is applied at once, and a reshard has its logs at once.
type plane struct {
	t        *testing.T
	clock    *clock.Manual
	state    *catalog.State
	position commitlog.Position
	scaled   []int // targets of ScaleStream, in order
}

func (p *plane) State() *catalog.State { return p.state }

func (p *plane) Propose(_ context.Context, c catalog.Command) error {
	if scale, ok := c.(catalog.ScaleStream); ok {
		p.scaled = append(p.scaled, scale.Target)
	}
	b, err := catalog.EncodeCommand(catalog.Limited(c, quota.Default()))
	if err != nil {
		p.t.Fatal(err)
	}
	next, result, err := catalog.Apply(p.state, p.clock.Now(), p.position, b)
	if err != nil {
		p.t.Fatal(err)
	}
	p.state, p.position = next, p.position+1
	if err := commands.DecodeResult(result, nil); err != nil {
		return err
	}
	for stream := range p.state.All() {
		if stream.Status == catalog.Updating {
			report := catalog.ShardsSealed{Group: stream.Group}
			for _, shard := range stream.Shards {
				if shard.Closing {
					report.Ends = append(report.Ends, catalog.ShardEnd{Shard: shard.Number, End: 1})
				}
			}
			return p.Propose(context.Background(), report)
		}
	}
	return nil
}

func (p *plane) must(commands ...catalog.Command) {
	p.t.Helper()
	for _, c := range commands {
		if err := p.Propose(context.Background(), c); err != nil {
			p.t.Fatalf("%T: %v", c, err)
		}
	}
}

func (p *plane) open() int { return p.state.Stream(account, region, "s").OpenShards() }

// run has the scaler watch one ON_DEMAND stream, into which as many shards' worth come as worth says of each time, for as long as a day-long script asks.
func run(t *testing.T, worth func(at time.Time) float64) (p *plane, forward func(d time.Duration)) {
	m := clock.NewManual(time.Date(2026, 11, 18, 0, 0, 7, 0, time.UTC))
	p = &plane{t: t, clock: m, state: catalog.Empty()}
	p.must(catalog.CreateStream{Account: account, Region: region, Name: "s", Mode: catalog.OnDemand}, catalog.StreamReady{Group: 1},
		catalog.CreateStream{Account: account, Region: region, Name: "provisioned", ShardCount: 1}, catalog.StreamReady{Group: 2})
	var traffic meter.Traffic
	scaler := elastic.New(elastic.Options{
		Control: p, Clock: m, Quota: quota.Default(), Logger: slog.New(slog.DiscardHandler),
		Traffic: func(stream *catalog.Stream, from time.Time) []meter.Minute {
			if stream.Name != "s" {
				t.Errorf("asked for the traffic of %s", stream.Name)
			}
			return traffic.Since(from)
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	if scaler.Settled() {
		t.Error("settled before it has looked")
	}
	go func() { done <- scaler.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	const step = 15 * time.Second
	return p, func(d time.Duration) {
		for range d / step {
			m.BlockUntil(1) // it has looked
			traffic.Add(m.Now(), int(worth(m.Now())*1000*step.Seconds()), 1)
			m.Advance(step)
		}
		m.BlockUntil(1)
		if !scaler.Settled() {
			t.Error("it has looked and is not settled")
		}
	}
}

// Shows that shards double before traffic has used them up, double again when it goes on growing, stay through a day that was as busy, and halve once a
// day when it is over, down to four.
func TestGrowsAndShrinks(t *testing.T) {
	busy := 0.0
	p, forward := run(t, func(time.Time) float64 { return busy })
	for _, row := range []struct {
		busy float64
		span time.Duration
		open int
	}{
		{1.9, time.Hour, 4},
		{2.5, 2 * time.Minute, 8},
		{3.9, time.Hour, 8},
		{11, 2 * time.Minute, 32},
		{0, 23 * time.Hour, 32},
		{0, 2 * time.Hour, 16},
		{0, 23 * time.Hour, 16},
		{0, time.Hour, 8},
		{3.9, time.Minute, 8},
		{0, 23 * time.Hour, 8},
		{3, 2 * time.Hour, 8},
		{0, 23 * time.Hour, 8},
		{0, 2 * time.Hour, 4},
		{0, 72 * time.Hour, 4},
	} {
		busy = row.busy
		forward(row.span)
		if p.open() != row.open {
			t.Errorf("after %v at %v: %d open, want %d; scaled to %v", row.span, row.busy, p.open(), row.open, p.scaled)
		}
	}
}

// Shows that traffic which goes up and down through the day, every day, is scaled for once.
func TestDoesNotFlap(t *testing.T) {
	p, forward := run(t, func(at time.Time) float64 {
		hour := float64(at.Hour()) + float64(at.Minute())/60
		return 3 + 2.9*math.Sin(2*math.Pi*hour/24) + 0.1*float64(at.Second()%2)
	})
	forward(24 * time.Hour)
	after := len(p.scaled)
	forward(5 * 24 * time.Hour)
	if p.open() != 16 || len(p.scaled) != after {
		t.Errorf("%d open, scaled to %v, of which %d on the first day", p.open(), p.scaled, after)
	}
}

// Shows that warm throughput is a floor while the account is committed to it, and that a stream which stops being ON_DEMAND is left alone.
func TestFloors(t *testing.T) {
	busy := 0.0
	p, forward := run(t, func(time.Time) float64 { return busy })
	a := catalog.Address{Account: account, Region: region, Name: "s"}
	p.must(catalog.UpdateAccountSettings{Account: account, Region: region, Commit: true}, catalog.UpdateWarmThroughput{Address: a, WarmMiBps: 12})
	busy = 8
	forward(2 * time.Minute)
	if p.open() != 24 {
		t.Fatalf("%d open", p.open())
	}
	busy = 0
	forward(72 * time.Hour)
	if p.open() != 12 {
		t.Errorf("%d open with 12 MiB/s of warm throughput", p.open())
	}
	p.must(catalog.UpdateWarmThroughput{Address: a})
	forward(72 * time.Hour)
	if p.open() != 4 {
		t.Errorf("%d open without warm throughput", p.open())
	}
	p.must(catalog.UpdateStreamMode{Address: a, Mode: catalog.Provisioned})
	busy = 8
	forward(time.Hour)
	if p.open() != 4 {
		t.Errorf("%d open in mode PROVISIONED", p.open())
	}
}

// jumpy is a clock that somebody moves while the first timer is being made.
type jumpy struct {
	*clock.Manual
	once sync.Once
}

func (j *jumpy) NewTimer(d time.Duration) clock.Timer {
	j.once.Do(func() { j.Advance(20 * time.Second) })
	return j.Manual.NewTimer(d)
}

// Shows that a look is not put off until the clock moves again when the clock was moved while the timer for it was made: who drains would wait for ever.
func TestClockMovesUnderTheTimer(t *testing.T) {
	j := &jumpy{Manual: clock.NewManual(time.Date(2026, 11, 18, 0, 0, 7, 0, time.UTC))}
	p := &plane{t: t, clock: j.Manual, state: catalog.Empty()}
	scaler := elastic.New(elastic.Options{Control: p, Clock: j, Quota: quota.Default()})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- scaler.Run(ctx) }()
	patience := time.NewTimer(30 * time.Second)
	defer patience.Stop()
	j.BlockUntil(1) // the timer is there, and the clock has moved
	for !scaler.Settled() {
		select {
		case <-patience.C:
			t.Fatal("never settled")
		default:
			runtime.Gosched()
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
