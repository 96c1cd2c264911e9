package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/agent"
)

// agentCommand is `weir agent`.
type agentCommand struct {
	Run     agentRunCommand     `cmd:"" default:"withargs" help:"Send the lines of log files to streams, as agent.json says."`
	Status  agentStatusCommand  `cmd:"" help:"Say how a running agent is: files, bytes behind, records sent, last error."`
	Service agentServiceCommand `cmd:"" help:"Print a service file for systemd."`
}

// agentConfigFlag is where the configuration is.
type agentConfigFlag struct {
	Configuration string `short:"c" default:"/etc/aws-kinesis/agent.json" help:"The agent.json of the Kinesis Agent, unchanged. The flows of agent.d/*.json beside it are added." placeholder:"FILE"`
}

// agentRunCommand is `weir agent run`, and `weir agent` alone.
type agentRunCommand struct {
	agentConfigFlag
	Endpoint string `help:"URL of all services, whatever agent.json says." placeholder:"URL"`
	Check    bool   `help:"Send nothing: say all mistakes, which keys have no effect, which files match, where each would be begun, and the first records as they would be sent."`
	LogLevel string `name:"log-level" enum:"debug,info,warn,error" default:"info" help:"debug, info, warn or error."`
	JSON     bool   `name:"json" help:"With --check, print JSON."`
}

// Help is what `weir help agent run` adds.
func (c *agentRunCommand) Help() string {
	return "Every line goes at least once: what is in the stream is written down in checkpointFile, which is never ahead, and a restart goes on from there, " +
		"whatever became of the files meanwhile. Files may be rotated by rename, by copy and truncate, and by names with the time. " +
		"Without an endpoint in agent.json, the environment or --endpoint it is that of weir dev. A first Ctrl-C or SIGTERM sends what was read, for at most " +
		"shutdownTimeoutMillis."
}

// read reads the configuration, and says all that is wrong with it.
func (c *agentConfigFlag) read(t *terminal) (*agent.Config, error) {
	config, err := agent.ReadConfig(c.Configuration)
	var mistakes *agent.ConfigError
	if errors.As(err, &mistakes) {
		for _, m := range mistakes.Mistakes {
			fmt.Fprintln(t.err, m)
		}
		return nil, errQuiet
	}
	return config, err
}

// Run sends, or checks.
func (c *agentRunCommand) Run(ctx context.Context, t *terminal) error {
	if c.JSON && !c.Check {
		return usagef("--json goes with --check")
	}
	config, err := c.read(t)
	if err != nil {
		return err
	}
	services, err := agent.NewServices(ctx, config, agent.ServiceOptions{Endpoint: c.Endpoint, Version: versionText(), Getenv: t.getenv})
	if err != nil {
		return err
	}
	if c.Check {
		return c.check(t, config, services)
	}
	log := t.logger(c.LogLevel)
	for _, note := range config.Notes {
		log.Warn("configuration", "where", note.Where, "key", note.Key, "what", note.Text)
	}
	a, err := agent.New(agent.Options{Config: config, Services: services, Log: log})
	if err != nil {
		return err
	}
	log.Info("sending", "config", config.Path, "flows", len(config.Flows), "kinesis", services.KinesisEndpoint, "firehose", services.FirehoseEndpoint,
		"region", services.Region, "credentials", services.Credentials, "checkpoints", config.CheckpointFile)
	err = a.Run(ctx)
	err = errors.Join(err, a.Close())
	log.Info("ended")
	return err
}

// check prints what would be done.
func (c *agentRunCommand) check(t *terminal, config *agent.Config, services *agent.Services) error {
	p, wrong := agent.NewPreview(config, services)
	if c.JSON {
		if err := t.json(p); err != nil {
			return err
		}
	} else {
		printPreview(t, p)
	}
	if wrong != nil {
		fmt.Fprintln(t.err, wrong)
		return errQuiet
	}
	return nil
}

