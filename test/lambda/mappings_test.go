package lambda

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/weir-stream/weir/internal/node"
)

// streamEvent is what a function is given of a stream.
type streamEvent struct {
	Records []struct {
		Kinesis struct {
			PartitionKey string
			Data         []byte
		}
		EventSourceARN    string
		InvokeIdentityArn string
	}
}

// given is a remote function that notes what it is given, and answers with what it was told to.
type given struct {
	mu      sync.Mutex // guards everything below
	batches []string
	last    streamEvent
	answer  string
}

func (g *given) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = streamEvent{}
	if err := json.Unmarshal(body, &g.last); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	var texts []string
	for _, record := range g.last.Records {
		texts = append(texts, string(record.Kinesis.Data))
	}
	g.batches = append(g.batches, strings.Join(texts, " "))
	_, _ = io.WriteString(w, g.answer)
}

func (g *given) want(t *testing.T, want ...string) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Equal(g.batches, want) {
		t.Errorf("the function was given %q, want %q", g.batches, want)
	}
}

// remote makes a function of g.
func (s *session) remote(name string) *given {
	s.t.Helper()
	g := &given{answer: "{}"}
	server := httptest.NewServer(g)
	s.t.Cleanup(server.Close)
	s.create(name, "any", func(in *sdk.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"WEIR_FUNCTION_URL": server.URL}}
	})
	return g
}

// stream makes a stream, and gives its ARN and what puts records into it.
func (s *session) stream(name string) (client *kinesis.Client, arn string, put func(texts ...string)) {
	s.t.Helper()
	o := s.Options()
	client = kinesis.New(kinesis.Options{Region: o.Region, BaseEndpoint: o.BaseEndpoint, HTTPClient: o.HTTPClient, Credentials: o.Credentials, Retryer: o.Retryer})
	_, err := client.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(1)})
	s.must(err)
	eventually(s.t, name+" to be ACTIVE", func() bool {
		out, err := client.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &name})
		s.must(err)
		arn = *out.StreamDescriptionSummary.StreamARN
		return out.StreamDescriptionSummary.StreamStatus == "ACTIVE"
	})
	return client, arn, func(texts ...string) {
		s.t.Helper()
		for _, text := range texts {
			_, err := client.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: &name, PartitionKey: aws.String("k"), Data: []byte(text)})
			s.must(err)
		}
	}
}

// inState waits until a mapping has a state.
func (s *session) inState(uuid, state string) *sdk.GetEventSourceMappingOutput {
	s.t.Helper()
	var m *sdk.GetEventSourceMappingOutput
	eventually(s.t, "a mapping to be "+state, func() (is bool) {
		var err error
		m, err = s.GetEventSourceMapping(s.ctx, &sdk.GetEventSourceMappingInput{UUID: &uuid})
		s.must(err)
		return *m.State == state
	})
	return m
}

