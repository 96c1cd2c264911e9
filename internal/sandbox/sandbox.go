// Package sandbox runs functions: processes that speak the Lambda Runtime API, and remote ones behind a URL.
//
// It owns processes: their start, environment, limits and end, the Runtime API that they ask for events, what they write, the pool of those that are
// warm. Which functions exist, who may invoke them and what happens to a failed event belong to functions. Where a function's code comes from belongs to
// functions too: it arrives here as a directory.
//
// It is no sandbox for hostile code, whatever the name of the trade says: a process runs on this machine as this user, or as another one where Weir
// is root, with limits on memory, processes and files. What it may reach over the network nobody restricts.
//
// Read Function, Event and Outcome, then pool.go, process.go, groups.go and runtimeapi.go.
package sandbox

import (
	"context"
	"log/slog"
	"time"

	"github.com/weir-stream/weir/internal/clock"
)

// Function is one version of a function, ready to run. It is immutable.
type Function struct {
	// Key is different for every code and configuration: processes of one Key are alike, and an event of it may go to any of them.
	Key     string
	ARN     string // with the qualifier that was asked for, as the function is told
	Name    string
	Version string // "$LATEST" or a number
	Account string
	Region  string

	Runtime string // "provided.al2023", "nodejs20.x", "python3.12", …; see Interpreters
	Handler string // as the runtime wants it; provided runtimes get it in _HANDLER
	Code    string // the directory that holds the code; read only to the function
	URL     string // of a remote function: the event is posted there, and nothing runs here

	MemoryMB int // beyond it the process is killed
	Timeout  time.Duration
	Env      []string // NAME=value, the function's own and what it needs to reach Weir; wins over what is set here, reserved names excepted
}

// Event is what a function is invoked with.
type Event struct {
	RequestID     string
	Payload       []byte
	ClientContext string // JSON, or empty
	TraceID       string
	Tail          bool // the caller wants the end of what the function wrote
}

// Outcome is what came of an invocation that reached the function.
type Outcome struct {
	// Payload is the function's answer, or a description of its error as JSON: errorType, errorMessage.
	Payload []byte
	// FunctionError is "Unhandled" when the function failed, died or took too long; empty when it answered.
	FunctionError string
	Log           []byte // the last 4 KiB that it wrote, with START, END and REPORT lines, if Event.Tail
	Cold          bool   // a process was started for it
	Init          time.Duration
	Duration      time.Duration // from handing the event over to the answer
	MemoryMB      int           // the most that the process was seen to use
}

// Options say how functions run. Zero values have the defaults that the comments name.
type Options struct {
	// Launcher is the command that sets limits and becomes the function's process; see Launch. Without one there are remote functions only.
	Launcher []string
	// Interpreters finds the program of a runtime; nil looks on the PATH for node and python3.
	Interpreters func(runtime string) (program string, err error)
	// BootstrapDir is where the programs that stand between an interpreter and a handler lie; see WriteBootstraps. Required with Launcher.
	BootstrapDir string
	// ScratchDir is where each process gets a directory of its own, its /tmp, for as long as it lives. Empty is the machine's temporary directory; a directory that is emptied
	// at each start keeps what a kill leaves from piling up.
	ScratchDir string
	// ProcessesMax is how many processes there may be at once, warm ones included. 64. An event beyond it waits for one to become free or idle.
	ProcessesMax int
	// IdleMax is how long a process without work stays warm. Ten minutes.
	IdleMax time.Duration
	// InitMax is how long a process may take until it asks for its first event (Lambda: 10 seconds).
	InitMax time.Duration
	// UID and GID are who functions run as; 0 is whoever Weir runs as.
	UID, GID int
	// Groups bound processes by the kernel; see OpenGroups. Nil is nobody: then a process's memory is looked at ten times a second, and processes are counted over the user.
	Groups Groups
	// Log hears each line that a function writes, and START, END and REPORT. It must not block. Nil is nobody.
	Log func(Line)
	// Clock times deadlines and idleness: real time, also when a test clock stands still. Default clock.Real.
	Clock  clock.Clock
	Logger *slog.Logger // Default slog.Default
}

// Line is one line of a function's log.
type Line struct {
	Account, Region, Function, Version string
	Stream                             string // the name of the log stream: one for each process
	Time                               time.Time
	Text                               string
}

func (o *Options) withDefaults() {
	if o.ProcessesMax == 0 {
		o.ProcessesMax = 64
	}
	if o.IdleMax == 0 {
		o.IdleMax = 10 * time.Minute
	}
	if o.InitMax == 0 {
		o.InitMax = 10 * time.Second
	}
	if o.Clock == nil {
		o.Clock = clock.Real
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Log == nil {
		o.Log = func(Line) {}
	}
	if o.Interpreters == nil {
		o.Interpreters = o.onPath
	}
}

// Invoker runs a function on an event. Pool is one.
type Invoker interface {
	// Invoke gives the event to the function and waits for what comes of it. A failure of the function is an Outcome, not an error.
	//
	// Faults: Unsupported, the runtime cannot run here; Throttled, no process became free before ctx ended; Unavailable, the process could not be
	// started or the pool is closed.
	Invoke(ctx context.Context, f *Function, e Event) (Outcome, error)
}
