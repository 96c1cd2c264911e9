package dynamodb

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// CreateTable makes a table. It answers at once; the table is CREATING for some milliseconds.
//
// Source: API_CreateTable (read 2026-11). Shown by: TestTableLife and TestTableErrors in test/dynamodb.
// Provisioned and on-demand throughput are kept and told, and not enforced.
// Differs from AWS: LocalSecondaryIndexes, VectorIndexes, SSESpecification, WarmThroughput, ResourcePolicy and global tables are refused by name.
func (a *API) createTable(c *edge.Call, in *shapes.CreateTableInput) (*shapes.CreateTableOutput, error) {
	if err := refuse([]absent{
		{"LocalSecondaryIndexes", len(in.LocalSecondaryIndexes) > 0}, {"VectorIndexes", len(in.VectorIndexes) > 0}, {"WarmThroughput", in.WarmThroughput != nil},
		{"ResourcePolicy", in.ResourcePolicy != nil}, {"GlobalTableSourceArn", in.GlobalTableSourceArn != nil},
		{"GlobalTableSettingsReplicationMode", in.GlobalTableSettingsReplicationMode != nil},
	}); err != nil {
		return nil, err
	}
	if err := refuseSSE(in.SSESpecification); err != nil {
		return nil, err
	}
	cmd, err := createOf(c, in)
	if err != nil {
		return nil, err
	}
	if err := a.authorize(c, c.Operation, tableARN(c, cmd.Name), cmd.Tags); err != nil {
		return nil, err
	}
	if len(cmd.Tags) > 0 {
		if err := a.authorize(c, "TagResource", tableARN(c, cmd.Name), cmd.Tags); err != nil {
			return nil, err
		}
	}
	r, err := a.tables.Make(c.Ctx, c.Account, c.Region)
	if err != nil {
		return nil, err
	}
	if err := r.Propose(c.Ctx, cmd); err != nil {
		return nil, err
	}
	t := r.Tables().Tables[cmd.Name]
	if t == nil {
		return nil, fault.New(fault.NotFound, "Requested resource not found: Table: %s not found", cmd.Name)
	}
	described := describe(c, t)
	described.TableStatus = ptr(shapes.TableStatus(tables.Creating))
	return &shapes.CreateTableOutput{TableDescription: described}, nil
}

func createOf(c *edge.Call, in *shapes.CreateTableInput) (cmd tables.CreateTable, err error) {
	if cmd.Name, err = nameOf(c, deref(in.TableName)); err != nil {
		return cmd, err
	}
	cmd.OnDemand = deref(in.BillingMode) == "PAY_PER_REQUEST"
	if cmd.Read, cmd.Write, err = unitsOf(in.ProvisionedThroughput, cmd.OnDemand); err != nil {
		return cmd, err
	}
	if cmd.MaxRead, cmd.MaxWrite, err = maximaOf(in.OnDemandThroughput, cmd.OnDemand); err != nil {
		return cmd, err
	}
	if cmd.Attributes, err = attributesOf(in.AttributeDefinitions); err != nil {
		return cmd, err
	}
	if cmd.Key, err = keySchemaOf(in.KeySchema, cmd.Attributes, false); err != nil {
		return cmd, err
	}
	used := cmd.Key.Names()
	names := map[string]bool{}
	for _, g := range in.GlobalSecondaryIndexes {
		n, err := indexOf(g.IndexName, g.KeySchema, g.Projection, g.ProvisionedThroughput, g.OnDemandThroughput, g.WarmThroughput, cmd.Attributes, cmd.OnDemand)
		if err != nil {
			return cmd, err
		}
		if names[n.Name] {
			return cmd, invalid(badParameters+"Duplicate index name: %s", n.Name)
		}
		names[n.Name] = true
		used = append(used, n.Key.Names()...)
		cmd.Indexes = append(cmd.Indexes, n)
	}
	if len(cmd.Indexes) > tables.IndexesMax {
		return cmd, invalid(badParameters+"GlobalSecondaryIndex count exceeds the per-table limit of %d", tables.IndexesMax)
	}
	if err := checkUsed(cmd.Attributes, used); err != nil {
		return cmd, err
	}
	if cmd.View, err = viewOf(in.StreamSpecification); err != nil {
		return cmd, err
	}
	cmd.Class, cmd.Protected = string(deref(in.TableClass)), deref(in.DeletionProtectionEnabled)
	cmd.Tags, err = tagsOf(in.Tags)
	return cmd, err
}
