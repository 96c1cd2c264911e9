package aws

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	api "github.com/weir-stream/weir/internal/api/kinesis"
	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/controller"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/envelope"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/vfs"
)

// standstill is a session on a server that never makes the logs of its streams: a stream that is made stays CREATING. It has two: "creating", and "broken", which is ACTIVE
// with a log that fails at everything.
func standstill(t *testing.T) *session {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	fine := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fs := vfs.NewMem()
	store := brokenLogs{commitlog.NewMemory(clock.Real, commitlog.Forever)}
	fine(store.Create(ctx, commitlog.ID{}, commitlog.Config{}))
	log, err := store.Open(ctx, commitlog.ID{})
	fine(err)
	control, err := controller.Open(ctx, controller.Options{Log: log, FS: fs, Dir: "control", Clock: clock.Real, Session: 1})
	fine(err)
	done := make(chan error, 1)
	go func() { done <- control.Run(ctx) }()
	keys, err := envelope.OpenRing(envelope.Options{FS: fs, File: "master", Clock: clock.Real, Random: rand.Reader})
	fine(err)
	all, err := streams.New(streams.Options{Store: store, Control: control, Clock: clock.Real, Secret: make([]byte, 32), Random: rand.Reader, Keys: keys})
	fine(err)
	service := api.New(api.Options{Streams: all, Control: control, Clock: clock.Real, Keys: keys, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	front, err := edge.New(edge.Options{Services: []edge.Service{service}, Auth: auth.Any{}})
	fine(err)
	server := httptest.NewServer(front)
	t.Cleanup(func() {
		server.Close()
		cancel()
		<-done
	})

	account, region := nextAccount(), "us-east-1"
	for _, name := range []string{"creating", "broken"} {
		fine(control.Propose(ctx, catalog.CreateStream{Account: account, Region: region, Name: name, ShardCount: 2}))
	}
	broken := control.State().Stream(account, region, "broken")
	for shard := range uint32(2) {
		fine(store.Create(ctx, streams.LogID(broken, shard), commitlog.Config{Retention: broken.Retention()}))
	}
	fine(control.Propose(ctx, catalog.StreamReady{Group: broken.Group}))
	return &session{t: t, ctx: ctx, account: account, region: region, Client: kinesis.New(kinesis.Options{
		Region: region, BaseEndpoint: aws.String(server.URL), Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: account, SecretAccessKey: "any secret will do"}, nil
		}),
	})}
}

// brokenLogs is a store whose streams' logs can do nothing, once they are there.
type brokenLogs struct{ commitlog.Store }

func (b brokenLogs) Open(ctx context.Context, id commitlog.ID) (commitlog.Log, error) {
	log, err := b.Store.Open(ctx, id)
	if err != nil || id.Group == 0 {
		return log, err
	}
	return brokenLog{log}, nil
}

type brokenLog struct{ commitlog.Log }

var errBroken = fault.New(fault.Internal, "broken on purpose")

func (brokenLog) Append(context.Context, *batch.Batch) (commitlog.Position, error) {
	return 0, errBroken
}
func (brokenLog) Bounds(context.Context) (commitlog.Bounds, error) {
	return commitlog.Bounds{}, errBroken
}
