"""Tables with boto3's resource and its client, over plain HTTP and over TLS."""

from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Attr, Key

from weir_check import CA, HTTP, HTTPS, check, equal, row, wait_until


def life(endpoint, verify, account):
    settings = dict(endpoint_url=endpoint, verify=verify, region_name="us-east-1", aws_access_key_id=account, aws_secret_access_key="any")
    resource, client = boto3.resource("dynamodb", **settings), boto3.client("dynamodb", **settings)
    streams = boto3.client("dynamodbstreams", **settings)
    table = resource.create_table(
        TableName="orders", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "customer", "KeyType": "HASH"}, {"AttributeName": "number", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": "customer", "AttributeType": "S"}, {"AttributeName": "number", "AttributeType": "N"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
    wait_until("the table to be ACTIVE", lambda: client.describe_table(TableName="orders")["Table"]["TableStatus"] == "ACTIVE")
    with table.batch_writer() as batch:
        for i in range(100):
            batch.put_item(Item={"customer": "a", "number": i, "paid": {"parts": [1, Decimal("1.5"), None, True, b"\x00\x01"], "tags": {"p", "q"}}})

    page = table.query(KeyConditionExpression=Key("customer").eq("a") & Key("number").between(10, 20), FilterExpression=Attr("paid.parts[0]").eq(1))
    equal([int(item["number"]) for item in page["Items"]], list(range(10, 21)))
    equal(page["Items"][0]["paid"]["tags"], {"p", "q"})
    equal(bytes(page["Items"][0]["paid"]["parts"][4]), b"\x00\x01")
    changed = table.update_item(Key={"customer": "a", "number": 1}, UpdateExpression="SET paid.parts[1] = paid.parts[1] + :more",
                                ExpressionAttributeValues={":more": Decimal("0.25")}, ReturnValues="UPDATED_NEW")
    equal(changed["Attributes"], {"paid": {"parts": [Decimal("1.75")]}})
    try:
        table.put_item(Item={"customer": "a", "number": 1}, ConditionExpression=Attr("customer").not_exists())
    except client.exceptions.ConditionalCheckFailedException as error:
        equal(error.response["Error"]["Message"], "The conditional request failed")
    else:
        raise AssertionError("a condition that does not hold is not seen")
    client.transact_write_items(TransactItems=[
        {"Delete": {"TableName": "orders", "Key": {"customer": {"S": "a"}, "number": {"N": "2"}}}},
        {"Put": {"TableName": "orders", "Item": {"customer": {"S": "b"}, "number": {"N": "2"}}}}])
    equal(sum(page["Count"] for page in client.get_paginator("scan").paginate(TableName="orders", PaginationConfig={"PageSize": 30})), 100)

    table.reload()
    described = streams.describe_stream(StreamArn=table.latest_stream_arn)["StreamDescription"]
    iterator = streams.get_shard_iterator(StreamArn=table.latest_stream_arn, ShardId=described["Shards"][0]["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    events = [record["eventName"] for record in streams.get_records(ShardIterator=iterator)["Records"]]
    equal(events, ["INSERT"] * 100 + ["MODIFY", "REMOVE", "INSERT"])
    table.delete()
    wait_until("the table to be gone", lambda: client.list_tables()["TableNames"] == [])


check("boto3 tables over HTTP", life, HTTP, None, "200000000011")
check("boto3 tables over TLS", life, HTTPS, CA, "200000000012")
row("boto3", boto3.__version__, "tables: batches, conditions, transactions, a stream of changes, over HTTP and TLS", "206 changes", "206 changes in the streams")
