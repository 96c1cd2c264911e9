// Package envelope seals records under data keys, and data keys under master keys.
//
// It owns the file of master keys, the wrapping of a data key, and the sealing of a record. Which stream has which data keys belongs to
// catalog, where a sealed record lies to streams, and what a customer calls a master key to api/kinesis.
//
//	master key   in a file of its own, by name, in versions; the newest wraps
//	   wraps
//	data key     32 random bytes of one stream, kept wrapped in the catalog
//	   seals
//	record       partition key and data together, kept in the stream's logs
//
// Whoever has the data directory but not the master keys can read no sealed record, and whoever changes one makes it unreadable.
// docs/format/sealed.md draws the bytes.
//
// Read Ring (ring.go), then DataKey (datakey.go), then xaes.go.
package envelope
