package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/client/tail"
	"github.com/weir-stream/weir/internal/record"
)

// tailCommand is `weir tail`.
type tailCommand struct {
	endpointFlags
	Stream string `arg:"" help:"Name of the stream."`
	From   string `default:"latest" help:"latest, trim-horizon (the oldest there is), an RFC 3339 time, or a duration ago such as 10m."`
	Count  int    `short:"n" help:"End after so many records." placeholder:"N"`
	NoWait bool   `name:"no-wait" help:"End when the newest record was printed. With --from trim-horizon, prints what there is."`
	Raw    bool   `xor:"form" help:"Print the data alone, each record with a line end."`
	JSON   bool   `name:"json" xor:"form" help:"Print JSON lines, as into a pipe."`
}

// Help is what `weir help tail` adds.
func (c *tailCommand) Help() string {
	return "All shards are read together, and their children after a reshard. Aggregates of the Kinesis Producer Library are opened. " +
		"On a terminal a record is a line of text; in a pipe it is a JSON object, with data as text, or dataBase64 when it is not text."
}

// tailRecord is a record as a JSON line.
type tailRecord struct {
	Stream      string    `json:"stream"`
	Shard       string    `json:"shardId"`
	Sequence    string    `json:"sequenceNumber"`
	SubSequence *uint64   `json:"subSequenceNumber,omitempty"` // of a record that was in an aggregate
	Key         string    `json:"partitionKey"`
	Arrived     time.Time `json:"arrived"`
	Data        *string   `json:"data,omitempty"`
	Base64      *string   `json:"dataBase64,omitempty"`
}

// Run prints records until there are enough.
func (c *tailCommand) Run(ctx context.Context, t *terminal) error {
	opts := tail.Options{UntilEnd: c.NoWait}
	var err error
	if opts.From, opts.At, err = parseFrom(c.From, time.Now()); err != nil {
		return usageError{err}
	}
	if c.Count < 0 {
		return usagef("--count %d is less than nothing", c.Count)
	}
	api, err := c.api(t, 1)
	if err != nil {
		return err
	}
	// One request that is not repeated: a server that is not there is said at once, one that goes away is waited for.
	if err := streamExists(ctx, api, c.Stream); err != nil {
		return c.explain(t, err, c.Stream)
	}
	var waiting atomic.Bool // since the last answer
	opts.Retried = func(cause error) {
		if !waiting.Swap(true) {
			fmt.Fprintln(t.err, "weir: waiting:", rootOf(cause))
		}
	}
	if !c.NoWait {
		opts.Patience = forever
	}
	printed := 0
	err = tail.New(api, c.Stream, opts).Run(ctx, func(b tail.Batch) error {
		waiting.Store(false)
		for _, r := range b.Records {
			users, aggregate, err := record.Deaggregate(aws.ToString(r.PartitionKey), r.Data)
			if err != nil {
				fmt.Fprintf(t.err, "weir: %s %s: %v\n", b.Shard, aws.ToString(r.SequenceNumber), err)
			}
			for _, user := range users {
				if err := c.print(t, b.Shard, r, user, aggregate); err != nil {
					return err
				}
				if printed++; printed == c.Count {
					return tail.ErrStop
				}
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		return c.explain(t, err, c.Stream)
	}
	return nil
}

func (c *tailCommand) print(t *terminal, shard string, r types.Record, user record.UserRecord, aggregate bool) error {
	switch {
	case c.Raw:
		_, err := t.out.Write(append(user.Data[:len(user.Data):len(user.Data)], '\n'))
		return err
	case c.JSON || !t.outTTY:
		line := tailRecord{Stream: c.Stream, Shard: shard, Sequence: aws.ToString(r.SequenceNumber), Key: user.PartitionKey, Arrived: aws.ToTime(r.ApproximateArrivalTimestamp)}
		if aggregate {
			line.SubSequence = &user.SubSequence
		}
		if utf8.Valid(user.Data) {
			line.Data = aws.String(string(user.Data))
		} else {
			line.Base64 = aws.String(base64.StdEncoding.EncodeToString(user.Data))
		}
		return t.jsonLine(line)
	}
	number, _ := strconv.Atoi(strings.TrimPrefix(shard, "shardId-"))
	_, err := fmt.Fprintf(t.out, "%s %s %s %s\n", t.paint(dim, aws.ToTime(r.ApproximateArrivalTimestamp).Local().Format("15:04:05.000")),
		t.paint(cyan, fmt.Sprintf("%3d", number)), t.paint(green, printable(user.PartitionKey)), printable(string(user.Data)))
	return err
}

// printable is text that cannot move the cursor, and says how long it is when it is not text.
func printable(text string) string {
	if !utf8.ValidString(text) {
		return fmt.Sprintf("(%d bytes) %s", len(text), base64.StdEncoding.EncodeToString([]byte(text)))
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return '·'
		}
		return r
	}, text)
}

// parseFrom reads where a reading begins.
func parseFrom(text string, now time.Time) (types.ShardIteratorType, time.Time, error) {
	switch strings.ToLower(strings.ReplaceAll(text, "_", "-")) {
	case "latest":
		return types.ShardIteratorTypeLatest, time.Time{}, nil
	case "trim-horizon":
		return types.ShardIteratorTypeTrimHorizon, time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return types.ShardIteratorTypeAtTimestamp, at, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return types.ShardIteratorTypeAtTimestamp, now.Add(-ago), nil
	}
	return "", time.Time{}, fmt.Errorf("--from %q is none of latest, trim-horizon, 2026-04-01T13:00:00Z, 10m", text)
}
