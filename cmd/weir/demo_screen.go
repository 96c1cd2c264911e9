package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/internal/scenario/tolls"
)

// screenText is what does not change on the screen.
type screenText struct {
	Endpoint, Console string
	Speed             speed
	Seed              uint64
	Scale, Data       string
}

// canvas is a terminal's other screen, which is redrawn as a whole.
type canvas struct {
	t      *terminal
	opened bool
}

// open turns to the other screen, without a cursor.
func (c *canvas) open() {
	fmt.Fprint(c.t.out, "\x1b[?1049h\x1b[?25l")
	c.opened = true
}

// close gives the terminal back.
func (c *canvas) close() {
	if c.opened {
		fmt.Fprint(c.t.out, "\x1b[?25h\x1b[?1049l")
	}
}

// show redraws the whole screen in one write: from the top, each line cleared to its end, then everything below.
func (c *canvas) show(lines []string) {
	_, height := c.t.size()
	if len(lines) > height-1 {
		lines = lines[:max(1, height-1)]
	}
	var b strings.Builder
	b.WriteString("\x1b[H")
	for _, line := range lines {
		b.WriteString(line + "\x1b[K\r\n")
	}
	b.WriteString("\x1b[J")
	fmt.Fprint(c.t.out, b.String())
}

// inColumns puts cells of equal width into as many columns as fit, read downwards.
func inColumns(cells []string, cell, width int) []string {
	columns := max(1, (width-2)/cell)
	rows := (len(cells) + columns - 1) / columns
	lines := make([]string, rows)
	for i, c := range cells {
		if lines[i%rows] == "" {
			lines[i%rows] = "  "
		}
		lines[i%rows] += c
	}
	return lines
}

// screen draws the figures, four times a second on a terminal, one line every two seconds elsewhere.
type screen struct {
	canvas
	figures *figures
	text    screenText
	http    *http.Client
	before  snapshot // a while ago, for the rates
	rates   rates
}

// rates are per second.
type rates struct{ put, size, read float64 }

func newScreen(t *terminal, f *figures, text screenText) *screen {
	return &screen{canvas: canvas{t: t}, figures: f, text: text, before: f.now(), http: &http.Client{Timeout: time.Second}}
}

// run draws until ctx ends.
func (s *screen) run(ctx context.Context) error {
	every := 250 * time.Millisecond
	if !s.t.outTTY {
		every = 2 * time.Second
		fmt.Fprintf(s.t.out, "%s is served at %s; Ctrl-C ends it\n", tolls.Stream, s.text.Endpoint)
	} else {
		s.open()
	}
	for {
		now := s.figures.now()
		if passed := now.at.Sub(s.before.at).Seconds(); passed >= 1 {
			s.rates = rates{
				put: float64(now.acked-s.before.acked) / passed, size: float64(now.ackedSize-s.before.ackedSize) / passed,
				read: float64(now.got-s.before.got) / passed,
			}
			s.before = now
		}
		syncs := fetchSyncs(ctx, s.http, s.text.Console)
		if s.t.outTTY {
			width, _ := s.t.size()
			s.show(s.lines(now, syncs, width))
		} else {
			fmt.Fprintf(s.t.out, "%s  put %s (%.0f/s)  read %s  lag %s  %s\n", now.scenario.Format("Mon 15:04"), countText(int64(now.acked)), s.rates.put, countText(int64(now.got)), durationText(now.lag), syncs)
		}
		if err := client.Sleep(ctx, every); err != nil {
			return nil
		}
	}
}

func (s *screen) lines(now snapshot, syncs syncFigures, width int) []string {
	t := s.t
	label := func(text string) string { return t.paint(dim, fmt.Sprintf("  %-9s", text)) }
	state := s.text.Speed.String()
	if now.done {
		state = "everything is written"
	}
	lag := t.paint(green, "caught up")
	if now.lag > 0 {
		lag = durationText(now.lag) + " behind"
	}
	shards := counted(now.shards, "shard")
	if now.closed > 0 {
		shards += fmt.Sprintf(" (%d closed by reshards)", now.closed)
	}
	lines := []string{
		t.paint(bold, "Weir · the toll company") + t.paint(dim, fmt.Sprintf("   seed %d, %s", s.text.Seed, s.text.Scale)),
		"",
		label("stations") + fmt.Sprintf("%s   %s lines, %d rotations   %s", t.paint(bold, now.scenario.Format("Mon 2 Jan 15:04:05")), countText(int64(now.written)), now.rotations, t.paint(dim, state)),
		label("put") + fmt.Sprintf("%s records/s   %s/s   %s acknowledged, %s", t.paint(bold, countText(int64(s.rates.put))), sizeText(s.rates.size), countText(int64(now.acked)), sizeText(float64(now.ackedSize))),
		label("read") + fmt.Sprintf("%s records/s   %s   %s read, %s duplicates, %s malformed   %s", t.paint(bold, countText(int64(s.rates.read))), lag, countText(int64(now.got)), countText(int64(now.repeated)), countText(int64(now.malformed)), shards),
		label("disk") + syncs.String(),
		"",
	}
	lines = append(lines, s.stations(now, width)...)
	lines = append(lines, "",
		t.paint(dim, "  Try beside it:"),
		"  export AWS_ENDPOINT_URL="+s.text.Endpoint+" AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1",
		"  aws kinesis describe-stream-summary --stream-name "+tolls.Stream+" --endpoint-url "+s.text.Endpoint,
		"  weir tail "+tolls.Stream+"      weir ls "+tolls.Stream+"      weir reshard "+tolls.Stream+" --shards 8",
		t.paint(dim, "  Ctrl-C ends it; the same command goes on."))
	if now.message != "" && now.at.Sub(now.messageAt) < 5*time.Second {
		lines = append(lines, "  "+t.paint(red, now.message))
	}
	return lines
}

// stations draws the vehicles of each station, as read from the stream, in as many columns as fit.
func (s *screen) stations(now snapshot, width int) []string {
	const cell = 26
	most := 1
	for _, n := range now.vehicles {
		most = max(most, n)
	}
	var cells []string
	for station := s.figures.scale.First; station <= s.figures.scale.Last; station++ {
		n := now.vehicles[tolls.StationName(station)]
		bar := strings.Repeat("▆", n*8/most)
		cells = append(cells, fmt.Sprintf("%s %8s %s%s", tolls.StationName(station), countText(int64(n)), s.t.paint(cyan, bar), strings.Repeat(" ", cell-15-len([]rune(bar)))))
	}
	return inColumns(cells, cell, width)
}

// fetchSyncs reads the server's histogram of syncs. A server that does not answer, or does not have it, has no figures.
func fetchSyncs(ctx context.Context, c *http.Client, console string) syncFigures {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, console+"/metrics", nil)
	if err != nil {
		return syncFigures{}
	}
	response, err := c.Do(request)
	if err != nil {
		return syncFigures{}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return syncFigures{}
	}
	return parseSyncs(string(text))
}
