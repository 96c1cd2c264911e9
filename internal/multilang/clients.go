package multilang

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithy "github.com/aws/smithy-go/middleware"
)

// regionOtherwise is the region when neither the properties file nor the environment names one, as the KCL's own sample file says.
const regionOtherwise = "us-east-1"

// Clients are the three services that a daemon talks to.
type Clients struct {
	Kinesis    Kinesis
	DynamoDB   *dynamodb.Client
	CloudWatch *cloudwatch.Client
	// Region is where they are.
	Region string
}

// Kinesis makes a client of its own for every subscription: those of one client share a decoder of the SDK, which is not made for several at once.
type Kinesis struct{ *kinesis.Client }

// SubscribeToShard begins a subscription.
func (k Kinesis) SubscribeToShard(ctx context.Context, in *kinesis.SubscribeToShardInput, more ...func(*kinesis.Options)) (*kinesis.SubscribeToShardOutput, error) {
	return kinesis.New(k.Options()).SubscribeToShard(ctx, in, more...)
}

// NewClients makes the clients that s asks for. What it leaves open is as the AWS SDKs have it: region, endpoints and certificates of the environment and the shared
// configuration file. No request is made but those by which the SDK's own chain of credentials may look for a region or a token.
func NewClients(ctx context.Context, s *Settings) (*Clients, error) {
	agent := []func(*smithy.Stack) error{middleware.AddUserAgentKey("weir-multilang")}
	if s.Language != "" {
		agent = append(agent, middleware.AddUserAgentKey(s.Language))
	}
	options := []func(*config.LoadOptions) error{config.WithAPIOptions(agent), config.WithDefaultRegion(regionOtherwise)}
	if s.Region != "" {
		options = append(options, config.WithRegion(s.Region))
	}
	base, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, err
	}
	with := func(providers []Provider, endpoint string) (aws.Config, *string) {
		c := base.Copy()
		c.Credentials = credentialsOf(base, options, providers)
		if endpoint == "" {
			return c, nil
		}
		return c, &endpoint
	}
	k, kinesisEndpoint := with(s.Credentials, s.KinesisEndpoint)
	d, dynamoEndpoint := with(s.DynamoDBCredentials, s.DynamoDBEndpoint)
	w, cloudEndpoint := with(s.CloudWatchCredentials, s.CloudWatchEndpoint)
	override := func(endpoint *string, field **string) {
		if endpoint != nil {
			*field = endpoint
		}
	}
	return &Clients{
		Region:     base.Region,
		Kinesis:    Kinesis{kinesis.NewFromConfig(k, func(o *kinesis.Options) { override(kinesisEndpoint, &o.BaseEndpoint) })},
		DynamoDB:   dynamodb.NewFromConfig(d, func(o *dynamodb.Options) { override(dynamoEndpoint, &o.BaseEndpoint) }),
		CloudWatch: cloudwatch.NewFromConfig(w, func(o *cloudwatch.Options) { override(cloudEndpoint, &o.BaseEndpoint) }),
	}, nil
}

// credentialsOf asks each provider in its turn, and keeps what it got until shortly before it expires.
func credentialsOf(base aws.Config, options []func(*config.LoadOptions) error, providers []Provider) aws.CredentialsProvider {
	var all chain
	for _, p := range providers {
		switch p.Kind {
		case ProviderDefault:
			all = append(all, base.Credentials)
		case ProviderEnvironment:
			all = append(all, aws.CredentialsProviderFunc(fromEnvironment))
		case ProviderProfile:
			all = append(all, later(func(ctx context.Context) (aws.CredentialsProvider, error) {
				name := p.Profile
				if name == "" {
					name = os.Getenv("AWS_PROFILE")
				}
				if name == "" {
					name = "default" // named, so that the environment's keys do not go first
				}
				c, err := config.LoadDefaultConfig(ctx, append(options[:len(options):len(options)], config.WithSharedConfigProfile(name))...)
				return c.Credentials, err
			}))
		case ProviderInstance:
			all = append(all, ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = imds.NewFromConfig(base) }))
		case ProviderContainer:
			all = append(all, later(fromContainer))
		case ProviderWebIdentity:
			all = append(all, later(func(context.Context) (aws.CredentialsProvider, error) { return fromWebIdentity(base) }))
		case ProviderAssumeRole:
			all = append(all, assume(base, p))
		case ProviderAnonymous:
			return aws.AnonymousCredentials{} // the only one: requests are not signed
		}
	}
	if len(all) == 1 {
		return aws.NewCredentialsCache(all[0])
	}
	return aws.NewCredentialsCache(all)
}

// chain is several providers, of which the first counts that has something.
type chain []aws.CredentialsProvider

// Retrieve asks them in order. The error has all that they said.
func (c chain) Retrieve(ctx context.Context) (aws.Credentials, error) {
	var failed []error
	for _, p := range c {
		found, err := p.Retrieve(ctx)
		if err == nil {
			return found, nil
		}
		failed = append(failed, err)
	}
	return aws.Credentials{}, errors.Join(failed...)
}

// later makes a provider when it is asked.
type later func(context.Context) (aws.CredentialsProvider, error)

// Retrieve makes the provider and asks it.
func (l later) Retrieve(ctx context.Context) (aws.Credentials, error) {
	p, err := l(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	return p.Retrieve(ctx)
}

func fromEnvironment(context.Context) (aws.Credentials, error) {
	c := aws.Credentials{
		AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: os.Getenv("AWS_SESSION_TOKEN"), Source: "environment",
	}
	if !c.HasKeys() {
		return c, errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set")
	}
	return c, nil
}

// containerHost is where ECS has the credentials of its containers (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI).
const containerHost = "http://169.254.170.2"

func fromContainer(context.Context) (aws.CredentialsProvider, error) {
	at := os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if relative := os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); relative != "" {
		at = containerHost + relative
	}
	if at == "" {
		return nil, errors.New("neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set")
	}
	token := os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	if file := os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: %w", err)
		}
		token = string(text)
	}
	return endpointcreds.New(at, func(o *endpointcreds.Options) { o.AuthorizationToken = token }), nil
}

func fromWebIdentity(base aws.Config) (aws.CredentialsProvider, error) {
	role, file := os.Getenv("AWS_ROLE_ARN"), os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE")
	if role == "" || file == "" {
		return nil, errors.New("AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE are not set")
	}
	return stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(base), role, stscreds.IdentityTokenFile(file), func(o *stscreds.WebIdentityRoleOptions) {
		o.RoleSessionName = os.Getenv("AWS_ROLE_SESSION_NAME")
	}), nil
}

// assume takes on a role, with the credentials of the SDK's own chain, as the original does.
func assume(base aws.Config, p Provider) aws.CredentialsProvider {
	client := sts.NewFromConfig(base, func(o *sts.Options) {
		if p.Region != "" {
			o.Region = p.Region
		}
		if p.Endpoint != "" {
			o.BaseEndpoint = aws.String(p.Endpoint)
		}
	})
	return stscreds.NewAssumeRoleProvider(client, p.Role, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = p.Session
		if p.ExternalID != "" {
			o.ExternalID = aws.String(p.ExternalID)
		}
	})
}
