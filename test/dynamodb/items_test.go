package dynamodb

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestItems writes and reads an item of every type, parts of it, and removes it.
func TestItems(t *testing.T) {
	s := begin(t)
	s.table("items", true, nil)
	whole := item{
		"k": str("a"), "r": num("1.50"), "big": num("12345678901234567890123456789012345678"), "small": num("1e-3"), "b": &types.AttributeValueMemberB{Value: []byte{0, 1}},
		"yes": &types.AttributeValueMemberBOOL{Value: true}, "nothing": &types.AttributeValueMemberNULL{Value: true}, "empty": str(""),
		"ss": &types.AttributeValueMemberSS{Value: []string{"b", "a"}}, "ns": &types.AttributeValueMemberNS{Value: []string{"10", "9", "1.0"}},
		"bs": &types.AttributeValueMemberBS{Value: [][]byte{{1}, {2}}},
		"l":  &types.AttributeValueMemberL{Value: []types.AttributeValue{num("1"), str("x"), &types.AttributeValueMemberM{Value: item{"in": str("y")}}}},
		"m":  &types.AttributeValueMemberM{Value: item{"n": num("5"), "l": &types.AttributeValueMemberL{Value: []types.AttributeValue{}}}},
	}
	s.put("items", whole)
	key := item{"k": str("a"), "r": num("1.5")}
	got := must(s.GetItem(s.ctx, &dynamodb.GetItemInput{TableName: aws.String("items"), Key: key, ConsistentRead: aws.Bool(true)}))(s)
	want := "{b:\\u0000\\u0001,big:12345678901234567890123456789012345678,bs:2,empty:,k:a,l:[1,x,{in:y}],m:{l:[],n:5},nothing:null,ns:[1,9,10],r:1.5,small:0.001,ss:[a,b],yes:true}"
	if show(got.Item) != want {
		t.Errorf("read back\n%s, want\n%s", show(got.Item), want)
	}
	got = must(s.GetItem(s.ctx, &dynamodb.GetItemInput{TableName: aws.String("items"), Key: key, ProjectionExpression: aws.String("l[2].#i, m.n, k, missing_one"),
		ExpressionAttributeNames: map[string]string{"#i": "in"}}))(s)
	if show(got.Item) != "{k:a,l:[{in:y}],m:{n:5}}" {
		t.Errorf("a projection gives %s", show(got.Item))
	}
	old := must(s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: aws.String("items"), Item: item{"k": str("a"), "r": num("1.5"), "v": num("2")}, ReturnValues: "ALL_OLD"}))(s)
	if show(old.Attributes) != want {
		t.Errorf("ALL_OLD of a put is %s", show(old.Attributes))
	}
	deleted := must(s.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: aws.String("items"), Key: key, ReturnValues: "ALL_OLD"}))(s)
	if show(deleted.Attributes) != "{k:a,r:1.5,v:2}" {
		t.Errorf("ALL_OLD of a delete is %s", show(deleted.Attributes))
	}
	if got := must(s.GetItem(s.ctx, &dynamodb.GetItemInput{TableName: aws.String("items"), Key: key}))(s); got.Item != nil {
		t.Errorf("a deleted item is %s", show(got.Item))
	}
	if got := must(s.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: aws.String("items"), Key: key, ReturnValues: "ALL_OLD"}))(s); got.Attributes != nil {
		t.Errorf("deleting again gives %s", show(got.Attributes))
	}
}

