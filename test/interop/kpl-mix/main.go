// Command kpl-mix shows that the producer library and the Kinesis Producer Library are one to everybody else: both put to one stream while it is split, the Kinesis Client Library 3.5 reads every
// record of both, AWS's de-aggregator for Node opens what the producer has packed, and internal/record opens what the KPL has packed. Arguments are the class path of the Java side and the
// script of the Node side; test/interop runs it, with the server's endpoints in the environment.
//
// Read prove.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/internal/record"
	"github.com/weir-stream/weir/producer"
)

const (
	stream = "kpl-mix"
	keys   = 20
	each   = 200

	name = "producer and KPL 1.0.7 in one stream through a split, read by KCL 3.5, opened by aws-kinesis-agg 4.2.8"
	// patience is for a JVM that starts on a busy machine, and leases that nobody has.
	patience = 3 * time.Minute
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	counted, err := prove(ctx, os.Args[1], os.Args[2])
	cancel()
	if err != nil {
		fmt.Printf("not ok %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
		os.Exit(1)
	}
	fmt.Printf("# %s: %s\nok %s\n", name, counted, name)
	sent := fmt.Sprintf("%d records by each", keys*each)
	fmt.Printf("= KPL for Java with package producer | 1.0.7 | both put to one stream, read by KCL 3.5 | %s | %d by KCL | the stream is split meanwhile\n", sent, 2*keys*each)
	fmt.Printf("= aws-kinesis-agg for Node | 4.2.8 | opens what both have packed | %s | %d, as internal/record does | the stream is split meanwhile\n", sent, 2*keys*each)
}

// prove puts with both, and looks at the stream with everyone.
func prove(ctx context.Context, classes, script string) (string, error) {
	api, err := client.NewKinesis(client.Options{Endpoint: os.Getenv("WEIR_HTTP"), AccessKey: "200000000007", SecretKey: "any"}) // the account of the Java side
	if err != nil {
		return "", err
	}
	if _, err := client.EnsureStream(ctx, api, stream, 2); err != nil {
		return "", err
	}
	java := make(chan error, 1)
	go func() { java <- putWithKPL(ctx, classes) }()
	attempts, ours, err := putWithProducer(ctx, api)
	if err := errors.Join(err, <-java); err != nil {
		return "", err
	}
	stored, err := read(ctx, api)
	if err != nil {
		return "", err
	}
	opened, packed, astray, err := open(stored)
	if err != nil {
		return "", err
	}
	for place, text := range ours {
		if opened[place] != text {
			return "", fmt.Errorf("%s is said to be at %s, where %q is", text, place, opened[place])
		}
	}
	if err := complete(opened, "opened by internal/record"); err != nil {
		return "", err
	}
	node, err := openWithNode(ctx, script, stored)
	if err != nil {
		return "", err
	}
	if len(node) < len(opened) || astray == 0 && len(node) > len(opened) { // it does not know where a record lies
		return "", fmt.Errorf("aws-kinesis-agg finds %d records, internal/record %d", len(node), len(opened))
	}
	for place, text := range opened {
		if node[place] != text {
			return "", fmt.Errorf("at %s aws-kinesis-agg finds %q, internal/record %q", place, node[place], text)
		}
	}
	again, err := readWithKCL(ctx, classes)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d records of each producer, %d in %d sendings by ours; stored as %d, %d of them packed and %d on the wrong side of the split; all found by internal/record, aws-kinesis-agg and KCL, which saw %d twice", keys*each, len(ours), attempts, len(stored), packed, astray, again), nil
}

// putWithProducer puts numbered records of each key and splits the stream in the middle. ours says what is where.
func putWithProducer(ctx context.Context, api *kinesis.Client) (attempts int, ours map[string]string, err error) {
	p, err := producer.New(producer.Options{API: api, Ordered: true})
	if err != nil {
		return 0, nil, err
	}
	var futures []*producer.Future
	for i := range each {
		if i == each/2 {
			if err := p.Flush(ctx); err != nil {
				return 0, nil, err
			}
			if err := split(ctx, api); err != nil {
				return 0, nil, err
			}
		}
		for k := range keys {
			f, err := p.Put(ctx, producer.UserRecord{Stream: stream, PartitionKey: fmt.Sprint("go-", k), Data: strconv.AppendInt(nil, int64(i), 10)})
			if err != nil {
				return 0, nil, err
			}
			futures = append(futures, f)
		}
	}
	if err := p.Close(ctx); err != nil {
		return 0, nil, err
	}
	ours = map[string]string{}
	for _, f := range futures {
		r, err := f.Result()
		if err != nil {
			return 0, nil, err
		}
		key, _, data := f.Record()
		ours[fmt.Sprintf("%s/%d", r.SequenceNumber, r.SubSequenceNumber)] = key + " " + string(data)
		attempts += len(r.Attempts)
	}
	return attempts, ours, nil
}

// split halves the first shard and waits until that is done. The producer does not know.
func split(ctx context.Context, api *kinesis.Client) error {
	_, err := api.SplitShard(ctx, &kinesis.SplitShardInput{StreamName: aws.String(stream), ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("85070591730234615865843651857942052864")})
	if err != nil {
		return err
	}
	for {
		out, err := api.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(stream)})
		if err != nil || out.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive {
			return err
		}
		if err := client.Sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// putWithKPL has the Java side put as many.
func putWithKPL(ctx context.Context, classes string) error {
	dir, err := os.MkdirTemp("", "weir-kpl-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, "java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", classes, "interop.kcl.Produce", stream, strconv.Itoa(keys), strconv.Itoa(each), dir)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("KPL: %w\n%s", err, said)
	}
	return nil
}

// read is every record of the stream, by shard.
func read(ctx context.Context, api *kinesis.Client) (stored []located, err error) {
	shards, err := api.ListShards(ctx, &kinesis.ListShardsInput{StreamName: aws.String(stream)})
	if err != nil {
		return nil, err
	}
	for _, shard := range shards.Shards {
		start, err1 := record.ParseHashKey(*shard.HashKeyRange.StartingHashKey)
		end, err2 := record.ParseHashKey(*shard.HashKeyRange.EndingHashKey)
		at, err3 := api.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{StreamName: aws.String(stream), ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		if err := errors.Join(err1, err2, err3); err != nil {
			return nil, err
		}
		for iterator := at.ShardIterator; iterator != nil; {
			page, err := api.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator})
			if err != nil {
				return nil, err
			}
			for _, one := range page.Records {
				stored = append(stored, located{one, record.HashRange{Start: start, End: end}})
			}
			if iterator = page.NextShardIterator; len(page.Records) == 0 && aws.ToInt64(page.MillisBehindLatest) == 0 {
				break
			}
		}
	}
	return stored, nil
}

