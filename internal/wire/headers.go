package wire

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
)

// Headers of AWS answers.
const (
	HeaderRequestID  = "x-amzn-RequestId" // a UUID
	HeaderExtendedID = "x-amz-id-2"       // base64, for AWS's own support
	HeaderErrorType  = "x-amzn-ErrorType" // the code of an error
)

// extendedIDBytes is the length behind x-amz-id-2. AWS sends 64 to 80 bytes.
const extendedIDBytes = 72

// RequestID is a random UUID (version 4) as x-amzn-RequestId carries it. The source need not be secret: an id
// names a request and opens nothing. Sources are not safe for concurrent use unless they say so.
func RequestID(source rand.Source) string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], source.Uint64())
	binary.BigEndian.PutUint64(id[8:], source.Uint64())
	id[6] = id[6]&0x0f | 0x40 // RFC 9562 §5.4: version 4
	id[8] = id[8]&0x3f | 0x80 // and the variant
	var text [36]byte
	hex.Encode(text[0:8], id[0:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:36], id[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// ExtendedRequestID is random base64 as x-amz-id-2 carries it.
func ExtendedRequestID(source rand.Source) string {
	var id [extendedIDBytes]byte
	for i := 0; i < len(id); i += 8 {
		binary.BigEndian.PutUint64(id[i:], source.Uint64())
	}
	return base64.StdEncoding.EncodeToString(id[:])
}

// SetRequestIDs puts both ids into the headers of an answer and returns the request id, for the log.
func SetRequestIDs(h http.Header, source rand.Source) string {
	id := RequestID(source)
	h.Set(HeaderRequestID, id)
	h.Set(HeaderExtendedID, ExtendedRequestID(source))
	return id
}
