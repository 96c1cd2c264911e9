package firehose

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/weir-stream/weir/internal/blob"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/record"
)

func kinesisStream(name string) *kinesis.CreateStreamInput {
	return &kinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(2)}
}

// hints are a buffer's.
func hints(size, interval int32) *types.BufferingHints {
	return &types.BufferingHints{SizeInMBs: &size, IntervalInSeconds: &interval}
}

// A record that was put is in an object of the bucket within a second when no interval is asked for; each has an id of its own.
func TestPutRecord(t *testing.T) {
	s := shared.session(t)
	s.makeBucket()
	s.create("d", func(in *sdk.CreateDeliveryStreamInput) {
		in.ExtendedS3DestinationConfiguration.BufferingHints = hints(1, 0)
	})
	ids := map[string]bool{}
	for _, text := range []string{"a", "", "b"} {
		out, err := s.PutRecord(s.ctx, &sdk.PutRecordInput{DeliveryStreamName: aws.String("d"), Record: &types.Record{Data: []byte(text)}})
		s.must(err)
		ids[*out.RecordId] = true
		if aws.ToBool(out.Encrypted) {
			t.Error("it says that it is encrypted")
		}
	}
	if len(ids) != 3 {
		t.Error(ids)
	}
	eventually(t, "the records", func() bool { return strings.Join(bodies(s.delivered()), "") == "ab" })
	_, err := s.PutRecord(s.ctx, &sdk.PutRecordInput{DeliveryStreamName: aws.String("none"), Record: &types.Record{Data: []byte("a")}})
	s.refused(err, "ResourceNotFoundException", "Firehose none under account "+s.account+" not found.")
	_, err = s.PutRecord(s.ctx, &sdk.PutRecordInput{DeliveryStreamName: aws.String("d"), Record: &types.Record{Data: make([]byte, 1_024_001)}})
	s.refused(err, "ValidationException", "at 'record.data'")
	s.put("d", string(make([]byte, 1_024_000)))
}

// A batch is delivered in the order of the request, as one piece; one that is too large is refused.
func TestPutRecordBatch(t *testing.T) {
	s := shared.session(t)
	s.makeBucket()
	s.create("d", func(in *sdk.CreateDeliveryStreamInput) {
		in.ExtendedS3DestinationConfiguration.BufferingHints = hints(1, 0)
	})
	in, want := &sdk.PutRecordBatchInput{DeliveryStreamName: aws.String("d")}, ""
	for i := range 500 {
		in.Records = append(in.Records, types.Record{Data: fmt.Appendf(nil, "%d\n", i)})
		want += fmt.Sprintf("%d\n", i)
	}
	out, err := s.PutRecordBatch(s.ctx, in)
	s.must(err)
	ids := map[string]bool{}
	for _, r := range out.RequestResponses {
		ids[*r.RecordId] = true
	}
	if *out.FailedPutCount != 0 || len(out.RequestResponses) != 500 || len(ids) != 500 {
		t.Errorf("%d failed, %d answers, %d ids", *out.FailedPutCount, len(out.RequestResponses), len(ids))
	}
	eventually(t, "the records", func() bool { return slices.Equal(bodies(s.delivered()), []string{want}) })
	in.Records = append(in.Records, types.Record{Data: []byte("x")})
	_, err = s.PutRecordBatch(s.ctx, in)
	s.refused(err, "ValidationException", "at 'records'")
	in.Records = slices.Repeat([]types.Record{{Data: make([]byte, 1_000_000)}}, 5)
	_, err = s.PutRecordBatch(s.ctx, in)
	s.refused(err, "InvalidArgumentException", "Records size exceeds 4 MB limit")
}

