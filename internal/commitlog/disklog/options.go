package disklog

import (
	"crypto/rand"
	"io"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// Options say where a store is and how it behaves. FS and Dir are required; zero means the default everywhere else.
type Options struct {
	FS  vfs.FS
	Dir string // the store's own directory in FS; made if absent

	Clock clock.Clock // says what is past its retention. Default clock.Real
	// DeviceClock times the device: waits for room, pauses before trying again, the interval of syncs, durations. It is real time also where Clock is
	// moved by hand: the disk does not stand still. Default Clock.
	DeviceClock clock.Clock

	Lease commitlog.Lease // default commitlog.Forever: the directory's lock is the lease

	// Durability is what an acknowledgement means. Default Sync.
	Durability Durability

	// JournalBytes is when a journal file is full and gets laid out. 64 MiB by default: larger files mean longer pieces of each log in the segments
	// and fewer of them, and as much more memory, since what is in the journal is also in memory.
	JournalBytes int64
	// JournalFilesMax bounds the journal to JournalFilesMax × JournalBytes when laying out falls behind; default 4. With the bound reached appends wait
	// ThrottleWait, then are Throttled. Memory and the time of recovery are bounded with it.
	JournalFilesMax int
	// ThrottleWait is how long an append waits for room before it is Throttled. Default 1 s.
	ThrottleWait time.Duration

	// SegmentBytes is what merging makes of small segment files, at most. Default 256 MiB.
	SegmentBytes int64
	// TendEvery is how often retention and merging are looked at. Default one minute.
	TendEvery time.Duration

	// Entropy gives each journal file its salt, 8 bytes. Default crypto/rand. Customers must not be able to guess it; see journal.go.
	Entropy io.Reader

	// OnEvent is told what happens, from several goroutines; it must return quickly and not call the store. May be nil.
	OnEvent func(Event)
}

// blockBytesMax is how large a block may grow while the writer is busy; then appenders wait for the writer. It holds more than the largest
// batch, a 10 MiB record, needs. An empty block takes a batch of any size.
const blockBytesMax = 16 << 20

// BatchBytesMax is the largest batch that Append takes. The largest record is 10 MiB (Kinesis, MaxRecordSizeInKiB); a batch of several
// is cut by who makes it. Beyond it, Invalid.
const BatchBytesMax = 64 << 20

// Durability is what an acknowledgement means: that a sync returned, that one will within an interval, or that the operating system has the bytes.
type Durability struct {
	mode     durabilityMode
	interval time.Duration
}

type durabilityMode uint8

const (
	durabilitySync durabilityMode = iota
	durabilityInterval
	durabilityOS
)

// Sync acknowledges when fdatasync returned: nothing acknowledged is lost by a crash of the process, the system or the power.
var Sync = Durability{mode: durabilitySync}

// OS acknowledges when the operating system took the bytes: a crash of the process loses nothing; one of the system or the power loses what the
// system had not yet written, up to a whole journal file.
var OS = Durability{mode: durabilityOS}

// Interval acknowledges like OS and syncs every d: a crash of the system or the power loses at most about the last d.
func Interval(d time.Duration) Durability { return Durability{mode: durabilityInterval, interval: d} }

// Validate says all that is wrong with o at once, or nil.
func (o Options) Validate() error {
	switch {
	case o.FS == nil || o.Dir == "":
		return fault.New(fault.Invalid, "disklog: FS and Dir are required")
	case o.JournalBytes < 0 || o.JournalFilesMax < 0 || o.JournalFilesMax == 1 || o.SegmentBytes < 0:
		return fault.New(fault.Invalid, "disklog: JournalBytes %d, JournalFilesMax %d, SegmentBytes %d: sizes are positive, and there are at least 2 journal files",
			o.JournalBytes, o.JournalFilesMax, o.SegmentBytes)
	case o.ThrottleWait < 0 || o.TendEvery < 0:
		return fault.New(fault.Invalid, "disklog: ThrottleWait %v, TendEvery %v: times are positive", o.ThrottleWait, o.TendEvery)
	case o.Durability.mode == durabilityInterval && o.Durability.interval <= 0:
		return fault.New(fault.Invalid, "disklog: a durability interval of %v: must be positive", o.Durability.interval)
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = clock.Real
	}
	if o.DeviceClock == nil {
		o.DeviceClock = o.Clock
	}
	if o.Lease == nil {
		o.Lease = commitlog.Forever
	}
	if o.JournalBytes == 0 {
		o.JournalBytes = 64 << 20
	}
	if o.JournalFilesMax == 0 {
		o.JournalFilesMax = 4
	}
	if o.ThrottleWait == 0 {
		o.ThrottleWait = time.Second
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 256 << 20
	}
	if o.TendEvery == 0 {
		o.TendEvery = time.Minute
	}
	if o.Entropy == nil {
		o.Entropy = rand.Reader
	}
	if o.OnEvent == nil {
		o.OnEvent = func(Event) {}
	}
	return o
}
