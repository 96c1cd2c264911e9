package sigv4_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// verifyStream is what a server does with a request whose body it does not hold. slow shapes how the body arrives.
func verifyStream(raw []byte, at time.Time, slow func(io.Reader) io.Reader) ([]byte, http.Header, error) {
	r, body, err := receive(raw)
	if err != nil {
		return nil, nil, err
	}
	a, err := sigv4.Parse(r)
	if err != nil {
		return nil, nil, err
	}
	var v sigv4.Verifier
	b, err := v.VerifyStream(r, &a, state(secret), slow(bytes.NewReader(body)), at)
	if err != nil {
		return nil, nil, err
	}
	payload, err := io.ReadAll(b)
	return payload, b.Trailer(), err
}

func atOnce(r io.Reader) io.Reader { return r }

// A streamed body gives what a held one gives, however it arrives; and no byte of it can be changed, chunk signatures and trailers included.
func TestStreamedBodies(t *testing.T) {
	long := strings.Repeat("a", 70_000)
	for _, row := range []struct {
		name, word string
		chunks     []string
		trailer    string
	}{
		{"one chunk", signedChunks, []string{"hello"}, ""},
		{"several", signedChunks, []string{long, strings.Repeat("b", 8192), "c"}, ""},
		{"empty", signedChunks, nil, ""},
		{"signed trailer", signedTrailer, []string{"hello", "world"}, "x-amz-checksum-crc32c:sOO8/Q=="},
		{"unsigned with trailer", unsignedTrailer, []string{"hello", long}, "x-amz-checksum-crc32:DUoRhQ=="},
	} {
		t.Run(row.name, func(t *testing.T) {
			raw := chunkedWire(t, row.word, row.chunks, row.trailer)
			for name, slow := range map[string]func(io.Reader) io.Reader{
				"at once": atOnce, "byte by byte": iotest.OneByteReader, "halves": iotest.HalfReader, "the end with the last bytes": iotest.DataErrReader,
			} {
				payload, trailer, err := verifyStream(raw, signedAt, slow)
				if err != nil || string(payload) != strings.Join(row.chunks, "") {
					t.Fatalf("%s: %d bytes, %v", name, len(payload), err)
				}
				if name, value, ok := strings.Cut(row.trailer, ":"); ok && trailer.Get(name) != value {
					t.Errorf("trailer %v", trailer)
				}
			}
			if row.word == unsignedTrailer {
				return
			}
			head := bytes.Index(raw, []byte("\r\n\r\n")) + 4
			step := max(1, (len(raw)-head)/300)
			for i := head; i < len(raw); i += step {
				changed := bytes.Clone(raw)
				changed[i] ^= 1
				if _, _, err := verifyStream(changed, signedAt, atOnce); err == nil {
					t.Fatalf("byte %d: %q instead of %q was accepted", i, changed[i], raw[i])
				}
			}
			for cut := head; cut < len(raw)-4; cut += step {
				r, _, err := receive(raw)
				if err != nil {
					t.Fatal(err)
				}
				a, _ := sigv4.Parse(r)
				var v sigv4.Verifier
				b, err := v.VerifyStream(r, &a, state(secret), bytes.NewReader(raw[head:cut]), signedAt)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadAll(b); err == nil {
					t.Fatalf("a body cut at byte %d of %d was accepted", cut-head, len(raw)-head)
				}
			}
		})
	}
}

// A stated hash is checked at the end, a word for none is believed, and a header signature that states neither is refused.
func TestStreamedHash(t *testing.T) {
	q := asked{method: "PUT", url: "http://example.com/bucket/key", service: "s3", body: "content",
		payloadHash: "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"}
	raw := q.wire(t)
	if payload, _, err := verifyStream(raw, signedAt, atOnce); err != nil || string(payload) != "content" {
		t.Errorf("%q, %v", payload, err)
	}
	raw[len(raw)-1] ^= 1
	if _, _, err := verifyStream(raw, signedAt, atOnce); code(err) != sigv4.CodePayloadHash {
		t.Errorf("another body: %v", err)
	}
	q.payloadHash = sigv4.UnsignedPayload
	if payload, _, err := verifyStream(q.wire(t), signedAt, atOnce); err != nil || string(payload) != "content" {
		t.Errorf("unsigned: %q, %v", payload, err)
	}
	broken := errors.New("broken")
	r, _, err := receive(q.wire(t))
	if err != nil {
		t.Fatal(err)
	}
	a, _ := sigv4.Parse(r)
	if _, err := io.ReadAll(sigv4.StreamUnsigned(r, &a, iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a connection that broke: %v", err)
	}
	presigned := asked{method: "PUT", url: "http://example.com/k", service: "lambda", body: "content", presign: true}
	if _, _, err := verifyStream(presigned.wire(t), signedAt, atOnce); code(err) != sigv4.CodeInvalid {
		t.Errorf("a presigned URL of another service, whose body would be unsigned: %v", err)
	}
	plain := asked{method: "POST", url: "http://example.com/", service: "kinesis", body: "content"}
	if _, _, err := verifyStream(plain.wire(t), signedAt, atOnce); code(err) != sigv4.CodeInvalid {
		t.Errorf("without x-amz-content-sha256: %v", err)
	}
}

// FuzzStream: no body panics, and a stream gives what unframing the whole gives: the same bytes, or a refusal likewise.
func FuzzStream(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"))
	f.Add([]byte("3;chunk-signature=00\r\nabc\r\n0;chunk-signature=00\r\n\r\n"))
	f.Add([]byte("0\r\n\r\n\r\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		h := http.Header{"Content-Encoding": {"aws-chunked"}}
		b := sigv4.StreamUnsigned(&http.Request{Header: h}, &sigv4.Auth{}, iotest.HalfReader(bytes.NewReader(body)))
		streamed, streamErr := io.ReadAll(b)
		whole, err := sigv4.Unframe(h, bytes.Clone(body))
		strict := bytes.Count(body, []byte("\n")) != bytes.Count(body, []byte("\r\n")) // a stream puts up with fewer spellings of a line's end
		if !strict && len(body) < 4<<10 && bytes.Count(body, []byte("\n")) < 16 && (err == nil) != (streamErr == nil) {
			t.Fatalf("%q: whole %v, streamed %v", body, err, streamErr)
		}
		if err == nil && streamErr == nil && !bytes.Equal(whole.Body, streamed) {
			t.Fatalf("%q: whole %q, streamed %q", body, whole.Body, streamed)
		}
	})
}
