package store

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
)

// Algorithm is a checksum of S3, under its own name (API_Checksum).
type Algorithm string

// The algorithms.
const (
	CRC32     Algorithm = "CRC32"
	CRC32C    Algorithm = "CRC32C"
	CRC64NVME Algorithm = "CRC64NVME"
	SHA1      Algorithm = "SHA1"
	SHA256    Algorithm = "SHA256"
)

// Algorithms are all of them, in the order of their names.
var Algorithms = []Algorithm{CRC32, CRC32C, CRC64NVME, SHA1, SHA256}

// nvmePolynomial is that of CRC-64/NVME, reflected (NVM Express NVM Command Set Specification 1.0d, section 5.2.1.3.4).
const nvmePolynomial = 0x9a6c9329ac4bc9b5

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	nvme       = crc64.MakeTable(nvmePolynomial)
)

// New is a hash of the algorithm; nil for one that is not known.
func (a Algorithm) New() hash.Hash {
	switch a {
	case CRC32:
		return crc32.NewIEEE()
	case CRC32C:
		return crc32.New(castagnoli)
	case CRC64NVME:
		return crc64.New(nvme)
	case SHA1:
		return sha1.New()
	case SHA256:
		return sha256.New()
	}
	return nil
}

// Bytes is how long a digest is; 0 for an algorithm that is not known.
func (a Algorithm) Bytes() int {
	if h := a.New(); h != nil {
		return h.Size()
	}
	return 0
}

// digests are the hashes that go over the bytes of one file as they are written.
type digests struct {
	md5  hash.Hash
	crc  uint32
	more map[Algorithm]hash.Hash
}

func newDigests(algorithms []Algorithm) *digests {
	d := &digests{md5: md5.New(), more: make(map[Algorithm]hash.Hash, len(algorithms))}
	for _, a := range algorithms {
		if h := a.New(); h != nil {
			d.more[a] = h
		}
	}
	return d
}

func (d *digests) add(p []byte) {
	_, _ = d.md5.Write(p) // a hash takes everything
	d.crc = crc32.Update(d.crc, castagnoli, p)
	for _, h := range d.more {
		_, _ = h.Write(p)
	}
}

// sums are the checksums so far, in base64.
func (d *digests) sums() map[Algorithm]string {
	if len(d.more) == 0 {
		return nil
	}
	sums := make(map[Algorithm]string, len(d.more))
	for a, h := range d.more {
		sums[a] = base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	return sums
}
