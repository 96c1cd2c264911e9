package s3

// level is what a request is about.
type level uint8

const (
	onService level = iota
	onBucket
	onObject
)

// operation is one row of the table: how a request for it looks, and what does it.
type operation struct {
	name    string
	method  string
	on      level
	sub     string            // the query parameter that names it; empty for the operations that have none
	streams bool              // its body is an object's
	run     func(*call) error // nil: refused by name
}

// operations is every operation of the model (API version 2006-03-01). Of rows that fit a request, the first counts.
var operations = []operation{
	{"ListBuckets", "GET", onService, "", false, (*call).listBuckets},

	{"CreateBucketMetadataConfiguration", "POST", onBucket, "metadataConfiguration", false, nil},
	{"CreateBucketMetadataTableConfiguration", "POST", onBucket, "metadataTable", false, nil},
	{"CreateSession", "GET", onBucket, "session", false, nil},
	{"DeleteBucketAnalyticsConfiguration", "DELETE", onBucket, "analytics", false, nil},
	{"DeleteBucketCors", "DELETE", onBucket, "cors", false, (*call).deleteNothing},
	{"DeleteBucketEncryption", "DELETE", onBucket, "encryption", false, (*call).deleteNothing},
	{"DeleteBucketIntelligentTieringConfiguration", "DELETE", onBucket, "intelligent-tiering", false, nil},
	{"DeleteBucketInventoryConfiguration", "DELETE", onBucket, "inventory", false, nil},
	{"DeleteBucketLifecycle", "DELETE", onBucket, "lifecycle", false, (*call).deleteBucketLifecycle},
	{"DeleteBucketMetadataConfiguration", "DELETE", onBucket, "metadataConfiguration", false, nil},
	{"DeleteBucketMetadataTableConfiguration", "DELETE", onBucket, "metadataTable", false, nil},
	{"DeleteBucketMetricsConfiguration", "DELETE", onBucket, "metrics", false, nil},
	{"DeleteBucketOwnershipControls", "DELETE", onBucket, "ownershipControls", false, nil},
	{"DeleteBucketPolicy", "DELETE", onBucket, "policy", false, (*call).deleteNothing},
	{"DeleteBucketReplication", "DELETE", onBucket, "replication", false, (*call).deleteNothing},
	{"DeleteBucketTagging", "DELETE", onBucket, "tagging", false, (*call).deleteBucketTagging},
	{"DeleteBucketWebsite", "DELETE", onBucket, "website", false, (*call).deleteNothing},
	{"DeleteObjects", "POST", onBucket, "delete", false, (*call).deleteObjects},
	{"DeletePublicAccessBlock", "DELETE", onBucket, "publicAccessBlock", false, nil},
	{"GetBucketAbac", "GET", onBucket, "abac", false, nil},
	{"GetBucketAccelerateConfiguration", "GET", onBucket, "accelerate", false, (*call).getBucketAccelerateConfiguration},
	{"GetBucketAcl", "GET", onBucket, "acl", false, (*call).getBucketACL},
	{"GetBucketAnalyticsConfiguration", "GET", onBucket, "analytics", false, nil},
	{"GetBucketCors", "GET", onBucket, "cors", false, (*call).getBucketCors},
	{"GetBucketEncryption", "GET", onBucket, "encryption", false, (*call).getBucketEncryption},
	{"GetBucketIntelligentTieringConfiguration", "GET", onBucket, "intelligent-tiering", false, nil},
	{"GetBucketInventoryConfiguration", "GET", onBucket, "inventory", false, nil},
	{"GetBucketLifecycleConfiguration", "GET", onBucket, "lifecycle", false, (*call).getBucketLifecycleConfiguration},
	{"GetBucketLocation", "GET", onBucket, "location", false, (*call).getBucketLocation},
	{"GetBucketLogging", "GET", onBucket, "logging", false, (*call).getBucketLogging},
	{"GetBucketMetadataConfiguration", "GET", onBucket, "metadataConfiguration", false, nil},
	{"GetBucketMetadataTableConfiguration", "GET", onBucket, "metadataTable", false, nil},
	{"GetBucketMetricsConfiguration", "GET", onBucket, "metrics", false, nil},
	{"GetBucketNotificationConfiguration", "GET", onBucket, "notification", false, (*call).getBucketNotificationConfiguration},
	{"GetBucketOwnershipControls", "GET", onBucket, "ownershipControls", false, (*call).getBucketOwnershipControls},
	{"GetBucketPolicy", "GET", onBucket, "policy", false, (*call).getBucketPolicy},
	{"GetBucketPolicyStatus", "GET", onBucket, "policyStatus", false, (*call).getBucketPolicy},
	{"GetBucketReplication", "GET", onBucket, "replication", false, (*call).getBucketReplication},
	{"GetBucketRequestPayment", "GET", onBucket, "requestPayment", false, (*call).getBucketRequestPayment},
	{"GetBucketTagging", "GET", onBucket, "tagging", false, (*call).getBucketTagging},
	{"GetBucketVersioning", "GET", onBucket, "versioning", false, (*call).getBucketVersioning},
	{"GetBucketWebsite", "GET", onBucket, "website", false, (*call).getBucketWebsite},
	{"GetObjectLockConfiguration", "GET", onBucket, "object-lock", false, (*call).getObjectLockConfiguration},
	{"GetPublicAccessBlock", "GET", onBucket, "publicAccessBlock", false, (*call).getPublicAccessBlock},
	{"ListBucketAnalyticsConfigurations", "GET", onBucket, "analytics", false, nil},
	{"ListBucketIntelligentTieringConfigurations", "GET", onBucket, "intelligent-tiering", false, nil},
	{"ListBucketInventoryConfigurations", "GET", onBucket, "inventory", false, nil},
	{"ListBucketMetricsConfigurations", "GET", onBucket, "metrics", false, nil},
	{"ListMultipartUploads", "GET", onBucket, "uploads", false, (*call).listMultipartUploads},
	{"ListObjectVersions", "GET", onBucket, "versions", false, (*call).listObjectVersions},
	{"ListObjectsV2", "GET", onBucket, "list-type", false, (*call).listObjectsV2},
	{"PutBucketAbac", "PUT", onBucket, "abac", false, nil},
	{"PutBucketAccelerateConfiguration", "PUT", onBucket, "accelerate", false, nil},
	{"PutBucketAcl", "PUT", onBucket, "acl", false, (*call).putACL},
	{"PutBucketAnalyticsConfiguration", "PUT", onBucket, "analytics", false, nil},
	{"PutBucketCors", "PUT", onBucket, "cors", false, nil},
	{"PutBucketEncryption", "PUT", onBucket, "encryption", false, nil},
	{"PutBucketIntelligentTieringConfiguration", "PUT", onBucket, "intelligent-tiering", false, nil},
	{"PutBucketInventoryConfiguration", "PUT", onBucket, "inventory", false, nil},
	{"PutBucketLifecycleConfiguration", "PUT", onBucket, "lifecycle", false, (*call).putBucketLifecycleConfiguration},
	{"PutBucketLogging", "PUT", onBucket, "logging", false, nil},
	{"PutBucketMetricsConfiguration", "PUT", onBucket, "metrics", false, nil},
	{"PutBucketNotificationConfiguration", "PUT", onBucket, "notification", false, nil},
	{"PutBucketOwnershipControls", "PUT", onBucket, "ownershipControls", false, nil},
	{"PutBucketPolicy", "PUT", onBucket, "policy", false, nil},
	{"PutBucketReplication", "PUT", onBucket, "replication", false, nil},
	{"PutBucketRequestPayment", "PUT", onBucket, "requestPayment", false, nil},
	{"PutBucketTagging", "PUT", onBucket, "tagging", false, (*call).putBucketTagging},
	{"PutBucketVersioning", "PUT", onBucket, "versioning", false, nil},
	{"PutBucketWebsite", "PUT", onBucket, "website", false, nil},
	{"PutObjectLockConfiguration", "PUT", onBucket, "object-lock", false, nil},
	{"PutPublicAccessBlock", "PUT", onBucket, "publicAccessBlock", false, (*call).putPublicAccessBlock},
	{"UpdateBucketMetadataAnnotationTableConfiguration", "PUT", onBucket, "metadataAnnotationTable", false, nil},
	{"UpdateBucketMetadataInventoryTableConfiguration", "PUT", onBucket, "metadataInventoryTable", false, nil},
	{"UpdateBucketMetadataJournalTableConfiguration", "PUT", onBucket, "metadataJournalTable", false, nil},
	{"CreateBucket", "PUT", onBucket, "", false, (*call).createBucket},
	{"DeleteBucket", "DELETE", onBucket, "", false, (*call).deleteBucket},
	{"HeadBucket", "HEAD", onBucket, "", false, (*call).headBucket},
	{"ListObjects", "GET", onBucket, "", false, (*call).listObjects},

	{"CompleteMultipartUpload", "POST", onObject, "uploadId", false, (*call).completeMultipartUpload},
	{"CreateMultipartUpload", "POST", onObject, "uploads", false, (*call).createMultipartUpload},
	{"AbortMultipartUpload", "DELETE", onObject, "uploadId", false, (*call).abortMultipartUpload},
	{"DeleteObjectAnnotation", "DELETE", onObject, "annotation", false, nil},
	{"DeleteObjectTagging", "DELETE", onObject, "tagging", false, (*call).deleteObjectTagging},
	{"GetObjectAcl", "GET", onObject, "acl", false, (*call).getObjectACL},
	{"GetObjectAnnotation", "GET", onObject, "annotation", false, nil},
	{"GetObjectAttributes", "GET", onObject, "attributes", false, (*call).getObjectAttributes},
	{"GetObjectLegalHold", "GET", onObject, "legal-hold", false, nil},
	{"GetObjectRetention", "GET", onObject, "retention", false, nil},
	{"GetObjectTagging", "GET", onObject, "tagging", false, (*call).getObjectTagging},
	{"GetObjectTorrent", "GET", onObject, "torrent", false, nil},
	{"ListObjectAnnotations", "GET", onObject, "annotation", false, nil},
	{"ListParts", "GET", onObject, "uploadId", false, (*call).listParts},
	{"PutObjectAcl", "PUT", onObject, "acl", false, (*call).putACL},
	{"PutObjectAnnotation", "PUT", onObject, "annotation", false, nil},
	{"PutObjectLegalHold", "PUT", onObject, "legal-hold", false, nil},
	{"PutObjectRetention", "PUT", onObject, "retention", false, nil},
	{"PutObjectTagging", "PUT", onObject, "tagging", false, (*call).putObjectTagging},
	{"RenameObject", "PUT", onObject, "renameObject", false, nil},
	{"RestoreObject", "POST", onObject, "restore", false, nil},
	{"SelectObjectContent", "POST", onObject, "select", false, nil},
	{"UpdateObjectEncryption", "PUT", onObject, "encryption", false, nil},
	{"UploadPartCopy", "PUT", onObject, "uploadId", false, (*call).uploadPartCopy},
	{"UploadPart", "PUT", onObject, "uploadId", true, (*call).uploadPart},
	{"CopyObject", "PUT", onObject, "", false, (*call).copyObject},
	{"DeleteObject", "DELETE", onObject, "", false, (*call).deleteObject},
	{"GetObject", "GET", onObject, "", false, (*call).getObject},
	{"HeadObject", "HEAD", onObject, "", false, (*call).headObject},
	{"PutObject", "PUT", onObject, "", true, (*call).putObject},

	// These two are spoken to hosts of their own, which nobody resolves to Weir.
	{"ListDirectoryBuckets", "GET", onService, "", false, nil},
	{"WriteGetObjectResponse", "POST", onBucket, "", false, nil},
}

