package main

import "log/slog"

// serverFlags are the flags of dev and serve. An empty flag was not given.
type serverFlags struct {
	Listen        string `help:"Address of the API over HTTP, host:port. Port 0 takes a free one." placeholder:"ADDR"`
	TLSListen     string `name:"tls-listen" help:"Address of the API over TLS; off turns it off." placeholder:"ADDR"`
	ConsoleListen string `name:"console-listen" help:"Address of /metrics and /_weir/health; off turns it off." placeholder:"ADDR"`
	Data          string `help:"Directory of everything durable." placeholder:"DIR"`
	Durability    string `help:"What an acknowledgement means: sync (on disk), interval=50ms (soon on disk), os (with the operating system)." placeholder:"WHEN"`
	Limits        string `help:"Hold shards and operations to AWS's rates: aws or off." placeholder:"WHICH"`
	MasterKeyFile string `name:"master-key-file" help:"File of the master keys that streams are encrypted under. Else master-keys.json in the data directory." placeholder:"FILE"`
	Audit         string `help:"Whether control calls are written to audit/ in the data directory: on or off." placeholder:"ON|OFF"`
	LogLevel      string `name:"log-level" help:"debug, info, warn or error." placeholder:"LEVEL"`
}

// over puts the flags that were given over the settings.
func (f serverFlags) over(s settings) settings {
	for _, one := range []struct {
		flag string
		into *string
	}{
		{f.Listen, &s.Listen}, {f.TLSListen, &s.TLSListen}, {f.ConsoleListen, &s.ConsoleListen},
		{f.Data, &s.DataDir}, {f.Durability, &s.Durability}, {f.LogLevel, &s.LogLevel}, {f.Limits, &s.Limits},
		{f.MasterKeyFile, &s.MasterKeyFile}, {f.Audit, &s.Audit},
	} {
		if one.flag != "" {
			*one.into = one.flag
		}
	}
	return s
}

// logger writes what an operator should know to stderr.
func (t *terminal) logger(level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: l}))
}
