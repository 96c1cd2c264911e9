package delivery

import (
	"fmt"
	"strconv"
	"time"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/commitlog"
)

// Stream is one delivery stream. It is immutable: what changes it makes another.
type Stream struct {
	// Number is the stream's own for ever: one that gets its name later has another.
	Number  uint64            `json:"number"`
	ID      string            `json:"id"` // a random UUID, of which the names of its objects are made
	Account string            `json:"account"`
	Region  string            `json:"region"`
	Name    string            `json:"name"`
	Source  Source            `json:"source"`
	S3      S3                `json:"s3"`
	Tags    map[string]string `json:"tags,omitempty"`
	Status  Status            `json:"status"`
	Version int64             `json:"version"` // of what a customer may update; 1 is the first
	Created time.Time         `json:"created"`
	Updated time.Time         `json:"updated,omitzero"` // by a customer; zero is never
	Began   time.Time         `json:"began,omitzero"`   // when it became ACTIVE: what comes from then on is delivered
}

// Source is where a delivery stream's records come from: direct puts, unless Kinesis says otherwise.
type Source struct {
	Kinesis *KinesisSource `json:"kinesis,omitempty"`
	// HintMiB is the throughput that the customer expects of direct puts, in MiB a second (ThroughputHintInMBs): told again, and nothing else. 0 is none.
	HintMiB int `json:"hintMiB,omitempty"`
}

// KinesisSource is a data stream that is read.
type KinesisSource struct {
	Stream string `json:"stream"` // ARN
	Role   string `json:"role"`   // ARN; told again, and nothing else
}

// Status is what a delivery stream is going through, in AWS's words.
type Status string

// The states of a delivery stream: CREATING → ACTIVE → DELETING → gone.
const (
	Creating Status = "CREATING"
	Active   Status = "ACTIVE"
	Deleting Status = "DELETING"
)

// DestinationID is what every delivery stream calls its one destination (as recorded of AWS).
const DestinationID = "destinationId-000000000001"

// ARN is that of the delivery stream of a name: arn:aws:firehose:REGION:ACCOUNT:deliverystream/NAME.
func ARN(account, region, name string) string {
	return arn.ARN{Partition: arn.PartitionOf(region), Service: "firehose", Region: region, Account: account, Resource: "deliverystream/" + name}.String()
}

// ARN is the delivery stream's own.
func (s *Stream) ARN() string { return ARN(s.Account, s.Region, s.Name) }

// Type is what AWS calls the kind of source.
func (s *Stream) Type() string {
	if s.Source.Kinesis != nil {
		return "KinesisStreamAsSource"
	}
	return "DirectPut"
}

// VersionID is the version as customers see it.
func (s *Stream) VersionID() string { return strconv.FormatInt(s.Version, 10) }

// consumer is what the delivery stream's checkpoints are filed under.
func (s *Stream) consumer() string { return fmt.Sprintf("delivery/%d", s.Number) }

// key is where a delivery stream stands in a Catalog: account, region and name, none of which holds a slash.
func key(account, region, name string) string { return account + "/" + region + "/" + name }

func (s *Stream) key() string { return key(s.Account, s.Region, s.Name) }

// groupBit marks the logs of direct puts among all, and tablesBit those that are not: streams count theirs from 1, and tables have the highest bit.
const (
	groupBit  = 1 << 62
	tablesBit = 1 << 63
)

// LogID is the log of what was put directly to a delivery stream.
func LogID(number uint64) commitlog.ID { return commitlog.ID{Group: groupBit | number} }

// IsLog says whether a log is one of direct puts, and of which number's delivery stream.
func IsLog(id commitlog.ID) (number uint64, is bool) {
	return id.Group &^ groupBit, id.Group&(groupBit|tablesBit) == groupBit
}
