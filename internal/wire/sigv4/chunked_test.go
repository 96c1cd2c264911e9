package sigv4_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/wire/sigv4"
)

const (
	signedChunks    = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// chunkedWire frames a body as aws-chunked and signs it link by link, from the S3 API Reference, with crypto/hmac.
func chunkedWire(t testing.TB, word string, chunks []string, trailer string) []byte {
	t.Helper()
	total := 0
	for _, c := range chunks {
		total += len(c)
	}
	header := http.Header{"Content-Encoding": {"aws-chunked"}, "X-Amz-Decoded-Content-Length": {fmt.Sprint(total)}}
	if trailer != "" {
		name, _, _ := strings.Cut(trailer, ":")
		header["X-Amz-Trailer"] = []string{name}
	}
	frame := func(seed string) string {
		key := []byte("AWS4" + secret)
		for _, part := range []string{"20261118", "eu-central-1", "s3", "aws4_request"} {
			key = hmacOf(key, []byte(part))
		}
		previous := seed
		link := func(kind, middle, data string) string {
			sum := sha256.Sum256([]byte(data))
			text := kind + "\n20261118T131415Z\n20261118/eu-central-1/s3/aws4_request\n" + previous + "\n" + middle + hex.EncodeToString(sum[:])
			previous = hex.EncodeToString(hmacOf(key, []byte(text)))
			return previous
		}
		empty := sha256.Sum256(nil)
		var b strings.Builder
		for _, c := range append(chunks, "") {
			fmt.Fprintf(&b, "%x", len(c))
			if word != unsignedTrailer {
				b.WriteString(";chunk-signature=" + link("AWS4-HMAC-SHA256-PAYLOAD", hex.EncodeToString(empty[:])+"\n", c))
			}
			if b.WriteString("\r\n" + c); c != "" {
				b.WriteString("\r\n")
			}
		}
		if trailer != "" {
			b.WriteString(trailer + "\r\n")
			if word == signedTrailer {
				b.WriteString("x-amz-trailer-signature:" + link("AWS4-HMAC-SHA256-TRAILER", "", trailer+"\n") + "\r\n")
			}
		}
		b.WriteString("\r\n")
		return b.String()
	}
	// The length of the framed body does not depend on the signatures in it, so it is signed first with a body of zeros.
	q := asked{method: "PUT", url: "http://example.com/bucket/key", service: "s3", header: header, payloadHash: word, body: frame(strings.Repeat("0", 64))}
	raw := q.wire(t)
	head := bytes.Index(raw, []byte("\r\n\r\n")) + 4
	_, after, _ := bytes.Cut(raw, []byte("Signature="))
	return append(raw[:head:head], frame(string(after[:64]))...)
}

func TestChunkedBodies(t *testing.T) {
	for _, row := range []struct {
		name, word string
		chunks     []string
		trailer    string
	}{
		{"one chunk", signedChunks, []string{"hello"}, ""},
		{"several", signedChunks, []string{strings.Repeat("a", 8192), strings.Repeat("b", 8192), "c"}, ""},
		{"empty", signedChunks, nil, ""},
		{"signed trailer", signedTrailer, []string{"hello", "world"}, "x-amz-checksum-crc32c:sOO8/Q=="},
		{"unsigned with trailer", unsignedTrailer, []string{"hello", "world"}, "x-amz-checksum-crc32:DUoRhQ=="},
	} {
		t.Run(row.name, func(t *testing.T) {
			raw := chunkedWire(t, row.word, row.chunks, row.trailer)
			_, p, err := verify(raw, signedAt)
			if err != nil {
				t.Fatalf("%v\n%s", err, raw)
			}
			if want := strings.Join(row.chunks, ""); string(p.Body) != want {
				t.Errorf("payload %q, want %q", p.Body, want)
			}
			if name, value, ok := strings.Cut(row.trailer, ":"); ok && p.Trailer.Get(name) != value {
				t.Errorf("trailer %v", p.Trailer)
			}
			if row.word == unsignedTrailer {
				return
			}
			head := bytes.Index(raw, []byte("\r\n\r\n")) + 4
			step := max(1, (len(raw)-head)/500)
			for i := head; i < len(raw); i += step {
				changed := bytes.Clone(raw)
				changed[i] ^= 1
				if _, _, err := verify(changed, signedAt); err == nil {
					t.Fatalf("byte %d: %q instead of %q was accepted", i, changed[i], raw[i])
				}
			}
		})
	}
}

// Whole chunks, each with a signature that is right for its place, cannot be left out, repeated or swapped.
func TestChunksKeepTheirOrder(t *testing.T) {
	raw := chunkedWire(t, signedChunks, []string{"first", "other"}, "")
	head := bytes.Index(raw, []byte("\r\n\r\n")) + 4
	chunk := len("5;chunk-signature=\r\n\r\n") + 64 + 5
	first, second, last := string(raw[head:head+chunk]), string(raw[head+chunk:head+2*chunk]), string(raw[head+2*chunk:])
	for name, body := range map[string]string{
		"swapped": second + first + last, "second missing": first + last, "first missing": second + last,
		"repeated": first + first + last, "no end": first + second, "only an end": last,
	} {
		changed := append(raw[:head:head], body...)
		changed = bytes.Replace(changed, fmt.Appendf(nil, "Content-Length: %d", len(raw)-head), fmt.Appendf(nil, "Content-Length: %d", len(body)), 1)
		if _, _, err := verify(changed, signedAt); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestUnframeRefusesBrokenFraming(t *testing.T) {
	for _, row := range []struct{ body, length, want string }{
		{"3\r\nabc\r\n0\r\n\r\n", "3", "<nil>"},
		{"3\r\nabc\r\n0\r\n", "3", "<nil>"}, // some clients leave the last line break out
		{"3\r\nabc\r\n0\r\n\r\n", "4", sigv4.CodeMalformed},
		{"3\r\nabc0\r\n\r\n", "", sigv4.CodeMalformed},
		{"4\r\nabc\r\n0\r\n\r\n", "", sigv4.CodeMalformed},
		{"ffffffffffffffff\r\nabc\r\n0\r\n\r\n", "", sigv4.CodeMalformed},
		{"-1\r\nabc\r\n0\r\n\r\n", "", sigv4.CodeMalformed},
		{"3\r\nabc\r\n0\r\n\r\nmore", "", sigv4.CodeMalformed},
		{"3\r\nabc\r\n0\r\nname\r\n\r\n", "", sigv4.CodeMalformed},
		{"3\r\nabc\r\n", "", sigv4.CodeMalformed},
		{"", "", sigv4.CodeMalformed},
	} {
		h := http.Header{}
		if row.length != "" {
			h.Set("X-Amz-Decoded-Content-Length", row.length)
		}
		if _, err := sigv4.Unframe(h, []byte(row.body)); code(err) != row.want {
			t.Errorf("%q: %v, want %s", row.body, err, row.want)
		}
	}
}

// FuzzUnframe: no body panics, and a payload is never longer than what carried it.
func FuzzUnframe(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"))
	f.Add([]byte("3;chunk-signature=00\r\nabc\r\n0;chunk-signature=00\r\n\r\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		size := len(body)
		if p, err := sigv4.Unframe(http.Header{}, body); err == nil && len(p.Body) > size {
			t.Fatalf("%d bytes out of %d", len(p.Body), size)
		}
	})
}
