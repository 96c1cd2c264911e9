package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/weir-stream/weir/internal/quota"
)

// initCommand is `weir init`.
type initCommand struct {
	Dir    string `arg:"" optional:"" default:"." help:"Where weir.toml is written."`
	Data   string `default:"data" help:"Directory of everything durable, beside weir.toml unless it is absolute."`
	DryRun bool   `name:"dry-run" help:"Say what would be written, and write nothing."`
	JSON   bool   `name:"json" help:"Print the result as JSON."`
}

// Help is what `weir help init` adds.
func (c *initCommand) Help() string {
	return "The secret of the first key is printed once. It refuses to overwrite a weir.toml or keys that are there."
}

type initResult struct {
	Config    string `json:"config"`
	DataDir   string `json:"dataDir"`
	CAFile    string `json:"caFile"`
	AccessKey string `json:"accessKeyId,omitempty"`
	Secret    string `json:"secretAccessKey,omitempty"`
	DryRun    bool   `json:"dryRun,omitempty"`
}

// Run makes the directory, the file and the key.
func (c *initCommand) Run(t *terminal) error {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	data := c.Data
	if !filepath.IsAbs(data) {
		data = filepath.Join(dir, data)
	}
	result := initResult{Config: filepath.Join(dir, "weir.toml"), DataDir: data, CAFile: caFile(data), DryRun: c.DryRun}
	for _, path := range []string{result.Config, filepath.Join(data, "keys.json")} {
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("%s exists and is left as it is; weir init [DIR] --data DIR begins elsewhere, weir keys create makes another key", path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	text := configText(c.Data)
	if !c.DryRun {
		if err := c.write(&result, text); err != nil {
			return err
		}
	}
	if c.JSON {
		return t.json(result)
	}
	if c.DryRun {
		fmt.Fprintf(t.out, "Would make %s, a first key in it, and %s:\n\n%s", data, result.Config, text)
		return nil
	}
	fmt.Fprintf(t.out, "Wrote %s\nMade  %s\n\nThe first key. Its secret is shown this once:\n  export AWS_ACCESS_KEY_ID=%s\n  export AWS_SECRET_ACCESS_KEY=%s\n\n",
		result.Config, data, result.AccessKey, result.Secret)
	fmt.Fprintf(t.out, "Start the server:  weir serve --config %s\nIts TLS certificate is signed by %s, which is made at the first start:\n  export AWS_CA_BUNDLE=%s\n",
		result.Config, result.CAFile, result.CAFile)
	return nil
}

func (c *initCommand) write(result *initResult, text string) error {
	if err := os.MkdirAll(filepath.Dir(result.Config), 0o755); err != nil {
		return err
	}
	keys, err := openKeys(result.DataDir, true)
	if err != nil {
		return err
	}
	// The file first: with it there, a second init stops before it makes a second key.
	file, err := os.OpenFile(result.Config, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	key, err := keys.Create(defaultAccount, "first")
	result.AccessKey, result.Secret = key.ID, key.Secret
	return err
}

// configText is a weir.toml that says what each key means. Everything in it is the default but the data directory.
func configText(data string) string {
	d := defaultSettings()
	return strings.NewReplacer("LISTEN_TLS", d.TLSListen, "LISTEN_CONSOLE", d.ConsoleListen, "LISTEN", d.Listen, "DATA", filepath.ToSlash(data),
		"DURABILITY", d.Durability, "LEVEL", d.LogLevel, "AUDIT", d.Audit, "RATES", d.Limits, "QUOTA", string(quota.Shards), "VALUE", fmt.Sprint(quota.Default().Get(quota.Shards))).Replace(`# Configuration of weir serve. A flag or a WEIR_ variable goes before what is here; weir config check looks it over.

# Where the API listens, as host:port: over HTTP/1.1 and h2c, and over TLS. "off" turns TLS off.
# Beyond loopback the server starts only when it has keys (weir keys list).
listen = "LISTEN"
tls_listen = "LISTEN_TLS"

# Where /metrics and /_weir/health are. Keep it on loopback, or behind something that asks who is there. "off" turns it off.
console_listen = "LISTEN_CONSOLE"

# Directory of everything durable, beside this file unless it is absolute. One server at a time.
data_dir = "DATA"

# What an acknowledgement means:
#   "sync"           the record is on disk
#   "interval=50ms"  it will be on disk within 50 ms; a failure of the machine before that loses it
#   "os"             the operating system has it; a failure of the machine loses it, the end of the process does not
durability = "DURABILITY"

# File of the master keys that streams are encrypted under (weir keys master). Empty is master-keys.json in data_dir. On another disk, whoever takes this
# one, or a backup of it, cannot read what is encrypted.
master_key_file = ""

# "on" writes every control call to audit/ in data_dir (weir audit), "off" does not.
audit = "AUDIT"

# debug, info, warn or error.
log_level = "LEVEL"

# Whether shards and operations are held to AWS's rates: "aws", or "off", and then as much is taken and given as the machine can.
limits = "RATES"

# How many connections there may be at once; further ones wait. The process must be allowed to open 1,000 files more (ulimit -n).
# connections_max = 20000

# Another S3 that delivery streams deliver to, instead of the buckets of this server. Who asks is said as for every program of AWS.
# [delivery_s3]
# endpoint = "https://s3.eu-central-1.amazonaws.com"
# virtual_hosts = true

# Quotas of your own, by their names in docs/operate/limits.md. Counts, such as this one, hold also when limits is "off".
# [quotas]
# QUOTA = VALUE
`)
}
