package main

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/client"
)

// lsCommand is `weir ls`.
type lsCommand struct {
	endpointFlags
	Stream string        `arg:"" optional:"" help:"Name of a stream, whose shards to list."`
	Window time.Duration `default:"10s" help:"The rates of shards are of the last so much; 0s leaves them out."`
	JSON   bool          `name:"json" help:"Print JSON."`
}

// Help is what `weir help ls` adds.
func (c *lsCommand) Help() string {
	return "Of a stream, the open shards come first, in order of the hash keys they take. A shard that a reshard closed takes no more records; it is listed, and " +
		"read, until the last one it has has expired. A shard's parents are those whose hash keys it took over."
}

// Run lists streams or shards.
func (c *lsCommand) Run(ctx context.Context, t *terminal) error {
	api, err := c.api(t, 3)
	if err != nil {
		return err
	}
	if c.Stream != "" {
		return c.explain(t, c.shards(ctx, t, api), c.Stream)
	}
	return c.explain(t, c.streams(ctx, t, api), "")
}

type streamRow struct {
	Name      string    `json:"name"`
	Status    string    `json:"status"`
	Mode      string    `json:"mode"`
	Shards    int       `json:"shards"` // open ones
	Retention int       `json:"retentionHours"`
	Created   time.Time `json:"created"`
	ARN       string    `json:"arn"`
}

func (c *lsCommand) streams(ctx context.Context, t *terminal, api *kinesis.Client) error {
	names, err := streamNames(ctx, api)
	if err != nil {
		return err
	}
	rows := make([]streamRow, 0, len(names))
	cells := [][]string{{"STREAM", "STATUS", "MODE", "SHARDS", "RETENTION", "CREATED"}}
	for _, name := range names {
		out, err := api.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(name)})
		if client.NotFound(err) {
			continue // deleted since
		}
		if err != nil {
			return err
		}
		d := out.StreamDescriptionSummary
		row := streamRow{
			Name: name, Status: string(d.StreamStatus), Shards: int(aws.ToInt32(d.OpenShardCount)), Retention: int(aws.ToInt32(d.RetentionPeriodHours)),
			Created: aws.ToTime(d.StreamCreationTimestamp), ARN: aws.ToString(d.StreamARN),
		}
		if d.StreamModeDetails != nil {
			row.Mode = string(d.StreamModeDetails.StreamMode)
		}
		rows = append(rows, row)
		cells = append(cells, []string{row.Name, row.Status, row.Mode, fmt.Sprint(row.Shards), fmt.Sprintf("%d h", row.Retention), row.Created.Local().Format(time.DateTime)})
	}
	if c.JSON {
		return t.json(rows)
	}
	if len(rows) == 0 {
		fmt.Fprintln(t.err, "no streams; weir put --create NAME makes one")
		return nil
	}
	t.table(cells)
	return nil
}

// streamNames gives the names of all streams.
func streamNames(ctx context.Context, api *kinesis.Client) ([]string, error) {
	var names []string
	in := &kinesis.ListStreamsInput{}
	for {
		out, err := api.ListStreams(ctx, in)
		if err != nil {
			return nil, err
		}
		names = append(names, out.StreamNames...)
		if !aws.ToBool(out.HasMoreStreams) || len(out.StreamNames) == 0 {
			return names, nil
		}
		in = &kinesis.ListStreamsInput{NextToken: out.NextToken}
		if out.NextToken == nil {
			in.ExclusiveStartStreamName = aws.String(out.StreamNames[len(out.StreamNames)-1])
		}
	}
}

// streamExists asks for a stream once.
func streamExists(ctx context.Context, api *kinesis.Client, name string) error {
	_, err := api.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(name)})
	return err
}

type shardRow struct {
	ID      string   `json:"shardId"`
	Open    bool     `json:"open"`
	Parents []string `json:"parents,omitempty"`
	Start   string   `json:"hashKeyStart"`
	End     string   `json:"hashKeyEnd"`
	Share   float64  `json:"share"` // of the hash keys, from 0 to 1
	// Records and Bytes are per second over the last Window. Nil when they were not measured.
	Records *float64 `json:"recordsPerSecond,omitempty"`
	Bytes   *float64 `json:"bytesPerSecond,omitempty"`
}

