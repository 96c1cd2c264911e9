package dynamodb

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/tables"
	"github.com/weir-stream/weir/internal/tables/expr"
	"github.com/weir-stream/weir/internal/tables/value"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// UpdateItem changes attributes of an item, or makes it.
//
// Source: API_UpdateItem (read 2026-11). Shown by: TestItems, TestUpdateExpressions, TestConditionalWrites, TestLegacyParameters and TestKCLCalls in test/dynamodb.
// Every operand is taken from the item as it was. Numbers are exact; a sum of more than 38 digits is refused.
// Differs from AWS: provisioned throughput is not enforced.
func (a *API) updateItem(c *edge.Call, in *shapes.UpdateItemInput) (*shapes.UpdateItemOutput, error) {
	r, t, err := a.find(c, in.TableName)
	if err != nil {
		return nil, err
	}
	p, err := expressions{
		texts: []given{{"UpdateExpression", in.UpdateExpression != nil}, {"ConditionExpression", in.ConditionExpression != nil}},
		old: []given{{"AttributeUpdates", in.AttributeUpdates != nil}, {"Expected", in.Expected != nil},
			{"ConditionalOperator", in.ConditionalOperator != nil}},
		names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues,
	}.placeholders()
	if err != nil {
		return nil, err
	}
	w := tables.Write{Table: t, Verb: tables.VerbUpdate, ReturnOnFailure: returnOnFailure(in.ReturnValuesOnConditionCheckFailure)}
	if w.Item, err = keyOf(t.Key, in.Key); err != nil {
		return nil, err
	}
	if w.Returning, err = returningOf(in.ReturnValues, true); err != nil {
		return nil, err
	}
	if w.Update, err = updateOf(in.UpdateExpression, in.AttributeUpdates, p); err != nil {
		return nil, err
	}
	if err := w.Update.CheckKeys(t.Key.Names()...); err != nil {
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
	return &shapes.UpdateItemOutput{Attributes: wireItem(done[0].Attributes), ConsumedCapacity: used.capacity(in.ReturnConsumedCapacity)}, nil
}

// updateOf reads an update expression, or AttributeUpdates from before; without either an update makes the key alone.
func updateOf(text *string, old map[string]shapes.AttributeValueUpdate, p *expr.Placeholders) (expr.Update, error) {
	if text != nil {
		return expr.ParseUpdate(*text, p)
	}
	puts := make(map[string]expr.Put, len(old))
	for name, u := range old {
		put := expr.Put{Action: string(deref(u.Action))}
		if u.Value != nil {
			v, err := valueOf(u.Value)
			if err != nil {
				return nil, err
			}
			put.Value = v
		} else {
			put.Value = value.Value{}
		}
		puts[name] = put
	}
	return expr.FromAttributeUpdates(puts)
}
