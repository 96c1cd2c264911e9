// Package delivery is delivery streams (Firehose): records are buffered and delivered as objects.
//
// It owns which delivery streams exist (a machine of its own in fold), where direct puts wait (a hidden log each), when a buffer closes, what objects are called and hold, and what is
// tried again and for how long. How a stream is followed and where a delivery stream stands in it belongs to readers; objects belong to whatever S3 the node gives it.
//
// Read stream.go and command.go for what a delivery stream is, config.go for its destination.
package delivery
