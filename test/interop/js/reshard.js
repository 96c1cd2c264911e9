// A consumer with the AWS SDK for JavaScript v3 that goes through reshards while a producer goes on: once it polls, once it subscribes.
//
// The stream of two shards is scaled to three and then two neighbours are merged. The consumer knows the first shards only; the end of a
// shard says which children go on. Every record must come once, those of a key in their order.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { KinesisClient, CreateStreamCommand, DeleteStreamCommand, DescribeStreamConsumerCommand, DescribeStreamSummaryCommand,
  GetRecordsCommand, GetShardIteratorCommand, ListShardsCommand, MergeShardsCommand, PutRecordCommand, PutRecordsCommand,
  RegisterStreamConsumerCommand, SubscribeToShardCommand, UpdateShardCountCommand } from "@aws-sdk/client-kinesis";

const [batches, batch, keys] = [24, 25, 7];

let failed = false;

async function check(name, body) {
  try {
    console.log(`# ${name}: ${await body()}`);
    console.log(`ok ${name}`);
  } catch (error) {
    failed = true;
    console.log(`not ok ${name}: ${error.name}: ${error.message}`.replaceAll("\n", " "));
  }
}

async function until(what, condition) {
  for (const deadline = Date.now() + 30e3; !(await condition()); await sleep(20)) {
    assert(Date.now() < deadline, `waited 30 s for ${what}`);
  }
}

// Producer puts numbered records, and in the end one marker into each open shard.
class Producer {
  constructor(client, StreamName) {
    Object.assign(this, { client, StreamName, count: 0 });
  }

  async put(times) {
    for (let i = 0; i < times; i++) {
      const Records = Array.from({ length: batch }, () => {
        const n = this.count++;
        return { PartitionKey: `key-${n % keys}`, Data: Buffer.from(String(n)) };
      });
      const { FailedRecordCount } = await this.client.send(new PutRecordsCommand({ StreamName: this.StreamName, Records }));
      assert.equal(FailedRecordCount, 0);
    }
  }

  async markEnds() {
    for (const { HashKeyRange } of await this.openShards()) {
      await this.client.send(new PutRecordCommand({ StreamName: this.StreamName, PartitionKey: "end", Data: Buffer.from("end"),
        ExplicitHashKey: HashKeyRange.StartingHashKey }));
    }
  }

  async openShards() {
    const { Shards } = await this.client.send(new ListShardsCommand({ StreamName: this.StreamName, ShardFilter: { Type: "AT_LATEST" } }));
    const start = (shard) => BigInt(shard.HashKeyRange.StartingHashKey);
    return Shards.sort((a, b) => (start(a) < start(b) ? -1 : 1));
  }

  async summary() {
    return (await this.client.send(new DescribeStreamSummaryCommand({ StreamName: this.StreamName }))).StreamDescriptionSummary;
  }

  waitActive() {
    return until("the stream to be ACTIVE", async () => (await this.summary()).StreamStatus === "ACTIVE");
  }
}

// Consumer reads shards side by side, a child once all its parents have ended. read(shard) gives pieces: records, and at the end of the
// shard its children.
class Consumer {
  constructor(read) {
    Object.assign(this, { read, records: [], known: new Set(), seen: new Set(), ended: new Set(), waiting: new Map() });
  }

  async run(shards) {
    await Promise.all(shards.map((shard) => this.shard(shard)));
  }

  async shard(shard) {
    this.known.add(shard);
    for await (const { records, children } of this.read(shard)) {
      if (records.length > 0) {
        this.seen.add(shard);
      }
      for (const { PartitionKey, Data } of records) {
        const text = Buffer.from(Data).toString();
        if (text === "end") {
          return;
        }
        this.records.push([PartitionKey, Number(text)]);
      }
      if (children) {
        return this.finish(shard, children);
      }
    }
    assert.fail(`the reading of ${shard} ended, and neither the shard nor its marker did`);
  }

  async finish(shard, children) {
    this.ended.add(shard);
    for (const { ShardId, ParentShards } of children) {
      assert(ParentShards.includes(shard), `${ShardId} names ${ParentShards} and not its parent ${shard}`);
      if (!this.known.has(ShardId)) {
        this.waiting.set(ShardId, ParentShards);
      }
    }
    const ready = [...this.waiting.keys()].filter((child) => this.waiting.get(child).every((parent) => this.ended.has(parent)));
    ready.forEach((child) => this.waiting.delete(child));
    await this.run(ready);
  }

  summary(count) {
    const numbers = this.records.map(([, n]) => n).sort((a, b) => a - b);
    assert.deepEqual(numbers, Array.from({ length: count }, (_, i) => i));
    const last = new Map();
    for (const [key, n] of this.records) {
      assert((last.get(key) ?? -1) < n, `${key}: ${n} after ${last.get(key)}`);
      last.set(key, n);
    }
    assert.equal(this.waiting.size, 0);
    return `${count} records of ${last.size} keys, each once, from ${this.known.size} shards, ${this.ended.size} of them to their end`;
  }
}

