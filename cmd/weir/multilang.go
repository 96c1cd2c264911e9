package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/weir-stream/weir/client/report"
	"github.com/weir-stream/weir/consumer"
	"github.com/weir-stream/weir/internal/multilang"
)

// multilangCommand is `weir multilang`. Its arguments are those of the MultiLangDaemon, and some more.
type multilangCommand struct {
	File             string `arg:"" optional:"" help:"The properties file." placeholder:"FILE"`
	PropertiesFile   string `short:"p" help:"The properties file, as the original takes it, too." placeholder:"FILE"`
	LogConfiguration string `short:"l" help:"Refused: a file for Java's logging. What there is to say goes to standard error." placeholder:"FILE"`
	Check            bool   `help:"Say what the file means, and which of its properties have no effect; start nothing."`
	Restart          bool   `help:"Go on after a record processor has failed. Without it the daemon ends, as the original does, for whoever runs it to start it again."`
}

// Help is what `weir help multilang` adds.
func (c *multilangCommand) Help() string {
	return "It takes the place of the MultiLangDaemon of the Kinesis Client Library, and shares applications with it and with KCL 3 for Java: record processors in Python, Node, " +
		"Ruby and other languages run as they are, one process for each shard, from the same properties file, without Java. Against AWS, too. The page docs/operate/multilang.md has every property."
}

// Run reads the file, and runs the daemon until it is told to stop.
func (c *multilangCommand) Run(ctx context.Context, t *terminal) error {
	if c.LogConfiguration != "" {
		return usagef("--log-configuration is for Java's logging, which is not here; redirect standard error instead")
	}
	file := c.File
	if c.PropertiesFile != "" {
		file = c.PropertiesFile // goes first in the original, too
	}
	if file == "" {
		return usagef("a properties file is needed")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	settings, err := multilang.ReadSettings(data)
	if err != nil {
		return usagef("%s: %w", file, err)
	}
	clients, err := multilang.NewClients(ctx, settings)
	if err != nil {
		return err
	}
	if c.Check {
		return c.explain(t, settings, clients)
	}
	say := sayer(t)
	for _, e := range settings.Entries {
		if e.Ignored != "" {
			say("", fmt.Sprintf("%s:%d: %s has no effect: %s", file, e.Line, e.Name, e.Ignored))
		}
	}
	options := multilang.Options{Settings: settings, Kinesis: clients.Kinesis, DynamoDB: clients.DynamoDB, Say: say, Restart: c.Restart}
	if settings.MetricsLevel != "NONE" {
		metrics, err := report.New(report.Options{
			API: clients.CloudWatch, Namespace: settings.Application, Every: settings.MetricsEvery, Capacity: settings.MetricsCapacity,
			Notice: func(err error) { say("", "metrics: "+err.Error()) },
		})
		if err != nil {
			return err
		}
		defer func() {
			// What is left gets one more try, within the time that a daemon is given to stop.
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), settings.ShutdownGrace)
			defer cancel()
			_ = metrics.Close(last) // what could not be sent has been said
		}()
		options.Metrics = multilang.FilterMetrics(settings, metrics)
	}
	daemon, err := multilang.New(options)
	if err != nil {
		return usagef("%s: %w", file, err)
	}
	say("", fmt.Sprintf("runs %s for application %s on stream %s in %s", settings.Command[0], settings.Application, settings.Stream, clients.Region))
	err = daemon.Run(ctx)
	if errors.Is(err, multilang.ErrProcessor) {
		return errQuiet
	}
	return err
}

// sayer writes lines to standard error: those of a record processor behind its shard, those of the daemon behind weir.
func sayer(t *terminal) func(shard, text string) {
	var mu sync.Mutex
	return func(shard, text string) {
		if shard == "" {
			shard = "weir"
		}
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(t.err, "%s: %s\n", shard, text)
	}
}

// explain is --check.
func (c *multilangCommand) explain(t *terminal, s *multilang.Settings, clients *multilang.Clients) error {
	path, err := exec.LookPath(s.Command[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return fmt.Errorf("executableName: %w", err)
	}
	if _, err := multilang.New(multilang.Options{Settings: s, Kinesis: clients.Kinesis, DynamoDB: clients.DynamoDB}); err != nil {
		return usageError{err}
	}
	at := func(endpoint *string) string {
		if endpoint == nil {
			return "AWS"
		}
		return *endpoint
	}
	from := s.Worker.InitialPosition
	switch from {
	case "":
		from = consumer.TrimHorizon
	case consumer.AtTimestamp:
		from = s.Worker.InitialTimestamp.UTC().Format("2006-01-02T15:04:05Z")
	}
	reads := s.Mode
	if s.FanOut() {
		reads += ", as consumer " + s.Worker.ConsumerName
	}
	var keys []string
	for _, p := range s.Credentials {
		keys = append(keys, p.Kind)
	}
	metrics := s.MetricsLevel
	if metrics != "NONE" {
		metrics += ", in namespace " + s.Application + " at " + at(clients.CloudWatch.Options().BaseEndpoint)
	}
	for _, line := range [][2]string{
		{"processor", path + strings.TrimPrefix(strings.Join(s.Command, " "), s.Command[0])},
		{"stream", s.Stream + " in " + clients.Region + " at " + at(clients.Kinesis.Options().BaseEndpoint)},
		{"application", s.Application + ", with lease table " + s.Table + " at " + at(clients.DynamoDB.Options().BaseEndpoint)},
		{"reads", reads},
		{"begins", from + ", where there is no checkpoint"},
		{"credentials", strings.Join(keys, ", then ")},
		{"metrics", metrics},
	} {
		fmt.Fprintf(t.out, "%-12s %s\n", line[0], line[1])
	}
	fmt.Fprintln(t.out)
	rows := [][]string{{"LINE", "PROPERTY", "VALUE", "EFFECT"}}
	for _, e := range s.Entries {
		effect := "yes"
		if e.Ignored != "" {
			effect = "none: " + e.Ignored
		}
		rows = append(rows, []string{fmt.Sprint(e.Line), e.Name, printable(e.Value), effect})
	}
	t.table(rows)
	return nil
}
