package kinesis

import (
	"net/http"
	"strconv"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/wire/cborproto"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// PutRecords writes up to 500 records, each to the shard its key hashes to.
//
// Source: API_PutRecords (read 2026-11). Shown by: TestPutRecords in test/aws.
// Partial failure: the call succeeds and answers record by record, in request order.
// Order: AWS promises none between the records of one call; here those of one shard keep the request's order.
// Acknowledged: on disk, as --durability says.
func (a *API) putRecords(c *edge.Call) error {
	return a.servePut(c, false, func(r *putRequest) error {
		in := new(shapes.PutRecordsInput)
		if err := decode(c, in); err != nil {
			return err
		}
		r.fill(in)
		return refuseStreamID(in.StreamId)
	}, a.replyPutRecords)
}

func (a *API) replyPutRecords(c *edge.Call, r *putRequest, p *streams.Put) error {
	var failed int
	for i := range r.entries {
		if err := p.Result(i).Err; err != nil {
			if fault.Is(err, fault.NotFound) {
				return err // the stream was deleted under our hands
			}
			a.note(c, err)
			failed++
		}
	}
	dst := r.out[:0]
	if c.Protocol == edge.CBOR11 {
		if p.Sealed() {
			dst = appendSealedCBOR(cborproto.AppendMapHeader(dst, 3))
		} else {
			dst = cborproto.AppendMapHeader(dst, 2)
		}
		dst = cborproto.AppendText(dst, "FailedRecordCount")
		dst = cborproto.AppendInt(dst, int64(failed))
		dst = cborproto.AppendText(dst, "Records")
		dst = cborproto.AppendArrayHeader(dst, len(r.entries))
	} else {
		dst = append(dst, `{"FailedRecordCount":`...)
		dst = strconv.AppendInt(dst, int64(failed), 10)
		dst = append(dst, `,"Records":[`...)
	}
	for i := range r.entries {
		result := p.Result(i)
		if c.Protocol == edge.CBOR11 {
			dst = appendResultCBOR(dst, result)
			continue
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendResultJSON(dst, result)
	}
	if c.Protocol != edge.CBOR11 {
		dst = append(dst, ']')
		if p.Sealed() {
			dst = append(dst, sealedJSON...)
		}
		dst = append(dst, '}')
	}
	r.out = dst
	c.Reply(http.StatusOK, c.Protocol.ContentType(), dst)
	return nil
}

func appendResultJSON(dst []byte, result streams.Result) []byte {
	if result.Err != nil {
		code, message := recordError(result)
		dst = append(dst, `{"ErrorCode":`...)
		dst = jsonproto.AppendString(dst, code)
		dst = append(dst, `,"ErrorMessage":`...)
		dst = jsonproto.AppendString(dst, message)
		return append(dst, '}')
	}
	dst = append(dst, `{"SequenceNumber":"`...)
	dst = result.Sequence.AppendTo(dst)
	dst = append(dst, `","ShardId":"`...)
	dst = append(dst, result.ShardID...)
	return append(dst, `"}`...)
}

func appendResultCBOR(dst []byte, result streams.Result) []byte {
	dst = cborproto.AppendMapHeader(dst, 2)
	if result.Err != nil {
		code, message := recordError(result)
		dst = cborproto.AppendText(dst, "ErrorCode")
		dst = cborproto.AppendText(dst, code)
		dst = cborproto.AppendText(dst, "ErrorMessage")
		return cborproto.AppendText(dst, message)
	}
	dst = cborproto.AppendText(dst, "SequenceNumber")
	dst = appendSequenceCBOR(dst, result.Sequence)
	dst = cborproto.AppendText(dst, "ShardId")
	return cborproto.AppendText(dst, result.ShardID)
}
