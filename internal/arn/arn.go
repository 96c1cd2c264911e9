// Package arn reads and writes Amazon Resource Names, by which requests name streams, consumers and roles.
//
// It owns the text: its six parts and the shape of a stream's and a consumer's resource. Whether the named thing exists belongs to catalog.
//
// Read ARN and Parse, then kinesis.go.
package arn

import (
	"strings"

	"github.com/weir-stream/weir/internal/fault"
)

// ARN is arn:Partition:Service:Region:Account:Resource.
type ARN struct {
	Partition string // aws, aws-cn or aws-us-gov
	Service   string
	Region    string // empty for services that have none, such as iam
	Account   string // 12 digits, or empty for services that need none, such as s3
	Resource  string // everything behind the fifth colon, which may hold more of them
}

// lengthMax is the longest ARN that any of the APIs takes, in bytes (API models: 2048).
const lengthMax = 2048

// Parse reads an ARN. Invalid when a part is missing or malformed or the partition is none that AWS has.
func Parse(text string) (ARN, error) {
	if len(text) > lengthMax {
		return ARN{}, fault.New(fault.Invalid, "arn of %d bytes: at most %d", len(text), lengthMax)
	}
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return ARN{}, fault.New(fault.Invalid, "arn %q is not arn:partition:service:region:account:resource", text)
	}
	a := ARN{Partition: parts[1], Service: parts[2], Region: parts[3], Account: parts[4], Resource: parts[5]}
	switch {
	case !knownPartition(a.Partition):
		return ARN{}, fault.New(fault.Invalid, "arn %q: partition %q is not aws, aws-cn or aws-us-gov", text, a.Partition)
	case a.Service == "" || !isName(a.Service):
		return ARN{}, fault.New(fault.Invalid, "arn %q: service %q is not made of a-z, 0-9 and -", text, a.Service)
	case !isName(a.Region):
		return ARN{}, fault.New(fault.Invalid, "arn %q: region %q is not made of a-z, 0-9 and -", text, a.Region)
	case a.Account != "" && !IsAccount(a.Account):
		return ARN{}, fault.New(fault.Invalid, "arn %q: account %q is not 12 digits", text, a.Account)
	case a.Resource == "":
		return ARN{}, fault.New(fault.Invalid, "arn %q names no resource", text)
	}
	return a, nil
}

// String is the ARN as text; Parse reads it back.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// IsAccount says whether text is the number of an account: 12 digits.
func IsAccount(text string) bool {
	if len(text) != 12 {
		return false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// PartitionOf is the partition that region belongs to, by the region's prefix.
func PartitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}

func knownPartition(p string) bool { return p == "aws" || p == "aws-cn" || p == "aws-us-gov" }

// isName says whether text is made of what services and regions are named with. Empty text is.
func isName(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
