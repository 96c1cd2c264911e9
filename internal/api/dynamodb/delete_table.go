package dynamodb

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/tables"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// DeleteTable removes a table, its items and its indexes. It answers at once; the table is DELETING for some milliseconds. Its change stream stays readable for a day.
//
// Source: API_DeleteTable (read 2026-11). Shown by: TestTableLife and TestTableErrors in test/dynamodb.
// Differs from AWS: none known.
func (a *API) deleteTable(c *edge.Call, in *shapes.DeleteTableInput) (*shapes.DeleteTableOutput, error) {
	r, t, err := a.describe(c, in.TableName)
	if err != nil {
		return nil, err
	}
	if err := r.Propose(c.Ctx, tables.DeleteTable{Name: t.Name}); err != nil {
		return nil, err
	}
	d := describe(c, t)
	d.TableStatus = ptr(shapes.TableStatus(tables.Deleting))
	d.KeySchema, d.AttributeDefinitions = nil, nil // AWS leaves them out
	return &shapes.DeleteTableOutput{TableDescription: d}, nil
}
