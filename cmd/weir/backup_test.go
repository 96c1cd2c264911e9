package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/weir-stream/weir/client"
	"github.com/weir-stream/weir/internal/backup"
	"github.com/weir-stream/weir/internal/node"
)

// tailAll is the lines of a stream on a server that runs on a directory for as long as it takes.
func tailAll(t *testing.T, data, stream string) (lines []string, streams []streamRow) {
	t.Helper()
	n, err := node.Start(t.Context(), node.Config{DataDir: data, Dev: true, Listen: "127.0.0.1:0", Logger: newTrial("").logger("error")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	env := map[string]string{"AWS_ENDPOINT_URL": "http://" + n.Addr()}
	stdout, stderr, code := weir(t, env, "", "ls", "--json")
	if err := json.Unmarshal([]byte(stdout), &streams); err != nil || code != exitOK {
		t.Fatal(err, stderr)
	}
	stdout, stderr, code = weir(t, env, "", "tail", stream, "--from", "trim-horizon", "--no-wait", "--raw")
	if code != exitOK {
		t.Fatal(stderr)
	}
	return strings.Fields(stdout), streams
}

// Backups of a server that takes records all the time: each is restored to a directory that starts, has everything that was acknowledged before it began, and no record
// without those before it. To a moment between, it has what had arrived by then, and the streams of then.
func TestBackupWhileItRuns(t *testing.T) {
	env := serverFor(t)
	dir := t.TempDir()
	place := filepath.Join(dir, "place")
	api, err := client.NewKinesis(client.Options{Endpoint: env["AWS_ENDPOINT_URL"], Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.EnsureStream(t.Context(), api, "orders", 1); err != nil {
		t.Fatal(err)
	}
	// put writes numbers in order, one after the other, and tells which was acknowledged last.
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	var mu sync.Mutex // guards acknowledged and arrived
	acknowledged := 0
	var arrived []time.Time // by number: a time between its answer and the next request
	writing.Go(func() {
		for i := 1; ctx.Err() == nil; i++ {
			_, err := api.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("orders"), PartitionKey: aws.String("k"), Data: fmt.Appendf(nil, "%d\n", i)})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			acknowledged = i
			arrived = append(arrived, time.Now())
			mu.Unlock()
		}
	})
	now := func() int {
		mu.Lock()
		defer mu.Unlock()
		return acknowledged
	}
	await := func(n int) {
		for deadline := time.Now().Add(20 * time.Second); now() < n; {
			if time.Now().After(deadline) {
				t.Fatal("the writer stands still")
			}
		}
	}
	base := []string{"backup", "--to", place, "--data", env["DATA"], "--console", env["CONSOLE"], "--json"}
	var outcomes []backup.Outcome
	var before []int
	between := 0 // a number behind the first backup and before the second
	for i := range 3 {
		await(now() + 20)
		before = append(before, now())
		stdout, stderr, code := weir(t, nil, "", base...)
		var out backup.Outcome
		if err := json.Unmarshal([]byte(stdout), &out); err != nil || code != exitOK {
			t.Fatal(err, stderr)
		}
		outcomes = append(outcomes, out)
		if i == 0 {
			await(now() + 20)
			between = now()
		}
	}
	await(now() + 20)
	mu.Lock()
	moment := arrived[between-1].Add(time.Millisecond)
	mu.Unlock()
	if _, err := client.EnsureStream(t.Context(), api, "later", 1); err != nil {
		t.Fatal(err)
	}
	if _, _, code := weir(t, nil, "", base...); code != exitOK {
		t.Fatal("the last backup")
	}
	stop()
	writing.Wait()
	for deadline := time.Now().Add(20 * time.Second); ; { // the server notices that the command has ended
		names, err := os.ReadDir(filepath.Join(env["DATA"], "pins"))
		if err == nil && len(names) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("pins are left: %v %v", names, err)
		}
	}

	for i, out := range outcomes {
		to := filepath.Join(dir, fmt.Sprint("restored", i))
		if _, stderr, code := weir(t, nil, "", "restore", "--from", place, "--to", to, "--backup", out.Backup.ID); code != exitOK {
			t.Fatal(stderr)
		}
		lines, streams := tailAll(t, to, "orders")
		if len(lines) < before[i] || len(streams) != 1 {
			t.Errorf("backup %d: %d records, %d were acknowledged before; %d streams", i, len(lines), before[i], len(streams))
		}
		for n, line := range lines {
			if line != fmt.Sprint(n+1) {
				t.Fatalf("backup %d: record %d is %s", i, n+1, line)
			}
		}
	}

	to := filepath.Join(dir, "then")
	stdout, stderr, code := weir(t, nil, "", "restore", "--from", place, "--to", to, "--at", moment.UTC().Format(time.RFC3339Nano))
	if code != exitOK || !strings.Contains(stdout, outcomes[1].Backup.ID) {
		t.Fatalf("%s%s", stdout, stderr)
	}
	lines, streams := tailAll(t, to, "orders")
	// The moment is within a millisecond or so behind the answer of that record: a few more may have arrived by then.
	if len(lines) < between || len(lines) > between+10 || len(streams) != 1 {
		t.Errorf("%d records, want about %d; %d streams", len(lines), between, len(streams))
	}
	to = filepath.Join(dir, "last")
	if _, stderr, code := weir(t, nil, "", "restore", "--from", place, "--to", to); code != exitOK {
		t.Fatal(stderr)
	}
	if _, streams := tailAll(t, to, "later"); len(streams) != 2 {
		t.Errorf("%d streams in the last backup", len(streams))
	}
	stdout, stderr, code = weir(t, nil, "", "restore", "--from", place, "--to", filepath.Join(dir, "never"), "--at", "2020-01-01T00:00:00Z")
	if code != exitFailed || !strings.Contains(stderr, "possible is 20") {
		t.Errorf("before everything: exit %d, %s%s", code, stdout, stderr)
	}
	if _, stderr, code := weir(t, nil, "", "restore", "--from", place, "--to", to); code != exitFailed || !strings.Contains(stderr, "not empty") {
		t.Errorf("over another one: exit %d, %s", code, stderr)
	}
}

// A server holds its files still for one at a time, for as long as that one stays; the next start forgets what a kill has left. Without a server the directory is locked.
func TestBackupOneAtATime(t *testing.T) {
	env := serverFor(t)
	place := filepath.Join(t.TempDir(), "place")
	ctx, leave := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+env["CONSOLE"]+"/_weir/backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if line, err := bufio.NewReader(response.Body).ReadString('\n'); err != nil || !strings.Contains(line, env["DATA"]) {
		t.Fatal(line, err)
	}
	args := []string{"backup", "--to", place, "--data", env["DATA"], "--console", env["CONSOLE"]}
	if _, stderr, code := weir(t, nil, "", args...); code != exitFailed || !strings.Contains(stderr, "another backup") {
		t.Errorf("two at once: exit %d, %s", code, stderr)
	}
	leave()
	for deadline := time.Now().Add(20 * time.Second); ; {
		_, stderr, code := weir(t, nil, "", args...)
		if code == exitOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(stderr)
		}
	}
	if _, stderr, code := weir(t, nil, "", append(args, "--data", t.TempDir())...); code != exitFailed || !strings.Contains(stderr, "no data directory") {
		t.Errorf("nothing: exit %d, %s", code, stderr)
	}
	var all []backup.Backup
	if stdout, stderr, code := weir(t, nil, "", "backup", "--to", place, "--list", "--json"); code != exitOK || json.Unmarshal([]byte(stdout), &all) != nil || len(all) != 1 {
		t.Errorf("%s%s", stdout, stderr)
	}
	if _, stderr, code := weir(t, nil, "", "backup", "--to", "s3://bucket/x", "--data", env["DATA"]); code != exitUsage || !strings.Contains(stderr, "AWS_ACCESS_KEY_ID") {
		t.Errorf("a bucket without keys: exit %d, %s", code, stderr)
	}
	if _, stderr, code := weir(t, nil, "", "backup", "--to", "ftp://bucket/x", "--data", env["DATA"]); code != exitUsage || !strings.Contains(stderr, "s3://BUCKET") {
		t.Errorf("another scheme: exit %d, %s", code, stderr)
	}
}

