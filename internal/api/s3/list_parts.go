package s3

import (
	"encoding/xml"
	"strconv"
	"strings"

	"github.com/weir-stream/weir/internal/blob/store"
)

type listedPart struct {
	PartNumber   int
	LastModified string `xml:",omitempty"`
	ETag         string `xml:",omitempty"`
	Size         int64
	checksumMembers
}

// number reads a parameter that is a whole number of at most most; absent is otherwise.
func (q *call) number(name string, otherwise, most int) (int, error) {
	text := q.query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0, invalidArgument("Provided "+name+" not an integer or within integer range", name, text)
	}
	return min(int(n), most), nil
}

// listParts lists the parts of an upload by number.
//
// Source: API_ListParts (read 2026-11). Shown by: TestMultipart in test/aws.
// Differs from AWS: none known.
func (q *call) listParts() error {
	b, u, err := q.findUpload()
	if err != nil {
		return err
	}
	limit, err := q.number("max-parts", keysMax, keysMax)
	if err != nil {
		return err
	}
	marker, err := q.number("part-number-marker", 0, 1<<31-1)
	if err != nil {
		return err
	}
	out := struct {
		XMLName              xml.Name
		Bucket, Key          string
		UploadId             string
		Initiator, Owner     *owner
		StorageClass         string
		PartNumberMarker     int
		NextPartNumberMarker int `xml:",omitempty"`
		MaxParts             int
		IsTruncated          bool
		Part                 []listedPart
		ChecksumAlgorithm    string `xml:",omitempty"`
		ChecksumType         string `xml:",omitempty"`
	}{XMLName: root("ListPartsResult"), Bucket: b.Name, Key: u.Key, UploadId: u.ID, Initiator: ownerOf(b.Account), Owner: ownerOf(b.Account), StorageClass: "STANDARD",
		PartNumberMarker: marker, MaxParts: limit, ChecksumAlgorithm: string(u.Algorithm)}
	if u.Algorithm != "" {
		out.ChecksumType = checksumType(u.Composite)
	}
	for part := range u.Parts(marker + 1) {
		if len(out.Part) == limit {
			out.IsTruncated = true
			break
		}
		out.Part = append(out.Part, listedPart{part.Number, stamp(part.Modified), quoted(part.ETag), part.Size, membersOf(store.Checksum{Algorithm: u.Algorithm, Value: part.Checksum}, false)})
		out.NextPartNumberMarker = part.Number
	}
	q.setAbort(u.ID)
	return q.reply(out)
}

// listMultipartUploads lists uploads by key, those of one key by id.
//
// Source: API_ListMultipartUploads (read 2026-11). Shown by: TestListMultipartUploads in test/aws.
// Differs from AWS: uploads of one key are in the order of their ids, not of their times.
func (q *call) listMultipartUploads() error {
	b, err := q.findBucket()
	if err != nil {
		return err
	}
	p, err := q.page("max-uploads")
	if err != nil {
		return err
	}
	type upload struct {
		Key, UploadId     string
		Initiator, Owner  *owner
		StorageClass      string
		Initiated         string
		ChecksumAlgorithm string `xml:",omitempty"`
		ChecksumType      string `xml:",omitempty"`
	}
	keyMarker, idMarker := q.query.Get("key-marker"), q.query.Get("upload-id-marker")
	out := struct {
		XMLName            xml.Name
		Bucket             string
		KeyMarker          string
		UploadIdMarker     string
		NextKeyMarker      string `xml:",omitempty"`
		NextUploadIdMarker string `xml:",omitempty"`
		Prefix             string
		Delimiter          string `xml:",omitempty"`
		EncodingType       string `xml:",omitempty"`
		MaxUploads         int
		IsTruncated        bool
		Upload             []upload
		CommonPrefixes     []prefix
	}{XMLName: root("ListMultipartUploadsResult"), Bucket: b.Name, KeyMarker: p.encode(keyMarker), UploadIdMarker: idMarker, Prefix: p.encode(p.Prefix),
		Delimiter: p.encode(p.Delimiter), EncodingType: p.encoded, MaxUploads: p.Max}
	count, last := 0, ""
	for u := range b.Uploads(max(p.Prefix, keyMarker), "") {
		if !strings.HasPrefix(u.Key, p.Prefix) {
			break
		}
		if keyMarker != "" && (u.Key == keyMarker && (idMarker == "" || u.ID <= idMarker)) {
			continue
		}
		common := ""
		if p.Delimiter != "" {
			if i := strings.Index(u.Key[len(p.Prefix):], p.Delimiter); i >= 0 {
				common = u.Key[:len(p.Prefix)+i+len(p.Delimiter)]
			}
		}
		if common != "" && (common == last || strings.HasPrefix(keyMarker, common)) {
			continue
		}
		if count == p.Max {
			out.IsTruncated = p.Max > 0
			break
		}
		count++
		if common != "" {
			last = common
			out.CommonPrefixes = append(out.CommonPrefixes, prefix{p.encode(common)})
			out.NextKeyMarker, out.NextUploadIdMarker = p.encode(common), ""
			continue
		}
		entry := upload{Key: p.encode(u.Key), UploadId: u.ID, Initiator: ownerOf(b.Account), Owner: ownerOf(b.Account), StorageClass: "STANDARD", Initiated: stamp(u.Initiated),
			ChecksumAlgorithm: string(u.Algorithm)}
		if u.Algorithm != "" {
			entry.ChecksumType = checksumType(u.Composite)
		}
		out.Upload = append(out.Upload, entry)
		out.NextKeyMarker, out.NextUploadIdMarker = p.encode(u.Key), u.ID
	}
	if !out.IsTruncated {
		out.NextKeyMarker, out.NextUploadIdMarker = "", ""
	}
	return q.reply(out)
}

