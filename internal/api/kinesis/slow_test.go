package kinesis

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/controller"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/vfs"
	"github.com/weir-stream/weir/internal/wire/eventstream"
)

// Subscribers that do not read hold what events may take, no more, and are cut when their time is over; then one that reads has all of it. Here there is room for two.
func TestSlowSubscribersHoldBoundedMemory(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	store := commitlog.NewMemory(clock.Real, commitlog.Forever)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(store.Create(ctx, commitlog.ID{}, commitlog.Config{}))
	log, err := store.Open(ctx, commitlog.ID{})
	must(err)
	control, err := controller.Open(ctx, controller.Options{Log: log, FS: vfs.NewMem(), Dir: "control", Clock: clock.Real, Session: 1})
	must(err)
	s, err := streams.New(streams.Options{Store: store, Control: control, Clock: clock.Real, Secret: make([]byte, 32), Random: rand.Reader})
	must(err)
	api := New(Options{Streams: s, Control: control, Clock: clock.Real})
	api.events = semaphore.NewWeighted(2 * eventBytes)
	front, err := edge.Open(edge.Options{
		Listen: "127.0.0.1:0", Services: []edge.Service{api}, Auth: auth.Any{}, BodyGrace: 300 * time.Millisecond, BodyRateMin: 1 << 30, Logger: slog.New(slog.DiscardHandler),
	})
	must(err)
	done := make(chan error, 3)
	go func() { done <- control.Run(ctx) }()
	go func() { done <- s.Run(ctx, slog.New(slog.DiscardHandler)) }()
	go func() { done <- front.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		for range 3 {
			<-done
		}
	})

	address := catalog.Address{Account: "123456789012", Region: "us-east-1", Name: "s"}
	must(control.Propose(ctx, catalog.CreateStream{Account: address.Account, Region: address.Region, Name: "s", ShardCount: 1}))
	state := control.State()
	for state.Stream(address.Account, address.Region, "s").Status != catalog.Active {
		state, err = control.Await(ctx, state.Version())
		must(err)
	}
	const records, size = 32, 1<<20 - 8
	for range records {
		put, err := s.Begin(ctx, control.State().Stream(address.Account, address.Region, "s"))
		must(err)
		put.Add([]byte("k"), nil, size)
		put.Commit(ctx)
		must(put.Result(0).Err)
		put.Release()
	}
	const slow = 4
	request := func(i int) string {
		name := fmt.Sprint("c", i)
		must(control.Propose(ctx, catalog.RegisterConsumer{Address: address, Consumer: name}))
		arn := control.State().Stream(address.Account, address.Region, "s").Consumer(name).ARN
		body := fmt.Sprintf(`{"ConsumerARN":%q,"ShardId":"0","StartingPosition":{"Type":"TRIM_HORIZON"}}`, arn)
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Kinesis_20131202.SubscribeToShard\r\n"+
			"Authorization: AWS4-HMAC-SHA256 Credential=123456789012/20261118/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=%s\r\n"+
			"X-Amz-Date: 20261118T130000Z\r\nContent-Length: %d\r\n\r\n%s", strings.Repeat("0", 64), len(body), body)
	}
	dial := func(i int) net.Conn {
		conn, err := net.Dial("tcp", front.Addr().String())
		must(err)
		t.Cleanup(func() { conn.Close() })
		must(conn.(*net.TCPConn).SetReadBuffer(64 << 10)) // or the kernel takes all there is
		_, err = conn.Write([]byte(request(i)))
		must(err)
		return conn
	}
	for i := range slow {
		dial(i)
	}
	for api.events.TryAcquire(eventBytes) { // until they fill the room between them
		api.events.Release(eventBytes)
		runtime.Gosched()
	}
	answer, err := http.ReadResponse(bufio.NewReader(dial(slow)), nil)
	must(err)
	frames := eventstream.NewReader(answer.Body)
	got := 0
	for got < records {
		frame, err := frames.Next()
		if err != nil {
			t.Fatalf("after %d records: %v", got, err)
		}
		got += strings.Count(string(frame.Payload), `"SequenceNumber"`)
	}
}
