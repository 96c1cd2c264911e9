package edge_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/edge"
)

// handler is an edge without listeners.
func handler(t testing.TB, o edge.Options) *edge.Edge {
	t.Helper()
	if o.Auth == nil {
		o.Auth = auth.Any{}
	}
	o.Logger = quiet
	e, err := edge.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var everyService = []edge.Service{
	kinesis(describe),
	service{"dynamodb", "DynamoDB_20120810", describe},
	service{"dynamodb", "DynamoDBStreams_20120810", describe},
	queryService{service{"monitoring", "GraniteServiceVersion20100801", describe}},
	queryService{service{"sns", "", describe}},
	pathService{service{"lambda", "", describe}, "/2015-03-31/"},
	service{"s3", "", describe},
}

const signedFor = "AWS4-HMAC-SHA256 Credential=test/20261118/eu-west-1/SERVICE/aws4_request, SignedHeaders=host, Signature=00"

// Who gets a request, in which protocol; and what a request hears that nobody gets.
func TestRoutes(t *testing.T) {
	const (
		json10, json11, cbor = "application/x-amz-json-1.0", "application/x-amz-json-1.1", "application/x-amz-cbor-1.1"
		form                 = "application/x-www-form-urlencoded"
		unknownXML           = "<UnknownOperationException/>\n"
		deniedXML            = "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n</AccessDeniedException>\n"
		unknownCBOR          = "\xa1\x66__type\x78\x19UnknownOperationException"
		serializationCBOR    = "\xa1\x66__type\x76SerializationException"
	)
	h := handler(t, edge.Options{Services: everyService})
	for _, row := range []struct {
		name, method, path, media, target, scope, body string
		status                                         int
		answerMedia, answer                            string
	}{
		{"json 1.1", "POST", "/", json11, "Kinesis_20131202.PutRecord", "kinesis", "{}", 200, "text/plain", "kinesis PutRecord json-1.1 000000000000 eu-west-1 [{}]"},
		{"parameters and spaces", "POST", "/", "  " + json11 + "  ;charset=utf-8", "Kinesis_20131202.PutRecord", "kinesis", "{}", 200, "text/plain", "kinesis PutRecord json-1.1 000000000000 eu-west-1 [{}]"},
		{"any path", "POST", "/whatever", json11, "Kinesis_20131202.PutRecord", "kinesis", "", 200, "text/plain", "kinesis PutRecord json-1.1 000000000000 eu-west-1 []"},
		{"cbor", "POST", "/", cbor, "Kinesis_20131202.PutRecord", "kinesis", "\xa0", 200, "text/plain", "kinesis PutRecord cbor-1.1 000000000000 eu-west-1 [\xa0]"},
		{"unsigned", "POST", "/", json10, "DynamoDB_20120810.GetItem", "", "{}", 200, "text/plain", "dynamodb GetItem json-1.0 000000000000 us-east-1 [{}]"},
		{"one name, two prefixes", "POST", "/", json10, "DynamoDBStreams_20120810.GetRecords", "dynamodb", "{}", 200, "text/plain", "dynamodb GetRecords json-1.0 000000000000 eu-west-1 [{}]"},
		{"query", "POST", "/", form, "", "monitoring", "Version=2010-08-01&Action=PutMetricData", 200, "text/plain", "monitoring PutMetricData query 000000000000 eu-west-1 [Version=2010-08-01&Action=PutMetricData]"},
		{"query in the URL", "GET", "/?Action=ListTopics&Version=2010-03-31", "", "", "sns", "", 200, "text/plain", "sns ListTopics query 000000000000 eu-west-1 []"},
		{"json for a query service", "POST", "/", json10, "GraniteServiceVersion20100801.PutMetricData", "monitoring", "{}", 200, "text/plain", "monitoring PutMetricData json-1.0 000000000000 eu-west-1 [{}]"},
		{"rpc v2", "POST", "/service/GraniteServiceVersion20100801/operation/PutMetricData", "application/cbor", "", "monitoring", "\xa0", 200, "text/plain", "monitoring PutMetricData rpc-v2-cbor 000000000000 eu-west-1 [\xa0]"},
		{"rest by scope and path", "POST", "/2015-03-31/functions", "application/json", "", "lambda", "{}", 200, "text/plain", "lambda  rest 000000000000 eu-west-1 [{}]"},
		{"rest by path alone", "GET", "/2015-03-31/functions", "", "", "", "", 200, "text/plain", "lambda  rest 000000000000 us-east-1 []"},
		{"rest by scope alone", "PUT", "/bucket/key", "text/html", "", "s3", "data", 200, "text/plain", "s3  rest 000000000000 eu-west-1 [data]"},

		{"GET", "GET", "/", "", "", "kinesis", "", 403, "", deniedXML},
		{"DELETE", "DELETE", "/", "", "", "", "", 403, "", deniedXML},
		{"no content type, no target", "POST", "/", "", "", "kinesis", "{}", 403, "", deniedXML},
		{"no content type, target", "POST", "/", "", "Kinesis_20131202.ListStreams", "kinesis", "{}", 404, "", unknownXML},
		{"old content type", "POST", "/", "application/json", "Kinesis_20131202.ListStreams", "kinesis", "{}", 404, "application/json",
			`{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}`},
		{"nothing at all", "POST", "/", "", "", "kinesis", "", 400, cbor, unknownCBOR},
		{"no content type, no body", "POST", "/", "", "Kinesis_20131202.ListStreams", "kinesis", "", 400, cbor, serializationCBOR},
		{"almost json", "POST", "/", json11 + "asdf", "", "", "", 400, cbor, unknownCBOR},
		{"no target", "POST", "/", json11, "", "kinesis", "{}", 400, json11, `{"__type":"UnknownOperationException"}`},
		{"empty operation", "POST", "/", json11, "Kinesis_20131202.", "kinesis", "{}", 400, json11, `{"__type":"UnknownOperationException"}`},
		{"unknown prefix", "POST", "/", cbor, "Whatever.ListStreams", "kinesis", "\xa0", 400, cbor, unknownCBOR},
		{"form for a service without query", "POST", "/", form, "", "kinesis", "Action=ListStreams", 403, "", deniedXML},
		{"rpc v2 elsewhere", "POST", "/service/Nobody/operation/Nothing", "application/cbor", "", "", "\xa0", 404, "application/cbor", unknownCBOR},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest(row.method, row.path, strings.NewReader(row.body))
			for name, value := range map[string]string{"Content-Type": row.media, "X-Amz-Target": row.target} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			if row.scope != "" {
				r.Header.Set("Authorization", strings.Replace(signedFor, "SERVICE", row.scope, 1))
			}
			if row.media == "application/cbor" {
				r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != row.status || w.Body.String() != row.answer || w.Header().Get("Content-Type") != row.answerMedia {
				t.Errorf("%d %q %q\nwant %d %q %q", w.Code, w.Header().Get("Content-Type"), w.Body, row.status, row.answerMedia, row.answer)
			}
			if len(w.Header().Get("X-Amzn-Requestid")) != 36 || len(w.Header().Get("X-Amz-Id-2")) != 96 {
				t.Errorf("ids %v", w.Header())
			}
		})
	}
}

