package dynamodb

import (
	"slices"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/tables"
	"github.com/weir-stream/weir/internal/tables/expr"
	"github.com/weir-stream/weir/internal/tables/value"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// Query reads the items of one hash key, in the order of their range keys, from a table or an index.
//
// Source: API_Query (read 2026-11). Shown by: TestQuery, TestLegacyParameters and TestConsumedCapacity in test/dynamodb.
// A page ends at Limit or 1 MB of what is read, before the filter. An index has what was acknowledged, at once.
// Differs from AWS: provisioned throughput is not enforced.
func (a *API) query(c *edge.Call, in *shapes.QueryInput) (*shapes.QueryOutput, error) {
	r, t, err := a.findFor(c, c.Operation, in.TableName, in.IndexName)
	if err != nil {
		return nil, err
	}
	p, err := expressions{
		texts: []given{{"ProjectionExpression", in.ProjectionExpression != nil}, {"FilterExpression", in.FilterExpression != nil}, {"KeyConditionExpression", in.KeyConditionExpression != nil}},
		old: []given{{"AttributesToGet", in.AttributesToGet != nil}, {"QueryFilter", in.QueryFilter != nil}, {"ConditionalOperator", in.ConditionalOperator != nil},
			// KeyConditions may stand beside a FilterExpression.
			{"KeyConditions", in.KeyConditions != nil && in.KeyConditionExpression != nil}},
		names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues,
	}.placeholders()
	if err != nil {
		return nil, err
	}
	rd, err := readingOf(t, in.IndexName, in.ConsistentRead, in.Limit)
	if err != nil {
		return nil, err
	}
	rd.Backward = in.ScanIndexForward != nil && !*in.ScanIndexForward
	schema := t.Key
	if rd.Index != nil {
		schema = rd.Index.Key
	}
	key, err := keyConditionOf(in, p, schema)
	if err != nil {
		return nil, err
	}
	rd.Key = &key
	if rd.Filter, err = filterOf(in.FilterExpression, in.QueryFilter, in.ConditionalOperator, p); err != nil {
		return nil, err
	}
	if err := checkFilter(rd.Filter, schema, in.FilterExpression != nil); err != nil {
		return nil, err
	}
	selected, err := selectionOf(rd, in.Select, in.ProjectionExpression, in.AttributesToGet, p)
	if err != nil {
		return nil, err
	}
	if err := p.Unused(); err != nil {
		return nil, err
	}
	if rd.Start, err = startOf(rd, in.ExclusiveStartKey); err != nil {
		return nil, err
	}
	page, err := r.Read(rd)
	if err != nil {
		return nil, err
	}
	used := readingUsed(rd, page, deref(in.ConsistentRead))
	return &shapes.QueryOutput{
		Items: selected.items(page), Count: ptr(int32(len(page.Items))), ScannedCount: ptr(int32(page.Scanned)),
		LastEvaluatedKey: wireItem(page.Last), ConsumedCapacity: used.capacity(in.ReturnConsumedCapacity),
	}, nil
}

func keyConditionOf(in *shapes.QueryInput, p *expr.Placeholders, schema tables.KeySchema) (k expr.KeyCondition, err error) {
	switch {
	case in.KeyConditionExpression != nil:
		k, err = expr.ParseKeyCondition(*in.KeyConditionExpression, p, schema.Hash.Name, schema.Range.Name)
	case in.KeyConditions != nil:
		var old map[string]expr.Comparison
		if old, err = comparisonsOf(in.KeyConditions); err == nil {
			k, err = expr.FromKeyConditions(old, schema.Hash.Name, schema.Range.Name)
		}
	default:
		return k, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	if err != nil {
		return k, err
	}
	if k.Hash.Kind != schema.Hash.Kind || k.Range != 0 && k.Low.Kind != schema.Range.Kind || k.High.Exists() && k.High.Kind != schema.Range.Kind {
		return k, invalid("One or more parameter values were invalid: Condition parameter type does not match schema type")
	}
	if k.Hash.Text == "" || k.Range == expr.OpEqual && k.Low.Text == "" {
		return k, invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: %s", schema.Hash.Name)
	}
	return k, nil
}

// readingOf is what a query and a scan have in common: the table or index, the limit.
func readingOf(t *tables.Table, index *string, consistent *bool, limit *int32) (rd tables.Reading, err error) {
	rd = tables.Reading{Table: t, Limit: int(deref(limit))}
	if index == nil {
		return rd, nil
	}
	rd.Index = t.Index(*index)
	switch {
	case rd.Index == nil:
		return rd, invalid("The table does not have the specified index: %s", *index)
	case rd.Index.Status == tables.Creating:
		return rd, invalid("Cannot read from backfilling global secondary index: %s", *index)
	case rd.Index.Status == tables.Deleting:
		return rd, invalid("The table does not have the specified index: %s", *index)
	case deref(consistent):
		return rd, invalid("Consistent reads are not supported on global secondary indexes")
	}
	return rd, nil
}

// filterOf reads FilterExpression, or the filter from before.
func filterOf(text *string, old map[string]shapes.Condition, operator *shapes.ConditionalOperator, p *expr.Placeholders) (*expr.Node, error) {
	if text != nil {
		return expr.ParseCondition("FilterExpression", *text, p)
	}
	comparisons, err := comparisonsOf(old)
	if err != nil {
		return nil, err
	}
	return expr.FromFilter(comparisons, string(deref(operator)))
}

// checkFilter refuses a query's filter on the key by which it reads.
func checkFilter(filter *expr.Node, schema tables.KeySchema, expression bool) error {
	var bad string
	filter.Walk(func(n *expr.Node) {
		if n.Op == expr.OpPath && slices.Contains(schema.Names(), n.Path.Head()) {
			bad = n.Path.Head()
		}
	})
	switch {
	case bad == "":
		return nil
	case expression:
		return invalid("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", bad)
	}
	return invalid("QueryFilter can only contain non-primary key attributes: Primary key attribute: %s", bad)
}

// startOf reads ExclusiveStartKey: the table's key, and the index's as well when it is an index that is read.
func startOf(rd tables.Reading, m map[string]shapes.AttributeValue) (value.Item, error) {
	if m == nil {
		return nil, nil
	}
	it, err := itemOf(m)
	if err != nil {
		return nil, err
	}
	wanted := map[string]value.Kind{}
	schemas := []tables.KeySchema{rd.Table.Key}
	if rd.Index != nil {
		schemas = append(schemas, rd.Index.Key)
	}
	for _, schema := range schemas {
		for _, part := range []tables.KeyAttribute{schema.Hash, schema.Range} {
			if part.Name != "" {
				wanted[part.Name] = part.Kind
			}
		}
	}
	for name, kind := range wanted {
		if it.Get(name).Kind != kind {
			return nil, invalid("The provided starting key is invalid: The provided key element does not match the schema")
		}
	}
	if len(wanted) != len(it) {
		return nil, invalid("The provided starting key is invalid")
	}
	return it, nil
}

// selection is which attributes of what was read are answered.
type selection struct {
	count      bool // none, only how many items there are
	projection expr.Projection
}

func (s selection) items(p tables.Page) []map[string]shapes.AttributeValue {
	if s.count {
		return nil
	}
	out := make([]map[string]shapes.AttributeValue, len(p.Items))
	for i, it := range p.Items {
		out[i] = wireItem(s.projection.Of(it))
	}
	return out
}

func selectionOf(rd tables.Reading, sel *shapes.Select, text *string, names []string, p *expr.Placeholders) (s selection, err error) {
	if s.projection, err = projectionOf(text, names, p); err != nil {
		return s, err
	}
	asked := "AttributesToGet"
	if text != nil {
		asked = "ProjectionExpression"
	}
	kind := string(deref(sel))
	switch kind {
	case "":
	case "SPECIFIC_ATTRIBUTES":
		if s.projection == nil {
			return s, invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
		}
	default:
		if s.projection != nil {
			return s, invalid("Cannot specify the %s when choosing to get %s", asked, kind)
		}
	}
	s.count = kind == "COUNT"
	switch {
	case kind == "ALL_PROJECTED_ATTRIBUTES" && rd.Index == nil:
		return s, invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
	case kind == "ALL_ATTRIBUTES" && rd.Index != nil && rd.Index.Projection != "ALL":
		return s, invalid("One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", rd.Index.Name)
	}
	if rd.Index != nil && rd.Index.Projection != "ALL" && s.projection != nil {
		held := slices.Concat(rd.Index.Include, rd.Index.Key.Names(), rd.Table.Key.Names())
		for _, name := range s.projection.Names() {
			if !slices.Contains(held, name) {
				return s, invalid("One or more parameter values were invalid: Global secondary index %s does not project [%s]", rd.Index.Name, name)
			}
		}
	}
	return s, nil
}

// readingUsed is what a page has cost.
func readingUsed(rd tables.Reading, page tables.Page, consistent bool) *usage {
	used := &usage{table: rd.Table}
	if units := readUnits(page.Bytes, consistent); rd.Index != nil {
		used.index(rd.Index.Name, units)
	} else {
		used.own = units
	}
	return used
}
