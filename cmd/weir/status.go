package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/console"
)

// statusCommand is `weir status`.
type statusCommand struct {
	Console string        `help:"Console address of the server. Else that of the configuration." placeholder:"ADDR"`
	Config  string        `help:"Configuration file. Else $WEIR_CONFIG, else weir.toml here." placeholder:"FILE"`
	Window  time.Duration `default:"1s" help:"The rates are of so much time, which the command waits; 0s leaves them out."`
	JSON    bool          `name:"json" help:"Print JSON."`
}

// Help is what `weir help status` adds.
func (c *statusCommand) Help() string {
	return "It asks the console of a running server. Exit codes: 0 all is well, 1 puts are refused or damage was met, 2 nobody answers."
}

// statusReport is what --json prints.
type statusReport struct {
	console.Status
	Rates []streamRates `json:"rates,omitempty"` // in the order of streams
}

// streamRates are per second.
type streamRates struct {
	RecordsIn  float64 `json:"recordsIn"`
	BytesIn    float64 `json:"bytesIn"`
	RecordsOut float64 `json:"recordsOut"`
	BytesOut   float64 `json:"bytesOut"`
}

// Run asks a server how it is.
func (c *statusCommand) Run(ctx context.Context, t *terminal) error {
	if c.Window < 0 {
		return usagef("--window %v is less than nothing", c.Window)
	}
	addr, err := consoleAddr(t, c.Console, c.Config)
	if err != nil {
		return err
	}
	var before console.Status
	began := time.Now()
	if c.Window > 0 {
		if before, err = fetchStatus(ctx, addr); err != nil {
			return err
		}
		select {
		case <-time.After(c.Window):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	status, err := fetchStatus(ctx, addr)
	if err != nil {
		return err
	}
	report := statusReport{Status: status}
	if c.Window > 0 {
		report.Rates = ratesOf(before, status, time.Since(began))
	}
	if c.JSON {
		if err := t.json(report); err != nil {
			return err
		}
	} else {
		report.print(t)
	}
	if status.Health.Status != "ok" || status.Refusing || status.Damages > 0 {
		return errQuiet
	}
	return nil
}

// statusTime is how long a console may take to answer.
const statusTime = 10 * time.Second

func fetchStatus(ctx context.Context, addr string) (s console.Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/_weir/status", nil)
	if err != nil {
		return s, usageError{err}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return s, fmt.Errorf("%w: nobody answers at %s; --console names the console of another server (%w)", errUnknown, addr, rootOf(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return s, fmt.Errorf("%w: %s answers %s; it is no console of this version", errUnknown, addr, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(&s); err != nil {
		return s, fmt.Errorf("%w: %s: %w", errUnknown, addr, err)
	}
	return s, nil
}

// ratesOf are what happened between two looks, a second.
func ratesOf(before, after console.Status, passed time.Duration) []streamRates {
	type name struct{ account, region, stream string }
	was := make(map[name]console.StreamStatus)
	if before.Health.Incarnation == after.Health.Incarnation {
		for _, s := range before.Streams {
			was[name{s.Account, s.Region, s.Name}] = s
		}
	}
	rates := make([]streamRates, len(after.Streams))
	for i, s := range after.Streams {
		b := was[name{s.Account, s.Region, s.Name}]
		per := func(now, then int64) float64 { return max(0, float64(now-then)/passed.Seconds()) }
		rates[i] = streamRates{
			per(s.IncomingRecords, b.IncomingRecords), per(s.IncomingBytes, b.IncomingBytes), per(s.OutgoingRecords, b.OutgoingRecords), per(s.OutgoingBytes, b.OutgoingBytes),
		}
	}
	return rates
}

// print draws the report for people.
func (r statusReport) print(t *terminal) {
	health := t.paint(green, "ok")
	if r.Health.Status != "ok" {
		health = t.paint(red, r.Health.Status)
	}
	row := func(what, format string, args ...any) {
		fmt.Fprintf(t.out, "%s %s\n", t.paint(bold, fmt.Sprintf("%-9s", what)), fmt.Sprintf(format, args...))
	}
	row("server", "%s, weir %s, up %s, %s start of %s", health, r.Health.Version, time.Since(r.Started).Round(time.Second), ordinal(r.Health.Incarnation), r.Data)
	mode := "keys are verified"
	if r.Dev {
		mode = "any key is believed"
	}
	row("settings", "%s, durability %s, limits %s", mode, r.Durability, r.Limits)
	if r.TestClock {
		row("clock", "moved by hand, at %s", r.Now.Format(time.RFC3339))
	}
	row("journal", "%s in %s, %s", bar(t, r.Journal.Bytes, r.Journal.Most), counted(r.Journal.Files, "file"), ofText(r.Journal.Bytes, r.Journal.Most))
	row("segments", "%s in %s", sizeText(float64(r.Segments.Bytes)), counted(r.Segments.Files, "file"))
	if r.Disk != nil {
		row("disk", "%s used, %s free of %s", bar(t, r.Disk.All-r.Disk.Free, r.Disk.All), sizeText(float64(r.Disk.Free)), sizeText(float64(r.Disk.All)))
	}
	switch {
	case r.LastBackup == nil:
		row("backup", "none; weir backup --to PLACE makes one")
	default:
		row("backup", "%s ago, %s to %s", time.Since(r.LastBackup.Taken).Round(time.Second), sizeText(float64(r.LastBackup.Bytes)), r.LastBackup.To)
		if len(r.LastBackup.Beside) > 0 {
			row("", "with %s", engineText(r.LastBackup.Beside))
		} else {
			row("", "%s", t.paint(red, "of streams alone: tables, objects and functions are not in it"))
		}
	}
	switch r.Functions.Bound {
	case console.BoundByGroups:
		row("functions", "each in a control group of its own")
	case console.BoundByLooking:
		row("functions", "without control groups, their memory is looked at ten times a second: %s", r.Functions.Why)
	case console.RemoteOnly:
		row("functions", "remote ones only%s", strings.TrimSuffix(": "+r.Functions.Why, ": "))
	}
	if r.Refusing {
		row("puts", "%s", t.paint(red, "refused: the disk is full or cannot be written"))
	}
	if r.Damages > 0 {
		row("damage", "%s; weir doctor says more when the server is stopped", t.paint(red, fmt.Sprintf("met %s", counted(int(r.Damages), "time"))))
	}
	for _, d := range r.Damaged {
		where := "log " + d.Log
		if d.Stream != "" {
			where = fmt.Sprintf("stream %s (account %s, %s), %s", d.Stream, d.Account, d.Region, d.Shard)
		}
		if d.DeliveryStream != "" {
			where = fmt.Sprintf("delivery stream %s (account %s, %s)", d.DeliveryStream, d.Account, d.Region)
		}
		row("", "%s: positions %d to %d", where, d.FirstPosition, d.LastPosition)
	}
	if r.PassedOver > 0 {
		row("given up", "readers passed over what a repair gave up %s", counted(int(r.PassedOver), "time"))
	}
	r.printStreams(t)
}

func (r statusReport) printStreams(t *terminal) {
	fmt.Fprintln(t.out)
	if len(r.Streams) == 0 {
		fmt.Fprintln(t.out, "no streams; weir put --create NAME makes one")
		return
	}
	cells := [][]string{{"STREAM", "ACCOUNT", "REGION", "STATUS", "MODE", "SHARDS", "IN/S", "BYTES IN/S", "OUT/S", "THROTTLED", "BEHIND", "ENCRYPTED"}}
	for i, s := range r.Streams {
		shards := fmt.Sprint(s.Shards.Open)
		if s.Shards.Closed > 0 {
			shards += fmt.Sprintf(" +%d closed", s.Shards.Closed)
		}
		if moving := s.Shards.Opening + s.Shards.Expired; moving > 0 {
			shards += fmt.Sprintf(" +%d moving", moving)
		}
		in, bytesIn, out := "-", "-", "-"
		if r.Rates != nil {
			in, bytesIn, out = countText(int64(r.Rates[i].RecordsIn)), sizeText(r.Rates[i].BytesIn), countText(int64(r.Rates[i].RecordsOut))
		}
		behind, encrypted := "-", "no"
		if s.IteratorAgeMillis != nil {
			behind = durationText(time.Duration(*s.IteratorAgeMillis) * time.Millisecond)
		}
		if s.Encryption != "" {
			encrypted = s.Encryption
		}
		cells = append(cells, []string{s.Name, s.Account, s.Region, s.Status, s.Mode, shards, in, bytesIn, out, countText(s.WriteThrottled + s.ReadThrottled), behind, encrypted})
	}
	t.table(cells)
}

// bar draws a part of a whole; nothing when nobody looks.
func bar(t *terminal, part, whole int64) string {
	const width = 20
	if whole <= 0 {
		return "?"
	}
	done := int(min(max(part, 0), whole) * width / whole)
	text := ""
	for i := range width {
		if i < done {
			text += "█"
		} else {
			text += "░"
		}
	}
	colour := green
	if part > whole/10*9 {
		colour = red
	}
	return t.paint(colour, text) + fmt.Sprintf(" %d %%", part*100/whole)
}

func ofText(part, whole int64) string {
	return sizeText(float64(part)) + " of " + sizeText(float64(whole))
}

// ordinal is 1st, 2nd, 3rd, 4th.
func ordinal(n uint64) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprint(n) + suffix
}
