package node_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/commitlog/disklog"
	"github.com/weir-stream/weir/internal/console"
	"github.com/weir-stream/weir/internal/node"
)

func statusOf(t *testing.T, n *node.Node) (s console.Status) {
	t.Helper()
	response, err := http.Get("http://" + n.ConsoleAddr() + "/_weir/status")
	must(t, err)
	defer response.Body.Close()
	must(t, json.NewDecoder(response.Body).Decode(&s))
	http.DefaultClient.CloseIdleConnections()
	return s
}

// The status names each damaged place once, by its stream, and says when puts are refused.
func TestStatus(t *testing.T) {
	config := devConfig(t.TempDir())
	n, _ := start(t, config)
	c := client(t, n)
	createStream(t, c, "tolls")
	_, err := c.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("tolls"), PartitionKey: aws.String("k"), Data: []byte("1")})
	must(t, err)
	damage := disklog.Damaged{Damage: disklog.Damage{Log: commitlog.ID{Group: 1}, From: 6, To: 8, File: "segment-1", At: 9}}
	for range 3 {
		n.Observe(damage)
	}
	n.Observe(disklog.PassedOver{Log: commitlog.ID{Group: 1}, From: 1, To: 2})
	n.Observe(disklog.Full{})
	s := statusOf(t, n)
	if !s.Refusing || s.Health.Status == "ok" || s.Damages != 3 || s.PassedOver != 1 || len(s.Damaged) != 1 || !s.Dev || s.Limits != "off" || s.Durability != "sync" {
		t.Errorf("%+v", s)
	}
	if d := s.Damaged[0]; d.Stream != "tolls" || d.Shard != "shardId-000000000000" || d.FirstPosition != 6 || d.LastPosition != 7 || d.File != "segment-1" || d.Byte != 9 {
		t.Errorf("%+v", d)
	}
	if s.Functions.Bound != console.RemoteOnly { // nothing here launches them
		t.Errorf("functions %+v", s.Functions)
	}
	if len(s.Streams) != 1 || s.Streams[0].IncomingRecords != 1 || s.Streams[0].Shards.Open != 1 {
		t.Errorf("%+v", s.Streams)
	}
}

// What a kill during a backup has left is gone after the next start.
func TestOldPinsAreRemoved(t *testing.T) {
	config := devConfig(t.TempDir())
	left := filepath.Join(config.DataDir, "pins", "backup", "log")
	must(t, os.MkdirAll(left, 0o700))
	must(t, os.WriteFile(filepath.Join(left, "segment-0000000000000001"), []byte("held"), 0o600))
	start(t, config)
	if _, err := os.Stat(filepath.Join(config.DataDir, "pins")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is there: %v", err)
	}
}
