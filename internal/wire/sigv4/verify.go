package sigv4

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// Verifier checks signatures and remembers the keys that it derived on the way. The zero value is ready. Safe for concurrent use.
type Verifier struct {
	cache keyCache
}

// Verify checks that the holder of the secret behind from signed this request and body, near enough to now, and gives the body to act on.
// An aws-chunked body is unframed in place. Errors are *Error.
//
// now is real time. The signature and the payload's hash are compared in constant time.
func (v *Verifier) Verify(r *http.Request, a *Auth, from *KeyState, body []byte, now time.Time) (Payload, error) {
	hash, bodyHashed := a.payloadHash(body)
	s := scratches.Get().(*scratch)
	defer s.release()
	key, claimed, err := v.verifyHead(s, r, a, from, &hash, now)
	if err != nil {
		return Payload{}, err
	}
	if !bodyHashed && len(a.PayloadHash) == 2*sha256.Size {
		var stated [sha256.Size]byte
		actual := sha256.Sum256(body)
		if !decodeDigest(&stated, a.PayloadHash) || subtle.ConstantTimeCompare(stated[:], actual[:]) != 1 {
			return Payload{}, ErrMismatch
		}
	}
	return a.unframe(r.Header, body, &chunkSigner{auth: a, key: &key, previous: claimed, scratch: s})
}

// verifyHead checks everything about a signature but the body, for whose hash the last line of the canonical request stands. It gives the signing
// key and the signature, from which the signatures of chunks go on.
func (v *Verifier) verifyHead(s *scratch, r *http.Request, a *Auth, from *KeyState, hash *hexOrWord, now time.Time) (key, claimed [sha256.Size]byte, err error) {
	if err := a.checkTime(now); err != nil {
		return key, claimed, err
	}
	if err := a.checkCoverage(r); err != nil {
		return key, claimed, err
	}
	if err := a.checkPayloadWord(); err != nil {
		return key, claimed, err
	}
	if !decodeDigest(&claimed, a.Signature) {
		return key, claimed, ErrMismatch
	}
	name := scope{a.AccessKeyID, a.ScopeDate, a.Region, a.Service}
	key, cached := v.cache.get(name, from)
	if !cached {
		key = deriveKey(from, name)
	}
	if !s.matches(r, a, &key, hash, &claimed) {
		return key, claimed, ErrMismatch
	}
	if !cached {
		v.cache.put(name, from, key)
	}
	return key, claimed, nil
}

// hexOrWord is a payload's hash as it enters the canonical request: 64 digits, or one of the words that stand for none.
type hexOrWord struct {
	word string
	hex  [2 * sha256.Size]byte
}

func (h *hexOrWord) append(b []byte) []byte {
	if h.word != "" {
		return append(b, h.word...)
	}
	return append(b, h.hex[:]...)
}

// payloadHash is the last line of the canonical request, and whether the body was hashed for it.
func (a *Auth) payloadHash(body []byte) (h hexOrWord, hashed bool) {
	if a.PayloadHash != "" {
		h.word = a.PayloadHash
		return h, false
	}
	if a.Presigned && IsS3(a.Service) {
		h.word = UnsignedPayload
		return h, false
	}
	digest := sha256.Sum256(body)
	hex.Encode(h.hex[:], digest[:])
	return h, true
}

// checkPayloadWord refuses a payload hash that is neither a hash nor a word we know: it would leave the body unsigned unsaid.
func (a *Auth) checkPayloadWord() error {
	switch a.PayloadHash {
	case "", UnsignedPayload, streamingSigned, streamingSignedTrailer, streamingUnsignedTrailer:
		return nil
	}
	var digest [sha256.Size]byte
	if !decodeDigest(&digest, a.PayloadHash) {
		return invalid("x-amz-content-sha256 must be %s, %s, %s, %s, or a valid sha256 value.",
			UnsignedPayload, streamingUnsignedTrailer, streamingSigned, streamingSignedTrailer)
	}
	return nil
}

// checkTime refuses signatures made too long ago or ahead, and scopes of another day than the signature's.
func (a *Auth) checkTime(now time.Time) error {
	if len(a.Date) < 8 || a.ScopeDate != a.Date[:8] {
		return invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%.8s', from '%s'.",
			a.ScopeDate, a.Date, a.Date)
	}
	skew := skewMax
	if IsS3(a.Service) {
		skew = skewMaxS3
	}
	minutes := int(skew / time.Minute)
	stamp := func(t time.Time) string { return t.UTC().Format(basicFormat) }
	if earliest := now.Add(-skew); a.Expires == 0 && a.Time.Before(earliest.Truncate(time.Second)) {
		return invalid("Signature expired: %s is now earlier than %s (%s - %d min.)", a.Date, stamp(earliest), stamp(now), minutes)
	}
	if end := a.Time.Add(a.Expires); a.Expires > 0 && now.After(end) {
		return invalid("Signature expired: %s is now earlier than %s", stamp(end), stamp(now))
	}
	if latest := now.Add(skew); a.Time.After(latest) {
		return invalid("Signature not yet current: %s is still later than %s (%s + %d min.)", a.Date, stamp(latest), stamp(now), minutes)
	}
	return nil
}

// checkCoverage refuses signatures that leave out the host, or a header that changes what the request means.
func (a *Auth) checkCoverage(r *http.Request) error {
	if !isSigned(a.SignedHeaders, "Host") {
		return invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") && !isSigned(a.SignedHeaders, name) {
			return invalid("There were headers present in the request which were not signed: %s", strings.ToLower(name))
		}
	}
	return nil
}

// matches compares the claimed signature with ours under each reading of the path.
func (s *scratch) matches(r *http.Request, a *Auth, key *[sha256.Size]byte, payloadHash *hexOrWord, claimed *[sha256.Size]byte) bool {
	var first [sha256.Size]byte
	for i, path := range paths(a.Service) {
		s.canonicalRequest(r, a, path, payloadHash)
		request := sha256.Sum256(s.buf)
		if i == 0 {
			first = request
		} else if request == first {
			return false // the same reading again
		}
		b := append(s.buf[:0], algorithm+"\n"...)
		b = a.appendDateAndScope(b)
		b = appendHex(b, request[:])
		s.buf = b
		ours := hmacSHA256(key[:], b)
		if subtle.ConstantTimeCompare(ours[:], claimed[:]) == 1 {
			return true
		}
	}
	return false
}

// appendDateAndScope writes the second and third line of every string to sign.
func (a *Auth) appendDateAndScope(b []byte) []byte {
	b = append(b, a.Date...)
	b = append(b, '\n')
	for _, part := range [...]string{a.ScopeDate, a.Region, a.Service} {
		b = append(b, part...)
		b = append(b, '/')
	}
	return append(b, terminator+"\n"...)
}

// decodeDigest reads 64 lower-case hexadecimal digits, the only spelling there is of a signature.
func decodeDigest(digest *[sha256.Size]byte, s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	var room [2 * sha256.Size]byte
	for i := range room {
		if room[i] = s[i]; 'A' <= s[i] && s[i] <= 'F' {
			return false
		}
	}
	_, err := hex.Decode(digest[:], room[:])
	return err == nil
}
