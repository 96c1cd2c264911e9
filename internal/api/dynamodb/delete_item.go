package dynamodb

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/tables"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// DeleteItem removes the item under a key. Removing what is not there is no error.
//
// Source: API_DeleteItem (read 2026-11). Shown by: TestItems, TestConditionalWrites and TestLegacyParameters in test/dynamodb.
// Differs from AWS: provisioned throughput is not enforced.
func (a *API) deleteItem(c *edge.Call, in *shapes.DeleteItemInput) (*shapes.DeleteItemOutput, error) {
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
	w := tables.Write{Table: t, Verb: tables.VerbDelete, ReturnOnFailure: returnOnFailure(in.ReturnValuesOnConditionCheckFailure)}
	if w.Item, err = keyOf(t.Key, in.Key); err != nil {
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
	return &shapes.DeleteItemOutput{Attributes: wireItem(done[0].Attributes), ConsumedCapacity: used.capacity(in.ReturnConsumedCapacity)}, nil
}
