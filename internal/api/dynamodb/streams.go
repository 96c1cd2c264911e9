package dynamodb

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables"
)

// iteratorLife is how long a shard iterator may be used (API_streams_GetShardIterator: 15 minutes).
const iteratorLife = 15 * time.Minute

// iterator is what a shard iterator stands for.
type iterator struct {
	stream uint64
	next   tables.Sequence
	made   time.Time
}

const (
	iteratorBytes = 8 + 8 + 8
	iteratorSeal  = 16 // bytes of HMAC-SHA256
)

// write makes the text of an iterator: the stream's ARN, a version, and what it stands for, signed together.
func (a *API) writeIterator(streamARN string, it iterator) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, iteratorBytes+iteratorSeal), it.stream)
	b = binary.BigEndian.AppendUint64(b, uint64(it.next))
	b = binary.BigEndian.AppendUint64(b, uint64(it.made.UnixMilli()))
	b = append(b, a.sealOf(streamARN, b)...)
	return streamARN + "|1|" + base64.StdEncoding.EncodeToString(b)
}

func (a *API) sealOf(streamARN string, b []byte) []byte {
	h := hmac.New(sha256.New, a.secret)
	h.Write([]byte("dynamodb shard iterator\x00" + streamARN + "\x00"))
	h.Write(b)
	return h.Sum(nil)[:iteratorSeal]
}

// readIterator takes the text apart. Invalid when it is none of ours, Expired when it is older than 15 minutes.
func (a *API) readIterator(text string) (streamARN string, it iterator, err error) {
	streamARN, rest, _ := strings.Cut(text, "|1|")
	b, bad := base64.StdEncoding.DecodeString(rest)
	if bad != nil || len(b) != iteratorBytes+iteratorSeal || !hmac.Equal(b[iteratorBytes:], a.sealOf(streamARN, b[:iteratorBytes])) {
		return "", it, invalid("Invalid ShardIterator")
	}
	it = iterator{binary.BigEndian.Uint64(b), tables.Sequence(binary.BigEndian.Uint64(b[8:])), time.UnixMilli(int64(binary.BigEndian.Uint64(b[16:])))}
	if a.clock.Now().Sub(it.made) > iteratorLife {
		return "", it, fault.New(fault.Expired, "Iterator expired. The iterator was created at time %s and is older than 15 minutes.", it.made.UTC().Format(time.RFC3339))
	}
	return streamARN, it, nil
}

// streamARN is the ARN of a change stream.
func streamARN(c *edge.Call, s *tables.Stream) string {
	return tableARN(c, s.Table) + "/stream/" + s.Label()
}

// findStream is the stream of an ARN, in the caller's account and region.
func (a *API) findStream(c *edge.Call, text string) (*tables.Region, *tables.Stream, error) {
	parsed, err := arn.Parse(text)
	path, isTable := strings.CutPrefix(parsed.Resource, "table/")
	table, label, isStream := strings.Cut(path, "/stream/")
	switch {
	case err != nil || parsed.Service != "dynamodb" || !isTable || !isStream:
		return nil, nil, invalid("Invalid StreamArn: %s", text)
	case parsed.Account != c.Account:
		return nil, nil, errDenied(c.Account, text)
	}
	if err := a.authorize(c, c.Operation, text, nil); err != nil {
		return nil, nil, err
	}
	if r := a.tables.Find(c.Account, c.Region); r != nil && parsed.Region == c.Region {
		if s := r.Tables().StreamNamed(table, label); s != nil {
			return r, s, nil
		}
	}
	return nil, nil, fault.New(fault.NotFound, "Requested resource not found: Stream: %s not found", text)
}

// shardID is the name of a stream's one shard.
func shardID(s *tables.Stream) string { return s.ShardID() }

func checkShard(s *tables.Stream, text string, name string) error {
	if shardID(s) != name {
		return fault.New(fault.NotFound, "Requested resource not found: Shard: %s in Stream: %s not found", name, text)
	}
	return nil
}