// A bucket is a place like a folder, whatever serves it.
func TestBackupToABucket(t *testing.T) {
	store := s3mem.New()
	if err := store.CreateBucket("backups"); err != nil {
		t.Fatal(err)
	}
	s3 := httptest.NewServer(gofakes3.New(store).Server())
	defer s3.Close()
	server := serverFor(t)
	if _, stderr, code := weir(t, server, "first\nsecond\n", "put", "-c", "-q", "orders"); code != exitOK {
		t.Fatal(stderr)
	}
	env := map[string]string{"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_ENDPOINT_URL_S3": s3.URL}
	const place = "s3://backups/weir/one"
	for range 2 {
		if _, stderr, code := weir(t, env, "", "backup", "--to", place, "--data", server["DATA"], "--console", server["CONSOLE"], "--keep", "1"); code != exitOK {
			t.Fatal(stderr)
		}
	}
	var all []backup.Backup
	if stdout, stderr, code := weir(t, env, "", "backup", "--to", place, "--list", "--json"); code != exitOK || json.Unmarshal([]byte(stdout), &all) != nil || len(all) != 1 {
		t.Errorf("%s%s", stdout, stderr)
	}
	if stdout, stderr, code := weir(t, env, "", "backup", "--to", place, "--verify"); code != exitOK || !strings.Contains(stdout, "0 of them wrong") {
		t.Errorf("%s%s", stdout, stderr)
	}
	to := filepath.Join(t.TempDir(), "restored")
	if _, stderr, code := weir(t, env, "", "restore", "--from", place, "--to", to); code != exitOK {
		t.Fatal(stderr)
	}
	if lines, _ := tailAll(t, to, "orders"); strings.Join(lines, " ") != "first second" {
		t.Errorf("%q", lines)
	}
	if _, stderr, code := weir(t, env, "", "restore", "--from", "s3://nothing/x", "--to", to+"2"); code != exitFailed || !strings.Contains(stderr, "NoSuchBucket") {
		t.Errorf("no bucket: exit %d, %s", code, stderr)
	}
}

