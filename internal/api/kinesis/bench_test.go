package kinesis_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/api/kinesis"
	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/auth/policy"
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/controller"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/envelope"
	"github.com/weir-stream/weir/internal/streams"
	"github.com/weir-stream/weir/internal/vfs"
)

// front is the API behind the edge, as node puts it together, on the real disk but without waiting for it.
func front(b *testing.B, shards int) http.Handler { return guardedFront(b, shards, auth.Any{}, "") }

// guardedFront is front for callers whom an authenticator knows, and whose records are encrypted under a master key if one is named.
func guardedFront(b *testing.B, shards int, who auth.Authenticator, master string) http.Handler {
	ctx, cancel := context.WithCancel(context.Background())
	fs, err := vfs.NewOS(b.TempDir())
	check(b, err)
	store, err := disklog.Open(disklog.Options{FS: fs, Dir: "log", Durability: disklog.OS})
	check(b, err)
	check(b, store.Create(ctx, commitlog.ID{}, commitlog.Config{}))
	log, err := store.Open(ctx, commitlog.ID{})
	check(b, err)
	control, err := controller.Open(ctx, controller.Options{Log: log, FS: fs, Dir: "control", Clock: clock.Real, Session: 1})
	check(b, err)
	ring, err := envelope.OpenRing(envelope.Options{FS: fs, File: "master-keys.json", Clock: clock.Real, Random: rand.Reader})
	check(b, err)
	s, err := streams.New(streams.Options{Store: store, Control: control, Clock: clock.Real, Secret: make([]byte, 32), Random: rand.Reader, Keys: ring})
	check(b, err)
	done := make(chan error, 2)
	go func() { done <- control.Run(ctx) }()
	go func() { done <- s.Run(ctx, slog.New(slog.DiscardHandler)) }()
	b.Cleanup(func() {
		cancel()
		<-done
		<-done
		store.Close()
	})
	check(b, control.Propose(ctx, catalog.CreateStream{Account: auth.DefaultAccount, Region: auth.DefaultRegion, Name: "s", ShardCount: shards}))
	for state := control.State(); state.Stream(auth.DefaultAccount, auth.DefaultRegion, "s").Status != catalog.Active; {
		state, err = control.Await(ctx, state.Version())
		check(b, err)
	}
	if master != "" {
		stream := control.State().Stream(auth.DefaultAccount, auth.DefaultRegion, "s")
		version, wrapped, err := ring.Wrap(master, stream.Group)
		check(b, err)
		check(b, control.Propose(ctx, catalog.StartEncryption{
			Address: catalog.Address{Account: stream.Account, Region: stream.Region, Name: "s"}, Group: stream.Group, KeyID: master, DataKey: catalog.DataKey{Master: version, Wrapped: wrapped},
		}))
	}
	e, err := edge.New(edge.Options{Services: []edge.Service{kinesis.New(kinesis.Options{Streams: s, Control: control, Clock: clock.Real, Keys: ring})}, Auth: who})
	check(b, err)
	return e
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// sink is a ResponseWriter that counts.
type sink struct {
	header http.Header
	status int
	body   []byte
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(p []byte) (int, error) { s.body = append(s.body[:0], p...); return len(p), nil }

// Sketch, per 1 KiB record of 500 in a request over 4 shards: 1.4 KiB scanned twice (quote, escape), 1 KiB decoded into the batch, checksummed, copied
// into the journal's block; one MD5; 110 bytes of answer. Per request: about 30 allocations, of which the append to each further shard makes two.
func BenchmarkPutRecords(b *testing.B) {
	for _, records := range []int{1, 500} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) { putRecords(b, front(b, 4), records) })
	}
}

// restricted is a caller with a policy. An authenticator of the test, because it is the decision that is measured, not the signature.
type restricted struct {
	auth.Any
	policies *policy.Set
}

func (r restricted) Authenticate(request *auth.Request) (auth.Identity, []byte, error) {
	who, payload, err := r.Any.Authenticate(request)
	who.User, who.Policies = "loader", r.policies
	return who, payload, err
}

// Sketch, beside BenchmarkPutRecords: a policy costs one look into a map a request, and one on where a request comes from a decision; encryption one pass of AES-GCM
// over each record, some 300 ns and 1 KiB at some GB/s, and 50 bytes more of log.
func BenchmarkPutRecordsGuarded(b *testing.B) {
	parse := func(condition string) *policy.Set {
		doc, err := policy.ParseIdentity([]byte(`{"Statement":{"Effect":"Allow","Action":"kinesis:Put*","Resource":"arn:aws:kinesis:*:*:stream/*"` + condition + `}}`))
		check(b, err)
		return policy.NewSet(doc)
	}
	for _, records := range []int{1, 500} {
		b.Run(fmt.Sprintf("policy/records=%d", records), func(b *testing.B) {
			putRecords(b, guardedFront(b, 4, restricted{policies: parse("")}, ""), records)
		})
		b.Run(fmt.Sprintf("condition/records=%d", records), func(b *testing.B) {
			putRecords(b, guardedFront(b, 4, restricted{policies: parse(`,"Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}`)}, ""), records)
		})
		b.Run(fmt.Sprintf("encrypted/records=%d", records), func(b *testing.B) {
			putRecords(b, guardedFront(b, 4, auth.Any{}, envelope.DefaultMaster), records)
		})
	}
}

// putRecords measures PutRecords of some records of 1 KiB.
func putRecords(b *testing.B, h http.Handler, records int) {
	var body strings.Builder
	body.WriteString(`{"StreamName":"s","Records":[`)
	data := base64.StdEncoding.EncodeToString(make([]byte, 1024))
	for i := range records {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"Data":"%s","PartitionKey":"customer-%d"}`, data, i)
	}
	body.WriteString("]}")
	request, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/", nil)
	check(b, err)
	request.Header.Set("X-Amz-Target", "Kinesis_20131202.PutRecords")
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.ContentLength = int64(body.Len())
	request.RemoteAddr = "127.0.0.1:1"
	w := &sink{header: http.Header{}}
	b.SetBytes(int64(records) * 1024)
	b.ReportAllocs()
	for b.Loop() {
		request.Body = io.NopCloser(strings.NewReader(body.String()))
		h.ServeHTTP(w, request)
		if w.status != http.StatusOK {
			b.Fatalf("%d %s", w.status, w.body)
		}
	}
}
