package client

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// states is a fake stream that is in the next state with every request to describe it: absent, or a status.
type states struct {
	left    []string
	creates int
}

const absent = ""

func (s *states) CreateStream(context.Context, *kinesis.CreateStreamInput, ...func(*kinesis.Options)) (*kinesis.CreateStreamOutput, error) {
	s.creates++
	if s.left[0] != absent {
		return nil, &types.ResourceInUseException{}
	}
	s.left = s.left[1:]
	return &kinesis.CreateStreamOutput{}, nil
}

func (s *states) DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error) {
	now := s.left[0]
	if len(s.left) > 1 {
		s.left = s.left[1:]
	}
	if now == absent {
		return nil, &types.ResourceNotFoundException{Message: aws.String("gone")}
	}
	return &kinesis.DescribeStreamSummaryOutput{StreamDescriptionSummary: &types.StreamDescriptionSummary{StreamStatus: types.StreamStatus(now)}}, nil
}

// Shows that a stream is waited for, and made anew when it was in the way only because it was being deleted.
func TestEnsureStream(t *testing.T) {
	for _, row := range []struct {
		states  string
		created bool
		creates int
	}{
		{"ACTIVE", false, 1},
		{"UPDATING", false, 1},
		{"absent CREATING CREATING ACTIVE", true, 1},
		{"CREATING ACTIVE ACTIVE", false, 2},
		{"DELETING absent CREATING ACTIVE", true, 2},
		{"DELETING DELETING absent absent CREATING ACTIVE", true, 3},
	} {
		s := &states{}
		for _, state := range strings.Fields(row.states) {
			s.left = append(s.left, strings.Replace(state, "absent", absent, 1))
		}
		created, err := EnsureStream(t.Context(), s, "x", 1)
		if err != nil || created != row.created || s.creates != row.creates {
			t.Errorf("%s: created %v after %d requests, error %v", row.states, created, s.creates, err)
		}
	}
}
