package multilang

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weir-stream/weir/consumer"
)

// Settings are what a properties file of the MultiLangDaemon says. Fields that the file leaves out are zero, unless a default is named.
type Settings struct {
	// Command is executableName, split at spaces as the original does: the program and its arguments. There are no quotes.
	Command []string
	// Language is processingLanguage. It goes into the user agent of requests.
	Language string
	// Application is applicationName: the namespace of the metrics, and in fan-out the consumer's name unless another is given.
	Application string
	// Table is tableName, the lease table's name. Default Application.
	Table string
	// Stream is streamName, or the name in streamArn, which goes first. As in the original, account and region of the ARN play no part.
	Stream string

	// Worker holds the properties that are options of the consumer. What the daemon itself decides is not in it: the stream, clients, factory and so on.
	Worker consumer.Options
	// Mode is retrievalMode: FANOUT, POLLING, or DEFAULT, which is POLLING if a property of polling is set and FANOUT if not. Default DEFAULT.
	Mode string

	// Credentials are the providers to ask, in order, of Kinesis, DynamoDB and CloudWatch. The last two default to the first, and the first to the SDK's own chain.
	Credentials, DynamoDBCredentials, CloudWatchCredentials []Provider
	// Region is regionName. Empty: what the environment and the shared configuration file say.
	Region string
	// KinesisEndpoint, DynamoDBEndpoint, CloudWatchEndpoint are URLs. Empty: what the environment says, then AWS.
	KinesisEndpoint, DynamoDBEndpoint, CloudWatchEndpoint string

	// MetricsLevel is NONE, SUMMARY or DETAILED. Default DETAILED.
	MetricsLevel string
	// MetricsDimensions are those that metrics keep beside Operation, which they always have. Empty, or ALL among them: all.
	MetricsDimensions []string
	// MetricsEvery is metricsBufferTimeMillis. Default 10 s.
	MetricsEvery time.Duration
	// MetricsCapacity is metricsMaxQueueSize. Default 10,000.
	MetricsCapacity int

	// ShutdownGrace is shutdownGraceMillis: how long children may take to finish when the daemon is told to stop. Default 5 s.
	ShutdownGrace time.Duration
	// Timeout is timeoutInSeconds: how long a child may be silent that owes an answer. Default: for ever.
	Timeout time.Duration
	// WarnAfter is logWarningForTaskAfterMillis: after how long a call that is not answered is told about, again and again. Default one minute; the original's is never.
	WarnAfter time.Duration

	// Entries are the file's properties in its order, each with what became of it.
	Entries []Entry
}

// Entry is one property of the file.
type Entry struct {
	Name, Value string
	Line        int
	// Ignored says why the property has no effect. Empty if it has.
	Ignored string
}

// FanOut says how the stream is read: what Mode comes to.
func (s *Settings) FanOut() bool { return s.Mode == "FANOUT" }

// ReadSettings reads a properties file. The error names everything in it that is wrong or that cannot be done, each with its line.
func ReadSettings(data []byte) (*Settings, error) {
	all, err := parseProperties(data)
	if err != nil {
		return nil, err
	}
	s := &Settings{Mode: "DEFAULT", MetricsLevel: "DETAILED", MetricsEvery: 10 * time.Second, MetricsCapacity: 10_000, ShutdownGrace: 5 * time.Second, WarnAfter: time.Minute}
	r := reading{settings: s}
	last := map[string]int{}
	for i, p := range all {
		last[canonical(p.name)] = i
	}
	for i, p := range all {
		entry := Entry{Name: p.name, Value: strings.TrimSpace(p.value), Line: p.line}
		if at := last[canonical(p.name)]; at != i {
			entry.Ignored = fmt.Sprintf("line %d says it again", all[at].line)
		} else if entry.Ignored, err = r.take(canonical(p.name), entry.Value); err != nil {
			r.wrong = append(r.wrong, fmt.Errorf("line %d: %s: %w", p.line, p.name, err))
		}
		s.Entries = append(s.Entries, entry)
	}
	r.finish()
	return s, errors.Join(r.wrong...)
}