func (c *lsCommand) shards(ctx context.Context, t *terminal, api *kinesis.Client) error {
	var all []types.Shard
	in := &kinesis.ListShardsInput{StreamName: aws.String(c.Stream)}
	for {
		out, err := api.ListShards(ctx, in)
		if err != nil {
			return err
		}
		all = append(all, out.Shards...)
		if out.NextToken == nil {
			break
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken}
	}
	rows := make([]shardRow, len(all))
	for i, s := range all {
		rows[i] = rowOf(s)
	}
	if c.Window > 0 {
		c.measure(ctx, api, rows)
	}
	if c.JSON {
		return t.json(rows)
	}
	t.table(shardTable(rows))
	if closed := len(rows) - openCount(rows); closed > 0 {
		fmt.Fprintf(t.err, "%s closed: reshards gave their hash keys to the open ones. They take no more records, and are read until their last ones expire.\n", counted(closed, "shard"))
	}
	return nil
}

// shardTable lays shards out for people: the open ones in order of hash key, then the closed ones.
func shardTable(rows []shardRow) [][]string {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b shardRow) int {
		if a.Open != b.Open {
			return map[bool]int{true: -1, false: 1}[a.Open]
		}
		if !a.Open {
			return cmp.Compare(a.ID, b.ID)
		}
		return cmp.Or(cmp.Compare(len(a.Start), len(b.Start)), cmp.Compare(a.Start, b.Start)) // decimal numbers
	})
	head := []string{"SHARD", "STATE", "FROM HASH KEY", "TO HASH KEY", "SHARE", "RECORDS/S", "BYTES/S"}
	lineage := slices.ContainsFunc(rows, func(r shardRow) bool { return len(r.Parents) > 0 })
	if lineage {
		head = append(head, "PARENTS")
	}
	cells := [][]string{head}
	for _, r := range rows {
		state, share, records, size := "closed", "-", "-", "-"
		if r.Open {
			state, share = "open", fmt.Sprintf("%.1f %%", r.Share*100)
		}
		if r.Records != nil {
			records, size = fmt.Sprintf("%.1f", *r.Records), sizeText(*r.Bytes)
		}
		row := []string{r.ID, state, r.Start, r.End, share, records, size}
		if lineage {
			row = append(row, strings.Join(r.Parents, " + "))
		}
		cells = append(cells, row)
	}
	return cells
}

func openCount(rows []shardRow) (n int) {
	for _, r := range rows {
		if r.Open {
			n++
		}
	}
	return n
}

func rowOf(s types.Shard) shardRow {
	row := shardRow{ID: aws.ToString(s.ShardId), Open: s.SequenceNumberRange == nil || s.SequenceNumberRange.EndingSequenceNumber == nil}
	for _, parent := range []*string{s.ParentShardId, s.AdjacentParentShardId} {
		if parent != nil {
			row.Parents = append(row.Parents, *parent)
		}
	}
	if s.HashKeyRange == nil {
		return row
	}
	row.Start, row.End = aws.ToString(s.HashKeyRange.StartingHashKey), aws.ToString(s.HashKeyRange.EndingHashKey)
	start, ok1 := new(big.Int).SetString(row.Start, 10)
	end, ok2 := new(big.Int).SetString(row.End, 10)
	if ok1 && ok2 {
		size := new(big.Float).SetInt(end.Sub(end, start).Add(end, big.NewInt(1)))
		row.Share, _ = size.SetMantExp(size, -128).Float64()
	}
	return row
}

// measure counts what each open shard took in the window, eight shards at a time. A shard that does not answer stays
// without rates: they are an extra.
func (c *lsCommand) measure(ctx context.Context, api *kinesis.Client, rows []shardRow) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i := range rows {
		if !rows[i].Open {
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			records, size, err := shardRate(ctx, api, c.Stream, rows[i].ID, c.Window)
			if err == nil {
				rows[i].Records, rows[i].Bytes = &records, &size
			}
		})
	}
	wg.Wait()
}

// shardRate reads the last window of a shard and gives records and bytes per second. A shard too busy to be read in five
// requests, as many as AWS allows in a second, is measured by the part that was read.
func shardRate(ctx context.Context, api *kinesis.Client, stream, shard string, window time.Duration) (records, size float64, err error) {
	from := time.Now().Add(-window)
	iterator, err := api.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
		StreamName: aws.String(stream), ShardId: aws.String(shard), ShardIteratorType: types.ShardIteratorTypeAtTimestamp, Timestamp: aws.Time(from),
	})
	if err != nil {
		return 0, 0, err
	}
	next := iterator.ShardIterator
	seconds := window.Seconds()
	for range 5 {
		out, err := api.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: next})
		if err != nil {
			return 0, 0, err
		}
		for _, r := range out.Records {
			records++
			size += float64(len(r.Data))
			seconds = max(0.001, aws.ToTime(r.ApproximateArrivalTimestamp).Sub(from).Seconds())
		}
		next = out.NextShardIterator
		if next == nil || aws.ToInt64(out.MillisBehindLatest) == 0 {
			seconds = window.Seconds()
			break
		}
	}
	return records / seconds, size / seconds, nil
}
