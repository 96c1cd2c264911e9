// A Node function from zip to its answer with the AWS SDK for JavaScript v3. The zip is written by hand: one file, stored.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { crc32 } from "node:zlib";
import { LambdaClient, CreateFunctionCommand, DeleteFunctionCommand, InvokeCommand, ListFunctionsCommand, ResourceNotFoundException,
  waitUntilFunctionActiveV2 } from "@aws-sdk/client-lambda";

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

// zip is an archive of one stored file (APPNOTE 6.3.10: local header, data, central directory, end).
function zip(name, text) {
  const data = Buffer.from(text), path = Buffer.from(name);
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0); // version needed; the next three are flags, method and time: 0
  fields.writeUInt16LE(0x21, 8); // 1 January 1980
  fields.writeUInt32LE(crc(data), 10);
  fields.writeUInt32LE(data.length, 14);
  fields.writeUInt32LE(data.length, 18);
  fields.writeUInt16LE(path.length, 22);
  const local = Buffer.concat([Buffer.from("PK\x03\x04"), fields, path, data]);
  const rest = Buffer.alloc(14);
  rest.writeUInt32LE(0o100644 * 0x10000, 6); // Unix mode
  const central = Buffer.concat([Buffer.from("PK\x01\x02\x14\x03"), fields, rest, path]);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(1, 4);
  end.writeUInt16LE(1, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(local.length, 12);
  return Buffer.concat([local, central, Buffer.from("PK\x05\x06"), end]);
}

// crc is CRC-32, which older Nodes do not have.
function crc(data) {
  if (crc32) return crc32(data);
  let value = ~0;
  for (const byte of data) {
    value ^= byte;
    for (let i = 0; i < 8; i++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return ~value >>> 0;
}

async function life(endpoint, FunctionName) {
  const client = new LambdaClient({ endpoint, region: "us-east-1", maxAttempts: 1, credentials: { accessKeyId: "200000000023", secretAccessKey: "any" } });
  try {
    await client.send(new CreateFunctionCommand({ FunctionName, Role: "arn:aws:iam::200000000023:role/functions", Runtime: "nodejs22.x", Handler: "index.handler",
      Code: { ZipFile: zip("index.mjs", "export const handler = async (event) => ({ hello: event.name, endpoint: process.env.AWS_ENDPOINT_URL });") } }));
    await waitUntilFunctionActiveV2({ client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { FunctionName });
    assert((await client.send(new ListFunctionsCommand({}))).Functions.some((f) => f.FunctionName === FunctionName));
    const answer = await client.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify({ name: "weir" }), LogType: "Tail" }));
    assert.equal(answer.StatusCode, 200);
    assert.deepEqual(JSON.parse(Buffer.from(answer.Payload).toString()), { hello: "weir", endpoint: process.env.WEIR_HTTP });
    assert.match(Buffer.from(answer.LogResult, "base64").toString(), /REPORT RequestId/);
    await client.send(new DeleteFunctionCommand({ FunctionName }));
    await assert.rejects(client.send(new InvokeCommand({ FunctionName })), ResourceNotFoundException);
  } finally {
    client.destroy();
  }
}

await check("JavaScript SDK v3: a function over HTTP", () => life(process.env.WEIR_HTTP, "js-http"));
await check("JavaScript SDK v3: a function over TLS", () => life(process.env.WEIR_HTTPS, "js-tls"));
if (!failed) {
  const { version } = createRequire(import.meta.url)("@aws-sdk/client-lambda/package.json");
  console.log(`= AWS SDK for JavaScript v3 | ${version} | a Node function from zip to answer, over HTTP and TLS | 2 invocations | 2 answers | none`);
}
