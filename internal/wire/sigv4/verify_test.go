package sigv4_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/wire/sigv4"
)

func request(header http.Header, target string) *http.Request {
	r, err := http.NewRequest("POST", "http://example.com"+target, nil)
	if err != nil {
		panic(err)
	}
	r.Header = header
	return r
}

// The texts are those that AWS answers, which people search the web for.
func TestParseRefusals(t *testing.T) {
	date := "20261118T131415Z"
	full := "AWS4-HMAC-SHA256 Credential=AKID/20261118/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=00"
	for _, row := range []struct {
		name, authorization, date, target, code, text string
	}{
		{"nothing", "", "", "/", sigv4.CodeMissingToken, "Missing Authentication Token"},
		{"query without algorithm", "", "", "/?X-Amz-Credential=a&X-Amz-Signature=b", sigv4.CodeMissingToken, "Missing Authentication Token"},
		{"junk", "X", "", "/", sigv4.CodeIncomplete, "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. " +
			"Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=X"},
		{"one part missing", "AWS4- Signature=b,Credential=a", date, "/", sigv4.CodeIncomplete,
			"Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4- Signature=b,Credential=a"},
		{"both places", full, date, "/?X-Amz-Algorithm", sigv4.CodeInvalid,
			"Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."},
		{"query with algorithm alone", "", "", "/?X-Amz-Algorithm", sigv4.CodeIncomplete, "AWS query-string parameters must include 'X-Amz-Algorithm'. " +
			"AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-Signature'. " +
			"AWS query-string parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."},
		{"another algorithm", strings.Replace(full, "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", 1), date, "/", sigv4.CodeIncomplete,
			"Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'."},
		{"short credential", strings.Replace(full, "/aws4_request", "", 1), date, "/", sigv4.CodeIncomplete,
			"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKID/20261118/us-east-1/kinesis'"},
		{"wrong end", strings.Replace(full, "aws4_request", "aws5_request", 1), date, "/", sigv4.CodeIncomplete,
			"Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'."},
		{"date of another form", full, "2026-11-18T13:14:15Z", "/", sigv4.CodeIncomplete,
			"Date must be in ISO-8601 'basic format'. Got '2026-11-18T13:14:15Z'. See http://en.wikipedia.org/wiki/ISO_8601"},
		{"whole", full, date, "/", "<nil>", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := http.Header{}
			if row.authorization != "" {
				h.Set("Authorization", row.authorization)
			}
			if row.date != "" {
				h.Set("X-Amz-Date", row.date)
			}
			_, err := sigv4.Parse(request(h, row.target))
			if code(err) != row.code {
				t.Fatalf("code %s, want %s", code(err), row.code)
			}
			var e *sigv4.Error
			if errors.As(err, &e) && e.Message != row.text {
				t.Errorf("text\n%s\nwant\n%s", e.Message, row.text)
			}
		})
	}
}

