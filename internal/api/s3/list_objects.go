package s3

import (
	"encoding/xml"
	"net/url"
	"strconv"
	"strings"

	"github.com/weir-stream/weir/internal/blob/store"
)

type listedObject struct {
	Key               string
	LastModified      string
	ETag              string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              int64
	StorageClass      string
	Owner             *owner `xml:",omitempty"`
}

type prefix struct{ Prefix string }

// keysMax is the longest list (API_ListObjectsV2).
const keysMax = 1000

// page is what the lists of keys share.
type page struct {
	store.Listing
	encode  func(string) string // names as encoding-type wants them
	encoded string              // encoding-type
}

func (q *call) page(maxName string) (page, error) {
	p := page{encode: func(s string) string { return s }}
	p.Prefix, p.Delimiter, p.Max = q.query.Get("prefix"), q.query.Get("delimiter"), keysMax
	if text := q.query.Get(maxName); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return p, invalidArgument("Provided "+maxName+" not an integer or within integer range", maxName, text)
		}
		if n < 0 {
			return p, invalidArgument("Argument "+maxName+" must be an integer between 0 and 2147483647", maxName, text)
		}
		p.Max = int(min(n, keysMax))
	}
	switch encoding := q.query.Get("encoding-type"); encoding {
	case "":
	case "url":
		p.encoded, p.encode = "url", encodeName
	default:
		return p, invalidArgument("Invalid Encoding Method specified in Request", "encoding-type", encoding)
	}
	return p, nil
}

// encodeName escapes what XML, or a reader of it, may trip over. A space is %20, which every way of decoding understands.
func encodeName(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(name), "+", "%20"), "%2F", "/")
}

func (p *page) list(b *store.Bucket) (objects []listedObject, prefixes []prefix, last string, more bool) {
	if p.Max == 0 {
		return nil, nil, "", false
	}
	entries, more := b.List(p.Listing)
	for _, e := range entries {
		last = e.Name
		if e.Object == nil {
			prefixes = append(prefixes, prefix{p.encode(e.Name)})
			continue
		}
		objects = append(objects, p.object(e.Object))
	}
	return objects, prefixes, last, more
}

func (p *page) object(o *store.Object) listedObject {
	listed := listedObject{
		Key: p.encode(o.Key), LastModified: stamp(o.Modified), ETag: quoted(o.ETag), Size: o.Size, StorageClass: "STANDARD", ChecksumAlgorithm: string(o.Checksum.Algorithm),
	}
	if o.Checksum.Algorithm != "" {
		listed.ChecksumType = checksumType(o.Checksum.Composite)
	}
	return listed
}

// listObjectsV2 lists keys in the order of their bytes.
//
// Source: API_ListObjectsV2 (read 2026-11). Shown by: TestListObjects in test/aws.
// Differs from AWS: none known.
func (q *call) listObjectsV2() error {
	if version := q.query.Get("list-type"); version != "2" {
		return invalidArgument("Invalid List Type specified in Request", "list-type", version)
	}
	b, err := q.findBucket()
	if err != nil {
		return err
	}
	p, err := q.page("max-keys")
	if err != nil {
		return err
	}
	token, start := q.query.Get("continuation-token"), q.query.Get("start-after")
	p.After = start
	if q.query.Has("continuation-token") {
		name, ok := readToken(token)
		if !ok {
			return errToken
		}
		p.After = name
	}
	out := struct {
		XMLName               xml.Name
		Name                  string
		Prefix                string
		StartAfter            string `xml:",omitempty"`
		ContinuationToken     string `xml:",omitempty"`
		NextContinuationToken string `xml:",omitempty"`
		KeyCount              int
		MaxKeys               int
		Delimiter             string `xml:",omitempty"`
		EncodingType          string `xml:",omitempty"`
		IsTruncated           bool
		Contents              []listedObject
		CommonPrefixes        []prefix
	}{XMLName: root("ListBucketResult"), Name: b.Name, Prefix: p.encode(p.Prefix), StartAfter: p.encode(start), ContinuationToken: token, MaxKeys: p.Max,
		Delimiter: p.encode(p.Delimiter), EncodingType: p.encoded}
	var last string
	out.Contents, out.CommonPrefixes, last, out.IsTruncated = p.list(b)
	out.KeyCount = len(out.Contents) + len(out.CommonPrefixes)
	if out.IsTruncated {
		out.NextContinuationToken = makeToken(last)
	}
	if q.query.Get("fetch-owner") == "true" {
		for i := range out.Contents {
			out.Contents[i].Owner = ownerOf(b.Account)
		}
	}
	return q.reply(out)
}

