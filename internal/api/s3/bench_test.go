//go:build unix

package s3_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/api/s3"
	"github.com/weir-stream/weir/internal/blob/store"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/vfs"
)

// What does an object cost over a bare file?
//
// Sketch, per PUT: the body is read once into 256 KiB, hashed with MD5 (the ETag) and CRC-32C, and written once; one fdatasync of the file, one sync of its
// directory and one append to the log, the last two shared by all who wait; about 400 bytes of command. The floor is a net/http server that reads a body
// into a file, hashes it with MD5, and syncs file and directory: what anybody must do who keeps objects in files. A GET reads and checks CRC-32C.
//
// Client and server share the process, so that the processor time of the client, the same on both sides, makes ratios look better than they are.
func BenchmarkObjects(b *testing.B) {
	for _, size := range []int{4 << 10, 1 << 20, 32 << 20} {
		for _, side := range []struct {
			name  string
			serve func(b *testing.B, fs vfs.FS) http.Handler
		}{{"floor", bareFiles}, {"weir", objects}} {
			b.Run(fmt.Sprintf("%s/size=%d/writers=8", side.name, size), func(b *testing.B) {
				fs, err := vfs.NewOS(b.TempDir())
				if err != nil {
					b.Fatal(err)
				}
				run(b, side.serve(b, fs), size)
			})
		}
	}
}

// objects is the API on a real disk, without signatures.
func objects(b *testing.B, fs vfs.FS) http.Handler {
	logs, err := disklog.Open(disklog.Options{FS: fs, Dir: "log"})
	if err != nil {
		b.Fatal(err)
	}
	if err := logs.Create(b.Context(), commitlog.ID{}, commitlog.Config{}); err != nil {
		b.Fatal(err)
	}
	log, err := logs.Open(b.Context(), commitlog.ID{})
	if err != nil {
		b.Fatal(err)
	}
	kept, err := store.Open(b.Context(), store.Options{Log: log, FS: fs, Dir: "objects", Clock: clock.Real, Session: 1, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- kept.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
		if err := logs.Close(); err != nil {
			b.Error(err)
		}
	})
	handler, err := s3.New(s3.Options{Store: kept, Clock: clock.Real}).Local(slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := kept.Propose(b.Context(), store.CreateBucket{Account: "000000000000", Bucket: "bench", Max: 1}); err != nil {
		b.Fatal(err)
	}
	return handler
}

// bareFiles puts bodies into files and gives them back.
func bareFiles(b *testing.B, fs vfs.FS) http.Handler {
	if err := fs.MkdirAll("bench"); err != nil {
		b.Fatal(err)
	}
	buffers := sync.Pool{New: func() any { return new([256 << 10]byte) }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buffer := buffers.Get().(*[256 << 10]byte)
		defer buffers.Put(buffer)
		name := path.Join("bench", path.Base(r.URL.Path))
		if r.Method == http.MethodGet {
			f, err := fs.Open(name)
			if err != nil {
				b.Error(err)
				return
			}
			defer f.Close()
			size, _ := f.Size()
			w.Header().Set("Content-Length", fmt.Sprint(size))
			_, _ = io.CopyBuffer(struct{ io.Writer }{w}, io.NewSectionReader(f, 0, size), buffer[:])
			return
		}
		if err := bareFile(fs, name, r.Body, buffer[:]); err != nil {
			b.Error(err)
		}
	})
}

func bareFile(fs vfs.FS, name string, body io.Reader, buffer []byte) error {
	f, err := fs.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := md5.New()
	at := int64(0)
	for {
		n, err := io.ReadFull(body, buffer)
		if n > 0 {
			_, _ = h.Write(buffer[:n])
			if _, err := f.WriteAt(buffer[:n], at); err != nil {
				return err
			}
			at += int64(n)
		}
		if err != nil {
			break
		}
	}
	if err := f.SyncData(); err != nil {
		return err
	}
	return fs.SyncDir("bench")
}

// run puts b.N objects with eight clients over loopback, then gets them, and reports throughput and processor time of both.
func run(b *testing.B, handler http.Handler, size int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	served := make(chan struct{})
	go func() {
		_ = server.Serve(listener)
		close(served)
	}()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	b.Cleanup(func() {
		client.CloseIdleConnections()
		_ = server.Close()
		<-served
	})
	body := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	phase := func(name string, one func(url string) (*http.Response, error)) {
		var next atomic.Int64
		var all sync.WaitGroup
		cpu, began := processorTime(b), time.Now()
		for range 8 {
			all.Go(func() {
				for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
					answer, err := one(fmt.Sprintf("http://%s/bench/%d", listener.Addr(), n))
					if err != nil {
						b.Error(err)
						return
					}
					if n, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != 200 || name == "get" && n != int64(size) {
						b.Error(answer.Status, n, err)
					}
					answer.Body.Close()
				}
			})
		}
		all.Wait()
		b.ReportMetric(float64(b.N)*float64(size)/(1<<20)/time.Since(began).Seconds(), name+"-MiB/s")
		b.ReportMetric(float64((processorTime(b)-cpu).Microseconds())/float64(b.N), name+"-cpu-us/op")
	}
	b.ResetTimer()
	phase("put", func(url string) (*http.Response, error) {
		r, err := http.NewRequest("PUT", url, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		return client.Do(r)
	})
	phase("get", client.Get)
}

// processorTime is what this process has used, user and system.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
