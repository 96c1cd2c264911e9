package offers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/weir-stream/weir/client"
)

// batchSize is how many sign-ups the function is given at once, at most: few, so that a run has many batches to break.
const batchSize = 25

// functionRole is what the function claims to be. Weir does not assume roles; the API wants one.
const functionRole = "arn:aws:iam::123456789012:role/offers"

// Setup says how the scenario stands on a server.
type Setup struct {
	Command []string // what the function's bootstrap becomes: it calls Serve
	App     string   // URL of the App
	Poison  []string // keys of sign-ups on which the function fails
	Mapping Mapping  // default Standard
}

// consumerName is the consumer of a FanOut mapping.
const consumerName = "offers"

// windowBatch is the batch of a Windowed mapping: the largest that Lambda allows, since a batch that is full ends its window early.
const windowBatch = 10_000

// Install makes both streams, the function and the event source mapping between them, or brings those that an earlier run left to what s says. It returns
// when the mapping is enabled.
func Install(ctx context.Context, api *kinesis.Client, s Setup) error {
	for _, stream := range []string{SignUps, Offers} {
		if _, err := client.EnsureStream(ctx, api, stream, 4); err != nil {
			return err
		}
	}
	functions := functionsOf(api)
	if err := installFunction(ctx, functions, s); err != nil {
		return fmt.Errorf("function %s: %w", Function, err)
	}
	if err := installMapping(ctx, api, functions, s.Mapping); err != nil {
		return fmt.Errorf("event source mapping of %s: %w", Function, err)
	}
	return nil
}

// functionsOf talks to the functions of the server that a client of streams talks to.
func functionsOf(api *kinesis.Client) *lambda.Client {
	o := api.Options()
	return lambda.New(lambda.Options{Region: o.Region, BaseEndpoint: o.BaseEndpoint, HTTPClient: o.HTTPClient, Credentials: o.Credentials})
}

func installFunction(ctx context.Context, functions *lambda.Client, s Setup) error {
	code, err := Zip(s.Command...)
	if err != nil {
		return err
	}
	environment := &types.Environment{Variables: map[string]string{appVariable: s.App, poisonVariable: strings.Join(s.Poison, ",")}}
	_, err = functions.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: aws.String(Function), Role: aws.String(functionRole), Runtime: types.RuntimeProvidedal2023, Handler: aws.String(Function),
		Timeout: aws.Int32(30), MemorySize: aws.Int32(512), Code: &types.FunctionCode{ZipFile: code}, Environment: environment,
	})
	var exists *types.ResourceConflictException
	if !errors.As(err, &exists) {
		return errors.Join(err, active(ctx, functions))
	}
	if err := active(ctx, functions); err != nil {
		return err
	}
	if _, err := functions.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: aws.String(Function), ZipFile: code}); err != nil {
		return err
	}
	if err := active(ctx, functions); err != nil {
		return err
	}
	if _, err := functions.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String(Function), Environment: environment}); err != nil {
		return err
	}
	return active(ctx, functions)
}

// active waits until the function can run and no update is under way.
func active(ctx context.Context, functions *lambda.Client) error {
	return until(ctx, func() (string, error) {
		out, err := functions.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String(Function)})
		if err != nil {
			return "", err
		}
		if c := out.Configuration; c.State != types.StateActive || c.LastUpdateStatus != types.LastUpdateStatusSuccessful {
			return fmt.Sprintf("%s, its last update %s: %s", c.State, c.LastUpdateStatus, aws.ToString(c.StateReason)), nil
		}
		return "", nil
	})
}

func installMapping(ctx context.Context, api *kinesis.Client, functions *lambda.Client, kind Mapping) error {
	summary, err := api.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(SignUps)})
	if err != nil {
		return err
	}
	source := summary.StreamDescriptionSummary.StreamARN
	in := &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String(Function), StartingPosition: types.EventSourcePositionTrimHorizon, BatchSize: aws.Int32(batchSize),
	}
	switch kind {
	case FanOut:
		if source, err = consumerOf(ctx, api, source); err != nil {
			return err
		}
	case Windowed:
		in.BatchSize, in.MaximumBatchingWindowInSeconds = aws.Int32(windowBatch), aws.Int32(int32(Window/time.Second))
	}
	in.EventSourceArn = source
	list, err := functions.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{FunctionName: aws.String(Function), EventSourceArn: source})
	if err != nil {
		return err
	}
	var uuid *string
	if len(list.EventSourceMappings) > 0 {
		uuid = list.EventSourceMappings[0].UUID
	} else {
		made, err := functions.CreateEventSourceMapping(ctx, in)
		if err != nil {
			return err
		}
		uuid = made.UUID
	}
	return until(ctx, func() (string, error) {
		m, err := functions.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: uuid})
		if err != nil || aws.ToString(m.State) == "Enabled" {
			return "", err
		}
		return aws.ToString(m.State), nil
	})
}

// consumerOf gives the ARN of the consumer of a stream, which it registers if there is none, once it is active.
func consumerOf(ctx context.Context, api *kinesis.Client, stream *string) (arn *string, err error) {
	_, err = api.RegisterStreamConsumer(ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: stream, ConsumerName: aws.String(consumerName)})
	var exists *kinesistypes.ResourceInUseException
	if err != nil && !errors.As(err, &exists) {
		return nil, err
	}
	err = until(ctx, func() (string, error) {
		out, err := api.DescribeStreamConsumer(ctx, &kinesis.DescribeStreamConsumerInput{StreamARN: stream, ConsumerName: aws.String(consumerName)})
		if err != nil {
			return "", err
		}
		arn = out.ConsumerDescription.ConsumerARN
		if status := out.ConsumerDescription.ConsumerStatus; status != kinesistypes.ConsumerStatusActive {
			return string(status), nil
		}
		return "", nil
	})
	return arn, err
}

// until asks until the answer is empty.
func until(ctx context.Context, ask func() (not string, err error)) error {
	backoff := client.Backoff{Patience: time.Minute}
	for {
		not, err := ask()
		if err != nil || not == "" {
			return err
		}
		if err := backoff.Wait(ctx, errors.New("it is "+not)); err != nil {
			return err
		}
	}
}
