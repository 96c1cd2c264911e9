package multilang

import (
	"errors"
	"fmt"
	"strings"
)

// Provider is one source of credentials.
type Provider struct {
	// Kind is one of the Provider… constants.
	Kind string
	// Profile is the profile's name of ProviderProfile. Empty: the environment's, then default.
	Profile string
	// Role, Session, ExternalID, Region and Endpoint are those of ProviderAssumeRole. Region and Endpoint are where STS is asked; empty: as configured.
	Role, Session, ExternalID, Region, Endpoint string
}

// Kinds of providers.
const (
	ProviderDefault     = "default"      // the SDK's chain: environment, shared files, web identity, container, instance
	ProviderEnvironment = "environment"  // AWS_ACCESS_KEY_ID and its companions
	ProviderProfile     = "profile"      // the shared configuration and credentials files
	ProviderInstance    = "instance"     // the metadata of an EC2 instance
	ProviderContainer   = "container"    // what ECS and EKS hand to a container
	ProviderWebIdentity = "web identity" // AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN
	ProviderAssumeRole  = "assume role"  // STS
	ProviderAnonymous   = "anonymous"    // requests are not signed
)

// providerPackages are where the Java SDKs, versions 2 and 1, and the KCL have theirs. A name may be given with or without.
var providerPackages = []string{
	"software.amazon.awssdk.auth.credentials.", "software.amazon.awssdk.services.sts.auth.", "software.amazon.kinesis.multilang.auth.",
	"com.amazonaws.auth.profile.", "com.amazonaws.auth.",
}

// providerKinds says what each class of the Java SDKs is here.
var providerKinds = map[string][]string{
	"DefaultCredentialsProvider":                 {ProviderDefault},
	"DefaultAWSCredentialsProviderChain":         {ProviderDefault},
	"EnvironmentVariableCredentialsProvider":     {ProviderEnvironment},
	"ProfileCredentialsProvider":                 {ProviderProfile},
	"InstanceProfileCredentialsProvider":         {ProviderInstance},
	"ContainerCredentialsProvider":               {ProviderContainer},
	"EC2ContainerCredentialsProviderWrapper":     {ProviderContainer, ProviderInstance},
	"WebIdentityTokenFileCredentialsProvider":    {ProviderWebIdentity},
	"WebIdentityTokenCredentialsProvider":        {ProviderWebIdentity},
	"StsAssumeRoleCredentialsProvider":           {ProviderAssumeRole},
	"KclStsAssumeRoleCredentialsProvider":        {ProviderAssumeRole},
	"STSAssumeRoleSessionCredentialsProvider":    {ProviderAssumeRole},
	"KclSTSAssumeRoleSessionCredentialsProvider": {ProviderAssumeRole},
	"AnonymousCredentialsProvider":               {ProviderAnonymous},
}

// providersRefused says why others cannot be.
var providersRefused = map[string]string{
	"SystemPropertyCredentialsProvider":          "there are no Java system properties here; EnvironmentVariableCredentialsProvider reads the environment",
	"SystemPropertiesCredentialsProvider":        "there are no Java system properties here; EnvironmentVariableCredentialsProvider reads the environment",
	"ClasspathPropertiesFileCredentialsProvider": "there is no Java class path here; ProfileCredentialsProvider reads the shared credentials file",
	"PropertiesFileCredentialsProvider":          "keys in a properties file are not read; ProfileCredentialsProvider reads the shared credentials file",
	"StaticCredentialsProvider":                  "keys do not belong into this file; EnvironmentVariableCredentialsProvider reads the environment",
	"AWSStaticCredentialsProvider":               "keys do not belong into this file; EnvironmentVariableCredentialsProvider reads the environment",
	"ProcessCredentialsProvider":                 "name a profile with credential_process: ProfileCredentialsProvider|NAME",
}

// parseProviders reads a list such as "A, B|argument|key=value". Each is asked in its turn.
//
// The original leaves out names that it cannot make, as long as there are others. Here every name must be one that is understood.
func parseProviders(list string) ([]Provider, error) {
	var all []Provider
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		words := strings.Split(item, "|")
		name := strings.TrimSpace(words[0])
		for _, p := range providerPackages {
			if short, ok := strings.CutPrefix(name, p); ok {
				name = short
				break
			}
		}
		if why, ok := providersRefused[name]; ok {
			return nil, fmt.Errorf("%s: %s", name, why)
		}
		kinds, ok := providerKinds[name]
		if !ok {
			return nil, fmt.Errorf("%s is a Java class that is not known here; DefaultCredentialsProvider looks everywhere", name)
		}
		for _, kind := range kinds {
			p := Provider{Kind: kind}
			if err := p.arguments(words[1:]); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("it names no provider")
	}
	for _, p := range all {
		if p.Kind == ProviderAnonymous && len(all) > 1 {
			return nil, errors.New("requests are signed or they are not: AnonymousCredentialsProvider cannot be one of several")
		}
	}
	return all, nil
}

// arguments takes what stands behind a provider's name.
func (p *Provider) arguments(words []string) error {
	switch p.Kind {
	case ProviderProfile:
		if len(words) > 1 {
			return errors.New("want one profile's name")
		}
		if len(words) == 1 {
			p.Profile = words[0]
		}
		return nil
	case ProviderAssumeRole:
		if len(words) < 2 || words[0] == "" || words[1] == "" {
			return errors.New("want |ROLE ARN|SESSION NAME behind it")
		}
		p.Role, p.Session = words[0], words[1]
		for _, word := range words[2:] {
			if err := p.nested(word); err != nil {
				return err
			}
		}
		return nil
	}
	if len(words) > 0 {
		return fmt.Errorf("it takes no arguments, and gets %q", strings.Join(words, "|"))
	}
	return nil
}

// nested takes a key=value behind the role and the session (NestedPropertyKey of amazon-kinesis-client-multilang).
func (p *Provider) nested(word string) error {
	key, value, ok := strings.Cut(word, "=")
	if !ok || value == "" {
		return fmt.Errorf("%q is not KEY=VALUE", word)
	}
	switch key {
	case "endpointRegion":
		p.Region = value
	case "externalId":
		p.ExternalID = value
	case "endpoint":
		url, region, ok := strings.Cut(value, "^")
		if !ok || url == "" || region == "" || strings.Contains(region, "^") {
			return fmt.Errorf("endpoint %q is not URL^REGION", value)
		}
		if !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") {
			url = "https://" + url
		}
		p.Endpoint, p.Region = url, region
	default:
		return fmt.Errorf("%q is none of endpoint, endpointRegion, externalId", key)
	}
	return nil
}

func credentials(field func(*Settings) *[]Provider) func(*reading, string) error {
	return func(r *reading, v string) error {
		all, err := parseProviders(v)
		if err != nil {
			return err
		}
		*field(r.settings) = all
		return nil
	}
}