// What can be read of a broken claim is given beside the error.
func TestParseGivesWhatItCan(t *testing.T) {
	a, err := sigv4.Parse(request(http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=123456789012/20261118/eu-west-1/kinesis"}}, "/"))
	if err == nil || a.AccessKeyID != "123456789012" || a.Region != "eu-west-1" || a.Service != "kinesis" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestTimeOfSigning(t *testing.T) {
	base := asked{method: "POST", url: "http://example.com/", service: "kinesis", body: "x"}
	presigned := asked{method: "GET", url: "http://example.com/b/k", service: "s3", payloadHash: sigv4.UnsignedPayload, presign: true, expires: 3600}
	for _, row := range []struct {
		name string
		asked
		after time.Duration
		text  string // "" verifies
	}{
		{"now", base, 0, ""},
		{"five minutes late", base, 5 * time.Minute, ""},
		{"later", base, 5*time.Minute + time.Second, "Signature expired: 20261118T131415Z is now earlier than 20261118T131416Z (20261118T131916Z - 5 min.)"},
		{"five minutes early", base, -5 * time.Minute, ""},
		{"earlier", base, -5*time.Minute - time.Second, "Signature not yet current: 20261118T131415Z is still later than 20261118T131414Z (20261118T130914Z + 5 min.)"},
		{"presigned within its life", presigned, time.Hour, ""},
		{"presigned after it", presigned, time.Hour + time.Second, "Signature expired: 20261118T141415Z is now earlier than 20261118T141416Z"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, _, err := verify(row.wire(t), signedAt.Add(row.after))
			var e *sigv4.Error
			switch {
			case row.text == "" && err != nil:
				t.Error(err)
			case row.text != "" && (!errors.As(err, &e) || e.Code != sigv4.CodeInvalid || e.Message != row.text):
				t.Errorf("%v, want %q", err, row.text)
			}
		})
	}
}

// A signature that does not cover what gives the request its meaning is worth nothing.
func TestCoverage(t *testing.T) {
	raw := string(asked{method: "POST", url: "http://example.com/", service: "kinesis", body: "x"}.wire(t))
	for _, row := range []struct{ name, old, new, text string }{
		{"header added later", "\r\n\r\n", "\r\nX-Amz-Target: Kinesis_20131202.DeleteStream\r\n\r\n", "not signed: x-amz-target"},
		{"host left out", "SignedHeaders=content-length;host;", "SignedHeaders=content-length;", "'Host' or ':authority' must be"},
		{"scope of another day", "/20261118/", "/20261117/", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261117' != '20261118', from '20261118T131415Z'."},
		{"payload word nobody knows", "\r\n\r\n", "\r\nX-Amz-Content-Sha256: TRUST-ME\r\n\r\n", "not signed: x-amz-content-sha256"},
	} {
		t.Run(row.name, func(t *testing.T) {
			changed := strings.Replace(raw, row.old, row.new, 1)
			if changed == raw {
				t.Fatalf("nothing to change in\n%s", raw)
			}
			if _, _, err := verify([]byte(changed), signedAt); err == nil || !strings.Contains(err.Error(), row.text) {
				t.Errorf("%v, want %q", err, row.text)
			}
		})
	}
	signedWord := asked{method: "PUT", url: "http://example.com/b/k", service: "s3", body: "x", payloadHash: "TRUST-ME"}
	if _, _, err := verify(signedWord.wire(t), signedAt); err == nil || !strings.Contains(err.Error(), "x-amz-content-sha256 must be") {
		t.Errorf("an unknown payload word: %v", err)
	}
}

// A key that is remembered is not used for another secret under the same id, nor after the day has changed.
func TestRememberedKeys(t *testing.T) {
	var v sigv4.Verifier
	raw := asked{method: "POST", url: "http://example.com/", service: "kinesis", body: "x"}.wire(t)
	for i, row := range []struct {
		secret string
		want   string
	}{{secret, "<nil>"}, {secret, "<nil>"}, {"another", sigv4.CodeInvalid}, {secret, "<nil>"}} {
		r, body, err := receive(raw)
		if err != nil {
			t.Fatal(err)
		}
		a, err := sigv4.Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = v.Verify(r, &a, state(row.secret), body, signedAt); code(err) != row.want {
			t.Errorf("verification %d: %v, want %s", i, err, row.want)
		}
	}
}

// FuzzParse: no header and no query makes the parser panic, or lets a request without the secret through.
func FuzzParse(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKID/20261118/us-east-1/kinesis/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "20261118T131415Z", "a=b")
	f.Add("", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20261118%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20261118T131415Z&X-Amz-Expires=3&X-Amz-SignedHeaders=host&X-Amz-Signature="+strings.Repeat("0", 64))
	f.Add("AWS4-HMAC-SHA256 Credential=AKID/20261118/r/s/aws4_request,SignedHeaders=host;;;-,Signature="+strings.Repeat("f", 64), "Wed, 18 Nov 2026 13:14:15 GMT", "%zz=%&&;=+")
	f.Fuzz(func(t *testing.T, authorization, date, query string) {
		r := request(http.Header{}, "/a%20b")
		r.URL.RawQuery = query
		if authorization != "" {
			r.Header["Authorization"] = []string{authorization}
		}
		if date != "" {
			r.Header["X-Amz-Date"] = []string{date}
		}
		a, _ := sigv4.Parse(r)
		var v sigv4.Verifier
		if _, err := v.Verify(r, &a, state(secret), []byte("body"), signedAt); err == nil {
			t.Fatalf("accepted: %+v", a)
		}
	})
}

// The sketch: SHA-256 of the body is the work; beside it one canonical request of some 300 bytes, two short hashes for it, four
// for the HMAC, and no allocation.
func BenchmarkVerify(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"1.5KB", 1536}, {"700KB", 700 << 10}} {
		b.Run("body="+size.name, func(b *testing.B) {
			raw := asked{method: "POST", url: "http://127.0.0.1:4566/", service: "kinesis", body: strings.Repeat("x", size.bytes),
				header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"Kinesis_20131202.PutRecords"}}}.wire(b)
			r, body, err := receive(raw)
			if err != nil {
				b.Fatal(err)
			}
			var v sigv4.Verifier
			b.SetBytes(int64(size.bytes))
			b.ReportAllocs()
			for b.Loop() {
				a, err := sigv4.Parse(r)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := v.Verify(r, &a, state(secret), body, signedAt); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("floor/body="+size.name, func(b *testing.B) {
			body := make([]byte, size.bytes)
			b.SetBytes(int64(size.bytes))
			for b.Loop() {
				sha256.Sum256(body)
			}
		})
	}
}

// TestBenchedPathAllocates keeps the steady state what the benchmark says.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	raw := asked{method: "POST", url: "http://127.0.0.1:4566/", service: "kinesis", body: "{}",
		header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"Kinesis_20131202.PutRecords"}}}.wire(t)
	r, body, err := receive(raw)
	if err != nil {
		t.Fatal(err)
	}
	var v sigv4.Verifier
	allocated := testing.AllocsPerRun(100, func() {
		a, err := sigv4.Parse(r)
		if err == nil {
			_, err = v.Verify(r, &a, state(secret), body, signedAt)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if allocated > 2 {
		t.Errorf("%v allocations a verification", allocated)
	}
}

// state is what Verify wants of a secret. It is made once for each, as a server does.
func state(secret string) *sigv4.KeyState {
	if known, ok := states.Load(secret); ok {
		return known.(*sigv4.KeyState)
	}
	made := sigv4.NewKeyState(secret)
	states.Store(secret, &made)
	return &made
}

var states sync.Map // secret → *sigv4.KeyState

func hmacOf(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}