// A mapping gives a function what a stream has: in five minutes' batches on the server's test clock, with changes, standing still, and through a restart of the server; and it is gone
// when it is deleted.
func TestMappings(t *testing.T) {
	config := node.Config{Dev: true, TestClock: "2026-11-18T13:00:00Z", DataDir: t.TempDir()}
	server, err := start(config)
	if err != nil {
		t.Fatal(err)
	}
	s := server.session(t)
	g := s.remote("f")
	_, stream, put := s.stream("s")
	put("1")
	created, err := s.CreateEventSourceMapping(s.ctx, &sdk.CreateEventSourceMappingInput{
		FunctionName: aws.String("f"), EventSourceArn: &stream, StartingPosition: types.EventSourcePositionTrimHorizon, MaximumBatchingWindowInSeconds: aws.Int32(300),
		FilterCriteria: &types.FilterCriteria{Filters: []types.Filter{{Pattern: aws.String(`{"data":[{"numeric":["<",9]}]}`)}}},
	})
	s.must(err)
	if *created.State != "Creating" || *created.BatchSize != 100 || *created.MaximumRetryAttempts != -1 || *created.MaximumRecordAgeInSeconds != -1 || *created.ParallelizationFactor != 1 ||
		*created.TumblingWindowInSeconds != 0 || *created.LastProcessingResult != "No records processed" || created.DestinationConfig == nil || created.DestinationConfig.OnFailure == nil ||
		*created.EventSourceMappingArn != "arn:aws:lambda:us-east-1:"+s.account+":event-source-mapping:"+*created.UUID || *created.FunctionArn != s.arn("f") {
		t.Errorf("%+v", created)
	}
	uuid := *created.UUID
	s.inState(uuid, "Enabled")
	_, err = s.CreateEventSourceMapping(s.ctx, &sdk.CreateEventSourceMappingInput{FunctionName: aws.String("f"), EventSourceArn: &stream, StartingPosition: types.EventSourcePositionLatest})
	s.refused(err, "ResourceConflictException", "Please update or delete the existing mapping with UUID "+uuid)

	put("2", "9", "3")
	s.advance("4m59s")
	g.want(t)
	answer, err := http.Get("http://" + server.node.ConsoleAddr() + "/metrics")
	s.must(err)
	page, err := io.ReadAll(answer.Body)
	s.must(errors.Join(err, answer.Body.Close()))
	if want := `weir_mapping_lag_seconds{function="` + s.arn("f") + `",mapping="` + uuid + `",source="` + stream + `"} 299`; !strings.Contains(string(page), want) {
		t.Errorf("no line %s", want)
	}
	s.advance("1s")
	g.want(t, "1 2 3")
	if r := g.last.Records[0]; r.EventSourceARN != stream || r.InvokeIdentityArn != role || r.Kinesis.PartitionKey != "k" {
		t.Errorf("%+v", r)
	}
	if m := s.inState(uuid, "Enabled"); *m.LastProcessingResult != "OK" || len(m.FilterCriteria.Filters) != 1 {
		t.Errorf("%+v", m)
	}

	updated, err := s.UpdateEventSourceMapping(s.ctx, &sdk.UpdateEventSourceMappingInput{UUID: &uuid, Enabled: aws.Bool(false), BatchSize: aws.Int32(2), FilterCriteria: &types.FilterCriteria{}})
	s.must(err)
	if *updated.BatchSize != 2 || updated.FilterCriteria != nil || *updated.MaximumBatchingWindowInSeconds != 300 {
		t.Errorf("%+v", updated)
	}
	s.inState(uuid, "Disabled")
	put("4", "9", "5")
	s.advance("1h")
	g.want(t, "1 2 3")
	if err := server.stop(); err != nil {
		t.Fatal(err)
	}
	restarted := startFor(t, config)
	again := &session{Client: client(t, "http://"+restarted.node.Addr(), s.account, "any"), t: t, ctx: s.ctx, server: restarted, account: s.account}
	_, err = again.UpdateEventSourceMapping(s.ctx, &sdk.UpdateEventSourceMappingInput{UUID: &uuid, Enabled: aws.Bool(true), FunctionName: aws.String("f")})
	again.must(err)
	again.inState(uuid, "Enabled")
	again.advance("10m")
	g.want(t, "1 2 3", "4 9", "5")

	list, err := again.ListEventSourceMappings(s.ctx, &sdk.ListEventSourceMappingsInput{FunctionName: aws.String("f"), EventSourceArn: &stream})
	again.must(err)
	none, err := again.ListEventSourceMappings(s.ctx, &sdk.ListEventSourceMappingsInput{FunctionName: aws.String("g")})
	again.must(err)
	if len(list.EventSourceMappings) != 1 || *list.EventSourceMappings[0].UUID != uuid || len(none.EventSourceMappings) != 0 {
		t.Errorf("%+v, %+v", list.EventSourceMappings, none.EventSourceMappings)
	}
	deleted, err := again.DeleteEventSourceMapping(s.ctx, &sdk.DeleteEventSourceMappingInput{UUID: &uuid})
	again.must(err)
	if *deleted.State != "Deleting" {
		t.Errorf("%+v", deleted)
	}
	eventually(t, "the mapping to go", func() bool {
		_, err := again.GetEventSourceMapping(s.ctx, &sdk.GetEventSourceMappingInput{UUID: &uuid})
		if err != nil {
			again.refused(err, "ResourceNotFoundException", "The resource you requested does not exist.")
		}
		return err != nil
	})
}

