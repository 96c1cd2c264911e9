package client

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// Shows where each setting comes from: the caller, then the environment, then the default. A row is one situation.
func TestResolve(t *testing.T) {
	type env map[string]string
	for _, row := range []struct {
		name  string
		given Options
		env   env
		want  Options
		wrong string
	}{
		{name: "defaults", want: Options{Endpoint: DefaultEndpoint, Region: "us-east-1", AccessKey: "test", SecretKey: "test"}},
		{name: "service endpoint before general", env: env{"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_KINESIS": "http://b:2"},
			want: Options{Endpoint: "http://b:2", Region: "us-east-1", AccessKey: "test", SecretKey: "test"}},
		{name: "flag before environment", given: Options{Endpoint: "https://c:3", Region: "eu-west-1"}, env: env{"AWS_ENDPOINT_URL": "http://a:1", "AWS_REGION": "x"},
			want: Options{Endpoint: "https://c:3", Region: "eu-west-1", AccessKey: "test", SecretKey: "test"}},
		{name: "keys and token", env: env{"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S", "AWS_SESSION_TOKEN": "T", "AWS_DEFAULT_REGION": "r", "AWS_CA_BUNDLE": "f"},
			want: Options{Endpoint: DefaultEndpoint, Region: "r", AccessKey: "A", SecretKey: "S", SessionToken: "T", CAFile: "f"}},
		{name: "given key does not borrow the environment's token", given: Options{AccessKey: "K", SecretKey: "L"},
			env:  env{"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S", "AWS_SESSION_TOKEN": "T"},
			want: Options{Endpoint: DefaultEndpoint, Region: "us-east-1", AccessKey: "K", SecretKey: "L"}},
		{name: "half a key", given: Options{AccessKey: "K"}, wrong: "go together"},
		{name: "not a URL", given: Options{Endpoint: "localhost:4566"}, wrong: "is not a URL"},
		{name: "both wrong, both said", given: Options{Endpoint: "x", SecretKey: "L"}, wrong: "go together"},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.given.Getenv = func(k string) string { return row.env[k] }
			got, err := row.given.Resolve()
			if row.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), row.wrong) {
					t.Fatalf("error %v, want one that says %q", err, row.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got.Getenv, got.MaxAttempts, got.Timeout = nil, 0, 0
			row.want.Getenv = nil
			if got.Endpoint != row.want.Endpoint || got.Region != row.want.Region || got.AccessKey != row.want.AccessKey ||
				got.SecretKey != row.want.SecretKey || got.SessionToken != row.want.SessionToken || got.CAFile != row.want.CAFile {
				t.Errorf("got  %+v\nwant %+v", got, row.want)
			}
		})
	}
}

// Shows that a request goes to the endpoint, signed with the key, and that the CA file is what makes TLS trusted.
func TestNewKinesisOverTLS(t *testing.T) {
	var authorization string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.Write([]byte(`{"StreamNames":["a"],"HasMoreStreams":false}`))
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	none := func(string) string { return "" }

	trusting, err := NewKinesis(Options{Endpoint: server.URL, CAFile: file, AccessKey: "AKEY", SecretKey: "s", Getenv: none})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trusting.ListStreams(context.Background(), &kinesis.ListStreamsInput{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(authorization, "Credential=AKEY/") || !strings.Contains(authorization, "/us-east-1/kinesis/") {
		t.Errorf("authorization %q", authorization)
	}

	wary, err := NewKinesis(Options{Endpoint: server.URL, MaxAttempts: 1, Getenv: none})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wary.ListStreams(context.Background(), &kinesis.ListStreamsInput{}); err == nil {
		t.Error("a certificate that nobody vouches for was trusted")
	}
	if _, err := NewKinesis(Options{CAFile: filepath.Join(t.TempDir(), "absent"), Getenv: none}); err == nil {
		t.Error("an absent CA file was accepted")
	}
}

// Shows which errors are worth another try, as the SDK gives them: a server that is not there, one that hangs up, one that
// answers with each kind of error.
func TestRetriable(t *testing.T) {
	body := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(status)
			w.Write([]byte(text))
		}
	}
	for _, row := range []struct {
		name                          string
		handler                       http.HandlerFunc
		retriable, noAnswer, notFound bool
	}{
		{"hangs up", func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, true, true, false},
		{"not there", nil, true, true, false},
		{"throttled", body(400, `{"__type":"ProvisionedThroughputExceededException","message":"slow"}`), true, false, false},
		{"no stream", body(400, `{"__type":"ResourceNotFoundException","message":"none"}`), false, false, true},
		{"invalid", body(400, `{"__type":"ValidationException","message":"bad"}`), false, false, false},
		{"server's fault", body(500, `{"__type":"InternalFailure","message":"oh"}`), true, false, false},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Write([]byte(`{"StreamNames":["a"`))
		}, true, false, false},
		{"a proxy's page", body(502, `<html>`), true, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			endpoint := "http://127.0.0.1:1" // nobody listens on port 1
			if row.handler != nil {
				server := httptest.NewServer(row.handler)
				defer server.Close()
				endpoint = server.URL
			}
			api, err := NewKinesis(Options{Endpoint: endpoint, MaxAttempts: 1, Getenv: func(string) string { return "" }})
			if err != nil {
				t.Fatal(err)
			}
			_, err = api.ListStreams(context.Background(), &kinesis.ListStreamsInput{})
			if Retriable(err) != row.retriable || NoAnswer(err) != row.noAnswer || NotFound(err) != row.notFound {
				t.Errorf("%v: retriable %v, no answer %v, not found %v", err, Retriable(err), NoAnswer(err), NotFound(err))
			}
		})
	}
}
