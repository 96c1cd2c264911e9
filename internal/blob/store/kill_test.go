package store

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// childDir in the environment makes the test binary a child that puts objects into a store there until it is killed.
const childDir = "WEIR_OBJECTS_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child puts, uploads and deletes, and says on standard output, one line each, what it is about to do and what was acknowledged:
//
//	try KEY CHECKSUM · did KEY CHECKSUM, where - is the checksum of no object
func child(dir string) error {
	fs, err := vfs.NewOS(dir)
	if err != nil {
		return err
	}
	o, err := runForever(fs)
	if err != nil {
		return err
	}
	if err := o.do(CreateBucket{Account: account, Bucket: "b", Max: 1}); err != nil {
		if refusal, is := AsRefusal(err); !is || refusal.Code != "BucketAlreadyOwnedByYou" {
			return err
		}
	}
	var mu sync.Mutex // one line at a time
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(os.Stdout, format+"\n", args...)
	}
	failed := make(chan error)
	for w := range 4 {
		go func() {
			for {
				key := fmt.Sprintf("w%d-%d", w, rand.IntN(5))
				body := strings.Repeat(strconv.FormatUint(rand.Uint64(), 36), 1+rand.IntN(20_000))
				sum := fmt.Sprintf("%x", sha256.Sum256([]byte(body)))
				var err error
				switch rand.IntN(6) {
				case 0:
					sum = "-"
					say("try %s -", key)
					err = o.do(DeleteObjects{Account: account, Bucket: "b", Items: []Delete{{Key: key}}})
				case 1:
					say("try %s %s", key, sum)
					err = o.upload(key, []byte(body))
				default:
					say("try %s %s", key, sum)
					_, err = o.put(key, body, Condition{})
				}
				if err != nil {
					failed <- err
					return
				}
				say("did %s %s", key, sum)
			}
		}()
	}
	return <-failed
}

// A process that is killed under load loses nothing that it said was done, and what it was about is there whole or not at all.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acked, tried := map[string]string{}, map[string]string{}
	for round := range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var complaint strings.Builder
		cmd.Stderr = &complaint
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		clear(tried)
		lines, limit := 0, 100+rand.IntN(300)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			fields := strings.Fields(scan.Text())
			if len(fields) == 3 && fields[0] == "try" {
				tried[fields[1]] = fields[2]
			} else if len(fields) == 3 && fields[0] == "did" {
				acked[fields[1]] = fields[2]
				delete(tried, fields[1])
			}
			if lines++; lines == limit {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
		if lines < limit {
			t.Fatalf("round %d: the child ended by itself after %d lines: %s", round, lines, complaint.String())
		}
		compare(t, round, dir, acked, tried)
	}
}

// compare holds what is there against what was said.
func compare(t *testing.T, round int, dir string, acked, tried map[string]string) {
	t.Helper()
	fs, err := vfs.NewOS(dir)
	if err != nil {
		t.Fatal(err)
	}
	o := mustOpen(t, fs, clock.Real)
	keys := map[string]bool{}
	for key := range acked {
		keys[key] = true
	}
	for key := range tried {
		keys[key] = true
	}
	for key := range keys {
		sum := "-"
		r, err := o.Open("b", key)
		if err == nil {
			h := sha256.New()
			if _, err := io.Copy(h, r); err != nil {
				t.Errorf("round %d: %s: %v", round, key, err)
			}
			_ = r.Close() // only read
			sum = fmt.Sprintf("%x", h.Sum(nil))
		} else if !fault.Is(err, fault.NotFound) {
			t.Errorf("round %d: %s: %v", round, key, err)
		}
		was, some := acked[key]
		if !some {
			was = "-"
		}
		if attempt, under := tried[key]; sum != was && !(under && sum == attempt) {
			t.Errorf("round %d: %s is %.8s, acknowledged was %.8s, tried %.8s", round, key, sum, was, attempt)
		}
		acked[key] = sum
	}
	needed := 0
	o.State().files(func(uint64) { needed++ })
	if names := filesOn(t, fs); len(names) != needed {
		t.Errorf("round %d: %d files on disk, %d needed", round, len(names), needed)
	}
	if err := o.stop(); err != nil {
		t.Error(err)
	}
}

// runForever runs a store for the life of the process.
func runForever(fs vfs.FS) (*opened, error) {
	o, run, err := assemble(fs, clock.Real)
	if err != nil {
		return nil, err
	}
	go func() { _ = run(context.Background()) }()
	return o, nil
}
