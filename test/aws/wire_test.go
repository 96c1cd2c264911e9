package aws

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// raw sends one request as it is, signed by nobody but naming its account as a signature would.
func (s *session) raw(contentType, operation, body string) *answer {
	s.t.Helper()
	return s.send(s.request(contentType, operation, body))
}

// request is what raw sends.
func (s *session) request(contentType, operation, body string) *http.Request {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.server.endpoint(false)+"/", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("X-Amz-Target", "Kinesis_20131202."+operation)
	request.Header.Set("X-Amz-Date", time.Now().UTC().Format("20060102T150405Z"))
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.account+"/"+time.Now().UTC().Format("20060102")+
		"/"+s.region+"/kinesis/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature="+strings.Repeat("0", 64))
	return request
}

// json sends a request in JSON 1.1.
func (s *session) json(operation, body string) *answer {
	s.t.Helper()
	return s.raw("application/x-amz-json-1.1", operation, body)
}

// answer is a response whose body has been read.
type answer struct {
	*http.Response
	body string
}

func (s *session) send(request *http.Request) *answer {
	s.t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return &answer{response, string(body)}
}

// fields is the members of a JSON body, undecoded.
func (a *answer) fields(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(a.body), &members); err != nil {
		t.Fatalf("%v in %q", err, a.body)
	}
	return members
}

// TestResponseHeaders: what SDKs log and support asks for.
func TestResponseHeaders(t *testing.T) {
	s := shared.plain(t)
	s.create("headers", 1)
	for _, row := range []struct {
		name, operation, body string
		status                int
	}{
		{"an answer", "DescribeStreamSummary", `{"StreamName":"headers"}`, 200},
		{"an error", "DescribeStreamSummary", `{"StreamName":"gone"}`, 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := s.json(row.operation, row.body)
			if got.StatusCode != row.status {
				t.Errorf("status %d, want %d: %s", got.StatusCode, row.status, got.body)
			}
			if kind := got.Header.Get("Content-Type"); kind != "application/x-amz-json-1.1" {
				t.Errorf("Content-Type is %q", kind)
			}
			if id := got.Header.Get("x-amzn-RequestId"); !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(id) {
				t.Errorf("x-amzn-RequestId is %q", id)
			}
			id, err := base64.StdEncoding.DecodeString(got.Header.Get("x-amz-id-2"))
			if err != nil || len(id) < 64 || len(id) > 80 {
				t.Errorf("x-amz-id-2 is %q", got.Header.Get("x-amz-id-2"))
			}
		})
	}
}

// TestVoidOperationsAnswerNothing: 200 and no body at all, not even {}.
func TestVoidOperationsAnswerNothing(t *testing.T) {
	s := shared.plain(t)
	s.create("void", 1)
	for _, row := range []struct{ operation, body string }{
		{"AddTagsToStream", `{"StreamName":"void","Tags":{"a":"b"}}`},
		{"RemoveTagsFromStream", `{"StreamName":"void","TagKeys":["a"]}`},
		{"TagResource", `{"ResourceARN":"` + s.arn("void") + `","Tags":{"a":"b"}}`},
		{"UntagResource", `{"ResourceARN":"` + s.arn("void") + `","TagKeys":["a"]}`},
		{"IncreaseStreamRetentionPeriod", `{"StreamName":"void","RetentionPeriodHours":24}`},
		{"DecreaseStreamRetentionPeriod", `{"StreamName":"void","RetentionPeriodHours":24}`},
		{"UpdateMaxRecordSize", `{"StreamARN":"` + s.arn("void") + `","MaxRecordSizeInKiB":2048}`},
		{"CreateStream", `{"StreamName":"void2","ShardCount":1}`},
		{"DeleteStream", `{"StreamName":"void"}`},
	} {
		if got := s.json(row.operation, row.body); got.StatusCode != 200 || got.body != "" {
			t.Errorf("%s: %d %q, want 200 and nothing", row.operation, got.StatusCode, got.body)
		}
	}
}

// TestErrorBodies: a row is a request that is wrong in one way, and the body AWS answers it with.
func TestErrorBodies(t *testing.T) {
	s := shared.plain(t)
	for _, row := range []struct {
		name, operation, body string
		kind, key, pattern    string
	}{
		{"not JSON", "ListStreams", `{`, "SerializationException", "Message", ``},
		{"JSON but no object", "ListStreams", `[1]`, "SerializationException", "Message", ``},
		{"number for a string", "DescribeStreamSummary", `{"StreamName":1}`, "SerializationException", "Message",
			`^class com\.amazon\.coral\.value\.json\.numbers\.TruncatingBigNumber can not be converted to an String$`},
		{"string for a number", "CreateStream", `{"StreamName":"a","ShardCount":"1"}`, "SerializationException", "Message", `^class java\.lang\.String can not be converted to an Integer$`},
		{"two members missing", "GetShardIterator", `{"StreamName":"a"}`, "ValidationException", "message",
			`^2 validation errors detected: Value null at '(shardId|shardIteratorType)' failed to satisfy constraint: Member must not be null; ` +
				`Value null at '(shardId|shardIteratorType)' failed to satisfy constraint: Member must not be null$`},
		{"data missing", "PutRecord", `{"StreamName":"a","PartitionKey":"k"}`, "ValidationException", "message",
			`^1 validation error detected: Value null at 'data' failed to satisfy constraint: Member must not be null$`},
		{"missing stream", "DescribeStreamSummary", `{"StreamName":"gone"}`, "ResourceNotFoundException", "message",
			`^Stream gone under account ` + s.account + ` not found\.$`},
		{"no such operation", "MakeCoffee", `{}`, "UnknownOperationException", "", ``},
		{"no operation", "", `{}`, "UnknownOperationException", "", ``},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := s.json(row.operation, row.body)
			members := got.fields(t)
			if got.StatusCode != 400 || string(members["__type"]) != `"`+row.kind+`"` {
				t.Fatalf("%d %s, want 400 %s", got.StatusCode, got.body, row.kind)
			}
			if row.pattern == "" {
				return
			}
			var text string
			if err := json.Unmarshal(members[row.key], &text); err != nil || !regexp.MustCompile(row.pattern).MatchString(text) {
				t.Errorf("%s is %s, want %s", row.key, members[row.key], row.pattern)
			}
		})
	}
}

