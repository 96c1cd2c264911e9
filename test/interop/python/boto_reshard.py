"""A consumer with boto3 that polls a stream through reshards, while a producer goes on; and one that subscribes afterwards, over
HTTP/1.1, which is what boto3 speaks.

The stream of two shards is scaled to three and then two neighbours are merged. The consumer knows the first shards only; where a shard
has ended, GetRecords says which children go on. Every record must come once, those of a key in their order.
"""

import collections
import contextlib
import threading

import boto3

from weir_check import HTTP, HTTPS, CA, check, equal, row, wait_until

BATCHES, BATCH, KEYS = 24, 25, 7


class Producer:
    """Puts numbered records, and in the end one marker into each open shard."""

    def __init__(self, client, stream):
        self.client, self.stream, self.count = client, stream, 0

    def put(self, batches):
        for _ in range(batches):
            numbers = range(self.count, self.count + BATCH)
            self.count += BATCH
            answer = self.client.put_records(StreamName=self.stream, Records=[
                {"PartitionKey": f"key-{n % KEYS}", "Data": str(n).encode()} for n in numbers])
            equal(answer["FailedRecordCount"], 0)

    def mark_ends(self):
        for shard in self.open_shards():
            self.client.put_record(StreamName=self.stream, PartitionKey="end", Data=b"end",
                                   ExplicitHashKey=shard["HashKeyRange"]["StartingHashKey"])

    def open_shards(self):
        shards = self.client.list_shards(StreamName=self.stream, ShardFilter={"Type": "AT_LATEST"})["Shards"]
        return sorted(shards, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))

    def wait_active(self):
        wait_until("the stream to be ACTIVE", lambda: self.client.describe_stream_summary(
            StreamName=self.stream)["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")


class Consumer:
    """Reads shards side by side, a child once all its parents have ended."""

    def __init__(self, client, stream, shards):
        self.client, self.stream = client, stream
        self.records = []  # (key, number) in the order they came
        self.read, self.ended = set(), set()
        self.parents = {}  # of the children that wait
        self.iterators = {}
        for shard in shards:
            self.begin(shard)

    def begin(self, shard):
        self.read.add(shard)
        self.iterators[shard] = self.client.get_shard_iterator(
            StreamName=self.stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]

    def run(self):
        while self.iterators:
            for shard in list(self.iterators):
                self.step(shard)

    def step(self, shard):
        page = self.client.get_records(ShardIterator=self.iterators.pop(shard), Limit=100)
        for record in page["Records"]:
            if record["Data"] == b"end":
                return
            self.records.append((record["PartitionKey"], int(record["Data"])))
        following = page.get("NextShardIterator")
        equal(bool(page.get("ChildShards")), following is None)
        if following:
            self.iterators[shard] = following
            return
        self.ended.add(shard)
        for child in page["ChildShards"]:
            equal(shard in child["ParentShards"], True)
            self.parents[child["ShardId"]] = set(child["ParentShards"])
        for child, parents in list(self.parents.items()):
            if parents <= self.ended:
                del self.parents[child]
                self.begin(child)


def subscribed(client, stream, shards):
    """Reads shards one after the other by SubscribeToShard, each child after its parents. Gives the numbers and how many events there were."""
    stream_arn = client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    consumer = client.register_stream_consumer(StreamARN=stream_arn, ConsumerName="through")["Consumer"]["ConsumerARN"]
    wait_until("the consumer to be ACTIVE", lambda: client.describe_stream_consumer(
        ConsumerARN=consumer)["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE")
    numbers, events, ended, waiting = [], 0, set(), {shard: set() for shard in shards}

    def read(shard):
        nonlocal events
        answer = client.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard, StartingPosition={"Type": "TRIM_HORIZON"})
        with contextlib.closing(answer["EventStream"]) as stream_of_events:
            for item in stream_of_events:
                event = item["SubscribeToShardEvent"]
                events += 1
                for record in event["Records"]:
                    if record["Data"] == b"end":
                        return
                    numbers.append(int(record["Data"]))
                equal(bool(event.get("ChildShards")), not event.get("ContinuationSequenceNumber"))
                for child in event.get("ChildShards", []):
                    waiting.setdefault(child["ShardId"], set(child["ParentShards"]))
        ended.add(shard)

    while ready := [shard for shard, parents in waiting.items() if parents <= ended]:
        for shard in ready:
            del waiting[shard]
            read(shard)
    return numbers, events


def through(name, endpoint, verify, stream):
    client = boto3.client("kinesis", endpoint_url=endpoint, verify=verify, region_name="us-east-1",
                          aws_access_key_id="200000000011", aws_secret_access_key="any")
    client.create_stream(StreamName=stream, ShardCount=2)
    client.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    producer = Producer(client, stream)
    producer.put(BATCHES // 4)
    first_shards = [shard["ShardId"] for shard in producer.open_shards()]
    consumer = Consumer(client, stream, first_shards)
    failures = []

    def consume():
        try:
            consumer.run()
        except Exception as error:  # raised again below
            failures.append(error)

    reading = threading.Thread(target=consume, daemon=True)
    reading.start()
    answer = client.update_shard_count(StreamName=stream, TargetShardCount=3, ScalingType="UNIFORM_SCALING")
    equal((answer["CurrentShardCount"], answer["TargetShardCount"]), (2, 3))
    producer.put(BATCHES // 4)
    producer.wait_active()
    first, second = producer.open_shards()[:2]
    client.merge_shards(StreamName=stream, ShardToMerge=first["ShardId"], AdjacentShardToMerge=second["ShardId"])
    producer.put(BATCHES // 4)
    producer.wait_active()
    producer.put(BATCHES // 4)
    producer.mark_ends()
    reading.join(60)
    if failures:
        raise failures[0]
    equal(reading.is_alive(), False)

    equal(sorted(number for _, number in consumer.records), list(range(producer.count)))
    by_key = collections.defaultdict(list)
    for key, number in consumer.records:
        by_key[key].append(number)
    for key, numbers in by_key.items():
        equal((key, numbers), (key, sorted(numbers)))
    equal(len(producer.open_shards()), 2)
    numbers, events = subscribed(client, stream, first_shards)
    equal(sorted(numbers), list(range(producer.count)))
    print(f"# {name}: {len(consumer.records)} records of {len(by_key)} keys, each once, from {len(consumer.read)} shards, "
          f"{len(consumer.ended)} of them to their end; and {len(numbers)} by {events} events", flush=True)
    client.delete_stream(StreamName=stream, EnforceConsumerDeletion=True)


for name, endpoint, verify, stream in ("boto3 through a reshard over HTTP", HTTP, None, "boto-reshard-http"), (
        "boto3 through a reshard over TLS", HTTPS, CA, "boto-reshard-tls"):
    check(name, through, name, endpoint, verify, stream)
row("boto3", boto3.__version__, "polls and subscribes over HTTP/1.1, over HTTP and TLS", f"{2 * BATCHES * BATCH} records",
    f"{2 * BATCHES * BATCH} records by GetRecords, and again by SubscribeToShard", "two reshards while records come")