// When the disk is full, puts are refused so that clients try again: a call of one record as a whole, a batch record by record; and nothing of them is delivered later.
func TestDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	first, err := start(node.Config{DataDir: dir, Dev: true})
	if err != nil {
		t.Fatal(err)
	}
	s := first.session(t)
	s.create("d", nil)
	s.must(first.stop())
	second, err := start(node.Config{DataDir: dir, Dev: true, Faults: "disk-full"})
	if err != nil {
		t.Fatal(err)
	}
	full := s.at(second)
	_, err = full.PutRecord(s.ctx, &sdk.PutRecordInput{DeliveryStreamName: aws.String("d"), Record: &types.Record{Data: []byte("a")}})
	s.refused(err, "ServiceUnavailableException", "The disk is full")
	out, err := full.PutRecordBatch(s.ctx, &sdk.PutRecordBatchInput{DeliveryStreamName: aws.String("d"), Records: []types.Record{{Data: []byte("b")}, {Data: []byte("c")}}})
	s.must(err)
	if *out.FailedPutCount != 2 || len(out.RequestResponses) != 2 || aws.ToString(out.RequestResponses[1].ErrorCode) != "ServiceUnavailableException" || out.RequestResponses[1].RecordId != nil {
		t.Errorf("%+v", out)
	}
	_ = second.stop() // a snapshot may have found no room
	third := startFor(t, node.Config{DataDir: dir, TestClock: "2026-11-18T13:14:15Z"})
	healed := s.at(third)
	healed.makeBucket()
	healed.put("d", "d")
	healed.advance("10m")
	if got := bodies(healed.delivered()); !slices.Equal(got, []string{"d"}) {
		t.Errorf("%q", got)
	}
}

// The records of a data stream are delivered from when the delivery stream became ACTIVE, those of the KPL's aggregates one by one; puts are not taken.
func TestKinesisSource(t *testing.T) {
	s := shared.session(t)
	s.makeBucket()
	_, err := s.streams.CreateStream(s.ctx, kinesisStream("s"))
	s.must(err)
	put := func(key string, data []byte) bool {
		_, err := s.streams.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: aws.String("s"), PartitionKey: &key, Data: data})
		return err == nil
	}
	eventually(t, "the stream", func() bool { return put("k", []byte("before")) })
	s.create("d", func(in *sdk.CreateDeliveryStreamInput) {
		in.DeliveryStreamType = types.DeliveryStreamTypeKinesisStreamAsSource
		in.KinesisStreamSourceConfiguration = &types.KinesisStreamSourceConfiguration{KinesisStreamARN: aws.String("arn:aws:kinesis:us-east-1:" + s.account + ":stream/s"), RoleARN: aws.String(role)}
		in.ExtendedS3DestinationConfiguration.BufferingHints = hints(1, 0)
	})
	d := s.describe("d")
	if of := d.Source.KinesisStreamSourceDescription; d.DeliveryStreamType != types.DeliveryStreamTypeKinesisStreamAsSource || of == nil || of.DeliveryStartTimestamp == nil || *of.RoleARN != role || d.DeliveryStreamEncryptionConfiguration != nil {
		t.Errorf("%+v", d)
	}
	_, err = s.PutRecord(s.ctx, &sdk.PutRecordInput{DeliveryStreamName: aws.String("d"), Record: &types.Record{Data: []byte("a")}})
	s.refused(err, "InvalidArgumentException", "This operation is not permitted on KinesisStreamAsSource delivery stream type.")
	put("a", []byte("[a]"))
	put("b", []byte("[b]"))
	put("c", record.Aggregate([]record.UserRecord{{PartitionKey: "c", Data: []byte("[c]")}, {PartitionKey: "d", Data: []byte("[d]")}}))
	eventually(t, "the records", func() bool {
		all := strings.Split(strings.Join(bodies(s.delivered()), ""), "]")
		slices.Sort(all)
		return slices.Equal(all, []string{"", "[a", "[b", "[c", "[d"})
	})
}

