package lambda

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// echoed is what the function echo says of an event and of itself.
type echoed struct {
	Event   any
	ID, ARN string
	Version string
	Env     map[string]string
	UID     int
	PID     int
	Client  string
}

// handlers are functions by the name of their handler.
var handlers = map[string]any{
	"echo": func(ctx context.Context, event any) (echoed, error) {
		lc, _ := lambdacontext.FromContext(ctx)
		fmt.Fprintln(os.Stdout, "event", event)
		e := echoed{Event: event, ID: lc.AwsRequestID, ARN: lc.InvokedFunctionArn, Version: lambdacontext.FunctionVersion, Env: map[string]string{}, UID: os.Getuid(), PID: os.Getpid(),
			Client: lc.ClientContext.Client.AppTitle}
		for _, pair := range os.Environ() {
			name, value, _ := strings.Cut(pair, "=")
			e.Env[name] = value
		}
		return e, nil
	},
	// report tells a listener of a test about each event: the event is {"to": address, "fail": bool, "hang": bool, "say": text, or "pid" to say that}, or a document of a destination.
	"report": func(ctx context.Context, event map[string]any) (string, error) {
		lc, _ := lambdacontext.FromContext(ctx)
		to, _ := event["to"].(string)
		text := fmt.Sprint(event["say"])
		if inner, ok := event["requestPayload"].(map[string]any); ok {
			to, _ = inner["to"].(string)
			of, _ := event["requestContext"].(map[string]any)
			text = fmt.Sprintf("%v of %v after %v", of["condition"], inner["say"], of["approximateInvokeCount"])
		}
		conn, err := net.Dial("tcp", to)
		if err != nil {
			return "", err
		}
		if event["say"] == "pid" {
			text = fmt.Sprint(os.Getpid())
		}
		fmt.Fprintf(conn, "%s %s\n", lc.AwsRequestID, text)
		conn.Close()
		if event["hang"] == true {
			select {}
		}
		if event["fail"] == true {
			return "", errors.New("as told")
		}
		return "said", nil
	},
	// late says that it has begun, waits until the test closes a connection, and says that it is done.
	"late": func(event struct{ To, Hold string }) (string, error) {
		say := func(text string) error {
			conn, err := net.Dial("tcp", event.To)
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = fmt.Fprintf(conn, "late %s\n", text)
			return err
		}
		hold, err := net.Dial("tcp", event.Hold)
		if err != nil {
			return "", err
		}
		if err := say("begun"); err != nil {
			return "", err
		}
		_, _ = hold.Read(make([]byte, 1)) // ends when the test says so
		return "late", say("done")
	},
	// streams calls the server back with what its environment has, as any program with an SDK does.
	"streams": func(ctx context.Context) ([]string, error) {
		transport := new(http.Transport)
		if bundle := os.Getenv("AWS_CA_BUNDLE"); bundle != "" { // which the SDK's configuration would do
			pem, err := os.ReadFile(bundle)
			if err != nil {
				return nil, err
			}
			transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
			transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem)
		}
		client := kinesis.New(kinesis.Options{Region: os.Getenv("AWS_REGION"), BaseEndpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL")), HTTPClient: &http.Client{Transport: transport},
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY")}, nil
			})})
		name := "made-by-a-function"
		if _, err := client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(1)}); err != nil {
			return nil, err
		}
		out, err := client.ListStreams(ctx, &kinesis.ListStreamsInput{})
		if err != nil {
			return nil, err
		}
		return out.StreamNames, nil
	},
	"fail": func() error { return errors.New("no such toll") },
	"exit": func() error { os.Exit(3); return nil },
	"hang": func() error { select {} },
	"eat": func() error {
		var all [][]byte
		for range 1 << 16 {
			part := make([]byte, 8<<20)
			for i := range part {
				part[i] = 1
			}
			all = append(all, part)
		}
		return fmt.Errorf("%d parts", len(all))
	},
	"flood": func() (int, error) {
		line := strings.Repeat("x", 1000)
		for range 5_000 {
			fmt.Fprintln(os.Stdout, line)
		}
		return 1, nil
	},
}
