package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/vfs"
)

// Shows the life of a restricted key: made with a policy, seen in lists, given another, rotated, freed only when that is said; and that no
// secret is in the file or printed twice.
func TestKeysWithPolicies(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write := file("write-tolls.json", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kinesis:Put*","Resource":"*"}]}`)
	strange := file("strange.json", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o"}}}]}`)
	broken := file("broken.json", `{"Statement":[{"Effect":"Perhaps"}]}`)
	keys := func(want int, args string) (stdout, stderr string) {
		t.Helper()
		words := append(append([]string{"keys"}, strings.Fields(args)...), "--data", data)
		stdout, stderr, code := weir(t, nil, "", words...)
		if code != want {
			t.Fatalf("keys %s: exit %d, %s%s", args, code, stdout, stderr)
		}
		return stdout, stderr
	}
	made := func(args string) (row keyRow) {
		t.Helper()
		stdout, _ := keys(exitOK, args+" --json")
		if err := json.Unmarshal([]byte(stdout), &row); err != nil || len(row.Secret) != 40 {
			t.Fatalf("%v: %s", err, stdout)
		}
		return row
	}
	first := made("create loader --policy " + write)
	if first.User != "loader" || !first.Policies {
		t.Errorf("made %+v", first)
	}
	second := made("rotate " + first.ID + " --expire-after 1h")
	if second.User != "loader" || !second.Policies || second.ID == first.ID {
		t.Errorf("rotated %+v", second)
	}
	if _, stderr := keys(exitOK, "policy attach "+second.ID+" "+strange+" --name odd"); !strings.Contains(stderr, "aws:PrincipalOrgID is not known") {
		t.Errorf("attach says %q", stderr)
	}
	if stdout, _ := keys(exitOK, "policy list "+first.ID); !strings.Contains(stdout, "odd\n") || !strings.Contains(stdout, "write-tolls\n") {
		t.Errorf("policies: %s", stdout)
	}
	if stdout, _ := keys(exitOK, "list"); !strings.Contains(stdout, "until ") || !strings.Contains(stdout, "as its policies say") || strings.Contains(stdout, first.Secret) {
		t.Errorf("list: %s", stdout)
	}
	keys(exitOK, "policy remove "+first.ID+" odd")
	if _, stderr := keys(exitUsage, "policy remove "+first.ID+" write-tolls"); !strings.Contains(stderr, "--all") {
		t.Errorf("the last one: %s", stderr)
	}
	keys(exitOK, "policy remove --all "+first.ID+" write-tolls")
	if _, stderr := keys(exitOK, "create free"); !strings.Contains(stderr, "may do everything in account 000000000000") {
		t.Errorf("a key without policies says %q", stderr)
	}
	for _, row := range []struct {
		want       int
		args, says string
	}{
		{exitUsage, "create x --policy " + broken, "Statement[0].Effect"},
		{exitUsage, "create --policy " + write, "root"},
		{exitFailed, "create x --policy " + filepath.Join(dir, "absent.json"), "absent.json"},
		{exitFailed, "rotate AKIANONE", "AKIANONE"},
		{exitFailed, "policy remove " + first.ID + " absent", "absent"},
		{exitFailed, "policy list AKIANONE", "AKIANONE"},
	} {
		if _, stderr := keys(row.want, row.args); !strings.Contains(stderr, row.says) {
			t.Errorf("%s: %s", row.args, stderr)
		}
	}
	raw, err := os.ReadFile(filepath.Join(data, "keys.json"))
	if err != nil || strings.Contains(string(raw), first.Secret) || strings.Contains(string(raw), second.Secret) {
		t.Errorf("keys.json: %v, %s", err, raw)
	}
}

// Shows the life of a master key beside a running server: made, rotated, wrapped anew, and its old version removed, but not while it is needed, nor without a
// server that can say.
func TestMasterKeys(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	n, err := node.Start(ctx, node.Config{DataDir: dir, Dev: true, Listen: "127.0.0.1:0", ConsoleListen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			if err := n.Stop(context.WithoutCancel(ctx)); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	console := n.ConsoleAddr()
	master := func(want int, args string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, code := weir(t, nil, "", append(append([]string{"keys", "master"}, strings.Fields(args)...), "--data", dir, "--console", console)...)
		if code != want {
			t.Fatalf("%s: exit %d, %s%s", args, code, stdout, stderr)
		}
		return stdout, stderr
	}
	master(exitOK, "create tolls")
	master(exitUsage, "create alias/tolls")
	master(exitFailed, "create tolls")
	api := kinesis.New(kinesis.Options{Region: "us-east-1", BaseEndpoint: aws.String("http://" + n.Addr()), Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "000000000000", SecretAccessKey: "x"}, nil
	})})
	name := aws.String("s")
	if _, err := api.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	if err := kinesis.NewStreamExistsWaiter(api, func(o *kinesis.StreamExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Millisecond, 10*time.Millisecond
	}).
		Wait(ctx, &kinesis.DescribeStreamInput{StreamName: name}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := api.StartStreamEncryption(ctx, &kinesis.StartStreamEncryptionInput{StreamName: name, EncryptionType: "KMS", KeyId: aws.String("alias/tolls")}); err != nil {
		t.Fatal(err)
	}
	if stdout, _ := master(exitOK, "list --json"); !strings.Contains(stdout, `"name": "tolls"`) || !strings.Contains(stdout, `"dataKeys": 1`) {
		t.Errorf("list: %s", stdout)
	}
	master(exitOK, "rotate tolls")
	if _, stderr := master(exitFailed, "remove tolls 1"); !strings.Contains(stderr, "1 data keys are wrapped under tolls:1") {
		t.Errorf("remove: %s", stderr)
	}
	if stdout, _ := master(exitOK, "rewrap"); !strings.HasPrefix(stdout, "1 data keys") {
		t.Errorf("rewrap: %s", stdout)
	}
	if _, stderr := master(exitFailed, "remove tolls 2"); !strings.Contains(stderr, "1 data keys") {
		t.Errorf("remove: %s", stderr)
	}
	master(exitOK, "remove tolls 1")
	stop()
	if stdout, stderr := master(exitOK, "list"); !strings.Contains(stdout, "?") || !strings.Contains(stderr, "no server answers") {
		t.Errorf("list: %s%s", stdout, stderr)
	}
	master(exitOK, "rotate tolls")
	master(exitFailed, "remove tolls 2")
	master(exitFailed, "rewrap")
}

// Shows what of the audit log people see, and how far back.
func TestAudit(t *testing.T) {
	dir := t.TempDir()
	show := func(want int, args string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, code := weir(t, nil, "", append([]string{"audit", "--data", dir}, strings.Fields(args)...)...)
		if code != want {
			t.Fatalf("%s: exit %d, %s%s", args, code, stdout, stderr)
		}
		return stdout, stderr
	}
	if _, stderr := show(exitFailed, ""); !strings.Contains(stderr, "there is no audit log") {
		t.Errorf("says %q", stderr)
	}
	files, err := vfs.NewOS(dir)
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(audit.Options{FS: files, Dir: datadir.Audit, Clock: clock.Real})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	log.Record(audit.Entry{Time: now.Add(-72 * time.Hour), User: "arn:aws:iam::000000000000:user/a", Source: "10.0.0.1", Operation: "CreateStream", Resource: "arn:aws:kinesis:us-east-1:000000000000:stream/s"})
	log.Record(audit.Entry{Time: now, User: "arn:aws:iam::000000000000:user/b", Source: "10.0.0.1", Operation: "DeleteStream", ErrorCode: "AccessDeniedException"})
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if stdout, _ := show(exitOK, ""); strings.Count(stdout, "\n") != 1 || !strings.Contains(stdout, "user/b  DeleteStream  AccessDeniedException") {
		t.Errorf("of a day: %s", stdout)
	}
	for _, since := range []string{"all", "2020-01-01", "2020-01-01T00:00:00Z", "100h"} {
		if stdout, _ := show(exitOK, "--json --since "+since); strings.Count(stdout, "\n") != 2 || !strings.Contains(stdout, `"operation":"CreateStream"`) {
			t.Errorf("since %s: %s", since, stdout)
		}
	}
	show(exitUsage, "--since yesterday")
}
