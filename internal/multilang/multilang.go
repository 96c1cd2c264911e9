// Package multilang runs record processors that are written in other languages, as the MultiLangDaemon of the Kinesis Client Library for Java does, and in its place.
//
// It owns what the daemon's properties file says, and the protocol: one child process for each shard, one JSON message a line, requests on its standard input and
// answers on its standard output. Leases, checkpoints and reading belong to the package consumer, whose Processor is implemented here.
//
// Read settings.go, then processor.go, then child.go.
package multilang
