package agent

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/weir-stream/weir/client/follow"
)

// The Kinesis Agent's defaults and limits, from its documentation ("Writing to Kinesis Data Streams Using Kinesis Agent", read 2026-08) and, where that is
// silent, from its release 2.0.13.
const (
	// DefaultConfig is where the Kinesis Agent has its configuration.
	DefaultConfig = "/etc/aws-kinesis/agent.json"

	defaultCheckpointFile = "/var/run/aws-kinesis-agent/checkpoints"
	defaultNamespace      = "AWSKinesisAgent"

	streamRecordBytesMax   = 1 << 20    // with its partition key
	deliveryRecordBytesMax = 1000 << 10 // of a delivery stream
	streamBufferBytesMax   = 5 << 20    // of a PutRecords request
	deliveryBufferBytesMax = 4 << 20    // of a PutRecordBatch request
	bufferRecordsMax       = 500        // of either
)

// Config is an agent.json, with the flows of agent.d beside it.
type Config struct {
	Path string

	CheckpointFile    string
	CheckpointTTL     time.Duration
	ShutdownTimeout   time.Duration
	StatusPeriod      time.Duration // between two lines of progress in the log
	LogMetrics        bool
	MaxSendingThreads int

	EmitMetrics        bool
	MetricsEndpoint    string
	MetricsNamespace   string
	MetricsTagInstance bool
	MetricsEvery       time.Duration
	MetricsQueue       int

	Service Service

	Flows []*FlowConfig
	Notes []Note
}

// Service says where the services are, as whom, and over which connections.
type Service struct {
	KinesisEndpoint, KinesisRegion string
	FirehoseEndpoint               string
	STSEndpoint                    string
	AccessKey, SecretKey           string
	RoleARN, RoleExternalID        string
	UserAgent, UserAgentOverride   string
	MaxConnections                 int
	ConnectionTimeout              time.Duration
	SocketTimeout                  time.Duration
	KeepAlive, Gzip                bool
}

// FlowConfig is one flow.
type FlowConfig struct {
	// ID names the flow in checkpoints, status and log, as the Kinesis Agent does: kinesis:STREAM:DIR/PATTERN or fh:STREAM:DIR/PATTERN.
	ID       string
	Stream   string
	Delivery bool // Stream is a delivery stream
	Dir      string
	Pattern  string

	KeyDeterministic bool
	KeyField         string // member of a JSON record that is its partition key; empty is the usual
	FromStart        bool

	MaxBufferAge     time.Duration
	MaxBufferRecords int
	MaxBufferBytes   int
	PollEvery        time.Duration
	RefreshEvery     time.Duration
	BackoffFirst     time.Duration
	BackoffMax       time.Duration

	SkipHeaderLines int
	StartPattern    *regexp.Regexp // nil: each line is a record
	FooterPattern   *regexp.Regexp // nil: none
	Terminator      string
	AggregateBytes  int // nought: not

	checkpointTTL time.Duration
	convert       chain
}

// RecordBytesMax is the largest record of the flow's service.
func (c *FlowConfig) RecordBytesMax() int {
	if c.Delivery {
		return deliveryRecordBytesMax
	}
	return streamRecordBytesMax
}

// bufferBytesMax is the largest request of the flow's service.
func (c *FlowConfig) bufferBytesMax() int {
	if c.Delivery {
		return deliveryBufferBytesMax
	}
	return streamBufferBytesMax
}

// Destination is the stream as the metrics name it.
func (c *FlowConfig) Destination() string {
	if c.Delivery {
		return "DeliveryStream:" + c.Stream
	}
	return "KinesisStream:" + c.Stream
}

// ConfigError is all mistakes of a configuration.
type ConfigError struct{ Mistakes []error }

