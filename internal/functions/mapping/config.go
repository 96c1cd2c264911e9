package mapping

import (
	"strings"

	"github.com/weir-stream/weir/internal/eventpattern"
	"github.com/weir-stream/weir/internal/fault"
)

// Config is what a customer says of a mapping and may change.
type Config struct {
	BatchSize       int      `json:"batchSize"`               // records that a function is given at once, at most
	WindowSeconds   int      `json:"windowSeconds,omitempty"` // how long a batch may be gathered; 0 is not at all
	Parallelization int      `json:"parallelization"`         // batches of a shard that are under way at once
	Retries         int      `json:"retries"`                 // after the first try; Forever is until the records expire
	AgeSeconds      int      `json:"ageSeconds"`              // how old a record may be that a function is still given; Forever is as old as the stream keeps it
	Bisect          bool     `json:"bisect,omitempty"`        // a batch that failed is split in two
	ReportItems     bool     `json:"reportItems,omitempty"`   // the function reports the records that failed (ReportBatchItemFailures)
	TumblingSeconds int      `json:"tumblingSeconds,omitempty"`
	Filters         []string `json:"filters,omitempty"`   // patterns, of which a record must match one; none is no filter
	OnFailure       string   `json:"onFailure,omitempty"` // ARN of a bucket that is told of discarded batches
}

// Forever is −1 where a customer sets no limit.
const Forever = -1

// The bounds of a mapping's numbers (API_CreateEventSourceMapping, read 2026-11).
const (
	BatchSizeDefault = 100
	batchSizeMax     = 10_000
	windowMax        = 300
	parallelMax      = 10
	retriesMax       = 10_000
	ageMin           = 60
	ageMax           = 604_800
	tumblingMax      = 900
	filtersMax       = 5
	filterLengthMax  = 4096
)

// Defaults is what a mapping of a stream is when nothing is said (as AWS answers it).
func Defaults() Config {
	return Config{BatchSize: BatchSizeDefault, Parallelization: 1, Retries: Forever, AgeSeconds: Forever}
}

// Validate says what is wrong with a Config: Invalid, in words for the customer. destinations says whether there are buckets for OnFailure.
func (c *Config) Validate(destinations bool) error {
	for _, n := range []struct {
		name             string
		value, low, high int
	}{
		{"batchSize", c.BatchSize, 1, batchSizeMax},
		{"maximumBatchingWindowInSeconds", c.WindowSeconds, 0, windowMax},
		{"parallelizationFactor", c.Parallelization, 1, parallelMax},
		{"maximumRetryAttempts", c.Retries, Forever, retriesMax},
		{"maximumRecordAgeInSeconds", c.AgeSeconds, Forever, ageMax},
		{"tumblingWindowInSeconds", c.TumblingSeconds, 0, tumblingMax},
	} {
		if n.value < n.low {
			return fault.New(fault.Invalid, "1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value greater than or equal to %d", n.value, n.name, n.low)
		}
		if n.value > n.high {
			return fault.New(fault.Invalid, "1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value less than or equal to %d", n.value, n.name, n.high)
		}
	}
	if c.AgeSeconds != Forever && c.AgeSeconds < ageMin {
		return fault.New(fault.Invalid, "MaximumRecordAgeInSeconds must be -1, or between %d and %d.", ageMin, ageMax)
	}
	if c.TumblingSeconds > 0 && c.Parallelization > 1 {
		return fault.New(fault.Invalid, "TumblingWindowInSeconds with a ParallelizationFactor above 1 is not supported by Weir: a shard has one window and one state.")
	}
	if len(c.Filters) > filtersMax {
		return fault.New(fault.Invalid, "FilterCriteria has %d filters; at most %d are allowed.", len(c.Filters), filtersMax)
	}
	for _, text := range c.Filters {
		if len(text) > filterLengthMax {
			return fault.New(fault.Invalid, "Invalid filter pattern definition. It has %d bytes; at most %d are allowed.", len(text), filterLengthMax)
		}
		if _, err := eventpattern.Compile(text); err != nil {
			return fault.New(fault.Invalid, "Invalid filter pattern definition.")
		}
	}
	return c.validateDestination(destinations)
}

// validateDestination refuses by name what cannot be told of discarded batches.
func (c *Config) validateDestination(destinations bool) error {
	switch bucket, is := strings.CutPrefix(c.OnFailure, "arn:aws:s3:::"); {
	case c.OnFailure == "":
		return nil
	case is && destinations && bucket != "" && !strings.ContainsAny(bucket, "/:*"):
		return nil
	case is && destinations:
		return fault.New(fault.Invalid, "The provided destination config DestinationConfig(onSuccess=null, onFailure=OnFailure(destination=%s)) is invalid.", c.OnFailure)
	default:
		service := "This kind of"
		if parts := strings.SplitN(c.OnFailure, ":", 4); len(parts) > 2 {
			service = strings.ToUpper(parts[2])
		}
		return fault.New(fault.Invalid, "%s destination %s is not supported by this version of Weir.", service, c.OnFailure)
	}
}

// bucket is where discarded batches are told; empty when nowhere.
func (c *Config) bucket() string { return strings.TrimPrefix(c.OnFailure, "arn:aws:s3:::") }
