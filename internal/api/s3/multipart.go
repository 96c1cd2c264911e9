package s3

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"

	"github.com/weir-stream/weir/internal/blob/store"
)

// partsMax is the greatest number of a part, and how many there may be (S3 User Guide, Amazon S3 multipart upload limits).
const partsMax = 10_000

// createMultipartUpload begins an upload in parts.
//
// Source: API_CreateMultipartUpload (read 2026-11). Shown by: TestMultipart in test/aws.
// Checksum: an upload that names no algorithm makes an object with a CRC64NVME over all of it, as S3 does ("Checking object integrity").
// Differs from AWS: none known.
func (q *call) createMultipartUpload() error {
	if _, err := q.findBucket(); err != nil {
		return err
	}
	meta, err := q.meta()
	if err != nil {
		return err
	}
	tags, err := q.taggingHeader()
	if err != nil {
		return err
	}
	algorithm, err := readAlgorithm(q.header.Get("X-Amz-Checksum-Algorithm"))
	if err != nil {
		return err
	}
	var composite bool
	switch kind := strings.ToUpper(q.header.Get("X-Amz-Checksum-Type")); {
	case kind != "" && algorithm == "":
		return invalidRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
	case kind == "FULL_OBJECT" && !algorithm.MayBeWhole(), kind == "COMPOSITE" && !algorithm.MayBeComposite():
		return invalidRequest("The " + kind + " checksum type cannot be used with the " + strings.ToLower(string(algorithm)) + " checksum algorithm.")
	case kind == "":
		composite = algorithm != "" && algorithm.MayBeComposite()
	case kind == "FULL_OBJECT", kind == "COMPOSITE":
		composite = kind == "COMPOSITE"
	default:
		return invalidRequest("Value for x-amz-checksum-type header is invalid.")
	}
	id, err := q.api.store.NewUploadID()
	if err != nil {
		return err
	}
	command := store.CreateUpload{Account: q.Account, Bucket: q.bucket, Key: q.key, Upload: id, Meta: meta, Tags: tags, Algorithm: algorithm, Composite: composite}
	if _, err := q.api.store.Propose(q.Ctx, command); err != nil {
		return err
	}
	h := q.Writer.Header()
	if algorithm != "" {
		h["X-Amz-Checksum-Algorithm"] = []string{string(algorithm)}
		h["X-Amz-Checksum-Type"] = []string{checksumType(composite)}
	}
	q.setAbort(id)
	return q.reply(struct {
		XMLName               xml.Name
		Bucket, Key, UploadId string
	}{root("InitiateMultipartUploadResult"), q.bucket, q.key, id})
}

// setAbort tells when the lifecycle ends an upload, if it does.
func (q *call) setAbort(id string) {
	b := q.api.store.State().Bucket(q.bucket)
	if b == nil {
		return
	}
	if u := b.Upload(q.key, id); u != nil {
		if at, rule := b.AbortOf(u); !at.IsZero() {
			q.Writer.Header()["X-Amz-Abort-Date"] = []string{httpTime(at)}
			q.Writer.Header()["X-Amz-Abort-Rule-Id"] = []string{rule}
		}
	}
}

// findUpload is the upload of the request.
func (q *call) findUpload() (*store.Bucket, *store.Upload, error) {
	b, err := q.findBucket()
	if err != nil {
		return nil, nil, err
	}
	u := b.Upload(q.key, q.query.Get("uploadId"))
	if u == nil {
		return nil, nil, withResource(newError(errNoUpload.status, errNoUpload.code, errNoUpload.message), "UploadId", q.query.Get("uploadId"))
	}
	return b, u, nil
}

// partNumber reads the number of a part.
func (q *call) partNumber() (int, error) {
	text := q.query.Get("partNumber")
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 || number > partsMax {
		return 0, invalidArgument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", text)
	}
	return number, nil
}

