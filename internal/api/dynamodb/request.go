package dynamodb

import (
	"slices"
	"strings"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables"
	"github.com/weir-stream/weir/internal/tables/expr"
	"github.com/weir-stream/weir/internal/tables/value"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// nameOf is the name of a table that a request gives by name or by ARN, in the caller's account and region.
func nameOf(c *edge.Call, text string) (string, error) {
	if strings.HasPrefix(text, "arn:") {
		parsed, err := arn.Parse(text)
		name, isTable := strings.CutPrefix(parsed.Resource, "table/")
		switch {
		case err != nil || parsed.Service != "dynamodb" || !isTable:
			return "", invalid("Invalid TableArn: Invalid ResourceArn provided as input %s", text)
		case parsed.Region != c.Region:
			return "", invalid("The ARN %s is of region %s, the request of region %s.", text, parsed.Region, c.Region)
		case parsed.Account != c.Account:
			return "", errDenied(c.Account, text)
		}
		text = name
	}
	if !isTableName(text) {
		return "", invalid("Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'")
	}
	return text, nil
}

func isTableName(name string) bool {
	if len(name) < 3 || len(name) > 255 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

// find is the region of a call and a table in it, for operations on items, which the caller may do.
func (a *API) find(c *edge.Call, table *string) (*tables.Region, *tables.Table, error) {
	return a.findFor(c, c.Operation, table, nil)
}

// findFor is find for an action on a table, or on an index of it.
func (a *API) findFor(c *edge.Call, action string, table, index *string) (*tables.Region, *tables.Table, error) {
	name, err := nameOf(c, deref(table))
	if err != nil {
		return nil, nil, err
	}
	r, t := a.look(c, name)
	resource := tableARN(c, name)
	if index != nil {
		resource += "/index/" + *index
	}
	if err := a.authorize(c, action, resource, tagsOn(t)); err != nil {
		return nil, nil, err
	}
	if t == nil || t.Status != tables.Active && t.Status != tables.Updating {
		return nil, nil, fault.New(fault.NotFound, "Requested resource not found")
	}
	return r, t, nil
}

// look is a table of a name, whatever its status; nil when there is none.
func (a *API) look(c *edge.Call, name string) (*tables.Region, *tables.Table) {
	r := a.tables.Find(c.Account, c.Region)
	if r == nil {
		return nil, nil
	}
	return r, r.Tables().Tables[name]
}

func tagsOn(t *tables.Table) map[string]string {
	if t == nil {
		return nil
	}
	return t.Tags
}

// describe is find for operations on tables, whatever their status.
func (a *API) describe(c *edge.Call, table *string) (*tables.Region, *tables.Table, error) {
	name, err := nameOf(c, deref(table))
	if err != nil {
		return nil, nil, err
	}
	r, t := a.look(c, name)
	if err := a.authorize(c, c.Operation, tableARN(c, name), tagsOn(t)); err != nil {
		return nil, nil, err
	}
	if t != nil {
		return r, t, nil
	}
	return nil, nil, fault.New(fault.NotFound, "Requested resource not found: Table: %s not found", name)
}

// keyOf is the key that a request names an item by.
func keyOf(key tables.KeySchema, m map[string]shapes.AttributeValue) (value.Item, error) {
	it, err := itemOf(m)
	if err != nil {
		return nil, err
	}
	if len(it) != len(key.Names()) {
		return nil, invalid("The provided key element does not match the schema")
	}
	for _, part := range []tables.KeyAttribute{key.Hash, key.Range} {
		if part.Name != "" && it.Get(part.Name).Kind != part.Kind {
			return nil, invalid("The provided key element does not match the schema")
		}
	}
	return it, checkKeyValues(key, it)
}

// checkKeyValues refuses keys that are empty or too long.
func checkKeyValues(key tables.KeySchema, it value.Item) error {
	for _, part := range []tables.KeyAttribute{key.Hash, key.Range} {
		if part.Name != "" && part.Kind != value.N && it.Get(part.Name).Text == "" {
			kind := "string"
			if part.Kind == value.B {
				kind = "binary"
			}
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", kind, part.Name)
		}
	}
	if len(it.Get(key.Hash.Name).Text) > tables.HashKeyMax {
		return invalid("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of%d bytes", tables.HashKeyMax)
	}
	if key.Range.Name != "" && len(it.Get(key.Range.Name).Text) > tables.RangeKeyMax {
		return invalid("One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of %d bytes", tables.RangeKeyMax)
	}
	return nil
}

// putItemOf is the whole item of a request that puts one.
func putItemOf(t *tables.Table, m map[string]shapes.AttributeValue) (value.Item, error) {
	it, err := itemOf(m)
	if err != nil {
		return nil, err
	}
	for _, part := range []tables.KeyAttribute{t.Key.Hash, t.Key.Range} {
		v := it.Get(part.Name)
		switch {
		case part.Name == "":
		case !v.Exists():
			return nil, invalid("One or more parameter values were invalid: Missing the key %s in the item", part.Name)
		case v.Kind != part.Kind:
			return nil, invalid("One or more parameter values were invalid: Type mismatch for key %s expected: %s actual: %s", part.Name, part.Kind, v.Kind)
		}
	}
	if err := checkKeyValues(t.Key, it); err != nil {
		return nil, err
	}
	if it.Size() > value.ItemBytesMax {
		return nil, invalid("Item size has exceeded the maximum allowed size")
	}
	return it, nil
}

// given is a parameter of a request by its name, and whether the request has it.
type given struct {
	name string
	is   bool
}

func present(all []given) []string {
	var names []string
	for _, g := range all {
		if g.is {
			names = append(names, g.name)
		}
	}
	return names
}

// expressions holds the rules between a request's expressions, its placeholders, and the parameters that came before expressions.
type expressions struct {
	texts  []given // the expressions that the operation takes; those but ProjectionExpression may use values
	old    []given // the parameters from before
	names  map[string]string
	values map[string]shapes.AttributeValue
}

// placeholders checks the rules and gives what expressions are parsed with.
func (e expressions) placeholders() (*expr.Placeholders, error) {
	texts, old := present(e.texts), present(e.old)
	if len(texts) > 0 && len(old) > 0 {
		return nil, invalid("Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {%s} Expression parameters: {%s}",
			strings.Join(old, ", "), strings.Join(texts, ", "))
	}
	if e.names != nil && len(texts) == 0 {
		return nil, invalid("ExpressionAttributeNames can only be specified when using expressions")
	}
	var takers []string
	used := false
	for _, g := range e.texts {
		if g.name != "ProjectionExpression" {
			takers = append(takers, g.name)
			used = used || g.is
		}
	}
	if e.values != nil && !used {
		verb := "is"
		if len(takers) > 1 {
			verb = "are"
		}
		return nil, invalid("ExpressionAttributeValues can only be specified when using expressions: %s %s null", strings.Join(takers, " and "), verb)
	}
	values, err := valuesOf(e.values)
	if err != nil {
		return nil, err
	}
	return expr.NewPlaceholders(e.names, values)
}

// expectedOf is Expected as expr has it.
func expectedOf(in map[string]shapes.ExpectedAttributeValue) (map[string]expr.Expectation, error) {
	out := make(map[string]expr.Expectation, len(in))
	for name, e := range in {
		x := expr.Expectation{HasList: e.AttributeValueList != nil, Exists: e.Exists}
		x.Operator = string(deref(e.ComparisonOperator))
		if e.Value != nil {
			v, err := valueOf(e.Value)
			if err != nil {
				return nil, err
			}
			x.Value = v
		}
		var err error
		if x.Values, err = listOf(e.AttributeValueList); err != nil {
			return nil, err
		}
		out[name] = x
	}
	return out, nil
}

func listOf(in []shapes.AttributeValue) ([]value.Value, error) {
	var out []value.Value
	for i := range in {
		v, err := valueOf(&in[i])
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// comparisonsOf is ScanFilter, QueryFilter or KeyConditions as expr has them.
func comparisonsOf(in map[string]shapes.Condition) (map[string]expr.Comparison, error) {
	out := make(map[string]expr.Comparison, len(in))
	for name, c := range in {
		values, err := listOf(c.AttributeValueList)
		if err != nil {
			return nil, err
		}
		out[name] = expr.Comparison{Operator: string(deref(c.ComparisonOperator)), Values: values}
	}
	return out, nil
}

// conditions is the part of a write that says when it may happen.
type conditions struct {
	expression *string
	expected   map[string]shapes.ExpectedAttributeValue
	operator   *shapes.ConditionalOperator
}

// node is the condition, or nil when there is none.
func (cs conditions) node(p *expr.Placeholders) (*expr.Node, error) {
	if cs.expression != nil {
		return expr.ParseCondition("ConditionExpression", *cs.expression, p)
	}
	expected, err := expectedOf(cs.expected)
	if err != nil {
		return nil, err
	}
	return expr.FromExpected(expected, string(deref(cs.operator)))
}

// returnOnFailure reads ReturnValuesOnConditionCheckFailure.
func returnOnFailure(v *shapes.ReturnValuesOnConditionCheckFailure) bool {
	return deref(v) == "ALL_OLD"
}

var returnings = map[shapes.ReturnValue]tables.Returning{
	"": tables.ReturnNone, "NONE": tables.ReturnNone, "ALL_OLD": tables.ReturnAllOld, "ALL_NEW": tables.ReturnAllNew,
	"UPDATED_OLD": tables.ReturnUpdatedOld, "UPDATED_NEW": tables.ReturnUpdatedNew,
}

// returningOf reads ReturnValues, of which PutItem and DeleteItem take two.
func returningOf(v *shapes.ReturnValue, all bool) (tables.Returning, error) {
	r := returnings[deref(v)]
	if !all && r != tables.ReturnNone && r != tables.ReturnAllOld {
		return r, invalid("ReturnValues can only be ALL_OLD or NONE")
	}
	return r, nil
}

// projectionOf reads ProjectionExpression, or AttributesToGet from before; nil is everything.
func projectionOf(text *string, names []string, p *expr.Placeholders) (expr.Projection, error) {
	if text != nil {
		return expr.ParseProjection(*text, p)
	}
	if names == nil {
		return nil, nil
	}
	seen := slices.Clone(names)
	slices.Sort(seen)
	for i := range len(seen) - 1 {
		if seen[i] == seen[i+1] {
			return nil, invalid("One or more parameter values were invalid: Duplicate value in attribute name: %s", seen[i])
		}
	}
	return expr.Attributes(names), nil
}
