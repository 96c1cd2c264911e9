package edge

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
)

// unzip replaces Body by what it unpacks to, within what its service and the edge put up with. Room is reserved as it is needed, because a small body may become a large one.
func (c *Call) unzip() refusal {
	taker, _ := as[GzipTaker](c.service)
	limit := min(taker.GzipBytesMax(), c.edge.options.BodyBytesMax)
	malformed := refusal{status: http.StatusBadRequest, code: CodeMalformed, message: "The request's body is not what its Content-Encoding says."}
	packed, err := gzip.NewReader(bytes.NewReader(c.Body))
	if err != nil {
		return malformed
	}
	unpacked := make([]byte, 0, min(limit+1, smallBody))
	for {
		if len(unpacked) == cap(unpacked) {
			more := min(int64(cap(unpacked)), limit+1-int64(cap(unpacked)))
			if !c.edge.reserve(c.Ctx, more) {
				return refusal{status: http.StatusServiceUnavailable, code: CodeUnavailable, message: "Too many large requests at once, try again."}
			}
			c.reserved += more
			unpacked = append(make([]byte, 0, int64(cap(unpacked))+more), unpacked...)
		}
		n, err := packed.Read(unpacked[len(unpacked):cap(unpacked)])
		unpacked = unpacked[:len(unpacked)+n]
		switch {
		case int64(len(unpacked)) > limit:
			return tooLarge()
		case errors.Is(err, io.EOF):
			c.Body = unpacked
			return refusal{}
		case err != nil:
			return malformed
		}
	}
}
