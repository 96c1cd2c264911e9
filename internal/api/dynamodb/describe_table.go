package dynamodb

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/tables"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// DescribeTable tells what a table is.
//
// Source: API_DescribeTable (read 2026-11). Shown by: TestTableLife, TestUpdateTable and TestTableErrors in test/dynamodb.
// Counts and sizes are exact and current, where AWS's are some six hours old.
// Differs from AWS: there is no WarmThroughput.
func (a *API) describeTable(c *edge.Call, in *shapes.DescribeTableInput) (*shapes.DescribeTableOutput, error) {
	_, t, err := a.describe(c, in.TableName)
	if err != nil {
		return nil, err
	}
	return &shapes.DescribeTableOutput{Table: describe(c, t)}, nil
}

func tableARN(c *edge.Call, name string) string { return arn.Table(c.Region, c.Account, name).String() }

// tableID is the id of a table as AWS shows one: no two tables share it, and it is the same for ever.
func tableID(c *edge.Call, t *tables.Table) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(c.Account+"/"+c.Region+"/"), t.ID))
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80 // the marks of a random UUID (RFC 9562)
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

func describe(c *edge.Call, t *tables.Table) *shapes.TableDescription {
	d := &shapes.TableDescription{
		TableName: &t.Name, TableStatus: ptr(shapes.TableStatus(t.Status)), CreationDateTime: &t.Created, KeySchema: keySchema(t.Key),
		ProvisionedThroughput: throughput(t.Units), TableSizeBytes: ptr(t.Stats().Bytes.Load()), ItemCount: ptr(t.Stats().Items.Load()),
		TableArn: ptr(tableARN(c, t.Name)), TableId: ptr(tableID(c, t)), DeletionProtectionEnabled: &t.Protected,
		OnDemandThroughput: maxima(t.MaxRead, t.MaxWrite),
	}
	for _, a := range t.Attributes {
		d.AttributeDefinitions = append(d.AttributeDefinitions, shapes.AttributeDefinition{AttributeName: ptr(a.Name), AttributeType: ptr(shapes.ScalarAttributeType(a.Kind.String()))})
	}
	if !t.OnDemandAt.IsZero() {
		mode := shapes.BillingMode("PROVISIONED")
		if t.OnDemand {
			mode = "PAY_PER_REQUEST"
		}
		d.BillingModeSummary = &shapes.BillingModeSummary{BillingMode: &mode, LastUpdateToPayPerRequestDateTime: ptr(t.OnDemandAt)}
	}
	if t.Class != "" {
		d.TableClassSummary = &shapes.TableClassSummary{TableClass: ptr(shapes.TableClass(t.Class))}
	}
	if t.View != "" {
		d.StreamSpecification = &shapes.StreamSpecification{StreamEnabled: ptr(true), StreamViewType: ptr(shapes.StreamViewType(t.View))}
	}
	if s := streamOf(c, t); s != "" {
		d.LatestStreamArn, d.LatestStreamLabel = ptr(s), ptr(s[len(s)-len("2006-01-02T15:04:05.000"):])
	}
	for _, ix := range t.Indexes {
		d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, describeIndex(c, t, ix))
	}
	return d
}

// streamOf is the ARN of a table's latest stream, or "".
func streamOf(c *edge.Call, t *tables.Table) string {
	if t.StreamLabel == "" {
		return ""
	}
	return tableARN(c, t.Name) + "/stream/" + t.StreamLabel
}

func keySchema(k tables.KeySchema) []shapes.KeySchemaElement {
	out := []shapes.KeySchemaElement{{AttributeName: ptr(k.Hash.Name), KeyType: ptr(shapes.KeyType("HASH"))}}
	if k.Range.Name != "" {
		out = append(out, shapes.KeySchemaElement{AttributeName: ptr(k.Range.Name), KeyType: ptr(shapes.KeyType("RANGE"))})
	}
	return out
}

func throughput(u tables.Units) *shapes.ProvisionedThroughputDescription {
	return &shapes.ProvisionedThroughputDescription{
		ReadCapacityUnits: ptr(u.Read), WriteCapacityUnits: ptr(u.Write), NumberOfDecreasesToday: ptr(int64(u.DecreasesToday)),
		LastIncreaseDateTime: known(u.Increased), LastDecreaseDateTime: known(u.Decreased),
	}
}

// known is a time, or nothing when it is zero.
func known(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

func maxima(read, write int64) *shapes.OnDemandThroughput {
	if read == 0 && write == 0 {
		return nil
	}
	none := func(n int64) *int64 {
		if n == 0 {
			n = -1
		}
		return &n
	}
	return &shapes.OnDemandThroughput{MaxReadRequestUnits: none(read), MaxWriteRequestUnits: none(write)}
}

func describeIndex(c *edge.Call, t *tables.Table, ix *tables.Index) shapes.GlobalSecondaryIndexDescription {
	d := shapes.GlobalSecondaryIndexDescription{
		IndexName: &ix.Name, KeySchema: keySchema(ix.Key), IndexStatus: ptr(shapes.IndexStatus(ix.Status)), ProvisionedThroughput: throughput(ix.Units),
		Projection:     &shapes.Projection{ProjectionType: ptr(shapes.ProjectionType(ix.Projection)), NonKeyAttributes: ix.Include},
		IndexSizeBytes: ptr(ix.Stats().Bytes.Load()), ItemCount: ptr(ix.Stats().Items.Load()), IndexArn: ptr(tableARN(c, t.Name) + "/index/" + ix.Name),
		OnDemandThroughput: maxima(ix.MaxRead, ix.MaxWrite),
	}
	if ix.Status == tables.Creating {
		d.Backfilling = ptr(ix.Cursor != nil)
	}
	return d
}
