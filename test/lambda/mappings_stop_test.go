package lambda

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/weir-stream/weir/internal/node"
)

// A function that a stream's records were given to before its server was told to stop reaches the server until it has ended: it writes what it makes of them, and they are done.
func TestMappingEndsBeforeServer(t *testing.T) {
	config := node.Config{Dev: true, DataDir: t.TempDir()}
	server, err := start(config)
	if err != nil {
		t.Fatal(err)
	}
	s := server.session(t)
	streams, stream, put := s.stream("s")
	stopping, calls := make(chan struct{}), make(chan error, 1)
	g := &given{answer: "{}"}
	var once sync.Once
	remote := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		invoked := func() {
			ended := make(chan error, 1)
			go func() {
				close(stopping)
				ended <- server.stop()
			}()
			<-stopping
			// Each on a connection of its own: one that is open already may stay so.
			var err error
			for i := 0; i < 100 && err == nil; i++ {
				_, err = streams.DescribeLimits(s.ctx, &kinesis.DescribeLimitsInput{})
				streams.Options().HTTPClient.(interface{ CloseIdleConnections() }).CloseIdleConnections()
			}
			calls <- err
			go func() { calls <- <-ended }()
		}
		once.Do(invoked)
		g.ServeHTTP(w, r)
	}))
	t.Cleanup(remote.Close)
	s.create("f", "any", func(in *sdk.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"WEIR_FUNCTION_URL": remote.URL}}
	})
	_, err = s.CreateEventSourceMapping(s.ctx, &sdk.CreateEventSourceMappingInput{FunctionName: aws.String("f"), EventSourceArn: &stream, StartingPosition: types.EventSourcePositionTrimHorizon})
	s.must(err)
	put("1")
	for _, what := range []string{"the function calls the server", "the server stops"} {
		if err := <-calls; err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	again := startFor(t, config)
	s.Client = client(t, "http://"+again.node.Addr(), s.account, "any")
	puts := kinesis.New(streams.Options(), func(o *kinesis.Options) { o.BaseEndpoint = aws.String("http://" + again.node.Addr()) })
	_, err = puts.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: aws.String("s"), PartitionKey: aws.String("k"), Data: []byte("2")})
	s.must(err)
	eventually(t, "the second record", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.batches) == 2
	})
	g.want(t, "1", "2")
}
