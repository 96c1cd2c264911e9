package node_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/weir-stream/weir/internal/backup"
	"github.com/weir-stream/weir/internal/console"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/vfs"
)

// engineClients speak to a node about tables and objects.
type engineClients struct {
	tables  map[string]*dynamodb.Client // by region
	objects *s3.Client
}

func clientsOf(t *testing.T, n *node.Node) engineClients {
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	endpoint, over := aws.String("http://"+n.Addr()), &http.Client{Transport: transport}
	anybody := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIDANY", SecretAccessKey: "any"}, nil
	})
	c := engineClients{tables: map[string]*dynamodb.Client{}}
	for _, region := range []string{busyRegion, quietRegion} {
		c.tables[region] = dynamodb.New(dynamodb.Options{Region: region, BaseEndpoint: endpoint, HTTPClient: over, Credentials: anybody, Retryer: aws.NopRetryer{}})
	}
	c.objects = s3.New(s3.Options{Region: busyRegion, BaseEndpoint: endpoint, HTTPClient: over, Credentials: anybody, UsePathStyle: true, Retryer: aws.NopRetryer{}})
	return c
}

const (
	busyRegion  = "us-east-1"
	quietRegion = "eu-west-3" // its table has no snapshot yet
	large       = "large"     // an object that never changes
)

// body is the content of an object, which hangs on its key and version.
func body(key string, version int) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", key, version))
	return bytes.Repeat(sum[:], 40)
}

func (c engineClients) setUp(t *testing.T) {
	t.Helper()
	for _, region := range []string{busyRegion, quietRegion} {
		_, err := c.tables[region].CreateTable(t.Context(), &dynamodb.CreateTableInput{
			TableName: aws.String("tolls"), BillingMode: types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
			KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		})
		must(t, err)
	}
	c.await(t, quietRegion)
	c.await(t, busyRegion)
	must(t, c.putItem(t.Context(), quietRegion, "only", 1))
	_, err := c.objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("photos")})
	must(t, err)
	must(t, c.putObject(t.Context(), large, bytes.Repeat([]byte("weir"), 1<<20)))
}

func (c engineClients) await(t *testing.T, region string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		out, err := c.tables[region].DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("tolls")})
		must(t, err)
		if out.Table.TableStatus == types.TableStatusActive {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the table does not become active")
		}
	}
}

func (c engineClients) putItem(ctx context.Context, region, id string, version int) error {
	_, err := c.tables[region].PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("tolls"), Item: map[string]types.AttributeValue{
		"id": &types.AttributeValueMemberS{Value: id}, "v": &types.AttributeValueMemberN{Value: fmt.Sprint(version)},
	}})
	return err
}

func (c engineClients) putObject(ctx context.Context, key string, content []byte) error {
	_, err := c.objects.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String(key), Body: bytes.NewReader(content)})
	return err
}

// version of an item; 0 when it is not there.
func (c engineClients) version(t *testing.T, region, id string) (v int) {
	t.Helper()
	out, err := c.tables[region].GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("tolls"), ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: id}}})
	must(t, err)
	if n, is := out.Item["v"].(*types.AttributeValueMemberN); is {
		_, err := fmt.Sscan(n.Value, &v)
		must(t, err)
	}
	return v
}

// object is the bytes of an object; nil when it is not there.
func (c engineClients) object(t *testing.T, key string) []byte {
	t.Helper()
	out, err := c.objects.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("photos"), Key: aws.String(key)})
	var missing *s3types.NoSuchKey
	if errors.As(err, &missing) {
		return nil
	}
	must(t, err)
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	must(t, err)
	return b
}

// written says up to which number everything was acknowledged. Item and object of a number have one of keys' names, and the number as their version; every fifth object
// is deleted behind its put.
type written struct {
	mu             sync.Mutex // guards both
	items, objects int
}

const keys = 16

func keyOf(i int) string { return fmt.Sprintf("key-%02d", i%keys) }

func (w *written) now() (items, objects int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.items, w.objects
}

func (w *written) await(t *testing.T, items, objects int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		if i, o := w.now(); i >= items && o >= objects {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the writers stand still")
		}
	}
}

