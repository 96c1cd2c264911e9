package dynamodb

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// gsi describes an index on an attribute that is a string.
func gsi(name, hash, projection string) types.GlobalSecondaryIndex {
	return types.GlobalSecondaryIndex{IndexName: &name, KeySchema: []types.KeySchemaElement{{AttributeName: &hash, KeyType: "HASH"}}, Projection: &types.Projection{ProjectionType: types.ProjectionType(projection)}}
}

// TestTableLife makes, describes, lists and deletes tables, and waits with the SDK's own waiters.
func TestTableLife(t *testing.T) {
	s := begin(t)
	if names := must(s.ListTables(s.ctx, &dynamodb.ListTablesInput{}))(s).TableNames; len(names) != 0 {
		t.Errorf("at first there are %v", names)
	}
	made := must(s.CreateTable(s.ctx, &dynamodb.CreateTableInput{
		TableName: aws.String("life"), BillingMode: "PROVISIONED", ProvisionedThroughput: &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(5), WriteCapacityUnits: aws.Int64(6)},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("k"), AttributeType: "S"}, {AttributeName: aws.String("r"), AttributeType: "B"}, {AttributeName: aws.String("g"), AttributeType: "S"}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("k"), KeyType: "HASH"}, {AttributeName: aws.String("r"), KeyType: "RANGE"}},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{func() types.GlobalSecondaryIndex {
			g := gsi("byG", "g", "KEYS_ONLY")
			g.ProvisionedThroughput = &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(1), WriteCapacityUnits: aws.Int64(2)}
			return g
		}()},
		StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: "NEW_IMAGE"}, DeletionProtectionEnabled: aws.Bool(true), TableClass: "STANDARD_INFREQUENT_ACCESS",
	}))(s).TableDescription
	if made.TableStatus != "CREATING" {
		t.Errorf("CreateTable answers %s", made.TableStatus)
	}
	if err := dynamodb.NewTableExistsWaiter(s.Client, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay, o.MaxDelay = time.Millisecond, time.Second }).Wait(s.ctx, &dynamodb.DescribeTableInput{TableName: aws.String("life")}, patience); err != nil {
		t.Fatal(err)
	}
	arn := "arn:aws:dynamodb:us-east-1:" + s.account + ":table/life"
	d := must(s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: &arn}))(s).Table
	got := fmt.Sprint(d.TableStatus, " ", *d.TableArn == arn, " ", *d.ProvisionedThroughput.ReadCapacityUnits, *d.ProvisionedThroughput.WriteCapacityUnits, " ", *d.GlobalSecondaryIndexes[0].IndexName,
		" ", d.GlobalSecondaryIndexes[0].IndexStatus, " ", *d.GlobalSecondaryIndexes[0].ProvisionedThroughput.WriteCapacityUnits, " ", d.StreamSpecification.StreamViewType, " ",
		strings.HasPrefix(*d.LatestStreamArn, arn+"/stream/"+*d.LatestStreamLabel), " ", *d.DeletionProtectionEnabled, " ", d.TableClassSummary.TableClass, " ", len(d.AttributeDefinitions), " ", len(*d.TableId), " ", *d.ItemCount)
	if want := "ACTIVE true 5 6 byG ACTIVE 2 NEW_IMAGE true true STANDARD_INFREQUENT_ACCESS 3 36 0"; got != want {
		t.Errorf("described as %s, want %s", got, want)
	}
	for i := range 3 {
		s.table(fmt.Sprint("more", i), false, nil)
	}
	first := must(s.ListTables(s.ctx, &dynamodb.ListTablesInput{Limit: aws.Int32(3)}))(s)
	second := must(s.ListTables(s.ctx, &dynamodb.ListTablesInput{ExclusiveStartTableName: first.LastEvaluatedTableName}))(s)
	if got := fmt.Sprint(first.TableNames, *first.LastEvaluatedTableName, second.TableNames, second.LastEvaluatedTableName == nil); got != "[life more0 more1]more1[more2] true" {
		t.Errorf("listed as %s", got)
	}
	if _, err := s.DeleteTable(s.ctx, &dynamodb.DeleteTableInput{TableName: aws.String("life")}); err == nil || !strings.Contains(err.Error(), "protected against deletion") {
		t.Errorf("deleting a protected table: %v", err)
	}
	must(s.UpdateTable(s.ctx, &dynamodb.UpdateTableInput{TableName: aws.String("life"), DeletionProtectionEnabled: aws.Bool(false)}))(s)
	s.active("life")
	if d := must(s.DeleteTable(s.ctx, &dynamodb.DeleteTableInput{TableName: aws.String("life")}))(s).TableDescription; d.TableStatus != "DELETING" {
		t.Errorf("DeleteTable answers %s", d.TableStatus)
	}
	if err := dynamodb.NewTableNotExistsWaiter(s.Client, func(o *dynamodb.TableNotExistsWaiterOptions) { o.MinDelay, o.MaxDelay = time.Millisecond, time.Second }).Wait(s.ctx, &dynamodb.DescribeTableInput{TableName: aws.String("life")}, patience); err != nil {
		t.Fatal(err)
	}
}

