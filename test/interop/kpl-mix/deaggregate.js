// Opens records with AWS's own de-aggregator for Node. One record a line on standard input, as JSON: {partitionKey, data (base64), sequenceNumber}. It prints a line for each user record:
// the record's line, its place in it, its key, its data in base64.
const readline = require("readline");
const { deaggregateSync } = require("aws-kinesis-agg");

let number = 0;
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const at = number++;
  deaggregateSync(JSON.parse(line), true, (err, records) => {
    if (err) {
      console.error(err);
      process.exit(1);
    }
    for (const one of records) {
      console.log(at, one.subSequenceNumber || 0, one.partitionKey, Buffer.from(one.data, "base64").toString("base64"));
    }
  });
});
