package dynamodb

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// numbered makes a table whose hash key h has the range keys 0 to n−1, and g, an attribute that an index has as its key, on every third.
func (s *session) numbered(name string, n int) {
	s.t.Helper()
	s.table(name, true, func(in *dynamodb.CreateTableInput) {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: aws.String("g"), AttributeType: "S"})
		byG := gsi("byG", "g", "INCLUDE")
		byG.Projection.NonKeyAttributes = []string{"x"}
		byG.KeySchema = append(byG.KeySchema, types.KeySchemaElement{AttributeName: aws.String("r"), KeyType: "RANGE"})
		in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{byG}
	})
	for from := 0; from < n; from += 25 {
		var batch []types.WriteRequest
		for i := from; i < min(from+25, n); i++ {
			it := item{"k": str("h"), "r": num(fmt.Sprint(i)), "x": num(fmt.Sprint(i * i)), "y": str("y")}
			if i%3 == 0 {
				it["g"] = str("g")
			}
			batch = append(batch, types.WriteRequest{PutRequest: &types.PutRequest{Item: it}})
		}
		must(s.BatchWriteItem(s.ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{name: batch}}))(s)
	}
}

// ranges is the range keys of items, in their order.
func ranges(items []map[string]types.AttributeValue) string {
	var out []string
	for _, it := range items {
		out = append(out, it["r"].(*types.AttributeValueMemberN).Value)
	}
	return strings.Join(out, " ")
}

