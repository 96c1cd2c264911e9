"""Put, get and list as a person types it, with the AWS CLI of this environment."""

import base64
import os
import tempfile

from weir_check import CA, HTTP, HTTPS, check, equal, row
from weir_cli import CLIENT, VERSION, aws


def life(endpoint, stream):
    def kinesis(operation, *words, fails=False):
        return aws("--endpoint-url", endpoint, "kinesis", operation, *words, fails=fails)

    kinesis("create-stream", "--stream-name", stream, "--shard-count", "1")
    kinesis("wait", "stream-exists", "--stream-name", stream)
    equal(stream in kinesis("list-streams")["StreamNames"], True)
    equal([s["ShardId"] for s in kinesis("list-shards", "--stream-name", stream)["Shards"]], ["shardId-000000000000"])
    with tempfile.NamedTemporaryFile() as data:
        data.write(b"\x00\xff weir")
        data.flush()
        put = kinesis("put-record", "--stream-name", stream, "--partition-key", "k", "--data", f"fileb://{data.name}")
    equal(put["ShardId"], "shardId-000000000000")
    iterator = kinesis("get-shard-iterator", "--stream-name", stream, "--shard-id", "0",
                       "--shard-iterator-type", "TRIM_HORIZON", "--query", "ShardIterator")
    records = kinesis("get-records", "--shard-iterator", iterator)["Records"]
    equal([(base64.b64decode(r["Data"]), r["SequenceNumber"]) for r in records], [(b"\x00\xff weir", put["SequenceNumber"])])
    kinesis("add-tags-to-stream", "--stream-name", stream, "--tags", "team=tolls")
    equal(kinesis("list-tags-for-stream", "--stream-name", stream)["Tags"], [{"Key": "team", "Value": "tolls"}])
    complaint = kinesis("describe-stream-summary", "--stream-name", "gone", fails=True)
    equal("ResourceNotFoundException" in complaint and "Stream gone under account" in complaint, True)


os.environ["AWS_ACCESS_KEY_ID"] = "200000000002"
check("AWS CLI over HTTP", life, HTTP, f"cli-{VERSION}-http")
os.environ["AWS_CA_BUNDLE"] = CA
check("AWS CLI over TLS", life, HTTPS, f"cli-{VERSION}-tls")
row(CLIENT, VERSION, "puts, gets and lists, over HTTP and TLS", "2 records", "2 records")
