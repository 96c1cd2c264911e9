package aws

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/weir-stream/weir/internal/console"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/vfs"
)

const ourKey = "alias/aws/kinesis"

func (s *session) encrypt(stream, key string) {
	s.t.Helper()
	must(s.StartStreamEncryption(s.ctx, &kinesis.StartStreamEncryptionInput{StreamName: &stream, EncryptionType: types.EncryptionTypeKms, KeyId: &key}))(s)
}

func (s *session) decrypt(stream, key string) {
	s.t.Helper()
	must(s.StopStreamEncryption(s.ctx, &kinesis.StopStreamEncryptionInput{StreamName: &stream, EncryptionType: types.EncryptionTypeKms, KeyId: &key}))(s)
}

// everyRecord is what is in a stream, as key=data, with + before what is encrypted, sorted.
func (s *session) everyRecord(stream string) []string {
	s.t.Helper()
	var all []string
	for _, shard := range must(s.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: &stream}))(s).Shards {
		for _, r := range s.readAll(stream, *shard.ShardId) {
			text := *r.PartitionKey + "=" + string(r.Data)
			if r.EncryptionType == types.EncryptionTypeKms {
				text = "+" + text
			}
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return all
}

// holding is the files below a directory that hold a text.
func holding(t *testing.T, dir, text string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && bytes.Contains(data, []byte(text)) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestEncryption: from start to stop records are encrypted, and answers say so of them and of no others; all can be read, before and after a stop, a
// new key and a split; the stream says how it is encrypted. Over every transport, in JSON; CBOR is in TestEncryptionCBOR.
func TestEncryption(t *testing.T) {
	everyTransport(t, func(s *session) {
		s.create("tolls", 2)
		describe := func(want types.EncryptionType, key string) {
			s.t.Helper()
			summary := s.active("tolls")
			full := must(s.DescribeStream(s.ctx, &kinesis.DescribeStreamInput{StreamName: aws.String("tolls")}))(s).StreamDescription
			if summary.EncryptionType != want || aws.ToString(summary.KeyId) != key || full.EncryptionType != want || aws.ToString(full.KeyId) != key {
				s.t.Errorf("described as %s %q and %s %q, want %s %q", summary.EncryptionType, aws.ToString(summary.KeyId), full.EncryptionType, aws.ToString(full.KeyId), want, key)
			}
		}
		var want []string
		put := func(encrypted bool, text string) {
			s.t.Helper()
			kind, mark := types.EncryptionType(""), ""
			if encrypted {
				kind, mark = types.EncryptionTypeKms, "+"
			}
			one := s.put("tolls", "one", text)
			many := must(s.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: aws.String("tolls"), Records: []types.PutRecordsRequestEntry{
				{PartitionKey: aws.String("two"), Data: []byte(text)},
				{PartitionKey: aws.String("three"), Data: []byte{}, ExplicitHashKey: aws.String("0")},
				{PartitionKey: aws.String("four"), Data: bytes.Repeat([]byte(text), 100)},
			}}))(s)
			if one.EncryptionType != kind || many.EncryptionType != kind || *many.FailedRecordCount != 0 {
				s.t.Errorf("%s: answers say %q and %q, want %q", text, one.EncryptionType, many.EncryptionType, kind)
			}
			want = append(want, mark+"one="+text, mark+"two="+text, mark+"three=", mark+"four="+strings.Repeat(text, 100))
			slices.Sort(want)
			if got := s.everyRecord("tolls"); !slices.Equal(got, want) {
				s.t.Errorf("%s: read %d records, want %d: %.300q", text, len(got), len(want), got)
			}
		}
		describe(types.EncryptionTypeNone, "")
		put(false, "plain")
		s.encrypt("tolls", ourKey)
		describe(types.EncryptionTypeKms, ourKey)
		put(true, "sealed")
		s.encrypt("tolls", ourKey) // a new data key
		put(true, "again")
		must(s.SplitShard(s.ctx, &kinesis.SplitShardInput{StreamName: aws.String("tolls"), ShardToSplit: aws.String("0"), NewStartingHashKey: aws.String("7")}))(s)
		s.active("tolls")
		put(true, "split")
		_, err := s.StopStreamEncryption(s.ctx, &kinesis.StopStreamEncryptionInput{StreamName: aws.String("tolls"), EncryptionType: types.EncryptionTypeKms, KeyId: aws.String("alias/other")})
		s.refused(err, "InvalidArgumentException", ".* is encrypted under alias/aws/kinesis, not under alias/other.")
		s.decrypt("tolls", ourKey)
		s.decrypt("tolls", ourKey)
		describe(types.EncryptionTypeNone, "")
		put(false, "open")
	})
}

