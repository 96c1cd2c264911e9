package sigv4_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// The SDK's signer is the oracle: what it signs, sent over a wire and read by net/http as a server reads it, must verify; and the
// same bytes with anything changed must not.

const (
	keyID  = "AKIAIOSFODNN7EXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

var signedAt = time.Date(2026, 11, 18, 13, 14, 15, 0, time.UTC)

// asked is one request to be signed.
type asked struct {
	method, url, service string
	header               http.Header
	body                 string
	token                string
	payloadHash          string // also sent as X-Amz-Content-Sha256; empty signs the body's own hash and sends none
	presign              bool
	expires              int // X-Amz-Expires of a presigned URL
}

func (q asked) hash() string {
	if q.payloadHash != "" {
		return q.payloadHash
	}
	sum := sha256.Sum256([]byte(q.body))
	return hex.EncodeToString(sum[:])
}

// wire signs and serialises: the bytes a client would send.
func (q asked) wire(t testing.TB) []byte {
	t.Helper()
	r, err := http.NewRequest(q.method, q.url, strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range q.header {
		r.Header[name] = values
	}
	if q.payloadHash != "" {
		r.Header.Set("X-Amz-Content-Sha256", q.payloadHash)
	}
	credentials := aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret, SessionToken: q.token}
	s3 := func(o *v4.SignerOptions) { o.DisableURIPathEscaping = q.service == "s3" }
	signer := v4.NewSigner(s3)
	if q.presign {
		if q.expires > 0 {
			query := r.URL.Query()
			query.Set("X-Amz-Expires", fmt.Sprint(q.expires))
			r.URL.RawQuery = query.Encode()
		}
		signed, _, err := signer.PresignHTTP(context.Background(), credentials, r, q.hash(), q.service, "eu-central-1", signedAt)
		if err != nil {
			t.Fatal(err)
		}
		if r.URL, err = url.Parse(signed); err != nil {
			t.Fatal(err)
		}
	} else if err := signer.SignHTTP(context.Background(), credentials, r, q.hash(), q.service, "eu-central-1", signedAt); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// receive reads a request off the wire as a server does.
func receive(raw []byte) (*http.Request, []byte, error) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(r.Body)
	return r, body, err
}

// verify is what a server does with the bytes of a request.
func verify(raw []byte, at time.Time) (sigv4.Auth, sigv4.Payload, error) {
	r, body, err := receive(raw)
	if err != nil {
		return sigv4.Auth{}, sigv4.Payload{}, err
	}
	a, err := sigv4.Parse(r)
	if err != nil {
		return a, sigv4.Payload{}, err
	}
	if a.AccessKeyID != keyID {
		return a, sigv4.Payload{}, sigv4.ErrUnrecognizedClient
	}
	var v sigv4.Verifier
	p, err := v.Verify(r, &a, state(secret), body, at)
	return a, p, err
}

var oracleTable = []struct {
	name string
	asked
}{
	{"kinesis json", asked{method: "POST", url: "http://127.0.0.1:4566/", service: "kinesis", body: `{"StreamName":"toll"}`,
		header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"Kinesis_20131202.DescribeStream"}}}},
	{"empty body", asked{method: "GET", url: "http://example.com/", service: "monitoring"}},
	{"session token", asked{method: "POST", url: "http://example.com/", service: "kinesis", body: "x", token: "AQoDYXdzEPT//////////wEXAMPLE=="}},
	{"header spaces", asked{method: "POST", url: "http://example.com/", service: "kinesis", body: "x",
		header: http.Header{"X-Weir": {"  several   words \t here  "}}}},
	{"several values", asked{method: "POST", url: "http://example.com/", service: "kinesis", body: "x",
		header: http.Header{"X-Weir": {"b", " a ", "b"}}}},
	{"expect and user agent are left out", asked{method: "POST", url: "http://example.com/", service: "kinesis", body: "x",
		header: http.Header{"Expect": {"100-continue"}, "User-Agent": {"someone/1.0"}}}},
	{"query order", asked{method: "GET", url: "http://example.com/?b=2&a=x&a-b=1&a=%2F&a=-&A=&c", service: "lambda"}},
	{"query encodings", asked{method: "GET", url: "http://example.com/?q=a+b%20c%2b~%c3%a9&%7Ek=*", service: "lambda"}},
	{"path is encoded twice", asked{method: "GET", url: "http://example.com/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Af/invocations", service: "lambda"}},
	{"path with empty segments", asked{method: "GET", url: "http://example.com/a//b/./c/", service: "lambda"}},
	{"s3 key", asked{method: "PUT", url: "http://example.com/bucket/a%20b/c+d/%C3%A9(1)=x", service: "s3", body: "content",
		payloadHash: "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"}},
	{"s3 double slash", asked{method: "GET", url: "http://example.com/bucket//a/../b", service: "s3"}},
	{"s3 unsigned payload", asked{method: "PUT", url: "http://example.com/bucket/key", service: "s3", body: "anything", payloadHash: sigv4.UnsignedPayload}},
	{"s3 presigned", asked{method: "GET", url: "http://example.com/bucket/key?versionId=3", service: "s3", payloadHash: sigv4.UnsignedPayload, presign: true, expires: 900}},
	{"presigned with token", asked{method: "GET", url: "http://example.com/?Action=GetCallerIdentity&Version=2011-06-15", service: "sts", token: "tok/en+=", presign: true}},
	{"kinesis body with its hash", asked{method: "POST", url: "http://example.com/", service: "kinesis", body: "content",
		payloadHash: "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"}},
}

