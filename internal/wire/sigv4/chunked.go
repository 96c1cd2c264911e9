package sigv4

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// An aws-chunked body, whole:
//
//	size in hex [ ;chunk-signature=SIG ] CRLF
//	size bytes                           CRLF     … any number of times, the last with size 0, which has no bytes of its own:
//	0 [ ;chunk-signature=SIG ]           CRLF
//	name:value                       LF | CRLF    … trailers, in the -TRAILER forms
//	x-amz-trailer-signature:SIG          CRLF     when chunks are signed and there are trailers
//	                                     CRLF
//
// Each chunk's signature covers its bytes and the signature before it, the first one the request's own; so chunks can be neither
// changed, moved nor left out. Anything else after the end, and anything missing before it, is refused as malformed.

// IsChunked says whether the body of a request is framed as aws-chunked, by its payload hash or its Content-Encoding.
func IsChunked(h http.Header, payloadHash string) bool {
	return strings.HasPrefix(payloadHash, "STREAMING-") || hasChunkedEncoding(h)
}

func hasChunkedEncoding(h http.Header) bool {
	for _, value := range h["Content-Encoding"] {
		for token := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(token), "aws-chunked") {
				return true
			}
		}
	}
	return false
}

// Unframe takes the aws-chunked framing off a body, in place, without looking at signatures. For those who believe everyone.
func Unframe(h http.Header, body []byte) (Payload, error) {
	return unframe(h, body, nil)
}

// unframe gives the payload of a body whose request has been verified.
func (a *Auth) unframe(h http.Header, body []byte, signer *chunkSigner) (Payload, error) {
	switch a.PayloadHash {
	case streamingSigned, streamingSignedTrailer:
		return unframe(h, body, signer)
	case streamingUnsignedTrailer:
		return unframe(h, body, nil)
	}
	if isSigned(a.SignedHeaders, "Content-Encoding") && hasChunkedEncoding(h) {
		return unframe(h, body, nil) // the framing itself is under the payload's hash, or was left unsigned on purpose
	}
	return Payload{Body: body}, nil
}

// chunkSigner checks one body's chain of chunk signatures.
type chunkSigner struct {
	auth     *Auth
	key      *[sha256.Size]byte
	previous [sha256.Size]byte
	scratch  *scratch
}

// check compares the signature of the next link. kind is the first line of its string to sign; withEmpty adds the line that chunks have and trailers have not.
func (c *chunkSigner) check(kind string, withEmpty bool, data []byte, signature string) bool {
	return c.checkDigest(kind, withEmpty, sha256.Sum256(data), signature)
}

// checkDigest is check for data of which only the digest is left.
func (c *chunkSigner) checkDigest(kind string, withEmpty bool, digest [sha256.Size]byte, signature string) bool {
	var claimed [sha256.Size]byte
	if !decodeDigest(&claimed, signature) {
		return false
	}
	b := append(c.scratch.buf[:0], kind...)
	b = c.auth.appendDateAndScope(b)
	b = append(appendHex(b, c.previous[:]), '\n')
	if withEmpty {
		b = append(b, emptyHash+"\n"...)
	}
	b = appendHex(b, digest[:])
	c.scratch.buf = b
	ours := hmacSHA256(c.key[:], b)
	c.previous = ours
	return subtle.ConstantTimeCompare(ours[:], claimed[:]) == 1
}

func malformed(text string) error {
	return &Error{CodeMalformed, "The aws-chunked body is malformed: " + text + "."}
}

func unframe(h http.Header, body []byte, signer *chunkSigner) (Payload, error) {
	out := body[:0]
	rest := body
	for {
		line, after, ok := bytes.Cut(rest, crlf)
		if !ok {
			return Payload{}, malformed("a chunk has no header")
		}
		rest = after
		sizeText, extension, _ := strings.Cut(string(line), ";")
		size, err := strconv.ParseUint(sizeText, 16, 62)
		if err != nil {
			return Payload{}, malformed("a chunk's size is not a hexadecimal number")
		}
		if size > uint64(len(rest)) {
			return Payload{}, malformed("the last chunk is cut short")
		}
		chunk := rest[:size]
		if signer != nil {
			signature, ok := strings.CutPrefix(extension, "chunk-signature=")
			if !ok {
				return Payload{}, malformed("a chunk is not signed")
			}
			if !signer.check("AWS4-HMAC-SHA256-PAYLOAD\n", true, chunk, signature) {
				return Payload{}, ErrMismatch
			}
		}
		rest = rest[size:]
		if size == 0 {
			break
		}
		if !bytes.HasPrefix(rest, crlf) {
			return Payload{}, malformed("a chunk does not end where its size says")
		}
		rest = rest[len(crlf):]
		out = append(out, chunk...) // moves down within body: out is always behind chunk
	}
	trailer, err := readTrailer(rest, signer)
	if err != nil {
		return Payload{}, err
	}
	if stated := firstHeader(h, "X-Amz-Decoded-Content-Length"); stated != "" && stated != strconv.Itoa(len(out)) {
		return Payload{}, malformed("it holds " + strconv.Itoa(len(out)) + " bytes, and X-Amz-Decoded-Content-Length says " + strconv.Quote(stated))
	}
	return Payload{Body: out, Trailer: trailer}, nil
}

var crlf = []byte("\r\n")

// trailerSignature is the trailer that signs the others.
const trailerSignature = "x-amz-trailer-signature"

// readTrailer reads the lines after the last chunk up to the empty one.
func readTrailer(rest []byte, signer *chunkSigner) (http.Header, error) {
	var trailer http.Header
	var signed []byte // "name:value\n" of each, as the client signed them
	var signature string
	for len(rest) > 0 {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok {
			return nil, malformed("a trailer has no end")
		}
		rest = after
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			if rest = bytes.TrimPrefix(rest, crlf); len(rest) > 0 {
				return nil, malformed("something follows its end")
			}
			break
		}
		name, value, ok := strings.Cut(string(line), ":")
		name, value = strings.ToLower(strings.Trim(name, " \t")), strings.Trim(value, " \t")
		if !ok || name == "" {
			return nil, malformed("a trailer is not of the form name:value")
		}
		if name == trailerSignature {
			signature = value
			continue
		}
		if signature != "" {
			return nil, malformed("a trailer follows the signature of the trailers")
		}
		if trailer == nil {
			trailer = make(http.Header)
		}
		trailer.Add(textproto.CanonicalMIMEHeaderKey(name), value)
		signed = append(append(append(append(signed, name...), ':'), value...), '\n')
	}
	if signer != nil && (trailer != nil || signature != "" || signer.auth.PayloadHash == streamingSignedTrailer) {
		if !signer.check("AWS4-HMAC-SHA256-TRAILER\n", false, signed, signature) {
			return nil, ErrMismatch
		}
	}
	return trailer, nil
}
