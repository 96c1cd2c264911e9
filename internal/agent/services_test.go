package agent

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// cloud is an endpoint of Firehose and STS that remembers, and refuses as it is told.
type cloud struct {
	mu      sync.Mutex
	records []string
	keys    []string // access keys that signed, each once
	agents  []string // user agents, each once
	asked   []string // bodies to STS
	calls   int
	refuse  func(call, record int) string // an error code, or nothing; record -1 is the request
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(credential, "/")
	if !slices.Contains(c.keys, key) {
		c.keys = append(c.keys, key)
	}
	if agent := r.Header.Get("User-Agent"); !slices.Contains(c.agents, agent) {
		c.agents = append(c.agents, agent)
	}
	if r.Header.Get("X-Amz-Target") != "Firehose_20150804.PutRecordBatch" {
		c.asked = append(c.asked, string(body))
		fmt.Fprint(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ROLE</AccessKeyId>`+
			`<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
		return
	}
	c.calls++
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if code := c.refuse(c.calls, -1); code != "" {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type": %q, "message": "for the test"}`, code)
		return
	}
	var in struct {
		DeliveryStreamName string
		Records            []struct{ Data string }
	}
	if err := json.Unmarshal(body, &in); err != nil || in.DeliveryStreamName != "d" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	type some map[string]string
	out := []some{}
	failed := 0
	for i, record := range in.Records {
		if code := c.refuse(c.calls, i); code != "" {
			failed++
			out = append(out, some{"ErrorCode": code, "ErrorMessage": "for the test"})
			continue
		}
		data, err := base64.StdEncoding.DecodeString(record.Data)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c.records = append(c.records, string(data))
		out = append(out, some{"RecordId": "id"})
	}
	if err := json.NewEncoder(w).Encode(map[string]any{"FailedPutCount": failed, "RequestResponses": out}); err != nil {
		panic(err)
	}
}

// Shows, through the SDK's client, that a delivery stream gets every record once when it refuses some, all, or the request, in the name of a role that was assumed
// at its own endpoint, and that a service without delivery streams is waited for, by name.
func TestDeliveryStream(t *testing.T) {
	c := &cloud{refuse: func(call, record int) string {
		switch {
		case call <= 2 && record < 0:
			return "UnknownOperationException" // as from a server that has no delivery streams
		case call == 3 && record%2 == 1:
			return "ServiceUnavailableException"
		case call == 4 && record >= 0:
			return "InternalFailure"
		}
		return ""
	}}
	server := httptest.NewServer(c)
	defer server.Close()
	b := newBench(t, `"filePattern": "DIR/a.log", "deliveryStream": "d", "initialPosition": "START_OF_FILE", "retryMaxBackoffMillis": 100`)
	config, err := configOf(t, fmt.Sprintf(`{"checkpointFile": %q, "firehose.endpoint": %q, "sts.endpoint": %q, "awsAccessKeyId": "AK", "awsSecretAccessKey": "SK",
		"assumeRoleARN": "arn:aws:iam::123456789012:role/agent", "assumeRoleExternalId": "external", "userAgent": "mine/1", "kinesis.endpoint": "http://127.0.0.1:1",
		"flows": [{"filePattern": "/a", "deliveryStream": "d"}]}`, filepath.Join(t.TempDir(), "c"), server.URL, server.URL))
	must(t, err)
	services, err := NewServices(t.Context(), config, ServiceOptions{Version: "7", Getenv: func(string) string { return "" }})
	must(t, err)
	b.flow.sink = DeliverySink{API: services.Firehose, Stream: "d"}
	b.write("a.log", "0\n1\n2\n3\n")
	b.flow.Step(t.Context(), true)
	if s := b.flow.Status(); !strings.Contains(s.LastError, "UnknownOperationException") || s.Queued != 4 || s.Sent != 0 {
		t.Errorf("status %+v", s)
	}
	b.settle()
	if got := strings.Join(c.records, ""); got != "0\n2\n1\n3\n" {
		t.Errorf("came %q", got)
	}
	if got := strings.Join(c.keys, " "); got != "AK ROLE" {
		t.Errorf("signed by %s", got)
	}
	if len(c.asked) != 1 || !strings.Contains(c.asked[0], "RoleSessionName=AWSKinesisAgent") || !strings.Contains(c.asked[0], "ExternalId=external") {
		t.Errorf("asked STS %q", c.asked)
	}
	if got := strings.Join(c.agents, ", "); got != "mine/1 weir-agent/7" {
		t.Errorf("user agents %s", got)
	}
}

// Shows where services and keys are looked for, in their order.
func TestServices(t *testing.T) {
	for _, row := range []struct {
		name, keys, endpoint string
		env                  map[string]string
		want                 string // kinesis firehose cloudwatch region credentials
	}{
		{"nothing", ``, "", nil, "http://127.0.0.1:4566 http://127.0.0.1:4566 http://127.0.0.1:4566 us-east-1 none given: those of weir dev"},
		{"AWS", `"kinesis.endpoint": "https://kinesis.us-west-2.amazonaws.com", "awsAccessKeyId": "a", "awsSecretAccessKey": "b"`, "", nil,
			"https://kinesis.us-west-2.amazonaws.com https://firehose.us-west-2.amazonaws.com https://monitoring.us-west-2.amazonaws.com us-west-2 awsAccessKeyId"},
		{"a Weir in agent.json", `"kinesis.endpoint": "http://weir:4566", "kinesis.region": "eu-west-1"`, "", map[string]string{"AWS_REGION": "eu-west-2"},
			"http://weir:4566 http://weir:4566 http://weir:4566 eu-west-1 none given: those of weir dev"},
		{"the environment", `"kinesis.endpoint": ""`, "", map[string]string{"AWS_ENDPOINT_URL": "http://weir:1", "AWS_ENDPOINT_URL_FIREHOSE": "http://weir:2", "AWS_REGION": "r",
			"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, "http://weir:1 http://weir:2 http://weir:1 r AWS_ACCESS_KEY_ID"},
		{"the flag", `"kinesis.endpoint": "https://kinesis.us-west-2.amazonaws.com", "firehose.endpoint": "http://x"`, "http://weir:3", nil,
			"http://weir:3 http://weir:3 http://weir:3 us-east-1 none given: those of weir dev"},
	} {
		keys := row.keys
		if keys != "" {
			keys += ", "
		}
		config, err := configOf(t, `{`+keys+`"flows": [{"filePattern": "/a", "kinesisStream": "s"}]}`)
		must(t, err)
		s, err := NewServices(t.Context(), config, ServiceOptions{Endpoint: row.endpoint, Getenv: func(name string) string { return row.env[name] }})
		must(t, err)
		if got := strings.Join([]string{s.KinesisEndpoint, s.FirehoseEndpoint, s.CloudWatchEndpoint, s.Region, s.Credentials}, " "); got != row.want {
			t.Errorf("%s: %s\nwant %s", row.name, got, row.want)
		}
	}
}

// gathered are metrics by name.
type gathered map[string]float64

func (g gathered) Add(name string, value float64, unit cloudwatchtypes.StandardUnit, dims ...cloudwatchtypes.Dimension) {
	key := name + " " + string(unit)
	for _, d := range dims {
		key += " " + *d.Name + "=" + *d.Value
	}
	g[key] += value
}

// Shows the metrics of the Kinesis Agent, by name, unit and dimensions.
func TestMetrics(t *testing.T) {
	b := newBench(t, `"filePattern": "DIR/a.log", "kinesisStream": "s", "initialPosition": "START_OF_FILE"`)
	got := gathered{}
	b.flow.o.Metrics = cloudWatch{got, "host"}
	calls := 0
	b.sink.refuse = func(records []Record) ([]error, error) {
		calls++
		switch calls {
		case 1:
			return nil, refusal("InternalFailure")
		case 2:
			return []error{refusal("ProvisionedThroughputExceededException")}, nil
		}
		return nil, nil
	}
	b.write("a.log", "1\n22\n333\n")
	b.settle()
	const dims = " Destination=KinesisStream:s Instance=host"
	for name, want := range map[string]float64{"RecordSendAttempts Count": 3 + 3 + 1, "ServiceErrors Count": 1, "RecordSendErrors Count": 1, "RecordsSent Count": 3, "BytesSent Bytes": 9} {
		if got[name+dims] != want {
			t.Errorf("%s is %v, want %v", name, got[name+dims], want)
		}
	}
}
