package aws

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// advance moves the test clock of the session's server, as a customer's test would.
func (s *session) advance(by string) {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"advance": by, "drain": true})
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.Post("http://"+s.server.node.ConsoleAddr()+"/_weir/clock", "application/json", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		s.t.Fatalf("advance by %s: %s: %s", by, answer.Status, text)
	}
}

// advanceUntilActive moves the clock until a stream has become ACTIVE: its creation may take server time.
func (s *session) advanceUntilActive(stream string) {
	s.t.Helper()
	for range 60 {
		answer := must(s.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(stream)}))(s)
		if answer.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive {
			return
		}
		s.advance("1s")
	}
	s.t.Fatalf("%s is not ACTIVE after a minute of server time", stream)
}