// TestEncryptionCBOR: the same in the protocol of the Java SDK.
func TestEncryptionCBOR(t *testing.T) {
	s := shared.plain(t)
	s.create("java", 1)
	put := func(encrypted bool) {
		t.Helper()
		one := s.cbor("PutRecord", 200, pair{"StreamName", "java"}, pair{"PartitionKey", "k"}, pair{"Data", []byte("data")})
		many := s.cbor("PutRecords", 200, pair{"StreamName", "java"}, pair{"Records", []any{[]pair{{"PartitionKey", "k"}, {"Data", []byte("data")}}}})
		for _, answer := range []map[string]any{one, many} {
			if kind, said := answer["EncryptionType"]; said != encrypted || encrypted && kind != "KMS" {
				t.Errorf("encrypted %v: %v", encrypted, answer)
			}
		}
	}
	put(false)
	s.cbor("StartStreamEncryption", 200, pair{"StreamName", "java"}, pair{"EncryptionType", "KMS"}, pair{"KeyId", ourKey})
	put(true)
	iterator := s.iterator(&kinesis.GetShardIteratorInput{StreamName: aws.String("java"), ShardId: aws.String("0"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	records := s.cbor("GetRecords", 200, pair{"ShardIterator", iterator})["Records"].([]any)
	if len(records) != 4 {
		t.Fatalf("%d records", len(records))
	}
	for i, r := range records {
		r := r.(map[string]any)
		if kind, said := r["EncryptionType"]; said != (i >= 2) || said && kind != "KMS" || string(r["Data"].([]byte)) != "data" || r["PartitionKey"] != "k" {
			t.Errorf("record %d: %v", i, r)
		}
	}
}

// TestEncryptionKeys: which names of keys there are, and how the others are refused.
func TestEncryptionKeys(t *testing.T) {
	k := newKeyed(t, node.Config{})
	k.master(t, "tolls/2026")
	s := k.as(ours, k.key(ours, ""))
	s.create("tolls", 1)
	start := func(key string, kind types.EncryptionType) error {
		_, err := s.StartStreamEncryption(s.ctx, &kinesis.StartStreamEncryptionInput{StreamName: aws.String("tolls"), EncryptionType: kind, KeyId: &key})
		return err
	}
	for i, key := range []string{
		"alias/tolls/2026", "tolls/2026", "arn:aws:kms:us-east-1:" + ours + ":key/tolls/2026", "arn:aws:kms:us-east-1:" + ours + ":alias/tolls/2026", "arn:aws:kms:us-east-1:" + ours + ":alias/aws/kinesis",
	} {
		if err := start(key, types.EncryptionTypeKms); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		text := fmt.Sprint("text ", i)
		s.put("tolls", "k", text)
		if got := s.everyRecord("tolls"); !slices.Contains(got, "+k="+text) || len(got) != i+1 {
			t.Errorf("%s: %q", key, got)
		}
	}
	for _, key := range []string{"alias/absent", "1234abcd-12ab-34cd-56ef-1234567890ab", "arn:aws:kms:us-east-1:" + ours + ":key/absent"} {
		s.refused(start(key, types.EncryptionTypeKms), "KMSNotFoundException", "The request was rejected because the master key "+quote(key)+" was not found.")
	}
	s.refused(start("arn:aws:kms:eu-west-1:"+ours+":key/tolls", types.EncryptionTypeKms), "InvalidArgumentException", ".* is of region eu-west-1, the request of region us-east-1.")
	s.refused(start(ourKey, types.EncryptionTypeNone), "InvalidArgumentException", "EncryptionType must be KMS.*")
	for range 20 {
		s.encrypt("tolls", ourKey)
	}
	s.refused(start(ourKey, types.EncryptionTypeKms), "LimitExceededException", ".* more than 25 times in a rolling 24-hour period.")
}

// master makes a master key in the server's file.
func (k *keyed) master(t *testing.T, name string) {
	t.Helper()
	if err := k.ring(t).Create(name); err != nil {
		t.Fatal(err)
	}
}

// TestNothingPlainOnDisk: of an encrypted stream the disk has neither data nor partition keys; after a restart everything is read, and of a copy
// that was made while the server ran, too; a copy without the file of master keys gives nothing, says which key is missing, and serves everything else.
func TestNothingPlainOnDisk(t *testing.T) {
	away := t.TempDir()
	k := newKeyed(t, node.Config{MasterKeyFile: filepath.Join(away, "keys", "masters.json")})
	key := k.key(ours, "")
	s := k.as(ours, key)
	s.create("secret", 1)
	s.create("plain", 1)
	s.encrypt("secret", ourKey)
	const marker, keyMarker, plainMarker = "marker-of-the-data", "marker-of-the-key", "marker-that-may-be-seen"
	for range 50 {
		s.put("secret", keyMarker, strings.Repeat(marker, 20))
	}
	s.put("plain", "k", plainMarker)
	if files := holding(t, k.dir, plainMarker); len(files) == 0 {
		t.Error("the test does not see what is on disk")
	}
	if files := append(holding(t, k.dir, marker), holding(t, k.dir, keyMarker)...); len(files) > 0 {
		t.Errorf("plaintext in %v", files)
	}
	copied := t.TempDir()
	if err := os.CopyFS(filepath.Join(copied, "data"), os.DirFS(k.dir)); err != nil { // as the server would leave it if it were killed now
		t.Fatal(err)
	}
	k.halt(t)

	s = k.as(ours, key)
	if got := s.everyRecord("secret"); len(got) != 50 || got[0] != "+"+keyMarker+"="+strings.Repeat(marker, 20) {
		t.Errorf("after a restart %d records", len(got))
	}
	k.halt(t)

	k.dir, k.config.DataDir = filepath.Join(copied, "data"), filepath.Join(copied, "data")
	s = k.as(ours, key)
	s.put("secret", keyMarker, marker) // both copies go on
	if got := s.everyRecord("secret"); len(got) != 51 || holding(t, k.dir, marker) != nil {
		t.Errorf("the copy has %d records, and plaintext in %v", len(got), holding(t, k.dir, marker))
	}
	k.halt(t)

	var log lockedBuffer
	k.config.MasterKeyFile, k.config.Logger = "", log.logger()
	s = k.as(ours, key)
	const missing = "The request was rejected because the master key aws/kinesis:1 was not found."
	for range 2 {
		_, err := s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: aws.String("secret"), PartitionKey: aws.String("k"), Data: []byte("x")})
		s.refused(err, "KMSNotFoundException", missing)
		_, err = s.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: aws.String("secret"), Records: []types.PutRecordsRequestEntry{{PartitionKey: aws.String("k"), Data: []byte("x")}}})
		s.refused(err, "KMSNotFoundException", missing)
		iterator := s.iterator(&kinesis.GetShardIteratorInput{StreamName: aws.String("secret"), ShardId: aws.String("0"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		_, err = s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: &iterator})
		s.refused(err, "KMSNotFoundException", missing)
	}
	s.subscribe(s.register("secret", "reader"), "shardId-000000000000", from(types.ShardIteratorTypeTrimHorizon, nil)).ends("KMSNotFoundException", quote(missing))
	if got := s.everyRecord("plain"); !slices.Equal(got, []string{"k=" + plainMarker}) {
		t.Errorf("the other stream has %q", got)
	}
	s.put("plain", "k", "more")
	if n := strings.Count(log.String(), "aws/kinesis:1"); n != 1 {
		t.Errorf("the log names the key %d times:\n%s", n, log.String())
	}
}