// TestTableErrors holds the texts of what is wrong with tables, and the options that are refused by name.
func TestTableErrors(t *testing.T) {
	s := begin(t)
	s.table("taken", false, nil)
	create := func(rest string) string {
		return `{"TableName":"new","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"k","AttributeType":"S"}],"KeySchema":[{"AttributeName":"k","KeyType":"HASH"}]` + rest + `}`
	}
	const notYet = " is not supported by this version of Weir."
	for _, row := range []struct{ operation, body, want string }{
		{"CreateTable", strings.Replace(create(""), "new", "taken", 1), "ResourceInUseException: Table already exists: taken"},
		{"CreateTable", strings.Replace(create(""), `"BillingMode":"PAY_PER_REQUEST",`, "", 1), "ValidationException: One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"},
		{"CreateTable", create(`,"ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1}`), "ValidationException: One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"},
		{"CreateTable", strings.Replace(create(""), `"HASH"`, `"RANGE"`, 1), "ValidationException: Invalid KeySchema: The first KeySchemaElement is not a HASH key type"},
		{"CreateTable", strings.Replace(create(""), `"AttributeName":"k","KeyType"`, `"AttributeName":"q","KeyType"`, 1), "ValidationException: One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [q], AttributeDefinitions: [k]"},
		{"CreateTable", strings.Replace(create(""), `"AttributeType":"S"}]`, `"AttributeType":"S"},{"AttributeName":"x","AttributeType":"S"}]`, 1), "ValidationException: One or more parameter values were invalid: Some AttributeDefinitions are not used. AttributeDefinitions: [k, x], keys used: [k]"},
		{"CreateTable", create(`,"StreamSpecification":{"StreamEnabled":true}`), "ValidationException: One or more parameter values were invalid: StreamViewType must be specified when StreamEnabled is true"},
		{"CreateTable", create(`,"LocalSecondaryIndexes":[{"IndexName":"lsi","KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"}}]`), "ValidationException: LocalSecondaryIndexes" + notYet},
		{"CreateTable", create(`,"SSESpecification":{"Enabled":true}`), "ValidationException: SSESpecification" + notYet},
		{"CreateTable", create(`,"WarmThroughput":{"ReadUnitsPerSecond":1}`), "ValidationException: WarmThroughput" + notYet},
		{"CreateTable", create(`,"ResourcePolicy":"{}"`), "ValidationException: ResourcePolicy" + notYet},
		{"UpdateTable", `{"TableName":"taken","ReplicaUpdates":[{"Create":{"RegionName":"eu-west-1"}}]}`, "ValidationException: ReplicaUpdates" + notYet},
		{"UpdateTable", `{"TableName":"taken"}`, "ValidationException: At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required"},
		{"UpdateTable", `{"TableName":"taken","StreamSpecification":{"StreamEnabled":false}}`, "ValidationException: Table has no stream to disable: TableName: taken"},
		{"UpdateTable", `{"TableName":"taken","GlobalSecondaryIndexUpdates":[{"Delete":{"IndexName":"none"}}]}`, "ResourceNotFoundException: Requested resource not found"},
		{"DescribeTable", `{"TableName":"nope"}`, "ResourceNotFoundException: Requested resource not found: Table: nope not found"},
		{"DeleteTable", `{"TableName":"nope"}`, "ResourceNotFoundException: Requested resource not found: Table: nope not found"},
		{"DescribeTable", `{"TableName":"arn:aws:dynamodb:us-east-1:999999999999:table/taken"}`, "AccessDeniedException: User: " + s.account + " is not authorized to access the resource arn:aws:dynamodb:us-east-1:999999999999:table/taken: access across accounts is not supported by this version of Weir."},
	} {
		if got := s.refusal(row.operation, row.body); got != row.want {
			t.Errorf("%s %.140s:\n got %s\nwant %s", row.operation, row.body, got, row.want)
		}
	}
}

