package dynamodb

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// UpdateTable changes billing, throughput, protection and class, makes or removes an index while the table is used, and switches the change stream on or off. The table is
// UPDATING until it is done.
//
// Source: API_UpdateTable (read 2026-11). Shown by: TestUpdateTable, TestTableStream and TestKCLCalls in test/dynamodb.
// A new index is filled in pieces of 500 items between the writes of others: a small table's is ACTIVE in milliseconds.
// Differs from AWS: SSESpecification, WarmThroughput, vector indexes and replicas are refused by name.
func (a *API) updateTable(c *edge.Call, in *shapes.UpdateTableInput) (*shapes.UpdateTableOutput, error) {
	if err := refuse([]absent{
		{"ReplicaUpdates", len(in.ReplicaUpdates) > 0}, {"MultiRegionConsistency", in.MultiRegionConsistency != nil}, {"GlobalTableWitnessUpdates", len(in.GlobalTableWitnessUpdates) > 0},
		{"WarmThroughput", in.WarmThroughput != nil}, {"GlobalTableSettingsReplicationMode", in.GlobalTableSettingsReplicationMode != nil},
		{"DisassociationProtectionEnabled", in.DisassociationProtectionEnabled != nil}, {"VectorIndexUpdates", len(in.VectorIndexUpdates) > 0},
	}); err != nil {
		return nil, err
	}
	if err := refuseSSE(in.SSESpecification); err != nil {
		return nil, err
	}
	r, t, err := a.describe(c, in.TableName)
	if err != nil {
		return nil, err
	}
	cmd, err := updateTableOf(t, in)
	if err != nil {
		return nil, err
	}
	if err := r.Propose(c.Ctx, cmd); err != nil {
		return nil, err
	}
	t = r.Tables().Tables[t.Name]
	if t == nil {
		return nil, fault.New(fault.NotFound, "Requested resource not found: Table: %s not found", cmd.Name)
	}
	described := describe(c, t)
	described.TableStatus = ptr(shapes.TableStatus(tables.Updating))
	return &shapes.UpdateTableOutput{TableDescription: described}, nil
}

func updateTableOf(t *tables.Table, in *shapes.UpdateTableInput) (cmd tables.UpdateTable, err error) {
	cmd.Name, cmd.Protected = t.Name, in.DeletionProtectionEnabled
	onDemand := t.OnDemand
	if in.BillingMode != nil {
		onDemand = *in.BillingMode == "PAY_PER_REQUEST"
		cmd.OnDemand = &onDemand
	}
	if in.TableClass != nil {
		cmd.Class = ptr(string(*in.TableClass))
	}
	if in.ProvisionedThroughput != nil || !onDemand && t.OnDemand {
		read, write, err := unitsOf(in.ProvisionedThroughput, onDemand)
		if err != nil {
			return cmd, err
		}
		if !onDemand {
			if !t.OnDemand && read == t.Units.Read && write == t.Units.Write && len(in.GlobalSecondaryIndexUpdates) == 0 && in.StreamSpecification == nil {
				return cmd, invalid("The provisioned throughput for the table will not change. The requested value equals the current value. Current ReadCapacityUnits provisioned for the table: %d. "+
					"Requested ReadCapacityUnits: %d. Current WriteCapacityUnits provisioned for the table: %d. Requested WriteCapacityUnits: %d. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.",
					t.Units.Read, read, t.Units.Write, write)
			}
			cmd.Read, cmd.Write = &read, &write
		}
	}
	if in.OnDemandThroughput != nil {
		read, write, err := maximaOf(in.OnDemandThroughput, onDemand)
		if err != nil {
			return cmd, err
		}
		cmd.MaxRead, cmd.MaxWrite = &read, &write
	}
	if in.StreamSpecification != nil {
		view, err := viewOf(in.StreamSpecification)
		if err != nil {
			return cmd, err
		}
		cmd.View = &view
	}
	if err := updateIndexesOf(&cmd, t, in, onDemand); err != nil {
		return cmd, err
	}
	if in.BillingMode == nil && in.ProvisionedThroughput == nil && in.OnDemandThroughput == nil && in.StreamSpecification == nil && len(in.GlobalSecondaryIndexUpdates) == 0 &&
		in.TableClass == nil && in.DeletionProtectionEnabled == nil {
		return cmd, invalid("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required")
	}
	return cmd, nil
}

func updateIndexesOf(cmd *tables.UpdateTable, t *tables.Table, in *shapes.UpdateTableInput, onDemand bool) error {
	changes := 0
	for _, u := range in.GlobalSecondaryIndexUpdates {
		switch {
		case u.Create != nil && u.Update == nil && u.Delete == nil:
			attributes, err := attributesOf(in.AttributeDefinitions)
			if err != nil {
				return err
			}
			n, err := indexOf(u.Create.IndexName, u.Create.KeySchema, u.Create.Projection, u.Create.ProvisionedThroughput, u.Create.OnDemandThroughput, u.Create.WarmThroughput, attributes, onDemand)
			if err != nil {
				return err
			}
			if cmd.Attributes, err = merged(t, attributes); err != nil {
				return err
			}
			cmd.CreateIndex = &n
			changes++
		case u.Delete != nil && u.Update == nil && u.Create == nil:
			cmd.DeleteIndex = deref(u.Delete.IndexName)
			changes++
		case u.Update != nil && u.Create == nil && u.Delete == nil:
			if u.Update.WarmThroughput != nil {
				return notYet("WarmThroughput")
			}
			units := tables.IndexUnits{}
			if p := u.Update.ProvisionedThroughput; p != nil {
				units.Read, units.Write = p.ReadCapacityUnits, p.WriteCapacityUnits
			}
			if m := u.Update.OnDemandThroughput; m != nil {
				units.MaxRead, units.MaxWrite = m.MaxReadRequestUnits, m.MaxWriteRequestUnits
			}
			if cmd.Indexes == nil {
				cmd.Indexes = map[string]tables.IndexUnits{}
			}
			cmd.Indexes[deref(u.Update.IndexName)] = units
		default:
			return invalid(badParameters + "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must be specified, and no more")
		}
	}
	if changes > 1 {
		return fault.New(fault.LimitExceeded, "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table")
	}
	return nil
}

// merged is a table's attributes with those that a request declares as well.
func merged(t *tables.Table, more []tables.KeyAttribute) ([]tables.KeyAttribute, error) {
	out := append([]tables.KeyAttribute(nil), t.Attributes...)
	for _, a := range more {
		known := false
		for _, old := range t.Attributes {
			if old.Name == a.Name {
				known = true
				if old.Kind != a.Kind {
					return nil, invalid(badParameters+"Attribute %s is defined with type %s, and the table has it with type %s", a.Name, a.Kind, old.Kind)
				}
			}
		}
		if !known {
			out = append(out, a)
		}
	}
	return out, nil
}
