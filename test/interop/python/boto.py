"""Put, get and list with boto3, over plain HTTP and over TLS."""

import datetime

import boto3
from botocore.exceptions import ClientError

from weir_check import CA, HTTP, HTTPS, check, equal, row, wait_until


def life(endpoint, verify, stream):
    client = boto3.client("kinesis", endpoint_url=endpoint, verify=verify, region_name="us-east-1",
                          aws_access_key_id="200000000001", aws_secret_access_key="any")
    client.create_stream(StreamName=stream, ShardCount=2)
    client.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    equal(stream in client.list_streams()["StreamNames"], True)
    shards = client.list_shards(StreamName=stream)["Shards"]
    equal([shard["ShardId"] for shard in shards], ["shardId-000000000000", "shardId-000000000001"])

    everything = bytes(range(256))
    placed = client.put_record(StreamName=stream, PartitionKey="one", Data=everything)
    batch = client.put_records(StreamName=stream, Records=[
        {"PartitionKey": f"key-{i}", "Data": f"record {i}".encode()} for i in range(100)])
    equal(batch["FailedRecordCount"], 0)
    places = {(placed["ShardId"], placed["SequenceNumber"]): everything}
    for i, record in enumerate(batch["Records"]):
        places[record["ShardId"], record["SequenceNumber"]] = f"record {i}".encode()

    found = {}
    for shard in shards:
        iterator = client.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        behind = None
        while behind != 0:
            page = client.get_records(ShardIterator=iterator, Limit=30)
            for record in page["Records"]:
                found[shard["ShardId"], record["SequenceNumber"]] = record["Data"]
                age = datetime.datetime.now(datetime.timezone.utc) - record["ApproximateArrivalTimestamp"]
                equal(abs(age) < datetime.timedelta(hours=1), True)
            iterator, behind = page["NextShardIterator"], page["MillisBehindLatest"]
    equal(found, places)

    try:
        client.describe_stream_summary(StreamName="gone")
    except client.exceptions.ResourceNotFoundException as error:
        equal(error.response["Error"]["Message"], "Stream gone under account 200000000001 not found.")
    else:
        raise AssertionError("a stream that was never made has a summary")
    client.delete_stream(StreamName=stream)

    def gone():
        try:
            client.describe_stream_summary(StreamName=stream)
        except ClientError as error:
            return error.response["Error"]["Code"] == "ResourceNotFoundException"
        return False

    wait_until("the stream to be gone", gone)


check("boto3 over HTTP", life, HTTP, None, "boto-http")
check("boto3 over TLS", life, HTTPS, CA, "boto-tls")
row("boto3", boto3.__version__, "puts, gets and lists, over HTTP and TLS", "202 records", "202 records")