// reading is Settings in the making.
type reading struct {
	settings *Settings
	arn      string   // stream's name by streamArn
	polling  bool     // a property of polling is set
	position string   // initialPositionInStream
	regions  []string // of single clients
	wrong    []error
}

// beans are the parts of the original's configuration that a property may be named through, such as pollingConfig.maxRecords.
var beans = []string{
	"pollingConfig.", "gracefulLeaseHandoffConfigBean.", "workerUtilizationAwareAssignmentConfigBean.", "workerMetricStatsTableConfigBean.", "coordinatorStateTableConfigBean.",
}

// canonical is a property's name as the table has it. Names are matched exactly, except that AwsCredentialsProvider may be written in any case, as in the original.
func canonical(name string) string {
	const provider = "awsCredentialsProvider"
	if len(name) >= len(provider) && strings.EqualFold(name[:len(provider)], provider) {
		return provider + name[len(provider):]
	}
	for _, bean := range beans {
		if rest, ok := strings.CutPrefix(name, bean); ok {
			return rest
		}
	}
	return name
}

// take understands one property. ignored says why it has no effect.
func (r *reading) take(name, value string) (ignored string, err error) {
	row, known := properties[name]
	switch {
	case known && value == "":
		return "it is empty", nil
	case known && row.set != nil:
		return row.ignored, row.set(r, value)
	case known && row.refused != "":
		return "", errors.New(row.refused)
	case known:
		return row.ignored, nil
	}
	for _, client := range []string{"kinesisClient.", "dynamoDbClient.", "cloudWatchClient."} {
		if strings.HasPrefix(name, client) {
			return "", errors.New("only region and endpointOverride of the clients can be set")
		}
	}
	for _, provider := range []string{"kinesisCredentialsProvider", "dynamoDBCredentialsProvider", "cloudWatchCredentialsProvider"} {
		if strings.HasPrefix(name, provider) {
			return "", errors.New("providers cannot be built piece by piece: name one in AwsCredentialsProvider")
		}
	}
	for near := range properties {
		if strings.EqualFold(near, name) {
			return "it is unknown, to the original too: it is called " + near, nil
		}
	}
	return "it is unknown, to the original too", nil
}

// finish checks what belongs together.
func (r *reading) finish() {
	s := r.settings
	if r.arn != "" {
		s.Stream = r.arn
	}
	if s.Table == "" {
		s.Table = s.Application
	}
	for _, need := range []struct {
		there bool
		name  string
	}{{len(s.Command) > 0, "executableName"}, {s.Application != "", "applicationName"}, {s.Stream != "", "streamName or streamArn"}} {
		if !need.there {
			r.wrong = append(r.wrong, fmt.Errorf("%s is needed", need.name))
		}
	}
	for _, region := range r.regions {
		if s.Region == "" {
			s.Region = region
		}
		if region != s.Region {
			r.wrong = append(r.wrong, fmt.Errorf("clients in two regions, %s and %s, cannot be", s.Region, region))
		}
	}
	if len(s.Credentials) == 0 {
		s.Credentials = []Provider{{Kind: ProviderDefault}}
	}
	if s.DynamoDBCredentials == nil {
		s.DynamoDBCredentials = s.Credentials
	}
	if s.CloudWatchCredentials == nil {
		s.CloudWatchCredentials = s.Credentials
	}
	if s.Mode == "DEFAULT" {
		s.Mode = "FANOUT"
		if r.polling {
			s.Mode = "POLLING"
		}
	}
	s.Worker.FanOut = s.FanOut()
	if s.Worker.ConsumerName == "" {
		s.Worker.ConsumerName = s.Application
	}
	switch timed := !s.Worker.InitialTimestamp.IsZero(); {
	case timed:
		s.Worker.InitialPosition = consumer.AtTimestamp
		if r.position != "" && r.position != consumer.AtTimestamp {
			r.wrong = append(r.wrong, fmt.Errorf("initialPositionInStream is %s, and initialPositionInStreamExtended says AT_TIMESTAMP: only one of them can be", r.position))
		}
	case r.position == consumer.AtTimestamp:
		r.wrong = append(r.wrong, errors.New("initialPositionInStream is AT_TIMESTAMP, and initialPositionInStreamExtended does not say which"))
	default:
		s.Worker.InitialPosition = r.position
	}
}
