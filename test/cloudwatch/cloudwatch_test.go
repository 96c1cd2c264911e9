// Package cloudwatch drives a running Weir's part of CloudWatch with the AWS SDK for Go, unmodified but for its endpoint, and with requests written by hand in the protocols that
// this SDK does not speak.
//
// It owns the proof that each operation of docs/aws/cloudwatch.md does what the table says. What is kept for how long is shown by the tests of internal/metrics.
//
// Read session, below, then TestPutMetricData.
package cloudwatch

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"

	api "github.com/weir-stream/weir/internal/api/cloudwatch"
	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/vfs"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/cloudwatch"
)

const (
	region   = "us-east-1"
	patience = 30 * time.Second
)

// session is one server and a client of it.
type session struct {
	*cloudwatch.Client
	t    *testing.T
	ctx  context.Context
	node *node.Node
	sent *sent
}

// sent notes how requests were sent.
type sent struct {
	media, encoding string
}

func (s *sent) Do(r *http.Request) (*http.Response, error) {
	s.media, s.encoding = r.Header.Get("Content-Type"), r.Header.Get("Content-Encoding")
	return http.DefaultClient.Do(r)
}

func begin(t *testing.T) *session {
	return start(t, node.Config{DataDir: t.TempDir(), Dev: true}, aws.Credentials{AccessKeyID: "111111111111", SecretAccessKey: "any"})
}

func start(t *testing.T, config node.Config, key aws.Credentials) *session {
	t.Helper()
	config.Listen, config.ConsoleListen, config.Logger = "127.0.0.1:0", "127.0.0.1:0", slog.New(slog.DiscardHandler)
	n, err := node.Start(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := n.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return connect(t, n, key)
}

func connect(t *testing.T, n *node.Node, key aws.Credentials) *session {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	s := &session{t: t, ctx: ctx, node: n, sent: new(sent)}
	s.Client = cloudwatch.New(cloudwatch.Options{
		Region: region, BaseEndpoint: aws.String("http://" + n.Addr()), Retryer: aws.NopRetryer{}, HTTPClient: s.sent,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return key, nil }),
	})
	return s
}

func must[T any](value T, err error) func(s *session) T {
	return func(s *session) T {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
		return value
	}
}

// minute is a minute in which nothing else happens, in the past.
func minute() time.Time { return time.Now().UTC().Truncate(time.Minute).Add(-10 * time.Minute) }

// show is what was put of a metric around minute, in all statistics.
func (s *session) show(namespace, name string, period int32, dimensions ...types.Dimension) string {
	s.t.Helper()
	got := must(s.GetMetricStatistics(s.ctx, &cloudwatch.GetMetricStatisticsInput{
		Namespace: &namespace, MetricName: &name, Dimensions: dimensions, StartTime: aws.Time(minute().Add(-time.Hour)), EndTime: aws.Time(minute().Add(time.Hour)), Period: &period,
		Statistics: []types.Statistic{"SampleCount", "Average", "Sum", "Minimum", "Maximum"},
	}))(s)
	var out []string
	for _, d := range got.Datapoints {
		out = append(out, fmt.Sprint(*d.SampleCount, *d.Average, *d.Sum, *d.Minimum, *d.Maximum)+" "+string(d.Unit))
	}
	return strings.Join(out, "; ")
}

