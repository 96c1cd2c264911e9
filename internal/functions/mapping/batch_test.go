package mapping

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/fault"
)

// An idle stream invokes nothing; a record does; the event has every key that AWS's has, and no other.
func TestEvent(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	m := w.mapTo("f", nil)
	if m.Result != "No records processed" {
		t.Errorf("%+v", m)
	}
	w.pass(time.Hour)
	w.want("f")
	w.clock.Advance(987 * time.Millisecond)
	w.put("s", "a=\x00\xff\"")
	calls := w.called("f")
	if len(calls) != 1 {
		t.Fatal(len(calls), "calls")
	}
	number := calls[0].Records[0].Kinesis.Number
	want := `{"Records":[{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"a","sequenceNumber":"` + number + `","data":"YT0A/yI=","approximateArrivalTimestamp":1795010400.987},` +
		`"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-000000000000:` + number + `","eventName":"aws:kinesis:record","invokeIdentityArn":"` + role +
		`","awsRegion":"eu-west-3","eventSourceARN":"arn:aws:kinesis:eu-west-3:123456789012:stream/s"}]}`
	if calls[0].raw != want {
		t.Errorf("event\n%s, want\n%s", calls[0].raw, want)
	}
	if m := w.mapping(m.UUID); m.Result != "OK" {
		t.Errorf("result %q", m.Result)
	}
}

// A batch goes when it has BatchSize records, when it has 6 MB, or when its window ends, whichever is first. Windows follow each other, the first from when the last invocation
// ended. Five minutes of the test clock take no time.
func TestWhenABatchGoes(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	w.mapTo("f", func(c *Config) { c.BatchSize, c.WindowSeconds = 3, 300 })
	w.pass(100 * time.Second)
	w.put("s", "1")
	w.pass(199 * time.Second)
	w.want("f")
	w.pass(time.Second) // the window that the mapping began with
	w.want("f", "1")
	w.put("s", "2", "3")
	w.pass(299 * time.Second)
	w.want("f", "1")
	w.put("s", "4", "5") // three: a batch; the fifth waits for the window that begins now
	w.want("f", "1", "2 3 4")
	w.pass(299 * time.Second)
	w.want("f", "1", "2 3 4")
	w.pass(time.Second)
	w.want("f", "1", "2 3 4", "5")
	w.pass(10 * time.Minute)
	w.pass(50 * time.Second)
	w.put("s", "6")
	w.pass(249 * time.Second)
	w.want("f", "1", "2 3 4", "5")
	w.pass(time.Second)
	w.want("f", "1", "2 3 4", "5", "6")
}

// No event is larger than 6 MB, and a batch that would be goes at once.
func TestPayload(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	w.mapTo("f", func(c *Config) { c.BatchSize, c.WindowSeconds = 10_000, 300 })
	large := strings.Repeat("x", 1_000_000)
	for range 5 {
		w.put("s", large)
	}
	calls := w.called("f")
	if len(calls) != 1 || len(calls[0].Records) != 4 || len(calls[0].raw) > payloadMax {
		t.Fatalf("%d calls, the first with %d records", len(calls), len(calls[0].Records))
	}
	w.pass(300 * time.Second)
	if calls := w.called("f"); len(calls) != 2 || len(calls[1].Records) != 1 {
		t.Errorf("%d calls", len(calls))
	}
}

// Without a window a batch is what is there, up to BatchSize; one shard each.
func TestBatchSize(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	w.put("s", "1", "2", "3", "4", "5")
	w.mapTo("f", func(c *Config) { c.BatchSize = 2 })
	w.want("f", "1 2", "3 4", "5")
}

