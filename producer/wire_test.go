package producer

import (
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// capture keeps what a client sends, and answers that nothing was taken.
type capture struct {
	header http.Header
	body   []byte
}

func (c *capture) Do(r *http.Request) (*http.Response, error) {
	c.header = r.Header
	var err error
	if c.body, err = io.ReadAll(r.Body); err != nil {
		return nil, err
	}
	if int64(len(c.body)) != r.ContentLength {
		panic("a body of another length than announced")
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: io.NopCloser(strings.NewReader(`{"Records":[]}`))}, nil
}

// Shows that what is written directly is what the SDK's own serializer writes: the same JSON, under the same headers.
func TestDirectIsWhatTheSDKSends(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("random values of rand.NewPCG(%d, 1)", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	sent := &capture{}
	api := kinesis.New(kinesis.Options{Region: "us-east-1", HTTPClient: sent, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
	})})
	text := func() string {
		letters := []rune("abc\"\\/<>&\u2028\u00e9\t\n\x00\x7f世")
		s := make([]rune, 1+r.IntN(20))
		for i := range s {
			s[i] = letters[r.IntN(len(letters))]
		}
		return string(s)
	}
	for round := range 300 {
		in := &kinesis.PutRecordsInput{}
		if round%2 == 0 {
			in.StreamName = aws.String("orders")
		} else {
			in.StreamARN = aws.String("arn:aws:kinesis:us-east-1:111111111111:stream/orders")
		}
		for range 1 + r.IntN(20) {
			data := make([]byte, r.IntN(200))
			for i := range data {
				data[i] = byte(r.Uint32())
			}
			in.Records = append(in.Records, types.PutRecordsRequestEntry{Data: data, PartitionKey: aws.String(text()), ExplicitHashKey: aws.String("340282366920938463463374607431768211455")})
		}
		var bodies [2]any
		var headers [2]http.Header
		for i, how := range []func(*kinesis.Options){func(*kinesis.Options) {}, new(body).asWeSend} {
			if _, err := api.PutRecords(t.Context(), in, how); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(sent.body, &bodies[i]); err != nil {
				t.Fatalf("%v in %s", err, sent.body)
			}
			headers[i] = sent.header
		}
		if !reflect.DeepEqual(bodies[0], bodies[1]) {
			t.Fatalf("the SDK sends\n%v\nand we\n%v", bodies[0], bodies[1])
		}
		for _, name := range []string{"X-Amz-Target", "Content-Type"} {
			if headers[0].Get(name) == "" || headers[0].Get(name) != headers[1].Get(name) {
				t.Errorf("%s: the SDK sends %q and we %q", name, headers[0].Get(name), headers[1].Get(name))
			}
		}
	}
	big := &kinesis.PutRecordsInput{StreamName: aws.String("orders"), Records: []types.PutRecordsRequestEntry{{Data: make([]byte, 50_000), PartitionKey: aws.String("a"), ExplicitHashKey: aws.String("1")}}}
	if n := testing.AllocsPerRun(10, func() { appendPutRecords(nil, big) }); n != 1 {
		t.Errorf("%v allocations for a request", n)
	}
}
