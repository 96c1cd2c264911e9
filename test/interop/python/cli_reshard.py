"""Split, merge, scale and list shards as a person types it, with the AWS CLI of this environment."""

import os

from weir_check import HTTP, check, equal, row
from weir_cli import CLIENT, VERSION, aws

HALF = str(2**127)


def reshard(stream):
    def kinesis(operation, *words, fails=False):
        return aws("--endpoint-url", HTTP, "kinesis", operation, *words, fails=fails)

    def listed(*words):
        return [shard["ShardId"][-1] for shard in kinesis("list-shards", "--stream-name", stream, *words)["Shards"]]

    def wait():
        kinesis("wait", "stream-exists", "--stream-name", stream)  # which is: until it is ACTIVE

    kinesis("create-stream", "--stream-name", stream, "--shard-count", "1")
    wait()
    kinesis("split-shard", "--stream-name", stream, "--shard-to-split", "shardId-000000000000", "--new-starting-hash-key", HALF)
    wait()
    equal(listed(), ["0", "1", "2"])
    equal(listed("--shard-filter", "Type=AT_LATEST"), ["1", "2"])
    equal(listed("--shard-filter", "Type=AT_TRIM_HORIZON"), ["0"])
    equal(listed("--shard-filter", "Type=AFTER_SHARD_ID,ShardId=shardId-000000000001"), ["2"])
    equal(listed("--shard-filter", "Type=FROM_TIMESTAMP,Timestamp=2020-01-01T00:00:00Z"), ["0", "1", "2"])
    kinesis("merge-shards", "--stream-name", stream, "--shard-to-merge", "shardId-000000000001",
            "--adjacent-shard-to-merge", "shardId-000000000002")
    wait()
    merged = kinesis("list-shards", "--stream-name", stream)["Shards"][3]
    equal((merged["ParentShardId"], merged["AdjacentParentShardId"]), ("shardId-000000000001", "shardId-000000000002"))
    equal(listed("--shard-filter", "Type=AT_LATEST"), ["3"])
    answer = kinesis("update-shard-count", "--stream-name", stream, "--target-shard-count", "2", "--scaling-type", "UNIFORM_SCALING")
    equal((answer["CurrentShardCount"], answer["TargetShardCount"]), (1, 2))
    wait()
    equal(kinesis("describe-stream-summary", "--stream-name", stream)["StreamDescriptionSummary"]["OpenShardCount"], 2)
    iterator = kinesis("get-shard-iterator", "--stream-name", stream, "--shard-id", "shardId-000000000000",
                       "--shard-iterator-type", "TRIM_HORIZON", "--query", "ShardIterator")
    end = kinesis("get-records", "--shard-iterator", iterator)
    equal(end.get("NextShardIterator"), None)
    equal([(child["ShardId"][-1], child["ParentShards"]) for child in end["ChildShards"]],
          [("1", ["shardId-000000000000"]), ("2", ["shardId-000000000000"])])
    complaint = kinesis("split-shard", "--stream-name", stream, "--shard-to-split", "shardId-000000000000",
                        "--new-starting-hash-key", HALF, fails=True)
    equal("InvalidArgumentException" in complaint and "already been merged or split" in complaint, True)
    kinesis("delete-stream", "--stream-name", stream)
    kinesis("wait", "stream-not-exists", "--stream-name", stream)


os.environ["AWS_ACCESS_KEY_ID"] = "200000000012"
check("AWS CLI splits, merges and scales", reshard, "cli-reshard")
row(CLIENT, VERSION, "splits, merges, scales and lists shards with every filter", "nothing", "7 lists of shards, the children at the end of a shard", "four reshards")
