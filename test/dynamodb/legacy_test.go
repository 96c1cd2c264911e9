package dynamodb

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestLegacyParameters shows what requests had before expressions: Expected, AttributeUpdates, filters, KeyConditions, AttributesToGet, ConditionalOperator.
func TestLegacyParameters(t *testing.T) {
	s := begin(t)
	s.numbered("legacy", 10)
	key := item{"k": str("h"), "r": num("1")}
	name := aws.String("legacy")
	q := must(s.Query(s.ctx, &dynamodb.QueryInput{TableName: name, AttributesToGet: []string{"r", "x"}, KeyConditions: map[string]types.Condition{
		"k": {ComparisonOperator: "EQ", AttributeValueList: []types.AttributeValue{str("h")}}, "r": {ComparisonOperator: "BETWEEN", AttributeValueList: []types.AttributeValue{num("2"), num("6")}},
	}, QueryFilter: map[string]types.Condition{"x": {ComparisonOperator: "GT", AttributeValueList: []types.AttributeValue{num("4")}}}}))(s)
	if ranges(q.Items) != "3 4 5 6" || show(q.Items[0]) != "{r:3,x:9}" || q.ScannedCount != 5 {
		t.Errorf("a query gives %s, the first %s", ranges(q.Items), show(q.Items[0]))
	}
	for _, row := range []struct {
		filter   map[string]types.Condition
		operator types.ConditionalOperator
		want     int32
	}{
		{map[string]types.Condition{"g": {ComparisonOperator: "NOT_NULL"}}, "", 4},
		{map[string]types.Condition{"g": {ComparisonOperator: "NULL"}}, "", 6},
		{map[string]types.Condition{"x": {ComparisonOperator: "IN", AttributeValueList: []types.AttributeValue{num("1"), num("4"), num("5")}}}, "", 2},
		{map[string]types.Condition{"y": {ComparisonOperator: "NE", AttributeValueList: []types.AttributeValue{str("y")}}}, "", 0},
		{map[string]types.Condition{"y": {ComparisonOperator: "NOT_CONTAINS", AttributeValueList: []types.AttributeValue{str("z")}}}, "", 10},
		{map[string]types.Condition{"x": {ComparisonOperator: "LE", AttributeValueList: []types.AttributeValue{num("1")}}, "g": {ComparisonOperator: "NOT_NULL"}}, "OR", 5},
		{map[string]types.Condition{"x": {ComparisonOperator: "LE", AttributeValueList: []types.AttributeValue{num("1")}}, "g": {ComparisonOperator: "BEGINS_WITH", AttributeValueList: []types.AttributeValue{str("g")}}}, "AND", 1},
	} {
		if got := must(s.Scan(s.ctx, &dynamodb.ScanInput{TableName: name, ScanFilter: row.filter, ConditionalOperator: row.operator}))(s).Count; got != row.want {
			t.Errorf("a scan with %v gives %d, want %d", row.filter, got, row.want)
		}
	}
	put := func(action types.AttributeAction, v types.AttributeValue) types.AttributeValueUpdate {
		return types.AttributeValueUpdate{Action: action, Value: v}
	}
	up := must(s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: name, Key: key, ReturnValues: "ALL_NEW",
		Expected: map[string]types.ExpectedAttributeValue{"x": {Value: num("1")}, "none": {Exists: aws.Bool(false)}, "y": {ComparisonOperator: "BEGINS_WITH", AttributeValueList: []types.AttributeValue{str("y")}}},
		AttributeUpdates: map[string]types.AttributeValueUpdate{"x": put("ADD", num("4")), "y": put("DELETE", nil), "z": put("PUT", str("z")), "s": put("ADD", &types.AttributeValueMemberSS{Value: []string{"b", "a"}}),
			"l": put("ADD", &types.AttributeValueMemberL{Value: []types.AttributeValue{num("1")}})},
	}))(s)
	if show(up.Attributes) != "{k:h,l:[1],r:1,s:[a,b],x:5,z:z}" {
		t.Errorf("an update gives %s", show(up.Attributes))
	}
	up = must(s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: name, Key: key, ReturnValues: "UPDATED_NEW",
		AttributeUpdates: map[string]types.AttributeValueUpdate{"s": put("DELETE", &types.AttributeValueMemberSS{Value: []string{"b"}}), "l": put("ADD", &types.AttributeValueMemberL{Value: []types.AttributeValue{num("2")}})}}))(s)
	if show(up.Attributes) != "{l:[1,2],s:[a]}" {
		t.Errorf("UPDATED_NEW is %s", show(up.Attributes))
	}
	_, err := s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: name, Item: key, Expected: map[string]types.ExpectedAttributeValue{"k": {Exists: aws.Bool(false)}}, ReturnValuesOnConditionCheckFailure: "ALL_OLD"})
	if e, is := as[*types.ConditionalCheckFailedException](err); !is || len(e.Item) != 6 {
		t.Errorf("a put where there is one: %v", err)
	}
	_, err = s.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: name, Key: key, ConditionalOperator: "OR", Expected: map[string]types.ExpectedAttributeValue{"x": {Value: num("6")}, "z": {Value: str("y")}}})
	if _, is := as[*types.ConditionalCheckFailedException](err); !is {
		t.Errorf("a delete with OR: %v", err)
	}
	const bad = "ValidationException: One or more parameter values were invalid: "
	expected := func(e string) string {
		return `{"TableName":"legacy","Key":{"k":{"S":"h"},"r":{"N":"1"}},"Expected":{"x":` + e + `}}`
	}
	for _, row := range []struct{ body, want string }{
		{expected(`{}`), bad + "Value must be provided when Exists is null for Attribute: x"},
		{expected(`{"Exists":true}`), bad + "Value must be provided when Exists is true for Attribute: x"},
		{expected(`{"Exists":false,"Value":{"S":"a"}}`), bad + "Value cannot be used when Exists is false for Attribute: x"},
		{expected(`{"AttributeValueList":[{"S":"a"}]}`), bad + "AttributeValueList can only be used with a ComparisonOperator for Attribute: x"},
		{expected(`{"ComparisonOperator":"EQ"}`), bad + "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: x"},
		{expected(`{"ComparisonOperator":"BETWEEN","AttributeValueList":[{"N":"2"},{"N":"1"}]}`), "ValidationException: The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"},
		{expected(`{"ComparisonOperator":"LT","AttributeValueList":[{"SS":["a"]}]}`), bad + "ComparisonOperator LT is not valid for SS AttributeValue type"},
	} {
		if got := s.refusal("DeleteItem", row.body); got != row.want {
			t.Errorf("%s:\n got %s\nwant %s", row.body, got, row.want)
		}
	}
	for _, row := range []struct{ updates, want string }{
		{`{"x":{"Action":"PUT"}}`, bad + "Only DELETE action is allowed when no attribute value is specified"},
		{`{"x":{"Action":"DELETE","Value":{"S":"a"}}}`, bad + "DELETE action with value is not supported for the type S"},
		{`{"x":{"Action":"ADD","Value":{"S":"a"}}}`, bad + "ADD action is not supported for the type S"},
		{`{"z":{"Action":"ADD","Value":{"N":"1"}}}`, "ValidationException: Type mismatch for attribute to update"},
		{`{"r":{"Action":"PUT","Value":{"N":"1"}}}`, bad + "Cannot update attribute r. This attribute is part of the key"},
	} {
		if got := s.refusal("UpdateItem", `{"TableName":"legacy","Key":{"k":{"S":"h"},"r":{"N":"1"}},"AttributeUpdates":`+row.updates+`}`); got != row.want {
			t.Errorf("%s:\n got %s\nwant %s", row.updates, got, row.want)
		}
	}
}