// TestUpdateTable changes billing and throughput, and makes and removes an index while items are there.
func TestUpdateTable(t *testing.T) {
	s := begin(t)
	s.table("update", false, nil)
	for i := range 700 { // more than one piece of filling
		s.put("update", item{"k": str(fmt.Sprint(i)), "g": str(fmt.Sprint("g", i%7)), "x": str("x")})
	}
	began := time.Now()
	up := must(s.UpdateTable(s.ctx, &dynamodb.UpdateTableInput{TableName: aws.String("update"),
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("g"), AttributeType: "S"}},
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{IndexName: aws.String("byG"),
			KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("g"), KeyType: "HASH"}}, Projection: &types.Projection{ProjectionType: "KEYS_ONLY"}}}},
	}))(s).TableDescription
	if up.TableStatus != "UPDATING" {
		t.Errorf("UpdateTable answers %s", up.TableStatus)
	}
	d := s.active("update")
	if took := time.Since(began); took > time.Second {
		t.Errorf("an index on 700 items took %s to become ACTIVE", took)
	}
	if ix := d.GlobalSecondaryIndexes[0]; *ix.ItemCount != 700 || *d.ItemCount != 700 {
		t.Errorf("the index counts %d, the table %d", *ix.ItemCount, *d.ItemCount)
	}
	got := must(s.Query(s.ctx, &dynamodb.QueryInput{TableName: aws.String("update"), IndexName: aws.String("byG"), KeyConditionExpression: aws.String("g = :g"), ExpressionAttributeValues: item{":g": str("g3")}}))(s)
	if got.Count != 100 || len(got.Items[0]) != 2 {
		t.Errorf("the index has %d items of g3, the first %s", got.Count, show(got.Items[0]))
	}
	must(s.UpdateTable(s.ctx, &dynamodb.UpdateTableInput{TableName: aws.String("update"), BillingMode: "PROVISIONED", ProvisionedThroughput: &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(3), WriteCapacityUnits: aws.Int64(4)}}))(s)
	if d := s.active("update"); d.BillingModeSummary.BillingMode != "PROVISIONED" || *d.ProvisionedThroughput.WriteCapacityUnits != 4 {
		t.Errorf("billing is %v, %d", d.BillingModeSummary.BillingMode, *d.ProvisionedThroughput.WriteCapacityUnits)
	}
	must(s.UpdateTable(s.ctx, &dynamodb.UpdateTableInput{TableName: aws.String("update"), GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Delete: &types.DeleteGlobalSecondaryIndexAction{IndexName: aws.String("byG")}}}}))(s)
	eventually(t, "the index to be gone", func() bool { return len(s.active("update").GlobalSecondaryIndexes) == 0 })
}

// TestTimeToLive lets an item expire on a test clock, with its change record.
func TestTimeToLive(t *testing.T) {
	n, err := start(t.TempDir(), "2026-03-01T12:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(n); err != nil {
			t.Error(err)
		}
	})
	s := connect(t, n, "000000000000")
	s.table("ttl", false, func(in *dynamodb.CreateTableInput) {
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: "OLD_IMAGE"}
	})
	describe := func() string {
		d := must(s.DescribeTimeToLive(s.ctx, &dynamodb.DescribeTimeToLiveInput{TableName: aws.String("ttl")}))(s).TimeToLiveDescription
		return string(d.TimeToLiveStatus) + " " + aws.ToString(d.AttributeName)
	}
	if got := describe(); got != "DISABLED " {
		t.Errorf("at first it is %s", got)
	}
	must(s.UpdateTimeToLive(s.ctx, &dynamodb.UpdateTimeToLiveInput{TableName: aws.String("ttl"), TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("end"), Enabled: aws.Bool(true)}}))(s)
	eventually(t, "expiry to be ENABLED", func() bool { return describe() == "ENABLED end" })
	at := time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC)
	s.put("ttl", item{"k": str("a"), "end": num(fmt.Sprint(at.Unix()))})
	s.put("ttl", item{"k": str("b"), "end": num(fmt.Sprint(at.Add(time.Hour).Unix()))})
	s.advance("59m")
	if got := must(s.Scan(s.ctx, &dynamodb.ScanInput{TableName: aws.String("ttl")}))(s).Count; got != 2 {
		t.Errorf("a minute before there are %d items", got)
	}
	s.advance("2m")
	if got := must(s.Scan(s.ctx, &dynamodb.ScanInput{TableName: aws.String("ttl")}))(s).Items; len(got) != 1 || show(item{"k": got[0]["k"]}) != "{k:b}" {
		t.Errorf("a minute after there are %d items", len(got))
	}
	records := s.changes(s.streamOf("ttl"), "TRIM_HORIZON")
	last := records[len(records)-1]
	if last.EventName != "REMOVE" || aws.ToString(last.UserIdentity.PrincipalId) != "dynamodb.amazonaws.com" || aws.ToString(last.UserIdentity.Type) != "Service" {
		t.Errorf("the last change is %s by %v", last.EventName, last.UserIdentity)
	}
	if got := s.refusal("UpdateTimeToLive", `{"TableName":"ttl","TimeToLiveSpecification":{"AttributeName":"end","Enabled":true}}`); got != "ValidationException: TimeToLive is already enabled" {
		t.Error(got)
	}
	if got := s.refusal("UpdateTimeToLive", `{"TableName":"ttl","TimeToLiveSpecification":{"AttributeName":"other","Enabled":false}}`); got != "ValidationException: TimeToLive is active on a different AttributeName: current AttributeName is end" {
		t.Error(got)
	}
	must(s.UpdateTimeToLive(s.ctx, &dynamodb.UpdateTimeToLiveInput{TableName: aws.String("ttl"), TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("end"), Enabled: aws.Bool(false)}}))(s)
	eventually(t, "expiry to be DISABLED", func() bool { return describe() == "DISABLED " })
}

