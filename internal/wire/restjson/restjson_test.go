package restjson

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

var router = NewRouter(lambda.Service)

// Every operation of the model is found at its own address, with the values of its labels, whatever they hold.
func TestEveryOperationIsFound(t *testing.T) {
	const odd = "arn:aws:lambda:us-east-1:123456789012:function:a b/c%"
	for name, op := range lambda.Service.Operations {
		path, query, _ := strings.Cut(op.RequestURI, "?")
		var labels []string
		for _, piece := range pieces(path) {
			if label, ok := strings.CutPrefix(piece, "{"); ok {
				label = strings.TrimSuffix(label, "}")
				labels = append(labels, label)
				path = strings.Replace(path, "{"+label+"}", url.PathEscape(odd), 1)
			}
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{path, path + "/"} {
			found, got := router.Match(op.Method, path, values)
			if found == nil || found.Name != name {
				t.Errorf("%s: %s %s is %v", name, op.Method, path, found)
				continue
			}
			for _, label := range labels {
				if got[label] != odd {
					t.Errorf("%s: %s is %q", name, label, got[label])
				}
			}
		}
	}
	for _, path := range []string{"", "/", "/2015-03-31", "/2015-03-31/functions/a/b/c", "/2015-03-31/functions//aliases", "/2015-03-31/functions/%zz/code"} {
		if op, _ := router.Match(http.MethodPut, path, nil); op != nil {
			t.Errorf("%q is %s", path, op.Name)
		}
	}
}

// A member comes from its place and from nowhere else.
func TestDecode(t *testing.T) {
	in := new(lambda.InvocationRequest)
	err := Decode(lambda.Service.Operations["Invoke"], Request{
		Labels: map[string]string{"FunctionName": "f"}, Query: url.Values{"Qualifier": {"live"}},
		Header: http.Header{"X-Amz-Log-Type": {"Tail"}, "X-Amz-Invocation-Type": {"Event"}}, Body: []byte("not JSON"),
	}, in)
	if err != nil || *in.FunctionName != "f" || *in.Qualifier != "live" || *in.LogType != "Tail" || *in.InvocationType != "Event" || string(in.Payload) != "not JSON" {
		t.Errorf("%+v, %v", in, err)
	}
	alias := new(lambda.CreateAliasRequest)
	err = Decode(lambda.Service.Operations["CreateAlias"], Request{
		Labels: map[string]string{"FunctionName": "f"}, Body: []byte(`{"FunctionName":"other","Name":"live","FunctionVersion":"1"}`)}, alias)
	if err != nil || *alias.FunctionName != "f" || *alias.Name != "live" {
		t.Errorf("%+v, %v", alias, err)
	}
	untag := new(lambda.UntagResourceRequest)
	err = Decode(lambda.Service.Operations["UntagResource"], Request{Labels: map[string]string{"ARN": "a", "Resource": "a"}, Query: url.Values{"tagKeys": {"x", "y"}}}, untag)
	if err != nil || !slices.Equal(untag.TagKeys, []string{"x", "y"}) {
		t.Errorf("%+v, %v", untag, err)
	}
	list := new(lambda.ListFunctionsRequest)
	for text, ok := range map[string]bool{"10": true, "ten": false, "": false, "99999999999": false} {
		err := Decode(lambda.Service.Operations["ListFunctions"], Request{Query: url.Values{"MaxItems": {text}}}, list)
		if e, sent := wire.AsAPIError(err); (err == nil) != ok || !ok && (!sent || e.Code != wire.CodeSerialization) {
			t.Errorf("MaxItems %q: %v", text, err)
		}
	}
}

func ptr[T any](v T) *T { return &v }

// An output goes where the model says.
func TestEncode(t *testing.T) {
	a := Encode(lambda.Service.Operations["Invoke"], &lambda.InvocationResponse{StatusCode: ptr(int32(202)), FunctionError: ptr("Unhandled"), Payload: []byte("x")})
	if a.Status != 202 || string(a.Body) != "x" || !slices.Equal(a.Headers, [][2]string{{"X-Amz-Function-Error", "Unhandled"}}) {
		t.Errorf("%+v", a)
	}
	a = Encode(lambda.Service.Operations["CreateFunction"], &lambda.FunctionConfiguration{FunctionName: ptr("f")})
	if a.Status != 201 || string(a.Body) != `{"FunctionName":"f"}` || a.ContentType != ContentType {
		t.Errorf("%+v %s", a, a.Body)
	}
	if a = Encode(lambda.Service.Operations["DeleteAlias"], nil); a.Status != 204 || a.Body != nil {
		t.Errorf("%+v", a)
	}
}

// No request makes the bindings panic.
func FuzzDecode(f *testing.F) {
	f.Add("POST", "/2015-03-31/functions/f/invocations", "Qualifier=1", `{"a":1}`)
	f.Add("PUT", "/2015-03-31/functions/f/code", "", `{"ZipFile":"UEsDBA=="}`)
	f.Add("DELETE", "/2017-03-31/tags/arn%3Aaws", "tagKeys=a&tagKeys=b", "")
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		op, labels := router.Match(method, path, values)
		if op == nil || op.Input == nil {
			return
		}
		_ = Decode(op, Request{Labels: labels, Query: values, Body: []byte(body)}, op.NewInput())
	})
}