// uploadPart stores a part, in place of what its number has.
//
// Source: API_UploadPart (read 2026-11). Shown by: TestMultipart in test/aws.
// Differs from AWS: a part may leave out the checksum that its upload announced; it is computed.
func (q *call) uploadPart() error {
	number, err := q.partNumber()
	if err != nil {
		return err
	}
	_, u, err := q.findUpload()
	if err != nil {
		return err
	}
	claim, err := q.claimed()
	if err != nil {
		return err
	}
	if u.Algorithm != "" && claim.algorithm != "" && u.Algorithm != claim.algorithm {
		return invalidRequest("Checksum Type mismatch occurred, expected checksum Type: " + strings.ToLower(string(u.Algorithm)) +
			", actual checksum Type: " + strings.ToLower(string(claim.algorithm)))
	}
	content, checksum, err := q.receive(partAlgorithm(u), "")
	if err != nil {
		return err
	}
	part := content.Segment
	part.Number, part.ETag, part.Checksum = number, content.MD5, checksum.Value
	if _, err := q.api.store.PutContent(q.Ctx, content, store.PutPart{Account: q.Account, Bucket: q.bucket, Key: q.key, Upload: u.ID, Part: part}); err != nil {
		return err
	}
	h := q.Writer.Header()
	h["Etag"] = []string{quoted(part.ETag)}
	if said := cmp.Or(u.Algorithm, claim.algorithm); said != "" {
		h[checksumHeader(said)] = []string{content.Sums[said]}
	}
	return q.nothing(http.StatusOK)
}

// partAlgorithm is what the checksum of a part is kept in: the upload's algorithm, or else what the object's checksum will be made of.
func partAlgorithm(u *store.Upload) store.Algorithm { return cmp.Or(u.Algorithm, store.CRC64NVME) }

// uploadPartCopy makes a part of an object, or of a range of it.
//
// Source: API_UploadPartCopy (read 2026-11). Shown by: TestUploadPartCopy in test/aws.
// Differs from AWS: source and destination must be the caller's own.
func (q *call) uploadPartCopy() error {
	number, err := q.partNumber()
	if err != nil {
		return err
	}
	_, u, err := q.findUpload()
	if err != nil {
		return err
	}
	bucket, key, err := q.copySource()
	if err != nil {
		return err
	}
	if _, _, err := q.source(bucket, key); err != nil {
		return err
	}
	r, err := q.api.store.Open(bucket, key)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only read
	offset, length := int64(0), r.Object.Size
	if text := q.header.Get("X-Amz-Copy-Source-Range"); text != "" {
		var partial, satisfiable bool
		offset, length, partial, satisfiable = parseRange(text, r.Object.Size)
		_, last, _ := strings.Cut(text, "-")
		if end, err := strconv.ParseInt(last, 10, 64); !partial || !satisfiable || err != nil || end >= r.Object.Size || strings.HasPrefix(text, "bytes=-") {
			return invalidArgument("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the "+
				"first and last bytes to copy, within the source.", "x-amz-copy-source-range", text)
		}
	}
	if length > objectBytesMax {
		return invalidRequest("The specified copy source is larger than the maximum allowable size for a copy source: 5368709120")
	}
	r.Range(offset, length)
	content, err := q.api.store.Write(q.Ctx, r, store.WriteOptions{Size: length, Algorithms: []store.Algorithm{partAlgorithm(u)}})
	if err != nil {
		return err
	}
	checksum := store.Checksum{Algorithm: u.Algorithm, Value: content.Sums[u.Algorithm]}
	part := content.Segment
	part.Number, part.ETag, part.Checksum = number, content.MD5, content.Sums[partAlgorithm(u)]
	done, err := q.api.store.PutContent(q.Ctx, content, store.PutPart{Account: q.Account, Bucket: q.bucket, Key: q.key, Upload: u.ID, Part: part})
	if err != nil {
		return err
	}
	return q.reply(struct {
		XMLName      xml.Name
		LastModified string
		ETag         string
		checksumMembers
	}{root("CopyPartResult"), stamp(done.At), quoted(part.ETag), membersOf(checksum, false)})
}

