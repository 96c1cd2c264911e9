package main

import (
	"fmt"
	"strings"
	"time"
)

// progress redraws one line on stderr while a person looks at it.
type progress struct {
	t     *terminal
	shown bool // draw at all
	total int64
	begun time.Time
	drawn time.Time
	dirty bool // the line holds something
}

func newProgress(t *terminal, quiet bool, totalBytes int64) *progress {
	return &progress{t: t, shown: t.errTTY && !quiet, total: totalBytes, begun: time.Now()}
}

// show redraws, at most ten times a second unless there is a note.
func (p *progress) show(records int, bytes int64, note string) {
	if !p.shown || note == "" && time.Since(p.drawn) < 100*time.Millisecond {
		return
	}
	p.drawn = time.Now()
	seconds := time.Since(p.begun).Seconds()
	text := fmt.Sprintf("%s records  %s  %s records/s", countText(int64(records)), sizeText(float64(bytes)), countText(int64(float64(records)/max(seconds, 0.001))))
	if p.total > 0 {
		const width = 30
		part := min(1, float64(bytes+int64(records))/float64(p.total)) // each record had a line end
		done := int(part * width)
		text = fmt.Sprintf("%3.0f %% %s%s  ", part*100, strings.Repeat("█", done), strings.Repeat("░", width-done)) + text
		if part > 0.01 {
			left := time.Duration(seconds * (1/part - 1) * float64(time.Second))
			text += "  " + left.Round(time.Second).String() + " left"
		}
	}
	if note != "" {
		text += "  " + note
	}
	width, _ := p.t.size()
	if runes := []rune(text); len(runes) >= width {
		text = string(runes[:max(0, width-1)])
	}
	fmt.Fprint(p.t.err, "\r\x1b[2K"+text)
	p.dirty = true
}

// say prints a line above the progress.
func (p *progress) say(text string) {
	p.done()
	fmt.Fprintln(p.t.err, text)
}

// done takes the line away.
func (p *progress) done() {
	if p.dirty {
		fmt.Fprint(p.t.err, "\r\x1b[2K")
		p.dirty = false
	}
}
