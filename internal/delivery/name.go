package delivery

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/delivery/prefix"
)

// namer gives the objects of a delivery stream their names, as of one version of it.
type namer struct {
	stream    *Stream
	prefix    prefix.Prefix
	zone      *time.Location
	extension string
}

func newNamer(s *Stream) (*namer, error) {
	n := &namer{stream: s, extension: codings[s.S3.Compression].extension}
	if s.S3.Extension != nil {
		n.extension = *s.S3.Extension
	}
	var err error
	if n.prefix, err = prefix.Parse(textOf(s.S3.Prefix)); err == nil {
		n.zone, err = prefix.Zone(s.S3.TimeZone)
	}
	return n, err
}

// name is the key of the object whose first record stands at a position of a shard and whose oldest arrived at a time, and a UUID of its own:
//
//	PREFIX STREAM-VERSION-yyyy-MM-dd-HH-mm-ss-UUID EXTENSION
//
// What looks like chance in it is a digest of where the object begins. So an object that is put again, because nobody knows whether it was put, or because the server died before it
// noted that, takes its own place instead of a second one.
func (n *namer) name(shard string, from int64, oldest time.Time) (key, uuid string) {
	s := n.stream
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", s.ID, shard) // never fails
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(from))
	h.Write(at[:])
	id := h.Sum(nil)
	uuid = uuidOf([16]byte(id[:16]))
	const letters = "0123456789abcdefghijklmnopqrstuv"
	var random strings.Builder
	for need := n.prefix.Randoms(); random.Len() < need; {
		next := sha256.Sum256(id)
		for _, b := range next {
			random.WriteByte(letters[b%32])
		}
		id = next[:]
	}
	key = n.prefix.Evaluate(oldest.In(n.zone), random.String(), "") + fmt.Sprintf("%s-%s-%s-%s%s", s.Name, s.VersionID(), oldest.UTC().Format("2006-01-02-15-04-05"), uuid, n.extension)
	return key, uuid
}

// uuidOf makes a UUID of bytes that mean something to us alone (RFC 9562: version 8).
func uuidOf(id [16]byte) string {
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16])
}
