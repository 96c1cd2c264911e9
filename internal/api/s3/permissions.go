package s3

import (
	"net/http"

	"github.com/weir-stream/weir/internal/auth/policy"
)

// actions are the operations whose permission has another name than they ("Actions, resources, and condition keys for Amazon S3", Service
// Authorization Reference, read 2026-11). Every other operation asks for s3: and its own name.
var actions = map[string]string{
	"ListBuckets": "ListAllMyBuckets", "HeadBucket": "ListBucket", "ListObjects": "ListBucket", "ListObjectsV2": "ListBucket", "ListObjectVersions": "ListBucketVersions",
	"ListMultipartUploads": "ListBucketMultipartUploads", "ListParts": "ListMultipartUploadParts",
	"CopyObject": "PutObject", "CreateMultipartUpload": "PutObject", "UploadPart": "PutObject", "UploadPartCopy": "PutObject", "CompleteMultipartUpload": "PutObject",
	"HeadObject": "GetObject", "DeleteObjects": "DeleteObject",
	"DeleteBucketTagging": "PutBucketTagging", "DeleteBucketLifecycle": "PutLifecycleConfiguration",
	"GetBucketLifecycleConfiguration": "GetLifecycleConfiguration", "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
	"GetBucketAccelerateConfiguration": "GetAccelerateConfiguration", "GetBucketCors": "GetBucketCORS", "DeleteBucketCors": "PutBucketCORS",
	"GetBucketEncryption": "GetEncryptionConfiguration", "DeleteBucketEncryption": "PutEncryptionConfiguration",
	"GetBucketNotificationConfiguration": "GetBucketNotification", "GetBucketReplication": "GetReplicationConfiguration",
	"DeleteBucketReplication": "PutReplicationConfiguration", "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
	"GetPublicAccessBlock": "GetBucketPublicAccessBlock", "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}

// arnOf is what a policy calls a bucket, or an object when there is a key.
func arnOf(bucket, key string) string {
	if key == "" {
		return "arn:aws:s3:::" + bucket
	}
	return "arn:aws:s3:::" + bucket + "/" + key
}

// authorize asks whether the caller may do what the request asks for. Denied, in AWS's words, when not. Some operations ask for more, as soon as they
// know on what: DeleteObjects for every key, copies for their source, and tags that come with an object.
func (q *call) authorize(op *operation) error {
	action := op.name
	if other := actions[op.name]; other != "" {
		action = other
	}
	switch {
	case q.Identity.Policies == nil || op.name == "DeleteObjects":
		return nil
	case op.on == onService:
		return q.may(action, "*")
	}
	if err := q.may(action, arnOf(q.bucket, q.key)); err != nil {
		return err
	}
	switch {
	case op.name == "GetObjectAttributes":
		return q.may("GetObject", arnOf(q.bucket, q.key))
	case q.header.Get("X-Amz-Tagging") != "":
		return q.may("PutObjectTagging", arnOf(q.bucket, q.key))
	}
	return nil
}

// may asks the caller's policies. A caller without any may do everything in the account; other accounts' buckets are refused by their owner.
func (q *call) may(action, resource string) error {
	if q.Identity.Policies == nil {
		return nil
	}
	r := policy.Request{
		Action: "s3:" + action, Resource: resource, Account: q.Account, ARN: q.Identity.ARN(), User: q.Identity.User,
		SourceIP: q.Source(), SecureTransport: q.Secure(), Now: q.api.clock.Now(), Region: q.Region, ResourceAccount: q.Account,
	}
	if decided := policy.Decide(q.Identity.Policies, nil, q.Account, &r); !decided.Allowed {
		return newError(http.StatusForbidden, "AccessDenied", decided.Refusal(&r))
	}
	return nil
}
