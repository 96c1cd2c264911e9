package dynamodb

import (
	"maps"
	"slices"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/tables"
	"github.com/weir-stream/weir/internal/tables/expr"
	"github.com/weir-stream/weir/internal/tables/value"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

const (
	// batchGetMax is how many keys one call may have, over all tables, and batchGetBytes how much it answers at most (API_BatchGetItem: 100 items, 16 MB).
	batchGetMax   = 100
	batchGetBytes = 16 << 20
)

// BatchGetItem reads up to 100 items of several tables. What does not fit into 16 MB comes back as UnprocessedKeys.
//
// Source: API_BatchGetItem (read 2026-11). Shown by: TestBatches in test/dynamodb.
// Differs from AWS: provisioned throughput is not enforced, so that it leaves no keys unprocessed.
func (a *API) batchGetItem(c *edge.Call, in *shapes.BatchGetItemInput) (*shapes.BatchGetItemOutput, error) {
	keys := 0
	for _, want := range in.RequestItems {
		keys += len(want.Keys)
	}
	if keys > batchGetMax {
		return nil, invalid("Too many items requested for the BatchGetItem call")
	}
	out := &shapes.BatchGetItemOutput{Responses: map[string][]map[string]shapes.AttributeValue{}, UnprocessedKeys: map[string]shapes.KeysAndAttributes{}}
	used := usages{}
	bytes := 0
	for _, name := range slices.Sorted(maps.Keys(in.RequestItems)) {
		want := in.RequestItems[name]
		r, t, projection, parsed, err := a.batchKeys(c, name, want)
		if err != nil {
			return nil, err
		}
		found := []map[string]shapes.AttributeValue{}
		left := want
		left.Keys = nil
		for i, key := range parsed {
			if bytes >= batchGetBytes {
				left.Keys = append(left.Keys, want.Keys[i])
				continue
			}
			it, size, err := r.Get(t, key)
			if err != nil {
				return nil, err
			}
			used.of(t).own += readUnits(size, deref(want.ConsistentRead))
			if bytes += size; it != nil {
				found = append(found, wireItem(projection.Of(it)))
			}
		}
		out.Responses[name] = found
		if left.Keys != nil {
			out.UnprocessedKeys[name] = left
		}
	}
	out.ConsumedCapacity = used.capacity(in.ReturnConsumedCapacity)
	return out, nil
}

func (a *API) batchKeys(c *edge.Call, name string, want shapes.KeysAndAttributes) (*tables.Region, *tables.Table, expr.Projection, []value.Item, error) {
	r, t, err := a.find(c, &name)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	p, err := expressions{
		texts: []given{{"ProjectionExpression", want.ProjectionExpression != nil}},
		old:   []given{{"AttributesToGet", want.AttributesToGet != nil}},
		names: want.ExpressionAttributeNames,
	}.placeholders()
	if err != nil {
		return nil, nil, nil, nil, err
	}
	projection, err := projectionOf(want.ProjectionExpression, want.AttributesToGet, p)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	if err := p.Unused(); err != nil {
		return nil, nil, nil, nil, err
	}
	var keys []value.Item
	for _, m := range want.Keys {
		key, err := keyOf(t.Key, m)
		if err != nil {
			return nil, nil, nil, nil, err
		}
		if slices.ContainsFunc(keys, func(other value.Item) bool { return value.EqualItems(other, key) }) {
			return nil, nil, nil, nil, invalid("Provided list of item keys contains duplicates")
		}
		keys = append(keys, key)
	}
	return r, t, projection, keys, nil
}
