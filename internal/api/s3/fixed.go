package s3

import (
	"encoding/xml"
	"net/http"
)

// What cannot be set has one true answer: that of a bucket on which nobody has set it. SDKs, Terraform and the CLI ask for these
// all the time. What sets them is refused by name.
//
// Source: the API reference's page of each operation (read 2026-11). Shown by: TestFixedAnswers in test/aws.

// empty answers with a document that says nothing.
func (q *call) empty(name string) error {
	if _, err := q.findBucket(); err != nil {
		return err
	}
	return q.reply(struct{ XMLName xml.Name }{root(name)})
}

// absent answers that something was never set.
func (q *call) absent(code, message string) error {
	b, err := q.findBucket()
	if err != nil {
		return err
	}
	return withResource(newError(http.StatusNotFound, code, message), "BucketName", b.Name)
}

// deleteNothing removes what cannot be there.
func (q *call) deleteNothing() error {
	if _, err := q.findBucket(); err != nil {
		return err
	}
	return q.nothing(http.StatusNoContent)
}

func (q *call) getBucketVersioning() error { return q.empty("VersioningConfiguration") }
func (q *call) getBucketLogging() error    { return q.empty("BucketLoggingStatus") }
func (q *call) getBucketAccelerateConfiguration() error {
	return q.empty("AccelerateConfiguration")
}
func (q *call) getBucketNotificationConfiguration() error {
	return q.empty("NotificationConfiguration")
}
func (q *call) getBucketPolicy() error {
	return q.absent("NoSuchBucketPolicy", "The bucket policy does not exist")
}
func (q *call) getBucketCors() error {
	return q.absent("NoSuchCORSConfiguration", "The CORS configuration does not exist")
}
func (q *call) getBucketWebsite() error {
	return q.absent("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")
}
func (q *call) getBucketReplication() error {
	return q.absent("ReplicationConfigurationNotFoundError", "The replication configuration was not found")
}
func (q *call) getBucketEncryption() error {
	return q.absent("ServerSideEncryptionConfigurationNotFoundError", "The server side encryption configuration was not found")
}
func (q *call) getObjectLockConfiguration() error {
	return q.absent("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket")
}

func (q *call) getBucketRequestPayment() error {
	if _, err := q.findBucket(); err != nil {
		return err
	}
	return q.reply(struct {
		XMLName xml.Name
		Payer   string
	}{root("RequestPaymentConfiguration"), "BucketOwner"})
}

func (q *call) getBucketOwnershipControls() error {
	if _, err := q.findBucket(); err != nil {
		return err
	}
	return q.reply(struct {
		XMLName   xml.Name
		Ownership string `xml:"Rule>ObjectOwnership"`
	}{root("OwnershipControls"), "BucketOwnerEnforced"})
}

// publicAccess is what blocks the public. Nothing is public here, so all of it is true.
type publicAccess struct {
	XMLName               xml.Name
	BlockPublicAcls       bool
	IgnorePublicAcls      bool
	BlockPublicPolicy     bool
	RestrictPublicBuckets bool
}

func (q *call) getPublicAccessBlock() error {
	if _, err := q.findBucket(); err != nil {
		return err
	}
	return q.reply(publicAccess{root("PublicAccessBlockConfiguration"), true, true, true, true})
}

// putPublicAccessBlock accepts what is true anyway, and refuses to open anything.
func (q *call) putPublicAccessBlock() error {
	if _, err := q.findBucket(); err != nil {
		return err
	}
	e, err := q.document("PublicAccessBlockConfiguration")
	if err != nil {
		return err
	}
	names := []string{"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"}
	if err := e.only(names...); err != nil {
		return err
	}
	for _, name := range names {
		if e.text(name) != "true" {
			return notImplemented("Public access (" + name + " other than true)")
		}
	}
	return q.nothing(http.StatusOK)
}

type grantee struct {
	XSI  string `xml:"xmlns:xsi,attr"`
	Type string `xml:"xsi:type,attr"`
	owner
}

// acl is the one access control list there is: the owner may do everything.
func (q *call) acl(account string) error {
	who := ownerOf(account)
	return q.reply(struct {
		XMLName    xml.Name
		Owner      *owner
		Grantee    grantee `xml:"AccessControlList>Grant>Grantee"`
		Permission string  `xml:"AccessControlList>Grant>Permission"`
	}{root("AccessControlPolicy"), who, grantee{"http://www.w3.org/2001/XMLSchema-instance", "CanonicalUser", *who}, "FULL_CONTROL"})
}

func (q *call) getBucketACL() error {
	b, err := q.findBucket()
	if err != nil {
		return err
	}
	return q.acl(b.Account)
}

func (q *call) getObjectACL() error {
	b, _, err := q.findObject()
	if err != nil {
		return err
	}
	return q.acl(b.Account)
}

// putACL accepts private, which everything is, and refuses what anybody else would see; as AWS does for buckets made since 2023.
func (q *call) putACL() error {
	find := func() error { _, err := q.findBucket(); return err }
	if q.key != "" {
		find = func() error { _, _, err := q.findObject(); return err }
	}
	if err := find(); err != nil {
		return err
	}
	if q.header.Get("X-Amz-Acl") == "" || len(q.Body) > 0 { // check has refused the others
		return errACL
	}
	return q.nothing(http.StatusOK)
}
