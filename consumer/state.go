package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// What an application's tables are like is written in them. Versions 3.0 to 3.4 of the KCL had two more tables beside the lease table, and say in the first of them how
// far the way to one table is; versions 2.x had the lease table alone, without an item that says so.
const (
	migrationKey      = "Migration3.0"      // the item of the lease table that says which version's rules hold
	tableMigrationKey = "TableMigration3.5" // the item of the old table that says whether everything is in the lease table
	legacyState       = "-CoordinatorState" // the old table's name, behind the application's

	attrVersion      = "cv" // S, in migrationKey
	attrTables       = "tm" // S, in tableMigrationKey
	attrModifiedBy   = "mb"
	attrModified     = "mts" // N, milliseconds since 1970
	attrHistory      = "h"   // L of earlier states
	legacyKey        = "key"
	version3         = "CLIENT_VERSION_3X"
	versionInit      = "CLIENT_VERSION_INIT"
	migrationDone    = "TABLE_MIGRATION_STATUS_COMPLETE"
	nobodyMigrated   = "none, so TABLE_MIGRATION_STATUS_INIT"
	versionTwoOrNone = "none, but leases, as of KCL 2.x"
)

// enter finds out whether the application is one of KCL 3.5, and makes it so if it is new, with what the first worker of the KCL would have written. ErrState if it is not.
func (t *table) enter(ctx context.Context) error {
	if err := t.checkLegacy(ctx); err != nil {
		return err
	}
	for {
		version, err := t.version(ctx)
		if err != nil {
			return err
		}
		if version != "" && version != version3 {
			return fmt.Errorf("%w: item %s of table %s says %s; only %s will do", ErrState, migrationKey, t.name, version, version3)
		}
		all, err := t.scan(ctx)
		if err != nil {
			return err
		}
		if version == version3 {
			for _, wrong := range all.wrong {
				if errors.Is(wrong, ErrState) {
					return wrong
				}
			}
			return nil
		}
		if len(all.leases) > 0 || len(all.wrong) > 0 {
			// The item may have come between the two looks, with another new worker.
			if version, err := t.version(ctx); err != nil || version == version3 {
				return err
			}
			return fmt.Errorf("%w: item %s of table %s is %s", ErrState, migrationKey, t.name, versionTwoOrNone)
		}
		// If another worker is a moment earlier, its item is judged in the next round.
		if _, err := putIf(ctx, t.db, t.name, t.migrationItem(), absent); err != nil {
			return fmt.Errorf("write %s: %w", migrationKey, err)
		}
	}
}

// migrationItem is what the KCL writes when it begins in version 3: the state, and that there was none before.
func (t *table) migrationItem() map[string]types.AttributeValue {
	now := number(t.clock.Now().UnixMilli())
	return map[string]types.AttributeValue{
		attrKey: text(migrationKey), attrEntity: text(entityMigration), attrVersion: text(version3), attrModifiedBy: text(t.worker), attrModified: now,
		attrHistory: &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
			attrVersion: text(versionInit), attrModifiedBy: text(t.worker), attrModified: now,
		}}}},
	}
}

// version is what the item says, empty if there is none.
func (t *table) version(ctx context.Context) (string, error) {
	out, err := t.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(t.name), Key: map[string]types.AttributeValue{attrKey: text(migrationKey)}, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return "", fmt.Errorf("get %s: %w", migrationKey, err)
	}
	if len(out.Item) == 0 {
		return "", nil
	}
	version := textOf(out.Item, attrVersion)
	if version == "" {
		version = "nothing that can be read"
	}
	return version, nil
}

// checkLegacy refuses an application whose leader and workers are still in tables of their own.
func (t *table) checkLegacy(ctx context.Context) error {
	name := t.name + legacyState
	out, err := t.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(name), Key: map[string]types.AttributeValue{legacyKey: text(tableMigrationKey)}, ConsistentRead: aws.Bool(true)})
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for table %s: %w", name, err)
	}
	status := nobodyMigrated
	if len(out.Item) > 0 {
		status = textOf(out.Item, attrTables)
	}
	if status != migrationDone {
		return fmt.Errorf("%w: item %s of table %s, which KCL 3.0 to 3.4 made, is %s; only %s will do", ErrState, tableMigrationKey, name, status, migrationDone)
	}
	return nil
}
