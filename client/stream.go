package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// StreamAPI is the part of the SDK's client that EnsureStream uses.
type StreamAPI interface {
	CreateStream(context.Context, *kinesis.CreateStreamInput, ...func(*kinesis.Options)) (*kinesis.CreateStreamOutput, error)
	DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error)
}

// EnsureStream creates a stream with so many shards unless it exists, and returns when it takes records. It says whether it
// created it; a stream that existed keeps the shards it has.
func EnsureStream(ctx context.Context, api StreamAPI, name string, shards int) (created bool, err error) {
	backoff := Backoff{Patience: time.Minute}
	for {
		if !created {
			if created, err = createStream(ctx, api, name, shards); err != nil {
				return false, err
			}
		}
		out, err := api.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(name)})
		if err != nil && !NotFound(err) {
			return created, err
		}
		// Not found, or deleting: it was being deleted when it was in the way of the new one, which is asked for again.
		status := types.StreamStatusDeleting
		if err == nil {
			status = out.StreamDescriptionSummary.StreamStatus
		}
		if status == types.StreamStatusActive || status == types.StreamStatusUpdating {
			return created, nil
		}
		if err := backoff.Wait(ctx, fmt.Errorf("stream %q is %s and not becoming active", name, status)); err != nil {
			return created, err
		}
	}
}

// createStream asks for a stream, and says whether it was not there before.
func createStream(ctx context.Context, api StreamAPI, name string, shards int) (bool, error) {
	_, err := api.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: aws.String(name), ShardCount: aws.Int32(int32(shards))})
	var exists *types.ResourceInUseException
	if errors.As(err, &exists) {
		return false, nil
	}
	return err == nil, err
}
