package cborproto_test

import (
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/wire/cborproto"
	"github.com/weir-stream/weir/internal/wire/shapes/cloudwatch"
)

// TestRPCTimestamps shows the one thing that RPC v2 says differently: a timestamp is in seconds, an integer or any float.
func TestRPCTimestamps(t *testing.T) {
	shape := cloudwatch.Service.Operations["GetMetricStatistics"].Input
	for body, want := range map[string]int64{
		"\xa1\x69StartTime\xc1\x1a\x6a\x5f\x12\x00":                              1784615424000,
		"\xa1\x69StartTime\xc1\xfb\x41\xda\x97\xc4\x80\x10\x00\x00":              1784615424250,
		"\xa1\x69StartTime\x01":                                                  1000,
		"\xa1\x69StartTime\xc1\x20":                                              -1000,
		"\xa1\x69StartTime\xc1\xf9\x7e\x00":                                      0, // NaN
		"\xbf\x69StartTime\xc1\xf9\x3e\x00\xff":                                  1500,
		"\xa1\x69StartTime\xc1\x1b\xff\xff\xff\xff\xff\xff\xff\xff":              1<<63 - 1,
		"\xa2\x65Other\xc1\xfb\x41\xda\x97\xc4\x80\x10\x00\x00\x69StartTime\x02": 2000,
	} {
		var in cloudwatch.GetMetricStatisticsInput
		if err := cborproto.RPC.Decode(shape, []byte(body), &in); err != nil || in.StartTime == nil || in.StartTime.UnixMilli() != want {
			t.Errorf("%x: got %v, %v, want %d", body, in.StartTime, err, want)
		}
	}
	at := time.UnixMilli(1784615424250)
	got := string(cborproto.RPC.Encode(nil, shape, &cloudwatch.GetMetricStatisticsInput{StartTime: &at}))
	if want := "\xa1\x69StartTime\xc1\xfb\x41\xda\x97\xc4\x80\x10\x00\x00"; got != want {
		t.Errorf("wrote %x, want %x", got, want)
	}
	var empty cloudwatch.GetMetricStatisticsInput
	if err := cborproto.RPC.Decode(shape, nil, &empty); err != nil {
		t.Errorf("an empty body: %v", err)
	}
	if got := cborproto.RPC.Encode(nil, nil, nil); string(got) != "\xa0" {
		t.Errorf("no output is %x", got)
	}
}
