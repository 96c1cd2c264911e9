package prefix

import (
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/fault"
)

var instant = time.Date(2018, time.August, 27, 10, 30, 5, 123_456_789, time.UTC)

// Prefixes at one instant, in UTC. The first rows are AWS's own examples.
func TestEvaluate(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "2018/08/27/10/",
		"myFirehosePrefix":             "myFirehosePrefix2018/08/27/10/",
		"myFirehosePrefix/":            "myFirehosePrefix/2018/08/27/10/",
		"a/!{timestamp:yyyy/MM/dd}/":   "a/2018/08/27/",
		"a/!{firehose:random-string}/": "a/0123456789a/",
		"y=!{timestamp:yyyy}/m=!{timestamp:MM}/!{firehose:random-string}/!{firehose:random-string}": "y=2018/m=08/0123456789a/bcdefghijkl",
		"!{timestamp:'year='yyyy'/month='M}": "year=2018/month=8",
		"!{timestamp:yy.D.DDD.d.EEE.EEEE.E}": "18.239.239.27.Mon.Monday.Mon",
		"!{timestamp:MMM-MMMM-MMMMM-EEEEE}":  "Aug-August-A-M",
		"!{timestamp:h K k a mm ss SSS S}":   "10 10 10 AM 30 05 123 1",
		"!{timestamp:Q QQ u yyyyy}":          "3 03 2018 02018",
		"!{timestamp:X XXX x xxx Z}":         "Z Z +00 +00:00 +0000",
		"!{timestamp:''yyyy''}":              "'2018'",
		"!{timestamp:'o''clock'}":            "o'clock",
		"$ ! {a} !":                          "$ ! {a} !2018/08/27/10/",
	} {
		p, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := p.Evaluate(instant, "0123456789abcdefghijkl", ""); got != want {
			t.Errorf("%s gives %s, want %s", text, got, want)
		}
	}
}

// The hours of a day as each letter counts them, and zones.
func TestHoursAndZones(t *testing.T) {
	p, err := Parse("!{timestamp:HH|kk|KK|hh|a|XXX|X|Z}")
	if err != nil {
		t.Fatal(err)
	}
	for zone, want := range map[string]string{"": "10|10|10|10|AM|Z|Z|+0000", "America/New_York": "06|06|06|06|AM|-04:00|-04|-0400", "Asia/Kolkata": "16|16|04|04|PM|+05:30|+0530|+0530"} {
		location, err := Zone(zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Evaluate(instant.In(location), "", ""); got != want {
			t.Errorf("%s: %s, want %s", zone, got, want)
		}
	}
	if got := p.Evaluate(instant.Add(-10*time.Hour), "", ""); !strings.HasPrefix(got, "00|24|00|12|AM") {
		t.Error(got)
	}
	for _, name := range []string{"Local", "Mars/Olympus", "../etc/passwd"} {
		if _, err := Zone(name); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is refused, and in which words.
func TestCheck(t *testing.T) {
	for _, row := range []struct {
		objects, failures string
		kind              fault.Kind // Internal: nothing is wrong
		says              string
	}{
		{"", "", fault.Internal, ""},
		{"a/", "", fault.Internal, ""},
		{"!{timestamp:yyyy}", "e/!{firehose:error-output-type}/", fault.Internal, ""},
		{"!{timestamp:yyyy}", "e/", fault.Internal, ""},
		{"!{timestamp:yyyy}", "", fault.Invalid, "Ths supplied prefix(es) do not satisfy the following constraint: ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"},
		{"", "!{timestamp:yyyy}", fault.Invalid, "must contain !{firehose:error-output-type}"},
		{"!{firehose:error-output-type}", "e", fault.Invalid, "may only stand in ErrorOutputPrefix"},
		{"!{timestamp:yyyy", "e", fault.Invalid, "has no end"},
		{"!{yyyy}", "e", fault.Invalid, "is no expression of the form"},
		{"!{firehose:what}", "e", fault.Invalid, "no expression that Firehose knows"},
		{"!{timestamp:}", "e", fault.Invalid, "has no pattern"},
		{"!{timestamp:ddd}", "e", fault.Invalid, "has the letter d 3 times"},
		{"!{timestamp:'a}", "e", fault.Invalid, "a quote without its end"},
		{"!{timestamp:YYYY}", "e", fault.Unsupported, "The pattern letter Y"},
		{"!{timestamp:[yyyy]}", "e", fault.Unsupported, "The character ["},
		{"!{partitionKeyFromQuery:id}", "e", fault.Unsupported, "dynamic partitioning"},
		{strings.Repeat("a", 510), "", fault.Invalid, "has at most 512 characters"},
	} {
		err := Check(row.objects, row.failures)
		if row.says == "" {
			if err != nil {
				t.Errorf("%+v: %v", row, err)
			}
			continue
		}
		if !fault.Is(err, row.kind) || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%+v: %v", row, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a/!{timestamp:yyyy'x'MM}/!{firehose:random-string}")
	f.Add("!{timestamp:''}")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := Parse(text); err == nil {
			p.Evaluate(instant, strings.Repeat("x", p.Randoms()), "processing-failed")
		} else if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Unsupported) {
			t.Error(err)
		}
	})
}
