package dynamodb

import (
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// Scan reads a table or an index whole, page by page, or one of several segments of it.
//
// Source: API_Scan (read 2026-11). Shown by: TestScan, TestLegacyParameters and TestKCLCalls in test/dynamodb.
// Segments are parts of the hash keys' hashes: about equal in size, and each as quick as its share. A page is as a query's.
// Differs from AWS: provisioned throughput is not enforced.
func (a *API) scan(c *edge.Call, in *shapes.ScanInput) (*shapes.ScanOutput, error) {
	r, t, err := a.findFor(c, c.Operation, in.TableName, in.IndexName)
	if err != nil {
		return nil, err
	}
	p, err := expressions{
		texts: []given{{"ProjectionExpression", in.ProjectionExpression != nil}, {"FilterExpression", in.FilterExpression != nil}},
		old: []given{{"AttributesToGet", in.AttributesToGet != nil}, {"ScanFilter", in.ScanFilter != nil},
			{"ConditionalOperator", in.ConditionalOperator != nil}},
		names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues,
	}.placeholders()
	if err != nil {
		return nil, err
	}
	rd, err := readingOf(t, in.IndexName, in.ConsistentRead, in.Limit)
	if err != nil {
		return nil, err
	}
	rd.Segment, rd.Segments = int(deref(in.Segment)), int(deref(in.TotalSegments))
	switch {
	case in.Segment != nil && in.TotalSegments == nil:
		return nil, invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case in.Segment == nil && in.TotalSegments != nil:
		return nil, invalid("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case in.TotalSegments != nil && rd.Segment >= rd.Segments:
		return nil, invalid("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: %d is not less than TotalSegments: %d", rd.Segment, rd.Segments)
	}
	if rd.Filter, err = filterOf(in.FilterExpression, in.ScanFilter, in.ConditionalOperator, p); err != nil {
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
	return &shapes.ScanOutput{
		Items: selected.items(page), Count: ptr(int32(len(page.Items))), ScannedCount: ptr(int32(page.Scanned)),
		LastEvaluatedKey: wireItem(page.Last), ConsumedCapacity: used.capacity(in.ReturnConsumedCapacity),
	}, nil
}
