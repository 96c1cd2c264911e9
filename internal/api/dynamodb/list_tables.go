package dynamodb

import (
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// listTablesMax is how many names a page has, unless the request wants fewer (API_ListTables: 100).
const listTablesMax = 100

// ListTables gives the names of tables, sorted.
//
// Source: API_ListTables (read 2026-11). Shown by: TestTableLife in test/dynamodb.
// Differs from AWS: none known.
func (a *API) listTables(c *edge.Call, in *shapes.ListTablesInput) (*shapes.ListTablesOutput, error) {
	if err := a.authorize(c, c.Operation, "*", nil); err != nil {
		return nil, err
	}
	out := &shapes.ListTablesOutput{TableNames: []string{}}
	r := a.tables.Find(c.Account, c.Region)
	if r == nil {
		return out, nil
	}
	limit := listTablesMax
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	for _, name := range r.Tables().Names() {
		if in.ExclusiveStartTableName != nil && name <= *in.ExclusiveStartTableName {
			continue
		}
		if len(out.TableNames) == limit {
			out.LastEvaluatedTableName = ptr(out.TableNames[limit-1])
			break
		}
		out.TableNames = append(out.TableNames, name)
	}
	return out, nil
}
