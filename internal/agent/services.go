package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/weir-stream/weir/client"
)

// sessionName is the Kinesis Agent's name for the sessions of roles it assumes, and sessionLength their length.
const (
	sessionName   = "AWSKinesisAgent"
	sessionLength = time.Hour
)

// ServiceOptions are what is said of the services outside of the configuration.
type ServiceOptions struct {
	// Endpoint is used for every service, whatever the configuration says. Empty is what it says.
	Endpoint string
	// Version is that of the program, for the user agent.
	Version string
	// Getenv reads the environment. Default os.Getenv.
	Getenv func(string) string
}

// Services are clients of the services that an agent uses. Each tries a request once: the trying again is the flow's.
type Services struct {
	Kinesis    *kinesis.Client
	Firehose   *firehose.Client
	CloudWatch *cloudwatch.Client
	// KinesisEndpoint, FirehoseEndpoint, CloudWatchEndpoint and Region are where they are.
	KinesisEndpoint, FirehoseEndpoint, CloudWatchEndpoint, Region string
	// Credentials says where the keys come from.
	Credentials string
}

// NewServices makes the clients of a configuration. No request is made.
func NewServices(ctx context.Context, c *Config, o ServiceOptions) (*Services, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	s := &Services{}
	of := func(service, configured string) string {
		for _, endpoint := range []string{o.Endpoint, configured, o.Getenv("AWS_ENDPOINT_URL_" + service), o.Getenv("AWS_ENDPOINT_URL")} {
			if endpoint != "" {
				return endpoint
			}
		}
		return ""
	}
	s.KinesisEndpoint = of("KINESIS", c.Service.KinesisEndpoint)
	if s.KinesisEndpoint == "" {
		s.KinesisEndpoint = client.DefaultEndpoint
	}
	// A Weir has all services in one place; AWS has each in its own.
	beside := func(name, endpoint string) string {
		switch {
		case endpoint != "":
			return endpoint
		case isAWS(s.KinesisEndpoint):
			return "https://" + name + "." + s.Region + ".amazonaws.com"
		}
		return s.KinesisEndpoint
	}
	s.Region = firstText(c.Service.KinesisRegion, regionOf(s.KinesisEndpoint), o.Getenv("AWS_REGION"), o.Getenv("AWS_DEFAULT_REGION"), client.DefaultRegion)
	s.FirehoseEndpoint = beside("firehose", of("FIREHOSE", c.Service.FirehoseEndpoint))
	s.CloudWatchEndpoint = beside("monitoring", of("CLOUDWATCH", c.MetricsEndpoint))
	stsEndpoint := beside("sts", of("STS", c.Service.STSEndpoint))

	web, err := httpClient(c, o)
	if err != nil {
		return nil, err
	}
	keys, err := s.keys(ctx, c, o, web, stsEndpoint)
	if err != nil {
		return nil, err
	}
	regionFor := func(endpoint string) string { return firstText(regionOf(endpoint), s.Region) }
	s.Kinesis = kinesis.New(kinesis.Options{BaseEndpoint: &s.KinesisEndpoint, Region: s.Region, HTTPClient: web, RetryMaxAttempts: 1, Credentials: keys})
	s.Firehose = firehose.New(firehose.Options{BaseEndpoint: &s.FirehoseEndpoint, Region: regionFor(s.FirehoseEndpoint), HTTPClient: web, RetryMaxAttempts: 1,
		Credentials: keys})
	s.CloudWatch = cloudwatch.New(cloudwatch.Options{BaseEndpoint: &s.CloudWatchEndpoint, Region: regionFor(s.CloudWatchEndpoint), HTTPClient: web, Credentials: keys})
	return s, nil
}

