package lambda

import (
	"testing"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
)

func caller() *edge.Call { return &edge.Call{Account: "123456789012", Region: "us-east-1"} }

// A function has many names, and each of them is its ARN in full.
func TestParseName(t *testing.T) {
	const full = "arn:aws:lambda:us-east-1:123456789012:function:tolls"
	for text, want := range map[string]string{
		"tolls": full, "tolls:live": full + ":live", "tolls:$LATEST": full + ":$LATEST", "tolls:3": full + ":3", "function:tolls": full, "function:tolls:3": full + ":3",
		"123456789012:function:tolls": full, "123456789012:tolls:live": full + ":live", full: full, full + ":live": full + ":live",
		"210987654321:function:tolls":                               "arn:aws:lambda:us-east-1:210987654321:function:tolls",
		"arn:aws:lambda:us-east-1:210987654321:function:tolls:live": "arn:aws:lambda:us-east-1:210987654321:function:tolls:live",
	} {
		if n, err := parseName(caller(), text, nil); err != nil || n.arn() != want {
			t.Errorf("%s is %s, %v; want %s", text, n.arn(), err, want)
		}
	}
	for text, kind := range map[string]fault.Kind{
		"": fault.Invalid, "a b": fault.Invalid, "a:b:c": fault.Invalid, "a:": fault.Invalid, "arn:aws:kinesis:us-east-1:123456789012:stream/s": fault.Invalid,
		"arn:aws:lambda:eu-west-1:123456789012:function:tolls": fault.NotFound, "arn:x": fault.Invalid,
	} {
		if _, err := parseName(caller(), text, nil); !fault.Is(err, kind) {
			t.Errorf("%q: %v, want %v", text, err, kind)
		}
	}
	beside := "live"
	if n, err := parseName(caller(), "tolls", &beside); err != nil || n.qualifier != "live" {
		t.Errorf("%+v, %v", n, err)
	}
	if _, err := parseName(caller(), "tolls:3", &beside); !fault.Is(err, fault.Invalid) {
		t.Errorf("two qualifiers: %v", err)
	}
}

// What is read as a name is one again when it is written in full.
func FuzzParseName(f *testing.F) {
	f.Add("tolls:live")
	f.Add("arn:aws:lambda:us-east-1:123456789012:function:tolls")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseName(caller(), text, nil)
		if err != nil {
			return
		}
		if again, err := parseName(caller(), n.arn(), nil); err != nil || again != n {
			t.Errorf("%q is %s, which is %+v, %v", text, n.arn(), again, err)
		}
	})
}
