package tolls

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/client/put"
	"github.com/weir-stream/weir/internal/agent"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/scenario"
)

// sendPatience is how long nothing may come into the stream before a run gives up.
const sendPatience = time.Minute

// feed is the agent of a run: one flow, driven step by step, whose requests pass the check.
type feed struct {
	flow        *agent.Flow
	checkpoints *agent.Checkpoints
}

// openFeed begins where the checkpoints say.
func (c *check) openFeed(ctx context.Context) error {
	config, err := agent.ReadConfig(filepath.Join(c.Dir, "agent.json"))
	if err != nil {
		return err
	}
	checkpoints, err := openCheckpoints(ctx, config.CheckpointFile)
	if err != nil {
		return err
	}
	flow, err := agent.NewFlow(agent.FlowOptions{
		Config: config.Flows[0], Checkpoints: checkpoints, Sink: agent.StreamSink{API: requests{c}, Stream: Stream},
		Linger: -1, // the writer is in this process, and never slow
		Log:    slog.New(lostLines{c}),
	})
	if err != nil {
		return errors.Join(err, checkpoints.Close())
	}
	c.feed = &feed{flow, checkpoints}
	return nil
}

// openCheckpoints opens the checkpoints of an agent that has just been closed. A server that is being started at the same time has their lock too, from its fork to
// its exec.
func openCheckpoints(ctx context.Context, path string) (*agent.Checkpoints, error) {
	backoff := client.Backoff{Patience: 10 * time.Second}
	for {
		checkpoints, err := agent.OpenCheckpoints(path)
		if !fault.Is(err, fault.Conflict) {
			return checkpoints, err
		}
		if err := backoff.Wait(ctx, err); err != nil {
			return nil, err
		}
	}
}

func (c *check) closeFeed() error {
	if c.feed == nil {
		return nil
	}
	c.report.Retried += int(c.feed.flow.Status().Retried)
	err := errors.Join(c.feed.flow.Close(), c.feed.checkpoints.Close())
	c.feed = nil
	return err
}

// sendAll has the agent send what there is in the files. With a kill of the server the agent is left where it stands too, now and then, and another goes on from
// the checkpoints.
func (c *check) sendAll(ctx context.Context) error {
	progress := time.Now()
	for {
		before := c.feed.flow.Status()
		wait := c.feed.flow.Step(ctx, true)
		if c.failed != nil {
			return c.failed
		}
		after := c.feed.flow.Status()
		if after.Sent > before.Sent {
			progress = time.Now()
		}
		if after.Lost > 0 {
			return errors.New("the agent says that lines were lost")
		}
		if c.restartAgent {
			c.restartAgent = false
			if err := c.closeFeed(); err != nil {
				return err
			}
			if err := c.openFeed(ctx); err != nil {
				return err
			}
			continue
		}
		// A step that began with a full queue has read nothing.
		if after.Queued == 0 && before.Queued == 0 && after.Lines == before.Lines {
			return nil
		}
		if time.Since(progress) > sendPatience {
			return fmt.Errorf("the agent has sent nothing for %s: %s", sendPatience, after.LastError)
		}
		if after.Queued > 0 && wait > 0 {
			if err := client.Sleep(ctx, wait); err != nil {
				return err
			}
		}
	}
}

// requests is the stream as the agent sees it: each request lets the fault happen when it is due, and is noted.
type requests struct{ c *check }

// PutRecords lets the fault happen, makes the request, and notes what was acknowledged.
func (r requests) PutRecords(ctx context.Context, in *kinesis.PutRecordsInput, opts ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	c := r.c
	records := make([]put.Record, len(in.Records))
	for i, one := range in.Records {
		records[i] = put.Record{Key: aws.ToString(one.PartitionKey), Data: one.Data}
	}
	for fault, due := c.due(); due; fault, due = c.due() {
		if err := c.breakSomething(ctx, fault, records); err != nil {
			c.failed = err
			return nil, err
		}
	}
	out, err := c.api.PutRecords(ctx, in, opts...)
	if err != nil {
		return nil, err
	}
	for i, answer := range out.Records {
		if answer.ErrorCode == nil && i < len(records) {
			c.compare.Acked(aws.ToString(answer.ShardId), aws.ToString(answer.SequenceNumber), lineOf(records[i].Data))
			c.report.Acked++
		}
	}
	if err := c.afterRequest(ctx, records); err != nil {
		c.failed = err
	}
	return out, nil
}

// afterRequest is what happens beside the agent.
func (c *check) afterRequest(ctx context.Context, records []put.Record) error {
	if err := c.seeReshard(); err != nil {
		return err
	}
	if c.Fault == scenario.DuplicateDelivery && c.random.IntN(20) == 0 {
		c.report.Faults++
		acks, err := c.sender.Send(ctx, records)
		if err != nil {
			return err
		}
		for i, ack := range acks {
			c.compare.Acked(ack.Shard, ack.Sequence, lineOf(records[i].Data))
		}
		c.report.Resent += len(records)
	}
	return nil
}

// lineOf is the line in a record: the agent sends its end too.
func lineOf(data []byte) []byte { return bytes.TrimSuffix(data, []byte("\n")) }

// lostLines says what the agent says of lines that may be lost.
type lostLines struct{ c *check }

// Enabled is for warnings.
func (l lostLines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle says those about files; that a server is waited for is no news here.
func (l lostLines) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "what" {
			l.c.Say("%s: %s", r.Message, a.Value)
		}
		return true
	})
	return nil
}

// WithAttrs changes nothing.
func (l lostLines) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup changes nothing.
func (l lostLines) WithGroup(string) slog.Handler { return l }