// On the test clock a buffer takes no time: prefixes, zones, names, compression and headers are what the destination says, to the second.
func TestObjects(t *testing.T) {
	for i, row := range []struct {
		change             func(*types.ExtendedS3DestinationConfiguration)
		key                string // a pattern
		encoding, contents string
	}{
		{func(*types.ExtendedS3DestinationConfiguration) {}, `2026/11/18/13/d-1-2026-11-18-13-14-15-UUID`, "", "ab"},
		{func(e *types.ExtendedS3DestinationConfiguration) {
			e.Prefix, e.CustomTimeZone, e.CompressionFormat = aws.String("in"), aws.String("Asia/Tokyo"), types.CompressionFormatGzip
		}, `in2026/11/18/22/d-1-2026-11-18-13-14-15-UUID\.gz`, "gzip", "ab"},
		{func(e *types.ExtendedS3DestinationConfiguration) {
			e.Prefix, e.ErrorOutputPrefix = aws.String("y=!{timestamp:yyyy}/!{firehose:random-string}/"), aws.String("e")
			e.CompressionFormat, e.FileExtension = types.CompressionFormatGzip, aws.String(".json")
		}, `y=2026/[0-9a-v]{11}/d-1-2026-11-18-13-14-15-UUID\.json`, "gzip", "ab"},
		{func(e *types.ExtendedS3DestinationConfiguration) { e.CompressionFormat = types.CompressionFormatZip }, `2026/11/18/13/d-1-2026-11-18-13-14-15-UUID\.zip`, "zip", ""},
		{func(e *types.ExtendedS3DestinationConfiguration) { e.CompressionFormat = types.CompressionFormatSnappy }, `2026/11/18/13/d-1-2026-11-18-13-14-15-UUID\.snappy`, "snappy-java", ""},
		{func(e *types.ExtendedS3DestinationConfiguration) {
			e.CompressionFormat = types.CompressionFormatHadoopSnappy
		}, `2026/11/18/13/d-1-2026-11-18-13-14-15-UUID\.snappy`, "hadoop-snappy", "\x00\x00\x00\x02\x00\x00\x00\x04\x02\x04ab"},
	} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			s := startFor(t, node.Config{TestClock: "2026-11-18T13:14:15Z"}).session(t)
			s.makeBucket()
			s.create("d", func(in *sdk.CreateDeliveryStreamInput) { row.change(in.ExtendedS3DestinationConfiguration) })
			s.put("d", "a", "b")
			s.advance("299s")
			if got := s.delivered(); len(got) != 0 {
				t.Fatalf("before its time: %+v", got)
			}
			s.advance("1s")
			got := s.delivered()
			pattern := "^" + strings.ReplaceAll(row.key, "UUID", "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}") + "$"
			if len(got) != 1 || !regexp.MustCompile(pattern).MatchString(got[0].key) || got[0].kind != "application/octet-stream" || got[0].encoding != row.encoding {
				t.Fatalf("%+v, want %s", got, pattern)
			}
			contents := got[0].body
			if row.encoding == "gzip" {
				r, err := gzip.NewReader(strings.NewReader(contents))
				s.must(err)
				b, err := io.ReadAll(r)
				s.must(err)
				contents = string(b)
			}
			if row.contents != "" && contents != row.contents {
				t.Errorf("%q", contents)
			}
		})
	}
}

// A bucket that is made 23 hours late gets everything, in order; the metrics of the server say how old it was.
func TestBucketIsLate(t *testing.T) {
	s := startFor(t, node.Config{TestClock: "2026-11-18T13:14:15Z"}).session(t)
	s.create("d", func(in *sdk.CreateDeliveryStreamInput) {
		in.ExtendedS3DestinationConfiguration.BufferingHints = hints(1, 60)
	})
	s.put("d", "a")
	s.advance("2m")
	s.put("d", "b")
	s.advance("23h")
	metrics := func() string {
		answer, err := http.Get("http://" + s.server.node.ConsoleAddr() + "/metrics")
		s.must(err)
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		s.must(err)
		return string(text)
	}
	labels := `{account="` + s.account + `",delivery_stream="d",region="us-east-1"} `
	if text := metrics(); !strings.Contains(text, "aws_firehose_delivery_to_s3_data_freshness_seconds"+labels+"82920\n") || !strings.Contains(text, "aws_firehose_incoming_records_total"+labels+"2\n") {
		t.Error(text)
	}
	s.makeBucket()
	s.advance("2m")
	if got := bodies(s.delivered()); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q", got)
	}
	if text := metrics(); !strings.Contains(text, "aws_firehose_delivery_to_s3_records_total"+labels+"2\n") || !strings.Contains(text, "weir_delivery_lost_records_total"+labels+"0\n") {
		t.Error(text)
	}
}

