package tolls

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/weir-stream/weir/internal/agent"
)

// WriteAgentConfig writes the agent.json that brings the log files of a folder into the stream, a customer's lines in their order, and gives its path. State is the
// folder of the agent's checkpoints.
func WriteAgentConfig(path, logs, state, endpoint string) error {
	absolute, err := filepath.Abs(logs)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(map[string]any{
		"checkpointFile":         filepath.Join(state, "checkpoints"),
		"kinesis.endpoint":       endpoint,
		"cloudwatch.emitMetrics": false,
		"flows": []any{map[string]any{
			"filePattern":                   filepath.Join(absolute, "plaza-*.log*"),
			"kinesisStream":                 Stream,
			"initialPosition":               "START_OF_FILE",
			"partitionKeyField":             "customer",
			"partitionKeyOption":            "DETERMINISTIC", // of lines that cannot be read
			"maxBufferAgeMillis":            1000,
			"minTimeBetweenFilePollsMillis": 50,
			"retryInitialBackoffMillis":     50,
			"retryMaxBackoffMillis":         2000,
		}},
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o666)
}

// Key is whose line it is: its customer, which is its partition key, or the id of a line that cannot be read, about whose order nothing is said.
func Key(text []byte) string {
	if customer, ok := agent.JSONField(text, "customer"); ok {
		return customer
	}
	if seq, ok := seqOf(text); ok {
		return TxnID(seq)
	}
	return "unreadable"
}