// poll reads by GetRecords.
const poll = (client, StreamName) => async function* (ShardId) {
  let { ShardIterator } = await client.send(new GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" }));
  while (ShardIterator) {
    const page = await client.send(new GetRecordsCommand({ ShardIterator, Limit: 100 }));
    assert.equal(!page.NextShardIterator, !!page.ChildShards?.length, "children come with the end, and only then");
    yield { records: page.Records, children: page.NextShardIterator ? undefined : page.ChildShards };
    ShardIterator = page.NextShardIterator;
    await sleep(20);
  }
};

// subscribe reads by SubscribeToShard. The subscription to the first shard is given up after the first records and taken up again from
// its continuation, which AWS refuses for five seconds. counts is told what happened.
const subscribe = (client, ConsumerARN, counts) => async function* (ShardId) {
  let StartingPosition = { Type: "TRIM_HORIZON" };
  for (let giveUp = ShardId === "shardId-000000000000"; ; giveUp = false) {
    const { EventStream } = await subscription(client, { ConsumerARN, ShardId, StartingPosition }, counts);
    for await (const { SubscribeToShardEvent: event } of EventStream) {
      if (!event) {
        continue;
      }
      counts.events++;
      const { Records: records, ContinuationSequenceNumber: SequenceNumber, ChildShards } = event;
      assert.equal(!SequenceNumber, !!ChildShards?.length, "children come when nothing else does");
      yield { records, children: SequenceNumber ? undefined : ChildShards };
      StartingPosition = { Type: "AFTER_SEQUENCE_NUMBER", SequenceNumber };
      if (giveUp && records.length > 0) {
        break;
      }
    }
    counts.again++;
  }
};

async function subscription(client, input, counts) {
  for (const deadline = Date.now() + 30e3; ;) {
    try {
      return await client.send(new SubscribeToShardCommand(input));
    } catch (error) {
      if (error.name !== "ResourceInUseException" || Date.now() > deadline) {
        throw error;
      }
      counts.refused++;
      await sleep(1000); // once a second is how often a consumer may call for a shard
    }
  }
}

async function registered(client, StreamARN) {
  const { Consumer: { ConsumerARN } } = await client.send(new RegisterStreamConsumerCommand({ StreamARN, ConsumerName: "through" }));
  await until("the consumer to be ACTIVE", async () =>
    (await client.send(new DescribeStreamConsumerCommand({ ConsumerARN }))).ConsumerDescription.ConsumerStatus === "ACTIVE");
  return ConsumerARN;
}

async function through(endpoint, StreamName, subscribing) {
  const client = new KinesisClient({ endpoint, region: "us-east-1", maxAttempts: 1,
    credentials: { accessKeyId: "200000000014", secretAccessKey: "any" } });
  try {
    await client.send(new CreateStreamCommand({ StreamName, ShardCount: 2 }));
    const producer = new Producer(client, StreamName);
    await producer.waitActive();
    const counts = { events: 0, again: 0, refused: 0 };
    const read = subscribing
      ? subscribe(client, await registered(client, (await producer.summary()).StreamARN), counts)
      : poll(client, StreamName);
    await producer.put(batches / 4);
    const consumer = new Consumer(read);
    const shards = (await producer.openShards()).map((shard) => shard.ShardId);
    const reading = consumer.run(shards);
    reading.catch(() => {}); // told below
    await Promise.race([reading, until("records of each shard", () => shards.every((shard) => consumer.seen.has(shard)))]);
    await client.send(new UpdateShardCountCommand({ StreamName, TargetShardCount: 3, ScalingType: "UNIFORM_SCALING" }));
    await producer.put(batches / 4);
    await producer.waitActive();
    const [first, second] = await producer.openShards();
    await client.send(new MergeShardsCommand({ StreamName, ShardToMerge: first.ShardId, AdjacentShardToMerge: second.ShardId }));
    await producer.put(batches / 4);
    await producer.waitActive();
    await producer.put(batches / 4);
    await producer.markEnds();
    await Promise.race([reading, sleep(60e3, undefined, { ref: false }).then(() => assert.fail("60 s, and the consumer is not through"))]);
    const summary = consumer.summary(producer.count);
    await client.send(new DeleteStreamCommand({ StreamName, EnforceConsumerDeletion: true }));
    if (!subscribing) {
      return summary;
    }
    assert(counts.again > 0 && counts.refused > 0, "subscribed again, and refused at first");
    return `${summary}; ${counts.events} events, subscribed again ${counts.again} times, refused ${counts.refused} times`;
  } finally {
    client.destroy();
  }
}

await check("JavaScript polls through a reshard over HTTP/2", () => through(process.env.WEIR_HTTP, "js-reshard-poll", false));
await check("JavaScript subscribes through a reshard over HTTP/2 without TLS", () => through(process.env.WEIR_HTTP, "js-reshard-h2c", true));
await check("JavaScript subscribes through a reshard over HTTP/2 with TLS", () => through(process.env.WEIR_HTTPS, "js-reshard-h2", true));
if (!failed) {
  const { version } = createRequire(import.meta.url)("@aws-sdk/client-kinesis/package.json");
  console.log(`= AWS SDK for JavaScript v3 | ${version} | polls, and subscribes with and without TLS, over HTTP/2 | ${3 * batches * batch} records | ${3 * batches * batch} records, each once, those of a key in order | two reshards while records come; subscriptions given up and taken up again`);
}
process.exit(0); // a subscription that was given up may still be open