// TestRewrap: after a rotation and a rewrap the old version of a master key is not needed, everything is read without it, and a stream that stays readable as
// far as it is plain ends before what cannot be read.
func TestRewrap(t *testing.T) {
	k := newKeyed(t, node.Config{})
	key := k.key(ours, "")
	s := k.as(ours, key)
	s.create("tolls", 1)
	s.put("tolls", "a", "plain")
	s.encrypt("tolls", ourKey)
	s.put("tolls", "b", "first")
	state := func(method, path string) (state console.MasterState) {
		t.Helper()
		r, err := http.NewRequestWithContext(s.ctx, method, "http://"+k.node.ConsoleAddr()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if err := json.NewDecoder(answer.Body).Decode(&state); err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v", answer.Status, err)
		}
		return state
	}
	if _, err := k.ring(t).Rotate("aws/kinesis"); err != nil {
		t.Fatal(err)
	}
	if got := state("GET", "/_weir/master-keys"); got.Needed["aws/kinesis:1"] != 1 || len(got.Needed) != 1 {
		t.Errorf("before: %+v", got)
	}
	if got := state("POST", "/_weir/master-keys/rewrap"); got.Rewrapped != 1 {
		t.Errorf("rewrap: %+v", got)
	}
	if got := state("POST", "/_weir/master-keys/rewrap"); got.Rewrapped != 0 || got.Needed["aws/kinesis:2"] != 1 || len(got.Needed) != 1 {
		t.Errorf("after: %+v", got)
	}
	if err := k.ring(t).Remove("aws/kinesis", 1); err != nil {
		t.Fatal(err)
	}
	s.encrypt("tolls", ourKey)
	s.put("tolls", "c", "second")
	want := []string{"+b=first", "+c=second", "a=plain"}
	for range 2 {
		if got := s.everyRecord("tolls"); !slices.Equal(got, want) {
			t.Errorf("read %q", got)
		}
		k.halt(t)
		s = k.as(ours, key)
	}
	k.halt(t)
	if err := os.Remove(filepath.Join(k.dir, datadir.MasterKeys)); err != nil {
		t.Fatal(err)
	}
	s = k.as(ours, key)
	iterator := s.iterator(&kinesis.GetShardIteratorInput{StreamName: aws.String("tolls"), ShardId: aws.String("0"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	first := must(s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: &iterator}))(s)
	if len(first.Records) != 1 || string(first.Records[0].Data) != "plain" || *first.MillisBehindLatest == 0 {
		t.Errorf("%d records, %d ms behind", len(first.Records), *first.MillisBehindLatest)
	}
	_, err := s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: first.NextShardIterator})
	s.refused(err, "KMSNotFoundException", ".* master key aws/kinesis:2 was not found.")
}