// A consumer's mapping is given what its stream has, and a function reports which records failed.
func TestMappingOfConsumer(t *testing.T) {
	server := startFor(t, node.Config{Dev: true, TestClock: "2026-11-18T13:00:00Z"})
	s := server.session(t)
	g := s.remote("f")
	streams, stream, put := s.stream("s")
	consumer, err := streams.RegisterStreamConsumer(s.ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: &stream, ConsumerName: aws.String("c")})
	s.must(err)
	put("1", "2", "3")
	g.answer = `{"batchItemFailures":[{"itemIdentifier":""}]}`
	created, err := s.CreateEventSourceMapping(s.ctx, &sdk.CreateEventSourceMappingInput{
		FunctionName: aws.String("f"), EventSourceArn: consumer.Consumer.ConsumerARN, StartingPosition: types.EventSourcePositionAtTimestamp,
		StartingPositionTimestamp: aws.Time(time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)), FunctionResponseTypes: []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures},
		BisectBatchOnFunctionError: aws.Bool(true), MaximumRetryAttempts: aws.Int32(1),
	})
	s.must(err)
	s.inState(*created.UUID, "Enabled")
	s.advance("0s")
	g.want(t, "1 2 3")
	s.advance("1s")
	put("4")
	s.advance("0s")
	g.want(t, "1 2 3", "1 2 3", "4")
	if m := s.inState(*created.UUID, "Enabled"); *m.LastProcessingResult != "PROBLEM: Function call failed" || *m.StartingPositionTimestamp != time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC) {
		t.Errorf("%+v", m)
	}
}

// What cannot be is refused by name.
func TestMappingRefusals(t *testing.T) {
	s := shared.session(t)
	s.create("f", "echo", nil)
	_, stream, _ := s.stream("s")
	const invalid = "InvalidParameterValueException"
	for _, row := range []struct {
		change     func(*sdk.CreateEventSourceMappingInput)
		code, text string
	}{
		{func(in *sdk.CreateEventSourceMappingInput) { in.EventSourceArn = aws.String(stream + "s") }, invalid, "Stream not found: " + stream + "s"},
		{func(in *sdk.CreateEventSourceMappingInput) { in.EventSourceArn = nil }, invalid, "Unrecognized event source."},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.EventSourceArn = aws.String("arn:aws:sqs:us-east-1:" + s.account + ":q")
		}, invalid, "is not supported by this version of Weir"},
		{func(in *sdk.CreateEventSourceMappingInput) { in.FunctionName = aws.String("g") }, invalid, "Function does not exist"},
		{func(in *sdk.CreateEventSourceMappingInput) { in.StartingPosition = "" }, invalid, "startingPosition"},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.StartingPosition = types.EventSourcePositionAtTimestamp
		}, invalid, "StartingPositionTimestamp"},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.StartingPosition, in.StartingPositionTimestamp = types.EventSourcePositionAtTimestamp, aws.Time(time.Now().Add(time.Hour))
		}, invalid, "must not be in the future"},
		{func(in *sdk.CreateEventSourceMappingInput) { in.MaximumRecordAgeInSeconds = aws.Int32(30) }, invalid, "MaximumRecordAgeInSeconds"},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.FilterCriteria = &types.FilterCriteria{Filters: []types.Filter{{Pattern: aws.String(`{"data":1}`)}}}
		}, invalid, "Invalid filter pattern definition."},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.DestinationConfig = &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String("arn:aws:sqs:us-east-1:" + s.account + ":q")}}
		}, invalid, "SQS destination"},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.ScalingConfig = &types.ScalingConfig{MaximumConcurrency: aws.Int32(2)}
		}, invalid, "ScalingConfig is not supported by this version of Weir."},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.KMSKeyArn = aws.String("arn:aws:kms:us-east-1:123456789012:key/k")
		}, invalid, "KMSKeyArn is not supported"},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.MetricsConfig = &types.EventSourceMappingMetricsConfig{Metrics: []types.EventSourceMappingMetric{types.EventSourceMappingMetricEventCount}}
		}, invalid, "MetricsConfig is not supported"},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.ProvisionedPollerConfig = &types.ProvisionedPollerConfig{MaximumPollers: aws.Int32(2)}
		}, invalid, "ProvisionedPollerConfig is not supported"},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.LoggingConfig = &types.EventSourceMappingLoggingConfig{SystemLogLevel: types.EventSourceMappingSystemLogLevelDebug}
		}, invalid, "LoggingConfig is not supported"},
		{func(in *sdk.CreateEventSourceMappingInput) { in.Topics = []string{"topic"} }, invalid, "Topics is not supported"},
		{func(in *sdk.CreateEventSourceMappingInput) { in.Queues = []string{"q"} }, invalid, "Queues is not supported"},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.SourceAccessConfigurations = []types.SourceAccessConfiguration{{Type: types.SourceAccessTypeBasicAuth, URI: aws.String("arn:aws:secretsmanager:us-east-1:123456789012:secret:s")}}
		}, invalid, "SourceAccessConfigurations is not supported"},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.SelfManagedEventSource = &types.SelfManagedEventSource{Endpoints: map[string][]string{"KAFKA_BOOTSTRAP_SERVERS": {"h:9092"}}}
		}, invalid, "SelfManagedEventSource is not supported"},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.SelfManagedKafkaEventSourceConfig = &types.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: aws.String("g")}
		}, invalid, "SelfManagedKafkaEventSourceConfig is not supported"},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.AmazonManagedKafkaEventSourceConfig = &types.AmazonManagedKafkaEventSourceConfig{ConsumerGroupId: aws.String("g")}
		}, invalid, "AmazonManagedKafkaEventSourceConfig is not supported"},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.DocumentDBEventSourceConfig = &types.DocumentDBEventSourceConfig{DatabaseName: aws.String("d")}
		}, invalid, "DocumentDBEventSourceConfig is not supported"},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.DestinationConfig = &types.DestinationConfig{OnSuccess: &types.OnSuccess{Destination: aws.String("arn:aws:s3:::b")}}
		}, invalid, "Unsupported DestinationConfig parameter"},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.FunctionName = aws.String("arn:aws:lambda:us-east-1:000000000001:function:f")
		}, invalid, "another account"},
		{func(in *sdk.CreateEventSourceMappingInput) {
			in.EventSourceArn = aws.String(strings.Replace(stream, s.account, "000000000001", 1))
		}, invalid, "another account or region"},
	} {
		in := &sdk.CreateEventSourceMappingInput{FunctionName: aws.String("f"), EventSourceArn: &stream, StartingPosition: types.EventSourcePositionLatest}
		row.change(in)
		_, err := s.CreateEventSourceMapping(s.ctx, in)
		s.refused(err, row.code, row.text)
	}
}

