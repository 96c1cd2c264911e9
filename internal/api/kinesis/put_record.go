package kinesis

import (
	"net/http"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/wire/cborproto"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// PutRecord writes one record.
//
// Source: API_PutRecord (read 2026-11). Shown by: TestPutRecord in test/aws.
// SequenceNumberForOrdering: checked, and met by the order of the log, which a caller who waits for each answer sees.
// Acknowledged: on disk, as --durability says.
func (a *API) putRecord(c *edge.Call) error {
	return a.servePut(c, true, func(r *putRequest) error {
		in := new(shapes.PutRecordInput)
		if err := decode(c, in); err != nil {
			return err
		}
		r.fillOne(in)
		return refuseStreamID(in.StreamId)
	}, a.replyPutRecord)
}

func (a *API) replyPutRecord(c *edge.Call, r *putRequest, p *streams.Put) error {
	result := p.Result(0)
	if result.Err != nil {
		return result.Err
	}
	dst := r.out[:0]
	if c.Protocol == edge.CBOR11 {
		if p.Sealed() {
			dst = appendSealedCBOR(cborproto.AppendMapHeader(dst, 3))
		} else {
			dst = cborproto.AppendMapHeader(dst, 2)
		}
		dst = cborproto.AppendText(dst, "SequenceNumber")
		dst = appendSequenceCBOR(dst, result.Sequence)
		dst = cborproto.AppendText(dst, "ShardId")
		dst = cborproto.AppendText(dst, result.ShardID)
	} else {
		dst = append(dst, `{"SequenceNumber":"`...)
		dst = result.Sequence.AppendTo(dst)
		dst = append(dst, `","ShardId":"`...)
		dst = append(dst, result.ShardID...)
		dst = append(dst, '"')
		if p.Sealed() {
			dst = append(dst, sealedJSON...)
		}
		dst = append(dst, '}')
	}
	r.out = dst
	c.Reply(http.StatusOK, c.Protocol.ContentType(), dst)
	return nil
}