// listObjects is the first version of listObjectsV2: it goes on behind a name instead of a token.
//
// Source: API_ListObjects (read 2026-11). Shown by: TestListObjects in test/aws.
// Differs from AWS: none known.
func (q *call) listObjects() error {
	b, err := q.findBucket()
	if err != nil {
		return err
	}
	p, err := q.page("max-keys")
	if err != nil {
		return err
	}
	p.After = q.query.Get("marker")
	out := struct {
		XMLName        xml.Name
		Name           string
		Prefix         string
		Marker         string
		NextMarker     string `xml:",omitempty"`
		MaxKeys        int
		Delimiter      string `xml:",omitempty"`
		EncodingType   string `xml:",omitempty"`
		IsTruncated    bool
		Contents       []listedObject
		CommonPrefixes []prefix
	}{XMLName: root("ListBucketResult"), Name: b.Name, Prefix: p.encode(p.Prefix), Marker: p.encode(p.After), MaxKeys: p.Max, Delimiter: p.encode(p.Delimiter), EncodingType: p.encoded}
	var last string
	out.Contents, out.CommonPrefixes, last, out.IsTruncated = p.list(b)
	if out.IsTruncated && p.Delimiter != "" {
		out.NextMarker = p.encode(last)
	}
	for i := range out.Contents {
		out.Contents[i].Owner = ownerOf(b.Account)
	}
	return q.reply(out)
}

// listObjectVersions lists what there is of versions: of every key one, with the id null, as of buckets that never had versioning.
//
// Source: API_ListObjectVersions (read 2026-11). Shown by: TestListObjectVersions in test/aws.
// Differs from AWS: there is no versioning.
func (q *call) listObjectVersions() error {
	b, err := q.findBucket()
	if err != nil {
		return err
	}
	p, err := q.page("max-keys")
	if err != nil {
		return err
	}
	type version struct {
		listedObject
		VersionId string
		IsLatest  bool
	}
	p.After = q.query.Get("key-marker")
	out := struct {
		XMLName             xml.Name
		Name                string
		Prefix              string
		KeyMarker           string
		VersionIdMarker     string
		NextKeyMarker       string `xml:",omitempty"`
		NextVersionIdMarker string `xml:",omitempty"`
		MaxKeys             int
		Delimiter           string `xml:",omitempty"`
		EncodingType        string `xml:",omitempty"`
		IsTruncated         bool
		Version             []version
		CommonPrefixes      []prefix
	}{XMLName: root("ListVersionsResult"), Name: b.Name, Prefix: p.encode(p.Prefix), KeyMarker: p.encode(p.After), VersionIdMarker: q.query.Get("version-id-marker"),
		MaxKeys: p.Max, Delimiter: p.encode(p.Delimiter), EncodingType: p.encoded}
	objects, prefixes, last, more := p.list(b)
	out.CommonPrefixes, out.IsTruncated = prefixes, more
	if more {
		out.NextKeyMarker, out.NextVersionIdMarker = p.encode(last), "null"
	}
	for _, o := range objects {
		o.Owner = ownerOf(b.Account)
		out.Version = append(out.Version, version{o, "null", true})
	}
	return q.reply(out)
}