// completeMultipartUpload makes an object of parts. Their files become the object's; no byte moves.
//
// Source: API_CompleteMultipartUpload (read 2026-11). Shown by: TestMultipart and TestMultipartErrors in test/aws.
// Asking twice: the same request again, after a lost answer, answers the same as long as the object is there.
// Differs from AWS: none known.
func (q *call) completeMultipartUpload() error {
	e, err := q.completeDocument()
	if err != nil {
		return err
	}
	condition, err := q.writeCondition()
	if err != nil {
		return err
	}
	command := store.CompleteUpload{Account: q.Account, Bucket: q.bucket, Key: q.key, Upload: q.query.Get("uploadId"), Condition: condition, Otherwise: store.CRC64NVME}
	heard := store.Algorithms
	var u *store.Upload
	if b := q.api.store.State().Bucket(q.bucket); b != nil {
		u = b.Upload(q.key, command.Upload)
	}
	if u != nil && u.Algorithm == "" {
		heard = []store.Algorithm{store.CRC64NVME} // what was said of parts in others was checked when they came, and is not kept
	}
	for i := range e.Children {
		part, err := readPart(&e.Children[i], heard)
		if err != nil {
			return err
		}
		command.Parts = append(command.Parts, part)
	}
	if n := len(command.Parts); n == 0 || n > partsMax {
		return errMalformed
	}
	for _, a := range heard {
		if value := q.header.Get(checksumHeader(a)); value != "" {
			command.Checksum = value
		}
	}
	if asked := strings.ToUpper(q.header.Get("X-Amz-Checksum-Type")); u != nil && asked != "" && asked != checksumType(u.Composite) {
		return invalidRequest("The upload was created using the " + checksumType(u.Composite) + " checksum mode. The complete request must use the same checksum mode.")
	}
	if text := q.header.Get("X-Amz-Mp-Object-Size"); text != "" {
		size, err := strconv.ParseInt(text, 10, 64)
		if err != nil || size < 0 {
			return invalidArgument("Value for x-amz-mp-object-size header is invalid.", "x-amz-mp-object-size", text)
		}
		command.Size = &size
	}
	r, err := q.api.store.Propose(q.Ctx, command)
	if err != nil {
		return err
	}
	q.setExpiration(q.key)
	scheme := "http://"
	if q.Secure() {
		scheme = "https://"
	}
	return q.reply(struct {
		XMLName                     xml.Name
		Location, Bucket, Key, ETag string
		checksumMembers
	}{root("CompleteMultipartUploadResult"), scheme + q.Request.Host + "/" + q.bucket + "/" + encodeName(q.key), q.bucket, q.key, quoted(r.ETag), membersOf(r.Checksum, true)})
}

// completeDocument is the list of parts. The checksum in the header is the object's, not the document's, so that it is not checked here.
func (q *call) completeDocument() (*element, error) {
	saved := q.header
	plain := saved.Clone()
	for _, a := range store.Algorithms {
		plain.Del(checksumHeader(a))
	}
	q.header = plain
	defer func() { q.header = saved }()
	e, err := q.document("CompleteMultipartUpload")
	if err != nil {
		return nil, err
	}
	return e, e.only("Part")
}

// readPart reads a part of the list, and of what is said of its checksums those in the algorithms heard.
func readPart(e *element, heard []store.Algorithm) (part store.CompletePart, err error) {
	if err := e.only("PartNumber", "ETag", "ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256"); err != nil {
		return part, err
	}
	if part.Number, err = strconv.Atoi(e.text("PartNumber")); err != nil {
		return part, errMalformed
	}
	part.ETag = unquoted(e.text("ETag"))
	for _, a := range heard {
		if value := e.text("Checksum" + string(a)); value != "" {
			part.Checksum = value
		}
	}
	return part, nil
}

// abortMultipartUpload ends an upload and forgets its parts.
//
// Source: API_AbortMultipartUpload (read 2026-11). Shown by: TestMultipartErrors in test/aws.
// Differs from AWS: none known.
func (q *call) abortMultipartUpload() error {
	if q.header.Get("X-Amz-If-Match-Initiated-Time") != "" {
		return notImplemented("The condition x-amz-if-match-initiated-time")
	}
	command := store.AbortUploads{Account: q.Account, Bucket: q.bucket, Items: []store.Abort{{Key: q.key, Upload: q.query.Get("uploadId")}}}
	if _, err := q.api.store.Propose(q.Ctx, command); err != nil {
		return err
	}
	return q.nothing(http.StatusNoContent)
}
