package mapping

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Objects is where discarded batches are told.
type Objects interface {
	// Put writes an object of an account. NotFound when there is no such bucket.
	Put(ctx context.Context, account, region, bucket, key string, body []byte) error
}

// failureDocument is what is told of a discarded batch (Lambda developer guide, "Retain discarded batch records", read 2026-11). payload is the event as a text.
type failureDocument struct {
	RequestContext struct {
		RequestID   string `json:"requestId"`
		FunctionARN string `json:"functionArn"`
		Condition   string `json:"condition"`
		Invokes     int    `json:"approximateInvokeCount"`
	} `json:"requestContext"`
	ResponseContext *responseContext `json:"responseContext,omitempty"` // absent when it was not the function that failed
	Version         string           `json:"version"`
	Timestamp       string           `json:"timestamp"`
	Kinesis         *batchInfo       `json:"KinesisBatchInfo,omitempty"`
	Table           *batchInfo       `json:"DDBStreamBatchInfo,omitempty"`
	Payload         string           `json:"payload"`
}

type responseContext struct {
	Status  int     `json:"statusCode"`
	Version string  `json:"executedVersion"`
	Error   *string `json:"functionError"` // null when the function reported what failed
}

type batchInfo struct {
	Shard         string `json:"shardId"`
	StartSequence string `json:"startSequenceNumber"`
	EndSequence   string `json:"endSequenceNumber"`
	First         string `json:"approximateArrivalOfFirstRecord"`
	Last          string `json:"approximateArrivalOfLastRecord"`
	Size          int    `json:"batchSize"`
	ARN           string `json:"streamArn"`
}

// Why a batch is discarded.
const (
	retriesExhausted = "RetryAttemptsExhausted"
	ageExceeded      = "RecordAgeExceeded"
)

// document makes the document of a part that is given up at a time.
func (s *shardRun) document(p *part, condition string, payload []byte, requestID string, now time.Time) []byte {
	var d failureDocument
	d.RequestContext.RequestID = p.last.RequestID
	if d.RequestContext.RequestID == "" {
		d.RequestContext.RequestID = requestID
	}
	d.RequestContext.FunctionARN, d.RequestContext.Condition = s.runner.mapping.Function, condition
	d.RequestContext.Invokes = max(p.invokes, 1) // as AWS counts, also when the records expired before the first
	if condition == retriesExhausted {
		d.ResponseContext = &responseContext{Status: 200, Version: cmp.Or(p.last.Version, "$LATEST")}
		if text := p.last.FunctionError; text != "" && !p.blamed {
			d.ResponseContext.Error = &text
		}
	}
	d.Version, d.Timestamp = "1.0", exactly(now.UnixMilli())
	first, last := &p.records[0], &p.records[len(p.records)-1]
	info := &batchInfo{Shard: s.shard.ID, StartSequence: first.sequence, EndSequence: last.sequence, Size: len(p.records), ARN: s.runner.stream}
	if s.runner.kind == Table {
		info.First, info.Last = wholeSeconds(first.arrival), wholeSeconds(last.arrival)
		d.Table = info
	} else {
		info.First, info.Last = exactly(first.arrival), exactly(last.arrival)
		d.Kinesis = info
	}
	d.Payload = string(payload)
	b, err := json.Marshal(d)
	if err != nil {
		panic("mapping: a document that JSON cannot hold: " + err.Error())
	}
	return b
}

// documentKey is where a document goes.
func documentKey(uuid, shard, id string, now time.Time) string {
	now = now.UTC()
	return fmt.Sprintf("aws/lambda/%s/%s/%s/%s-%s", uuid, shard, now.Format("2006/01/02"), now.Format("2006-01-02T15.04.05"), id)
}