// TestItemErrors holds the texts of what is wrong with items, keys and parameters.
func TestItemErrors(t *testing.T) {
	s := begin(t)
	s.table("t01", true, nil)
	put := func(it string) string { return `{"TableName":"t01","Item":` + it + `}` }
	key := `{"k":{"S":"a"},"r":{"N":"1"}}`
	for _, row := range []struct{ operation, body, want string }{
		{"PutItem", `{"TableName":"nope","Item":{"k":{"S":"a"}}}`, "ResourceNotFoundException: Requested resource not found"},
		{"PutItem", put(`{"k":{"S":"a"}}`), "ValidationException: One or more parameter values were invalid: Missing the key r in the item"},
		{"PutItem", put(`{"k":{"N":"1"},"r":{"N":"1"}}`), "ValidationException: One or more parameter values were invalid: Type mismatch for key k expected: S actual: N"},
		{"PutItem", put(`{"k":{"S":""},"r":{"N":"1"}}`), "ValidationException: One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: k"},
		{"PutItem", put(`{"k":{"S":"` + strings.Repeat("x", 2049) + `"},"r":{"N":"1"}}`), "ValidationException: One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"},
		{"PutItem", put(`{"k":{"S":"a"},"r":{"N":"1"},"x":{}}`), "ValidationException: Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
		{"PutItem", put(`{"k":{"S":"a"},"r":{"N":"1"},"x":{"S":"a","N":"1"}}`), "ValidationException: Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"},
		{"PutItem", put(`{"k":{"S":"a"},"r":{"N":"x"}}`), "ValidationException: The parameter cannot be converted to a numeric value: x"},
		{"PutItem", put(`{"k":{"S":"a"},"r":{"N":"1"},"x":{"N":"123456789012345678901234567890123456789"}}`), "ValidationException: Attempting to store more than 38 significant digits in a Number"},
		{"PutItem", put(`{"k":{"S":"a"},"r":{"N":"1"},"x":{"N":"1e126"}}`), "ValidationException: Number overflow. Attempting to store a number with magnitude larger than supported range"},
		{"PutItem", put(`{"k":{"S":"a"},"r":{"N":"1"},"x":{"SS":[]}}`), "ValidationException: One or more parameter values were invalid: An string set  may not be empty"},
		{"PutItem", put(`{"k":{"S":"a"},"r":{"N":"1"},"x":{"SS":["a","a"]}}`), "ValidationException: One or more parameter values were invalid: Input collection [a, a] contains duplicates."},
		{"PutItem", put(`{"k":{"S":"a"},"r":{"N":"1"},"x":{"NS":["1","1.0"]}}`), "ValidationException: Input collection contains duplicates"},
		{"PutItem", put(`{"k":{"S":"a"},"r":{"N":"1"},"x":{"NULL":false}}`), "ValidationException: One or more parameter values were invalid: Null attribute value types must have the value of true"},
		{"PutItem", put(`{"k":{"S":"a"},"r":{"N":"1"},"x":{"S":"` + strings.Repeat("x", 400<<10) + `"}}`), "ValidationException: Item size has exceeded the maximum allowed size"},
		{"PutItem", put(`{"k":{"S":"a"},"r":{"N":"1"},"x":` + strings.Repeat(`{"L":[`, 33) + strings.Repeat(`]}`, 33) + `}`), "ValidationException: Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"},
		{"PutItem", `{"TableName":"t01","Item":` + key + `,"ReturnValues":"ALL_NEW"}`, "ValidationException: ReturnValues can only be ALL_OLD or NONE"},
		{"PutItem", `{"TableName":"a","Item":` + key + `}`, "ValidationException: Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'"},
		{"PutItem", `{"TableName":"t01","Item":` + key + `,"ExpressionAttributeValues":{":a":{"S":"a"}}}`, "ValidationException: ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null"},
		{"PutItem", `{"TableName":"t01","Item":` + key + `,"ExpressionAttributeNames":{"#a":"a"}}`, "ValidationException: ExpressionAttributeNames can only be specified when using expressions"},
		{"PutItem", `{"TableName":"t01","Item":` + key + `,"ConditionExpression":"attribute_exists(k)","Expected":{}}`, "ValidationException: Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}"},
		{"PutItem", `{"TableName":"t01","Item":` + key + `,"ConditionExpression":"k = :a","ExpressionAttributeValues":{":a":{"S":"a"},":b":{"S":"a"}}}`, "ValidationException: Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}"},
		{"GetItem", `{"TableName":"t01","Key":{"k":{"S":"a"}}}`, "ValidationException: The provided key element does not match the schema"},
		{"GetItem", `{"TableName":"t01","Key":{"k":{"S":"a"},"r":{"S":"1"}}}`, "ValidationException: The provided key element does not match the schema"},
		{"UpdateItem", `{"TableName":"t01","Key":` + key + `,"UpdateExpression":"SET r = :a","ExpressionAttributeValues":{":a":{"N":"1"}}}`, "ValidationException: One or more parameter values were invalid: Cannot update attribute r. This attribute is part of the key"},
		{"UpdateItem", `{"TableName":"t01","Key":` + key + `,"UpdateExpression":"SET x = y"}`, "ValidationException: The provided expression refers to an attribute that does not exist in the item"},
		{"UpdateItem", `{"TableName":"t01","Key":` + key + `,"UpdateExpression":"SET x.y = :a","ExpressionAttributeValues":{":a":{"N":"1"}}}`, "ValidationException: The document path provided in the update expression is invalid for update"},
		{"PutItem", `{"TableName":"t01"}`, "ValidationException: 1 validation error detected: Value null at 'item' failed to satisfy constraint: Member must not be null"},
		{"PutItem", `{"TableName":5}`, "SerializationException: class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String"},
	} {
		if got := s.refusal(row.operation, row.body); got != row.want {
			t.Errorf("%s %.120s:\n got %s\nwant %s", row.operation, row.body, got, row.want)
		}
	}
}

// TestConditionalWrites shows what a write answers whose condition does not hold.
func TestConditionalWrites(t *testing.T) {
	s := begin(t)
	s.table("conditional", false, nil)
	s.put("conditional", item{"k": str("a"), "n": num("1")})
	_, err := s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: aws.String("conditional"), Item: item{"k": str("a")}, ConditionExpression: aws.String("attribute_not_exists(k)"),
		ReturnValuesOnConditionCheckFailure: "ALL_OLD"})
	if e, is := as[*types.ConditionalCheckFailedException](err); !is || show(e.Item) != "{k:a,n:1}" || e.ErrorMessage() != "The conditional request failed" {
		t.Errorf("a put: %v", err)
	}
	_, err = s.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: aws.String("conditional"), Key: item{"k": str("a")}, ConditionExpression: aws.String("n > :n"), ExpressionAttributeValues: item{":n": num("1")}})
	if e, is := as[*types.ConditionalCheckFailedException](err); !is || e.Item != nil {
		t.Errorf("a delete: %v", err)
	}
	up := must(s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: aws.String("conditional"), Key: item{"k": str("a")}, UpdateExpression: aws.String("SET n = n + :one"),
		ConditionExpression: aws.String("n = :one AND attribute_type(k, :s)"), ExpressionAttributeValues: item{":one": num("1"), ":s": str("S")}, ReturnValues: "ALL_NEW"}))(s)
	if show(up.Attributes) != "{k:a,n:2}" {
		t.Errorf("an update gives %s", show(up.Attributes))
	}
	if got := s.call("PutItem", `{"TableName":"conditional","Item":{"k":{"S":"a"}},"ConditionExpression":"attribute_not_exists(k)"}`); got !=
		`400 {"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed"}` {
		t.Errorf("on the wire it is %s", got)
	}
}

