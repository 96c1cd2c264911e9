package aws

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/weir-stream/weir/internal/audit"
	"github.com/weir-stream/weir/internal/datadir"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/vfs"
)

// TestAuditLog: every control call is a line that says who, from where, what and how it ended, refused ones too; no call that carries records is there, and
// no data.
func TestAuditLog(t *testing.T) {
	t.Parallel()
	k := newKeyed(t, node.Config{Audit: true})
	nobody := k.key(ours, "nobody", allowing(`"firehose:*"`, "*", ""))
	key := k.key(ours, "alice")
	alice := k.as(ours, key)
	alice.create("tolls", 1)
	alice.put("tolls", "partition-key-text", "data-text")
	alice.readAll("tolls", "0")
	other := k.as(ours, nobody)
	_, err := other.DeleteStream(other.ctx, &kinesis.DeleteStreamInput{StreamARN: aws.String(other.arn("tolls"))})
	other.refused(err, "AccessDeniedException", ".*")
	must(alice.DeleteStream(alice.ctx, &kinesis.DeleteStreamInput{StreamName: aws.String("tolls")}))(alice)
	k.halt(t)

	files, err := vfs.NewOS(k.dir)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	spoiled, err := audit.Read(files, datadir.Audit, time.Time{}, func(e audit.Entry, line []byte) bool {
		if e.RequestID == "" || e.Account != ours || e.Source != "127.0.0.1" || e.Service != "kinesis" || e.Region != "us-east-1" || time.Since(e.Time) > time.Hour {
			t.Errorf("%s", line)
		}
		if e.Operation == "ListStreams" || e.Operation == "DescribeStreamSummary" { // how often the test asks depends on the machine
			return true
		}
		seen = append(seen, strings.Join([]string{e.User, e.Operation, e.Resource, string(e.Parameters), e.ErrorCode}, " "))
		if e.KeyID != key.AccessKeyID && e.KeyID != nobody.AccessKeyID {
			t.Errorf("key %s", e.KeyID)
		}
		return true
	})
	if err != nil || spoiled != 0 {
		t.Fatal(spoiled, err)
	}
	tolls := alice.arn("tolls")
	if want := []string{
		"arn:aws:iam::111111111111:user/alice CreateStream " + tolls + ` {"StreamName":"tolls","ShardCount":1} `,
		"arn:aws:iam::111111111111:user/nobody DeleteStream " + tolls + ` {"StreamARN":"` + tolls + `"} AccessDeniedException`,
		"arn:aws:iam::111111111111:user/alice DeleteStream " + tolls + ` {"StreamName":"tolls"} `,
	}; !slices.Equal(seen, want) {
		t.Errorf("the log has\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
	}
	entries, err := os.ReadDir(filepath.Join(k.dir, datadir.Audit))
	if err != nil || len(entries) == 0 {
		t.Fatal(entries, err)
	}
	for _, marker := range []string{"data-text", "partition-key-text", key.SecretAccessKey} {
		if found := holding(t, filepath.Join(k.dir, datadir.Audit), marker); len(found) > 0 {
			t.Errorf("%s is in %v", marker, found)
		}
	}
}