// metrics is the lines of /metrics that have a text.
func (s *session) metrics(with string) string {
	s.t.Helper()
	answer, err := http.Get("http://" + s.node.ConsoleAddr() + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var lines []string
	for line := range strings.SplitSeq(string(all), "\n") {
		if strings.Contains(line, with) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func dimension(name, value string) types.Dimension {
	return types.Dimension{Name: &name, Value: &value}
}

// TestPutMetricData puts all kinds of values, which the SDK sends compressed when they are large, and finds them added up by GetMetricStatistics, by ListMetrics and on /metrics.
func TestPutMetricData(t *testing.T) {
	s := begin(t)
	at := aws.Time(minute().Add(30 * time.Second))
	worker := dimension("WorkerIdentifier", "w=1,2")
	must(s.PutMetricData(s.ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("App"), MetricData: []types.MetricDatum{
		{MetricName: aws.String("Records"), Value: aws.Float64(0.5), Timestamp: at, Dimensions: []types.Dimension{worker, dimension("Operation", "x")}, Unit: "Count"},
		{MetricName: aws.String("Records"), Timestamp: at, Dimensions: []types.Dimension{dimension("Operation", "x"), worker}, Unit: "Count",
			StatisticValues: &types.StatisticSet{SampleCount: aws.Float64(3), Sum: aws.Float64(9), Minimum: aws.Float64(-2), Maximum: aws.Float64(7)}},
		{MetricName: aws.String("Records"), Timestamp: at, Dimensions: []types.Dimension{worker, dimension("Operation", "x")}, Unit: "Count", Values: []float64{10, 20}, Counts: []float64{2, 0}},
		{MetricName: aws.String("Records"), Value: aws.Float64(8), Timestamp: at},
	}}))(s)
	if got, want := s.sent.media, "application/cbor"; got != want {
		t.Errorf("the SDK speaks %s, want %s", got, want)
	}
	if got, want := s.show("App", "Records", 60, worker, dimension("Operation", "x")), "6 4.916666666666667 29.5 -2 10 Count"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := s.show("App", "Records", 60), "1 8 8 8 8 None"; got != want {
		t.Errorf("without dimensions: got %s, want %s", got, want)
	}
	labels := `{account="111111111111",dimensions="Operation=x,WorkerIdentifier=w\\=1\\,2",metric="Records",namespace="App",region="us-east-1",unit="Count"}`
	want := "aws_cloudwatch_metric_sum" + labels + " 29.5\naws_cloudwatch_metric_count" + labels + " 6\naws_cloudwatch_metric_maximum" + labels + " 10\naws_cloudwatch_metric_minimum" + labels + " -2"
	got := s.metrics(`unit="Count"`)
	for line := range strings.SplitSeq(want, "\n") {
		if !strings.Contains(got, line) {
			t.Errorf("/metrics has not\n%s\nbut\n%s", line, got)
		}
	}

	var many []types.MetricDatum
	for i := range 1000 {
		many = append(many, types.MetricDatum{MetricName: aws.String(fmt.Sprintf("Many%04d", i)), Values: []float64{float64(i), 1}, Timestamp: at})
	}
	must(s.PutMetricData(s.ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("Large"), MetricData: many[:500], EntityMetricData: []types.EntityMetricData{
		{Entity: &types.Entity{KeyAttributes: map[string]string{"Type": "Service", "Name": "app"}}, MetricData: many[500:]}}}))(s)
	if s.sent.encoding != "gzip" {
		t.Errorf("a large body was sent with Content-Encoding %q", s.sent.encoding)
	}
	if got, want := s.show("Large", "Many0999", 60), "2 500 1000 1 999 None"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestGetMetricStatistics adds minutes up to periods, which begin where the request begins.
func TestGetMetricStatistics(t *testing.T) {
	s := begin(t)
	first := minute().Add(-20 * time.Minute)
	for _, row := range []struct {
		after time.Duration
		value float64
		unit  types.StandardUnit
	}{{0, 1, "Count"}, {2 * time.Minute, 2, "Count"}, {5 * time.Minute, 4, "Count"}, {5 * time.Minute, 100, "Seconds"}} {
		must(s.PutMetricData(s.ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("App"), MetricData: []types.MetricDatum{
			{MetricName: aws.String("m"), Value: &row.value, Timestamp: aws.Time(first.Add(row.after)), Unit: row.unit}}}))(s)
	}
	in := &cloudwatch.GetMetricStatisticsInput{Namespace: aws.String("App"), MetricName: aws.String("m"), StartTime: aws.Time(first.Add(-3 * time.Minute)),
		EndTime: aws.Time(first.Add(30 * time.Minute)), Period: aws.Int32(300), Statistics: []types.Statistic{"Sum"}, Unit: "Count"}
	got := must(s.GetMetricStatistics(s.ctx, in))(s)
	if len(got.Datapoints) != 2 || *got.Datapoints[0].Sum != 1 || !got.Datapoints[0].Timestamp.Equal(first.Add(-3*time.Minute)) ||
		*got.Datapoints[1].Sum != 6 || !got.Datapoints[1].Timestamp.Equal(first.Add(2*time.Minute)) || got.Datapoints[0].Average != nil || *got.Label != "m" {
		t.Errorf("got %+v", got.Datapoints)
	}
	for _, row := range []struct {
		change func(*cloudwatch.GetMetricStatisticsInput)
		want   string
	}{
		{func(in *cloudwatch.GetMetricStatisticsInput) { in.Period = aws.Int32(90) }, "InvalidParameterValue: The value 90 for parameter Period is invalid."},
		{func(in *cloudwatch.GetMetricStatisticsInput) { in.Period = aws.Int32(10) }, "InvalidParameterValue: A Period below 60 seconds is not supported by this version of Weir."},
		{func(in *cloudwatch.GetMetricStatisticsInput) { in.EndTime = in.StartTime }, "InvalidParameterCombination: The parameter StartTime must be less than the parameter EndTime."},
		{func(in *cloudwatch.GetMetricStatisticsInput) { in.StartTime = aws.Time(first.Add(-720 * time.Hour)) }, "InvalidParameterCombination: You have requested more than the limit of 1,440 datapoints. You may reduce the datapoints requested by increasing Period, or decreasing the time range."},
		{func(in *cloudwatch.GetMetricStatisticsInput) { in.Statistics = nil }, "MissingParameter: Must specify either Statistics or ExtendedStatistics"},
		{func(in *cloudwatch.GetMetricStatisticsInput) { in.ExtendedStatistics = []string{"p99"} }, "InvalidParameterValue: ExtendedStatistics is not supported by this version of Weir."},
	} {
		changed := *in
		row.change(&changed)
		_, err := s.GetMetricStatistics(s.ctx, &changed)
		if got := refusal(err); got != row.want {
			t.Errorf("got %s\nwant %s", got, row.want)
		}
	}
}

// TestListMetrics lists by pages, and by filters.
func TestListMetrics(t *testing.T) {
	s := begin(t)
	var data []types.MetricDatum
	for i := range 700 {
		data = append(data, types.MetricDatum{MetricName: aws.String("m"), Value: aws.Float64(1), Dimensions: []types.Dimension{dimension("n", fmt.Sprintf("%03d", i)), dimension("odd", fmt.Sprint(i%2))}})
	}
	data = append(data, types.MetricDatum{MetricName: aws.String("m"), Value: aws.Float64(1), Unit: "Bytes"}, types.MetricDatum{MetricName: aws.String("m"), Value: aws.Float64(1), Unit: "Count"})
	must(s.PutMetricData(s.ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("App"), MetricData: data}))(s)
	must(s.PutMetricData(s.ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("Other"), MetricData: data[:1]}))(s)
	list := func(in cloudwatch.ListMetricsInput) (found []string) {
		for {
			page := must(s.ListMetrics(s.ctx, &in))(s)
			if len(page.Metrics) > 500 {
				t.Errorf("a page of %d", len(page.Metrics))
			}
			for _, m := range page.Metrics {
				name := *m.Namespace + " " + *m.MetricName
				for _, d := range m.Dimensions {
					name += " " + *d.Name + "=" + *d.Value
				}
				found = append(found, name)
			}
			if in.NextToken = page.NextToken; in.NextToken == nil {
				return found
			}
		}
	}
	if all := list(cloudwatch.ListMetricsInput{}); len(all) != 702 || !slices.IsSorted(all) || all[0] != "App m" || all[700] != "App m n=699 odd=1" {
		t.Errorf("%d: %v", len(all), all)
	}
	if some := list(cloudwatch.ListMetricsInput{Namespace: aws.String("App"), MetricName: aws.String("m"),
		Dimensions: []types.DimensionFilter{{Name: aws.String("n")}, {Name: aws.String("odd"), Value: aws.String("1")}}}); len(some) != 350 {
		t.Errorf("%d of odd numbers", len(some))
	}
	_, err := s.ListMetrics(s.ctx, &cloudwatch.ListMetricsInput{NextToken: aws.String("?")})
	if got, want := refusal(err), "InvalidParameterValue: The value for parameter NextToken is invalid."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// refusal is an error's code and text.
