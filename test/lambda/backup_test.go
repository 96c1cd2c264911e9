package lambda

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/weir-stream/weir/internal/backup"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/vfs"
)

// A backup has functions with their code, and gives them back as they were at its moment or at an earlier one.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	first, err := start(node.Config{DataDir: dir, Dev: true})
	if err != nil {
		t.Fatal(err)
	}
	s := first.session(t)
	s.create("streams", "streams", nil)
	answer[[]string](s, s.call("streams", `{}`)) // a command of the control log, from which on moments count
	s.create("f", "echo", func(in *sdk.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"LANES": "4"}}
	})
	moment := time.Now().UTC().Truncate(time.Millisecond)
	eventually(t, "the next millisecond", func() bool { return time.Now().UTC().Truncate(time.Millisecond).After(moment) })
	_, err = s.UpdateFunctionConfiguration(s.ctx, &sdk.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Environment: &types.Environment{Variables: map[string]string{"LANES": "6"}}})
	s.must(err)
	s.active("f")
	s.must(first.stop())

	open := func(dir string) vfs.FS {
		fs, err := vfs.NewOS(dir)
		s.must(err)
		return fs
	}
	place := backup.NewDir(open(t.TempDir()))
	_, err = backup.Make(t.Context(), place, backup.Source{Files: open(dir), Rest: open(dir), Taken: time.Now()}, backup.Options{Weir: "test"})
	s.must(err)
	for lanes, at := range map[string]time.Time{"6": {}, "4": moment} {
		restored := t.TempDir()
		_, err := backup.Restore(t.Context(), place, open(restored), backup.RestoreOptions{At: at})
		s.must(err)
		second := startFor(t, node.Config{DataDir: restored, Dev: true})
		again := &session{Client: client(t, "http://"+second.node.Addr(), s.account, "any"), t: t, ctx: t.Context(), server: second, account: s.account}
		if got := answer[echoed](again, again.call("f", `{}`)); got.Env["LANES"] != lanes {
			t.Errorf("at %v: %s lanes, want %s", at, got.Env["LANES"], lanes)
		}
	}
}

// A backup has event source mappings and how far they have come: what was done before it is not done again, and of an earlier moment what was done since is.
func TestBackupOfMappings(t *testing.T) {
	dir := t.TempDir()
	first, err := start(node.Config{DataDir: dir, Dev: true})
	if err != nil {
		t.Fatal(err)
	}
	s := first.session(t)
	g := s.remote("f")
	_, stream, put := s.stream("s")
	created, err := s.CreateEventSourceMapping(s.ctx, &sdk.CreateEventSourceMappingInput{FunctionName: aws.String("f"), EventSourceArn: &stream, StartingPosition: types.EventSourcePositionTrimHorizon, BatchSize: aws.Int32(1)})
	s.must(err)
	s.inState(*created.UUID, "Enabled")
	given := func(want int) {
		t.Helper()
		eventually(t, "records", func() bool {
			g.mu.Lock()
			defer g.mu.Unlock()
			return len(g.batches) >= want
		})
	}
	put("1")
	given(1)
	disabled, err := s.UpdateEventSourceMapping(s.ctx, &sdk.UpdateEventSourceMappingInput{UUID: created.UUID, Enabled: aws.Bool(false)}) // so that 1 is committed
	s.must(err)
	s.inState(*disabled.UUID, "Disabled")
	put("2")
	moment := time.Now().UTC().Truncate(time.Millisecond)
	eventually(t, "the next millisecond", func() bool { return time.Now().UTC().Truncate(time.Millisecond).After(moment) })
	_, err = s.UpdateEventSourceMapping(s.ctx, &sdk.UpdateEventSourceMappingInput{UUID: created.UUID, Enabled: aws.Bool(true)})
	s.must(err)
	given(2)
	s.must(first.stop())

	open := func(dir string) vfs.FS {
		fs, err := vfs.NewOS(dir)
		s.must(err)
		return fs
	}
	place := backup.NewDir(open(t.TempDir()))
	_, err = backup.Make(t.Context(), place, backup.Source{Files: open(dir), Rest: open(dir), Taken: time.Now()}, backup.Options{Weir: "test"})
	s.must(err)
	for _, row := range []struct {
		at    time.Time
		state string
		more  []string
	}{{time.Time{}, "Enabled", []string{"3"}}, {moment, "Disabled", []string{"2", "3"}}} {
		g.mu.Lock()
		g.batches = nil
		g.mu.Unlock()
		restored := t.TempDir()
		_, err := backup.Restore(t.Context(), place, open(restored), backup.RestoreOptions{At: row.at})
		s.must(err)
		second := startFor(t, node.Config{DataDir: restored, Dev: true})
		again := &session{Client: client(t, "http://"+second.node.Addr(), s.account, "any"), t: t, ctx: t.Context(), server: second, account: s.account}
		again.inState(*created.UUID, row.state)
		if row.state == "Disabled" {
			_, err := again.UpdateEventSourceMapping(s.ctx, &sdk.UpdateEventSourceMappingInput{UUID: created.UUID, Enabled: aws.Bool(true)})
			again.must(err)
			again.inState(*created.UUID, "Enabled")
		}
		o := again.Options()
		streams := kinesis.New(kinesis.Options{Region: o.Region, BaseEndpoint: o.BaseEndpoint, HTTPClient: o.HTTPClient, Credentials: o.Credentials, Retryer: o.Retryer})
		_, err = streams.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: aws.String("s"), PartitionKey: aws.String("k"), Data: []byte("3")})
		again.must(err)
		given(len(row.more))
		g.want(t, row.more...)
		again.must(second.stop())
	}
}
