package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"
)

// Preview is what an agent would do.
type Preview struct {
	Config      string        `json:"config"`
	Kinesis     string        `json:"kinesis"` // endpoint, as the next two
	Firehose    string        `json:"firehose"`
	CloudWatch  string        `json:"cloudwatch,omitempty"` // empty when no metrics are sent
	Region      string        `json:"region"`
	Credentials string        `json:"credentials"`
	Checkpoints string        `json:"checkpoints"`
	Flows       []FlowPreview `json:"flows"`
	Notes       []Note        `json:"notes"`
}

// FlowPreview is what a flow would do.
type FlowPreview struct {
	Flow        string        `json:"flow"`
	Destination string        `json:"destination"`
	Files       []FilePreview `json:"files"`
	// Records are the first that would be sent. Sample says that there are none, and these are lines that are behind already, as they would have been sent.
	Records []RecordPreview `json:"records"`
	Sample  bool            `json:"sample"`
	Skipped int64           `json:"skipped"` // lines before them that would be left out
	Error   string          `json:"error,omitempty"`
}

// FilePreview is where a file would be begun.
type FilePreview struct {
	Path   string `json:"path"`
	From   string `json:"from"` // checkpoint, start or end
	Offset int64  `json:"offset"`
	Behind int64  `json:"behind"` // bytes to read
}

// RecordPreview is a record as it would be sent.
type RecordPreview struct {
	Path         string `json:"path"`
	Offset       int64  `json:"offset"`
	PartitionKey string `json:"partitionKey,omitempty"`
	Data         string `json:"data"` // at most its first 1,000 characters
	Bytes        int    `json:"bytes"`
}

// previewRecords is how many records of a flow are shown, and previewChars how much of each.
const (
	previewRecords = 3
	previewChars   = 1000
)

// NewPreview looks at the files and the checkpoints of a configuration, and sends and changes nothing. The error says of the checkpoint file why an agent would
// not start with it.
func NewPreview(c *Config, s *Services) (*Preview, error) {
	p := &Preview{Config: c.Path, Kinesis: s.KinesisEndpoint, Firehose: s.FirehoseEndpoint, Region: s.Region, Credentials: s.Credentials,
		Checkpoints: c.CheckpointFile, Flows: []FlowPreview{}, Notes: c.Notes}
	if p.Notes == nil {
		p.Notes = []Note{}
	}
	if c.EmitMetrics {
		p.CloudWatch = s.CloudWatchEndpoint
	}
	known := map[string]FlowPlaces{}
	text, err := os.ReadFile(c.CheckpointFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err == nil:
		known, err = decodeCheckpoints(text)
	}
	if err != nil {
		err = fmt.Errorf("checkpointFile %s: %w", c.CheckpointFile, err)
	}
	for _, flow := range c.Flows {
		p.Flows = append(p.Flows, previewFlow(flow, known[flow.ID]))
	}
	return p, err
}

// noSink takes nothing.
type noSink struct{}

func (noSink) Put(context.Context, []Record) ([]error, error) {
	return nil, errors.New("a preview sends nothing")
}

func previewFlow(c *FlowConfig, places FlowPlaces) FlowPreview {
	p := FlowPreview{Flow: c.ID, Destination: c.Destination(), Files: []FilePreview{}, Records: []RecordPreview{}}
	f, err := NewFlow(FlowOptions{Config: c, Sink: noSink{}, places: places})
	if err != nil {
		p.Error = err.Error()
		return p
	}
	defer func() { _ = f.Close() }() // read only
	f.scan()
	for _, key := range f.set.Keys() {
		file := f.set.File(key)
		one := FilePreview{Path: file.Path(), From: "end", Offset: file.At().Offset, Behind: file.Unread()}
		if _, known := places.Files[key]; known {
			one.From = "checkpoint"
		} else if c.FromStart || places.Begun {
			one.From = "start"
		}
		p.Files = append(p.Files, one)
	}
	p.sample(f)
	if len(p.Records) == 0 && len(p.Files) > 0 && !c.FromStart {
		again := *c
		again.FromStart = true
		if s, err := NewFlow(FlowOptions{Config: &again, Sink: noSink{}}); err == nil {
			defer func() { _ = s.Close() }() // read only
			s.scan()
			p.sample(s)
			p.Sample = len(p.Records) > 0
		}
	}
	p.Error = f.Status().LastError
	return p
}

// sample reads the first records of a flow.
func (p *FlowPreview) sample(f *Flow) {
	f.read()
	for _, s := range f.splitters {
		s.close(f.c, f.take)
	}
	p.Skipped = f.Status().Skipped
	for _, one := range f.queue[:min(len(f.queue), previewRecords)] {
		text := strings.ToValidUTF8(string(one.Data), "\uFFFD")
		if utf8.RuneCountInString(text) > previewChars {
			text = string([]rune(text)[:previewChars]) + "…"
		}
		p.Records = append(p.Records, RecordPreview{Path: one.path, Offset: one.offset, PartitionKey: one.Key, Data: text, Bytes: len(one.Data)})
	}
}
