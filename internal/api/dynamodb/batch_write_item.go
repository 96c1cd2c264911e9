package dynamodb

import (
	"maps"
	"slices"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/tables"
	"github.com/weir-stream/weir/internal/tables/value"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

const (
	// batchWriteMax is how many items one call may have, over all tables (API_BatchWriteItem: 25).
	batchWriteMax = 25
)

// BatchWriteItem puts and deletes up to 25 items of several tables.
//
// Source: API_BatchWriteItem (read 2026-11). Shown by: TestBatches in test/dynamodb.
// Differs from AWS: all of them are written, or none: nothing comes back as UnprocessedItems.
func (a *API) batchWriteItem(c *edge.Call, in *shapes.BatchWriteItemInput) (*shapes.BatchWriteItemOutput, error) {
	count := 0
	for _, requests := range in.RequestItems {
		count += len(requests)
	}
	if count > batchWriteMax {
		return nil, invalid("Too many items requested for the BatchWriteItem call")
	}
	var r *tables.Region
	var writes []tables.Write
	for _, name := range slices.Sorted(maps.Keys(in.RequestItems)) {
		found, t, err := a.find(c, &name)
		if err != nil {
			return nil, err
		}
		r = found
		for _, request := range in.RequestItems[name] {
			w, err := batchWrite(t, request)
			if err != nil {
				return nil, err
			}
			writes = append(writes, w)
		}
	}
	if twice(writes) {
		return nil, invalid("Provided list of item keys contains duplicates")
	}
	done, err := r.Write(c.Ctx, writes, false, "")
	if err != nil {
		return nil, err
	}
	used := usages{}
	for i := range done {
		used.of(writes[i].Table).done(done[i])
	}
	return &shapes.BatchWriteItemOutput{UnprocessedItems: map[string][]shapes.WriteRequest{}, ConsumedCapacity: used.capacity(in.ReturnConsumedCapacity)}, nil
}

func batchWrite(t *tables.Table, request shapes.WriteRequest) (w tables.Write, err error) {
	w.Table = t
	switch {
	case (request.PutRequest == nil) == (request.DeleteRequest == nil):
		return w, invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	case request.PutRequest != nil:
		w.Verb = tables.VerbPut
		w.Item, err = putItemOf(t, request.PutRequest.Item)
	default:
		w.Verb = tables.VerbDelete
		w.Item, err = keyOf(t.Key, request.DeleteRequest.Key)
	}
	return w, err
}

// twice says whether two writes are of one item.
func twice(writes []tables.Write) bool {
	seen := map[string]bool{}
	for _, w := range writes {
		id := w.Table.Name + "\x00" + string(value.AppendItem(nil, w.Table.Key.Of(w.Item)))
		if seen[id] {
			return true
		}
		seen[id] = true
	}
	return false
}