// Error is a mistake on each line.
func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Mistakes))
	for i, m := range e.Mistakes {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

// ReadConfig reads an agent.json, and the flows of the *.json files in agent.d beside it. The error is a *ConfigError of all mistakes. With mistakes the Config
// is there too, as far as it could be read.
func ReadConfig(path string) (*Config, error) {
	f := &findings{}
	keys, err := readObject(path)
	if err != nil {
		return nil, &ConfigError{[]error{err}}
	}
	r := newReader(f, path, keys)
	c := readGlobal(r, path)
	flows := r.objects("flows")
	r.done()
	more, err := filepath.Glob(filepath.Join(filepath.Dir(path), "agent.d", "*.json"))
	if err != nil {
		f.wrong = append(f.wrong, err)
	}
	slices.Sort(more)
	for _, file := range more {
		keys, err := readObject(file)
		if err != nil {
			f.wrong = append(f.wrong, err)
			continue
		}
		r := newReader(f, file, keys)
		flows = append(flows, r.objects("flows")...)
		for key := range keys {
			if key != "flows" {
				r.asked[key] = true
				r.note(key, "has no effect: of files in agent.d only the flows are read")
			}
		}
	}
	seen := map[string]string{}
	for _, flow := range flows {
		one := readFlow(flow)
		one.checkpointTTL = c.CheckpointTTL
		if before, twice := seen[one.ID]; twice {
			flow.refuse("filePattern", "the flow %s is in %s already", one.ID, before)
		}
		seen[one.ID] = flow.where
		c.Flows = append(c.Flows, one)
	}
	if len(c.Flows) == 0 {
		r.refuse("flows", "there are none, so there is nothing to do")
	}
	c.Notes = f.notes
	if len(f.wrong) > 0 {
		return c, &ConfigError{f.wrong}
	}
	return c, nil
}

func readObject(path string) (map[string]json.RawMessage, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	keys, err := parseObject(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

func readGlobal(r *reader, path string) *Config {
	c := &Config{Path: path}
	c.CheckpointFile = r.text("checkpointFile", defaultCheckpointFile)
	if !filepath.IsAbs(c.CheckpointFile) {
		absolute, err := filepath.Abs(c.CheckpointFile)
		if err != nil {
			r.refuse("checkpointFile", "%v", err)
		}
		r.note("checkpointFile", "is relative, so it is "+absolute)
		c.CheckpointFile = absolute
	}
	c.CheckpointTTL = time.Duration(r.number("checkpointTimeToLiveDays", 7, 1, 36500)) * 24 * time.Hour
	c.ShutdownTimeout = r.millis("shutdownTimeoutMillis", 10_000, 0, math.MaxInt32)
	c.StatusPeriod = time.Duration(r.number("log.statusReportingPeriodSeconds", 30, 1, math.MaxInt32)) * time.Second
	c.LogMetrics = r.truth("log.emitMetrics", false)
	if r.truth("log.emitInternalMetrics", false) {
		c.LogMetrics = true
	}
	perCore := r.number("maxSendingThreadsPerCore", 12, 1, 10_000)
	c.MaxSendingThreads = int(r.number("maxSendingThreads", max(2, perCore*int64(runtime.NumCPU())), 1, 100_000))

	c.EmitMetrics = r.truth("cloudwatch.emitMetrics", true)
	c.MetricsEndpoint = r.endpoint("cloudwatch.endpoint")
	c.MetricsNamespace = r.text("cloudwatch.namespace", defaultNamespace)
	c.MetricsTagInstance = r.truth("cloudwatch.tagInstance", false)
	c.MetricsEvery = r.millis("cloudwatch.metricsBufferTimeMillis", 30_000, 1, math.MaxInt32)
	c.MetricsQueue = int(r.number("cloudwatch.metricsQueueSize", 10_000, 1, math.MaxInt32))

	s := &c.Service
	s.KinesisEndpoint, s.KinesisRegion = r.endpoint("kinesis.endpoint"), r.text("kinesis.region", "")
	s.FirehoseEndpoint, s.STSEndpoint = r.endpoint("firehose.endpoint"), r.endpoint("sts.endpoint")
	s.AccessKey, s.SecretKey = r.text("awsAccessKeyId", ""), r.text("awsSecretAccessKey", "")
	if (s.AccessKey == "") != (s.SecretKey == "") {
		r.refuse("awsAccessKeyId", "it and awsSecretAccessKey go together; only one of them is set")
	}
	s.RoleARN, s.RoleExternalID = r.text("assumeRoleARN", ""), r.text("assumeRoleExternalId", "")
	for _, key := range []string{"userDefinedCredentialsProvider.classname", "userDefinedCredentialsProvider.location"} {
		if value := r.text(key, ""); value != "" {
			r.refuse(key, "%q is Java code, which weir agent cannot run; use awsAccessKeyId, the environment, a profile or assumeRoleARN", value)
		}
	}
	s.UserAgent, s.UserAgentOverride = r.text("userAgent", ""), r.text("userAgentOverride", "")
	// The defaults are those of the AWS SDK for Java 1.x: 50 connections, 10 s to connect, 50 s for an answer.
	s.MaxConnections = int(r.number("maxConnections", max(50, int64(c.MaxSendingThreads)), 1, 100_000))
	s.ConnectionTimeout = r.millis("connectionTimeoutMillis", 10_000, 0, math.MaxInt32)
	s.SocketTimeout = r.millis("socketTimeoutMillis", 50_000, 0, math.MaxInt32)
	s.KeepAlive, s.Gzip = r.truth("useTcpKeepAlive", false), r.truth("useHttpGzip", false)

	r.noEffect("a goroutine costs nothing while it waits, so none is ended", "sendingThreadsKeepAliveMillis")
	r.noEffect("a flow sends one request at a time and reads on when it is answered; the files are the queue", "sendingThreadsMaxQueueSize")
	r.noEffect("connections that are not used are closed after 90 s, others are kept", "connectionTTLMillis")
	r.noEffect("checkpoints are a plain file, no database", "checkpoints.queryTimeoutSeconds", "checkpoints.connectionTimeoutSeconds")
	return c
}

// endpoint is a URL, or nothing. The Kinesis Agent takes a host name for a URL.
func (r *reader) endpoint(key string) string {
	text := strings.TrimSpace(r.text(key, ""))
	if text == "" {
		return ""
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		r.refuse(key, "%q is no URL such as https://kinesis.us-east-1.amazonaws.com", text)
		return ""
	}
	return strings.TrimSuffix(text, "/")
}

func (r *reader) millis(key string, otherwise, least, most int64) time.Duration {
	return time.Duration(r.number(key, otherwise, least, most)) * time.Millisecond
}

func readFlow(r *reader) *FlowConfig {
	f := &FlowConfig{}
	stream, delivery := r.text("kinesisStream", ""), r.text("deliveryStream", "")
	f.Stream, f.Delivery = stream, delivery != ""
	prefix := "kinesis:"
	switch {
	case stream != "" && delivery != "":
		r.refuse("kinesisStream", "a flow has a kinesisStream or a deliveryStream, not both")
	case stream == "" && delivery == "":
		r.refuse("kinesisStream", "a flow needs a kinesisStream or a deliveryStream")
	case f.Delivery:
		f.Stream, prefix = delivery, "fh:"
	}
	pattern := r.required("filePattern")
	if pattern != "" && !filepath.IsAbs(pattern) {
		if absolute, err := filepath.Abs(pattern); err == nil {
			r.note("filePattern", "is relative, so it is "+absolute)
			pattern = absolute + pattern[len(strings.TrimRight(pattern, "/")):]
		}
	}
	f.Dir, f.Pattern = filepath.Split(pattern)
	f.Dir = filepath.Clean(f.Dir)
	f.ID = prefix + f.Stream + ":" + f.Dir + "/" + f.Pattern
	switch _, _, err := follow.Glob(f.Pattern); {
	case pattern == "":
	case f.Pattern == "":
		r.refuse("filePattern", "%q ends in a slash; it needs the name of a file", pattern)
	case strings.ContainsAny(f.Dir, "*?[{"):
		r.refuse("filePattern", "%q has a wildcard in its folder; only the name of the file may have one", pattern)
	case err != nil:
		r.refuse("filePattern", "%v", err)
	}
	if stream != "" {
		f.KeyDeterministic = r.oneOf("partitionKeyOption", "RANDOM", "RANDOM", "DETERMINISTIC") == "DETERMINISTIC"
		f.KeyField = r.text("partitionKeyField", "")
	} else {
		r.noEffect("records of a delivery stream have no partition key", "partitionKeyOption", "partitionKeyField")
	}
	f.FromStart = r.oneOf("initialPosition", "END_OF_FILE", "END_OF_FILE", "START_OF_FILE") == "START_OF_FILE"
	f.MaxBufferAge = r.millis("maxBufferAgeMillis", 60_000, 1000, 900_000)
	f.MaxBufferRecords = int(r.number("maxBufferSizeRecords", bufferRecordsMax, 1, bufferRecordsMax))
	f.MaxBufferBytes = int(r.number("maxBufferSizeBytes", int64(f.bufferBytesMax()), 1, int64(f.bufferBytesMax())))
	f.PollEvery = r.millis("minTimeBetweenFilePollsMillis", 100, 1, math.MaxInt32)
	f.RefreshEvery = r.millis("maxTimeBetweenFileTrackerRefreshMillis", 10_000, 1, math.MaxInt32)
	f.BackoffFirst = r.millis("retryInitialBackoffMillis", 100, 1, math.MaxInt32)
	f.BackoffMax = max(f.BackoffFirst, r.millis("retryMaxBackoffMillis", 10_000, 1, math.MaxInt32))
	f.SkipHeaderLines = int(r.number("skipHeaderLines", 0, 0, math.MaxInt32))
	if r.text("multiLineStartPattern", "") != "" {
		f.StartPattern = r.pattern("multiLineStartPattern", "", `\A(?:%s)`)
	}
	if r.text("fileFooterPattern", "") != "" {
		f.FooterPattern = r.pattern("fileFooterPattern", "", `\A(?m:%s)\z`)
	}
	f.Terminator = r.text("truncatedRecordTerminator", "\n")
	if len(f.Terminator) >= f.RecordBytesMax()-256 { // a partition key has up to 256 characters
		r.refuse("truncatedRecordTerminator", "%d bytes leave no room in a record", len(f.Terminator))
	}
	if f.Delivery {
		f.AggregateBytes = int(r.number("aggregatedRecordSizeBytes", 0, 0, deliveryRecordBytesMax))
		if f.AggregateBytes > 0 && f.StartPattern != nil {
			r.note("aggregatedRecordSizeBytes", "has no effect: it joins single lines, and this flow has a multiLineStartPattern")
			f.AggregateBytes = 0
		}
	} else {
		r.noEffect("only delivery streams have it", "aggregatedRecordSizeBytes")
	}
	f.convert = readConverters(r)
	r.noEffect("a flow sends one request at a time and reads on when it is answered; the files are the queue",
		"publishQueueCapacity", "waitOnFullPublishQueueMillis", "waitOnEmptyPublishQueueMillis", "waitOnFullRetryQueueMillis")
	r.done()
	return f
}