// write puts items and objects in order until stop.
func write(t *testing.T, c engineClients, w *written) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := 1; ctx.Err() == nil; i++ {
			if err := c.putItem(t.Context(), busyRegion, keyOf(i), i); err != nil {
				t.Error(err)
				return
			}
			w.mu.Lock()
			w.items = i
			w.mu.Unlock()
		}
	})
	writing.Go(func() {
		for i := 1; ctx.Err() == nil; i++ {
			err := c.putObject(t.Context(), keyOf(i), body(keyOf(i), i))
			if err == nil && i%5 == 0 {
				_, err = c.objects.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("photos"), Key: aws.String(keyOf(i))})
			}
			if err != nil {
				t.Error(err)
				return
			}
			w.mu.Lock()
			w.objects = i
			w.mu.Unlock()
		}
	})
	return func() { cancel(); writing.Wait() }
}

// has holds a node against what was acknowledged before its copy was made: each key has the newest version of then or, unless the writers had stopped, a later one.
func (c engineClients) has(t *testing.T, items, objects int, stopped bool) {
	t.Helper()
	if v := c.version(t, quietRegion, "only"); v != 1 {
		t.Errorf("the table without a snapshot: version %d", v)
	}
	if got := c.object(t, large); len(got) != 4<<20 {
		t.Errorf("the large object has %d bytes", len(got))
	}
	for i := max(1, items-keys+1); i <= items; i++ {
		if v := c.version(t, busyRegion, keyOf(i)); v < i || v%keys != i%keys || stopped && v != i {
			t.Errorf("item %s has version %d, and %d was acknowledged", keyOf(i), v, i)
		}
	}
	const laterMost = 100 * keys
	for i := max(1, objects-keys+1); i <= objects; i++ {
		got := c.object(t, keyOf(i))
		fits := got == nil && (i%5 == 0 || !stopped)
		for v := i; !fits && v <= i+laterMost && (v == i || !stopped); v += keys {
			fits = bytes.Equal(got, body(keyOf(i), v))
		}
		if !fits {
			t.Errorf("object %s is not what was acknowledged at %d or later: %d bytes", keyOf(i), i, len(got))
		}
	}
}

// pinned asks a node to hold its directory, does something meanwhile, and makes a backup of that.
func pinned(t *testing.T, n *node.Node, dir string, place backup.Target, meanwhile func()) backup.Outcome {
	t.Helper()
	response, err := http.Post("http://"+n.ConsoleAddr()+"/_weir/backup", "", nil)
	must(t, err)
	defer http.DefaultClient.CloseIdleConnections()
	defer response.Body.Close()
	var pin console.Pin
	if response.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(response.Body)
		t.Fatalf("%d %s", response.StatusCode, b)
	}
	must(t, json.NewDecoder(response.Body).Decode(&pin))
	meanwhile()
	out, err := backup.Make(t.Context(), place, backup.Source{Files: open(t, pin.Dir), Rest: open(t, dir), Taken: pin.Taken}, backup.Options{Weir: "test"})
	must(t, err)
	return out
}

func open(t *testing.T, dir string) vfs.FS {
	t.Helper()
	fs, err := vfs.NewOS(dir)
	must(t, err)
	return fs
}

