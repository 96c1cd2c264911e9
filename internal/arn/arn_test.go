package arn_test

import (
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/fault"
)

func TestParseKeepsTheText(t *testing.T) {
	for _, text := range []string{
		"arn:aws:kinesis:us-east-1:000000000000:stream/tolls",
		"arn:aws:kinesis:us-east-1:000000000000:stream/tolls/consumer/dashboard:1790000000",
		"arn:aws-cn:kinesis:cn-north-1:123456789012:stream/a.b_c-D",
		"arn:aws-us-gov:kinesis:us-gov-west-1:123456789012:stream/x",
		"arn:aws:iam::123456789012:role/service/reader",
		"arn:aws:s3:::bucket/key:with:colons",
		"arn:aws:lambda:eu-west-1:123456789012:function:enrich:7",
	} {
		a, err := arn.Parse(text)
		if err != nil || a.String() != text {
			t.Errorf("%s: %s, %v", text, a, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", "arn", "stream/tolls", "arn:aws:kinesis:us-east-1:000000000000", "ARN:aws:kinesis:us-east-1:000000000000:stream/x",
		"arn:aws-mars:kinesis:us-east-1:000000000000:stream/x", "arn::kinesis:us-east-1:000000000000:stream/x",
		"arn:aws::us-east-1:000000000000:stream/x", "arn:aws:Kinesis:us-east-1:000000000000:stream/x",
		"arn:aws:kinesis:us east:000000000000:stream/x", "arn:aws:kinesis:us-east-1:00000000000:stream/x",
		"arn:aws:kinesis:us-east-1:00000000000x:stream/x", "arn:aws:kinesis:us-east-1:000000000000:",
		"arn:aws:kinesis:us-east-1:000000000000:stream/" + strings.Repeat("x", 2048),
	} {
		if a, err := arn.Parse(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%.80q: %+v, %v", text, a, err)
		}
	}
}

func TestStreamAndConsumer(t *testing.T) {
	stream := arn.Stream("cn-north-1", "123456789012", "tolls")
	if want := "arn:aws-cn:kinesis:cn-north-1:123456789012:stream/tolls"; stream.String() != want {
		t.Errorf("%s, want %s", stream, want)
	}
	if name, err := stream.StreamName(); name != "tolls" || err != nil {
		t.Errorf("%q, %v", name, err)
	}
	consumer := arn.Consumer(stream, "dashboard", 1_790_000_000)
	if want := stream.String() + "/consumer/dashboard:1790000000"; consumer.String() != want {
		t.Errorf("%s, want %s", consumer, want)
	}
	of, name, created, err := consumer.ConsumerOf()
	if of != stream || name != "dashboard" || created != 1_790_000_000 || err != nil {
		t.Errorf("%s, %q, %d, %v", of, name, created, err)
	}
	if _, err := consumer.StreamName(); !fault.Is(err, fault.Invalid) {
		t.Errorf("a consumer passes for a stream: %v", err)
	}
}

func TestNotAStreamNotAConsumer(t *testing.T) {
	const account = "arn:aws:kinesis:us-east-1:000000000000:"
	for _, text := range []string{
		"arn:aws:firehose:us-east-1:000000000000:stream/x", "arn:aws:kinesis::000000000000:stream/x", "arn:aws:kinesis:us-east-1::stream/x",
		account + "stream/", account + "stream/a/b", account + "stream/a b", account + "table/x", account + "stream/" + strings.Repeat("x", 129),
		account + "stream/x/consumer/", account + "stream/x/consumer/c", account + "stream/x/consumer/c:", account + "stream/x/consumer/c:-1",
		account + "stream/x/consumer/c:01", account + "stream/x/consumer/c:1:2", account + "stream/x/consumer/:1", account + "stream//consumer/c:1",
		account + "stream/x/consumer/c:1790000000000000", account + "stream/x/consumer/c:99999999999999999999",
	} {
		a, err := arn.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if name, err := a.StreamName(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s is stream %q, %v", text, name, err)
		}
		if _, name, _, err := a.ConsumerOf(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s is consumer %q, %v", text, name, err)
		}
	}
}

func TestFunction(t *testing.T) {
	f := arn.Function("us-east-1", "123456789012", "tolls", "")
	if want := "arn:aws:lambda:us-east-1:123456789012:function:tolls"; f.String() != want {
		t.Errorf("%s, want %s", f, want)
	}
	for qualifier, text := range map[string]string{"": f.String(), "$LATEST": f.String() + ":$LATEST", "3": f.String() + ":3", "live": f.String() + ":live"} {
		a, err := arn.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if name, q, err := a.FunctionName(); name != "tolls" || q != qualifier || err != nil || arn.Function(a.Region, a.Account, name, q) != a {
			t.Errorf("%s: %q, %q, %v", text, name, q, err)
		}
	}
	const account = "arn:aws:lambda:us-east-1:123456789012:"
	for _, text := range []string{account + "function:", account + "function:a:", account + "function:a:b:c", account + "layer:a", account + "function:a b",
		account + "function:" + strings.Repeat("x", 65), "arn:aws:lambda::123456789012:function:a", "arn:aws:kinesis:us-east-1:123456789012:function:a"} {
		a, err := arn.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if name, _, err := a.FunctionName(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s is function %q, %v", text, name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("arn:aws:kinesis:us-east-1:000000000000:stream/tolls")
	f.Add("arn:aws:kinesis:us-east-1:000000000000:stream/tolls/consumer/c:1")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := arn.Parse(text)
		if err != nil {
			return
		}
		if a.String() != text {
			t.Errorf("%q reads as %s", text, a)
		}
		if stream, name, created, err := a.ConsumerOf(); err == nil && arn.Consumer(stream, name, created) != a {
			t.Errorf("%q: consumer %q of %s at %d", text, name, stream, created)
		}
	})
}
