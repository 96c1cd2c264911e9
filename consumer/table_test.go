package consumer_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/weir-stream/weir/consumer"
)

// table is every item by its key.
func (w *world) table() map[string]map[string]types.AttributeValue {
	w.t.Helper()
	out, err := w.dynamo.Scan(w.ctx, &dynamodb.ScanInput{TableName: &w.name, ConsistentRead: aws.Bool(true)})
	if err != nil {
		w.t.Fatal(err)
	}
	items := map[string]map[string]types.AttributeValue{}
	for _, item := range out.Items {
		items[attribute(item, "leaseKey")] = item
	}
	return items
}

// TestTable shows what a worker alone leaves in the lease table: the items that KCL 3.5 writes, with its attributes and their types, and no others.
func TestTable(t *testing.T) {
	t.Parallel()
	w := begin(t, 1)
	w.start(w.options("a", w.record("a")))
	w.put(1, 3)
	const shard = "shardId-000000000000"
	w.eventually("the worker has reported, leads, and measured the throughput of what it read", func() bool {
		return w.complete() && safeItem(w, "a") != nil && safeItem(w, shard)["throughputKBps"] != nil && attribute(safeItem(w, shard), "checkpoint") != "TRIM_HORIZON"
	})
	want := map[string]string{
		"Leader":       "entityType:S=LEADER leaseDuration:S=1000 leaseKey:S ownerName:S=a recordVersionNumber:S",
		"Migration3.0": "cv:S=CLIENT_VERSION_3X entityType:S=CLIENT_VERSION_MIGRATION h:L leaseKey:S mb:S=a mts:N",
		"a":            "entityType:S=WORKER_METRIC_STATS leaseKey:S lut:N opr:M slu:N sts:M sup:N=1",
		shard: "checkpoint:S checkpointSubSequenceNumber:N=0 endingHashKey:S=340282366920938463463374607431768211455 entityType:S=LEASE leaseCounter:N leaseKey:S leaseOwner:S=a " +
			"ownerSwitchesSinceCheckpoint:N=0 startingHashKey:S=0 throughputKBps:N",
	}
	got := map[string]string{}
	for key, item := range w.table() {
		var words []string
		for _, name := range slices.Sorted(maps.Keys(item)) {
			word := name + ":" + kind(item[name])
			if value := attribute(item, name); strings.Contains(want[key]+" ", word+"="+value+" ") {
				word += "=" + value
			}
			words = append(words, word)
		}
		got[key] = strings.Join(words, " ")
	}
	for key := range want {
		if got[key] != want[key] {
			t.Errorf("%s:\n got %s\nwant %s", key, got[key], want[key])
		}
	}
	if len(got) != len(want) {
		t.Errorf("items %v", slices.Collect(maps.Keys(got)))
	}
}

func kind(v types.AttributeValue) string {
	switch v.(type) {
	case *types.AttributeValueMemberS:
		return "S"
	case *types.AttributeValueMemberN:
		return "N"
	case *types.AttributeValueMemberM:
		return "M"
	case *types.AttributeValueMemberL:
		return "L"
	case *types.AttributeValueMemberSS:
		return "SS"
	}
	return "?"
}

// TestOtherStates shows that an application of another version, or half-way between two, is refused by name, and its table left as it was.
func TestOtherStates(t *testing.T) {
	t.Parallel()
	s := func(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
	for _, row := range []struct {
		name, table, key string
		item             map[string]types.AttributeValue
		want             string // empty: it is joined
	}{
		{"a lease of 2.x", "orders", "leaseKey", map[string]types.AttributeValue{"leaseKey": s("shardId-000000000000"), "checkpoint": s("TRIM_HORIZON")}, "KCL 2.x"},
		{"upgrading from 2.x", "orders", "leaseKey", map[string]types.AttributeValue{"leaseKey": s("Migration3.0"), "cv": s("CLIENT_VERSION_UPGRADE_FROM_2X")}, "CLIENT_VERSION_UPGRADE_FROM_2X"},
		{"with a way back to 2.x", "orders", "leaseKey", map[string]types.AttributeValue{"leaseKey": s("Migration3.0"), "cv": s("CLIENT_VERSION_3X_WITH_ROLLBACK")}, "CLIENT_VERSION_3X_WITH_ROLLBACK"},
		{"three tables of 3.0", "orders-CoordinatorState", "key", map[string]types.AttributeValue{"key": s("Migration3.0"), "cv": s("CLIENT_VERSION_3X")}, "TABLE_MIGRATION_STATUS_INIT"},
		{"on the way to one table", "orders-CoordinatorState", "key", map[string]types.AttributeValue{"key": s("TableMigration3.5"), "tm": s("TABLE_MIGRATION_STATUS_PENDING")}, "TABLE_MIGRATION_STATUS_PENDING"},
		{"at one table", "orders-CoordinatorState", "key", map[string]types.AttributeValue{"key": s("TableMigration3.5"), "tm": s("TABLE_MIGRATION_STATUS_COMPLETE")}, ""},
		{"of several streams", "orders", "leaseKey", map[string]types.AttributeValue{"leaseKey": s("1:s:2:shardId-000000000000"), "streamName": s("1:s:2"), "checkpoint": s("TRIM_HORIZON")}, "KCL 2.x"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := begin(t, 1)
			if _, err := w.dynamo.CreateTable(w.ctx, &dynamodb.CreateTableInput{
				TableName: &row.table, BillingMode: types.BillingModePayPerRequest,
				KeySchema:            []types.KeySchemaElement{{AttributeName: &row.key, KeyType: types.KeyTypeHash}},
				AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &row.key, AttributeType: types.ScalarAttributeTypeS}},
			}); err != nil {
				t.Fatal(err)
			}
			w.eventually("the table takes an item", func() bool {
				_, err := w.dynamo.PutItem(w.ctx, &dynamodb.PutItemInput{TableName: &row.table, Item: row.item})
				return err == nil
			})
			if row.want == "" {
				w.start(w.options("a", w.record("a")))
				w.put(1, 1)
				w.eventually("it is joined", w.complete)
				return
			}
			worker, err := consumer.New(w.options("a", w.record("a")))
			if err != nil {
				t.Fatal(err)
			}
			err = worker.Run(w.ctx)
			if !errors.Is(err, consumer.ErrState) || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want ErrState with %s", err, row.want)
			}
			if n := len(w.table()); row.table == w.name && n != 1 {
				t.Errorf("%d items in the table", n)
			}
		})
	}
}

// TestOptions shows that everything that is wrong with options is said at once, and that a worker runs once.
func TestOptions(t *testing.T) {
	t.Parallel()
	_, err := consumer.New(consumer.Options{MaxRecords: 20000, InitialPosition: "SOMEWHERE", Failover: -1})
	for _, want := range []string{"Application", "Stream", "Factory", "Kinesis", "DynamoDB", "20000", "SOMEWHERE", "Failover"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v says nothing of %s", err, want)
		}
	}
	w := begin(t, 1)
	worker, err := consumer.New(w.options("a", w.record("a")))
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Shutdown(context.Background()); err != nil {
		t.Error("shutdown before run:", err)
	}
	if err := worker.Run(context.Background()); err == nil {
		t.Error("it ran after its shutdown")
	}
}