// TestMembersLeftOut: what AWS does not send when there is nothing to say, and how it writes time.
func TestMembersLeftOut(t *testing.T) {
	s := shared.plain(t)
	s.create("sparse", 1)
	put := s.json("PutRecord", `{"StreamName":"sparse","PartitionKey":"k","Data":"eA=="}`).fields(t)
	if len(put) != 2 || put["ShardId"] == nil || put["SequenceNumber"] == nil {
		t.Errorf("PutRecord answers %v, want ShardId and SequenceNumber", put)
	}
	opened := s.json("GetShardIterator", `{"StreamName":"sparse","ShardId":"0","ShardIteratorType":"TRIM_HORIZON"}`).fields(t)
	got := s.json("GetRecords", `{"ShardIterator":`+string(opened["ShardIterator"])+`}`).fields(t)
	if _, there := got["ChildShards"]; there || len(got) != 3 {
		t.Errorf("GetRecords answers %d members, want Records, NextShardIterator and MillisBehindLatest", len(got))
	}
	var records []map[string]json.RawMessage
	if err := json.Unmarshal(got["Records"], &records); err != nil || len(records) != 1 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	if _, there := records[0]["EncryptionType"]; there || len(records[0]) != 4 {
		t.Errorf("a record has %v", records[0])
	}
	// Java reads at most 20 characters: whole seconds and at most three decimals.
	if at := string(records[0]["ApproximateArrivalTimestamp"]); !regexp.MustCompile(`^\d{10}(\.\d{1,3})?$`).MatchString(at) {
		t.Errorf("arrival is written %s", at)
	}
}

// TestBadTransport: requests that are no call of any service get XML, as old gateways answer.
func TestBadTransport(t *testing.T) {
	s := shared.plain(t)
	for _, row := range []struct {
		name   string
		change func(r *http.Request)
		status int
		body   string
	}{
		{"content of no protocol", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 404, "UnknownOperationException"},
		{"a browser's GET", func(r *http.Request) {
			r.Method = http.MethodGet
			r.Header.Del("X-Amz-Target")
			r.Header.Del("Content-Type")
		}, 403, "AccessDeniedException"},
	} {
		t.Run(row.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.server.endpoint(false)+"/", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/x-amz-json-1.1")
			request.Header.Set("X-Amz-Target", "Kinesis_20131202.ListStreams")
			request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.account+"/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("0", 64))
			row.change(request)
			got := s.send(request)
			if got.StatusCode != row.status || !strings.Contains(got.body, "<"+row.body) {
				t.Errorf("%d %q, want %d and <%s", got.StatusCode, got.body, row.status, row.body)
			}
		})
	}
}

// TestBrowsersMayCall: a page of this machine may, after a preflight; a page from elsewhere may not,
// because this server checks no signatures.
func TestBrowsersMayCall(t *testing.T) {
	s := shared.plain(t)
	for _, row := range []struct {
		origin  string
		status  int
		allowed string
	}{
		{"http://localhost:3000", 200, "http://localhost:3000"},
		{"https://elsewhere.example", 403, ""},
	} {
		request, err := http.NewRequestWithContext(s.ctx, http.MethodOptions, s.server.endpoint(false)+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", row.origin)
		request.Header.Set("Access-Control-Request-Method", "POST")
		request.Header.Set("Access-Control-Request-Headers", "authorization,x-amz-target,x-amz-date,content-type")
		got := s.send(request)
		if got.StatusCode != row.status || got.Header.Get("Access-Control-Allow-Origin") != row.allowed {
			t.Errorf("%s: %d with %v", row.origin, got.StatusCode, got.Header)
		}
		if row.allowed != "" && !strings.Contains(strings.ToLower(got.Header.Get("Access-Control-Allow-Headers")), "x-amz-target") {
			t.Errorf("%s may not send x-amz-target: %v", row.origin, got.Header)
		}
	}
}

// TestOtherOperationsSayNo: every operation of the service that this version does not do is refused
// by name, before anything else about the request is judged.
func TestOtherOperationsSayNo(t *testing.T) {
	s := shared.plain(t)
	for _, operation := range operations(t) {
		if supported[operation] {
			continue
		}
		got := s.json(operation, "{}")
		if got.StatusCode != 400 || !strings.Contains(got.body, operation) || !strings.Contains(got.body, "not supported by this version") {
			t.Errorf("%s: %d %s", operation, got.StatusCode, got.body)
		}
	}
}
