package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// update is one conditional change of an item: what must be true of it, and what becomes of it. Names are attributes'; every one is sent as a placeholder, since
// some are words of the expression language.
type update struct {
	want   map[string]types.AttributeValue // attribute to its value; nil means that there must be none
	set    map[string]types.AttributeValue
	add    map[string]types.AttributeValue
	remove []string
}

// input is the request. The old item comes back when the condition fails, the new one when asked for.
func (u update) input(table, key string) *dynamodb.UpdateItemInput {
	e := expression{names: map[string]string{}, values: map[string]types.AttributeValue{}}
	input := &dynamodb.UpdateItemInput{
		TableName: aws.String(table), Key: map[string]types.AttributeValue{attrKey: text(key)},
		ReturnValues: types.ReturnValueAllNew, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	input.ConditionExpression = e.condition(u.want)
	var parts []string
	if len(u.set) > 0 {
		parts = append(parts, "SET "+e.list(u.set, " = "))
	}
	if len(u.add) > 0 {
		parts = append(parts, "ADD "+e.list(u.add, " "))
	}
	if len(u.remove) > 0 {
		var names []string
		for _, name := range u.remove {
			names = append(names, e.name(name))
		}
		parts = append(parts, "REMOVE "+strings.Join(names, ", "))
	}
	input.UpdateExpression = aws.String(strings.Join(parts, " "))
	input.ExpressionAttributeNames = e.names
	if len(e.values) > 0 {
		input.ExpressionAttributeValues = e.values
	}
	return input
}

// expression gathers placeholders.
type expression struct {
	names  map[string]string
	values map[string]types.AttributeValue
}

func (e *expression) name(attribute string) string {
	placeholder := "#" + attribute
	e.names[placeholder] = attribute
	return placeholder
}

func (e *expression) value(v types.AttributeValue) string {
	placeholder := fmt.Sprintf(":v%d", len(e.values))
	e.values[placeholder] = v
	return placeholder
}

// condition is true if every attribute of want is as it says. Nil without any.
func (e *expression) condition(want map[string]types.AttributeValue) *string {
	var all []string
	for _, attribute := range slices.Sorted(maps.Keys(want)) {
		if want[attribute] == nil {
			all = append(all, "attribute_not_exists("+e.name(attribute)+")")
		} else {
			all = append(all, e.name(attribute)+" = "+e.value(want[attribute]))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return aws.String(strings.Join(all, " AND "))
}

func (e *expression) list(values map[string]types.AttributeValue, between string) string {
	var all []string
	for _, attribute := range slices.Sorted(maps.Keys(values)) {
		all = append(all, e.name(attribute)+between+e.value(values[attribute]))
	}
	return strings.Join(all, ", ")
}

// apply makes the change. If the condition was not true, ok is false and item is what is there instead, nil if nothing is.
func (u update) apply(ctx context.Context, db DynamoDBAPI, table, key string) (item map[string]types.AttributeValue, ok bool, err error) {
	out, err := db.UpdateItem(ctx, u.input(table, key))
	if refused, item := conditionFailed(err); refused {
		return item, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return out.Attributes, true, nil
}

// putIf writes an item if want is true of the one that is there. A want of nothing but a nil key means: only if there is none.
func putIf(ctx context.Context, db DynamoDBAPI, table string, item, want map[string]types.AttributeValue) (ok bool, err error) {
	e := expression{names: map[string]string{}, values: map[string]types.AttributeValue{}}
	input := &dynamodb.PutItemInput{TableName: aws.String(table), Item: item, ConditionExpression: e.condition(want), ExpressionAttributeNames: e.names}
	if len(e.values) > 0 {
		input.ExpressionAttributeValues = e.values
	}
	_, err = db.PutItem(ctx, input)
	if refused, _ := conditionFailed(err); refused {
		return false, nil
	}
	return err == nil, err
}

func conditionFailed(err error) (failed bool, item map[string]types.AttributeValue) {
	var refused *types.ConditionalCheckFailedException
	if errors.As(err, &refused) {
		return true, refused.Item
	}
	return false, nil
}

// absent is the condition that an item does not exist.
var absent = map[string]types.AttributeValue{attrKey: nil}