// The same refusal in every protocol.
func TestFailSpeaksTheProtocol(t *testing.T) {
	for _, row := range []struct{ protocol, code, want string }{
		{"application/x-amz-json-1.1", "ValidationException", `{"__type":"ValidationException","message":"\"a\\b\" <é>\n"}`},
		{"application/x-amz-json-1.0", "SerializationException", `{"__type":"SerializationException","Message":"\"a\\b\" <é>\n"}`},
		{"application/x-amz-cbor-1.1", "ValidationException", "\xa2\x66__type\x73ValidationException\x67message\x6b\"a\\b\" <é>\n"},
		{"application/x-www-form-urlencoded", "Throttling", "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>&#34;a\\b&#34; &lt;é&gt;&#xA;</Message></Error><RequestId>ID</RequestId></ErrorResponse>\n"},
		{"text/plain", "ResourceNotFoundException", `{"message":"\"a\\b\" <é>\n"}`},
	} {
		fail := func(c *edge.Call) { c.Fail(400, row.code, "\"a\\b\" <é>\n") }
		h := handler(t, edge.Options{Services: []edge.Service{
			queryService{service{"monitoring", "Granite", fail}}, pathService{service{"lambda", "", fail}, "/lambda"},
		}})
		r := httptest.NewRequest("POST", "/lambda", strings.NewReader("x"))
		r.Header.Set("Content-Type", row.protocol)
		r.Header.Set("Authorization", strings.Replace(signedFor, "SERVICE", "monitoring", 1))
		switch {
		case strings.Contains(row.protocol, "amz"):
			r.Header.Set("X-Amz-Target", "Granite.X")
		case row.protocol == "text/plain":
			r.Header.Del("Authorization")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		want := strings.Replace(row.want, "ID", w.Header().Get("X-Amzn-Requestid"), 1)
		if w.Body.String() != want || w.Code != 400 {
			t.Errorf("%s: %d %q\nwant %q", row.protocol, w.Code, w.Body, want)
		}
		if row.protocol == "text/plain" && w.Header().Get("X-Amzn-Errortype") != row.code {
			t.Errorf("REST: %v", w.Header())
		}
	}
}

func TestServiceThatDoesNotAnswer(t *testing.T) {
	h := handler(t, edge.Options{Services: []edge.Service{kinesis(func(*edge.Call) {})}})
	r := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
	r.Header = http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"Kinesis_20131202.X"}}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 500 || w.Body.String() != `{"__type":"InternalFailure"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestEncodings(t *testing.T) {
	h := handler(t, edge.Options{Services: everyService})
	for _, row := range []struct{ encoding, body, want string }{
		{"gzip", "zipped", `{"__type":"MalformedHttpRequestException","message":"Content-Encoding gzip is not supported."}`},
		{"identity", "plain", "kinesis X json-1.1 000000000000 us-east-1 [plain]"},
		{"aws-chunked", "5\r\nplain\r\n0\r\n\r\n", "kinesis X json-1.1 000000000000 us-east-1 [plain]"},
		{"aws-chunked", "5\r\npl", `{"__type":"MalformedHttpRequestException","message":"The aws-chunked body is malformed: the last chunk is cut short."}`},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(row.body))
		r.Header = http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"Kinesis_20131202.X"}, "Content-Encoding": {row.encoding}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Body.String() != row.want {
			t.Errorf("%s: %s\nwant %s", row.encoding, w.Body, row.want)
		}
	}
}

// A service whose clients compress says how much a body may unpack to. What stands before a service takes nothing away from it.
func TestGzip(t *testing.T) {
	pack := func(body string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	const max = 100_000 // more than is read without asking for room
	h := handler(t, edge.Options{Services: []edge.Service{before{gzipService{queryService{service{"monitoring", "Granite", describe}}, max}}}})
	unpackable := `{"__type":"MalformedHttpRequestException","message":"The request's body is not what its Content-Encoding says."}`
	for _, row := range []struct {
		name, encoding, media, body, want string
	}{
		{"json", "gzip", "application/x-amz-json-1.0", pack("plain"), "monitoring X json-1.0 000000000000 us-east-1 [plain]"},
		{"upper case", "GZIP", "application/x-amz-json-1.0", pack("plain"), "monitoring X json-1.0 000000000000 us-east-1 [plain]"},
		{"query", "gzip", "application/x-www-form-urlencoded", pack("Action=Y"), "monitoring Y query 000000000000 us-east-1 [Action=Y]"},
		{"empty", "gzip", "application/x-amz-json-1.0", pack(""), "monitoring X json-1.0 000000000000 us-east-1 []"},
		{"largest", "gzip", "application/x-amz-json-1.0", pack(strings.Repeat("x", max)), "monitoring X json-1.0 000000000000 us-east-1 [" + strings.Repeat("x", max) + "]"},
		{"too large", "gzip", "application/x-amz-json-1.0", pack(strings.Repeat("x", max+1)), `{"__type":"RequestEntityTooLargeException","message":"The request entity is too large."}`},
		{"not packed", "gzip", "application/x-amz-json-1.0", "plain", unpackable},
		{"cut off", "gzip", "application/x-amz-json-1.0", pack("plain")[:20], unpackable},
		{"twice", "gzip, gzip", "application/x-amz-json-1.0", pack(pack("plain")), `{"__type":"MalformedHttpRequestException","message":"Content-Encoding gzip is not supported."}`},
		{"another", "br", "application/x-amz-json-1.0", "plain", `{"__type":"MalformedHttpRequestException","message":"Content-Encoding br is not supported."}`},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(row.body))
		r.Header = http.Header{"Content-Type": {row.media}, "Content-Encoding": {row.encoding}}
		if row.name == "query" {
			r.Header.Set("Authorization", strings.Replace(strings.Replace(signedFor, "SERVICE", "monitoring", 1), "eu-west-1", "us-east-1", 1))
		} else {
			r.Header.Set("X-Amz-Target", "Granite.X")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Body.String() != row.want {
			t.Errorf("%s: %.300s\nwant %.300s", row.name, w.Body, row.want)
		}
	}
}

// gzipService takes compressed bodies.
type gzipService struct {
	queryService
	most int64
}

func (s gzipService) GzipBytesMax() int64 { return s.most }

// before stands before a service.
type before struct{ edge.Service }

func (b before) Unwrap() edge.Service { return b.Service }

// Pages: from anywhere when signatures are checked, from this machine and named origins otherwise.
func TestCORS(t *testing.T) {
	for _, row := range []struct {
		origin  string
		keys    bool
		allowed string
	}{
		{"https://example.com", true, "*"},
		{"https://example.com", false, ""},
		{"null", false, ""},
		{"http://localhost.example.com", false, ""},
		{"http://127.0.0.1.example.com", false, ""},
		{"http://localhost:3000", false, "http://localhost:3000"},
		{"http://app.localhost", false, "http://app.localhost"},
		{"http://[::1]:8080", false, "http://[::1]:8080"},
		{"https://console.example.com", false, "https://console.example.com"},
	} {
		o := edge.Options{Services: []edge.Service{kinesis(describe)}, Origins: []string{"https://console.example.com"}}
		if row.keys {
			o.Auth = auth.NewKeys(nil) // never asked: nothing here is signed
		}
		h := handler(t, o)
		preflight := httptest.NewRequest("OPTIONS", "/", nil)
		preflight.Header = http.Header{"Origin": {row.origin}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"x-amz-target, authorization"}}
		call := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
		call.Header = http.Header{"Origin": {row.origin}, "Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"Kinesis_20131202.X"}}
		p, w := httptest.NewRecorder(), httptest.NewRecorder()
		h.ServeHTTP(p, preflight)
		h.ServeHTTP(w, call)
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != row.allowed || p.Header().Get("Access-Control-Allow-Origin") != got {
			t.Errorf("%s (keys %v): allowed %q, want %q", row.origin, row.keys, got, row.allowed)
		}
		if row.allowed == "" {
			if p.Code != 403 || w.Code != 403 {
				t.Errorf("%s: %d and %d", row.origin, p.Code, w.Code)
			}
			continue
		}
		if ph := p.Header(); p.Code != 200 || ph.Get("Access-Control-Allow-Methods") != "POST" || ph.Get("Access-Control-Max-Age") != "172800" ||
			ph.Get("Access-Control-Allow-Headers") != "x-amz-target, authorization" || ph.Get("Content-Length") != "0" || ph.Get("X-Amz-Id-2") != "" {
			t.Errorf("%s: preflight %d %v", row.origin, p.Code, ph)
		}
		if !strings.Contains(w.Header().Get("Access-Control-Expose-Headers"), "x-amzn-RequestId") {
			t.Errorf("%s: exposes %q", row.origin, w.Header().Get("Access-Control-Expose-Headers"))
		}
	}
}

func TestOptionsSayAllThatIsWrong(t *testing.T) {
	_, err := edge.New(edge.Options{TLSListen: ":0", BodyBytesMax: -1, Services: []edge.Service{service{"a", "P", nil}, service{"b", "P", nil}}})
	for _, want := range []string{"no authenticator", "without an authority", "services a and b share the target prefix P", "negative limit for body bytes"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// FuzzRequest: no header, path or body of a client panics, and everything gets an answer.
func FuzzRequest(f *testing.F) {
	f.Add("POST", "/", "application/x-amz-json-1.1", "Kinesis_20131202.X", "", "{}", signedFor)
	f.Add("POST", "/service/GraniteServiceVersion20100801/operation/X", "application/cbor", "", "rpc-v2-cbor", "\xa0", "")
	f.Add("POST", "/?Action=%zz&X-Amz-Algorithm", "application/x-www-form-urlencoded", "", "", "Action=%41", "AWS4")
	h := handler(f, edge.Options{Services: everyService})
	f.Fuzz(func(t *testing.T, method, path, media, target, smithy, body, authorization string) {
		r, err := http.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
		if err != nil {
			return // no server would see this
		}
		for name, value := range map[string]string{"Content-Type": media, "X-Amz-Target": target, "Smithy-Protocol": smithy, "Authorization": authorization} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code < 200 || w.Header().Get("X-Amzn-Requestid") == "" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
	})
}