func printPreview(t *terminal, p *agent.Preview) {
	metrics := p.CloudWatch
	if metrics == "" {
		metrics = "not sent"
	}
	printPairs(t, [][2]string{
		{"configuration", p.Config}, {"kinesis", p.Kinesis}, {"firehose", p.Firehose}, {"metrics", metrics}, {"region", p.Region},
		{"credentials", p.Credentials}, {"checkpoints", p.Checkpoints},
	})
	for _, note := range p.Notes {
		fmt.Fprintln(t.out, "note:", note)
	}
	for _, f := range p.Flows {
		fmt.Fprintf(t.out, "\n%s\n", f.Flow)
		if f.Error != "" {
			fmt.Fprintln(t.out, "  error:", f.Error)
		}
		if len(f.Files) == 0 {
			fmt.Fprintln(t.out, "  no file matches now; those that come are read from their start")
		}
		for _, file := range f.Files {
			fmt.Fprintf(t.out, "  %s from byte %d (%s), %s to read\n", file.Path, file.Offset, file.From, sizeText(float64(file.Behind)))
		}
		if f.Skipped > 0 {
			fmt.Fprintf(t.out, "  %s left out: none of the format\n", counted(int(f.Skipped), "line"))
		}
		switch {
		case f.Sample:
			fmt.Fprintln(t.out, "  nothing new; lines that are there would have been sent as:")
		case len(f.Records) > 0:
			fmt.Fprintln(t.out, "  first records:")
		}
		for _, r := range f.Records {
			key := ""
			if r.PartitionKey != "" {
				key = " key " + r.PartitionKey
			}
			fmt.Fprintf(t.out, "    %s byte %d%s, %d bytes: %s\n", r.Path, r.Offset, key, r.Bytes, strings.TrimSuffix(r.Data, "\n"))
		}
	}
}

// agentStatusCommand is `weir agent status`.
type agentStatusCommand struct {
	agentConfigFlag
	JSON bool `name:"json" help:"Print JSON."`
}

// Help is what `weir help agent status` adds.
func (c *agentStatusCommand) Help() string {
	return "It reads what the agent of that configuration writes every two seconds beside its checkpointFile. Exit codes: 0 all is well, 1 the agent does not run, " +
		"stands still, waits for its service or cannot write its checkpoint, 2 no agent has ever run with that configuration."
}

// Run says how an agent is.
func (c *agentStatusCommand) Run(t *terminal) error {
	config, err := c.read(t)
	if err != nil {
		return err
	}
	s, err := agent.ReadStatus(agent.StatusPath(config.CheckpointFile))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: no agent has run with checkpointFile %s", errUnknown, config.CheckpointFile)
	}
	if err != nil {
		return err
	}
	now := time.Now()
	well := !s.Stale(now)
	for _, f := range s.Flows {
		well = well && f.Waiting == "" && f.CheckpointError == ""
	}
	if c.JSON {
		err = t.json(struct {
			*agent.Status
			Running bool `json:"running"`
		}{s, !s.Stale(now)})
	} else {
		printAgentStatus(t, s, now)
	}
	if err == nil && !well {
		return errQuiet
	}
	return err
}

