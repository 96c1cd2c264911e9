package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/weir-stream/weir/internal/clock"
)

// ownerIndex is the index by which a worker finds its leases: leaseOwner, then leaseKey, keys only.
const ownerIndex = "LeaseOwnerToLeaseKeyIndex"

// table is the lease table of an application.
type table struct {
	db     DynamoDBAPI
	name   string
	worker string
	clock  clock.Clock
}

// tablePoll is how often a table or index that is being made is looked at. The KCL looks every 10 s; a local server is faster.
const tablePoll = 500 * time.Millisecond

// create makes the table unless it is there, and waits for it.
func (t *table) create(ctx context.Context, capacity int64) error {
	input := &dynamodb.CreateTableInput{
		TableName:            aws.String(t.name),
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String(attrKey), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String(attrKey), AttributeType: types.ScalarAttributeTypeS}},
		BillingMode:          types.BillingModePayPerRequest,
	}
	if capacity > 0 {
		input.BillingMode = types.BillingModeProvisioned
		input.ProvisionedThroughput = &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(capacity), WriteCapacityUnits: aws.Int64(capacity)}
	}
	for {
		described, err := t.describe(ctx)
		var missing *types.ResourceNotFoundException
		var exists *types.ResourceInUseException
		switch {
		case errors.As(err, &missing):
			if _, err := t.db.CreateTable(ctx, input); err != nil && !errors.As(err, &exists) {
				return fmt.Errorf("create lease table %s: %w", t.name, err)
			}
		case err != nil:
			return fmt.Errorf("describe lease table %s: %w", t.name, err)
		case described.TableStatus == types.TableStatusActive, described.TableStatus == types.TableStatusUpdating:
			return nil
		}
		if err := clock.Sleep(ctx, t.clock, tablePoll); err != nil {
			return err
		}
	}
}

// createIndex makes the index unless it is there, and waits until it can be read.
func (t *table) createIndex(ctx context.Context, patience time.Duration) error {
	deadline := t.clock.Now().Add(patience)
	for {
		described, err := t.describe(ctx)
		if err != nil {
			return fmt.Errorf("describe lease table %s: %w", t.name, err)
		}
		at := slices.IndexFunc(described.GlobalSecondaryIndexes, func(i types.GlobalSecondaryIndexDescription) bool { return aws.ToString(i.IndexName) == ownerIndex })
		if at >= 0 && described.GlobalSecondaryIndexes[at].IndexStatus == types.IndexStatusActive {
			return nil
		}
		if at < 0 {
			if err := t.askForIndex(ctx, described); err != nil {
				return err
			}
		}
		if t.clock.Now().After(deadline) {
			return fmt.Errorf("index %s of lease table %s is not active after %s", ownerIndex, t.name, patience)
		}
		if err := clock.Sleep(ctx, t.clock, tablePoll); err != nil {
			return err
		}
	}
}

// askForIndex begins to make the index, with the table's own capacity. Another worker's request at the same moment is as good.
func (t *table) askForIndex(ctx context.Context, described *types.TableDescription) error {
	create := &types.CreateGlobalSecondaryIndexAction{
		IndexName: aws.String(ownerIndex),
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String(attrOwner), KeyType: types.KeyTypeHash}, {AttributeName: aws.String(attrKey), KeyType: types.KeyTypeRange},
		},
		Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
	}
	if described.BillingModeSummary == nil || described.BillingModeSummary.BillingMode != types.BillingModePayPerRequest {
		if p := described.ProvisionedThroughput; p != nil {
			create.ProvisionedThroughput = &types.ProvisionedThroughput{ReadCapacityUnits: p.ReadCapacityUnits, WriteCapacityUnits: p.WriteCapacityUnits}
		}
	}
	_, err := t.db.UpdateTable(ctx, &dynamodb.UpdateTableInput{
		TableName: aws.String(t.name),
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String(attrOwner), AttributeType: types.ScalarAttributeTypeS}, {AttributeName: aws.String(attrKey), AttributeType: types.ScalarAttributeTypeS},
		},
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: create}},
	})
	var busy *types.ResourceInUseException
	var limit *types.LimitExceededException
	if errors.As(err, &busy) || errors.As(err, &limit) {
		return nil // it is being made, or another index is; the next look decides
	}
	if err != nil {
		if again, describeErr := t.describe(ctx); describeErr == nil && len(again.GlobalSecondaryIndexes) > len(described.GlobalSecondaryIndexes) {
			return nil // another worker was a moment earlier
		}
		return fmt.Errorf("create index %s of lease table %s: %w", ownerIndex, t.name, err)
	}
	return nil
}

func (t *table) describe(ctx context.Context) (*types.TableDescription, error) {
	out, err := t.db.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(t.name)})
	if err != nil {
		return nil, err
	}
	return out.Table, nil
}

// entities is everything in the table.
type entities struct {
	leases  []*lease
	workers []workerItem
	wrong   []error // items that could not be understood, and were left out
}