// TestQuery reads ranges, backwards, in pages, filtered, projected, counted, and from an index.
func TestQuery(t *testing.T) {
	s := begin(t)
	s.numbered("query", 12)
	q := func(change func(*dynamodb.QueryInput)) *dynamodb.QueryOutput {
		t.Helper()
		in := &dynamodb.QueryInput{TableName: aws.String("query"), KeyConditionExpression: aws.String("k = :k"), ExpressionAttributeValues: item{":k": str("h")}}
		change(in)
		return must(s.Query(s.ctx, in))(s)
	}
	if got := ranges(q(func(*dynamodb.QueryInput) {}).Items); got != "0 1 2 3 4 5 6 7 8 9 10 11" {
		t.Errorf("all: %s", got)
	}
	got := q(func(in *dynamodb.QueryInput) {
		in.KeyConditionExpression = aws.String("k = :k AND r BETWEEN :a AND :b")
		in.ExpressionAttributeValues[":a"], in.ExpressionAttributeValues[":b"] = num("3"), num("9")
		in.FilterExpression, in.ExpressionAttributeValues[":x"] = aws.String("x > :x"), num("20")
		in.ScanIndexForward = aws.Bool(false)
	})
	if ranges(got.Items) != "9 8 7 6 5" || got.Count != 5 || got.ScannedCount != 7 {
		t.Errorf("a filtered range backwards: %s, %d of %d", ranges(got.Items), got.Count, got.ScannedCount)
	}
	var all []string
	pages := 0
	for p := dynamodb.NewQueryPaginator(s.Client, &dynamodb.QueryInput{TableName: aws.String("query"), KeyConditionExpression: aws.String("k = :k"), ExpressionAttributeValues: item{":k": str("h")}, Limit: aws.Int32(5)}); p.HasMorePages(); pages++ {
		all = append(all, ranges(must(p.NextPage(s.ctx))(s).Items))
	}
	if strings.Join(all, "|") != "0 1 2 3 4|5 6 7 8 9|10 11" || pages != 3 {
		t.Errorf("pages are %v", all)
	}
	got = q(func(in *dynamodb.QueryInput) { in.Select = "COUNT" })
	if got.Count != 12 || len(got.Items) != 0 {
		t.Errorf("COUNT: %d, %d items", got.Count, len(got.Items))
	}
	got = q(func(in *dynamodb.QueryInput) {
		in.IndexName, in.KeyConditionExpression, in.ExpressionAttributeValues = aws.String("byG"), aws.String("g = :g AND r < :r"), item{":g": str("g"), ":r": num("9")}
		in.Limit = aws.Int32(2)
	})
	if show(got.Items[1]) != "{g:g,k:h,r:3,x:9}" || show(got.LastEvaluatedKey) != "{g:g,k:h,r:3}" {
		t.Errorf("the index gives %s, then %s", show(got.Items[1]), show(got.LastEvaluatedKey))
	}
	got = q(func(in *dynamodb.QueryInput) {
		in.IndexName, in.KeyConditionExpression, in.ExpressionAttributeValues = aws.String("byG"), aws.String("g = :g AND r < :r"), item{":g": str("g"), ":r": num("9")}
		in.ExclusiveStartKey = got.LastEvaluatedKey
	})
	if ranges(got.Items) != "6" || got.LastEvaluatedKey != nil {
		t.Errorf("the index goes on with %s", ranges(got.Items))
	}
	base := `{"TableName":"query","ExpressionAttributeValues":{":k":{"S":"h"}},"KeyConditionExpression":"k = :k"`
	for _, row := range []struct{ body, want string }{
		{`{"TableName":"query"}`, "ValidationException: Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."},
		{`{"TableName":"query","ExpressionAttributeValues":{":k":{"N":"1"}},"KeyConditionExpression":"k = :k"}`, "ValidationException: One or more parameter values were invalid: Condition parameter type does not match schema type"},
		{`{"TableName":"query","ExpressionAttributeValues":{":k":{"N":"1"}},"KeyConditionExpression":"r = :k"}`, "ValidationException: Query condition missed key schema element: k"},
		{base + `,"IndexName":"none"}`, "ValidationException: The table does not have the specified index: none"},
		{base + `,"IndexName":"byG","ConsistentRead":true}`, "ValidationException: Consistent reads are not supported on global secondary indexes"},
		{base + `,"FilterExpression":"r > :k"}`, "ValidationException: Filter Expression can only contain non-primary key attributes: Primary key attribute: r"},
		{base + `,"Select":"SPECIFIC_ATTRIBUTES"}`, "ValidationException: Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"},
		{base + `,"Select":"ALL_PROJECTED_ATTRIBUTES"}`, "ValidationException: ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"},
		{base + `,"ExclusiveStartKey":{"k":{"S":"other"},"r":{"N":"1"}}}`, "ValidationException: The provided starting key is outside query boundaries based on provided conditions"},
		{base + `,"ExclusiveStartKey":{"k":{"S":"other"}}}`, "ValidationException: The provided starting key is invalid: The provided key element does not match the schema"},
		{`{"TableName":"query","IndexName":"byG","ExpressionAttributeValues":{":k":{"S":"h"}},"KeyConditionExpression":"g = :k","Select":"ALL_ATTRIBUTES"}`,
			"ValidationException: One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index byG because its projection type is not ALL"},
		{`{"TableName":"query","IndexName":"byG","ExpressionAttributeValues":{":k":{"S":"h"}},"KeyConditionExpression":"g = :k","ProjectionExpression":"y"}`,
			"ValidationException: One or more parameter values were invalid: Global secondary index byG does not project [y]"},
	} {
		if got := s.refusal("Query", row.body); got != row.want {
			t.Errorf("%s:\n got %s\nwant %s", row.body, got, row.want)
		}
	}
}

