// A record processor with the package aws-kcl, unmodified.
//
// It appends a line for what it is told to the file RECORDS, and checkpoints behind each batch: "shard what key data".

const fs = require("fs");
const kcl = require("aws-kcl");

const out = fs.openSync(process.env.RECORDS, "a");
let shard;

const write = (...lines) => fs.writeSync(out, lines.map((line) => `${shard} ${line}\n`).join(""));

kcl({
  initialize(input, done) {
    shard = input.shardId;
    console.log("this is no message"); // what a processor prints must do no harm
    write(`begins ${process.pid} ${input.sequenceNumber}/${input.subSequenceNumber}`);
    done();
  },
  processRecords(input, done) {
    write(...input.records.map((r) => `record ${r.partitionKey} ${Buffer.from(r.data, "base64")}`));
    input.checkpointer.checkpoint((error) => {
      if (error) write(`refused ${error}`);
      done();
    });
  },
  leaseLost(input, done) {
    write("lost");
    done();
  },
  shardEnded(input, done) {
    input.checkpointer.checkpoint((error) => {
      if (!error) write("ended");
      done();
    });
  },
  shutdownRequested(input, done) {
    input.checkpointer.checkpoint((error) => {
      if (!error) write("leaves");
      done();
    });
  },
}).run();