// ring is the file of master keys, as weir keys master has it.
func (k *keyed) ring(t *testing.T) interface {
	Create(name string) error
	Rotate(name string) (int, error)
	Remove(name string, version int) error
} {
	t.Helper()
	files, err := vfs.NewOS(k.dir)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := node.OpenMasters(files, k.config.MasterKeyFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// TestEncryptionUnderLimits: of a request that is over the shard's limit the records that were let in are encrypted and read, each as it was put, and no others; a
// stream that distributes records itself has encrypted ones without a partition key.
func TestEncryptionUnderLimits(t *testing.T) {
	t.Parallel()
	k := newKeyed(t, node.Config{Limits: "aws"})
	s := k.as(ours, k.key(ours, ""))
	s.create("tolls", 1)
	s.encrypt("tolls", ourKey)
	var want []string
	refused := 0
	for request := range 3 {
		records := make([]types.PutRecordsRequestEntry, 400)
		for i := range records {
			records[i] = types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: fmt.Appendf(nil, "%d/%d %01000d", request, i, i)}
		}
		answer := must(s.PutRecords(s.ctx, &kinesis.PutRecordsInput{StreamName: aws.String("tolls"), Records: records}))(s)
		for i, r := range answer.Records {
			if r.ErrorCode == nil {
				want = append(want, "+k="+string(records[i].Data))
			} else {
				refused++
			}
		}
	}
	slices.Sort(want)
	if got := s.everyRecord("tolls"); !slices.Equal(got, want) || refused == 0 {
		t.Errorf("read %d records of %d that were let in, %d refused", len(got), len(want), refused)
	}

	auto := shared.plain(t)
	must(auto.CreateStream(auto.ctx, &kinesis.CreateStreamInput{StreamName: aws.String("auto"), StreamModeDetails: &types.StreamModeDetails{StreamMode: types.StreamModeOnDemand},
		RecordDistributionStrategy: types.RecordDistributionStrategyAuto}))(auto)
	auto.active("auto")
	auto.encrypt("auto", ourKey)
	must(auto.PutRecord(auto.ctx, &kinesis.PutRecordInput{StreamName: aws.String("auto"), Data: []byte("keyless")}))(auto)
	for _, shard := range auto.shards("auto") {
		for _, r := range auto.readAll("auto", *shard.ShardId) {
			if r.PartitionKey != nil || string(r.Data) != "keyless" || r.EncryptionType != types.EncryptionTypeKms {
				t.Errorf("%+v", r)
			}
		}
	}
}
