package delivery

import "sync/atomic"

// Stats is what one delivery stream has done since the server began, under the names that AWS has for it. Fields are safe for anyone.
type Stats struct {
	// SourceBytes and SourceRecords are what was read of a data stream (DataReadFromKinesisStream).
	SourceBytes, SourceRecords atomic.Int64
	// DeliveredBytes and DeliveredRecords are of what was delivered, before compression (DeliveryToS3); Delivered and Failed are the tries.
	DeliveredBytes, DeliveredRecords, Delivered, Failed atomic.Int64
	// LostRecords are those that expired before they could be delivered.
	LostRecords atomic.Int64
	// Puts and Batches are calls of PutRecord and PutRecordBatch that were acknowledged.
	Puts, Batches Calls
}

// Calls is what calls of an operation come to.
type Calls struct {
	Requests, Bytes, Records atomic.Int64
}

// Stats is what the delivery stream of a number has done.
func (e *Engine) Stats(number uint64) *Stats {
	if known, ok := e.stats.Load(number); ok {
		return known.(*Stats)
	}
	known, _ := e.stats.LoadOrStore(number, new(Stats))
	return known.(*Stats)
}
