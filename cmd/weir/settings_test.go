package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/weir-stream/weir/internal/quota"
)

func writeFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "weir.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Shows that a flag goes before a variable, a variable before the file, and the file before the default.
func TestPrecedence(t *testing.T) {
	file := writeFile(t, "listen = \"127.0.0.1:1\"\ntls_listen = \"127.0.0.1:2\"\nconsole_listen = \"off\"\ndata_dir = \"d\"\nconnections_max = 500\n[quotas]\nkinesis-shards = 7\n")
	tr := newTrial("")
	tr.env["WEIR_LISTEN"], tr.env["WEIR_TLS_LISTEN"], tr.env["WEIR_CONFIG"], tr.env["WEIR_LIMITS"] = "127.0.0.1:3", "127.0.0.1:4", file, "off"
	s, err := serveSettings("", tr.terminal)
	if err != nil {
		t.Fatal(err)
	}
	got := serverFlags{Listen: "127.0.0.1:5"}.over(s)
	want := settings{Listen: "127.0.0.1:5", TLSListen: "127.0.0.1:4", ConsoleListen: "off", DataDir: filepath.Join(filepath.Dir(file), "d"), Durability: "sync", Audit: "on", LogLevel: "info", Limits: "off", ConnectionsMax: 500, Quotas: map[string]int64{"kinesis-shards": 7}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if err := got.validate(); err != nil {
		t.Error(err)
	}
	got.DeliveryS3 = deliveryS3{"https://s3.example", "eu-west-3", true}
	if c := got.config(tr.terminal).DeliveryS3; c.Endpoint != "https://s3.example" || c.Region != "eu-west-3" || !c.VirtualHosts || c.Credentials == nil {
		t.Errorf("S3 of delivery streams: %+v", c)
	}
	if c := got.config(tr.terminal); c.ConsoleListen != "" || c.TLSListen != "127.0.0.1:4" || c.Dev || c.Limits != "off" || c.Quotas[quota.Shards] != 7 || c.ConnectionsMax != 500 {
		t.Errorf("config %+v", c)
	}
	if got := environment(devSettings(), tr.getenv); got.Listen != "127.0.0.1:3" || got.DataDir != ".weir" {
		t.Errorf("dev %+v", got)
	}
	if serve, dev := defaultSettings().Limits, devSettings().Limits; serve != "aws" || dev != "off" {
		t.Errorf("limits are %s in serve and %s in dev", serve, dev)
	}
}

// Shows that every mistake of a file is named, and where it is.
func TestConfigCheck(t *testing.T) {
	for _, row := range []struct {
		text string
		says []string // nil is fine
	}{
		{"", nil},
		{configText("data"), nil},
		{"limits = \"off\"\n[quotas]\nkinesis-shards = 10\nkinesis-create-stream-calls-per-second = 100\n", nil},
		{"limits = \"some\"\n[quotas]\nkinesis-shard = 10\nkinesis-tags = 60\nkinesis-streams-creating = -1\n",
			[]string{"neither aws nor off", `"kinesis-shard" is not one`, `"kinesis-tags" is 50 for every client`, "cannot be negative"}},
		{"[quotas]\nkinesis-shards = \"many\"\n", []string{"line 2", "quotas.kinesis-shards must be a whole number"}},
		{"[delivery_s3]\nendpoint = \"http://127.0.0.1:9000\"\nregion = \"eu-west-3\"\nvirtual_hosts = true\n", nil},
		{"[delivery_s3]\nendpoint = \"127.0.0.1:9000\"\n", []string{"delivery_s3.endpoint \"127.0.0.1:9000\" is no URL"}},
		{"[delivery_s3]\nregion = \"eu-west-3\"\n", []string{"delivery_s3 has no endpoint"}},
		{"[delivery_s3]\nvirtual_hosts = 1\n", []string{"delivery_s3.virtual_hosts must be true or false"}},
		{"connections_max = \"many\"\n", []string{"line 1", "connections_max must be a whole number"}},
		{"connections_max = -1\n", []string{"connections_max -1 is negative"}},
		{"listn = \"x\"\n\nlimit = 1\n", []string{`line 1: key "listn"`, `line 3: key "limit"`}},
		{"listen = x\n", []string{"line 1 column"}},
		{"listen = 5\n", []string{"line 1"}},
		{"listen = \"x\"\ndurability = \"soon\"\nlog_level = \"loud\"\ndata_dir = \"\"\n", []string{"listen", "durability", "log_level"}},
		{"listen = \"127.0.0.1:70000\"\ndurability = \"interval=0s\"\naudit = \"maybe\"\n", []string{"65535", "interval=50ms", "maybe"}},
	} {
		stdout, stderr, code := weir(t, nil, "", "config", "check", writeFile(t, row.text))
		if (code == exitOK) != (row.says == nil) || code == exitUsage {
			t.Errorf("%q: exit %d, %s%s", row.text, code, stdout, stderr)
		}
		for _, text := range row.says {
			if !strings.Contains(stderr, text) {
				t.Errorf("%q: %q does not say %q", row.text, stderr, text)
			}
		}
	}
}

// Shows that what `weir init` writes is a configuration with the defaults, that it names every key there is, and that a
// second init leaves it alone.
func TestInit(t *testing.T) {
	dir := t.TempDir()
	stdout, _, code := weir(t, nil, "", "init", dir, "--dry-run")
	if entries, _ := os.ReadDir(dir); code != exitOK || len(entries) != 0 || !strings.Contains(stdout, "listen = ") {
		t.Fatalf("dry run: exit %d, %d files, %s", code, len(entries), stdout)
	}
	stdout, stderr, code := weir(t, nil, "", "init", dir, "--json")
	var made initResult
	if err := json.Unmarshal([]byte(stdout), &made); code != exitOK || err != nil || len(made.Secret) != 40 {
		t.Fatalf("exit %d, %v, %s%s", code, err, stdout, stderr)
	}
	s, err := readFile(defaultSettings(), made.Config)
	if err != nil {
		t.Fatal(err)
	}
	want := defaultSettings()
	want.DataDir = made.DataDir
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
	text, _ := os.ReadFile(made.Config)
	shown, _, _ := weir(t, nil, "", "config", "show", made.Config)
	for line := range strings.Lines(shown) {
		if key, _, _ := strings.Cut(line, " "); !strings.Contains(string(text), "\n"+key+" = ") {
			t.Errorf("weir.toml does not explain %s", key)
		}
	}
	if _, stderr, code = weir(t, nil, "", "init", dir); code != exitFailed || !strings.Contains(stderr, "is left as it is") {
		t.Errorf("again: exit %d, %s", code, stderr)
	}

	list := func() []keyRow {
		t.Helper()
		stdout, stderr, code := weir(t, nil, "", "keys", "list", "--json", "--config", made.Config)
		var rows []keyRow
		if err := json.Unmarshal([]byte(stdout), &rows); err != nil || code != exitOK {
			t.Fatalf("exit %d, %v, %s", code, err, stderr)
		}
		return rows
	}
	if rows := list(); len(rows) != 1 || rows[0].ID != made.AccessKey || rows[0].Secret != "" {
		t.Errorf("keys %+v", rows)
	}
	for _, step := range []struct {
		args string
		left int
		off  bool
	}{
		{"keys disable " + made.AccessKey, 1, true},
		{"keys disable --enable " + made.AccessKey, 1, false},
		{"keys delete " + made.AccessKey, 0, false},
	} {
		if _, stderr, code := weir(t, nil, "", append(strings.Fields(step.args), "--config", made.Config)...); code != exitOK {
			t.Fatalf("%s: exit %d, %s", step.args, code, stderr)
		}
		if rows := list(); len(rows) != step.left || step.left == 1 && rows[0].Disabled != step.off {
			t.Errorf("%s: %+v", step.args, rows)
		}
	}
	if _, stderr, code := weir(t, nil, "", "keys", "delete", "AKIANONE", "--config", made.Config); code != exitFailed || !strings.Contains(stderr, "weir keys list") {
		t.Errorf("exit %d, %s", code, stderr)
	}
}

// Shows what the flags of their own kind take.
func TestFlagValues(t *testing.T) {
	var flags struct {
		TestClock testClock
		Speed     speed
	}
	parser, err := kong.New(&flags)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		args  string
		clock testClock
		speed speed
	}{
		{"", "", 0},
		{"--test-clock", "now", 0},
		{"--test-clock=now --speed 600", "now", 600},
		{"--test-clock=2026-04-01T13:00:00Z --speed real", "2026-04-01T13:00:00Z", 1},
		{"--speed 1.5x", "", 1.5},
		{"--speed max", "", maxSpeed},
	} {
		flags.TestClock, flags.Speed = "", 0
		if _, err := parser.Parse(strings.Fields(row.args)); err != nil {
			t.Errorf("%q: %v", row.args, err)
		}
		if flags.TestClock != row.clock || flags.Speed != row.speed {
			t.Errorf("%q: %q %v", row.args, flags.TestClock, flags.Speed)
		}
	}
}

// Shows that every shell takes the variables as they are meant, quotes included.
func TestEnv(t *testing.T) {
	env := map[string]string{"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "it's", "SHELL": "/usr/bin/fish"}
	for _, row := range []struct{ shell, want string }{
		{"sh", `export AWS_SECRET_ACCESS_KEY='it'\''s';`},
		{"fish", `set -gx AWS_SECRET_ACCESS_KEY 'it\'s';`},
		{"auto", `set -gx AWS_SECRET_ACCESS_KEY 'it\'s';`},
		{"powershell", `$env:AWS_SECRET_ACCESS_KEY = 'it''s'`},
	} {
		stdout, _, code := weir(t, env, "", "env", "--shell", row.shell)
		if code != exitOK || !strings.Contains(stdout, row.want+"\n") {
			t.Errorf("%s: %s", row.shell, stdout)
		}
	}
	stdout, _, _ := weir(t, env, "", "env", "--json", "--endpoint", "http://h:1")
	var all map[string]string
	if err := json.Unmarshal([]byte(stdout), &all); err != nil || all["AWS_ENDPOINT_URL_KINESIS"] != "http://h:1" || all["AWS_REGION"] != "us-east-1" {
		t.Errorf("%v %v", all, err)
	}
}
