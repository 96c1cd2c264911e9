package sigv4

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"hash"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// Body is a payload as it arrives: aws-chunked framing is taken off, and hashes and signatures are checked on the way, in bounded memory.
//
// Bytes are given before what covers them has been checked: a chunk's signature covers the chunk, the payload's hash all of it. So
// nothing may become visible of a Body until it has ended with io.EOF, which means that everything was checked and fits.
type Body struct {
	from   *bufio.Reader // with framing only
	plain  io.Reader     // what is read when there is no framing
	header http.Header

	stated string    // the hash of the whole, framing included, as the request states it; empty when it is not to be checked
	sum    hash.Hash // of what has come; nil when stated is empty

	// With framing.
	chunked   bool
	signer    *chunkSigner // nil when chunks are not signed
	chunkSum  hash.Hash    // of the chunk so far; nil without signer
	left      uint64       // bytes of the chunk that are still to come
	started   bool         // a chunk's header was read
	signature string       // of the chunk under way

	got     int64 // bytes given
	trailer http.Header
	err     error // how it ended; io.EOF when everything fits
}

// streamLineMax is the longest line between chunks: sizes and signatures take a hundred bytes, trailers a few hundred.
const streamLineMax = 8 << 10

// streamTrailersMax is how many trailers there may be. S3 knows one checksum and the signature.
const streamTrailersMax = 16

// VerifyStream checks that the holder of the secret behind from signed this request near enough to now, and gives its body to be read, which is where the rest
// of the signature is checked. The request must state its payload's hash, or a word for it: S3 requires that of signatures in
// headers, and presigned URLs imply one. Errors, also those of the Body, are *Error, or what reading body gives.
func (v *Verifier) VerifyStream(r *http.Request, a *Auth, from *KeyState, body io.Reader, now time.Time) (*Body, error) {
	if a.PayloadHash == "" && !(a.Presigned && IsS3(a.Service)) {
		return nil, invalid("Missing required header for this request: x-amz-content-sha256")
	}
	hash, _ := a.payloadHash(nil)
	s := new(scratch) // the body's own: it may live for hours
	key, claimed, err := v.verifyHead(s, r, a, from, &hash, now)
	if err != nil {
		return nil, err
	}
	b := newBody(r.Header, a, body, isSigned(a.SignedHeaders, "Content-Encoding"))
	if b.chunked && (a.PayloadHash == streamingSigned || a.PayloadHash == streamingSignedTrailer) {
		b.signer = &chunkSigner{auth: a, key: &key, previous: claimed, scratch: s}
		b.chunkSum = sha256.New()
	}
	return b, nil
}

// StreamUnsigned gives a body to be read without looking at signatures, for those who believe everyone. Framing and the payload's hash are checked.
func StreamUnsigned(r *http.Request, a *Auth, body io.Reader) *Body {
	return newBody(r.Header, a, body, true)
}

// newBody reads the framing that the payload's hash, or a Content-Encoding that counts, announces.
func newBody(h http.Header, a *Auth, body io.Reader, encodingCounts bool) *Body {
	b := &Body{header: h, plain: body}
	if len(a.PayloadHash) == 2*sha256.Size {
		b.stated, b.sum = a.PayloadHash, sha256.New()
	}
	if strings.HasPrefix(a.PayloadHash, "STREAMING-") || encodingCounts && hasChunkedEncoding(h) {
		b.chunked = true
		if b.sum != nil { // the framing is under the hash, too
			body = io.TeeReader(body, b.sum)
		}
		b.from = bufio.NewReaderSize(body, 2*streamLineMax)
	}
	return b
}

// Trailer is what followed the last chunk, once the body has ended.
func (b *Body) Trailer() http.Header { return b.trailer }

// Read gives the next bytes of the payload.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	var n int
	if b.chunked {
		n, b.err = b.readChunk(p)
	} else {
		n, b.err = b.readPlain(p)
	}
	b.got += int64(n)
	if errors.Is(b.err, io.EOF) && b.chunked {
		b.err = b.end()
	}
	return n, b.err
}

func (b *Body) readPlain(p []byte) (int, error) {
	n, err := b.plain.Read(p)
	if b.sum == nil {
		return n, err
	}
	_, _ = b.sum.Write(p[:n]) // a hash takes everything
	if errors.Is(err, io.EOF) && !b.hashFits() {
		return n, ErrPayloadHash
	}
	return n, err
}

// hashFits says whether the payload, which has ended, has the hash that was stated, if one was.
func (b *Body) hashFits() bool {
	var stated [sha256.Size]byte
	return b.sum == nil || decodeDigest(&stated, b.stated) && subtle.ConstantTimeCompare(stated[:], b.sum.Sum(nil)) == 1
}

