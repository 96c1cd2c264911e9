package dynamodb

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/tables"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// PutItem writes an item whole, in place of the one under its key.
//
// Source: API_PutItem (read 2026-11). Shown by: TestItems, TestConditionalWrites and TestLegacyParameters in test/dynamodb.
// A conditional write is decided when its turn in the log comes: of two that exclude each other one fails.
// Differs from AWS: provisioned throughput is not enforced.
func (a *API) putItem(c *edge.Call, in *shapes.PutItemInput) (*shapes.PutItemOutput, error) {
	r, t, err := a.find(c, in.TableName)
	if err != nil {
		return nil, err
	}
	p, err := expressions{
		texts: []given{{"ConditionExpression", in.ConditionExpression != nil}},
		old:   []given{{"Expected", in.Expected != nil}, {"ConditionalOperator", in.ConditionalOperator != nil}},
		names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues,
	}.placeholders()
	if err != nil {
		return nil, err
	}
	w := tables.Write{Table: t, Verb: tables.VerbPut, ReturnOnFailure: returnOnFailure(in.ReturnValuesOnConditionCheckFailure)}
	if w.Item, err = putItemOf(t, in.Item); err != nil {
		return nil, err
	}
	if w.Returning, err = returningOf(in.ReturnValues, false); err != nil {
		return nil, err
	}
	if w.Condition, err = (conditions{in.ConditionExpression, in.Expected, in.ConditionalOperator}).node(p); err != nil {
		return nil, err
	}
	if err := p.Unused(); err != nil {
		return nil, err
	}
	done, err := r.Write(c.Ctx, []tables.Write{w}, false, "")
	if err != nil {
		return nil, err
	}
	used := usage{table: t}
	used.done(done[0])
	return &shapes.PutItemOutput{Attributes: wireItem(done[0].Attributes), ConsumedCapacity: used.capacity(in.ReturnConsumedCapacity)}, nil
}