// Delivery streams deliver to another S3 when the configuration names one, with its own keys; and to it alone.
func TestAnotherS3(t *testing.T) {
	other := shared.session(t)
	other.makeBucket()
	s := startFor(t, node.Config{DeliveryS3: blob.Options{Endpoint: "http://" + shared.node.Addr(), AccessKeyID: other.account, SecretAccessKey: "any"}}).session(t)
	s.create("d", func(in *sdk.CreateDeliveryStreamInput) {
		in.ExtendedS3DestinationConfiguration.BucketARN = aws.String("arn:aws:s3:::" + other.bucket())
		in.ExtendedS3DestinationConfiguration.BufferingHints = hints(1, 0)
	})
	s.put("d", "a")
	eventually(t, "the record", func() bool { return slices.Equal(bodies(other.delivered()), []string{"a"}) })
}

// killsDefault is how often a server is killed under load; WEIR_CRASH_KILLS says otherwise.
const killsDefault = 8

// A server that is killed at random instants while records are put and delivered loses none that it acknowledged, and what it delivers twice is what was under way.
func TestKills(t *testing.T) {
	kills := killsDefault
	if text := os.Getenv("WEIR_CRASH_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	r, dir := random(t), t.TempDir()
	const account = "300000000000"
	p := startProcess(t, dir)
	s := sessionAt(t, p.addr, account)
	s.makeBucket()
	s.create("d", func(in *sdk.CreateDeliveryStreamInput) {
		in.ExtendedS3DestinationConfiguration.BufferingHints = hints(1, 0)
		in.ExtendedS3DestinationConfiguration.CompressionFormat = types.CompressionFormatGzip
	})
	acknowledged, maybe, next := map[string]bool{}, map[string]bool{}, 0
	for range kills {
		ctx, stop := context.WithCancel(t.Context())
		var puts sync.WaitGroup
		puts.Go(func() {
			for ctx.Err() == nil {
				in := &sdk.PutRecordBatchInput{DeliveryStreamName: aws.String("d")}
				var names []string
				for range 1 + next%7 {
					name := fmt.Sprintf("%d\n", next)
					next++
					names = append(names, name)
					in.Records = append(in.Records, types.Record{Data: []byte(name)})
				}
				_, err := s.PutRecordBatch(ctx, in)
				for _, name := range names {
					if err == nil {
						acknowledged[name] = true
					} else {
						maybe[name] = true
					}
				}
			}
		})
		timer := time.NewTimer(time.Duration(r.IntN(1200)) * time.Millisecond)
		<-timer.C
		p.kill()
		stop()
		puts.Wait()
		p = startProcess(t, dir)
		s = sessionAt(t, p.addr, account)
	}
	counts := map[string]int{}
	eventually(t, "everything to be delivered", func() bool {
		clear(counts)
		for _, o := range s.delivered() {
			z, err := gzip.NewReader(strings.NewReader(o.body))
			s.must(err)
			text, err := io.ReadAll(z)
			s.must(err)
			for _, line := range bytes.SplitAfter(text, []byte("\n")) {
				if len(line) > 0 {
					counts[string(line)]++
				}
			}
		}
		for name := range acknowledged {
			if counts[name] == 0 {
				return false
			}
		}
		return true
	})
	twice := 0
	for name, n := range counts {
		if !acknowledged[name] && !maybe[name] {
			t.Errorf("%q was delivered and never put", name)
		}
		if n > 1 {
			twice++
		}
	}
	t.Logf("%d kills: %d records acknowledged, %d maybe; %d delivered, %d of them more than once", kills, len(acknowledged), len(maybe), len(counts), twice)
	if len(acknowledged) == 0 {
		t.Error("nothing was acknowledged")
	}
	_, err := s.objects.HeadBucket(s.ctx, &s3.HeadBucketInput{Bucket: aws.String(s.bucket())})
	s.must(err)
}
