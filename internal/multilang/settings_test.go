package multilang

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/consumer"
)

// minimal is the least that a file must say.
const minimal = "executableName = sample.py\nstreamName = words\napplicationName = sample\nAwsCredentialsProvider = DefaultCredentialsProvider\n"

func read(t *testing.T, text string) *Settings {
	t.Helper()
	s, err := ReadSettings([]byte(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return s
}

// TestDefaults shows what a file means that says only what it must.
func TestDefaults(t *testing.T) {
	got := read(t, minimal)
	got.Entries = nil
	chain := []Provider{{Kind: ProviderDefault}}
	want := &Settings{
		Command: []string{"sample.py"}, Application: "sample", Table: "sample", Stream: "words", Mode: "FANOUT",
		Worker:      consumer.Options{FanOut: true, ConsumerName: "sample"},
		Credentials: chain, DynamoDBCredentials: chain, CloudWatchCredentials: chain,
		MetricsLevel: "DETAILED", MetricsEvery: 10 * time.Second, MetricsCapacity: 10_000, ShutdownGrace: 5 * time.Second, WarnAfter: time.Minute,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestEachProperty shows what each property that is honoured does, a row for each: what its line changes, as path=value in the settings.
func TestEachProperty(t *testing.T) {
	at := func(path string) func(*Settings) any {
		return func(s *Settings) any {
			v := reflect.ValueOf(*s)
			for name := range strings.SplitSeq(path, ".") {
				v = v.FieldByName(name)
			}
			return v.Interface()
		}
	}
	covered := map[string]bool{}
	for _, row := range []struct{ line, path, want string }{
		{"executableName = /bin/a  b 'c d'", "Command", "[/bin/a b 'c d']"},
		{"processingLanguage=python/3.8", "Language", "python/3.8"},
		{"applicationName=other", "Application", "other"},
		{"tableName=leases", "Table", "leases"},
		{"streamName=orders", "Stream", "orders"},
		{"streamArn=arn:aws-cn:kinesis:cn-north-1:123456789012:stream/orders", "Stream", "orders"},
		{"streamArn=", "Stream", "words"},
		{"workerId=w1", "Worker.Worker", "w1"},
		{"workerIdentifier=w2  ", "Worker.Worker", "w2"},
		{"workerId=", "Worker.Worker", ""},
		{"awscredentialsPROVIDER = EnvironmentVariableCredentialsProvider", "Credentials", fmt.Sprint([]Provider{{Kind: ProviderEnvironment}})},
		{"awsCredentialsProvider = AnonymousCredentialsProvider", "DynamoDBCredentials", fmt.Sprint([]Provider{{Kind: ProviderAnonymous}})},
		{"AwsCredentialsProviderDynamoDB = EnvironmentVariableCredentialsProvider", "DynamoDBCredentials", fmt.Sprint([]Provider{{Kind: ProviderEnvironment}})},
		{"AwsCredentialsProviderCloudWatch = EnvironmentVariableCredentialsProvider", "CloudWatchCredentials", fmt.Sprint([]Provider{{Kind: ProviderEnvironment}})},
		{"regionName=eu-west-1", "Region", "eu-west-1"},
		{"kinesisClient.region=eu-west-1", "Region", "eu-west-1"},
		{"dynamoDbClient.region=eu-west-1\nregionName=eu-west-1", "Region", "eu-west-1"},
		{"cloudWatchClient.region=eu-west-1", "Region", "eu-west-1"},
		{"kinesisEndpoint=http://127.0.0.1:4566", "KinesisEndpoint", "http://127.0.0.1:4566"},
		{"kinesisClient.endpointOverride=http://127.0.0.1:4566", "KinesisEndpoint", "http://127.0.0.1:4566"},
		{"dynamoDBEndpoint=https\\://h", "DynamoDBEndpoint", "https://h"},
		{"dynamoDbClient.endpointOverride=https://h", "DynamoDBEndpoint", "https://h"},
		{"cloudWatchClient.endpointOverride=https://h", "CloudWatchEndpoint", "https://h"},
		{"cloudWatchEndpoint=https://h", "CloudWatchEndpoint", "https://h"},
		{"initialPositionInStream=latest", "Worker.InitialPosition", "LATEST"},
		{"initialPositionInStream = TRIM_HORIZON", "Worker.InitialPosition", "TRIM_HORIZON"},
		{"initialPositionInStreamExtended = 1636609142", "Worker.InitialPosition", "AT_TIMESTAMP"},
		{"initialPositionInStream=AT_TIMESTAMP\ninitialPositionInStreamExtended = 1636609142", "Worker.InitialTimestamp", time.Unix(1636609142, 0).String()},
		{"retrievalMode=polling", "Mode", "POLLING"},
		{"retrievalMode=polling", "Worker.FanOut", "false"},
		{"retrievalMode=FanOut\nmaxRecords=5", "Mode", "FANOUT"},
		{"maxRecords=5", "Mode", "POLLING"},
		{"maxRecords=0", "Mode", "FANOUT"},
		{"pollingConfig.maxRecords=7", "Worker.MaxRecords", "7"},
		{"maxRecords=10000", "Worker.MaxRecords", "10000"},
		{"idleTimeBetweenReadsInMillis=250", "Worker.IdleBetweenReads", "250ms"},
		{"retryGetRecordsInSeconds=1", "Mode", "POLLING"},
		{"maxGetRecordsThreadPool=1", "Mode", "POLLING"},
		{"millisBehindLatestThresholdForReducedTps=1", "Mode", "POLLING"},
		{"fanoutConfig.consumerName=c", "Worker.ConsumerName", "c"},
		{"fanoutConfig.consumerArn=arn:c", "Worker.ConsumerARN", "arn:c"},
		{"callProcessRecordsEvenForEmptyRecordList=TRUE", "Worker.CallOnEmpty", "true"},
		{"callProcessRecordsEvenForEmptyRecordList=no", "Worker.CallOnEmpty", "false"},
		{"parentShardPollIntervalMillis=1", "Worker.ParentPoll", "1ms"},
		{"taskBackoffTimeMillis=2", "Worker.TaskBackoff", "2ms"},
		{"failoverTimeMillis=10000  ", "Worker.Failover", "10s"},
		{"failoverTimeMillis=", "Worker.Failover", "0s"},
		{"leaseAssignmentIntervalMillis=20000", "Worker.AssignEvery", "20s"},
		{"shardSyncIntervalMillis=60000", "Worker.ShardSync", "1m0s"},
		{"maxLeasesForWorker=3", "Worker.MaxLeases", "3"},
		{"maxLeaseRenewalThreads=4", "Worker.RenewThreads", "4"},
		{"isGracefulLeaseHandoffEnabled=false", "Worker.NoGracefulHandoff", "true"},
		{"isGracefulLeaseHandoffEnabled=true", "Worker.NoGracefulHandoff", "false"},
		{"gracefulLeaseHandoffConfigBean.gracefulLeaseHandoffTimeoutMillis=1000", "Worker.GracefulHandoff", "1s"},
		{"workerMetricsReporterFreqInMillis=1000", "Worker.WorkerMetricsEvery", "1s"},
		{"staleWorkerMetricsEntryCleanupDuration=PT15M", "Worker.WorkerMetricsStale", "15m0s"},
		{"staleWorkerMetricsEntryCleanupDuration=p2dt3h4m5.6s", "Worker.WorkerMetricsStale", "51h4m5.6s"},
		{"clientVersionConfig=CLIENT_VERSION_CONFIG_3X", "Worker.Worker", ""},
		{"metricsLevel=none", "MetricsLevel", "NONE"},
		{"metricsEnabledDimensions=Operation, ShardId", "MetricsDimensions", "[Operation ShardId]"},
		{"metricsBufferTimeMillis=5", "MetricsEvery", "5ms"},
		{"metricsMaxQueueSize=6", "MetricsCapacity", "6"},
		{"shutdownGraceMillis=7", "ShutdownGrace", "7ms"},
		{"shutdownGraceMillis=0", "ShutdownGrace", "5s"},
		{"timeoutInSeconds=8", "Timeout", "8s"},
		{"logWarningForTaskAfterMillis=9", "WarnAfter", "9ms"},
		{"maxRecords=1\nmaxRecords=2", "Worker.MaxRecords", "2"},
	} {
		s := read(t, minimal+row.line)
		if got := fmt.Sprint(at(row.path)(s)); got != row.want {
			t.Errorf("%q: %s is %s, want %s", row.line, row.path, got, row.want)
		}
		for _, e := range s.Entries[4:] {
			covered[canonical(e.Name)] = true
		}
	}
	for name, p := range properties {
		if p.set != nil && !covered[name] {
			t.Errorf("no row for %s", name)
		}
	}
}

// TestIgnored shows that everything without effect is named with a reason, and that whatever is unknown to the original is, too.
func TestIgnored(t *testing.T) {
	for name, row := range properties {
		if row.set != nil || row.refused != "" {
			continue
		}
		e := read(t, minimal+name+"=1").Entries[4]
		if e.Ignored == "" || e.Name != name || e.Line != 5 {
			t.Errorf("%s: %+v", name, e)
		}
	}
	for line, says := range map[string]string{
		"StreamName=x":               "called streamName",
		"RetrievalMode=FANOUT":       "called retrievalMode",
		"colour=x":                   "unknown",
		"workerMetricsTags=a=b,c=d":  "lease table",
		"maxGetRecordsThreadPool=4":  "retrievalMode",
		"regionName=":                "empty",
		"maxRecords=1\nmaxRecords=2": "line 6 says it again",
		"coordinatorStateTableConfigBean.coordinatorStateTableName=x": "lease table",
	} {
		if e := read(t, minimal+line).Entries[4]; !strings.Contains(e.Ignored, says) {
			t.Errorf("%q: %+v, want one that says %q", line, e, says)
		}
	}
}

// TestRefused shows what a file cannot say, and that all of it is named at once, with its line.
func TestRefused(t *testing.T) {
	for line, says := range map[string]string{
		"executableName=":  "executableName is needed",
		"applicationName=": "applicationName is needed",
		"streamName=":      "streamName or streamArn is needed",
		"streamArn=arn:aws:kinesis:us-east-1:1:stream/x":              "line 5: streamArn",
		"streamArn=arn:aws:kinesis:us-east-1:123456789012:stream/x/y": "line 5: streamArn",
		"maxRecords=10001":                       "from 0 to 10000",
		"maxRecords=many":                        "maxRecords",
		"maxRecords=-1":                          "maxRecords",
		"failoverTimeMillis=1.5":                 "milliseconds",
		"failoverTimeMillis=-1":                  "milliseconds",
		"failoverTimeMillis=9223372036854775807": "milliseconds",
		"timeoutInSeconds=0":                     "from 1",
		"initialPositionInStream=OLDEST":         "TRIM_HORIZON",
		"initialPositionInStream=AT_TIMESTAMP":   "does not say which",
		"initialPositionInStream=LATEST\ninitialPositionInStreamExtended=5": "only one",
		"initialPositionInStreamExtended=yesterday":                         "seconds since 1970",
		"callProcessRecordsEvenForEmptyRecordList=maybe":                    "neither true nor false",
		"isGracefulLeaseHandoffEnabled=maybe":                               "neither true nor false",
		"metricsLevel=ALL":                                                  "NONE, SUMMARY, DETAILED",
		"retrievalMode=PUSH":                                                "FANOUT",
		"kinesisEndpoint=localhost:4566":                                    "not a URL",
		"dynamoDBEndpoint=ftp://h":                                          "not a URL",
		"clientVersionConfig=CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X":      "migration",
		"clientVersionConfig=4X":                                            "CLIENT_VERSION_CONFIG_3X",
		"staleWorkerMetricsEntryCleanupDuration=P":                          "PT15M",
		"staleWorkerMetricsEntryCleanupDuration=PT":                         "PT15M",
		"staleWorkerMetricsEntryCleanupDuration=P1DT":                       "PT15M",
		"staleWorkerMetricsEntryCleanupDuration=-PT1S":                      "PT15M",
		"staleWorkerMetricsEntryCleanupDuration=15m":                        "PT15M",
		"shardPrioritization=NoOpShardPrioritization":                       "side by side",
		"kinesisClient.httpClient.class=x":                                  "only region and endpointOverride",
		"kinesisCredentialsProvider.class=x":                                "piece by piece",
		"kinesisClient.region=a\ndynamoDbClient.region=b":                   "two regions",
		"regionName=a\ncloudWatchClient.region=b":                           "two regions",
		"regionName=\\uxyz":                                                 "line 5",
		"AwsCredentialsProvider=,":                                          "names no provider",
		"AwsCredentialsProvider=org.mycompany.FooProvider":                  "not known here",
		"AwsCredentialsProvider=DefaultCredentialsProvider,Nonsense":        "Nonsense",
		"AwsCredentialsProviderDynamoDB=SystemPropertyCredentialsProvider":  "Java system properties",
	} {
		if _, err := ReadSettings([]byte(minimal + line)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: error %v, want one that says %q", line, err, says)
		}
	}
	_, err := ReadSettings([]byte("maxRecords=x\nmetricsLevel=y"))
	for _, says := range []string{"line 1", "line 2", "executableName", "applicationName", "streamName"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v does not say %s", err, says)
		}
	}
}

// TestProviders shows what names of both Java SDKs mean.
func TestProviders(t *testing.T) {
	role := Provider{Kind: ProviderAssumeRole, Role: "arn:r", Session: "s"}
	with := func(change func(*Provider)) []Provider {
		p := role
		change(&p)
		return []Provider{p}
	}
	for list, want := range map[string][]Provider{
		"DefaultCredentialsProvider":                                                     {{Kind: ProviderDefault}},
		"DefaultAWSCredentialsProviderChain":                                             {{Kind: ProviderDefault}},
		"com.amazonaws.auth.DefaultAWSCredentialsProviderChain":                          {{Kind: ProviderDefault}},
		"software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider": {{Kind: ProviderEnvironment}},
		"com.amazonaws.auth.profile.ProfileCredentialsProvider|work":                     {{Kind: ProviderProfile, Profile: "work"}},
		" ProfileCredentialsProvider , InstanceProfileCredentialsProvider,":              {{Kind: ProviderProfile}, {Kind: ProviderInstance}},
		"EC2ContainerCredentialsProviderWrapper":                                         {{Kind: ProviderContainer}, {Kind: ProviderInstance}},
		"ContainerCredentialsProvider":                                                   {{Kind: ProviderContainer}},
		"WebIdentityTokenFileCredentialsProvider":                                        {{Kind: ProviderWebIdentity}},
		"WebIdentityTokenCredentialsProvider":                                            {{Kind: ProviderWebIdentity}},
		"AnonymousCredentialsProvider":                                                   {{Kind: ProviderAnonymous}},
		"StsAssumeRoleCredentialsProvider|arn:r|s":                                       {role},
		"STSAssumeRoleSessionCredentialsProvider|arn:r|s":                                {role},
		"KclSTSAssumeRoleSessionCredentialsProvider|arn:r|s":                             {role},
		"KclStsAssumeRoleCredentialsProvider|arn:r|s|endpointRegion=eu-west-1":           with(func(p *Provider) { p.Region = "eu-west-1" }),
		"StsAssumeRoleCredentialsProvider|arn:r|s|externalId=x|endpointRegion=eu-west-1": with(func(p *Provider) { p.Region, p.ExternalID = "eu-west-1", "x" }),
		"StsAssumeRoleCredentialsProvider|arn:r|s|endpoint=sts.example^eu-west-1":        with(func(p *Provider) { p.Region, p.Endpoint = "eu-west-1", "https://sts.example" }),
		"StsAssumeRoleCredentialsProvider|arn:r|s|endpoint=http://127.0.0.1:9^eu-west-1": with(func(p *Provider) { p.Region, p.Endpoint = "eu-west-1", "http://127.0.0.1:9" }),
	} {
		got, err := parseProviders(list)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %+v, %v; want %+v", list, got, err, want)
		}
	}
	for _, list := range []string{
		"", "StsAssumeRoleCredentialsProvider", "StsAssumeRoleCredentialsProvider|arn:r", "StsAssumeRoleCredentialsProvider|arn:r|s|colour=x",
		"StsAssumeRoleCredentialsProvider|arn:r|s|externalId", "StsAssumeRoleCredentialsProvider|arn:r|s|endpoint=x", "DefaultCredentialsProvider|x",
		"ProfileCredentialsProvider|a|b", "AnonymousCredentialsProvider,DefaultCredentialsProvider", "PropertiesFileCredentialsProvider|/etc/keys", "StaticCredentialsProvider|a|b", "ProcessCredentialsProvider",
	} {
		if got, err := parseProviders(list); err == nil {
			t.Errorf("%q: %+v", list, got)
		}
	}
}

// FuzzReadSettings shows that any file is read or refused, and that of a file that is read every property is accounted for.
func FuzzReadSettings(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte(minimal + "AwsCredentialsProvider=StsAssumeRoleCredentialsProvider|a|b|endpoint=c^d\nstaleWorkerMetricsEntryCleanupDuration=P1DT2H3M4.5S\nmaxRecords=1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ReadSettings(data)
		if err != nil {
			return
		}
		all, _ := parseProperties(data)
		if len(all) != len(s.Entries) || len(s.Command) == 0 || s.Application == "" || s.Stream == "" || s.Worker.MaxRecords > 10_000 || s.Worker.WorkerMetricsStale < 0 {
			t.Fatalf("%q: %+v", data, s)
		}
	})
}

// TestPageHasEveryProperty shows that the page for operators leaves out no property and no provider.
func TestPageHasEveryProperty(t *testing.T) {
	page, err := os.ReadFile("../../docs/operate/multilang.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, names := range [][]string{slices.Collect(maps.Keys(properties)), slices.Collect(maps.Keys(providersRefused))} {
		for _, name := range names {
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("docs/operate/multilang.md does not have %s", name)
			}
		}
	}
	for name := range providerKinds {
		if short := strings.TrimPrefix(name, "Kcl"); !strings.Contains(string(page), "`"+short) {
			t.Errorf("docs/operate/multilang.md does not have %s", name)
		}
	}
}