// TestTableTags adds, replaces, removes and lists tags.
func TestTableTags(t *testing.T) {
	s := begin(t)
	s.table("tags", false, func(in *dynamodb.CreateTableInput) {
		in.Tags = []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}
	})
	arn := aws.String("arn:aws:dynamodb:us-east-1:" + s.account + ":table/tags")
	must(s.TagResource(s.ctx, &dynamodb.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("2")}, {Key: aws.String("b"), Value: aws.String("")}}}))(s)
	must(s.UntagResource(s.ctx, &dynamodb.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"b", "none"}}))(s)
	tags := must(s.ListTagsOfResource(s.ctx, &dynamodb.ListTagsOfResourceInput{ResourceArn: arn}))(s).Tags
	if len(tags) != 1 || *tags[0].Key != "a" || *tags[0].Value != "2" {
		t.Errorf("tags are %v", tags)
	}
	if got := s.refusal("TagResource", `{"ResourceArn":"`+*arn+`","Tags":[{"Key":"aws:x","Value":""}]}`); got != "ValidationException: One or more parameter values were invalid: The tag key aws:x is reserved: it begins with aws:" {
		t.Error(got)
	}
}

// TestTablesAbout asks for endpoints, limits and backups.
func TestTablesAbout(t *testing.T) {
	s := begin(t)
	s.table("about", false, nil)
	if got := s.call("DescribeEndpoints", "{}"); got != `{"Endpoints":[{"Address":"`+s.node.Addr()+`","CachePeriodInMinutes":1440}]}` {
		t.Error(got)
	}
	if got := must(s.DescribeLimits(s.ctx, &dynamodb.DescribeLimitsInput{}))(s); *got.TableMaxReadCapacityUnits != 40000 || *got.AccountMaxWriteCapacityUnits != 80000 {
		t.Errorf("limits are %v", got)
	}
	got := must(s.DescribeContinuousBackups(s.ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: aws.String("about")}))(s).ContinuousBackupsDescription
	if got.ContinuousBackupsStatus != "DISABLED" || got.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus != "DISABLED" {
		t.Errorf("continuous backups are %v", got)
	}
}

// TestTableOperationsAbsent: what is not done is refused by name, what does not exist as AWS does.
func TestTableOperationsAbsent(t *testing.T) {
	s := begin(t)
	served := []string{"BatchGetItem", "BatchWriteItem", "CreateTable", "DeleteItem", "DeleteTable", "DescribeContinuousBackups", "DescribeEndpoints", "DescribeLimits", "DescribeTable", "DescribeTimeToLive",
		"GetItem", "ListTables", "ListTagsOfResource", "PutItem", "Query", "Scan", "TagResource", "TransactGetItems", "TransactWriteItems", "UntagResource", "UpdateItem", "UpdateTable", "UpdateTimeToLive"}
	absent := 0
	for operation := range shapes.Service.Operations {
		if slices.Contains(served, operation) {
			continue
		}
		absent++
		want := `400 {"__type":"com.amazon.coral.service#UnsupportedOperationException","message":"The operation ` + operation + ` is not supported by this version of Weir."}`
		if got := s.call(operation, "{}"); got != want {
			t.Errorf("%s: %s", operation, got)
		}
	}
	if absent+len(served) != 58 {
		t.Errorf("%d operations are served and %d are not; the model has 58", len(served), absent)
	}
	if got := s.call("MakeCoffee", "{}"); got != `400 {"__type":"com.amazon.coral.service#UnknownOperationException"}` {
		t.Error(got)
	}
}
