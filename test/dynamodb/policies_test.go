package dynamodb

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/vfs"
)

// keyed is a server that verifies keys.
type keyed struct {
	t    *testing.T
	dir  string
	keys *auth.Store
	node *node.Node
}

const keyedAccount = "111111111111"

func newKeyed(t *testing.T) *keyed {
	t.Helper()
	k := &keyed{t: t, dir: t.TempDir()}
	files, err := vfs.NewOS(k.dir)
	if err != nil {
		t.Fatal(err)
	}
	if k.keys, err = auth.OpenStore(files, clock.Real, nil); err != nil {
		t.Fatal(err)
	}
	return k
}

// key makes a key whose user has a policy, or none.
func (k *keyed) key(user, document string) aws.Credentials {
	k.t.Helper()
	spec := auth.Spec{Account: keyedAccount, User: user}
	if document != "" {
		spec.Policies = []auth.Policy{{Name: "only", Document: []byte(document)}}
	}
	made, err := k.keys.Make(spec)
	if err != nil {
		k.t.Fatal(err)
	}
	return aws.Credentials{AccessKeyID: made.ID, SecretAccessKey: made.Secret}
}

// as is a session with a key; the first starts the server.
func (k *keyed) as(key aws.Credentials) *session {
	k.t.Helper()
	if k.node == nil {
		n, err := node.Start(context.Background(), node.Config{DataDir: k.dir, Listen: "127.0.0.1:0", Audit: true, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			k.t.Fatal(err)
		}
		k.node = n
		k.t.Cleanup(func() {
			if err := stop(n); err != nil {
				k.t.Error(err)
			}
		})
	}
	s := connect(k.t, k.node, keyedAccount)
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return key, nil })
	endpoint, client := aws.String("http://"+k.node.Addr()), &http.Client{Transport: whole{}}
	s.Client = dynamodb.New(dynamodb.Options{Region: region, BaseEndpoint: endpoint, Credentials: credentials, Retryer: aws.NopRetryer{}, HTTPClient: client})
	s.streams = dynamodbstreams.New(dynamodbstreams.Options{Region: region, BaseEndpoint: endpoint, Credentials: credentials, Retryer: aws.NopRetryer{}, HTTPClient: client})
	return s
}

