// Command weirmultilang shows record processors in Python and Node under weir multilang: they see every record of a stream while they, and a daemon, are killed and a shard
// is split, and go on exactly where they left off after an end in order.
//
//	weirmultilang python|node WEIR COMMAND
//
// WEIR is the binary, COMMAND is the processor's executableName. Processors write what they see into one file. Records are put by the package producer, aggregated,
// so that checkpoints lie inside records of the stream.
//
// Read prove, then daemon.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/producer"
)

// peer is what differs between the languages.
type peer struct {
	client, version, mode string
	properties            string // beside those of all
	environment           []string
}

func peers(endpoint string) map[string]peer {
	return map[string]peer{
		// The one is aimed by the environment, as weir env prints it, the other by its properties.
		"python": {"amazon_kclpy (KCL for Python)", "3.2.0", "polling", "retrievalMode = POLLING\nidleTimeBetweenReadsInMillis = 100\n", []string{"AWS_ENDPOINT_URL=" + endpoint}},
		"node": {"aws-kcl (KCL for Node)", "2.3.2", "fan-out",
			"kinesisEndpoint = " + endpoint + "\ndynamoDBEndpoint = " + endpoint + "\ncloudWatchEndpoint = " + endpoint + "\n", nil},
	}
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "weirmultilang python|node WEIR COMMAND")
		os.Exit(2)
	}
	one, ok := peers(os.Getenv("WEIR_HTTP"))[os.Args[1]]
	if !ok {
		fmt.Fprintln(os.Stderr, "weirmultilang: neither python nor node:", os.Args[1])
		os.Exit(2)
	}
	if err := prove(one, os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "weirmultilang:", err)
		os.Exit(1)
	}
}

// account is this proof's own.
const account = "200000000034"

// proof is one run.
type proof struct {
	peer
	kinesis  *kinesis.Client
	producer *producer.Producer
	stream   string
	weir     string
	dir      string // of properties, logs and what processors write
	next     map[string]int
	sent     int
	daemons  map[string]*exec.Cmd
}

// keys and batch make one put: batch records for each of keys.
const (
	keys  = 40
	batch = 25
)

func prove(one peer, language, weir, command string) (err error) {
	dir, err := os.MkdirTemp("", "weir-multilang-")
	if err != nil {
		return err
	}
	p := &proof{peer: one, stream: "weir-multilang-" + language, weir: weir, dir: dir, next: map[string]int{}}
	p.kinesis = kinesis.New(kinesis.Options{Region: "us-east-1", BaseEndpoint: aws.String(os.Getenv("WEIR_HTTP")),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: account, SecretAccessKey: "any"}, nil
		})})
	if p.producer, err = producer.New(producer.Options{API: p.kinesis}); err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(dir)
		} else {
			err = fmt.Errorf("%w\n%s", err, p.logs())
		}
	}()
	if err := os.WriteFile(filepath.Join(dir, "properties"), []byte(fmt.Sprintf(
		"executableName = %s\nstreamName = %s\napplicationName = %[2]s\nAwsCredentialsProvider = DefaultCredentialsProvider\ninitialPositionInStream = TRIM_HORIZON\n"+
			"regionName = us-east-1\nfailoverTimeMillis = 3000\nleaseAssignmentIntervalMillis = 1000\nshardSyncIntervalMillis = 1000\nparentShardPollIntervalMillis = 500\n"+
			"workerMetricsReporterFreqInMillis = 1000\nshutdownGraceMillis = 20000\ntimeoutInSeconds = 60\n%s", command, p.stream, one.properties)), 0o600); err != nil {
		return err
	}
	ctx := context.Background()
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"reads every record, aggregated ones too", p.readsAll},
		{"goes on after a processor was killed", p.killedProcessor},
		{"goes from a shard that was split to its children", p.split},
		{"takes over from a daemon that was killed, whose processors die with it", p.killedDaemon},
		{"goes on exactly after an end in order", p.exact},
	} {
		name := "weir multilang, " + one.client + ", " + one.mode + ": " + step.name
		if err := step.do(ctx); err != nil {
			fmt.Printf("not ok %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
			return err // what follows builds on it
		}
		fmt.Println("ok", name)
	}
	_, again, err := p.seen()
	if err != nil {
		return err
	}
	fmt.Printf("# client=%s version=%s sent=%d received=%d again=%d faults=processor-killed,daemon-killed,split\n", one.client, one.version, p.sent, p.sent, again)
	fmt.Printf("= %s | %s | record processor under `weir multilang`, %s, without Java | %d records | %[4]d records | a processor killed, a daemon killed, a split\n",
		one.client, one.version, one.mode, p.sent)
	return p.producer.Close(ctx)
}

// put puts records, and waits until the stream has them.
func (p *proof) put(ctx context.Context) error {
	var futures []*producer.Future
	for range batch {
		for k := range keys {
			key := fmt.Sprintf("key-%d", k)
			future, err := p.producer.Put(ctx, producer.UserRecord{Stream: p.stream, PartitionKey: key, Data: []byte(fmt.Sprint(p.next[key]))})
			if err != nil {
				return err
			}
			p.next[key]++
			p.sent++
			futures = append(futures, future)
		}
		// The next number of a key goes out when this one is there, so that their order is known.
		for _, future := range futures {
			if _, err := future.Wait(ctx); err != nil {
				return err
			}
		}
		futures = futures[:0]
	}
	return nil
}

func (p *proof) active(ctx context.Context) error {
	return eventually("the stream is ACTIVE", func() (bool, error) {
		out, err := p.kinesis.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &p.stream})
		return err == nil && out.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive, err
	})
}

func (p *proof) complete() error {
	return eventually("every record is seen", func() (bool, error) {
		all, _, err := p.seen()
		return all, err
	})
}

// patience is how long something may take on a busy machine.
const patience = 90 * time.Second

func eventually(what string, condition func() (bool, error)) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		done, err := condition()
		if done || err != nil {
			return err
		}
	}
	return errors.New("waited " + patience.String() + " until " + what)
}
