package mapping

import (
	"time"

	"github.com/weir-stream/weir/internal/arn"
)

// Mapping is one event source mapping. It is immutable: what changes it makes another.
type Mapping struct {
	UUID     string            `json:"uuid"`
	Account  string            `json:"account"`
	Region   string            `json:"region"`
	Function string            `json:"function"` // ARN, with the qualifier that was asked for, if any
	Source   string            `json:"source"`   // ARN of a stream, or of a consumer of one
	Starting Starting          `json:"starting"`
	Config   Config            `json:"config"`
	Enabled  bool              `json:"enabled"` // what the customer wants
	State    State             `json:"state"`   // how far that is so
	Reason   string            `json:"reason"`  // of the state
	Modified time.Time         `json:"modified"`
	Result   string            `json:"result"` // of the last batch, in AWS's words
	Changed  int64             `json:"changed"`
	Tags     map[string]string `json:"tags,omitempty"`
}

// Starting is where a mapping begins, in AWS's words. It never changes.
type Starting struct {
	Position string    `json:"position"` // TRIM_HORIZON, LATEST or AT_TIMESTAMP
	Time     time.Time `json:"time,omitzero"`
}

// State is what a mapping is going through, in AWS's words.
type State string

// The states of a mapping: Creating → Enabled ⇄ Updating, Disabling, Disabled, Enabling → Deleting → gone.
const (
	Creating  State = "Creating"
	Enabling  State = "Enabling"
	Enabled   State = "Enabled"
	Disabling State = "Disabling"
	Disabled  State = "Disabled"
	Updating  State = "Updating"
	Deleting  State = "Deleting"
)

// settled says whether nothing is under way.
func (s State) settled() bool { return s == Enabled || s == Disabled }

const (
	userAction = "USER_INITIATED" // why a mapping changed its state (as recorded of AWS)
	noRecords  = "No records processed"
)

// ARN is the mapping's own.
func (m *Mapping) ARN() string {
	return arn.ARN{Partition: arn.PartitionOf(m.Region), Service: "lambda", Region: m.Region, Account: m.Account, Resource: "event-source-mapping:" + m.UUID}.String()
}

// consumer is what the mapping's checkpoints are filed under.
func (m *Mapping) consumer() string { return "mapping/" + m.UUID }
