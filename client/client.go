// Package client makes AWS SDK clients that talk to a Weir endpoint.
//
// It owns where the endpoint, region, keys and trusted certificate come from: what the caller says, then the environment
// variables that the AWS tools read, then the defaults of `weir dev`. What is sent and received is the SDK's own business:
// the result is a plain *kinesis.Client. Nothing here knows the server.
//
// Read Options, then NewKinesis. The packages beside it read files (follow), write streams (put) and read them (tail).
package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// Defaults of a `weir dev` that was started without flags.
const (
	DefaultEndpoint  = "http://127.0.0.1:4566"
	DefaultRegion    = "us-east-1"
	DefaultAccessKey = "test"
	DefaultSecretKey = "test"
)

// Options say which Weir to talk to, and as whom. The zero value takes everything from the environment, then the defaults.
type Options struct {
	// Endpoint is a URL such as http://127.0.0.1:4566. Then AWS_ENDPOINT_URL_KINESIS, AWS_ENDPOINT_URL, DefaultEndpoint.
	Endpoint string
	// Region is the namespace of streams. Then AWS_REGION, AWS_DEFAULT_REGION, DefaultRegion.
	Region string
	// AccessKey and SecretKey sign requests; a session token is sent when SessionToken or its variable is set. Then
	// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, then "test" for both.
	AccessKey, SecretKey, SessionToken string
	// CAFile is a PEM file of the authority that signed the endpoint's certificate. Then AWS_CA_BUNDLE, then the system's.
	CAFile string
	// MaxAttempts is how often the SDK tries one request. Default 3. One leaves every retry to the caller.
	MaxAttempts int
	// Timeout ends one attempt. Default 30 s.
	Timeout time.Duration
	// Getenv reads the environment. Default os.Getenv; tests pass their own.
	Getenv func(string) string
}

// Resolve fills what is empty from the environment and the defaults, and says all that is wrong at once.
func (o Options) Resolve() (Options, error) {
	getenv := o.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	first := func(values ...string) string {
		for _, v := range values {
			if v != "" {
				return v
			}
		}
		return ""
	}
	// A key given here must not be signed with a secret, or sent with a token, that belongs to another key.
	given := o.AccessKey != "" || o.SecretKey != ""
	if !given {
		o.AccessKey, o.SecretKey = getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY")
		o.SessionToken = first(o.SessionToken, getenv("AWS_SESSION_TOKEN"))
		if o.AccessKey == "" && o.SecretKey == "" {
			o.AccessKey, o.SecretKey = DefaultAccessKey, DefaultSecretKey
		}
	}
	o.Endpoint = first(o.Endpoint, getenv("AWS_ENDPOINT_URL_KINESIS"), getenv("AWS_ENDPOINT_URL"), DefaultEndpoint)
	o.Region = first(o.Region, getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION"), DefaultRegion)
	o.CAFile = first(o.CAFile, getenv("AWS_CA_BUNDLE"))
	if o.MaxAttempts == 0 {
		o.MaxAttempts = 3
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	return o, o.validate()
}

func (o Options) validate() error {
	var wrong []error
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		wrong = append(wrong, fmt.Errorf("endpoint %q is not a URL such as %s", o.Endpoint, DefaultEndpoint))
	}
	if (o.AccessKey == "") != (o.SecretKey == "") {
		wrong = append(wrong, errors.New("an access key and its secret key go together; only one of them is set"))
	}
	if o.MaxAttempts < 0 {
		wrong = append(wrong, fmt.Errorf("%d attempts is less than one", o.MaxAttempts))
	}
	return errors.Join(wrong...)
}

// NewKinesis makes a client for the streams of the endpoint that o names. No request is made.
func NewKinesis(o Options) (*kinesis.Client, error) {
	o, err := o.Resolve()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64 // as many as the writers of a bench; the default of 2 would reconnect for each request
	transport.Proxy = nil              // an endpoint of one's own is not behind the company's proxy
	if o.CAFile != "" {
		pool, err := loadAuthority(o.CAFile)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	credentials := aws.Credentials{AccessKeyID: o.AccessKey, SecretAccessKey: o.SecretKey, SessionToken: o.SessionToken, Source: "weir"}
	return kinesis.New(kinesis.Options{
		BaseEndpoint:     aws.String(o.Endpoint),
		Region:           o.Region,
		HTTPClient:       &http.Client{Transport: transport, Timeout: o.Timeout},
		RetryMaxAttempts: o.MaxAttempts,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return credentials, nil
		}),
	}), nil
}

func loadAuthority(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the authority's certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no PEM certificate", file)
	}
	return pool, nil
}
