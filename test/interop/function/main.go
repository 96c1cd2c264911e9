// Command function is a Lambda function as people write them for provided.al2023: aws-lambda-go and nothing of ours.
//
// It owns what the other functions of this folder's scripts do too, so that the scripts compare them: it gives its event back, and fails when it is told to.
//
// There is only this file.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

func main() {
	lambda.Start(func(ctx context.Context, event map[string]any) (map[string]any, error) {
		fmt.Println("got", event["say"])
		if event["fail"] == true {
			return nil, errors.New("as told")
		}
		lc, _ := lambdacontext.FromContext(ctx)
		return map[string]any{"said": event["say"], "id": lc.AwsRequestID, "env": os.Getenv("LANES"), "region": os.Getenv("AWS_REGION"),
			"endpoint": os.Getenv("AWS_ENDPOINT_URL"), "key": os.Getenv("AWS_ACCESS_KEY_ID")}, nil
	})
}