// Backups of a server that takes items and objects all the time, with snapshots every few commands: each is restored to a directory that starts, twice, and has everything that was
// acknowledged before it began. So is one of a directory that stands still.
func TestBackupOfTablesAndObjects(t *testing.T) {
	config := devConfig(t.TempDir())
	config.SnapshotEvery = 16
	n, stop := start(t, config)
	c := clientsOf(t, n)
	createStream(t, client(t, n), "tolls") // a command of the control log, from which on moments count
	c.setUp(t)
	began := time.Now()
	var w written
	stopWriting := write(t, c, &w)
	place := backup.NewDir(open(t, t.TempDir()))
	type made struct {
		items, objects int
		stopped        bool
	}
	backups := map[string]made{}
	var outcomes []backup.Outcome
	for range 2 {
		items, objects := w.now()
		w.await(t, items+50, objects+50)
		items, objects = w.now()
		out := pinned(t, n, config.DataDir, place, func() {})
		backups[out.Backup.ID] = made{items, objects, false}
		outcomes = append(outcomes, out)
	}
	stopWriting()
	stop()
	items, objects := w.now()
	still := open(t, config.DataDir)
	out, err := backup.Make(t.Context(), place, backup.Source{Files: still, Rest: still, Taken: time.Now()}, backup.Options{Weir: "test"})
	must(t, err)
	backups[out.Backup.ID] = made{items, objects, true}
	outcomes = append(outcomes, out)
	for i, out := range outcomes {
		if i > 0 && out.CopiedBytes > out.Backup.Bytes/2 {
			t.Errorf("backup %d copied %d bytes of %d", i, out.CopiedBytes, out.Backup.Bytes)
		}
		snapshots, files := 0, 0
		for _, f := range out.Backup.Files {
			if strings.Contains(f.Path, "/live/") {
				t.Errorf("it has %s", f.Path)
			}
			if strings.Contains(f.Path, "/state-") {
				snapshots++
			}
			if strings.HasPrefix(f.Path, "objects/files/") {
				files++
			}
		}
		if snapshots == 0 || files == 0 {
			t.Errorf("backup %d has %d files of databases, %d of objects", i, snapshots, files)
		}
	}

	_, err = backup.Restore(t.Context(), place, open(t, t.TempDir()), backup.RestoreOptions{ID: out.Backup.ID, At: began.Add(time.Millisecond)})
	if err == nil || !strings.Contains(err.Error(), "tables of 000000000000 in us-east-1") || !strings.Contains(err.Error(), "bucket photos") || strings.Contains(err.Error(), quietRegion) {
		t.Errorf("to a moment: %v", err)
	}
	for id, want := range backups {
		restored := config
		restored.DataDir = t.TempDir()
		got, err := backup.Restore(t.Context(), place, open(t, restored.DataDir), backup.RestoreOptions{ID: id})
		must(t, err)
		if got.Report.Beside.Files == 0 {
			t.Errorf("%+v", got.Report)
		}
		for range 2 {
			n, stop := start(t, restored)
			clientsOf(t, n).has(t, want.items, want.objects, want.stopped)
			stop()
		}
	}
	// A moment behind the last change is one that everything can be brought back to.
	untouched := t.TempDir()
	_, err = backup.Restore(t.Context(), place, open(t, untouched), backup.RestoreOptions{ID: out.Backup.ID, At: out.Backup.Taken})
	must(t, err)
	restored := config
	restored.DataDir = untouched
	n, _ = start(t, restored)
	clientsOf(t, n).has(t, items, objects, true)
}

// An object that is deleted between the pin and the copying is in the backup, and its file goes when the pin does. A file that has the name, size and time that it had is not read again.
func TestPinKeepsObjects(t *testing.T) {
	config := devConfig(t.TempDir())
	n, stop := start(t, config)
	c := clientsOf(t, n)
	c.setUp(t)
	place := backup.NewDir(open(t, t.TempDir()))
	files := func() []string {
		found, err := filepath.Glob(filepath.Join(config.DataDir, "objects/files/*/*"))
		must(t, err)
		return found
	}
	first := pinned(t, n, config.DataDir, place, func() {})
	name := files()[0]
	info, err := os.Stat(name)
	must(t, err)
	changed, err := os.ReadFile(name)
	must(t, err)
	changed[0] ^= 1
	must(t, os.WriteFile(name, changed, 0o600))
	must(t, os.Chtimes(name, info.ModTime(), info.ModTime()))
	second := pinned(t, n, config.DataDir, place, func() {
		_, err := c.objects.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("photos"), Key: aws.String(large)})
		must(t, err)
		must(t, c.putObject(t.Context(), "later", []byte("later")))
	})
	of := func(b backup.Backup, suffix string) (sum string) {
		for _, f := range b.Files {
			if strings.HasSuffix(f.Path, suffix) {
				sum = f.SHA256
			}
		}
		return sum
	}
	base := filepath.Base(name)
	if sum := of(first.Backup, base); sum == "" || of(second.Backup, base) != sum {
		t.Errorf("the first backup has %q, the second %q", sum, of(second.Backup, base))
	}
	for deadline := time.Now().Add(patience); slices.Contains(files(), name); {
		if time.Now().After(deadline) {
			t.Fatal("the file stays when the pin is gone")
		}
	}
	stop()
	restored := devConfig(t.TempDir())
	_, err = backup.Restore(t.Context(), place, open(t, restored.DataDir), backup.RestoreOptions{ID: first.Backup.ID})
	must(t, err)
	n, _ = start(t, restored)
	clientsOf(t, n).has(t, 0, 0, true)
	_, err = backup.Restore(t.Context(), place, open(t, t.TempDir()), backup.RestoreOptions{ID: second.Backup.ID})
	must(t, err)
}
