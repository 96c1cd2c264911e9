package sigv4

import (
	"bytes"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The canonical request is what both sides hash:
//
//	METHOD \n path \n query \n header:value\n … \n signed;header;names \n payload hash
//
// Services other than S3 encode the path once more than it was sent; S3 encodes it exactly once. Query parameters are encoded,
// then sorted. Header values are trimmed, inner runs of spaces become one, several values are joined by commas.

// scratch is working memory of one verification.
type scratch struct {
	buf   []byte // the canonical request, then reused
	query []byte // encoded names and values, one after another
	pairs []pair
}

// pair places one parameter in scratch.query: name is [start:middle], value [middle:end].
type pair struct{ start, middle, end int }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// scratchMax is the largest scratch that is kept: headers of a megabyte are nobody's habit.
const scratchMax = 64 << 10

func (s *scratch) release() {
	if cap(s.buf) <= scratchMax && cap(s.query) <= scratchMax {
		scratches.Put(s)
	}
}

// canonicalRequest builds the canonical request with the path given, in s.buf.
func (s *scratch) canonicalRequest(r *http.Request, a *Auth, path func([]byte, *url.URL) []byte, payloadHash *hexOrWord) {
	b := s.buf[:0]
	b = append(b, r.Method...)
	b = append(b, '\n')
	b = path(b, r.URL)
	b = append(b, '\n')
	b = s.appendQuery(b, r.URL.RawQuery, a.Presigned)
	b = append(b, '\n')
	for rest := a.SignedHeaders; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, ";")
		b = append(b, name...)
		b = append(b, ':')
		b = appendHeader(b, r, name)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, a.SignedHeaders...)
	b = append(b, '\n')
	s.buf = payloadHash.append(b)
}

// paths are the readings of a path that clients sign, the documented one first. Two readings of one path differ only where it has
// empty or dot segments (botocore removes them, the Go SDK does not) or unusual encodings.
func paths(service string) [2]func([]byte, *url.URL) []byte {
	if IsS3(service) {
		return [2]func([]byte, *url.URL) []byte{
			func(b []byte, u *url.URL) []byte { return appendEncoded(b, orSlash(u.Path), true) },
			func(b []byte, u *url.URL) []byte { return append(b, orSlash(u.EscapedPath())...) },
		}
	}
	return [2]func([]byte, *url.URL) []byte{
		func(b []byte, u *url.URL) []byte { return appendEncoded(b, orSlash(u.EscapedPath()), true) },
		func(b []byte, u *url.URL) []byte { return appendEncoded(b, normalized(orSlash(u.EscapedPath())), true) },
	}
}

// IsS3 says whether a signing name belongs to S3, whose rules for paths and presigned payloads are its own.
func IsS3(service string) bool {
	return service == "s3" || service == "s3express" || service == "s3-object-lambda" || service == "s3-outposts"
}

func orSlash(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// normalized removes empty, "." and ".." segments, keeping a trailing slash (RFC 3986 §5.2.4).
func normalized(path string) string {
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path
	}
	var kept []string
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
		default:
			kept = append(kept, segment)
		}
	}
	clean := "/" + strings.Join(kept, "/")
	if strings.HasSuffix(path, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// appendEncoded percent-encodes all but the unreserved characters of RFC 3986, and slashes when keepSlash.
func appendEncoded(b []byte, s string, keepSlash bool) []byte {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		c := s[i]
		if unreserved[c] || c == '/' && keepSlash {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}

var unreserved = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~") {
		set[c] = true
	}
	return set
}()

// appendQuery writes the parameters, decoded and encoded anew, sorted by name and then value. The signature of a presigned URL is not part of what it signs.
func (s *scratch) appendQuery(b []byte, query string, presigned bool) []byte {
	if query == "" {
		return b
	}
	s.query, s.pairs = s.query[:0], s.pairs[:0]
	for query != "" {
		var one string
		one, query, _ = strings.Cut(query, "&")
		if one == "" {
			continue
		}
		name, value, _ := strings.Cut(one, "=")
		if presigned && name == "X-Amz-Signature" {
			continue
		}
		p := pair{start: len(s.query)}
		s.query = appendRecoded(s.query, name)
		p.middle = len(s.query)
		s.query = appendRecoded(s.query, value)
		p.end = len(s.query)
		s.pairs = append(s.pairs, p)
	}
	slices.SortFunc(s.pairs, func(x, y pair) int {
		if c := bytes.Compare(s.query[x.start:x.middle], s.query[y.start:y.middle]); c != 0 {
			return c
		}
		return bytes.Compare(s.query[x.middle:x.end], s.query[y.middle:y.end])
	})
	for i, p := range s.pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, s.query[p.start:p.middle]...)
		b = append(b, '=')
		b = append(b, s.query[p.middle:p.end]...)
	}
	return b
}

// appendRecoded decodes a query component and encodes it canonically. What does not decode is taken literally.
func appendRecoded(b []byte, s string) []byte {
	if strings.IndexByte(s, '%') >= 0 || strings.IndexByte(s, '+') >= 0 {
		if decoded, err := url.QueryUnescape(s); err == nil {
			s = decoded
		}
	}
	return appendEncoded(b, s, false)
}

// appendHeader writes the canonical value of a header, named as in SignedHeaders, looking where net/http put it.
func appendHeader(b []byte, r *http.Request, name string) []byte {
	switch name {
	case "host":
		return appendTrimmed(b, r.Host)
	case "content-length":
		if len(r.Header["Content-Length"]) == 0 && r.ContentLength >= 0 {
			return strconv.AppendInt(b, r.ContentLength, 10)
		}
	case "transfer-encoding":
		return appendValues(b, r.TransferEncoding)
	case "trailer":
		if values := r.Header["Trailer"]; len(values) > 0 {
			return appendValues(b, values)
		}
		names := make([]string, 0, len(r.Trailer))
		for trailer := range r.Trailer {
			names = append(names, trailer)
		}
		slices.Sort(names)
		return appendValues(b, names)
	}
	var room [64]byte
	return appendValues(b, r.Header[string(appendCanonicalName(room[:0], name))])
}

// appendCanonicalName writes a header's name the way net/http keys it: capitals at the start and after each hyphen.
func appendCanonicalName(b []byte, name string) []byte {
	upper := true
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case upper && 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		case !upper && 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		upper = c == '-'
		b = append(b, c)
	}
	return b
}

func appendValues(b []byte, values []string) []byte {
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTrimmed(b, v)
	}
	return b
}

// appendTrimmed writes a value without spaces at its ends and with single spaces inside.
func appendTrimmed(b []byte, v string) []byte {
	v = strings.Trim(v, " \t")
	if !strings.Contains(v, "  ") {
		return append(b, v...)
	}
	for i := 0; i < len(v); i++ {
		if v[i] == ' ' && v[i-1] == ' ' { // v[0] is no space
			continue
		}
		b = append(b, v[i])
	}
	return b
}

// isSigned says whether a header, named in canonical form, is listed in SignedHeaders.
func isSigned(list, name string) bool {
	for list != "" {
		var one string
		one, list, _ = strings.Cut(list, ";")
		if strings.EqualFold(one, name) {
			return true
		}
	}
	return false
}

func appendHex(b []byte, digest []byte) []byte { return hex.AppendEncode(b, digest) }
