// Package commitlog is the contract of the log on which everything durable in Weir stands, and the
// in-memory store that makes it precise.
//
// It owns what a log promises: order, durability, exact trim, seal, fencing. The bytes of a batch belong to
// commitlog/batch; files belong to commitlog/disklog; Kafka belongs to commitlog/kafkalog. What a position
// means to a customer belongs to streams.
//
// The contract is cut from what a directory of files and a Kafka partition can both keep. Every promise below
// is a test in commitlog/logtest, which every store passes.
//
// Read Store and Log, then memory.go, then logtest.
package commitlog

import (
	"context"
	"time"

	"github.com/weir-stream/weir/internal/commitlog/batch"
)

// ID names a log for ever: it is never reused after Delete. Group is what belongs together (a stream's
// incarnation; 0 is the system's own logs) and Member is the log inside it (a shard's number).
type ID struct {
	Group  uint64
	Member uint32
}

// Position is the place of a record in its log. Positions grow from record to record and may have gaps:
// a Kafka transaction marker takes one, a failed append may take some. The first is 0.
type Position = int64

// Config is what a log is created with and what Configure replaces.
type Config struct {
	// Retention is how long records are wanted, counted from their timestamps; 0 keeps them until Trim, less is Invalid. The store may drop
	// records past it whenever that is cheap (a whole file, a whole Kafka segment), so a reader that promises exact expiry clamps
	// for itself. Logs of one Retention share files.
	Retention time.Duration
}

// Bounds is what a log holds: records at positions First ≤ p < Next.
type Bounds struct {
	First  Position // the oldest position that may be read
	Next   Position // where the next append goes, if there is one
	Sealed bool     // nothing will ever be appended at Next
}

// Chunk is what a Read gives: whole batches, back to back.
type Chunk struct {
	// Batches is ready for batch.Iterate. The first batch may begin before the position asked for: skip by record position.
	// Valid until Release; never written by the store while it is; the caller must not write to it.
	Batches []byte
	// Release, if not nil, gives the memory of Batches back to be used for another chunk. Who does not call it leaves it to the garbage collector.
	// It is called at most once, when nothing refers to Batches any more.
	Release func()
	// Next is where to continue reading. It is greater than the position asked for unless the log has nothing there.
	Next Position
	// Bounds are those of the log when the chunk was taken. Bounds.Next ≥ Next.
	Bounds Bounds
}

// Store holds logs. It is safe for concurrent use.
//
// Every method that takes a context may return its error when it ends; for Append the outcome is then unknown.
// Faults: Unavailable when the store is closed or broken; Full when there is no room on the device.
type Store interface {
	// Create makes a log exist, empty, and returns once that is durable. Creating what exists with the same Config is no
	// error; with another Config, Exists. Creating an ID that was deleted is Exists too.
	Create(ctx context.Context, id ID, config Config) error
	// Open finds a log. NotFound when it does not exist. The Log stays usable until the store closes or the log is deleted.
	Open(ctx context.Context, id ID) (Log, error)
	// Delete removes a log and, when that is cheap, its bytes. Deleting what does not exist is no error. Waiting readers
	// and later calls on the Log get NotFound.
	Delete(ctx context.Context, id ID) error
	// Logs lists the logs that exist, in order of ID.
	Logs(ctx context.Context) ([]ID, error)
	// Close waits for what is under way and gives up every resource. What was acknowledged is durable before and after. Closing
	// twice is no error; every other call after it is Unavailable, with nothing done.
	Close() error
}

// Log is one ordered sequence of records. It is safe for concurrent use.
type Log interface {
	// Append adds a batch durably, all or none, and says at which position its first record stands; the others follow
	// without a gap inside the batch. It copies what it needs: the batch is the caller's again on return.
	//
	// An acknowledged append is seen by every later Read, survives a crash of this process, and stands after every append
	// that was acknowledged before it began. Appends that overlap in time stand in either order.
	//
	// Faults: Invalid for an empty batch; Sealed; Throttled when the store cannot take more for now; Full, definitely not appended; Fenced when the lease is
	// not held as the append begins, or, with the outcome unknown, is over when it ends. An error marked unknown (fault.IsUnknown) means that the batch may have been appended,
	// once, and may still become visible.
	Append(ctx context.Context, b *batch.Batch) (Position, error)

	// Read returns whole batches from the one that holds from, or the first after it, up to about maxBytes but at least
	// one batch if there is one. It does not wait: nothing there gives an empty chunk whose Next is from.
	//
	// Faults: Trimmed when from < Bounds.First (resume at Bounds.First); Invalid when from > Bounds.Next; Corrupt, naming log and position,
	// when the bytes there are damaged: the damage is never skipped, but reading may go on behind it.
	Read(ctx context.Context, from Position, maxBytes int) (Chunk, error)

	// Wait returns nil once a record at or after from may be read, or the log is sealed, or from is trimmed.
	Wait(ctx context.Context, from Position) error

	// Bounds are the log's bounds now. Everything acknowledged before the call is below Next.
	Bounds(ctx context.Context) (Bounds, error)

	// PositionAt is the position of the first record whose timestamp is at or after t: the lowest such position, also where
	// timestamps do not grow. If there is none it is Bounds.Next. Timestamps have a resolution of one millisecond, to which t is rounded up.
	PositionAt(ctx context.Context, t time.Time) (Position, error)

	// Trim makes every position below before unreadable, exactly and durably. Trimming behind Bounds.First does nothing;
	// trimming past Bounds.Next is Invalid. The bytes go when that is cheap.
	Trim(ctx context.Context, before Position) error

	// Seal ends the log for good and says where: the position of the first record that will never be. Asking twice gives
	// the same answer. After Seal returns, an Append that begins is Sealed, and one that is acknowledged stands below the end.
	Seal(ctx context.Context) (Position, error)

	// Configure replaces the log's Config durably.
	Configure(ctx context.Context, config Config) error

	// Config is what Create or the last Configure said.
	Config() Config
}