// getObjectAttributes gives what is asked for of an object, without its bytes.
//
// Source: API_GetObjectAttributes (read 2026-11). Shown by: TestObjectAttributes in test/aws.
// Differs from AWS: none known.
func (q *call) getObjectAttributes() error {
	_, o, err := q.findObject()
	if err != nil {
		return err
	}
	limit, marker := keysMax, 0
	for name, into := range map[string]*int{"X-Amz-Max-Parts": &limit, "X-Amz-Part-Number-Marker": &marker} {
		if text := q.header.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return invalidArgument("Provided "+strings.ToLower(name)+" not an integer or within integer range", strings.ToLower(name), text)
			}
			*into = n
		}
	}
	type parts struct {
		PartsCount           int `xml:"PartsCount"`
		PartNumberMarker     int
		NextPartNumberMarker int
		MaxParts             int
		IsTruncated          bool
		Part                 []listedPart
	}
	out := struct {
		XMLName      xml.Name
		ETag         string           `xml:",omitempty"`
		Checksum     *checksumMembers `xml:",omitempty"`
		ObjectParts  *parts           `xml:",omitempty"`
		StorageClass string           `xml:",omitempty"`
		ObjectSize   *int64           `xml:",omitempty"`
	}{XMLName: root("GetObjectAttributesResponse")}
	asked := strings.Join(q.header.Values("X-Amz-Object-Attributes"), ",")
	if asked == "" {
		return invalidRequest("The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty")
	}
	for name := range strings.SplitSeq(asked, ",") {
		switch strings.TrimSpace(name) {
		case "ETag":
			out.ETag = o.ETag
		case "Checksum":
			if o.Checksum.Algorithm != "" {
				m := membersOf(o.Checksum, true)
				out.Checksum = &m
			}
		case "StorageClass":
			out.StorageClass = "STANDARD"
		case "ObjectSize":
			out.ObjectSize = &o.Size
		case "ObjectParts":
			if o.PartCount() == 0 {
				continue
			}
			list := parts{PartsCount: o.PartCount(), PartNumberMarker: marker, MaxParts: limit}
			for _, s := range o.Segments {
				if s.Number <= marker || o.Checksum.Algorithm == "" { // parts are listed for objects with checksums only (API_GetObjectAttributes)
					continue
				}
				if len(list.Part) == limit {
					list.IsTruncated = true
					break
				}
				list.Part = append(list.Part, listedPart{PartNumber: s.Number, Size: s.Size, checksumMembers: membersOf(store.Checksum{Algorithm: o.Checksum.Algorithm, Value: s.Checksum}, false)})
				list.NextPartNumberMarker = s.Number
			}
			out.ObjectParts = &list
		default:
			return invalidArgument("Invalid attribute name specified.", "x-amz-object-attributes", name)
		}
	}
	q.Writer.Header()["Last-Modified"] = []string{httpTime(o.Modified)}
	return q.reply(out)
}