// readChunk gives bytes of one chunk, going on to the next when there are none left. io.EOF comes behind the last chunk.
func (b *Body) readChunk(p []byte) (int, error) {
	for b.left == 0 {
		last, err := b.nextChunk()
		if err != nil {
			return 0, err
		}
		if last {
			return 0, io.EOF
		}
	}
	if uint64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.from.Read(p)
	if errors.Is(err, io.EOF) {
		err = malformed("the last chunk is cut short")
	}
	if b.chunkSum != nil {
		_, _ = b.chunkSum.Write(p[:n])
	}
	b.left -= uint64(n)
	return n, err
}

// nextChunk ends the chunk before and reads the header of the next; last when that one is the end.
func (b *Body) nextChunk() (last bool, err error) {
	if b.started {
		if err := b.endChunk(); err != nil {
			return false, err
		}
		if line, err := b.line(); err != nil || line != "" {
			return false, orMalformed(err, "a chunk does not end where its size says")
		}
	}
	line, err := b.line()
	if err != nil {
		return false, orMalformed(err, "a chunk has no header")
	}
	sizeText, extension, _ := strings.Cut(line, ";")
	if b.left, err = strconv.ParseUint(sizeText, 16, 62); err != nil {
		b.left = 0
		return false, malformed("a chunk's size is not a hexadecimal number")
	}
	b.started = true
	if b.signer != nil {
		var signed bool
		if b.signature, signed = strings.CutPrefix(extension, "chunk-signature="); !signed {
			return false, malformed("a chunk is not signed")
		}
		b.chunkSum.Reset()
	}
	if b.left > 0 {
		return false, nil
	}
	return true, b.endChunk()
}

// endChunk checks the signature of the chunk that has been read.
func (b *Body) endChunk() error {
	if b.signer == nil {
		return nil
	}
	var digest [sha256.Size]byte
	b.chunkSum.Sum(digest[:0])
	if !b.signer.checkDigest("AWS4-HMAC-SHA256-PAYLOAD\n", true, digest, b.signature) {
		return ErrMismatch
	}
	return nil
}

// line reads up to a line's end, which chunks spell CRLF.
func (b *Body) line() (string, error) {
	line, err := b.from.ReadSlice('\n')
	if err != nil || len(line) > streamLineMax {
		if err == nil || errors.Is(err, bufio.ErrBufferFull) {
			err = malformed("a line between chunks is too long")
		}
		return "", err
	}
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok {
		return "", malformed("a line between chunks does not end with CRLF")
	}
	return text, nil
}

// orMalformed keeps what reading gave, and gives the end of the body, and nothing at all, the name of what it broke.
func orMalformed(err error, text string) error {
	if err == nil || errors.Is(err, io.EOF) {
		return malformed(text)
	}
	return err
}

// end reads the trailers and gives io.EOF when everything fits.
func (b *Body) end() error {
	var signed []byte
	var signature string
	for n := 0; ; n++ {
		line, err := b.from.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			break
		}
		if err != nil || n > streamTrailersMax || len(line) > streamLineMax {
			if err == nil || errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull) {
				err = malformed("its trailers are too many, too long or have no end")
			}
			return err
		}
		text := strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r")
		if text == "" {
			if err := b.nothingMore(); err != nil {
				return err
			}
			break
		}
		name, value, ok := strings.Cut(text, ":")
		name, value = strings.ToLower(strings.Trim(name, " \t")), strings.Trim(value, " \t")
		switch {
		case !ok || name == "":
			return malformed("a trailer is not of the form name:value")
		case signature != "":
			return malformed("a trailer follows the signature of the trailers")
		case name == trailerSignature:
			signature = value
			continue
		}
		if b.trailer == nil {
			b.trailer = make(http.Header)
		}
		b.trailer.Add(textproto.CanonicalMIMEHeaderKey(name), value)
		signed = append(append(append(append(signed, name...), ':'), value...), '\n')
	}
	if b.signer != nil && (b.trailer != nil || signature != "" || b.signer.auth.PayloadHash == streamingSignedTrailer) &&
		!b.signer.check("AWS4-HMAC-SHA256-TRAILER\n", false, signed, signature) {
		return ErrMismatch
	}
	if stated := firstHeader(b.header, "X-Amz-Decoded-Content-Length"); stated != "" && stated != strconv.FormatInt(b.got, 10) {
		return malformed("it holds " + strconv.FormatInt(b.got, 10) + " bytes, and X-Amz-Decoded-Content-Length says " + strconv.Quote(stated))
	}
	if !b.hashFits() {
		return ErrPayloadHash
	}
	return io.EOF
}

// nothingMore is the rest behind the empty line: nothing, or one more.
func (b *Body) nothingMore() error {
	rest, err := io.ReadAll(io.LimitReader(b.from, int64(len(crlf))+1))
	if err != nil {
		return err
	}
	if len(rest) > 0 && string(rest) != string(crlf) {
		return malformed("something follows its end")
	}
	return nil
}
