package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/weir-stream/weir/internal/backup"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/vfs"
)

// placeFlags are the flags of commands that work on a place with backups.
type placeFlags struct {
	S3Endpoint string `name:"s3-endpoint" help:"URL of an S3 that is not AWS's. Else $AWS_ENDPOINT_URL_S3, $AWS_ENDPOINT_URL." placeholder:"URL"`
	S3Region   string `name:"s3-region" help:"Region of the bucket. Else $AWS_REGION, $AWS_DEFAULT_REGION, then us-east-1." placeholder:"NAME"`
}

// open opens a place. A folder is made if create says so.
func (f placeFlags) open(_ context.Context, t *terminal, place string, create bool) (backup.Target, error) {
	scheme, rest, isURL := strings.Cut(place, "://")
	if !isURL {
		if _, err := os.Stat(place); errors.Is(err, os.ErrNotExist) && !create {
			return nil, fmt.Errorf("there is no folder %s", place)
		}
		fs, err := vfs.NewOS(place)
		if err != nil {
			return nil, err
		}
		return backup.NewDir(fs), nil
	}
	bucket, prefix, _ := strings.Cut(rest, "/")
	if scheme != "s3" || bucket == "" {
		return nil, usagef("%s is neither a folder nor s3://BUCKET/PREFIX", place)
	}
	first := func(values ...string) string {
		for _, v := range values {
			if v != "" {
				return v
			}
		}
		return ""
	}
	endpoint := first(f.S3Endpoint, t.getenv("AWS_ENDPOINT_URL_S3"), t.getenv("AWS_ENDPOINT_URL"))
	keys := aws.Credentials{AccessKeyID: t.getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: t.getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: t.getenv("AWS_SESSION_TOKEN")}
	if keys.AccessKeyID == "" || keys.SecretAccessKey == "" {
		return nil, usagef("a bucket needs $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY")
	}
	options := s3.Options{
		Region:      first(f.S3Region, t.getenv("AWS_REGION"), t.getenv("AWS_DEFAULT_REGION"), "us-east-1"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil }),
	}
	if endpoint != "" {
		if u, err := url.Parse(endpoint); err != nil || u.Host == "" {
			return nil, usagef("S3 endpoint %q is not a URL", endpoint)
		}
		options.BaseEndpoint, options.UsePathStyle = aws.String(endpoint), true
	}
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed machine"
	}
	var token [16]byte
	if _, err := rand.Read(token[:]); err != nil {
		return nil, err
	}
	owner := fmt.Sprintf("process %d on %s", os.Getpid(), host)
	return backup.NewS3(s3.New(options), bucket, prefix, clock.Real, owner, hex.EncodeToString(token[:])), nil
}
