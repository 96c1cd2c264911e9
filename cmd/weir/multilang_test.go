package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Shows what `weir multilang --check` says of a file: what it comes to, and each property with its effect. Nothing is started and nobody is asked.
func TestMultilangCheck(t *testing.T) {
	for name, value := range map[string]string{"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_CLOUDWATCH": ""} {
		t.Setenv(name, value)
	}
	file := filepath.Join(t.TempDir(), "sample.properties")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# a sample\nexecutableName = go version\nstreamName = words\napplicationName = sample\nAwsCredentialsProvider = DefaultCredentialsProvider\n" +
		"maxActiveThreads = 4\nStreamName = other\nmaxRecords = 100\nkinesisEndpoint = http://127.0.0.1:4566\ninitialPositionInStreamExtended = 1636609142\n")
	for _, args := range [][]string{{"multilang", "--check", file}, {"multilang", "--check", "-p", file}, {"multilang", "--check", "--properties-file", file, "/does/not/exist"}} {
		stdout, stderr, code := weir(t, nil, "", args...)
		if code != exitOK || stderr != "" {
			t.Fatalf("exit %d, stderr %q", code, stderr)
		}
		for _, says := range []string{
			"/go version\n", "stream       words in us-east-1 at http://127.0.0.1:4566\n", "application  sample, with lease table sample at AWS\n", "reads        POLLING\n",
			"begins       2021-11-11T05:39:02Z,", "credentials  default\n", "metrics      DETAILED, in namespace sample at AWS\n",
			"maxRecords", "none: there are no threads to limit", "none: it is unknown, to the original too: it is called streamName",
		} {
			if !strings.Contains(stdout, says) {
				t.Errorf("%v does not say %q:\n%s", args, says, stdout)
			}
		}
	}
	write("executableName = /does/not/exist.py\nstreamName = words\napplicationName = sample\nmetricsLevel = LOUD\nmaxRecords = 0x1\n")
	_, stderr, code := weir(t, nil, "", "multilang", file)
	if code != exitUsage || !strings.Contains(stderr, "line 4: metricsLevel") || !strings.Contains(stderr, "line 5: maxRecords") {
		t.Errorf("exit %d, stderr %q", code, stderr)
	}
	write("executableName = /does/not/exist.py\nstreamName = words\napplicationName = sample\n")
	if _, stderr, code := weir(t, nil, "", "multilang", "--check", file); code != exitFailed || !strings.Contains(stderr, "/does/not/exist.py") {
		t.Errorf("exit %d, stderr %q", code, stderr)
	}
	if _, stderr, code := weir(t, nil, "", "multilang", "/does/not/exist.properties"); code != exitFailed || !strings.Contains(stderr, "/does/not/exist.properties") {
		t.Errorf("exit %d, stderr %q", code, stderr)
	}
}
