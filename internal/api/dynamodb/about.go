package dynamodb

import (
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// endpointMinutes is for how long a client may keep an endpoint (AWS answers 1440).
const endpointMinutes = 1440

// DescribeEndpoints tells clients that discover endpoints where they are already.
//
// Source: API_DescribeEndpoints (read 2026-11). Shown by: TestTablesAbout in test/dynamodb.
// Differs from AWS: the address is the one that the request came to.
func (a *API) describeEndpoints(c *edge.Call, _ *shapes.DescribeEndpointsRequest) (*shapes.DescribeEndpointsResponse, error) {
	if err := a.authorize(c, c.Operation, "*", nil); err != nil {
		return nil, err
	}
	return &shapes.DescribeEndpointsResponse{Endpoints: []shapes.Endpoint{{Address: ptr(c.Request.Host), CachePeriodInMinutes: ptr(int64(endpointMinutes))}}}, nil
}

// Throughput that an account and a table may provision: AWS's defaults, which nothing here enforces (API_DescribeLimits).
const (
	accountUnitsMax = 80_000
	tableUnitsMax   = 40_000
)

// DescribeLimits tells how much throughput may be provisioned.
//
// Source: API_DescribeLimits (read 2026-11). Shown by: TestTablesAbout in test/dynamodb.
// Differs from AWS: the numbers are AWS's defaults. Throughput is not enforced, and neither are they.
func (a *API) describeLimits(c *edge.Call, _ *shapes.DescribeLimitsInput) (*shapes.DescribeLimitsOutput, error) {
	if err := a.authorize(c, c.Operation, "*", nil); err != nil {
		return nil, err
	}
	return &shapes.DescribeLimitsOutput{
		AccountMaxReadCapacityUnits: ptr(int64(accountUnitsMax)), AccountMaxWriteCapacityUnits: ptr(int64(accountUnitsMax)),
		TableMaxReadCapacityUnits: ptr(int64(tableUnitsMax)), TableMaxWriteCapacityUnits: ptr(int64(tableUnitsMax)),
	}, nil
}

// DescribeContinuousBackups says that a table has none.
//
// Source: API_DescribeContinuousBackups (read 2026-11). Shown by: TestTablesAbout in test/dynamodb.
// Differs from AWS: there are no continuous backups, so that ContinuousBackupsStatus is DISABLED, which AWS never answers of a table that is there.
func (a *API) describeContinuousBackups(c *edge.Call, in *shapes.DescribeContinuousBackupsInput) (*shapes.DescribeContinuousBackupsOutput, error) {
	if _, _, err := a.describe(c, in.TableName); err != nil {
		return nil, err
	}
	return &shapes.DescribeContinuousBackupsOutput{ContinuousBackupsDescription: &shapes.ContinuousBackupsDescription{
		ContinuousBackupsStatus:        ptr(shapes.ContinuousBackupsStatus("DISABLED")),
		PointInTimeRecoveryDescription: &shapes.PointInTimeRecoveryDescription{PointInTimeRecoveryStatus: ptr(shapes.PointInTimeRecoveryStatus("DISABLED"))},
	}}, nil
}
