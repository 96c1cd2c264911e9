package main

import (
	"context"
	"fmt"
	"time"

	"github.com/weir-stream/weir/internal/console"
)

// deliveryCommand is `weir delivery`.
type deliveryCommand struct {
	Status deliveryStatusCommand `cmd:"" help:"Say how delivery streams stand: what waits, since when, and what fails."`
}

type deliveryStatusCommand struct {
	Name    string `arg:"" optional:"" help:"A delivery stream. Else all."`
	Console string `help:"Console address of the server. Else that of the configuration." placeholder:"ADDR"`
	Config  string `help:"Configuration file. Else $WEIR_CONFIG, else weir.toml here." placeholder:"FILE"`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Help is what `weir help delivery status` adds.
func (c *deliveryStatusCommand) Help() string {
	return "It asks the console of a running server. Exit codes: 0 all is well, 1 a destination fails or records were lost, 2 nobody answers or there is no such delivery stream."
}

// Run asks a server how its delivery streams stand.
func (c *deliveryStatusCommand) Run(ctx context.Context, t *terminal) error {
	addr, err := consoleAddr(t, c.Console, c.Config)
	if err != nil {
		return err
	}
	status, err := fetchStatus(ctx, addr)
	if err != nil {
		return err
	}
	named, well := []console.DeliveryStreamStatus{}, true
	for _, s := range status.DeliveryStreams {
		if c.Name == "" || s.Name == c.Name {
			named = append(named, s)
			well = well && s.ErrorCode == "" && s.LostRecords == 0
		}
	}
	if c.Name != "" && len(named) == 0 {
		return usagef("there is no delivery stream %s", c.Name)
	}
	if c.JSON {
		if err := t.json(named); err != nil {
			return err
		}
	} else {
		printDelivery(t, named, status.Now)
	}
	if !well {
		return errQuiet
	}
	return nil
}

func printDelivery(t *terminal, all []console.DeliveryStreamStatus, now time.Time) {
	if len(all) == 0 {
		fmt.Fprintln(t.out, "no delivery streams")
		return
	}
	cells := [][]string{{"DELIVERY STREAM", "ACCOUNT", "REGION", "STATUS", "SOURCE", "WAITING", "BYTES", "OLDEST", "CLOSES IN", "BEHIND", "OBJECTS", "RECORDS", "LOST"}}
	for _, s := range all {
		source, oldest, due, behind := "puts", "-", "-", "-"
		if s.Type != "DirectPut" {
			source = "stream"
		}
		if !s.Oldest.IsZero() {
			oldest = durationText(now.Sub(s.Oldest))
		}
		if !s.Due.IsZero() {
			due = durationText(max(s.Due.Sub(now), 0))
		}
		if s.BehindMillis > 0 {
			behind = durationText(time.Duration(s.BehindMillis) * time.Millisecond)
		}
		cells = append(cells, []string{
			s.Name, s.Account, s.Region, s.Status, source, countText(s.BufferedRecords), sizeText(float64(s.BufferedBytes)), oldest, due, behind, countText(s.DeliveredObjects), countText(s.DeliveredRecords), countText(s.LostRecords),
		})
	}
	t.table(cells)
	for _, s := range all {
		if s.ErrorCode != "" {
			fmt.Fprintf(t.out, "%s (account %s, %s): %s after %s, again in %s: %s\n", s.Name, s.Account, s.Region, t.paint(red, s.ErrorCode), counted(s.Tries, "attempt"), durationText(max(s.NextTry.Sub(now), 0)), s.Error)
		}
	}
}
