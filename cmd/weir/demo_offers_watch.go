package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/client/put"
	"github.com/weir-stream/weir/client/tail"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/scenario"
	"github.com/weir-stream/weir/internal/scenario/offers"
)

// watch is the demo as a person sees it: people sign up, the function runs, the offers are read, and the screen shows all three. Its directory is a
// temporary one, which goes with it.
func (c *demoOffersCommand) watch(ctx context.Context, t *terminal) (err error) {
	dir, err := os.MkdirTemp("", "weir-offers-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	command, err := enrichCommand(dir)
	if err != nil {
		return err
	}
	app := offers.NewApp(0)
	url, stop, err := offers.ServeApp(ctx, app)
	if err != nil {
		return err
	}
	defer stop() // after the server, which lets the function end what it is at
	data := filepath.Join(dir, "data")
	n, err := startDemoNode(ctx, t, data, c.Listen)
	if err != nil {
		return explainStart(err, node.Config{DataDir: data})
	}
	defer func() { err = errors.Join(err, stopNode(ctx, n)) }()
	d := &offersDemo{canvas: canvas{t: t}, command: c, endpoint: "http://" + n.Addr(), app: app, putAt: map[string]time.Time{}, plans: map[string]int{}, countries: map[string]int{}}
	if d.api, err = demoClient(d.endpoint); err != nil {
		return err
	}
	defer scenario.HangUp(d.api)
	if err := offers.Install(ctx, d.api, offers.Setup{Command: command, App: url, Mapping: offers.Mapping(c.Mapping)}); err != nil {
		return err
	}
	err = untilEnough(ctx, n, d.signUp, d.read, d.draw)
	d.close()
	s := d.now()
	fmt.Fprintf(t.out, "%s sign-ups, %s offers read, %s told the app.\n", countText(int64(s.put)), countText(int64(s.read)), countText(int64(s.told)))
	return err
}

// offersDemo is the running scenario.
type offersDemo struct {
	canvas
	command  *demoOffersCommand
	endpoint string
	api      *kinesis.Client
	app      *offers.App

	mu        sync.Mutex // guards everything below
	acked     int
	putAt     map[string]time.Time // by key of a sign-up whose offer was not read yet
	delays    []time.Duration      // of the last offers, at most delaysMax
	offers    int                  // read
	plans     map[string]int       // offers, by plan
	countries map[string]int       // and by country
	message   string               // what is in the way; empty when nothing is
}

// delaysMax is how many offers the shown delay is of.
const delaysMax = 1000

// signUp lets people sign up, without end.
func (d *offersDemo) signUp(ctx context.Context) error {
	sender := put.New(d.api, offers.SignUps, put.Options{
		Acked:   func(records, _ int) { d.change(func() { d.acked, d.message = d.acked+records, "" }) },
		Retried: func(_ int, cause error) { d.change(func() { d.message = "put is waiting: " + rootOf(cause).Error() }) },
	})
	generator, pace := offers.NewGenerator(d.command.Seed), newPacer(d.command.Speed)
	for {
		// Ten sign-ups are the twentieth part of a second.
		var records []put.Record
		for range 10 {
			s := generator.Next()
			text, err := json.Marshal(s)
			if err != nil {
				return err
			}
			records = append(records, put.Record{Key: s.User, Data: text})
			if len(records) == 10 {
				if err := pace.wait(ctx, s.At); err != nil {
					return nil
				}
			}
			d.change(func() { d.putAt[s.Key()] = time.Now() })
		}
		if _, err := sender.Send(ctx, records); err != nil {
			return err
		}
	}
}

// read reads the offers.
func (d *offersDemo) read(ctx context.Context) error {
	return tail.New(d.api, offers.Offers, tail.Options{Idle: 50 * time.Millisecond}).Run(ctx, func(b tail.Batch) error {
		d.change(func() {
			for _, r := range b.Records {
				d.took(r.Data)
			}
		})
		return nil
	})
}

// took counts one offer. mu is held.
func (d *offersDemo) took(text []byte) {
	var offer offers.Offer
	if err := json.Unmarshal(text, &offer); err != nil {
		d.message = "an offer that cannot be read: " + err.Error()
		return
	}
	d.offers++
	d.plans[offer.Plan]++
	if offer.Country != "" {
		d.countries[offer.Country]++
	}
	if at, ok := d.putAt[offer.Key()]; ok {
		delete(d.putAt, offer.Key())
		d.delays = append(d.delays[max(0, len(d.delays)-delaysMax+1):], time.Since(at))
	}
}

func (d *offersDemo) change(how func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	how()
}

// offersSnapshot is the figures at one moment.
type offersSnapshot struct {
	put, read, told  int
	half, most       time.Duration // of a hundred offers, fifty and ninety-nine took no longer
	plans, countries map[string]int
	message          string
}

func (d *offersDemo) now() offersSnapshot {
	_, told, _ := d.app.State()
	d.mu.Lock()
	defer d.mu.Unlock()
	s := offersSnapshot{put: d.acked, read: d.offers, told: told, plans: maps.Clone(d.plans), countries: maps.Clone(d.countries), message: d.message}
	if delays := slices.Sorted(slices.Values(d.delays)); len(delays) > 0 {
		s.half, s.most = delays[len(delays)/2], delays[len(delays)*99/100]
	}
	return s
}

// draw draws until ctx ends: four times a second on a terminal, a line every two seconds elsewhere.
func (d *offersDemo) draw(ctx context.Context) error {
	every := 2 * time.Second
	if d.t.outTTY {
		every = 250 * time.Millisecond
		d.open()
	} else {
		fmt.Fprintf(d.t.out, "%s and %s are served at %s; Ctrl-C ends it\n", offers.SignUps, offers.Offers, d.endpoint)
	}
	for {
		s := d.now()
		if d.t.outTTY {
			width, _ := d.t.size()
			d.show(d.lines(s, width))
		} else {
			fmt.Fprintf(d.t.out, "put %s  offers %s  told %s  p50 %s  p99 %s  %s\n", countText(int64(s.put)), countText(int64(s.read)), countText(int64(s.told)), durationText(s.half), durationText(s.most), s.message)
		}
		if err := client.Sleep(ctx, every); err != nil {
			return nil
		}
	}
}

func (d *offersDemo) lines(s offersSnapshot, width int) []string {
	t := d.t
	label := func(text string) string { return t.paint(dim, fmt.Sprintf("  %-9s", text)) }
	lines := []string{
		t.paint(bold, "Weir · the Internet provider") + t.paint(dim, fmt.Sprintf("   seed %d, %s", d.command.Seed, d.command.Speed)),
		"",
		label("sign-ups") + t.paint(bold, countText(int64(s.put))) + " put and acknowledged",
		label("offers") + t.paint(bold, countText(int64(s.read))) + fmt.Sprintf(" read from the stream   half of them within %s, 99 %% within %s", durationText(s.half), durationText(s.most)),
		label("app") + t.paint(bold, countText(int64(s.told))) + " people told",
		"",
	}
	lines = append(lines, inColumns(d.bars(s.plans), barCell, width)...)
	lines = append(lines, "")
	lines = append(lines, inColumns(d.bars(s.countries), barCell, width)...)
	lines = append(lines, "",
		t.paint(dim, "  Try beside it:"),
		"  weir tail "+offers.Offers+" --endpoint "+d.endpoint+"      weir reshard "+offers.SignUps+" --shards 8 --endpoint "+d.endpoint,
		t.paint(dim, "  Ctrl-C ends it."))
	if s.message != "" {
		lines = append(lines, "  "+t.paint(red, s.message))
	}
	return lines
}

// barCell is the width of a name, a number and a bar.
const barCell = 28

func (d *offersDemo) bars(counts map[string]int) []string {
	most := 1
	for _, n := range counts {
		most = max(most, n)
	}
	var cells []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		bar := counts[name] * 7 / most
		cells = append(cells, fmt.Sprintf("%-9s %8s %s%s", name, countText(int64(counts[name])), d.t.paint(cyan, strings.Repeat("▆", bar)), strings.Repeat(" ", barCell-19-bar)))
	}
	return cells
}
