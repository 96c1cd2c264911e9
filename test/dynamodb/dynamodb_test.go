// Package dynamodb drives a running Weir's tables with the AWS SDK for Go, unmodified but for its endpoint, and with requests written by hand where an exact
// text is what a test is about.
//
// It owns the proof that each operation of docs/aws/dynamodb.md does what the table says. How tables work inside is shown by the tests of internal/tables.
//
// Read session, below, then items_test.go.
package dynamodb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/weir-stream/weir/internal/node"
)

// patience is how long a test waits for something that should take milliseconds.
const patience = 30 * time.Second

const region = "us-east-1"

// shared is one server for all tests: each test has an account of its own, so none sees another's tables.
var shared *node.Node

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if dir := os.Getenv(childDir); dir != "" {
		return serveChild(dir)
	}
	dir, err := os.MkdirTemp("", "weir-dynamodb-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if shared, err = start(dir, ""); err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		return 1
	}
	code := m.Run()
	if err := stop(shared); err != nil {
		fmt.Fprintln(os.Stderr, "stop:", err)
		return 1
	}
	return code
}

func start(dir, testClock string) (*node.Node, error) {
	return node.Start(context.Background(), node.Config{DataDir: dir, Listen: "127.0.0.1:0", ConsoleListen: "127.0.0.1:0", Dev: true, TestClock: testClock, Logger: slog.New(slog.DiscardHandler)})
}

func stop(n *node.Node) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return n.Stop(ctx)
}

// session is one test's view of a server: an account that nobody else uses.
type session struct {
	*dynamodb.Client
	streams *dynamodbstreams.Client
	t       *testing.T
	ctx     context.Context
	node    *node.Node
	account string
}

var accounts atomic.Int64

// begin connects a test to the shared server.
func begin(t *testing.T) *session {
	t.Helper()
	return connect(t, shared, fmt.Sprintf("%012d", 200_000_000_000+accounts.Add(1)))
}

// connect makes clients that do not retry: a test must see each answer.
func connect(t *testing.T, n *node.Node, account string) *session {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: account, SecretAccessKey: "any secret will do"}, nil
	})
	endpoint, client := aws.String("http://"+n.Addr()), &http.Client{Transport: whole{}}
	return &session{
		Client:  dynamodb.New(dynamodb.Options{Region: region, BaseEndpoint: endpoint, Credentials: credentials, Retryer: aws.NopRetryer{}, HTTPClient: client}),
		streams: dynamodbstreams.New(dynamodbstreams.Options{Region: region, BaseEndpoint: endpoint, Credentials: credentials, Retryer: aws.NopRetryer{}, HTTPClient: client}),
		t:       t, ctx: ctx, node: n, account: account,
	}
}

// whole sends a request with a body of its own: the SDK closes its body as soon as the head of an answer is there, and net/http, when it has yet to see that the
// body is over, then takes the connection down under the answer.
type whole struct{}

// RoundTrip passes the request on.
func (whole) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(r)
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("waited %s for %s", patience, what)
		case <-tick.C:
		}
	}
}

// must is for calls that have no reason to fail.
func must[T any](value T, err error) func(s *session) T {
	return func(s *session) T {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
		return value
	}
}

// raw sends a body that was written by hand and gives status and body of the answer, whose checksum must be right.
func (s *session) raw(target, body string) (int, string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.ctx, http.MethodPost, "http://"+s.node.Addr()+"/", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.0")
	request.Header.Set("X-Amz-Target", target)
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.account+"/20260101/"+region+"/dynamodb/aws4_request, SignedHeaders=host, Signature=0000000000000000000000000000000000000000000000000000000000000000")
	request.Header.Set("X-Amz-Date", time.Now().UTC().Format("20060102T150405Z"))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if sum := strconv.FormatUint(uint64(crc32.ChecksumIEEE(got)), 10); answer.Header.Get("X-Amz-Crc32") != sum {
		s.t.Errorf("%s: checksum %q, want %s", target, answer.Header.Get("X-Amz-Crc32"), sum)
	}
	if got, want := answer.Header.Get("Content-Type"), "application/x-amz-json-1.0"; got != want {
		s.t.Errorf("%s: Content-Type %q, want %q", target, got, want)
	}
	return answer.StatusCode, string(got)
}

// call is raw for an operation of DynamoDB, and gives the body, with the status before it when that is not 200.
func (s *session) call(operation, body string) string {
	s.t.Helper()
	status, got := s.raw("DynamoDB_20120810."+operation, body)
	if status != http.StatusOK {
		return fmt.Sprint(status, " ", got)
	}
	return got
}

// refusal is the text of a refused call, or what was answered in its place.
func (s *session) refusal(operation, body string) string {
	s.t.Helper()
	got := s.call(operation, body)
	_, text, refused := strings.Cut(got, " ")
	var e struct {
		Type    string `json:"__type"`
		Message string
	}
	if !refused || json.Unmarshal([]byte(text), &e) != nil {
		return got
	}
	_, name, _ := strings.Cut(e.Type, "#")
	return name + ": " + e.Message
}

// table makes a table with the key k (S), and r (N) when ranged, on demand, and waits until it is ACTIVE.
func (s *session) table(name string, ranged bool, change func(*dynamodb.CreateTableInput)) {
	s.t.Helper()
	in := &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("k"), AttributeType: "S"}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("k"), KeyType: "HASH"}},
	}
	if ranged {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: aws.String("r"), AttributeType: "N"})
		in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: aws.String("r"), KeyType: "RANGE"})
	}
	if change != nil {
		change(in)
	}
	must(s.CreateTable(s.ctx, in))(s)
	s.active(name)
}

// active waits until a table and all its indexes are ACTIVE, and gives its description.
func (s *session) active(name string) (d *types.TableDescription) {
	s.t.Helper()
	eventually(s.t, name+" to be ACTIVE", func() bool {
		d = must(s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: &name}))(s).Table
		for _, ix := range d.GlobalSecondaryIndexes {
			if ix.IndexStatus != "ACTIVE" {
				return false
			}
		}
		return d.TableStatus == "ACTIVE"
	})
	return d
}

// The values that these tests write.
func str(text string) types.AttributeValue { return &types.AttributeValueMemberS{Value: text} }
func num(text string) types.AttributeValue { return &types.AttributeValueMemberN{Value: text} }

type item = map[string]types.AttributeValue

// put writes an item.
func (s *session) put(table string, it item) {
	s.t.Helper()
	must(s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: &table, Item: it}))(s)
}

// show is an item as these tests write it: JSON of values without their types, names sorted.
func show(it item) string {
	if it == nil {
		return ""
	}
	plain := map[string]any{}
	for name, v := range it {
		plain[name] = plainOf(v)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(plain); err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(strings.TrimSpace(b.String()), `"`, "")
}

func plainOf(v types.AttributeValue) any {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	case *types.AttributeValueMemberB:
		return string(v.Value)
	case *types.AttributeValueMemberBOOL:
		return v.Value
	case *types.AttributeValueMemberSS:
		return v.Value
	case *types.AttributeValueMemberNS:
		return v.Value
	case *types.AttributeValueMemberBS:
		return len(v.Value)
	case *types.AttributeValueMemberL:
		out := []any{}
		for _, e := range v.Value {
			out = append(out, plainOf(e))
		}
		return out
	case *types.AttributeValueMemberM:
		out := map[string]any{}
		for name, e := range v.Value {
			out[name] = plainOf(e)
		}
		return out
	}
	return nil
}

// as is whether err is of a type.
func as[E error](err error) (e E, is bool) {
	is = errors.As(err, &e)
	return e, is
}
