// A record processor with aws-kcl, which does what processor.py does.

const fs = require("node:fs");
const path = require("node:path");
const kcl = require("aws-kcl");

const out = fs.openSync(path.join(process.argv[2], `${process.pid}.lines`), "w");
let shard;
const say = (...words) => fs.writeSync(out, words.join(" ") + "\n");
const checkpoint = (input, done) => input.checkpointer.checkpoint((error) => {
  if (error) {
    throw new Error(error);
  }
  done();
});

kcl({
  initialize(input, done) {
    shard = input.shardId;
    say("I", shard);
    done();
  },
  processRecords(input, done) {
    for (const record of input.records ?? []) {
      say("R", shard, record.partitionKey, Buffer.from(record.data, "base64").toString());
    }
    checkpoint(input, done);
  },
  leaseLost(input, done) {
    done();
  },
  shardEnded(input, done) {
    say("E", shard);
    checkpoint(input, done);
  },
  shutdownRequested(input, done) {
    checkpoint(input, done);
  },
}).run();
