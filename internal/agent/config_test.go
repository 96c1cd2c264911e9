package agent

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files of testdata/config anew")

// Shows what is made of configurations: the sample that the Kinesis Agent is installed with, one with every key, and one that is wrong everywhere. After a change
// on purpose: go test ./internal/agent -run Config -rewrite.
func TestConfig(t *testing.T) {
	files, err := filepath.Glob("testdata/config/*.json")
	must(t, err)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := ReadConfig(file)
			var out strings.Builder
			var mistakes *ConfigError
			if errors.As(err, &mistakes) {
				for _, m := range mistakes.Mistakes {
					fmt.Fprintln(&out, "mistake:", m)
				}
			} else {
				must(t, err)
				for _, note := range c.Notes {
					fmt.Fprintln(&out, "note:", note)
				}
				c.Notes = nil
				if file == "testdata/config/sample.json" { // these depend on the machine
					c.MaxSendingThreads, c.Service.MaxConnections = 0, 0
				}
				text, err := json.MarshalIndent(c, "", "  ")
				must(t, err)
				out.Write(append(text, '\n'))
			}
			golden := strings.TrimSuffix(file, ".json") + ".txt"
			if *rewrite {
				must(t, os.WriteFile(golden, []byte(out.String()), 0o666))
			}
			want, err := os.ReadFile(golden)
			must(t, err)
			if out.String() != string(want) {
				t.Errorf("read as\n%s\nwant\n%s", &out, want)
			}
		})
	}
}

// Shows what the readers of comments and of agent.d say.
func TestConfigFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "agent.json")
	must(t, os.Mkdir(filepath.Join(dir, "agent.d"), 0o777))
	keep := func(name, text string) {
		t.Helper()
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	const flow = `{"filePattern": "/x/%s", "kinesisStream": "s"}`

	if _, err := ReadConfig(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("no file: %v", err)
	}
	keep("agent.json", "{\"a\": \"//\", // one\n/* two\n*/ \"flows\": [}\n")
	if _, err := ReadConfig(path); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("no JSON: %v", err)
	}
	keep("agent.json", "\xef\xbb\xbf{}")
	if _, err := ReadConfig(path); err == nil || !strings.Contains(err.Error(), "flows: there are none") {
		t.Errorf("no flows: %v", err)
	}
	keep("agent.json", fmt.Sprintf(`{"flows": [`+flow+`]}`, "a"))
	keep("agent.d/b.json", fmt.Sprintf(`{"flows": [`+flow+`], "checkpointFile": "/y"}`, "b"))
	keep("agent.d/a.json", fmt.Sprintf(`{"flows": [`+flow+`]}`, "c"))
	keep("agent.d/README", "no JSON")
	c, err := ReadConfig(path)
	must(t, err)
	var ids []string
	for _, f := range c.Flows {
		ids = append(ids, f.ID)
	}
	if got := strings.Join(ids, " "); got != "kinesis:s:/x/a kinesis:s:/x/c kinesis:s:/x/b" {
		t.Errorf("flows %s", got)
	}
	if len(c.Notes) != 1 || c.Notes[0].Key != "checkpointFile" {
		t.Errorf("notes %v", c.Notes)
	}
	keep("agent.d/b.json", fmt.Sprintf(`{"flows": [`+flow+`]}`, "a"))
	if _, err := ReadConfig(path); err == nil || !strings.Contains(err.Error(), "b.json: flows[0]: filePattern: the flow kinesis:s:/x/a is in "+path) {
		t.Errorf("twice: %v", err)
	}
	keep("agent.d/b.json", "[")
	if _, err := ReadConfig(path); err == nil || !strings.Contains(err.Error(), "b.json") {
		t.Errorf("bad file in agent.d: %v", err)
	}
}

// FuzzConfig shows that no configuration breaks its reader.
func FuzzConfig(f *testing.F) {
	files, err := filepath.Glob("testdata/config/*.json")
	must(f, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(f, err)
		f.Add(text)
	}
	f.Add([]byte(`{"flows": [{"filePattern": null, "dataProcessingOptions": [null]}, null], "checkpointFile": ""}`))
	f.Add([]byte("/*"))
	f.Add([]byte(`{"a": "\`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseObject(text)
		if err != nil {
			return
		}
		found := &findings{}
		r := newReader(found, "fuzz", keys)
		readGlobal(r, "fuzz")
		for _, flow := range r.objects("flows") {
			readFlow(flow)
		}
		r.done()
	})
}
