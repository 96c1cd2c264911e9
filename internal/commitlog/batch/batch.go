// Package batch writes and reads the unit of the log: a batch of records in the layout of Kafka's RecordBatch v2.
//
// It owns the bytes of a batch. Which batch goes where belongs to the log stores; what a record's key and value mean
// belongs to those who append it. The layout is Kafka's so that one format serves the embedded log and a cluster:
//
//	offset  bytes  field
//	     0      8  base offset: position of the first record; set by the log, outside the CRC
//	     8      4  length of everything after this field
//	    12      4  partition leader epoch; 0, outside the CRC
//	    16      1  magic, 2
//	    17      4  CRC-32C of everything from the attributes on
//	    21      2  attributes; 0: no compression, create time, no transaction, no control
//	    23      4  last offset delta: records − 1
//	    27      8  base timestamp, ms since 1970
//	    35      8  max timestamp, ms
//	    43      8  producer id, −1
//	    51      2  producer epoch, −1
//	    53      4  base sequence, −1
//	    57      4  records
//	    61      …  records: varint length, attributes 0, varint timestamp delta, varint offset delta,
//	               varint key length and key, varint value length and value, varint headers: varint key length, key, varint value length, value
//
// Varints are zigzag. A length of −1 is null and reads as empty. Source: Apache Kafka protocol guide, "Record Batch"; the encoder is
// held against kmsg in batch_test.go.
//
// Read Batch (writing), then Iterate (reading).
package batch