// TestTablePolicies: a user with a policy may do what it allows and nothing else, whatever the operation; the audit log has the control calls.
func TestTablePolicies(t *testing.T) {
	k := newKeyed(t)
	readerKey := k.key("reader", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["dynamodb:GetItem","dynamodb:Query"],"Resource":["arn:aws:dynamodb:us-east-1:111111111111:table/open","arn:aws:dynamodb:us-east-1:111111111111:table/open/index/byG"]}]}`)
	root := k.as(k.key("", ""))
	reader := k.as(readerKey)
	for _, name := range []string{"open", "closed"} {
		root.table(name, false, func(in *dynamodb.CreateTableInput) {
			in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: aws.String("g"), AttributeType: "S"})
			in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{gsi("byG", "g", "ALL"), gsi("other", "g", "ALL")}
			in.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: "KEYS_ONLY"}
		})
		root.put(name, item{"k": str("a"), "g": str("g")})
	}
	key := item{"k": str("a")}
	must(reader.GetItem(reader.ctx, &dynamodb.GetItemInput{TableName: aws.String("open"), Key: key}))(reader)
	byG := func(index string) error {
		_, err := reader.Query(reader.ctx, &dynamodb.QueryInput{TableName: aws.String("open"), IndexName: &index, KeyConditionExpression: aws.String("g = :g"), ExpressionAttributeValues: item{":g": str("g")}})
		return err
	}
	if err := byG("byG"); err != nil {
		t.Errorf("an index that is allowed: %v", err)
	}
	denied := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "AccessDeniedException") || !strings.Contains(err.Error(), "is not authorized to perform: dynamodb:") {
			t.Errorf("%s: %v", what, err)
		}
	}
	denied("another index", byG("other"))
	_, err := reader.GetItem(reader.ctx, &dynamodb.GetItemInput{TableName: aws.String("closed"), Key: key})
	denied("another table", err)
	_, err = reader.TransactWriteItems(reader.ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{ConditionCheck: &types.ConditionCheck{TableName: aws.String("open"), Key: key, ConditionExpression: aws.String("attribute_exists(k)")}}}})
	denied("a check", err)
	must(reader.TransactGetItems(reader.ctx, &dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{{Get: &types.Get{TableName: aws.String("open"), Key: key}}}}))(reader)

	// Every other operation asks, before it looks.
	tableARN := "arn:aws:dynamodb:us-east-1:111111111111:table/closed"
	streamARN := *root.streamOf("closed")
	iterator := root.iterator(&streamARN, "TRIM_HORIZON", nil)
	asked := 0
	for _, in := range []any{
		&dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"closed": {Keys: []map[string]types.AttributeValue{key}}}},
		&dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"closed": {{DeleteRequest: &types.DeleteRequest{Key: key}}}}},
		&dynamodb.CreateTableInput{TableName: aws.String("new"), BillingMode: "PAY_PER_REQUEST", AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("k"), AttributeType: "S"}}, KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("k"), KeyType: "HASH"}}},
		&dynamodb.DeleteItemInput{TableName: aws.String("closed"), Key: key}, &dynamodb.DeleteTableInput{TableName: aws.String("closed")},
		&dynamodb.DescribeContinuousBackupsInput{TableName: aws.String("closed")}, &dynamodb.DescribeEndpointsInput{}, &dynamodb.DescribeLimitsInput{}, &dynamodb.DescribeTableInput{TableName: aws.String("closed")},
		&dynamodb.DescribeTimeToLiveInput{TableName: aws.String("closed")}, &dynamodb.ListTablesInput{}, &dynamodb.ListTagsOfResourceInput{ResourceArn: &tableARN},
		&dynamodb.PutItemInput{TableName: aws.String("closed"), Item: key}, &dynamodb.ScanInput{TableName: aws.String("closed")},
		&dynamodb.TagResourceInput{ResourceArn: &tableARN, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}, &dynamodb.UntagResourceInput{ResourceArn: &tableARN, TagKeys: []string{"a"}},
		&dynamodb.UpdateItemInput{TableName: aws.String("closed"), Key: key}, &dynamodb.UpdateTableInput{TableName: aws.String("closed"), DeletionProtectionEnabled: aws.Bool(true)},
		&dynamodb.UpdateTimeToLiveInput{TableName: aws.String("closed"), TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("e"), Enabled: aws.Bool(true)}},
		&dynamodbstreams.ListStreamsInput{}, &dynamodbstreams.DescribeStreamInput{StreamArn: &streamARN}, &dynamodbstreams.GetRecordsInput{ShardIterator: iterator},
		&dynamodbstreams.GetShardIteratorInput{StreamArn: &streamARN, ShardId: aws.String("shardId-00000000000000000000-00000000"), ShardIteratorType: "LATEST"},
	} {
		operation := strings.TrimSuffix(reflect.TypeOf(in).Elem().Name(), "Input")
		client := reflect.ValueOf(reader.Client)
		if strings.Contains(reflect.TypeOf(in).Elem().PkgPath(), "streams") {
			client = reflect.ValueOf(reader.streams)
		}
		out := client.MethodByName(operation).Call([]reflect.Value{reflect.ValueOf(reader.ctx), reflect.ValueOf(in)})
		err, _ := out[1].Interface().(error)
		denied(operation, err)
		asked++
	}
	if asked != 23 {
		t.Errorf("%d operations were asked", asked)
	}
	eventually(t, "the audit log to have a refused call and one that was done", func() bool {
		var text []byte
		files, _ := filepath.Glob(filepath.Join(k.dir, "audit", "*"))
		for _, file := range files {
			b, _ := os.ReadFile(file)
			text = append(text, b...)
		}
		return strings.Contains(string(text), `"DeleteTable"`) && strings.Contains(string(text), `"CreateTable"`) && !strings.Contains(string(text), `"PutItem"`)
	})
}