func printAgentStatus(t *terminal, s *agent.Status, now time.Time) {
	switch {
	case s.Ended:
		fmt.Fprintf(t.out, "not running: it ended %s ago\n", agoText(now.Sub(s.Written)))
	case s.Stale(now):
		fmt.Fprintf(t.out, "not running, or standing still: process %d said how it is %s ago\n", s.PID, agoText(now.Sub(s.Written)))
	default:
		fmt.Fprintf(t.out, "running: process %d, since %s\n", s.PID, agoText(now.Sub(s.Started)))
	}
	for _, f := range s.Flows {
		fmt.Fprintf(t.out, "\n%s\n", f.Flow)
		queued := fmt.Sprintf("%s, %s", counted(f.Queued, "record"), sizeText(float64(f.QueuedBytes)))
		if f.OldestSince != nil {
			queued += ", the oldest for " + agoText(now.Sub(*f.OldestSince))
		}
		rows := [][2]string{
			{"  sent", fmt.Sprintf("%d records, %s, %d requests", f.Sent, sizeText(float64(f.SentBytes)), f.Requests)},
			{"  behind", sizeText(float64(f.BytesBehind))},
			{"  queued", queued},
		}
		add := func(name string, n int64, what string) {
			if n > 0 {
				rows = append(rows, [2]string{"  " + name, fmt.Sprintf("%d %s", n, what)})
			}
		}
		add("retried", f.Retried, "records sent again")
		add("skipped", f.Skipped, "lines that are none of the format")
		add("unconverted", f.Unconverted, "records sent as they are")
		add("cut", f.Cut, "records that were too large")
		add("refused", f.Refused, "records given up, which the service would never take")
		add("lost", f.Lost, "times that bytes went before they were read")
		if !f.LastSent.IsZero() {
			rows = append(rows, [2]string{"  last sent", agoText(now.Sub(f.LastSent)) + " ago"})
		}
		if f.Waiting != "" {
			rows = append(rows, [2]string{"  waiting", f.Waiting})
		}
		if f.LastError != "" {
			rows = append(rows, [2]string{"  last error", agoText(now.Sub(f.LastErrorAt)) + " ago: " + f.LastError})
		}
		if f.CheckpointError != "" {
			rows = append(rows, [2]string{"  checkpoint", "cannot be written: " + f.CheckpointError})
		} else if !f.CheckpointAt.IsZero() {
			rows = append(rows, [2]string{"  checkpoint", agoText(now.Sub(f.CheckpointAt)) + " ago"})
		}
		for _, file := range f.Files {
			rows = append(rows, [2]string{"  " + file.Path, fmt.Sprintf("at byte %d, %s behind", file.Offset, sizeText(float64(file.Behind)))})
		}
		printPairs(t, rows)
	}
}

// printPairs prints names and values, the values in a column.
func printPairs(t *terminal, pairs [][2]string) {
	width := 0
	for _, p := range pairs {
		width = max(width, len(p[0]))
	}
	for _, p := range pairs {
		fmt.Fprintf(t.out, "%-*s  %s\n", width, p[0], p[1])
	}
}

// agoText is a duration in the largest unit that fits.
func agoText(d time.Duration) string {
	switch d = max(0, d); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// agentServiceCommand is `weir agent service`.
type agentServiceCommand struct {
	agentConfigFlag
	User string `default:"aws-kinesis-agent-user" help:"User that the agent runs as. It needs to read the files and to write where checkpointFile is." placeholder:"NAME"`
}

// Run prints a unit. State and runtime folders are made by systemd; the default checkpointFile is in the second, which the Kinesis Agent empties at each boot, and
// ours is kept.
func (c *agentServiceCommand) Run(t *terminal) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, `# /etc/systemd/system/weir-agent.service
[Unit]
Description=Weir agent: log files to streams
Documentation=https://github.com/weir-stream/weir/blob/main/docs/operate/agent.md
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
User=%s
ExecStart=%s agent --configuration %s
Restart=always
RestartSec=5
# A little more than the default shutdownTimeoutMillis.
TimeoutStopSec=20
# The default checkpointFile is /var/run/aws-kinesis-agent/checkpoints. /var/run is empty after a boot: name a checkpointFile in
# /var/lib/aws-kinesis-agent in agent.json, so that lines are neither left out nor sent again then.
StateDirectory=aws-kinesis-agent
RuntimeDirectory=aws-kinesis-agent
RuntimeDirectoryPreserve=yes
LimitNOFILE=65536
NoNewPrivileges=yes
ProtectSystem=full
ProtectHome=read-only

[Install]
WantedBy=multi-user.target
`, c.User, program, c.Configuration)
	return err
}