func firstText(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// isAWS says whether an endpoint is one of Amazon's.
func isAWS(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && (strings.HasSuffix(u.Hostname(), ".amazonaws.com") || strings.HasSuffix(u.Hostname(), ".amazonaws.com.cn"))
}

var awsRegion = regexp.MustCompile(`\.([a-z]{2}(?:-[a-z]+)+-\d)\.(?:amazonaws\.com|api\.aws)`)

// regionOf is the region in the name of one of Amazon's endpoints.
func regionOf(endpoint string) string {
	if at := awsRegion.FindStringSubmatch(endpoint); at != nil {
		return at[1]
	}
	return ""
}

// keys are the credentials: of the configuration, the environment, a web identity, a container, a profile or the instance, in this order; and then a role.
// Talking to something that is not AWS, without any of them, they are the ones that `weir dev` takes.
func (s *Services) keys(ctx context.Context, c *Config, o ServiceOptions, web *http.Client, stsEndpoint string) (aws.CredentialsProvider, error) {
	var keys aws.CredentialsProvider
	switch {
	case c.Service.AccessKey != "":
		keys, s.Credentials = credentials.NewStaticCredentialsProvider(c.Service.AccessKey, c.Service.SecretKey, ""), "awsAccessKeyId"
	case o.Getenv("AWS_ACCESS_KEY_ID") != "" && o.Getenv("AWS_SECRET_ACCESS_KEY") != "":
		keys = credentials.NewStaticCredentialsProvider(o.Getenv("AWS_ACCESS_KEY_ID"), o.Getenv("AWS_SECRET_ACCESS_KEY"), o.Getenv("AWS_SESSION_TOKEN"))
		s.Credentials = "AWS_ACCESS_KEY_ID"
	case isAWS(s.KinesisEndpoint), o.Getenv("AWS_PROFILE") != "", o.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "",
		o.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "", o.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI") != "":
		loaded, err := config.LoadDefaultConfig(ctx, config.WithRegion(s.Region))
		if err != nil {
			return nil, fmt.Errorf("credentials: %w", err)
		}
		keys, s.Credentials = loaded.Credentials, "the SDK's usual places: web identity, container, profile, instance"
	default:
		keys, s.Credentials = credentials.NewStaticCredentialsProvider(client.DefaultAccessKey, client.DefaultSecretKey, ""), "none given: those of weir dev"
	}
	if c.Service.RoleARN == "" {
		return keys, nil
	}
	s.Credentials += ", then the role " + c.Service.RoleARN
	asker := sts.New(sts.Options{BaseEndpoint: &stsEndpoint, Region: firstText(regionOf(stsEndpoint), s.Region), HTTPClient: web, Credentials: keys})
	role := stscreds.NewAssumeRoleProvider(asker, c.Service.RoleARN, func(a *stscreds.AssumeRoleOptions) {
		a.RoleSessionName, a.Duration = sessionName, sessionLength
		if c.Service.RoleExternalID != "" {
			a.ExternalID = &c.Service.RoleExternalID
		}
	})
	return aws.NewCredentialsCache(role), nil
}

// httpClient makes connections as the configuration says.
func httpClient(c *Config, o ServiceOptions) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	dialer := &net.Dialer{Timeout: c.Service.ConnectionTimeout, KeepAlive: -1}
	if c.Service.KeepAlive {
		dialer.KeepAlive = 0 // the system's
	}
	transport.DialContext = dialer.DialContext
	transport.MaxConnsPerHost, transport.MaxIdleConnsPerHost = c.Service.MaxConnections, c.Service.MaxConnections
	transport.DisableCompression = !c.Service.Gzip
	if !isAWS(firstText(o.Endpoint, c.Service.KinesisEndpoint)) {
		transport.Proxy = nil // an endpoint of one's own is not behind the company's proxy
	}
	if file := o.Getenv("AWS_CA_BUNDLE"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("AWS_CA_BUNDLE: %s holds no PEM certificate", file)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: withAgent{transport, c.userAgent(o.Version)}, Timeout: c.Service.SocketTimeout}, nil
}

// userAgent is how the agent calls itself; empty is as the SDK does.
func (c *Config) userAgent(version string) string {
	if c.Service.UserAgentOverride != "" {
		return c.Service.UserAgentOverride
	}
	return strings.TrimSpace(c.Service.UserAgent + " weir-agent/" + firstText(version, "devel"))
}

// withAgent sets the user agent of every request. It is no part of what is signed.
type withAgent struct {
	inner http.RoundTripper
	name  string
}

func (w withAgent) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", w.name)
	return w.inner.RoundTrip(r)
}
