package dynamodb

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestTransactions writes all or nothing, says why not, is safe to ask twice, and reads one moment.
func TestTransactions(t *testing.T) {
	s := begin(t)
	s.table("one", false, nil)
	s.table("two", false, nil)
	s.put("one", item{"k": str("a"), "n": num("1")})
	move := &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String("move-1"), ReturnConsumedCapacity: "TOTAL", TransactItems: []types.TransactWriteItem{
		{Update: &types.Update{TableName: aws.String("one"), Key: item{"k": str("a")}, UpdateExpression: aws.String("SET n = n - :x"), ConditionExpression: aws.String("n >= :x"), ExpressionAttributeValues: item{":x": num("1")}}},
		{Put: &types.Put{TableName: aws.String("two"), Item: item{"k": str("b"), "n": num("1")}, ConditionExpression: aws.String("attribute_not_exists(k)")}},
		{ConditionCheck: &types.ConditionCheck{TableName: aws.String("two"), Key: item{"k": str("closed")}, ConditionExpression: aws.String("attribute_not_exists(k)")}},
	}}
	for range 2 { // the second asks again
		done := must(s.TransactWriteItems(s.ctx, move))(s)
		if done.ConsumedCapacity == nil {
			t.Error("no capacity is told")
		}
	}
	got := must(s.TransactGetItems(s.ctx, &dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{
		{Get: &types.Get{TableName: aws.String("one"), Key: item{"k": str("a")}}}, {Get: &types.Get{TableName: aws.String("two"), Key: item{"k": str("b")}, ProjectionExpression: aws.String("n")}},
		{Get: &types.Get{TableName: aws.String("two"), Key: item{"k": str("none")}}},
	}}))(s)
	if show(got.Responses[0].Item) != "{k:a,n:0}" || show(got.Responses[1].Item) != "{n:1}" || got.Responses[2].Item != nil {
		t.Errorf("afterwards: %s, %s, %s", show(got.Responses[0].Item), show(got.Responses[1].Item), show(got.Responses[2].Item))
	}
	move.ClientRequestToken = aws.String("move-2")
	move.TransactItems[1].Put.ReturnValuesOnConditionCheckFailure = "ALL_OLD"
	_, err := s.TransactWriteItems(s.ctx, move)
	e, is := as[*types.TransactionCanceledException](err)
	if !is {
		t.Fatalf("a second move: %v", err)
	}
	if e.ErrorMessage() != "Transaction cancelled, please refer cancellation reasons for specific reasons [ConditionalCheckFailed, ConditionalCheckFailed, None]" {
		t.Error(e.ErrorMessage())
	}
	if r := e.CancellationReasons; *r[0].Code != "ConditionalCheckFailed" || *r[0].Message != "The conditional request failed" || r[0].Item != nil || show(r[1].Item) != "{k:b,n:1}" || *r[2].Code != "None" {
		t.Errorf("reasons %v", r)
	}
	move.ClientRequestToken, move.TransactItems = aws.String("move-1"), move.TransactItems[:1]
	if _, err := s.TransactWriteItems(s.ctx, move); err == nil {
		t.Error("another transaction with a used token succeeds")
	} else if _, is := as[*types.IdempotentParameterMismatchException](err); !is {
		t.Errorf("another transaction with a used token: %v", err)
	}
	check := `{"ConditionCheck":{"TableName":"one","Key":{"k":{"S":"a"}},"ConditionExpression":"attribute_exists(k)"}}`
	for body, want := range map[string]string{
		`{"TransactItems":[` + check + `,` + check + `]}`:                      "ValidationException: Transaction request cannot include multiple operations on one item",
		`{"TransactItems":[{}]}`:                                               "ValidationException: TransactItems can only contain one of Check, Put, Update or Delete",
		`{"TransactItems":[` + strings.Replace(check, "one", "none", 1) + `]}`: "ResourceNotFoundException: Requested resource not found",
	} {
		if got := s.refusal("TransactWriteItems", body); got != want {
			t.Errorf("%s:\n got %s\nwant %s", body, got, want)
		}
	}
}
