package producer

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/weir-stream/weir/client/report"
)

// metric is one of the KPL's, with the level from which on it is reported (Monitor the Kinesis Producer Library with Amazon CloudWatch).
type metric struct {
	name    string
	unit    types.StandardUnit
	summary bool // else only detailed
}

var (
	userRecordsReceived = &metric{"UserRecordsReceived", types.StandardUnitCount, false}
	userRecordsPending  = &metric{"UserRecordsPending", types.StandardUnitCount, false}
	userRecordsPut      = &metric{"UserRecordsPut", types.StandardUnitCount, true}
	userRecordsDataPut  = &metric{"UserRecordsDataPut", types.StandardUnitBytes, false}

	kinesisRecordsPut     = &metric{"KinesisRecordsPut", types.StandardUnitCount, true}
	kinesisRecordsDataPut = &metric{"KinesisRecordsDataPut", types.StandardUnitBytes, false}

	errorsByCode      = &metric{"ErrorsByCode", types.StandardUnitCount, true}
	allErrors         = &metric{"AllErrors", types.StandardUnitCount, true}
	retriesPerRecord  = &metric{"RetriesPerRecord", types.StandardUnitCount, false}
	userRecordExpired = &metric{"UserRecordExpired", types.StandardUnitCount, true}

	bufferingTime = &metric{"BufferingTime", types.StandardUnitMilliseconds, true}
	requestTime   = &metric{"RequestTime", types.StandardUnitMilliseconds, false}

	userRecordsPerKinesisRecord        = &metric{"UserRecordsPerKinesisRecord", types.StandardUnitCount, false}
	kinesisRecordsPerPutRecordsRequest = &metric{"KinesisRecordsPerPutRecordsRequest", types.StandardUnitCount, false}
	userRecordsPerPutRecordsRequest    = &metric{"UserRecordsPerPutRecordsRequest", types.StandardUnitCount, false}
)

// meter reports what concerns one shard, or a stream as a whole. Every measurement goes to each granularity up to the one chosen: everything together, the stream, the
// shard; as with the KPL. nil reports nothing.
type meter struct {
	to       *report.Reporter
	detailed bool
	dims     [][]types.Dimension // a list for each granularity
}

// meterFor makes the meter of a shard, or of a stream as a whole for no shard.
func (p *Producer) meterFor(stream, shard string) *meter {
	if p.reporter == nil {
		return nil
	}
	m := &meter{to: p.reporter, detailed: p.opts.MetricsLevel == MetricsDetailed, dims: [][]types.Dimension{nil}}
	if p.opts.MetricsGranularity != MetricsGlobal {
		name := types.Dimension{Name: aws.String("StreamName"), Value: aws.String(stream)}
		m.dims = append(m.dims, []types.Dimension{name})
		if shard != "" && p.opts.MetricsGranularity == MetricsShard {
			m.dims = append(m.dims, []types.Dimension{name, {Name: aws.String("ShardId"), Value: aws.String(shard)}})
		}
	}
	return m
}

// meterOf is the meter of where a record landed.
func (s *stream) meterOf(one *landed) *meter {
	if one.shard == one.entry.lane.shard {
		return one.entry.lane.meter
	}
	return s.p.meterFor(s.name, one.shard)
}

func (m *meter) put(what *metric, values report.Set) {
	if m == nil || !what.summary && !m.detailed {
		return
	}
	for _, dims := range m.dims {
		m.to.AddSet(what.name, values, what.unit, dims...)
	}
}

// failed counts an error, by its code too.
func (m *meter) failed(code string) {
	if m == nil {
		return
	}
	m.put(allErrors, one(1))
	by := types.Dimension{Name: aws.String("ErrorCode"), Value: &code}
	for _, dims := range m.dims {
		m.to.AddSet(errorsByCode.name, one(1), errorsByCode.unit, append([]types.Dimension{by}, dims...)...)
	}
}

// one is a set of one value.
func one(value float64) report.Set {
	return report.Set{Count: 1, Sum: value, Min: value, Max: value}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// measureRequest reports a PutRecords that was answered or failed.
func (s *stream) measureRequest(entries []*entry, took time.Duration) {
	if s.meter == nil {
		return
	}
	all := 0
	for _, e := range entries {
		e.lane.meter.put(userRecordsPerKinesisRecord, one(float64(len(e.futures))))
		all += len(e.futures)
	}
	s.meter.put(requestTime, one(milliseconds(took)))
	s.meter.put(kinesisRecordsPerPutRecordsRequest, one(float64(len(entries))))
	s.meter.put(userRecordsPerPutRecordsRequest, one(float64(all)))
	pending, _ := s.p.gate.outstanding()
	s.p.meter.put(userRecordsPending, one(float64(pending)))
}