// TestUpdateExpressions shows ReturnValues and the sections together; every corner of the language is in internal/tables/expr.
func TestUpdateExpressions(t *testing.T) {
	s := begin(t)
	s.table("updates", false, nil)
	s.put("updates", item{"k": str("a"), "n": num("1"), "l": &types.AttributeValueMemberL{Value: []types.AttributeValue{num("1")}}, "s": &types.AttributeValueMemberSS{Value: []string{"x", "y"}}, "gone": str("z")})
	for _, row := range []struct {
		update string
		values item
		answer types.ReturnValue
		want   string
	}{
		{"SET l = list_append(l, :l), m = if_not_exists(m, :m) REMOVE gone ADD n :n DELETE s :s", item{":l": &types.AttributeValueMemberL{Value: []types.AttributeValue{num("2")}},
			":m": &types.AttributeValueMemberM{Value: item{"deep": num("0")}}, ":n": num("0.5"), ":s": &types.AttributeValueMemberSS{Value: []string{"x"}}}, "ALL_NEW", "{k:a,l:[1,2],m:{deep:0},n:1.5,s:[y]}"},
		{"SET m.deep = :n", item{":n": num("7")}, "UPDATED_NEW", "{m:{deep:7}}"},
		{"SET m.deep = :n, l[1] = :n", item{":n": num("8")}, "UPDATED_OLD", "{l:[2],m:{deep:7}}"},
		{"REMOVE l[0]", nil, "ALL_OLD", "{k:a,l:[1,8],m:{deep:8},n:1.5,s:[y]}"},
		{"REMOVE m", nil, "NONE", ""},
	} {
		got := must(s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: aws.String("updates"), Key: item{"k": str("a")}, UpdateExpression: &row.update, ExpressionAttributeValues: row.values, ReturnValues: row.answer}))(s)
		if show(got.Attributes) != row.want {
			t.Errorf("%s answers %s, want %s", row.update, show(got.Attributes), row.want)
		}
	}
}

