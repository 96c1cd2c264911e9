package s3

import (
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/weir-stream/weir/internal/blob/store"
)

// How many tags there may be, and how long they are in characters (S3 User Guide, Categorizing your objects using tags; API_PutBucketTagging).
const (
	objectTagsMax = 10
	bucketTagsMax = 50
	tagKeyMax     = 128
	tagValueMax   = 256
)

type tag struct{ Key, Value string }

type tagSet struct {
	XMLName xml.Name
	Tags    []tag `xml:"TagSet>Tag"`
}

func (q *call) replyTags(tags map[string]string) error {
	set := tagSet{XMLName: root("Tagging"), Tags: []tag{}}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		set.Tags = append(set.Tags, tag{key, tags[key]})
	}
	return q.reply(set)
}

// tagging reads a Tagging document.
func (q *call) tagging(limit int) (map[string]string, error) {
	e, err := q.document("Tagging")
	if err != nil {
		return nil, err
	}
	if err := e.only("TagSet"); err != nil {
		return nil, err
	}
	set := e.child("TagSet")
	if set == nil {
		return nil, errMalformed
	}
	return readTags(set, limit)
}

// readTags reads the Tag elements in e.
func readTags(e *element, limit int) (map[string]string, error) {
	if err := e.only("Tag"); err != nil {
		return nil, err
	}
	tags := make(map[string]string, len(e.Children))
	for i := range e.Children {
		one := &e.Children[i]
		if err := one.only("Key", "Value"); err != nil {
			return nil, err
		}
		if one.child("Key") == nil || one.child("Value") == nil {
			return nil, errMalformed
		}
		if err := addTag(tags, one.exactText("Key"), one.exactText("Value")); err != nil {
			return nil, err
		}
	}
	return tags, checkTagCount(tags, limit)
}

func addTag(tags map[string]string, key, value string) error {
	switch _, twice := tags[key]; {
	case twice:
		return newError(http.StatusBadRequest, "InvalidTag", "Cannot provide multiple Tags with the same key")
	case key == "" || utf8.RuneCountInString(key) > tagKeyMax || !utf8.ValidString(key):
		return newError(http.StatusBadRequest, "InvalidTag", "The TagKey you have provided is invalid")
	case utf8.RuneCountInString(value) > tagValueMax || !utf8.ValidString(value):
		return newError(http.StatusBadRequest, "InvalidTag", "The TagValue you have provided is invalid")
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return newError(http.StatusBadRequest, "InvalidTag", "System tags cannot be added/updated by requester")
	}
	tags[key] = value
	return nil
}

func checkTagCount(tags map[string]string, limit int) error {
	switch {
	case len(tags) <= limit:
		return nil
	case limit == objectTagsMax:
		return newError(http.StatusBadRequest, "BadRequest", "Object tags cannot be greater than 10")
	}
	return newError(http.StatusBadRequest, "BadRequest", "Bucket tag count cannot be greater than 50")
}

// taggingHeader reads the tags that come with a put.
func (q *call) taggingHeader() (map[string]string, error) {
	text := q.header.Get("X-Amz-Tagging")
	if text == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, invalidArgument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.", "x-amz-tagging", text)
	}
	tags := make(map[string]string, len(values))
	for key, all := range values {
		if len(all) != 1 {
			return nil, newError(http.StatusBadRequest, "InvalidTag", "Cannot provide multiple Tags with the same key")
		}
		if err := addTag(tags, key, all[0]); err != nil {
			return nil, err
		}
	}
	return tags, checkTagCount(tags, objectTagsMax)
}

// putObjectTagging replaces an object's tags.
//
// Source: API_PutObjectTagging (read 2026-11). Shown by: TestTagging in test/aws.
// Differs from AWS: none known.
func (q *call) putObjectTagging() error {
	tags, err := q.tagging(objectTagsMax)
	if err != nil {
		return err
	}
	return q.setObjectTags(tags, http.StatusOK)
}

// deleteObjectTagging removes an object's tags.
//
// Source: API_DeleteObjectTagging (read 2026-11). Shown by: TestTagging in test/aws.
// Differs from AWS: none known.
func (q *call) deleteObjectTagging() error { return q.setObjectTags(nil, http.StatusNoContent) }

func (q *call) setObjectTags(tags map[string]string, status int) error {
	if _, err := q.api.store.Propose(q.Ctx, store.SetObjectTags{Account: q.Account, Bucket: q.bucket, Key: q.key, Tags: tags}); err != nil {
		return err
	}
	return q.nothing(status)
}

// getObjectTagging gives an object's tags.
//
// Source: API_GetObjectTagging (read 2026-11). Shown by: TestTagging in test/aws.
// Differs from AWS: none known.
func (q *call) getObjectTagging() error {
	_, o, err := q.findObject()
	if err != nil {
		return err
	}
	return q.replyTags(o.Tags)
}

// putBucketTagging replaces a bucket's tags.
//
// Source: API_PutBucketTagging (read 2026-11). Shown by: TestTagging in test/aws.
// Differs from AWS: none known.
func (q *call) putBucketTagging() error {
	tags, err := q.tagging(bucketTagsMax)
	if err != nil {
		return err
	}
	return q.setBucketTags(tags)
}

// deleteBucketTagging removes a bucket's tags.
//
// Source: API_DeleteBucketTagging (read 2026-11). Shown by: TestTagging in test/aws.
// Differs from AWS: none known.
func (q *call) deleteBucketTagging() error { return q.setBucketTags(nil) }

func (q *call) setBucketTags(tags map[string]string) error {
	if _, err := q.api.store.Propose(q.Ctx, store.SetBucketTags{Account: q.Account, Bucket: q.bucket, Tags: tags}); err != nil {
		return err
	}
	return q.nothing(http.StatusNoContent)
}

// getBucketTagging gives a bucket's tags.
//
// Source: API_GetBucketTagging (read 2026-11). Shown by: TestTagging in test/aws.
// Differs from AWS: none known.
func (q *call) getBucketTagging() error {
	b, err := q.findBucket()
	if err != nil {
		return err
	}
	if len(b.Tags) == 0 {
		return withResource(newError(http.StatusNotFound, "NoSuchTagSet", "The TagSet does not exist"), "BucketName", b.Name)
	}
	return q.replyTags(b.Tags)
}