func TestVerifiesWhatTheSDKSigns(t *testing.T) {
	for _, row := range oracleTable {
		t.Run(row.name, func(t *testing.T) {
			raw := row.wire(t)
			a, p, err := verify(raw, signedAt.Add(time.Minute))
			if err != nil {
				t.Fatalf("%v\n%s", err, raw)
			}
			if string(p.Body) != row.body {
				t.Errorf("body %q, want %q", p.Body, row.body)
			}
			if a.Region != "eu-central-1" || a.Service != row.service || a.SecurityToken != row.token || a.Presigned != row.presign {
				t.Errorf("claim read as %+v", a)
			}
		})
	}
}

// Every byte of the signed part of a request is replaced by every other of a few that parse; none may verify. Bytes that mean the
// same in either spelling are left alone: header names and hexadecimal of escapes (case), spaces around values, and the separators of the Authorization header.
func TestEveryChangedByteIsRefused(t *testing.T) {
	for _, row := range oracleTable {
		t.Run(row.name, func(t *testing.T) {
			raw := row.wire(t)
			r, _, err := receive(raw)
			if err != nil {
				t.Fatal(err)
			}
			a, _ := sigv4.Parse(r)
			tried := 0
			for _, span := range signedSpans(raw, a.SignedHeaders, row.payloadHash != sigv4.UnsignedPayload) {
				for i := span[0]; i < span[1]; i++ {
					for _, c := range []byte("aA0z%/ =&;,") {
						changed := bytes.Clone(raw)
						if changed[i] = c; raw[i] == c || sameMeaning(raw, i, c) {
							continue
						}
						tried++
						if _, _, err := verify(changed, signedAt); err == nil {
							t.Fatalf("byte %d: %q instead of %q was accepted\n%s", i, c, raw[i], changed)
						}
					}
				}
			}
			if tried < 500 {
				t.Errorf("only %d changes were tried", tried)
			}
		})
	}
}

// signedSpans finds the byte ranges of a raw request that its signature covers: method and target, values of signed headers and of Authorization, the body.
func signedSpans(raw []byte, signedHeaders string, withBody bool) (spans [][2]int) {
	head := bytes.Index(raw, []byte("\r\n\r\n"))
	at := 0
	for n, line := range bytes.Split(raw[:head], []byte("\r\n")) {
		start, end := at, at+len(line)
		at = end + 2
		if n == 0 {
			spans = append(spans, [2]int{start, end - len(" HTTP/1.1")})
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		lower := strings.ToLower(string(name))
		if lower == "authorization" || strings.Contains(";"+signedHeaders+";", ";"+lower+";") {
			spans = append(spans, [2]int{end - len(value), end})
		}
	}
	if withBody {
		spans = append(spans, [2]int{head + 4, len(raw)})
	}
	return spans
}

// sameMeaning says whether replacing raw[i] by c leaves the request what it was.
func sameMeaning(raw []byte, i int, c byte) bool {
	old := raw[i]
	separator := func(b byte) bool { return b == ' ' || b == ',' }
	if bytes.HasPrefix(raw[bytes.LastIndexByte(raw[:i], '\n')+1:], []byte("Authorization:")) && separator(old) && separator(c) {
		return true
	}
	if old == '=' && c == '&' && (raw[i+1] == '&' || raw[i+1] == ' ') {
		return true // an empty value may have its sign or not
	}
	if old == '\t' && c == ' ' || old == '+' && c == ' ' {
		return true
	}
	if bytes.EqualFold([]byte{old}, []byte{c}) && (i > 1 && raw[i-1] == '%' || i > 2 && raw[i-2] == '%') {
		return true
	}
	return false
}

// Random requests, signed by the SDK: all verify, and with one random change of body, query or a header none does.
func TestRandomRequestsAgree(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	const alphabet = "abcXYZ019 -_.~!*'();:@&=+$,/?#[]%\"\\<>é\u2603"
	word := func(max int) string {
		runes := []rune(alphabet)
		var b strings.Builder
		for range rng.IntN(max) {
			b.WriteRune(runes[rng.IntN(len(runes))])
		}
		return b.String()
	}
	for i := range 500 {
		q := asked{method: []string{"GET", "POST", "PUT", "DELETE"}[rng.IntN(4)], service: []string{"kinesis", "s3", "lambda"}[rng.IntN(3)],
			header: http.Header{}, presign: rng.IntN(4) == 0, token: []string{"", "a+b/c=="}[rng.IntN(2)]}
		if q.method != "GET" {
			q.body = word(200)
		}
		u := url.URL{Scheme: "http", Host: []string{"localhost:4566", "kinesis.us-east-1.amazonaws.com"}[rng.IntN(2)], Path: "/" + strings.TrimLeft(word(20), "/")}
		query := url.Values{}
		for range rng.IntN(4) {
			query.Add(word(6), word(10))
		}
		if u.RawQuery = query.Encode(); q.presign {
			q.payloadHash = sigv4.UnsignedPayload
		}
		q.url = u.String()
		for _, name := range []string{"X-Weir-A", "Content-Type", "X-Amz-Target"} {
			if rng.IntN(2) == 0 && !q.presign {
				q.header[name] = []string{strings.Map(func(r rune) rune {
					if r > 126 {
						return -1
					}
					return r
				}, word(30))}
			}
		}
		raw := q.wire(t)
		if _, _, err := verify(raw, signedAt); err != nil {
			t.Fatalf("seed %d, request %d: %v\n%s", seed, i, err, raw)
		}
		if q.body != "" && !q.presign {
			raw[len(raw)-1] ^= 1
			if _, _, err := verify(raw, signedAt); err == nil {
				t.Fatalf("seed %d, request %d: a changed body was accepted\n%s", seed, i, raw)
			}
		}
	}
}

func code(err error) string {
	var e *sigv4.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}
