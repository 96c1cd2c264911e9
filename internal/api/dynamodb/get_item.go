package dynamodb

import (
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// GetItem reads the item under a key.
//
// Source: API_GetItem (read 2026-11). Shown by: TestItems and TestConsumedCapacity in test/dynamodb.
// Every read has what was acknowledged before it began, also without ConsistentRead, which only costs more.
// Differs from AWS: provisioned throughput is not enforced.
func (a *API) getItem(c *edge.Call, in *shapes.GetItemInput) (*shapes.GetItemOutput, error) {
	r, t, err := a.find(c, in.TableName)
	if err != nil {
		return nil, err
	}
	p, err := expressions{
		texts: []given{{"ProjectionExpression", in.ProjectionExpression != nil}},
		old:   []given{{"AttributesToGet", in.AttributesToGet != nil}},
		names: in.ExpressionAttributeNames,
	}.placeholders()
	if err != nil {
		return nil, err
	}
	projection, err := projectionOf(in.ProjectionExpression, in.AttributesToGet, p)
	if err != nil {
		return nil, err
	}
	if err := p.Unused(); err != nil {
		return nil, err
	}
	key, err := keyOf(t.Key, in.Key)
	if err != nil {
		return nil, err
	}
	it, size, err := r.Get(t, key)
	if err != nil {
		return nil, err
	}
	used := usage{table: t, own: readUnits(size, deref(in.ConsistentRead))}
	out := &shapes.GetItemOutput{ConsumedCapacity: used.capacity(in.ReturnConsumedCapacity)}
	if it != nil {
		out.Item = wireItem(projection.Of(it))
	}
	return out, nil
}
