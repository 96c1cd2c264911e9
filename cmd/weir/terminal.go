package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// terminal is where a command reads and writes. Tests pass their own.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	// outTTY and errTTY say that a person looks at it.
	outTTY, errTTY bool
	// colours says that out may be coloured.
	colours bool
	// inTTY says that a person types.
	inTTY bool
	// size is the width and height of out in characters.
	size func() (width, height int)
}

func systemTerminal() *terminal {
	// A terminal that cannot move its cursor is read like a file.
	dumb := os.Getenv("TERM") == "dumb"
	return &terminal{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv,
		outTTY:  term.IsTerminal(int(os.Stdout.Fd())) && !dumb,
		errTTY:  term.IsTerminal(int(os.Stderr.Fd())) && !dumb,
		inTTY:   term.IsTerminal(int(os.Stdin.Fd())),
		colours: os.Getenv("NO_COLOR") == "",
		size: func() (int, int) {
			w, h, err := term.GetSize(int(os.Stdout.Fd()))
			if err != nil {
				return 100, 30
			}
			return w, h
		},
	}
}

// json prints a value on lines of its own.
func (t *terminal) json(v any) error {
	e := json.NewEncoder(t.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// jsonLine prints a value on one line.
func (t *terminal) jsonLine(v any) error {
	e := json.NewEncoder(t.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// Colours, as ANSI knows them.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	cyan  = "36"
)

// paint colours text when a person looks at out.
func (t *terminal) paint(colour, text string) string {
	if !t.outTTY || !t.colours {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// table prints rows in columns that are as wide as their widest cell. The first row is the heading. Numbers, which is what
// begins with a digit in the second row, stand to the right.
func (t *terminal) table(rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for n, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if len(rows) > 1 && rows[1][i] != "" && rows[1][i][0] >= '0' && rows[1][i][0] <= '9' {
				cell = pad + cell
			} else {
				cell += pad
			}
			if i > 0 {
				line.WriteString("  ")
			}
			line.WriteString(cell)
		}
		text := strings.TrimRight(line.String(), " ")
		if n == 0 {
			text = t.paint(bold, text)
		}
		fmt.Fprintln(t.out, text)
	}
}

// sizeText is a number of bytes for people.
func sizeText(bytes float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for ; bytes >= 1024 && i < len(units)-1; i++ {
		bytes /= 1024
	}
	if i == 0 {
		return fmt.Sprintf("%.0f B", bytes)
	}
	return fmt.Sprintf("%.1f %s", bytes, units[i])
}

// countText is a number with its thousands apart.
func countText(n int64) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// durationText is a duration with three digits that matter.
func durationText(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(10 * time.Microsecond).String()
	default:
		return d.Round(10 * time.Millisecond).String()
	}
}

// counted is n things in English: 1 record, 2,000 records.
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return countText(int64(n)) + " " + thing
}