// A server that is killed while a function has records of a stream gives it that batch again after the restart, and no other.
func TestMappingKilled(t *testing.T) {
	invoked := make(chan struct{})
	var once sync.Once
	g := &given{answer: "{}"}
	remote := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.ServeHTTP(w, r)
		g.mu.Lock()
		n := len(g.batches)
		g.mu.Unlock()
		if n == 3 { // it has done its work, and its server dies before it hears so
			once.Do(func() { close(invoked) })
			<-r.Context().Done()
		}
	}))
	t.Cleanup(remote.Close)
	dir, account := t.TempDir(), nextAccount()
	r := startProcess(t, dir)
	s := &session{Client: client(t, "http://"+r.addr, account, "any"), t: t, ctx: t.Context(), account: account}
	s.create("f", "any", func(in *sdk.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"WEIR_FUNCTION_URL": remote.URL}}
	})
	_, stream, put := s.stream("s")
	put("1", "2", "3", "4", "5")
	created, err := s.CreateEventSourceMapping(s.ctx, &sdk.CreateEventSourceMappingInput{FunctionName: aws.String("f"), EventSourceArn: &stream, StartingPosition: types.EventSourcePositionTrimHorizon, BatchSize: aws.Int32(1)})
	s.must(err)
	<-invoked
	r.kill()
	r = startProcess(t, dir)
	s.Client = client(t, "http://"+r.addr, account, "any")
	s.inState(*created.UUID, "Enabled")
	eventually(t, "the last record", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return slices.Contains(g.batches, "5")
	})
	g.want(t, "1", "2", "3", "3", "4", "5")
}
