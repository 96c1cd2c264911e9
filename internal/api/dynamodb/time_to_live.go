package dynamodb

import (
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/tables"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// UpdateTimeToLive says which attribute holds the second at which an item expires, or that none does.
//
// Source: API_UpdateTimeToLive, HowTtlWorks (read 2026-11). Shown by: TestTimeToLive in test/dynamodb.
// An expired item goes within about a second, where AWS takes days; until then it is read like others. Its change record says that the service did it.
// Differs from AWS: it may be changed again at once, where AWS takes up to an hour.
func (a *API) updateTimeToLive(c *edge.Call, in *shapes.UpdateTimeToLiveInput) (*shapes.UpdateTimeToLiveOutput, error) {
	r, t, err := a.describe(c, in.TableName)
	if err != nil {
		return nil, err
	}
	spec := in.TimeToLiveSpecification
	err = r.Propose(c.Ctx, tables.UpdateTTL{Name: t.Name, Attribute: deref(spec.AttributeName), Enabled: deref(spec.Enabled)})
	if err != nil {
		return nil, err
	}
	return &shapes.UpdateTimeToLiveOutput{TimeToLiveSpecification: spec}, nil
}

// DescribeTimeToLive tells which attribute that is.
//
// Source: API_DescribeTimeToLive (read 2026-11). Shown by: TestTimeToLive in test/dynamodb.
// Differs from AWS: none known.
func (a *API) describeTimeToLive(c *edge.Call, in *shapes.DescribeTimeToLiveInput) (*shapes.DescribeTimeToLiveOutput, error) {
	_, t, err := a.describe(c, in.TableName)
	if err != nil {
		return nil, err
	}
	d := &shapes.TimeToLiveDescription{TimeToLiveStatus: ptr(shapes.TimeToLiveStatus(tables.Disabled))}
	if t.TTL.Status != "" {
		d.TimeToLiveStatus = ptr(shapes.TimeToLiveStatus(t.TTL.Status))
	}
	if t.TTL.Attribute != "" {
		d.AttributeName = ptr(t.TTL.Attribute)
	}
	return &shapes.DescribeTimeToLiveOutput{TimeToLiveDescription: d}, nil
}