// TestScan reads a table whole, in segments, filtered, and an index.
func TestScan(t *testing.T) {
	s := begin(t)
	s.table("scan", false, nil)
	for i := range 60 {
		s.put("scan", item{"k": str(fmt.Sprint(i)), "n": num(fmt.Sprint(i))})
	}
	seen := map[string]bool{}
	for segment := range int32(4) {
		for p := dynamodb.NewScanPaginator(s.Client, &dynamodb.ScanInput{TableName: aws.String("scan"), Segment: &segment, TotalSegments: aws.Int32(4), Limit: aws.Int32(7)}); p.HasMorePages(); {
			for _, it := range must(p.NextPage(s.ctx))(s).Items {
				if seen[show(it)] {
					t.Errorf("%s comes twice", show(it))
				}
				seen[show(it)] = true
			}
		}
	}
	if len(seen) != 60 {
		t.Errorf("four segments have %d items", len(seen))
	}
	got := must(s.Scan(s.ctx, &dynamodb.ScanInput{TableName: aws.String("scan"), FilterExpression: aws.String("n < :n"), ExpressionAttributeValues: item{":n": num("5")}, ProjectionExpression: aws.String("n")}))(s)
	if got.Count != 5 || got.ScannedCount != 60 || len(got.Items[0]) != 1 {
		t.Errorf("filtered: %d of %d, the first %s", got.Count, got.ScannedCount, show(got.Items[0]))
	}
	s.numbered("numbered", 9)
	if got := must(s.Scan(s.ctx, &dynamodb.ScanInput{TableName: aws.String("numbered"), IndexName: aws.String("byG")}))(s); got.Count != 3 {
		t.Errorf("an index with three items has %d", got.Count)
	}
	for body, want := range map[string]string{
		`{"TableName":"scan","Segment":1}`:                   "ValidationException: The TotalSegments parameter is required but was not present in the request when Segment parameter is present",
		`{"TableName":"scan","Segment":4,"TotalSegments":4}`: "ValidationException: The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 4 is not less than TotalSegments: 4",
		`{"TableName":"scan","FilterExpression":"a ="}`:      `ValidationException: Invalid FilterExpression: Syntax error; token: "<EOF>", near: "="`,
	} {
		if got := s.refusal("Scan", body); got != want {
			t.Errorf("%s:\n got %s\nwant %s", body, got, want)
		}
	}
}

// TestBatches reads and writes many items at once.
func TestBatches(t *testing.T) {
	s := begin(t)
	s.table("one", false, nil)
	s.table("two", true, nil)
	wrote := must(s.BatchWriteItem(s.ctx, &dynamodb.BatchWriteItemInput{ReturnConsumedCapacity: "TOTAL", RequestItems: map[string][]types.WriteRequest{
		"one": {{PutRequest: &types.PutRequest{Item: item{"k": str("a")}}}, {DeleteRequest: &types.DeleteRequest{Key: item{"k": str("b")}}}},
		"two": {{PutRequest: &types.PutRequest{Item: item{"k": str("a"), "r": num("1"), "x": str("x")}}}},
	}}))(s)
	if len(wrote.UnprocessedItems) != 0 || len(wrote.ConsumedCapacity) != 2 || *wrote.ConsumedCapacity[0].CapacityUnits != 2 {
		t.Errorf("a batch leaves %v, costs %v", wrote.UnprocessedItems, wrote.ConsumedCapacity)
	}
	got := must(s.BatchGetItem(s.ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
		"one": {Keys: []map[string]types.AttributeValue{{"k": str("a")}, {"k": str("b")}}},
		"two": {Keys: []map[string]types.AttributeValue{{"k": str("a"), "r": num("1")}}, ProjectionExpression: aws.String("x")},
	}}))(s)
	if len(got.Responses["one"]) != 1 || show(got.Responses["two"][0]) != "{x:x}" || len(got.UnprocessedKeys) != 0 {
		t.Errorf("a batch reads %v", got.Responses)
	}
	for _, row := range []struct{ operation, body, want string }{
		{"BatchWriteItem", `{"RequestItems":{"one":[{"PutRequest":{"Item":{"k":{"S":"a"}}}},{"DeleteRequest":{"Key":{"k":{"S":"a"}}}}]}}`, "ValidationException: Provided list of item keys contains duplicates"},
		{"BatchGetItem", `{"RequestItems":{"one":{"Keys":[{"k":{"S":"a"}},{"k":{"S":"a"}}]}}}`, "ValidationException: Provided list of item keys contains duplicates"},
		{"BatchWriteItem", `{"RequestItems":{"none":[{"PutRequest":{"Item":{"k":{"S":"a"}}}}]}}`, "ResourceNotFoundException: Requested resource not found"},
	} {
		if got := s.refusal(row.operation, row.body); got != row.want {
			t.Errorf("%s:\n got %s\nwant %s", row.body, got, row.want)
		}
	}
}