// A batch that fails is tried again after a pause, which doubles; other shards go on meanwhile; what never succeeds is given up, with a document that says so.
func TestRetriesAndDocument(t *testing.T) {
	w := setUp(t)
	w.create("s", 2)
	m := w.mapTo("f", func(c *Config) { c.Retries, c.OnFailure = 2, "arn:aws:s3:::failed" })
	bad := true
	w.does("f", func(_ context.Context, e *event) (Result, error) {
		if bad && strings.Contains(e.data(), "bad") {
			return errored, nil
		}
		return Result{}, nil
	})
	w.put("s", "k=bad", "k=bad2")
	w.settle()
	w.put("s", "a=good") // the other shard
	w.want("f", "k=bad k=bad2", "a=good")
	if m := w.mapping(m.UUID); m.Result != "OK" && m.Result != "PROBLEM: Function call failed" {
		t.Errorf("result %q", m.Result)
	}
	w.pass(999 * time.Millisecond)
	w.want("f", "k=bad k=bad2", "a=good")
	if lag := w.engine.Lag(m.UUID); lag != 999*time.Millisecond {
		t.Errorf("lag %v", lag)
	}
	w.pass(time.Millisecond)
	w.want("f", "k=bad k=bad2", "a=good", "k=bad k=bad2")
	w.objects.mu.Lock()
	w.objects.fail = 1 // and what cannot be told is told later
	w.objects.mu.Unlock()
	w.put("s", "k=next")
	w.pass(2 * time.Second)
	w.want("f", "k=bad k=bad2", "a=good", "k=bad k=bad2", "k=bad k=bad2")
	w.pass(time.Second)
	w.want("f", "k=bad k=bad2", "a=good", "k=bad k=bad2", "k=bad k=bad2", "k=next")
	if lag := w.engine.Lag(m.UUID); lag != 0 {
		t.Errorf("lag %v with everything done", lag)
	}
	docs, keys := w.documents()
	if len(docs) != 1 {
		t.Fatal(docs)
	}
	d, call := docs[0], w.called("f")[0]
	shard := call.Records[0].ID[:20]
	wantKey := "failed/aws/lambda/" + m.UUID + "/" + shard + "/2026/11/18/2026-11-18T13.00.03-"
	if !strings.HasPrefix(keys[0], wantKey) || len(keys[0]) != len(wantKey)+36 {
		t.Errorf("key %s", keys[0])
	}
	if d["payload"] != call.raw {
		t.Errorf("payload %v", d["payload"])
	}
	delete(d, "payload")
	want := map[string]any{
		"requestContext": map[string]any{
			"requestId": "request-4", "functionArn": functionARN("f"), "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 3.0,
		},
		"responseContext": map[string]any{"statusCode": 200.0, "executedVersion": "$LATEST", "functionError": "Unhandled"},
		"version":         "1.0", "timestamp": "2026-11-18T13:00:03.000Z",
		"KinesisBatchInfo": map[string]any{
			"shardId": shard, "startSequenceNumber": call.number("k=bad"), "endSequenceNumber": call.number("k=bad2"), "approximateArrivalOfFirstRecord": "2026-11-18T13:00:00.000Z",
			"approximateArrivalOfLastRecord": "2026-11-18T13:00:00.000Z", "batchSize": 2.0, "streamArn": "arn:aws:kinesis:eu-west-3:123456789012:stream/s",
		},
	}
	if fmt.Sprint(d) != fmt.Sprint(want) {
		t.Errorf("document\n%v, want\n%v", d, want)
	}
}

// reports makes a function report the first of its records that is bad.
func reports(bad string) func(context.Context, *event) (Result, error) {
	return func(_ context.Context, e *event) (Result, error) {
		for i := range e.Records {
			if string(e.Records[i].Kinesis.Data) == bad {
				return answers(`{"batchItemFailures":[{"itemIdentifier":"` + e.Records[i].Kinesis.Number + `"}]}`)
			}
		}
		return answers(`{"batchItemFailures":[]}`)
	}
}

// After a partial success tries are counted from the beginning: of batches of three with three retries, record 6 is given once with 4 and 5 and four times by itself, and the
// document says four.
func TestCounterRestartsAfterPartialSuccess(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	w.put("s", "1", "2", "3", "4", "5", "6", "7", "8")
	w.does("f", reports("6"))
	w.mapTo("f", func(c *Config) {
		c.BatchSize, c.Retries, c.ReportItems, c.OnFailure = 3, 3, true, "arn:aws:s3:::failed"
	})
	w.pass(time.Minute)
	w.want("f", "1 2 3", "4 5 6", "6", "6", "6", "6", "7 8")
	docs, _ := w.documents()
	if len(docs) != 1 {
		t.Fatal(docs)
	}
	request, response := docs[0]["requestContext"].(map[string]any), docs[0]["responseContext"].(map[string]any)
	if request["approximateInvokeCount"] != 4.0 || request["condition"] != "RetryAttemptsExhausted" {
		t.Error(request)
	}
	if text, has := response["functionError"]; !has || text != nil {
		t.Errorf("functionError %v of a failure that was reported", text)
	}
}

