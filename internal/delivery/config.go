package delivery

import (
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/delivery/prefix"
	"github.com/weir-stream/weir/internal/fault"
)

// S3 is the destination of a delivery stream, and what a customer may change.
type S3 struct {
	Bucket          string      `json:"bucket"` // ARN
	Role            string      `json:"role"`   // ARN; told again, and nothing else
	Prefix          *string     `json:"prefix,omitempty"`
	ErrorPrefix     *string     `json:"errorPrefix,omitempty"`
	SizeMiB         int         `json:"sizeMiB"`         // a buffer closes when it holds so much, before compression
	IntervalSeconds int         `json:"intervalSeconds"` // or so long after its first record; 0 is at once
	Compression     Compression `json:"compression"`
	Extension       *string     `json:"extension,omitempty"` // in place of that of the compression
	TimeZone        string      `json:"timeZone,omitempty"`  // of prefixes; empty is UTC
}

// Compression is how objects are compressed, in AWS's words.
type Compression string

// The compressions.
const (
	Uncompressed Compression = "UNCOMPRESSED"
	Gzip         Compression = "GZIP"
	Zip          Compression = "ZIP"
	Snappy       Compression = "Snappy"
	HadoopSnappy Compression = "HADOOP_SNAPPY"
)

// What a buffer is when nothing is said (API_BufferingHints, read 2026-11).
const (
	SizeMiBDefault         = 5
	IntervalSecondsDefault = 300
)

// bucketPrefix is what the ARN of a bucket begins with behind its partition.
const bucketPrefix = ":s3:::"

// bucketName is the bucket's.
func (s *S3) bucketName() string {
	_, name, _ := strings.Cut(s.Bucket, bucketPrefix)
	return name
}

// Validate says what is wrong with a destination: Invalid or Unsupported, in words for the customer. What the service's model bounds is not looked at again.
func (s *S3) Validate() error {
	if name := s.bucketName(); name == "" || strings.ContainsAny(name, "/*") {
		return fault.New(fault.Invalid, "%s is not the ARN of a bucket.", s.Bucket)
	}
	if _, err := prefix.Zone(s.TimeZone); err != nil {
		return err
	}
	return prefix.Check(textOf(s.Prefix), textOf(s.ErrorPrefix))
}

// interval is how long a buffer waits for company.
func (s *S3) interval() time.Duration {
	if s.IntervalSeconds == 0 {
		return noInterval
	}
	return time.Duration(s.IntervalSeconds) * time.Second
}

// noInterval is how long a buffer waits whose customer wants none: AWS promises seconds, and what comes together in half of one shares an object.
const noInterval = 500 * time.Millisecond

func textOf(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
