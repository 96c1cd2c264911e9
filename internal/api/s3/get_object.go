package s3

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/blob/store"
)

// getObject gives an object, or a range of it, or a part.
//
// Source: API_GetObject (read 2026-11). Shown by: TestGetObject, TestConditionalReads and TestRanges in test/aws.
// Consistency: the object is given as it was when the request came, whole, whatever is put meanwhile.
// Damage: an object whose bytes are not what was written is never given to its end; the connection is cut before it.
// Differs from AWS: none known.
func (q *call) getObject() error {
	if _, err := q.findBucket(); err != nil {
		return err
	}
	r, err := q.api.store.Open(q.bucket, q.key)
	if refusal, is := store.AsRefusal(err); is && refusal.Code == "NoSuchKey" {
		return q.noKey()
	}
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only read
	status, offset, length, err := q.describe(r.Object)
	if err != nil {
		return err
	}
	r.Range(offset, length)
	if err := q.ReplyStream(status, length, r); err != nil {
		q.ErrorCode = errInternal.code
		q.api.logger.Error("an object could not be read to its end", "bucket", q.bucket, "key", q.key, "request", q.RequestID, "err", err)
	}
	return nil
}

// headObject says everything of an object but its bytes.
//
// Source: API_HeadObject (read 2026-11). Shown by: TestGetObject and TestConditionalReads in test/aws.
// Differs from AWS: none known.
func (q *call) headObject() error {
	_, o, err := q.findObject()
	if err != nil {
		return err
	}
	status, _, length, err := q.describe(o)
	if err != nil {
		return err
	}
	h := q.Writer.Header()
	h["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	q.Writer.WriteHeader(status)
	return nil
}

// overrides are the headers of an answer that its request may choose (API_GetObject).
var overrides = map[string]string{
	"response-content-type": "Content-Type", "response-content-language": "Content-Language", "response-expires": "Expires",
	"response-cache-control": "Cache-Control", "response-content-disposition": "Content-Disposition", "response-content-encoding": "Content-Encoding",
}

// describe checks the conditions of a read, writes the header of its answer, and says which bytes are asked for.
func (q *call) describe(o *store.Object) (status int, offset, length int64, err error) {
	h := q.Writer.Header()
	h["Etag"] = []string{quoted(o.ETag)}
	h["Last-Modified"] = []string{httpTime(o.Modified)}
	if err := q.readCondition(o); err != nil {
		if err.status != http.StatusNotModified {
			h.Del("Etag")
			h.Del("Last-Modified")
		}
		return 0, 0, 0, err
	}
	status, offset, length, failure := q.wanted(o)
	if failure != nil {
		h.Del("Etag")
		h.Del("Last-Modified")
		return 0, 0, 0, failure
	}
	h["Accept-Ranges"] = []string{"bytes"}
	setMeta(h, o.Meta)
	for parameter, name := range overrides {
		if value := q.query.Get(parameter); value != "" {
			h[name] = []string{value}
		}
	}
	if len(o.Tags) > 0 {
		h["X-Amz-Tagging-Count"] = []string{strconv.Itoa(len(o.Tags))}
	}
	if q.query.Has("partNumber") && o.PartCount() > 0 {
		h["X-Amz-Mp-Parts-Count"] = []string{strconv.Itoa(o.PartCount())}
	}
	if status == http.StatusPartialContent {
		h["Content-Range"] = []string{"bytes " + strconv.FormatInt(offset, 10) + "-" + strconv.FormatInt(offset+length-1, 10) + "/" + strconv.FormatInt(o.Size, 10)}
	} else if strings.EqualFold(q.header.Get("X-Amz-Checksum-Mode"), "ENABLED") {
		setChecksum(h, o.Checksum)
	}
	q.setExpiration(q.key)
	return status, offset, length, nil
}

func setMeta(h http.Header, m *store.Meta) {
	h["Content-Type"] = []string{"binary/octet-stream"}
	if m == nil {
		return
	}
	for name, value := range map[string]string{
		"Content-Type": m.ContentType, "Cache-Control": m.CacheControl, "Content-Disposition": m.ContentDisposition,
		"Content-Encoding": m.ContentEncoding, "Content-Language": m.ContentLanguage, "Expires": m.Expires,
	} {
		if value != "" {
			h[name] = []string{value}
		}
	}
	for name, value := range m.User {
		h["x-amz-meta-"+name] = []string{value} // lower-case also over HTTP/1.1: some clients give names as they come
	}
}

var (
	errNotModified  = newError(http.StatusNotModified, "NotModified", "Not Modified")
	errPrecondition = newError(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
)

// readCondition follows RFC 9110, section 13.2.2, which S3 says of itself (API_GetObject, Additional considerations): the ETag counts before the time.
func (q *call) readCondition(o *store.Object) *apiError {
	return q.conditions("", o)
}

// conditions checks the four headers of a prefix. A time that is still to come asks nothing, as it did in RFC 2616 (section 14.25) and still does at AWS: what clients send whose
// clocks are ahead must not hide what is put until then.
func (q *call) conditions(prefix string, o *store.Object) *apiError {
	h, now := q.header, q.api.clock.Now()
	modified := o.Modified.Truncate(time.Second)
	if text := h.Get(prefix + "If-Match"); text != "" {
		if !matches(text, o.ETag) {
			return errPrecondition
		}
	} else if t, err := http.ParseTime(h.Get(prefix + "If-Unmodified-Since")); err == nil && modified.After(t) {
		return errPrecondition
	}
	if text := h.Get(prefix + "If-None-Match"); text != "" {
		if matches(text, o.ETag) {
			return errNotModified
		}
	} else if t, err := http.ParseTime(h.Get(prefix + "If-Modified-Since")); err == nil && !modified.After(t) && !t.After(now) {
		return errNotModified
	}
	return nil
}

// matches says whether one of a list of ETags, or *, is etag.
func matches(list, etag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.TrimSpace(one); one == "*" || unquoted(one) == etag {
			return true
		}
	}
	return false
}

// wanted is the part of an object that a request asks for, by range or by number of a part.
func (q *call) wanted(o *store.Object) (status int, offset, length int64, err *apiError) {
	rangeText := q.header.Get("Range")
	if text := q.query.Get("partNumber"); text != "" {
		number, parseErr := strconv.Atoi(text)
		switch {
		case parseErr != nil || number < 1 || number > partsMax:
			return 0, 0, 0, invalidArgument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", text)
		case rangeText != "":
			return 0, 0, 0, invalidRequest("Cannot specify both Range header and partNumber query parameter")
		case number > max(1, o.PartCount()):
			return 0, 0, 0, newError(http.StatusRequestedRangeNotSatisfiable, "InvalidPartNumber", "The requested partnumber is not satisfiable")
		case o.PartCount() == 0:
			return http.StatusOK, 0, o.Size, nil
		}
		for i := range number - 1 {
			offset += o.Segments[i].Size
		}
		return http.StatusPartialContent, offset, o.Segments[number-1].Size, nil
	}
	offset, length, partial, satisfiable := parseRange(rangeText, o.Size)
	if !satisfiable {
		return 0, 0, 0, withResource(withResource(newError(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable"),
			"RangeRequested", rangeText), "ActualObjectSize", strconv.FormatInt(o.Size, 10))
	}
	if !partial {
		return http.StatusOK, 0, o.Size, nil
	}
	return http.StatusPartialContent, offset, length, nil
}

// parseRange reads "bytes=first-last", "bytes=first-" or "bytes=-length". What is none of these, several ranges included, asks for everything, as S3 has it
// ("doesn't support retrieving multiple ranges of data per GET request", API_GetObject).
func parseRange(text string, size int64) (offset, length int64, partial, satisfiable bool) {
	spec, is := strings.CutPrefix(text, "bytes=")
	firstText, lastText, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !is || !dash {
		return 0, size, false, true
	}
	first, firstErr := strconv.ParseInt(firstText, 10, 64)
	last, lastErr := strconv.ParseInt(lastText, 10, 64)
	switch {
	case firstText == "" && lastErr == nil && last >= 0: // the last so many
		if last == 0 || size == 0 {
			return 0, 0, false, false
		}
		last = min(last, size)
		return size - last, last, true, true
	case firstErr != nil || first < 0 || lastText != "" && (lastErr != nil || last < first):
		return 0, size, false, true
	case first >= size:
		return 0, 0, false, false
	case lastText == "":
		return first, size - first, true, true
	}
	last = min(last, size-1)
	return first, last - first + 1, true, true
}