// A backup has no master keys unless it is told to: without them a restored directory says which ones it needs, and with them it reads as before.
func TestBackupOfEncryptedRecords(t *testing.T) {
	env := serverFor(t)
	dir := t.TempDir()
	api, err := client.NewKinesis(client.Options{Endpoint: env["AWS_ENDPOINT_URL"], Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.EnsureStream(t.Context(), api, "orders", 1); err != nil {
		t.Fatal(err)
	}
	_, err = api.StartStreamEncryption(t.Context(), &kinesis.StartStreamEncryptionInput{StreamName: aws.String("orders"), EncryptionType: types.EncryptionTypeKms, KeyId: aws.String("alias/aws/kinesis")})
	if err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := weir(t, env, "sealed\n", "put", "-q", "orders"); code != exitOK {
		t.Fatal(stderr)
	}
	for _, row := range []struct {
		args  []string
		needs bool
	}{{nil, true}, {[]string{"--master-keys"}, false}} {
		place, to := filepath.Join(dir, fmt.Sprint("place", row.needs)), filepath.Join(dir, fmt.Sprint("restored", row.needs))
		if _, stderr, code := weir(t, nil, "", append([]string{"backup", "--to", place, "--data", env["DATA"], "--console", env["CONSOLE"]}, row.args...)...); code != exitOK {
			t.Fatal(stderr)
		}
		stdout, stderr, code := weir(t, nil, "", "restore", "--from", place, "--to", to)
		if code != exitOK || strings.Contains(stdout, "stream orders") != row.needs || strings.Contains(stdout, "aws/kinesis:1") != row.needs {
			t.Errorf("%v: %s%s", row.args, stdout, stderr)
		}
		if !row.needs {
			if lines, _ := tailAll(t, to, "orders"); strings.Join(lines, " ") != "sealed" {
				t.Errorf("%q", lines)
			}
		}
	}
	if stdout, stderr, code := weir(t, nil, "", "status", "--console", env["CONSOLE"], "--window", "0s"); code != exitOK || !strings.Contains(stdout, "alias/aws/kinesis") {
		t.Errorf("%s%s", stdout, stderr)
	}
}
