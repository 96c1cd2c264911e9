package s3

import (
	"encoding/base64"
	"encoding/xml"
	"strconv"
	"strings"

	"crypto/sha256"
)

// owner is a person as S3 names them: an id of 64 digits.
type owner struct {
	ID          string
	DisplayName string
}

// ownerOf is the owner that an account is: the id is made of the account, so that it is always the same.
func ownerOf(account string) *owner {
	sum := sha256.Sum256([]byte("canonical user of " + account))
	return &owner{ID: hexOf(sum[:]), DisplayName: account}
}

type listedBucket struct {
	Name         string
	CreationDate string
	BucketRegion string `xml:",omitempty"`
}

// listBuckets lists the caller's buckets, of all regions.
//
// Source: API_ListBuckets (read 2026-11). Shown by: TestListBuckets in test/aws.
// Differs from AWS: none known.
func (q *call) listBuckets() error {
	limit := 10_000
	paged := false
	if text := q.query.Get("max-buckets"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 10_000 {
			return invalidArgument("Argument max-buckets must be an integer between 1 and 10000", "max-buckets", text)
		}
		limit, paged = n, true
	}
	prefix, region := q.query.Get("prefix"), q.query.Get("bucket-region")
	after := ""
	if token := q.query.Get("continuation-token"); token != "" {
		name, ok := readToken(token)
		if !ok {
			return errToken
		}
		after = name
	}
	out := struct {
		XMLName           xml.Name
		Owner             *owner
		Buckets           []listedBucket `xml:"Buckets>Bucket"`
		ContinuationToken string         `xml:",omitempty"`
		Prefix            string         `xml:",omitempty"`
	}{XMLName: root("ListAllMyBucketsResult"), Owner: ownerOf(q.Account), Prefix: prefix}
	for b := range q.api.store.State().Buckets(max(prefix, after)) {
		if !strings.HasPrefix(b.Name, prefix) {
			if b.Name > prefix {
				break
			}
			continue
		}
		if b.Account != q.Account || b.Name <= after || region != "" && b.Region != region {
			continue
		}
		if len(out.Buckets) == limit {
			out.ContinuationToken = makeToken(out.Buckets[limit-1].Name)
			break
		}
		entry := listedBucket{Name: b.Name, CreationDate: stamp(b.Created)}
		if paged {
			entry.BucketRegion = b.Region
		}
		out.Buckets = append(out.Buckets, entry)
	}
	return q.reply(out)
}

var errToken = invalidArgument("The continuation token provided is incorrect", "continuation-token", "")

// A token says behind which name a list goes on. It is no secret: names are the caller's own.
func makeToken(name string) string { return base64.URLEncoding.EncodeToString([]byte("1" + name)) }

func readToken(token string) (name string, ok bool) {
	b, err := base64.URLEncoding.DecodeString(token)
	if err != nil || len(b) == 0 || b[0] != '1' {
		return "", false
	}
	return string(b[1:]), true
}
