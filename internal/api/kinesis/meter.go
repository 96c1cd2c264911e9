package kinesis

import (
	"net/http"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/streams"
)

// metered counts the calls of an operation on a stream: a pointer, so that making it an edge.Meter takes no memory.
type metered streams.Calls

// Done counts one call.
func (m *metered) Done(e *edge.Event) {
	(*streams.Calls)(m).Add(e.Status == http.StatusOK && e.ErrorCode == "", e.Duration)
}

// count notes what became of a put's records, and whose calls the request is one of.
func count(c *edge.Call, p *streams.Put) {
	stats, t := p.Stats(), p.Tally()
	if t.Successful > 0 {
		stats.IncomingRecords.Add(int64(t.Successful))
		stats.IncomingBytes.Add(t.Bytes)
	}
	if t.Throttled > 0 {
		stats.WriteExceeded.Add(int64(t.Throttled))
	}
	if c.Operation == "PutRecord" {
		stats.PutRecordBytes.Add(t.Bytes)
		c.Meter = (*metered)(&stats.PutRecord)
		return
	}
	stats.PutRecordsBytes.Add(t.Bytes)
	stats.PutRecordsTotal.Add(int64(t.Successful + t.Throttled + t.Failed))
	stats.PutRecordsSuccessful.Add(int64(t.Successful))
	if t.Throttled > 0 {
		stats.PutRecordsThrottled.Add(int64(t.Throttled))
	}
	if t.Failed > 0 {
		stats.PutRecordsFailed.Add(int64(t.Failed))
	}
	c.Meter = (*metered)(&stats.PutRecords)
}