// TestConsumedCapacity shows what reads and writes cost, with an index.
func TestConsumedCapacity(t *testing.T) {
	s := begin(t)
	s.table("capacity", false, func(in *dynamodb.CreateTableInput) {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: aws.String("g"), AttributeType: "S"})
		in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{IndexName: aws.String("byG"), KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("g"), KeyType: "HASH"}},
			Projection: &types.Projection{ProjectionType: "ALL"}}}
	})
	wrote := must(s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: aws.String("capacity"), Item: item{"k": str("a"), "g": str("g"), "x": str(strings.Repeat("x", 2500))}, ReturnConsumedCapacity: "INDEXES"}))(s).ConsumedCapacity
	if *wrote.CapacityUnits != 6 || *wrote.Table.CapacityUnits != 3 || *wrote.GlobalSecondaryIndexes["byG"].CapacityUnits != 3 || *wrote.TableName != "capacity" {
		t.Errorf("a put of 2.5 KB costs %v, %v, %v", *wrote.CapacityUnits, *wrote.Table.CapacityUnits, wrote.GlobalSecondaryIndexes)
	}
	for _, row := range []struct {
		consistent bool
		want       float64
	}{{true, 1}, {false, 0.5}} {
		read := must(s.GetItem(s.ctx, &dynamodb.GetItemInput{TableName: aws.String("capacity"), Key: item{"k": str("a")}, ConsistentRead: &row.consistent, ReturnConsumedCapacity: "TOTAL"}))(s).ConsumedCapacity
		if *read.CapacityUnits != row.want || read.Table != nil {
			t.Errorf("a read costs %v, want %v", *read.CapacityUnits, row.want)
		}
	}
	queried := must(s.Query(s.ctx, &dynamodb.QueryInput{TableName: aws.String("capacity"), IndexName: aws.String("byG"), KeyConditionExpression: aws.String("g = :g"),
		ExpressionAttributeValues: item{":g": str("g")}, ReturnConsumedCapacity: "INDEXES"}))(s).ConsumedCapacity
	if *queried.CapacityUnits != 0.5 || *queried.GlobalSecondaryIndexes["byG"].CapacityUnits != 0.5 || *queried.Table.CapacityUnits != 0 {
		t.Errorf("a query of an index costs %v", *queried.CapacityUnits)
	}
}