// Operation says of an operation whether it is served, and how a request for it looks, for tests and documents.
type Operation struct {
	Name, Method string
	Object       bool   // it is about an object, otherwise about a bucket or the service
	Query        string // the parameter that names it
	Served       bool
}

// Operations is every operation of the model.
func Operations() []Operation {
	all := make([]Operation, len(operations))
	for i, op := range operations {
		all[i] = Operation{op.name, op.method, op.on == onObject, op.sub, op.run != nil}
	}
	return all
}

// find is the operation of a request, nil when there is none.
func find(r *request) *operation {
	on := onService
	switch {
	case r.key != "":
		on = onObject
	case r.bucket != "":
		on = onBucket
	}
	for i := range operations {
		op := &operations[i]
		if op.method != r.method || op.on != on || op.sub != "" && !r.query.Has(op.sub) {
			continue
		}
		switch op.name {
		case "CopyObject", "UploadPartCopy":
			if r.header.Get("X-Amz-Copy-Source") == "" {
				continue
			}
		case "GetBucketAnalyticsConfiguration", "GetBucketIntelligentTieringConfiguration", "GetBucketInventoryConfiguration", "GetBucketMetricsConfiguration":
			if !r.query.Has("id") {
				continue
			}
		case "GetObjectAnnotation":
			if r.query.Get("x-id") == "ListObjectAnnotations" {
				continue
			}
		case "WriteGetObjectResponse":
			if r.bucket != "WriteGetObjectResponse" {
				continue
			}
		case "ListBuckets":
			if r.query.Get("x-id") == "ListDirectoryBuckets" {
				continue
			}
		}
		return op
	}
	return nil
}
