package console

import "time"

// Status is what /_weir/status answers: the node as a whole, for people and scripts. Counts are since the node's start. Times are UTC.
type Status struct {
	Health  Health    `json:"health"`
	Started time.Time `json:"started"`
	Now     time.Time `json:"now"` // the server's time
	Data    string    `json:"data"`
	Dev     bool      `json:"dev"`    // any key is believed
	Limits  string    `json:"limits"` // aws or off
	// TestClock says that time is moved by hand.
	TestClock  bool   `json:"testClock"`
	Durability string `json:"durability"`

	Journal  JournalStatus `json:"journal"`
	Segments FileStatus    `json:"segments"`
	Disk     *DiskStatus   `json:"disk,omitempty"` // absent where the system does not tell

	Refusing   bool           `json:"refusing"` // puts are refused: the disk is full or cannot be written
	Damages    int64          `json:"damages"`  // times that damage was met
	Damaged    []DamageStatus `json:"damaged"`  // each place once, the latest damagedMost of them
	PassedOver int64          `json:"passedOver"`
	LastBackup *LastBackup    `json:"lastBackup,omitempty"`

	Functions FunctionsStatus `json:"functions"`

	Streams []StreamStatus `json:"streams"`

	DeliveryStreams []DeliveryStreamStatus `json:"deliveryStreams"` // in order of account, region and name
}

// DeliveryStreamStatus is a delivery stream and how it stands. Counts are since the server began.
type DeliveryStreamStatus struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Name    string `json:"name"`
	Type    string `json:"type"`
	Status  string `json:"status"`
	Bucket  string `json:"bucket"` // ARN

	BufferedRecords int64     `json:"bufferedRecords"` // read and not delivered
	BufferedBytes   int64     `json:"bufferedBytes"`
	SizeBytes       int64     `json:"sizeBytes"`       // at which a buffer closes
	Oldest          time.Time `json:"oldest,omitzero"` // when the oldest of them arrived
	Due             time.Time `json:"due,omitzero"`    // when a buffer closes next
	BehindMillis    int64     `json:"behindMillis"`    // how old the oldest record is that was not read

	ErrorCode string    `json:"errorCode,omitempty"` // what keeps an object from being delivered
	Error     string    `json:"error,omitempty"`
	Tries     int       `json:"tries,omitempty"`
	NextTry   time.Time `json:"nextTry,omitzero"`

	DeliveredObjects int64 `json:"deliveredObjects"`
	DeliveredRecords int64 `json:"deliveredRecords"`
	LostRecords      int64 `json:"lostRecords"` // that expired before they could be delivered
}

// What bounds the memory and the processes of functions.
const (
	BoundByGroups  = "groups"  // the kernel, in a control group for each process
	BoundByLooking = "looking" // the server looks ten times a second; processes are counted over the user where it is not the server's
	RemoteOnly     = "none"    // no function runs on this machine
)

// FunctionsStatus is how functions run.
type FunctionsStatus struct {
	Bound string `json:"bound"`         // BoundByGroups, BoundByLooking or RemoteOnly
	Why   string `json:"why,omitempty"` // why it is not BoundByGroups
}

// JournalStatus is how full the journal is. At Most puts wait, and are then throttled.
type JournalStatus struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
	Most  int64 `json:"most"`
}

// FileStatus is how much there is of something.
type FileStatus struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
}

// DiskStatus is the room of the device with the data directory.
type DiskStatus struct {
	Free int64 `json:"free"`
	All  int64 `json:"all"`
}

// DamageStatus is a place that is damaged.
type DamageStatus struct {
	Seen           time.Time `json:"seen"`
	Stream         string    `json:"stream,omitempty"`
	DeliveryStream string    `json:"deliveryStream,omitempty"` // whose direct puts are damaged
	Account        string    `json:"account,omitempty"`
	Region         string    `json:"region,omitempty"`
	Shard          string    `json:"shard,omitempty"`
	Log            string    `json:"log,omitempty"`
	FirstPosition  int64     `json:"firstPosition"`
	LastPosition   int64     `json:"lastPosition"`
	File           string    `json:"file,omitempty"`
	Byte           int64     `json:"byte"`
}

// StreamStatus is a stream and what it takes and gives.
type StreamStatus struct {
	Account        string      `json:"account"`
	Region         string      `json:"region"`
	Name           string      `json:"name"`
	Status         string      `json:"status"`
	Mode           string      `json:"mode"`
	Shards         ShardStatus `json:"shards"`
	RetentionHours int         `json:"retentionHours"`
	Consumers      int         `json:"consumers"`
	// Encryption is the key that new records are sealed under; empty is none.
	Encryption string `json:"encryption,omitempty"`

	IncomingRecords int64 `json:"incomingRecords"`
	IncomingBytes   int64 `json:"incomingBytes"`
	OutgoingRecords int64 `json:"outgoingRecords"` // by GetRecords and SubscribeToShard
	OutgoingBytes   int64 `json:"outgoingBytes"`
	WriteThrottled  int64 `json:"writeThrottled"` // records
	ReadThrottled   int64 `json:"readThrottled"`  // calls
	// IteratorAgeMillis is how far the slowest GetRecords of the last minute or two was behind. Nil when nobody reads.
	IteratorAgeMillis *int64 `json:"iteratorAgeMillis,omitempty"`
}

// ShardStatus counts shards by what they do.
type ShardStatus struct {
	Open    int `json:"open"`
	Closed  int `json:"closed"`
	Opening int `json:"opening"` // children that a reshard is making
	Expired int `json:"expired"` // whose logs are being removed
}
