package s3

import (
	"encoding/json"

	"github.com/weir-stream/weir/internal/audit"
)

// dataPlane are the operations on buckets that are never audited, as none on objects is: those that CloudTrail calls data events
// ("Amazon S3 CloudTrail events", S3 User Guide, read 2026-11).
var dataPlane = map[string]bool{
	"HeadBucket": true, "ListObjects": true, "ListObjectsV2": true, "ListObjectVersions": true, "ListMultipartUploads": true, "DeleteObjects": true,
}

// record tells the audit log of a control call that was answered. What stands in documents is left out but for the bucket's name.
func (q *call) record(op *operation) {
	if q.api.audit == nil || op.on == onObject || dataPlane[op.name] {
		return
	}
	e := audit.Entry{
		Time: q.Received, RequestID: q.RequestID, Account: q.Account, User: q.Identity.ARN(), KeyID: q.Identity.AccessKeyID,
		Service: q.api.Name(), Region: q.Region, Operation: op.name, ErrorCode: q.ErrorCode,
	}
	if from := q.Source(); from.IsValid() {
		e.Source = from.String()
	}
	if q.bucket != "" {
		e.Resource = arnOf(q.bucket, "")
		if b, err := json.Marshal(map[string]string{"bucketName": q.bucket}); err == nil {
			e.Parameters = b
		}
	}
	q.api.audit.Record(e)
}