// TestKCLCalls makes the calls of the Kinesis Client Library (2.x and 3.5) in the order in which its workers do: lease table, leases, heartbeats, a lease that is taken, handed over
// and checkpointed, the index that 3.x adds, the leader's lock, and the migration's transaction.
func TestKCLCalls(t *testing.T) {
	s := begin(t)
	app := aws.String("app")
	key := func(lease string) item { return item{"leaseKey": str(lease)} }
	put := func(v types.AttributeValue) types.AttributeValueUpdate {
		return types.AttributeValueUpdate{Action: "PUT", Value: v}
	}
	is := func(v types.AttributeValue) types.ExpectedAttributeValue {
		return types.ExpectedAttributeValue{Value: v}
	}
	absent := types.ExpectedAttributeValue{Exists: aws.Bool(false)}

	if _, err := s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: app}); err == nil {
		t.Error("the lease table is there before it is made")
	} else if _, is := as[*types.ResourceNotFoundException](err); !is {
		t.Errorf("DescribeTable of no table: %v", err)
	}
	create := &dynamodb.CreateTableInput{TableName: app, BillingMode: "PAY_PER_REQUEST", Tags: []types.Tag{{Key: aws.String("made"), Value: aws.String("by test")}}, DeletionProtectionEnabled: aws.Bool(false),
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("leaseKey"), AttributeType: "S"}}, KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("leaseKey"), KeyType: "HASH"}}}
	must(s.CreateTable(s.ctx, create))(s)
	if _, err := s.CreateTable(s.ctx, create); err == nil {
		t.Error("the lease table is made twice")
	} else if _, is := as[*types.ResourceInUseException](err); !is {
		t.Errorf("CreateTable again: %v", err)
	}
	s.active("app")

	lease := item{"leaseKey": str("shardId-0"), "leaseCounter": num("0"), "ownerSwitchesSinceCheckpoint": num("0"), "checkpoint": str("TRIM_HORIZON"), "checkpointSubSequenceNumber": num("0"),
		"startingHashKey": str("0"), "endingHashKey": str("340282366920938463463374607431768211455")}
	createLease := &dynamodb.PutItemInput{TableName: app, Item: lease, Expected: map[string]types.ExpectedAttributeValue{"leaseKey": absent}}
	must(s.PutItem(s.ctx, createLease))(s)
	if _, err := s.PutItem(s.ctx, createLease); err == nil {
		t.Error("a lease is made twice")
	}
	s.put("app", item{"leaseKey": str("shardId-1"), "leaseCounter": num("0"), "parentShardId": &types.AttributeValueMemberSS{Value: []string{"shardId-0"}}, "checkpoint": str("TRIM_HORIZON")})

	take := must(s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: app, Key: key("shardId-0"), // 2.x
		Expected: map[string]types.ExpectedAttributeValue{"leaseCounter": is(num("0"))},
		AttributeUpdates: map[string]types.AttributeValueUpdate{"leaseOwner": put(str("worker-1")), "leaseCounter": put(num("1")), "checkpointOwner": {Action: "DELETE"},
			"ownerSwitchesSinceCheckpoint": {Action: "ADD", Value: num("1")}}, ReturnValues: "ALL_NEW"}))(s)
	if show(item{"o": take.Attributes["leaseOwner"], "c": take.Attributes["leaseCounter"], "s": take.Attributes["ownerSwitchesSinceCheckpoint"]}) != "{c:1,o:worker-1,s:1}" {
		t.Errorf("a lease that is taken is %s", show(take.Attributes))
	}
	renew := func(from, to string) error {
		_, err := s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: app, Key: key("shardId-0"), Expected: map[string]types.ExpectedAttributeValue{"leaseCounter": is(num(from)), "checkpointOwner": absent},
			AttributeUpdates: map[string]types.AttributeValueUpdate{"leaseCounter": put(num(to)), "throughputKBps": put(num("12.5"))}, ReturnValuesOnConditionCheckFailure: "ALL_OLD"})
		return err
	}
	if err := renew("1", "2"); err != nil {
		t.Fatal(err)
	}
	err := renew("1", "2") // the reply to the first was lost: the KCL finds its own success in the item
	if e, is := as[*types.ConditionalCheckFailedException](err); !is || show(item{"c": e.Item["leaseCounter"], "o": e.Item["leaseOwner"]}) != "{c:2,o:worker-1}" {
		t.Errorf("renewing again: %v", err)
	}

	must(s.UpdateTable(s.ctx, &dynamodb.UpdateTableInput{TableName: app, AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("leaseOwner"), AttributeType: "S"}, {AttributeName: aws.String("leaseKey"), AttributeType: "S"}},
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{IndexName: aws.String("LeaseOwnerToLeaseKeyIndex"),
			KeySchema:  []types.KeySchemaElement{{AttributeName: aws.String("leaseOwner"), KeyType: "HASH"}, {AttributeName: aws.String("leaseKey"), KeyType: "RANGE"}},
			Projection: &types.Projection{ProjectionType: "KEYS_ONLY"}}}}}))(s)
	s.active("app")
	mine := func(worker string) string {
		got := must(s.Query(s.ctx, &dynamodb.QueryInput{TableName: app, IndexName: aws.String("LeaseOwnerToLeaseKeyIndex"), KeyConditionExpression: aws.String("leaseOwner = :leaseOwner"),
			ExpressionAttributeValues: item{":leaseOwner": str(worker)}}))(s)
		out := ""
		for _, it := range got.Items {
			out += show(it)
		}
		return out
	}
	if got := mine("worker-1"); got != "{leaseKey:shardId-0,leaseOwner:worker-1}" {
		t.Errorf("worker-1 has %s", got)
	}
	assign := must(s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: app, Key: key("shardId-1"), Expected: map[string]types.ExpectedAttributeValue{"leaseKey": is(str("shardId-1")), "leaseOwner": absent, "checkpointOwner": absent},
		AttributeUpdates: map[string]types.AttributeValueUpdate{"leaseOwner": put(str("worker-2")), "leaseCounter": {Action: "ADD", Value: num("1")}}, ReturnValues: "ALL_NEW", ReturnValuesOnConditionCheckFailure: "ALL_OLD"}))(s)
	if show(item{"c": assign.Attributes["leaseCounter"]}) != "{c:1}" {
		t.Errorf("a lease that is assigned is %s", show(assign.Attributes))
	}
	handoff := must(s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: app, Key: key("shardId-0"), Expected: map[string]types.ExpectedAttributeValue{"leaseKey": is(str("shardId-0")), "leaseOwner": is(str("worker-1")), "checkpointOwner": absent},
		AttributeUpdates: map[string]types.AttributeValueUpdate{"leaseOwner": put(str("worker-2")), "checkpointOwner": put(str("worker-1"))}, ReturnValues: "ALL_NEW"}))(s)
	if show(item{"o": handoff.Attributes["checkpointOwner"], "c": handoff.Attributes["leaseCounter"]}) != "{c:2,o:worker-1}" || mine("worker-1") != "" {
		t.Errorf("a lease that is handed over is %s; worker-1 has %s", show(handoff.Attributes), mine("worker-1"))
	}
	must(s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: app, Key: key("shardId-0"), Expected: map[string]types.ExpectedAttributeValue{"leaseCounter": is(num("2"))}, // checkpoint
		AttributeUpdates: map[string]types.AttributeValueUpdate{"leaseCounter": put(num("3")), "checkpoint": put(str("49590338271490256608559692538361571095921575989136588898")), "checkpointSubSequenceNumber": put(num("0")),
			"ownerSwitchesSinceCheckpoint": put(num("0")), "pendingCheckpoint": {Action: "DELETE"}, "pendingCheckpointState": {Action: "DELETE"}}}))(s)
	must(s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: app, Key: key("shardId-0"), Expected: map[string]types.ExpectedAttributeValue{"leaseKey": {Exists: aws.Bool(true), Value: str("shardId-0")}},
		AttributeUpdates: map[string]types.AttributeValueUpdate{"childShardIds": put(&types.AttributeValueMemberSS{Value: []string{"shardId-2", "shardId-3"}})}}))(s)

	lock := item{"leaseKey": str("Leader"), "ownerName": str("worker-1"), "leaseDuration": str("120000"), "recordVersionNumber": str("v1"), "entityType": str("LEADER")}
	must(s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: app, Item: lock, ConditionExpression: aws.String("attribute_not_exists(#pk) OR (attribute_exists(#pk) AND #rel = :true)"),
		ExpressionAttributeNames: map[string]string{"#pk": "leaseKey", "#rel": "isReleased"}, ExpressionAttributeValues: item{":true": str("1")}}))(s)
	must(s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: app, Key: key("Leader"), UpdateExpression: aws.String("SET #ld = :ld, #rvn = :new"), ConditionExpression: aws.String("attribute_exists(#pk) AND #rvn = :old AND #on = :on"),
		ExpressionAttributeNames: map[string]string{"#pk": "leaseKey", "#ld": "leaseDuration", "#rvn": "recordVersionNumber", "#on": "ownerName"}, ExpressionAttributeValues: item{":ld": str("120000"), ":new": str("v2"), ":old": str("v1"), ":on": str("worker-1")}}))(s)
	if got := must(s.GetItem(s.ctx, &dynamodb.GetItemInput{TableName: app, Key: key("Leader"), ConsistentRead: aws.Bool(true)}))(s); show(item{"v": got.Item["recordVersionNumber"]}) != "{v:v2}" {
		t.Errorf("the leader's lock is %s", show(got.Item))
	}

	count := 0
	for segment := range int32(5) {
		for p := dynamodb.NewScanPaginator(s.Client, &dynamodb.ScanInput{TableName: app, Segment: &segment, TotalSegments: aws.Int32(5)}); p.HasMorePages(); {
			count += int(must(p.NextPage(s.ctx))(s).Count)
		}
	}
	if count != 3 {
		t.Errorf("a parallel scan has %d items, want two leases and a lock", count)
	}
	if got := must(s.Scan(s.ctx, &dynamodb.ScanInput{TableName: app, FilterExpression: aws.String("entityType = :t"), ExpressionAttributeValues: item{":t": str("LEADER")}}))(s); got.Count != 1 {
		t.Errorf("%d leaders", got.Count)
	}

	s.table("app-CoordinatorState", false, nil)
	s.put("app-CoordinatorState", item{"k": str("Migration3.0"), "cv": str("CLIENT_VERSION_3X")})
	move := []types.TransactWriteItem{
		{Put: &types.Put{TableName: app, Item: item{"leaseKey": str("Migration3.0"), "cv": str("CLIENT_VERSION_3X"), "entityType": str("CLIENT_VERSION_MIGRATION")}, ConditionExpression: aws.String("attribute_not_exists(leaseKey)")}},
		{Delete: &types.Delete{TableName: aws.String("app-CoordinatorState"), Key: item{"k": str("Migration3.0")}}},
	}
	must(s.TransactWriteItems(s.ctx, &dynamodb.TransactWriteItemsInput{TransactItems: move}))(s)
	_, err = s.TransactWriteItems(s.ctx, &dynamodb.TransactWriteItemsInput{TransactItems: move})
	if e, is := as[*types.TransactionCanceledException](err); !is || fmt.Sprint(*e.CancellationReasons[0].Code, *e.CancellationReasons[1].Code) != "ConditionalCheckFailed"+"None" {
		t.Errorf("a second migration: %v", err)
	}
	must(s.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: app, Key: key("shardId-0")}))(s)
	must(s.DeleteTable(s.ctx, &dynamodb.DeleteTableInput{TableName: app}))(s)
}

// TestManyExpectations sends a condition of five thousand parts: what fits into a request is done, and goes through the log like any other.
func TestManyExpectations(t *testing.T) {
	s := begin(t)
	s.table("many", false, nil)
	in := &dynamodb.PutItemInput{TableName: aws.String("many"), Item: item{"k": str("a")}, Expected: map[string]types.ExpectedAttributeValue{}}
	for i := range 5000 {
		in.Expected[fmt.Sprint("attribute", i)] = types.ExpectedAttributeValue{Exists: aws.Bool(false)}
	}
	must(s.PutItem(s.ctx, in))(s)
	up := &dynamodb.UpdateItemInput{TableName: aws.String("many"), Key: item{"k": str("a")}, AttributeUpdates: map[string]types.AttributeValueUpdate{}}
	for i := range 5000 {
		up.AttributeUpdates[fmt.Sprint("attribute", i)] = types.AttributeValueUpdate{Action: "PUT", Value: num("1")}
	}
	must(s.UpdateItem(s.ctx, up))(s)
	if _, err := s.PutItem(s.ctx, in); err == nil {
		t.Error("a condition of five thousand parts that does not hold is not seen")
	}
}
