// Put, get and list with the AWS SDK for JavaScript v3, whose Kinesis client speaks HTTP/2: with
// prior knowledge to an http:// address, by ALPN to an https:// one. NODE_EXTRA_CA_CERTS names the CA.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { KinesisClient, CreateStreamCommand, DeleteStreamCommand, DescribeStreamSummaryCommand, GetRecordsCommand,
  GetShardIteratorCommand, ListShardsCommand, ListStreamsCommand, PutRecordCommand, PutRecordsCommand,
  ResourceNotFoundException, waitUntilStreamExists } from "@aws-sdk/client-kinesis";

let failed = false;

async function check(name, body) {
  try {
    await body();
    console.log(`ok ${name}`);
  } catch (error) {
    failed = true;
    console.log(`not ok ${name}: ${error.name}: ${error.message}`.replaceAll("\n", " "));
  }
}

async function life(endpoint, StreamName) {
  const client = new KinesisClient({ endpoint, region: "us-east-1", maxAttempts: 1,
    credentials: { accessKeyId: "200000000003", secretAccessKey: "any" } });
  try {
    await client.send(new CreateStreamCommand({ StreamName, ShardCount: 2 }));
    await waitUntilStreamExists({ client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { StreamName });
    assert((await client.send(new ListStreamsCommand({}))).StreamNames.includes(StreamName));
    const { Shards } = await client.send(new ListShardsCommand({ StreamName }));
    assert.deepEqual(Shards.map((shard) => shard.ShardId), ["shardId-000000000000", "shardId-000000000001"]);

    const everything = Uint8Array.from({ length: 256 }, (_, i) => i);
    const placed = await client.send(new PutRecordCommand({ StreamName, PartitionKey: "one", Data: everything }));
    const batch = await client.send(new PutRecordsCommand({ StreamName,
      Records: Array.from({ length: 100 }, (_, i) => ({ PartitionKey: `key-${i}`, Data: Buffer.from(`record ${i}`) })) }));
    assert.equal(batch.FailedRecordCount, 0);
    const places = new Map([[`${placed.ShardId} ${placed.SequenceNumber}`, Buffer.from(everything).toString("hex")]]);
    batch.Records.forEach((record, i) =>
      places.set(`${record.ShardId} ${record.SequenceNumber}`, Buffer.from(`record ${i}`).toString("hex")));

    const found = new Map();
    for (const { ShardId } of Shards) {
      let { ShardIterator } = await client.send(new GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" }));
      for (let behind = 1; behind > 0;) {
        const page = await client.send(new GetRecordsCommand({ ShardIterator, Limit: 30 }));
        for (const record of page.Records) {
          found.set(`${ShardId} ${record.SequenceNumber}`, Buffer.from(record.Data).toString("hex"));
          assert(Math.abs(Date.now() - record.ApproximateArrivalTimestamp.getTime()) < 3600e3, "arrived within the hour");
        }
        ShardIterator = page.NextShardIterator;
        behind = page.MillisBehindLatest;
      }
    }
    assert.deepEqual(new Map([...found].sort()), new Map([...places].sort()));

    await assert.rejects(client.send(new DescribeStreamSummaryCommand({ StreamName: "gone" })), (error) =>
      error instanceof ResourceNotFoundException && error.message === "Stream gone under account 200000000003 not found.");
    await client.send(new DeleteStreamCommand({ StreamName }));
  } finally {
    client.destroy();
  }
}

await check("JavaScript over HTTP/2 without TLS", () => life(process.env.WEIR_HTTP, "js-h2c"));
await check("JavaScript over HTTP/2 with TLS", () => life(process.env.WEIR_HTTPS, "js-h2"));
if (!failed) {
  const { version } = createRequire(import.meta.url)("@aws-sdk/client-kinesis/package.json");
  console.log(`= AWS SDK for JavaScript v3 | ${version} | puts, gets and lists, over HTTP/2 with and without TLS | 202 records | 202 records | none`);
}
