package dynamodb

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/tables"
	"github.com/weir-stream/weir/internal/tables/value"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

const (
	// transactionBytes is how large the items of a transaction may be together (API_TransactWriteItems: 4 MB).
	transactionBytes = 4 << 20
)

// TransactWriteItems does up to 100 writes and checks of several tables, all or none.
//
// Source: API_TransactWriteItems (read 2026-11). Shown by: TestTransactions and TestKCLCalls in test/dynamodb.
// A transaction is one command of the log: it does not conflict with others, it comes before or after them.
// Differs from AWS: TransactionConflictException and TransactionInProgressException do not happen.
func (a *API) transactWriteItems(c *edge.Call, in *shapes.TransactWriteItemsInput) (*shapes.TransactWriteItemsOutput, error) {
	var r *tables.Region
	writes := make([]tables.Write, len(in.TransactItems))
	bytes := 0
	for i := range in.TransactItems {
		var err error
		if r, writes[i], err = a.transactWrite(c, in.TransactItems[i]); err != nil {
			return nil, err
		}
		bytes += writes[i].Item.Size()
	}
	switch {
	case twice(writes):
		return nil, invalid("Transaction request cannot include multiple operations on one item")
	case bytes > transactionBytes:
		return nil, invalid("Collection size of items in the transaction exceeds the limit of 4 MB")
	}
	done, err := r.Write(c.Ctx, writes, true, deref(in.ClientRequestToken))
	if err != nil {
		return nil, err
	}
	used := usages{}
	for i := range done {
		u := used.of(writes[i].Table)
		u.write = true
		u.done(done[i])
	}
	return &shapes.TransactWriteItemsOutput{ConsumedCapacity: used.capacity(in.ReturnConsumedCapacity)}, nil
}

// transactPart is what the four kinds of a transaction's parts have in common.
type transactPart struct {
	verb      tables.Verb
	table     *string
	item      map[string]shapes.AttributeValue // or key
	update    *string
	condition *string
	names     map[string]string
	values    map[string]shapes.AttributeValue
	onFailure *shapes.ReturnValuesOnConditionCheckFailure
}

// partActions is what a part of a transaction asks permission for.
var partActions = map[tables.Verb]string{tables.VerbPut: "PutItem", tables.VerbUpdate: "UpdateItem", tables.VerbDelete: "DeleteItem", tables.VerbCheck: "ConditionCheckItem"}

func partOf(in shapes.TransactWriteItem) (part transactPart, count int) {
	if p := in.ConditionCheck; p != nil {
		count++
		part = transactPart{tables.VerbCheck, p.TableName, p.Key, nil, p.ConditionExpression, p.ExpressionAttributeNames, p.ExpressionAttributeValues, p.ReturnValuesOnConditionCheckFailure}
	}
	if p := in.Put; p != nil {
		count++
		part = transactPart{tables.VerbPut, p.TableName, p.Item, nil, p.ConditionExpression, p.ExpressionAttributeNames, p.ExpressionAttributeValues, p.ReturnValuesOnConditionCheckFailure}
	}
	if p := in.Delete; p != nil {
		count++
		part = transactPart{tables.VerbDelete, p.TableName, p.Key, nil, p.ConditionExpression, p.ExpressionAttributeNames, p.ExpressionAttributeValues, p.ReturnValuesOnConditionCheckFailure}
	}
	if p := in.Update; p != nil {
		count++
		part = transactPart{tables.VerbUpdate, p.TableName, p.Key, p.UpdateExpression, p.ConditionExpression, p.ExpressionAttributeNames, p.ExpressionAttributeValues, p.ReturnValuesOnConditionCheckFailure}
	}
	return part, count
}

func (a *API) transactWrite(c *edge.Call, in shapes.TransactWriteItem) (*tables.Region, tables.Write, error) {
	var w tables.Write
	part, count := partOf(in)
	if count != 1 {
		return nil, w, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
	}
	r, t, err := a.findFor(c, partActions[part.verb], part.table, nil)
	if err != nil {
		return nil, w, err
	}
	w = tables.Write{Table: t, Verb: part.verb, ReturnOnFailure: returnOnFailure(part.onFailure)}
	texts := []given{{"ConditionExpression", part.condition != nil}}
	if part.verb == tables.VerbUpdate {
		texts = append([]given{{"UpdateExpression", part.update != nil}}, texts...)
	}
	p, err := expressions{texts: texts, names: part.names, values: part.values}.placeholders()
	if err != nil {
		return nil, w, err
	}
	if part.verb == tables.VerbPut {
		w.Item, err = putItemOf(t, part.item)
	} else {
		w.Item, err = keyOf(t.Key, part.item)
	}
	if err != nil {
		return nil, w, err
	}
	if part.update != nil {
		if w.Update, err = updateOf(part.update, nil, p); err != nil {
			return nil, w, err
		}
		if err := w.Update.CheckKeys(t.Key.Names()...); err != nil {
			return nil, w, err
		}
	}
	if w.Condition, err = (conditions{expression: part.condition}).node(p); err != nil {
		return nil, w, err
	}
	return r, w, p.Unused()
}

// TransactGetItems reads up to 100 items of several tables as they were at one moment.
//
// Source: API_TransactGetItems (read 2026-11). Shown by: TestTransactions in test/dynamodb.
// Differs from AWS: a read never conflicts with a transaction that writes.
func (a *API) transactGetItems(c *edge.Call, in *shapes.TransactGetItemsInput) (*shapes.TransactGetItemsOutput, error) {
	var r *tables.Region
	keys := make([]tables.KeyOf, len(in.TransactItems))
	cut := make([]func(value.Item) value.Item, len(in.TransactItems))
	for i := range in.TransactItems {
		get := in.TransactItems[i].Get
		found, t, err := a.findFor(c, "GetItem", get.TableName, nil)
		if err != nil {
			return nil, err
		}
		r = found
		p, err := expressions{texts: []given{{"ProjectionExpression", get.ProjectionExpression != nil}}, names: get.ExpressionAttributeNames}.placeholders()
		if err != nil {
			return nil, err
		}
		projection, err := projectionOf(get.ProjectionExpression, nil, p)
		if err != nil {
			return nil, err
		}
		if err := p.Unused(); err != nil {
			return nil, err
		}
		key, err := keyOf(t.Key, get.Key)
		if err != nil {
			return nil, err
		}
		keys[i], cut[i] = tables.KeyOf{Table: t, Key: key}, projection.Of
	}
	items, sizes, err := r.GetAll(keys)
	if err != nil {
		return nil, err
	}
	used := usages{}
	out := &shapes.TransactGetItemsOutput{Responses: make([]shapes.ItemResponse, len(items))}
	bytes := 0
	for i, it := range items {
		bytes += sizes[i]
		u := used.of(keys[i].Table)
		u.read = true
		u.own += 2 * readUnits(sizes[i], true)
		if it != nil {
			out.Responses[i].Item = wireItem(cut[i](it))
		}
	}
	if bytes > transactionBytes {
		return nil, invalid("Collection size of items in the transaction exceeds the limit of 4 MB")
	}
	out.ConsumedCapacity = used.capacity(in.ReturnConsumedCapacity)
	return out, nil
}
