package s3

import (
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/weir-stream/weir/internal/blob/store"
)

// checksumHeader is the header that carries an algorithm's checksum, in canonical form.
func checksumHeader(a store.Algorithm) string {
	return http.CanonicalHeaderKey("x-amz-checksum-" + strings.ToLower(string(a)))
}

func checksumType(composite bool) string {
	if composite {
		return "COMPOSITE"
	}
	return "FULL_OBJECT"
}

// readAlgorithm reads the name of an algorithm, empty for none.
func readAlgorithm(name string) (store.Algorithm, error) {
	a := store.Algorithm(strings.ToUpper(name))
	if a != "" && a.New() == nil {
		switch a {
		case "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128":
			return "", notImplemented("The checksum algorithm " + string(a))
		}
		return "", invalidRequest("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
	}
	return a, nil
}

// claimedChecksum is what a request says of its body: an algorithm, and the value if that is in the header; in the trailer it comes later.
type claimedChecksum struct {
	algorithm store.Algorithm // empty: nothing is said
	value     string
	inTrailer bool
}

// claimed reads the checksum that a request announces for its body (S3 User Guide, Checking object integrity).
func (q *call) claimed() (c claimedChecksum, err error) {
	for name, values := range q.header {
		suffix, is := strings.CutPrefix(name, "X-Amz-Checksum-")
		if !is || suffix == "Type" || suffix == "Algorithm" || suffix == "Mode" {
			continue
		}
		if c.algorithm != "" {
			return c, errSeveral
		}
		if c.algorithm, err = readAlgorithm(suffix); err != nil {
			return c, err
		}
		c.value = values[0]
		if digest, err := base64.StdEncoding.DecodeString(c.value); err != nil || len(digest) != c.algorithm.Bytes() {
			return c, invalidRequest("Value for " + strings.ToLower(name) + " header is invalid.")
		}
	}
	if trailer := strings.ToLower(q.header.Get("X-Amz-Trailer")); trailer != "" {
		suffix, is := strings.CutPrefix(trailer, "x-amz-checksum-")
		if !is || strings.Contains(trailer, ",") {
			return c, invalidRequest("The value specified in the x-amz-trailer header is not supported")
		}
		if c.algorithm != "" {
			return c, errSeveral
		}
		if c.algorithm, err = readAlgorithm(suffix); err != nil {
			return c, err
		}
		c.inTrailer = true
	}
	asked, err := readAlgorithm(q.header.Get("X-Amz-Sdk-Checksum-Algorithm"))
	switch {
	case err != nil:
		return c, err
	case asked != "" && c.algorithm == "":
		return c, invalidRequest("x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
	case asked != "" && asked != c.algorithm:
		return c, invalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")
	}
	return c, nil
}

var errSeveral = invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")

// holds compares what was claimed with what was computed. It is called at the end of the body, when trailers are there.
func (q *call) holds(c claimedChecksum, sums map[store.Algorithm]string) error {
	if c.algorithm == "" {
		return nil
	}
	value := c.value
	if c.inTrailer {
		value = q.Request.Trailer.Get(checksumHeader(c.algorithm))
		if value == "" {
			return newError(http.StatusBadRequest, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
		}
	}
	if value != sums[c.algorithm] {
		return newError(http.StatusBadRequest, "BadDigest", "The "+string(c.algorithm)+" you specified did not match the calculated checksum.")
	}
	return nil
}

// checkBody holds a body that is in memory against what the request says of it.
func (q *call) checkBody() error {
	want, err := q.contentMD5()
	if err != nil {
		return err
	}
	if sum := md5.Sum(q.Body); want != "" && want != hexOf(sum[:]) {
		return errBadMD5
	}
	claim, err := q.claimed()
	if err != nil || claim.algorithm == "" {
		return err
	}
	h := claim.algorithm.New()
	_, _ = h.Write(q.Body) // a hash takes everything
	return q.holds(claim, map[store.Algorithm]string{claim.algorithm: base64.StdEncoding.EncodeToString(h.Sum(nil))})
}

// setChecksum puts an object's checksum into the header of its answer.
func setChecksum(h http.Header, c store.Checksum) {
	if c.Algorithm != "" {
		h[checksumHeader(c.Algorithm)] = []string{c.Value}
		h["X-Amz-Checksum-Type"] = []string{checksumType(c.Composite)}
	}
}

// checksumMembers are the checksum as members of a document.
type checksumMembers struct {
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

func membersOf(c store.Checksum, withType bool) (m checksumMembers) {
	switch c.Algorithm {
	case store.CRC32:
		m.ChecksumCRC32 = c.Value
	case store.CRC32C:
		m.ChecksumCRC32C = c.Value
	case store.CRC64NVME:
		m.ChecksumCRC64NVME = c.Value
	case store.SHA1:
		m.ChecksumSHA1 = c.Value
	case store.SHA256:
		m.ChecksumSHA256 = c.Value
	default:
		return m
	}
	if withType {
		m.ChecksumType = checksumType(c.Composite)
	}
	return m
}
