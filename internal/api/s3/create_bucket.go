package s3

import (
	"encoding/xml"
	"net/http"

	"github.com/weir-stream/weir/internal/blob/store"
)

// bucketsMax is how many buckets an account may have (S3 User Guide, General purpose bucket quotas).
const bucketsMax = 10_000

// createBucket makes a bucket in the region that the request is signed for.
//
// Source: API_CreateBucket (read 2026-11). Shown by: TestBuckets in test/aws.
// Differs from AWS: object ownership, object lock and directory buckets are refused by name.
func (q *call) createBucket() error {
	region := q.Region
	var tags map[string]string
	if len(q.Body) > 0 {
		e, err := q.document("CreateBucketConfiguration")
		if err != nil {
			return err
		}
		for _, name := range []string{"Location", "Bucket"} {
			if e.child(name) != nil {
				return notImplemented("A directory bucket")
			}
		}
		if err := e.only("LocationConstraint", "Tags"); err != nil {
			return err
		}
		if list := e.child("Tags"); list != nil {
			if tags, err = readTags(list, bucketTagsMax); err != nil {
				return err
			}
		}
		asked := e.text("LocationConstraint")
		if asked == "EU" { // what eu-west-1 was called
			asked = "eu-west-1"
		}
		switch {
		case asked == "" || asked == region:
		case region == "us-east-1": // the region of endpoints that know no region
			region = asked
		default:
			return newError(http.StatusBadRequest, "IllegalLocationConstraintException",
				"The "+asked+" location constraint is incompatible for the region specific endpoint this request was sent to.")
		}
		if asked == "" && region != "us-east-1" {
			return errUnspecifiedLocation
		}
	} else if region != "us-east-1" {
		return errUnspecifiedLocation
	}
	switch q.header.Get("X-Amz-Object-Ownership") {
	case "", "BucketOwnerEnforced":
	default:
		return notImplemented("The object ownership " + q.header.Get("X-Amz-Object-Ownership"))
	}
	_, err := q.api.store.Propose(q.Ctx, store.CreateBucket{Account: q.Account, Region: region, Bucket: q.bucket, Tags: tags, Max: bucketsMax})
	if refusal, is := store.AsRefusal(err); is && refusal.Code == "BucketAlreadyOwnedByYou" && region == "us-east-1" {
		if b := q.api.store.State().Bucket(q.bucket); b != nil && b.Region == region && len(tags) == 0 {
			err = nil // in us-east-1 making what one has is no error
		}
	}
	if err != nil {
		return err
	}
	q.Writer.Header()["Location"] = []string{"/" + q.bucket}
	return q.nothing(http.StatusOK)
}

var errUnspecifiedLocation = newError(http.StatusBadRequest, "IllegalLocationConstraintException",
	"The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.")

// deleteBucket removes an empty bucket.
//
// Source: API_DeleteBucket (read 2026-11). Shown by: TestBuckets in test/aws.
// Differs from AWS: none known.
func (q *call) deleteBucket() error {
	if _, err := q.api.store.Propose(q.Ctx, store.DeleteBucket{Account: q.Account, Bucket: q.bucket}); err != nil {
		return err
	}
	return q.nothing(http.StatusNoContent)
}

// headBucket says whether the caller has the bucket, and where it is.
//
// Source: API_HeadBucket (read 2026-11). Shown by: TestBuckets in test/aws.
// Differs from AWS: any region's endpoint reaches the bucket, so there are no redirections.
func (q *call) headBucket() error {
	b, err := q.findBucket()
	if err != nil {
		return err
	}
	h := q.Writer.Header()
	h["X-Amz-Bucket-Region"] = []string{b.Region}
	h["X-Amz-Access-Point-Alias"] = []string{"false"}
	return q.nothing(http.StatusOK)
}

// getBucketLocation says where the bucket is: nothing, for us-east-1.
//
// Source: API_GetBucketLocation (read 2026-11). Shown by: TestBuckets in test/aws.
// Differs from AWS: none known.
func (q *call) getBucketLocation() error {
	b, err := q.findBucket()
	if err != nil {
		return err
	}
	region := b.Region
	if region == "us-east-1" {
		region = ""
	}
	return q.reply(struct {
		XMLName xml.Name
		Region  string `xml:",chardata"`
	}{root("LocationConstraint"), region})
}
