package s3

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"reflect"
	"testing"

	"github.com/weir-stream/weir/internal/blob/store"
	"github.com/weir-stream/weir/internal/edge"
)

// FuzzRange: a range that may be satisfied lies within the object, and whatever is no range asks for everything.
func FuzzRange(f *testing.F) {
	for _, text := range []string{"bytes=0-0", "bytes=-3", "bytes=5-", "bytes=9-1", "bytes=0-1,2-3", "lines=1", ""} {
		f.Add(text, int64(10))
	}
	f.Fuzz(func(t *testing.T, text string, size int64) {
		if size < 0 {
			return
		}
		offset, length, partial, satisfiable := parseRange(text, size)
		if satisfiable && (offset < 0 || length < 0 || offset+length > size || partial && length == 0 || !partial && length != size) {
			t.Fatalf("%q of %d bytes is %d bytes from %d, partial %v", text, size, length, offset, partial)
		}
	})
}

// FuzzLifecycle: no document panics, and one that is taken is read back as the same rules.
func FuzzLifecycle(f *testing.F) {
	f.Add([]byte(`<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter><Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>`))
	f.Add([]byte(`<LifecycleConfiguration><Rule><ID>b</ID><Status>Disabled</Status><Prefix/><Expiration><Date>2026-11-18T00:00:00Z</Date></Expiration><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		rules, ok := rulesOf(body)
		if !ok {
			return
		}
		out := struct {
			XMLName xml.Name
			Rule    []lifecycleRule
		}{XMLName: root("LifecycleConfiguration")}
		for i := range rules {
			out.Rule = append(out.Rule, ruleDocument(&rules[i]))
		}
		b, err := xml.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		again, ok := rulesOf(b)
		if !ok || !reflect.DeepEqual(again, rules) {
			t.Fatalf("%s\nbecame %s\n%+v, was %+v", body, b, again, rules)
		}
	})
}

func rulesOf(body []byte) (rules []store.Rule, ok bool) {
	q := &call{Call: &edge.Call{Body: body}, request: &request{header: http.Header{}}}
	e, err := q.document("LifecycleConfiguration")
	if err != nil {
		return nil, false
	}
	for i := range e.Children {
		rule, err := readRule(&e.Children[i])
		if err != nil {
			return nil, false
		}
		rules = append(rules, rule)
	}
	return rules, true
}

// FuzzNewRequest: whatever host and path a request has, its bucket and key are found without harm, and an operation or none.
func FuzzNewRequest(f *testing.F) {
	f.Add("PUT", "bucket.localhost:4566", "/a/b", "uploadId=x&partNumber=1")
	f.Add("GET", "[::1]:4566", "//x//", "list-type=2")
	f.Fuzz(func(_ *testing.T, method, host, path, query string) {
		_ = find(newRequest(&http.Request{Method: method, Host: host, Header: http.Header{}, URL: &url.URL{Path: path, RawQuery: query}}))
	})
}
