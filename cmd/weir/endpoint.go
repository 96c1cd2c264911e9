package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"

	"github.com/weir-stream/weir/client"
)

// endpointFlags are the flags of every command that talks to a server.
type endpointFlags struct {
	Endpoint  string `help:"URL of the server. Else $AWS_ENDPOINT_URL_KINESIS, $AWS_ENDPOINT_URL, then http://127.0.0.1:4566." placeholder:"URL"`
	Region    string `help:"Region, a namespace of streams. Else $AWS_REGION, $AWS_DEFAULT_REGION, then us-east-1." placeholder:"NAME"`
	AccessKey string `help:"Access key. Else $AWS_ACCESS_KEY_ID, then test." placeholder:"ID"`
	SecretKey string `help:"Secret of the access key. Else $AWS_SECRET_ACCESS_KEY, then test." placeholder:"SECRET"`
	CAFile    string `name:"ca-file" help:"PEM file of the authority behind an https endpoint. Else $AWS_CA_BUNDLE." placeholder:"FILE"`
}

func (f endpointFlags) options(t *terminal) client.Options {
	return client.Options{Endpoint: f.Endpoint, Region: f.Region, AccessKey: f.AccessKey, SecretKey: f.SecretKey, CAFile: f.CAFile, Getenv: t.getenv}
}

// api makes the client. attempts is how often the SDK tries a request; commands that try again themselves pass one.
func (f endpointFlags) api(t *terminal, attempts int) (*kinesis.Client, error) {
	o := f.options(t)
	o.MaxAttempts = attempts
	api, err := client.NewKinesis(o)
	if err != nil {
		return nil, usageError{err}
	}
	return api, nil
}

// explain says what to do about an error of the API. stream may be empty.
func (f endpointFlags) explain(t *terminal, err error, stream string) error {
	if err == nil {
		return nil
	}
	o, _ := f.options(t).Resolve()
	var api smithy.APIError
	var untrusted x509.UnknownAuthorityError
	var file *fs.PathError
	switch {
	case errors.As(err, &file):
		return err // a file of the caller's, before anything was sent
	case client.NotFound(err) && stream != "":
		return fmt.Errorf("stream %q does not exist in region %s; weir put --create %s makes it, weir ls shows what there is", stream, o.Region, stream)
	case errors.As(err, &untrusted):
		return fmt.Errorf("nobody here vouches for the certificate of %s; a server keeps its authority's in tls/ca.pem of its data directory: --ca-file .weir/tls/ca.pem", o.Endpoint)
	case client.NoAnswer(err):
		return fmt.Errorf("nobody answers at %s; weir dev starts a server, --endpoint names another (%w)", o.Endpoint, rootOf(err))
	case errors.As(err, &api):
		switch api.ErrorCode() {
		case "UnrecognizedClientException", "InvalidSignatureException", "MissingAuthenticationTokenException", "IncompleteSignatureException", "AccessDeniedException", "InvalidClientTokenId":
			return fmt.Errorf("%s does not accept access key %q (%s: %s); weir keys create makes a key, $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY hold it",
				o.Endpoint, o.AccessKey, api.ErrorCode(), api.ErrorMessage())
		}
		return fmt.Errorf("%s: %s", api.ErrorCode(), api.ErrorMessage())
	}
	return err
}

// rootOf is the innermost error: what the operating system said, without the SDK's path to it.
func rootOf(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