// A batch that fails is split down to the record that fails; splits take no retries and no time. With reports it is cut where the function says.
func TestBisect(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	w.put("s", "1", "2", "3", "4", "5", "6", "7", "8")
	w.does("f", func(_ context.Context, e *event) (Result, error) {
		if strings.Contains(e.data(), "6") {
			return errored, nil
		}
		return Result{}, nil
	})
	w.mapTo("f", func(c *Config) { c.Retries, c.Bisect, c.OnFailure = 1, true, "arn:aws:s3:::failed" })
	w.want("f", "1 2 3 4 5 6 7 8", "1 2 3 4", "5 6 7 8", "5 6", "5", "6")
	w.pass(time.Second)
	w.want("f", "1 2 3 4 5 6 7 8", "1 2 3 4", "5 6 7 8", "5 6", "5", "6", "6", "7 8")
	if docs, _ := w.documents(); len(docs) != 1 || docs[0]["KinesisBatchInfo"].(map[string]any)["batchSize"] != 1.0 {
		t.Error(docs)
	}

	w.does("g", reports("6"))
	w.mapTo("g", func(c *Config) { c.Retries, c.Bisect, c.ReportItems = 0, true, true })
	w.want("g", "1 2 3 4 5 6 7 8", "6 7 8")
}

// Retries that never end are ended by the age of the records: those that are too old go, the others stay, and the document says why. Also before the first invocation.
func TestRecordAge(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	w.put("s", "old")
	w.clock.Advance(61 * time.Second)
	w.put("s", "1")
	w.does("f", func(context.Context, *event) (Result, error) { return errored, nil })
	w.mapTo("f", func(c *Config) { c.AgeSeconds, c.OnFailure = 60, "arn:aws:s3:::failed" })
	w.want("f", "1")
	docs, _ := w.documents()
	if len(docs) != 1 {
		t.Fatal(docs)
	}
	if _, has := docs[0]["responseContext"]; has || fmt.Sprint(docs[0]["requestContext"].(map[string]any)["approximateInvokeCount"]) != "1" {
		t.Error(docs[0])
	}
	w.clock.Advance(30 * time.Second)
	w.put("s", "2")
	w.pass(45 * time.Second)
	docs, _ = w.documents()
	if len(docs) != 2 {
		t.Fatal(docs)
	}
	for _, d := range docs {
		if c := d["requestContext"].(map[string]any)["condition"]; c != "RecordAgeExceeded" {
			t.Error(c)
		}
	}
	if got := w.batches("f"); got[len(got)-1] != "2" {
		t.Errorf("%q", got)
	}
}

// What does not reach the function is tried until it does, and takes no retries.
func TestThrottledInvocationsTakeNoRetries(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	w.put("s", "1")
	left := 20
	w.does("f", func(context.Context, *event) (Result, error) {
		if left--; left >= 0 {
			return Result{}, fault.New([]fault.Kind{fault.Throttled, fault.NotFound, fault.Unavailable}[left%3], "not now")
		}
		return Result{}, nil
	})
	m := w.mapTo("f", func(c *Config) { c.Retries, c.OnFailure = 0, "arn:aws:s3:::failed" })
	if got := w.mapping(m.UUID).Result; !strings.HasPrefix(got, "PROBLEM: ") {
		w.settle()
	}
	w.pass(20 * time.Minute)
	if got := w.batches("f"); len(got) != 21 {
		t.Errorf("%d invocations", len(got))
	}
	if docs, _ := w.documents(); len(docs) != 0 || w.mapping(m.UUID).Result != "OK" {
		t.Error(docs, w.mapping(m.UUID).Result)
	}
}

// A record that fits into no event is given up, with those beside it going on.
func TestTooLargeForAnEvent(t *testing.T) {
	w := setUp(t)
	w.create("s", 1)
	w.put("s", "1", strings.Repeat("x", 5_000_000), "2")
	w.mapTo("f", func(c *Config) { c.OnFailure = "arn:aws:s3:::failed" })
	w.want("f", "1", "2")
	if docs, _ := w.documents(); len(docs) != 1 {
		t.Errorf("%d documents", len(docs))
	}
}
