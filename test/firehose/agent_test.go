package firehose

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/firehose"

	"github.com/weir-stream/weir/internal/agent"
)

// Shows that a flow of weir agent's brings the lines of a file to a delivery stream and so into objects, each once, also across a rotation and when there is no
// delivery stream at first.
func TestAgent(t *testing.T) {
	s := shared.session(t)
	s.makeBucket()
	dir := t.TempDir()
	file := filepath.Join(dir, "app.log")
	s.must(os.WriteFile(file, []byte("one\ntwo\n"), 0o600))
	s.must(os.WriteFile(filepath.Join(dir, "agent.json"), fmt.Appendf(nil, `{
		"firehose.endpoint": "http://%s", "kinesis.endpoint": "http://%[1]s", "cloudwatch.emitMetrics": false, "awsAccessKeyId": "%s", "awsSecretAccessKey": "any", "checkpointFile": "%s/checkpoints",
		"flows": [{"filePattern": "%[3]s/app.log", "deliveryStream": "lines", "initialPosition": "START_OF_FILE", "maxBufferAgeMillis": 1000, "retryMaxBackoffMillis": 100}]
	}`, shared.node.Addr(), s.account, dir), 0o600))
	config, err := agent.ReadConfig(filepath.Join(dir, "agent.json"))
	s.must(err)
	services, err := agent.NewServices(s.ctx, config, agent.ServiceOptions{})
	s.must(err)
	a, err := agent.New(agent.Options{Config: config, Services: services})
	s.must(err)
	ctx, stop := context.WithCancel(s.ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()

	eventually(t, "the agent to hear that there is no such delivery stream", func() bool {
		return strings.Contains(a.Status().Flows[0].Waiting, "ResourceNotFoundException: Firehose lines under account "+s.account+" not found.")
	})
	s.create("lines", func(in *sdk.CreateDeliveryStreamInput) {
		in.ExtendedS3DestinationConfiguration.BufferingHints = hints(1, 0)
	})
	read := func() string {
		text := ""
		for _, d := range s.delivered() { // in the order of their names, which is that of time, but for the random end within a second
			text += d.body
		}
		return text
	}
	eventually(t, "the lines that were there", func() bool { return read() == "one\ntwo\n" })
	s.must(os.Rename(file, file+".1"))
	s.must(os.WriteFile(file, []byte("three\n"), 0o600))
	eventually(t, "the line behind the rotation", func() bool { return len(read()) == len("one\ntwo\nthree\n") })
	if text := read(); strings.Count(text, "one\ntwo\n") != 1 || strings.Count(text, "three\n") != 1 {
		t.Errorf("delivered %q", text)
	}
}