// scan reads the whole table. Reads are consistent: a lease that was just deleted must not be made anew.
func (t *table) scan(ctx context.Context) (*entities, error) {
	all := &entities{}
	input := &dynamodb.ScanInput{TableName: aws.String(t.name), ConsistentRead: aws.Bool(true)}
	for {
		out, err := t.db.Scan(ctx, input)
		if err != nil {
			return nil, fmt.Errorf("scan lease table %s: %w", t.name, err)
		}
		for _, item := range out.Items {
			if textOf(item, attrEntity) == entityWorker {
				worker, err := parseWorker(item)
				if err != nil {
					all.wrong = append(all.wrong, err)
					continue
				}
				all.workers = append(all.workers, worker)
				continue
			}
			l, ok, err := parseLease(item)
			if err != nil {
				all.wrong = append(all.wrong, err)
			} else if ok {
				all.leases = append(all.leases, l)
			}
		}
		if len(out.LastEvaluatedKey) == 0 {
			return all, nil
		}
		input.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// mine is the keys of what the index says is this worker's. The index may be a moment behind.
func (t *table) mine(ctx context.Context) ([]string, error) {
	input := &dynamodb.QueryInput{
		TableName: aws.String(t.name), IndexName: aws.String(ownerIndex), KeyConditionExpression: aws.String(attrOwner + " = :owner"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":owner": text(t.worker)},
	}
	var keys []string
	for {
		out, err := t.db.Query(ctx, input)
		if err != nil {
			return nil, fmt.Errorf("query index %s: %w", ownerIndex, err)
		}
		for _, item := range out.Items {
			keys = append(keys, textOf(item, attrKey))
		}
		if len(out.LastEvaluatedKey) == 0 {
			return keys, nil
		}
		input.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// get reads a lease. Nil if there is none.
func (t *table) get(ctx context.Context, shard string) (*lease, error) {
	out, err := t.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(t.name), Key: map[string]types.AttributeValue{attrKey: text(shard)}, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, fmt.Errorf("get lease %s: %w", shard, err)
	}
	if len(out.Item) == 0 {
		return nil, nil
	}
	l, ok, err := parseLease(out.Item)
	if err == nil && !ok {
		err = fmt.Errorf("item %s is no lease", shard)
	}
	return l, err
}

// insert writes a lease unless there is one.
func (t *table) insert(ctx context.Context, l *lease) (made bool, err error) {
	made, err = putIf(ctx, t.db, t.name, l.item(), absent)
	if err != nil {
		return false, fmt.Errorf("create lease %s: %w", l.shard, err)
	}
	return made, nil
}

// delete removes a lease, whatever it is like by now, as the KCL does.
func (t *table) delete(ctx context.Context, shard string) error {
	_, err := t.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: aws.String(t.name), Key: map[string]types.AttributeValue{attrKey: text(shard)}})
	if err != nil {
		return fmt.Errorf("delete lease %s: %w", shard, err)
	}
	return nil
}

// setChildren notes the children of a shard in its lease, whoever has it.
func (t *table) setChildren(ctx context.Context, shard string, children []string) error {
	_, _, err := update{
		want: map[string]types.AttributeValue{attrKey: text(shard)},
		set:  map[string]types.AttributeValue{attrChildren: &types.AttributeValueMemberSS{Value: children}},
	}.apply(ctx, t.db, t.name, shard)
	if err != nil {
		return fmt.Errorf("note the children of %s: %w", shard, err)
	}
	return nil
}

// assign gives a lease to a worker, if its owners still are who they were: what a leader does, and a worker that has finished a handoff.
func (t *table) assign(ctx context.Context, l *lease, to string) (now *lease, ok bool, err error) {
	u := update{
		want:   map[string]types.AttributeValue{attrKey: text(l.shard), attrOwner: textOrNone(l.owner), attrCheckpointOwns: textOrNone(l.handingOff)},
		set:    map[string]types.AttributeValue{attrOwner: text(to)},
		add:    map[string]types.AttributeValue{attrCounter: number(1)},
		remove: []string{attrCheckpointOwns},
	}
	if l.owner != "" && l.owner != to || l.handingOff == to {
		u.add[attrSwitches] = number(1)
	}
	return t.change(ctx, u, "assign", l.shard)
}

// handOff asks the owner of a lease to finish, and names who gets it then. The counter stays: the owner's heartbeat is not disturbed.
func (t *table) handOff(ctx context.Context, l *lease, to string) (now *lease, ok bool, err error) {
	return t.change(ctx, update{
		want: map[string]types.AttributeValue{attrKey: text(l.shard), attrOwner: text(l.owner), attrCheckpointOwns: nil},
		set:  map[string]types.AttributeValue{attrOwner: text(to), attrCheckpointOwns: text(l.owner)},
	}, "hand off", l.shard)
}

// evict gives a lease up, so that the leader finds it without an owner; if it is being handed over, to its next owner.
func (t *table) evict(ctx context.Context, l *lease) (ok bool, err error) {
	u := update{
		want:   map[string]types.AttributeValue{attrKey: text(l.shard), attrOwner: textOrNone(l.owner), attrCheckpointOwns: textOrNone(l.handingOff)},
		add:    map[string]types.AttributeValue{attrCounter: number(1)},
		remove: []string{attrCheckpointOwns},
	}
	if l.handingOff == "" {
		u.remove = append(u.remove, attrOwner)
	}
	_, ok, err = t.change(ctx, u, "give up", l.shard)
	return ok, err
}

func (t *table) change(ctx context.Context, u update, verb, shard string) (now *lease, ok bool, err error) {
	item, ok, err := u.apply(ctx, t.db, t.name, shard)
	if err != nil {
		return nil, false, fmt.Errorf("%s lease %s: %w", verb, shard, err)
	}
	if len(item) == 0 {
		return nil, false, nil
	}
	now, _, err = parseLease(item)
	return now, ok, err
}

// textOrNone is the condition that an attribute has this value, or that there is none if it is empty.
func textOrNone(value string) types.AttributeValue {
	if value == "" {
		return nil
	}
	return text(value)
}