func refusal(err error) string {
	var e smithy.APIError
	if !errors.As(err, &e) {
		return fmt.Sprint(err)
	}
	return e.ErrorCode() + ": " + e.ErrorMessage()
}

// TestPutMetricDataRefusals shows what is refused, and that nothing of a refused call is kept.
func TestPutMetricDataRefusals(t *testing.T) {
	s := begin(t)
	type datum = types.MetricDatum
	nan := make([]float64, 151)
	for _, row := range []struct {
		change func(*cloudwatch.PutMetricDataInput, *datum)
		want   string
	}{
		{func(in *cloudwatch.PutMetricDataInput, _ *datum) { in.Namespace = aws.String("AWS/App") }, "InvalidParameterValue: The value AWS/App for parameter Namespace is invalid."},
		{func(in *cloudwatch.PutMetricDataInput, _ *datum) { in.StrictEntityValidation = aws.Bool(true) }, "InvalidParameterValue: StrictEntityValidation is not supported by this version of Weir."},
		{func(in *cloudwatch.PutMetricDataInput, _ *datum) { in.MetricData = nil }, "MissingParameter: The parameter MetricData is required."},
		{func(in *cloudwatch.PutMetricDataInput, _ *datum) { in.MetricData = slices.Repeat(in.MetricData, 501) }, "InvalidParameterValue: The collection MetricData must not have a size greater than 1000."},
		{func(_ *cloudwatch.PutMetricDataInput, m *datum) { m.Value = nil }, "MissingParameter: At least one of the parameters MetricData.member.2.Value, MetricData.member.2.Values or MetricData.member.2.StatisticValues must be specified."},
		{func(_ *cloudwatch.PutMetricDataInput, m *datum) { m.Values = []float64{1} }, "InvalidParameterCombination: The parameters MetricData.member.2.Value, MetricData.member.2.Values and MetricData.member.2.StatisticValues are mutually exclusive and you have specified more than one."},
		{func(_ *cloudwatch.PutMetricDataInput, m *datum) { m.Value, m.Values = nil, nan }, "InvalidParameterValue: The collection MetricData.member.2.Values must not have a size greater than 150."},
		{func(_ *cloudwatch.PutMetricDataInput, m *datum) {
			m.Value, m.Values, m.Counts = nil, []float64{1, 2}, []float64{1}
		}, "InvalidParameterValue: The parameters MetricData.member.2.Values and MetricData.member.2.Counts must be of the same size."},
		{func(_ *cloudwatch.PutMetricDataInput, m *datum) { m.Value = aws.Float64(1e300) }, "InvalidParameterValue: The value 1e+300 for parameter MetricData.member.2.Value is invalid."},
		{func(_ *cloudwatch.PutMetricDataInput, m *datum) {
			m.Timestamp = aws.Time(time.Now().Add(-15 * 24 * time.Hour))
		}, "InvalidParameterValue: The parameter MetricData.member.2.Timestamp must be within two weeks before and two hours after the current time."},
		{func(_ *cloudwatch.PutMetricDataInput, m *datum) {
			m.Dimensions = []types.Dimension{dimension("a", "1"), dimension("a", "2")}
		}, "InvalidParameterValue: No Metric Dimension can be specified more than once: a."},
		{func(_ *cloudwatch.PutMetricDataInput, m *datum) {
			m.Dimensions = []types.Dimension{dimension("a", "")}
		}, "ValidationError: 1 validation error detected: Value '' at 'metricData.2.member.dimensions.1.member.value' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{func(_ *cloudwatch.PutMetricDataInput, m *datum) { m.StorageResolution = aws.Int32(5) }, "InvalidParameterValue: The value 5 for parameter MetricData.member.2.StorageResolution is invalid."},
		{func(_ *cloudwatch.PutMetricDataInput, m *datum) { m.MetricName = aws.String("") }, "ValidationError: 1 validation error detected: Value '' at 'metricData.2.member.metricName' failed to satisfy constraint: Member must have length greater than or equal to 1"},
	} {
		in := &cloudwatch.PutMetricDataInput{Namespace: aws.String("App"), MetricData: []datum{{MetricName: aws.String("good"), Value: aws.Float64(1)}, {MetricName: aws.String("m"), Value: aws.Float64(1)}}}
		row.change(in, &in.MetricData[min(1, len(in.MetricData)-1):][0])
		_, err := s.PutMetricData(s.ctx, in)
		if got := refusal(err); got != row.want {
			t.Errorf("got %s\nwant %s", got, row.want)
		}
	}
	if got := must(s.ListMetrics(s.ctx, &cloudwatch.ListMetricsInput{}))(s); len(got.Metrics) != 0 {
		t.Errorf("kept %d metrics of refused calls", len(got.Metrics))
	}
	_, err := s.PutMetricAlarm(s.ctx, &cloudwatch.PutMetricAlarmInput{AlarmName: aws.String("a"), ComparisonOperator: "LessThanThreshold", EvaluationPeriods: aws.Int32(1)})
	if got, want := refusal(err), "UnsupportedOperation: The operation PutMetricAlarm is not supported by this version of Weir."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// request is a request written by hand.
type request struct {
	path, media, target, body string
	gzip                      bool
}

func (s *session) send(q request) (status int, media, body string) {
	s.t.Helper()
	content := []byte(q.body)
	if q.gzip {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		if _, err := w.Write(content); err != nil {
			s.t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			s.t.Fatal(err)
		}
		content = packed.Bytes()
	}
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, "http://"+s.node.Addr()+"/"+q.path, bytes.NewReader(content))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", q.media)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=111111111111/20260101/"+region+"/monitoring/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("0", 64))
	if q.target != "" {
		r.Header.Set("X-Amz-Target", q.target)
	}
	if q.path != "" {
		r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	if q.gzip {
		r.Header.Set("Content-Encoding", "gzip")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header.Get("Content-Type"), strings.ReplaceAll(string(got), answer.Header.Get("X-Amzn-Requestid"), "ID")
}

// TestProtocols says the same in the three protocols by hand, compressed and not, right and wrong.
func TestProtocols(t *testing.T) {
	s := begin(t)
	const (
		form, json, cbor = "application/x-www-form-urlencoded; charset=utf-8", "application/x-amz-json-1.0", "application/cbor"
		target, path     = "GraniteServiceVersion20100801.", "service/GraniteServiceVersion20100801/operation/"
	)
	at := minute().Add(15 * time.Second)
	put := "Action=PutMetricData&Version=2010-08-01&Namespace=App&MetricData.member.1.MetricName=m&MetricData.member.1.Dimensions.member.1.Name=a%20b&MetricData.member.1.Dimensions.member.1.Value=c%26d" +
		"&MetricData.member.1.Timestamp=" + url.QueryEscape(at.Format(time.RFC3339)) + "&MetricData.member.1.Values.member.10=5&MetricData.member.1.Values.member.9=2.5e0&MetricData.member.1.Counts.member.1=1&MetricData.member.1.Counts.member.2=2&MetricData.member.1.Unit=Count"
	putJSON := fmt.Sprintf(`{"Namespace":"App","MetricData":[{"MetricName":"m","Dimensions":[{"Name":"a b","Value":"c&d"}],"Timestamp":%d,"Value":7,"Unit":"Count"}]}`, at.Unix())
	const response = `Response xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/">`
	const meta = "<ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata>"
	wrong := func(code, message string) string {
		return "<ErrorResponse><Error><Type>Sender</Type><Code>" + code + "</Code><Message>" + message + "</Message></Error><RequestId>ID</RequestId></ErrorResponse>\n"
	}
	for _, row := range []struct {
		name   string
		ask    request
		status int
		media  string
		want   string
	}{
		{"query", request{media: form, body: put}, 200, "text/xml", "<PutMetricData" + response + meta + "</PutMetricDataResponse>\n"},
		{"query, compressed", request{media: form, body: put, gzip: true}, 200, "text/xml", "<PutMetricData" + response + meta + "</PutMetricDataResponse>\n"},
		{"json", request{media: json, target: target + "PutMetricData", body: putJSON}, 200, json, ""},
		{"json, compressed", request{media: json, target: target + "PutMetricData", body: putJSON, gzip: true}, 200, json, ""},
		{"cbor", request{media: cbor, path: path + "PutMetricData", body: "\xbf\x69Namespace\x63App\x6aMetricData\x81\xa3\x6aMetricName\x61m\x65Value\xf9\x3c\x00\x69Timestamp\xc1\xfb" + seconds(at) + "\xff"}, 200, cbor, "\xa0"},
		{"list by query", request{media: form, body: "Action=ListMetrics&Version=2010-08-01&Dimensions.member.1.Name=a%20b"}, 200, "text/xml",
			"<ListMetrics" + response + "<ListMetricsResult><Metrics><member><Namespace>App</Namespace><MetricName>m</MetricName><Dimensions><member><Name>a b</Name><Value>c&amp;d</Value></member></Dimensions></member></Metrics></ListMetricsResult>" + meta + "</ListMetricsResponse>\n"},
		{"query, wrong", request{media: form, body: "Action=PutMetricData&Namespace=AWS/x&MetricData.member.1.MetricName=m"}, 400, "text/xml", wrong("InvalidParameterValue", "The value AWS/x for parameter Namespace is invalid.")},
		{"query, no number", request{media: form, body: "Action=PutMetricData&Namespace=x&MetricData.member.1.MetricName=m&MetricData.member.1.Value=one"}, 400, "text/xml", wrong("MalformedInput", "&#39;one&#39; can not be converted to an Double")},
		{"query, constraint", request{media: form, body: "Action=PutMetricData"}, 400, "text/xml", wrong("ValidationError", "1 validation error detected: Value null at &#39;namespace&#39; failed to satisfy constraint: Member must not be null")},
		{"query, not served", request{media: form, body: "Action=DescribeAlarms"}, 400, "text/xml", wrong("UnsupportedOperation", "The operation DescribeAlarms is not supported by this version of Weir.")},
		{"query, not known", request{media: form, body: "Action=Invented"}, 400, "text/xml", wrong("InvalidAction", "")},
		{"json, wrong", request{media: json, target: target + "PutMetricData", body: `{"Namespace":"AWS/x","MetricData":[]}`}, 400, json, `{"__type":"InvalidParameterValueException","message":"The value AWS/x for parameter Namespace is invalid."}`},
		{"cbor, wrong", request{media: cbor, path: path + "PutMetricData", body: "\xa1\x69Namespace\x61x"}, 400, cbor,
			"\xa2\x66__type\x78\x21MissingRequiredParameterException\x67message\x78\x25The parameter MetricData is required."},
		{"cbor, not known", request{media: cbor, path: path + "Invented", body: "\xa0"}, 404, cbor, "\xa1\x66__type\x78\x19UnknownOperationException"},
	} {
		status, media, got := s.send(row.ask)
		if status != row.status || media != row.media || got != row.want {
			t.Errorf("%s: %d %s %q\nwant %d %s %q", row.name, status, media, got, row.status, row.media, row.want)
		}
	}
	if got, want := s.show("App", "m", 60, dimension("a b", "c&d")), "8 4.875 39 2.5 7 Count"; got != want { // twice 2.5 once and 5 twice, twice 7
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := s.show("App", "m", 60), "1 1 1 1 1 None"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestOperationsAbsent asks for every operation of the model that is not served, and hears its name.
func TestOperationsAbsent(t *testing.T) {
	s := begin(t)
	absent := 0
	for name := range shapes.Service.Operations {
		if api.Supported(name) {
			continue
		}
		absent++
		status, _, got := s.send(request{media: "application/x-amz-json-1.0", target: "GraniteServiceVersion20100801." + name, body: "{}"})
		if want := `{"__type":"UnsupportedOperationException","message":"The operation ` + name + ` is not supported by this version of Weir."}`; status != 400 || got != want {
			t.Errorf("%s: %d %s", name, status, got)
		}
	}
	if absent != len(shapes.Service.Operations)-3 {
		t.Errorf("%d operations are absent", absent)
	}
}

// TestCompressed shows the bounds of compressed bodies.
func TestCompressed(t *testing.T) {
	s := begin(t)
	const json, target = "application/x-amz-json-1.0", "GraniteServiceVersion20100801.PutMetricData"
	bomb := request{media: json, target: target, gzip: true, body: `{"Namespace":"` + strings.Repeat("x", 17<<20) + `"}`}
	if status, _, got := s.send(bomb); status != 413 {
		t.Errorf("what unpacks to 17 MiB: %d %s", status, got)
	}
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, "http://"+s.node.Addr()+"/", strings.NewReader("no gzip"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {json}, "X-Amz-Target": {target}, "Content-Encoding": {"gzip"}}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got, _ := io.ReadAll(answer.Body); answer.StatusCode != 400 || string(got) != `{"__type":"MalformedHttpRequestException","message":"The request's body is not what its Content-Encoding says."}` {
		t.Errorf("%d %s", answer.StatusCode, got)
	}
}

// TestPermissions shows that policies decide who may report, and that refused control calls are audited and reports are not.
func TestPermissions(t *testing.T) {
	dir := t.TempDir()
	files, err := vfs.NewOS(dir)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := auth.OpenStore(files, clock.Real, nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := keys.Make(auth.Spec{Account: "111111111111", User: "app", Policies: []auth.Policy{{Name: "only",
		Document: []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"cloudwatch:PutMetricData","Resource":"*"}}`)}}})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, node.Config{DataDir: dir, Audit: true}, aws.Credentials{AccessKeyID: made.ID, SecretAccessKey: made.Secret})
	var many []types.MetricDatum
	for range 1000 { // large enough to be compressed: what is signed is the body as it is sent
		many = append(many, types.MetricDatum{MetricName: aws.String("m"), Value: aws.Float64(1)})
	}
	must(s.PutMetricData(s.ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("App"), MetricData: many}))(s)
	if s.sent.encoding != "gzip" {
		t.Error("the request was not compressed")
	}
	_, err = s.ListMetrics(s.ctx, &cloudwatch.ListMetricsInput{})
	if got, want := refusal(err), "AccessDenied: User: arn:aws:iam::111111111111:user/app is not authorized to perform: cloudwatch:ListMetrics"; !strings.HasPrefix(got, want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
	_, _ = s.DeleteAlarms(s.ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"a"}}) // refused, as TestPutMetricDataRefusals shows of another
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.node.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	var audited string
	err = filepath.WalkDir(filepath.Join(dir, "audit"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		audited += string(text)
		return err
	})
	if err != nil || strings.Count(audited, "\n") != 1 || !strings.Contains(audited, `"service":"monitoring"`) || !strings.Contains(audited, `"operation":"DeleteAlarms"`) {
		t.Errorf("audited %s (%v)", audited, err)
	}
}

// seconds is a time as the bytes of a float.
func seconds(at time.Time) string {
	return string(binary.BigEndian.AppendUint64(nil, math.Float64bits(float64(at.Unix()))))
}
