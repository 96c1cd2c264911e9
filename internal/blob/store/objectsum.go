package store

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"hash/crc32"
	"strconv"
)

// MayBeWhole says whether an algorithm can give a checksum over a whole object from those of its parts (S3 User Guide, Checking object
// integrity: the CRCs can, the SHAs cannot).
func (a Algorithm) MayBeWhole() bool { return a == CRC32 || a == CRC32C || a == CRC64NVME }

// MayBeComposite says whether an algorithm may be computed over the checksums of parts.
func (a Algorithm) MayBeComposite() bool { return a != CRC64NVME && a.New() != nil }

// etagOf is the ETag of an object made of parts; false when a part has no MD5.
func etagOf(parts []Segment) (string, bool) {
	h := md5.New()
	for i := range parts {
		digest, err := hex.DecodeString(parts[i].ETag)
		if err != nil || len(digest) != md5.Size {
			return "", false
		}
		_, _ = h.Write(digest) // a hash takes everything
	}
	return partETag(hex.EncodeToString(h.Sum(nil)), len(parts)), true
}

// checksumOf is the checksum of an object made of parts that have one each; false when one has none.
func checksumOf(algorithm Algorithm, composite bool, parts []Segment) (Checksum, bool) {
	digests := make([][]byte, len(parts))
	for i := range parts {
		digest, err := base64.StdEncoding.DecodeString(parts[i].Checksum)
		if err != nil || len(digest) != algorithm.Bytes() {
			return Checksum{}, false
		}
		digests[i] = digest
	}
	if composite {
		h := algorithm.New()
		for _, digest := range digests {
			_, _ = h.Write(digest)
		}
		value := base64.StdEncoding.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts))
		return Checksum{Algorithm: algorithm, Value: value, Composite: true}, true
	}
	var polynomial uint64
	switch algorithm {
	case CRC32:
		polynomial = crc32.IEEE
	case CRC32C:
		polynomial = crc32.Castagnoli
	case CRC64NVME:
		polynomial = nvmePolynomial
	default:
		return Checksum{}, false
	}
	sum := number(digests[0])
	for i := 1; i < len(parts); i++ {
		sum = combineCRC(polynomial, 8*algorithm.Bytes(), sum, number(digests[i]), parts[i].Size)
	}
	whole := make([]byte, algorithm.Bytes())
	for i := range whole {
		whole[i] = byte(sum >> (8 * (len(whole) - 1 - i)))
	}
	return Checksum{Algorithm: algorithm, Value: base64.StdEncoding.EncodeToString(whole)}, true
}

func number(digest []byte) (n uint64) {
	for _, b := range digest {
		n = n<<8 | uint64(b)
	}
	return n
}