// located is a record and the hash keys of its shard.
type located struct {
	types.Record
	hash record.HashRange
}

// open is what lies in the records, by sequence number and place, without packed records of which a part does not belong to the shard: consumers pass over those.
func open(stored []located) (opened map[string]string, packed, astray int, err error) {
	opened = map[string]string{}
	for _, one := range stored {
		records, aggregate, err := record.Deaggregate(*one.PartitionKey, one.Data)
		if err != nil {
			return nil, 0, 0, err
		}
		if aggregate {
			packed++
		}
		if slices.ContainsFunc(records, func(r record.UserRecord) bool { return !one.hash.Contains(record.HashKeyOfString(r.PartitionKey)) }) {
			astray++
			continue
		}
		for _, r := range records {
			opened[fmt.Sprintf("%s/%d", *one.SequenceNumber, r.SubSequence)] = r.PartitionKey + " " + string(r.Data)
		}
	}
	return opened, packed, astray, nil
}

// complete says what is missing of what both have put.
func complete(opened map[string]string, how string) error {
	there := map[string]bool{}
	for _, text := range opened {
		there[text] = true
	}
	for _, producer := range []string{"go-", "key-"} {
		for k := range keys {
			for i := range each {
				if text := fmt.Sprintf("%s%d %d", producer, k, i); !there[text] {
					return fmt.Errorf("%s: %q is missing", how, text)
				}
			}
		}
	}
	if len(there) != 2*keys*each {
		return fmt.Errorf("%s: %d different records, want %d", how, len(there), 2*keys*each)
	}
	return nil
}

// openWithNode is open by AWS's de-aggregator.
func openWithNode(ctx context.Context, script string, stored []located) (map[string]string, error) {
	var in bytes.Buffer
	for _, one := range stored {
		line, err := json.Marshal(map[string]any{"partitionKey": *one.PartitionKey, "data": one.Data, "sequenceNumber": *one.SequenceNumber})
		if err != nil {
			return nil, err
		}
		in.Write(append(line, '\n'))
	}
	cmd := exec.CommandContext(ctx, "node", script)
	var complaints bytes.Buffer
	cmd.Stdin, cmd.Stderr = &in, &complaints
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("aws-kinesis-agg: %w: %s", err, complaints.String())
	}
	opened := map[string]string{}
	for line := range strings.Lines(string(out)) {
		var at, sub int
		var key, data string
		if _, err := fmt.Sscan(line, &at, &sub, &key, &data); err != nil {
			return nil, fmt.Errorf("aws-kinesis-agg said %q: %w", line, err)
		}
		text, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			return nil, err
		}
		opened[fmt.Sprintf("%s/%d", *stored[at].SequenceNumber, sub)] = key + " " + string(text)
	}
	return opened, nil
}

// readWithKCL runs a worker of the Kinesis Client Library until it has seen everything, and says how much it saw twice.
func readWithKCL(ctx context.Context, classes string) (again int, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", classes, "interop.kcl.Worker", stream, stream, "worker-1", "polling")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	seen := map[string]string{}
	texts := map[string]bool{}
	shards := ""
	var once sync.Once
	lines := bufio.NewScanner(io.LimitReader(stdout, 64<<20))
	for lines.Scan() {
		// R time shard key data sequence/sub
		fields := strings.Fields(lines.Text())
		if len(fields) == 3 {
			shards += " " + fields[0] + fields[2] // I for one that it begins, E for one that has ended
		}
		if len(fields) != 6 || fields[0] != "R" {
			continue
		}
		if _, known := seen[fields[5]]; known {
			again++
		}
		seen[fields[5]] = fields[3] + " " + fields[4]
		texts[fields[3]+" "+fields[4]] = true
		if len(texts) == 2*keys*each {
			once.Do(func() { err = stdin.Close() }) // which is its word to stop
		}
	}
	if err := errors.Join(err, lines.Err(), cmd.Wait()); err != nil {
		return 0, fmt.Errorf("KCL, which has seen %d records of%s: %w\n%.2000s", len(texts), shards, errors.Join(err, complete(seen, "read by KCL")), complaints.String())
	}
	return again, complete(seen, "read by KCL")
}
