package blob

import (
	"bytes"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/weir-stream/weir/internal/fault"
)

// Upload is an object that is put in parts, for who does not know its size before, or has no room for it. It is for one goroutine.
type Upload struct {
	client      *Client
	bucket, key string
	id          *string
	parts       []types.CompletedPart
}

// PartBytesMin is the least that a part may have which is not the last (S3 user guide, "Amazon S3 multipart upload limits", read 2026-11).
const PartBytesMin = 5 << 20

// Upload begins an object. Conditions of Put are not for it. Whoever begins one ends it with Complete or Abort, or its parts stay where they are.
func (c *Client) Upload(ctx context.Context, bucket, key string, o Put) (*Upload, error) {
	in := &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key, Metadata: o.Metadata}
	if o.ContentType != "" {
		in.ContentType = &o.ContentType
	}
	if o.ContentEncoding != "" {
		in.ContentEncoding = &o.ContentEncoding
	}
	out, err := c.s3.CreateMultipartUpload(ctx, in)
	if err != nil {
		return nil, wrap(err, true, "upload %s/%s", bucket, key)
	}
	return &Upload{client: c, bucket: bucket, key: key, id: out.UploadId}, nil
}

// Part adds the next part.
func (u *Upload) Part(ctx context.Context, body []byte) error {
	number := int32(len(u.parts) + 1)
	out, err := u.client.s3.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &u.bucket, Key: &u.key, UploadId: u.id, PartNumber: &number, Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
	})
	if err != nil {
		return wrap(err, true, "upload part %d of %s/%s", number, u.bucket, u.key)
	}
	u.parts = append(u.parts, types.CompletedPart{
		PartNumber: &number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
		ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256,
	})
	return nil
}

// Complete makes an object of the parts: when it returns without an error it is durable. An error marked unknown says that it may be there.
func (u *Upload) Complete(ctx context.Context) error {
	_, err := u.client.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &u.bucket, Key: &u.key, UploadId: u.id, MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	})
	return wrap(err, true, "complete %s/%s", u.bucket, u.key)
}

// Abort forgets the parts. That there is no such upload (any more) is no error.
func (u *Upload) Abort(ctx context.Context) error {
	_, err := u.client.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.bucket, Key: &u.key, UploadId: u.id})
	if err = wrap(err, true, "abort %s/%s", u.bucket, u.key); fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}
