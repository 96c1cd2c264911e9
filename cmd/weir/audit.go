package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// auditCommand is `weir audit`. It reads the data directory and needs no server.
type auditCommand struct {
	Since  string `default:"24h" help:"From when on: a duration ago, a date, or an RFC 3339 time; all for everything."`
	Data   string `help:"Data directory of the server. Else the one that weir serve would use." placeholder:"DIR"`
	Config string `help:"Configuration file. Else $WEIR_CONFIG, else weir.toml here." placeholder:"FILE"`
	JSON   bool   `name:"json" help:"Print each entry as it was written, one line of JSON."`
}

// Help is what `weir help audit` adds.
func (c *auditCommand) Help() string {
	return "Every control call that a server answered: who, from where, what, on what, and how it ended. Calls that carry records are not in it."
}

// Run prints the audit log.
func (c *auditCommand) Run(t *terminal) error {
	since, err := parseSince(c.Since, time.Now())
	if err != nil {
		return err
	}
	data := c.Data
	if data == "" {
		s, err := serveSettings(c.Config, t)
		if err != nil {
			return usageError{err}
		}
		data = s.DataDir
	}
	files, err := vfs.NewOS(data)
	if err != nil {
		return err
	}
	spoiled, err := audit.Read(files, datadir.Audit, since, func(e audit.Entry, line []byte) bool {
		if c.JSON {
			_, err = fmt.Fprintf(t.out, "%s\n", line)
		} else {
			_, err = fmt.Fprintln(t.out, auditLine(e))
		}
		return err == nil // whoever reads this may have seen enough
	})
	if fault.Is(err, fault.NotFound) {
		return fmt.Errorf("there is no audit log in %s; weir serve writes one unless audit is off", data)
	}
	if spoiled > 0 {
		fmt.Fprintf(t.err, "%d lines could not be read.\n", spoiled)
	}
	return err
}

// auditLine is an entry for people.
func auditLine(e audit.Entry) string {
	words := []string{e.Time.Format(time.RFC3339), e.Source, e.User, e.Operation}
	if e.Resource != "" {
		words = append(words, e.Resource)
	}
	if e.ErrorCode != "" {
		words = append(words, e.ErrorCode)
	}
	return strings.Join(words, "  ")
}

// parseSince reads a time, a date, a duration ago, or all.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "all" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return now.Add(-ago), nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(form, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, usagef("--since %q is neither a duration like 24h, a date, an RFC 3339 time, nor all", text)
}
