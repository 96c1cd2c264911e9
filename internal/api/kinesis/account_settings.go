package kinesis

import (
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// DescribeAccountSettings says what the caller's account has chosen for all its streams in the region.
//
// Source: API_DescribeAccountSettings (read 2026-11). Shown by: TestAccountSettings in test/aws.
func (a *API) describeAccountSettings(c *edge.Call, _ *shapes.DescribeAccountSettingsInput) (*shapes.DescribeAccountSettingsOutput, error) {
	return &shapes.DescribeAccountSettingsOutput{MinimumThroughputBillingCommitment: a.commitment(c)}, nil
}

// UpdateAccountSettings begins or ends the minimum throughput billing commitment, which warm throughput needs. Weir bills nobody.
//
// Source: API_UpdateAccountSettings, API_MinimumThroughputBillingCommitmentInput (read 2026-11). Shown by: TestAccountSettings in test/aws.
// It lasts a day at least: ended before, it is ENABLED_UNTIL_EARLIEST_ALLOWED_END, and ENABLED again when asked for. It is not ended while a stream of
// the account has warm throughput.
func (a *API) updateAccountSettings(c *edge.Call, in *shapes.UpdateAccountSettingsInput) (*shapes.UpdateAccountSettingsOutput, error) {
	commit := deref(in.MinimumThroughputBillingCommitment.Status) == shapes.MinimumThroughputBillingCommitmentInputStatusEnabled
	if err := a.control.Propose(c.Ctx, catalog.UpdateAccountSettings{Account: c.Account, Region: c.Region, Commit: commit}); err != nil {
		return nil, err
	}
	return &shapes.UpdateAccountSettingsOutput{MinimumThroughputBillingCommitment: a.commitment(c)}, nil
}

// commitment is the billing commitment of the caller's account as it stands.
func (a *API) commitment(c *edge.Call) *shapes.MinimumThroughputBillingCommitmentOutput {
	settings := a.control.State().Settings(c.Account, c.Region)
	out := &shapes.MinimumThroughputBillingCommitmentOutput{Status: ptr(shapes.MinimumThroughputBillingCommitmentOutputStatusDisabled)}
	if settings.Started.IsZero() {
		return out
	}
	out.StartedAt, out.EarliestAllowedEndAt = ptr(settings.Started), ptr(settings.EarliestEnd())
	switch {
	case !settings.Committed(a.clock.Now()):
		out.EndedAt = ptr(settings.Ends)
	case settings.Ends.IsZero():
		out.Status = ptr(shapes.MinimumThroughputBillingCommitmentOutputStatusEnabled)
	default:
		out.Status = ptr(shapes.MinimumThroughputBillingCommitmentOutputStatusEnabledUntilEarliestAllowedEnd)
	}
	return out
}
