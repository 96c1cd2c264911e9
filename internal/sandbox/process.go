package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
)

// process is one running instance of a function. It is used by one invocation at a time.
type process struct {
	options *Options
	f       *Function
	api     *runtimeAPI
	out     *output
	cmd     *exec.Cmd
	group   Group    // nil where there are none
	scratch string   // its /tmp
	marker  *os.File // our end of what it writes to, for marks; closed when it has ended
	reader  *os.File // the other end; closed by drain

	ended    chan struct{} // closed when the process is gone and waited for
	exit     error         // how it ended; valid once ended is closed
	serving  sync.WaitGroup
	init     time.Duration
	killOnce sync.Once

	mu   sync.Mutex // guards why and peak
	why  string     // why we killed it: an error type; empty when we did not
	peak int        // MiB resident at most, as seen
}

// memoryLook is how often a process's memory is looked at. Without a control group a process that takes a gigabyte a second is seen 100 MiB late.
const memoryLook = 100 * time.Millisecond

// start starts a process and returns once it asks for its first event. A process that fails before is an Outcome, as it is the function's failure.
func start(ctx context.Context, o *Options, f *Function) (*process, *Outcome, error) {
	if len(o.Launcher) == 0 {
		return nil, nil, fault.New(fault.Unsupported, "function %s: this server runs no functions itself; give the function a URL", f.Name)
	}
	command, err := o.command(f)
	if err != nil {
		return nil, nil, err
	}
	api, err := newRuntimeAPI()
	if err != nil {
		return nil, nil, fault.As(fault.Unavailable, err, "function %s", f.Name)
	}
	begun := o.Clock.Now()
	p := &process{options: o, f: f, api: api, ended: make(chan struct{})}
	p.out = &output{f: f, stream: logStream(begun, f.Version, api.address()), to: o.Log, now: o.Clock.Now}
	p.out.begin()
	if p.scratch, err = os.MkdirTemp(o.ScratchDir, "weir-function-"); err != nil {
		api.close()
		return nil, nil, fault.As(fault.Unavailable, err, "function %s", f.Name)
	}
	if err := p.launch(command); err != nil {
		api.close()
		_ = os.RemoveAll(p.scratch)
		return nil, nil, fault.As(fault.Unavailable, err, "start function %s", f.Name)
	}
	timer := o.Clock.NewTimer(o.InitMax)
	defer timer.Stop()
	var failure []byte
	select {
	case <-p.api.ready:
		p.init = o.Clock.Now().Sub(begun)
		return p, nil, nil
	case failure = <-p.api.failed:
	case <-p.ended:
		select {
		case failure = <-p.api.failed: // it said why before it went
		default:
			failure = p.exited("")
		}
	case <-timer.C():
		failure = described("Sandbox.Timedout", fmt.Sprintf("Error: the function did not start within %s", o.InitMax))
	case <-ctx.Done():
		p.stop()
		return nil, nil, fault.As(fault.Unavailable, ctx.Err(), "start function %s", f.Name)
	}
	p.stop()
	p.out.say("INIT_REPORT Init Duration: " + millis(o.Clock.Now().Sub(begun)) + " ms Phase: init Status: error")
	return nil, &Outcome{Payload: failure, FunctionError: "Unhandled", Log: clip(p.out.end()), Cold: true, Init: o.Clock.Now().Sub(begun), MemoryMB: p.peakMB()}, nil
}

// logStream is the name of a process's log stream, in Lambda's form: date, version, and what no other process has.
func logStream(at time.Time, version, address string) string {
	return fmt.Sprintf("%s/[%s]%x", at.UTC().Format("2006/01/02"), version, fmt.Sprintf("%d%s", at.UnixNano(), address))
}

// launch starts the command through the launcher, which sets its limits.
func (p *process) launch(command []string) error {
	o := p.options
	p.makeGroup()
	args := append(append([]string(nil), o.Launcher[1:]...), launchArgs(o, p.group != nil)...)
	p.cmd = exec.Command(o.Launcher[0], append(append(args, "--"), command...)...)
	p.cmd.Dir = p.f.Code
	p.cmd.Env = p.environment()
	own(p.cmd, o)
	reader, writer, err := os.Pipe()
	if err == nil {
		p.cmd.Stdout, p.cmd.Stderr = writer, writer
		if err = p.begin(); err != nil {
			writer.Close()
			reader.Close()
		}
	}
	if err != nil && p.group != nil {
		err = errors.Join(err, p.group.Remove())
	}
	if err != nil {
		return err
	}
	p.marker, p.reader = writer, reader
	p.serving.Go(p.api.serve)
	p.serving.Go(p.drain)
	p.serving.Go(p.watchMemory)
	go p.wait()
	return nil
}

// makeGroup makes the control group where there are some. They can be taken away while a server runs, from whoever was not given them for good: that is no reason for functions to stop.
func (p *process) makeGroup() {
	if p.options.Groups == nil {
		return
	}
	group, err := p.options.Groups.Make(p.f.MemoryMB)
	if err != nil {
		p.options.Logger.Warn("a function runs without a control group: its memory is looked at ten times a second", "function", p.f.Name, "account", p.f.Account, "err", err)
		return
	}
	p.group = group
}

// begin starts the command, in its control group if it has one.
func (p *process) begin() error {
	if p.options.UID != 0 {
		if err := os.Chown(p.scratch, p.options.UID, p.options.GID); err != nil {
			return err
		}
	}
	if p.group == nil {
		return p.cmd.Start()
	}
	entered, err := p.group.Enter(p.cmd)
	if err != nil {
		return err
	}
	defer entered()
	return p.cmd.Start()
}

func (p *process) drain() {
	defer p.reader.Close()
	p.out.drain(p.reader)
}

// wait waits for the process, takes down what was with it, and closes ended.
func (p *process) wait() {
	p.exit = p.cmd.Wait()
	p.killAll() // what it started and left
	p.leaveGroup()
	p.marker.Close()                                                    // so that drain comes to the end,
	_ = p.reader.SetReadDeadline(p.options.Clock.Now().Add(outputWait)) // also when what got away from us still holds the pipe, which has deadlines
	close(p.api.gone)
	p.api.close()
	close(p.ended)
	p.serving.Wait()
	_ = os.RemoveAll(p.scratch) // a folder of the machine's temporary ones
}

// leaveGroup notes why the kernel ended the process, and takes its control group down.
func (p *process) leaveGroup() {
	if p.group == nil {
		return
	}
	p.look()
	if p.group.OutOfMemory() {
		p.mu.Lock()
		if p.why == "" {
			p.why = outOfMemory
		}
		p.mu.Unlock()
	}
	if err := p.group.Remove(); err != nil {
		p.options.Logger.Warn("a control group of a function stays until the next start", "function", p.f.Name, "account", p.f.Account, "err", err)
	}
}

// killAll ends the process and what it started: what left its group of processes too where there are control groups.
func (p *process) killAll() {
	killGroup(p.cmd)
	if p.group != nil {
		p.group.Kill()
	}
}

// kill ends the process at once. why is the type of the error that its invocation ends with.
func (p *process) kill(why string) {
	p.killOnce.Do(func() {
		p.mu.Lock()
		p.why = why
		p.mu.Unlock()
		p.killAll()
	})
}

// stop ends the process and waits until nothing of it is left.
func (p *process) stop() {
	p.kill("")
	<-p.ended
	p.serving.Wait()
}

// outOfMemory is the type of the error of a process that wanted more memory than it may have.
const outOfMemory = "Runtime.OutOfMemory"

// watchMemory notes how much memory the process uses and, where no control group holds it, kills it when that is more than it may.
func (p *process) watchMemory() {
	for {
		timer := p.options.Clock.NewTimer(memoryLook)
		select {
		case <-p.ended:
			timer.Stop()
			return
		case <-timer.C():
		}
		if used, held := p.look(); !held && used > p.f.MemoryMB {
			p.kill(outOfMemory)
		}
	}
}

// look notes how much memory the process uses now, or has used at most where a group knows, which then holds it too.
func (p *process) look() (usedMB int, held bool) {
	if p.group != nil {
		usedMB = p.group.PeakMB()
	}
	if held = usedMB > 0; !held {
		usedMB = residentMB(p.cmd.Process.Pid)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.peak = max(p.peak, usedMB)
	return usedMB, held
}

func (p *process) peakMB() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.peak
}

// exited describes how the process ended while it should have lived.
func (p *process) exited(requestID string) []byte {
	p.mu.Lock()
	why := p.why
	p.mu.Unlock()
	prefix := ""
	if requestID != "" {
		prefix = "RequestId: " + requestID + " "
	}
	switch {
	case why == outOfMemory:
		return described(why, prefix+"Error: Runtime exited with error: signal: killed: it used more than its "+strconv.Itoa(p.f.MemoryMB)+" MB")
	case p.exit == nil:
		return described("Runtime.ExitError", prefix+"Error: Runtime exited without providing a reason")
	default:
		return described("Runtime.ExitError", prefix+"Error: Runtime exited with error: "+p.exit.Error())
	}
}

// invoke gives one event to the process, with the ARN that it was invoked by: versions and aliases share processes. alive says whether it may be used again.
func (p *process) invoke(ctx context.Context, arn string, e Event, cold bool) (out Outcome, alive bool) {
	if !cold {
		p.out.begin()
	}
	p.out.say(fmt.Sprintf("START RequestId: %s Version: %s", e.RequestID, p.f.Version))
	begun := p.options.Clock.Now()
	p.api.expect(e.RequestID)
	timer := p.options.Clock.NewTimer(p.f.Timeout)
	defer timer.Stop()
	var status string
	select {
	case p.api.events <- &handed{e, arn, begun.Add(p.f.Timeout)}:
		out, alive, status = p.answer(ctx, e, timer)
	case <-p.ended:
		out.Payload, out.FunctionError, status = p.exited(e.RequestID), "Unhandled", "error"
	case <-timer.C():
		out, status = p.timedOut(e), "timeout"
	case <-ctx.Done():
		p.stop()
		out.Payload, out.FunctionError, status = described("Sandbox.Aborted", "the invocation was given up"), "Unhandled", "error"
	}
	out.Duration, out.Cold, out.MemoryMB = p.options.Clock.Now().Sub(begun), cold, p.peakMB()
	if cold {
		out.Init = p.init
	}
	if alive {
		p.catchUp()
	} else {
		p.stop() // and nothing more can come
	}
	p.out.say("END RequestId: " + e.RequestID)
	p.out.say(p.reportLine(e, &out, status))
	out.Log = clip(p.out.end())
	return out, alive
}

// answer waits for what the process says of an event it has been handed.
func (p *process) answer(ctx context.Context, e Event, timer clock.Timer) (out Outcome, alive bool, status string) {
	said := func(a answer) (Outcome, bool, string) {
		if a.failed {
			return Outcome{Payload: a.payload, FunctionError: "Unhandled"}, true, ""
		}
		return Outcome{Payload: a.payload}, true, ""
	}
	select {
	case a := <-p.api.answers:
		return said(a)
	case <-p.ended:
		select {
		case a := <-p.api.answers: // it answered, and then it went
			out, _, status = said(a)
			return out, false, status
		default:
		}
		return Outcome{Payload: p.exited(e.RequestID), FunctionError: "Unhandled"}, false, "error"
	case <-timer.C():
		return p.timedOut(e), false, "timeout"
	case <-ctx.Done():
		p.stop()
		return Outcome{Payload: described("Sandbox.Aborted", "the invocation was given up"), FunctionError: "Unhandled"}, false, "error"
	}
}

// outputWait is how long an invocation waits for what its function has written to be read: microseconds, unless something of it writes without end.
const outputWait = time.Second

// catchUp waits until everything that the process wrote until now has been read.
func (p *process) catchUp() {
	before, met := p.out.marked()
	_ = p.marker.SetWriteDeadline(p.options.Clock.Now().Add(outputWait)) // pipes have deadlines
	if _, err := p.marker.WriteString(mark); err != nil {
		return // full, or gone
	}
	timer := p.options.Clock.NewTimer(outputWait)
	defer timer.Stop()
	for {
		select {
		case <-met:
		case <-p.ended:
			return
		case <-timer.C():
			return
		}
		var now int
		if now, met = p.out.marked(); now > before {
			return
		}
	}
}

func (p *process) timedOut(e Event) Outcome {
	p.stop()
	text := fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", e.RequestID, p.f.Timeout.Seconds())
	p.out.say(fmt.Sprintf("%s %s Task timed out after %.2f seconds", p.options.Clock.Now().UTC().Format("2006-01-02T15:04:05.000Z"), e.RequestID, p.f.Timeout.Seconds()))
	return Outcome{Payload: described("Sandbox.Timedout", text), FunctionError: "Unhandled"}
}

// reportLine is Lambda's REPORT line.
func (p *process) reportLine(e Event, out *Outcome, status string) string {
	line := fmt.Sprintf("REPORT RequestId: %s\tDuration: %s ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB",
		e.RequestID, millis(out.Duration), (out.Duration+time.Millisecond-1)/time.Millisecond, p.f.MemoryMB, out.MemoryMB)
	if out.Cold {
		line += "\tInit Duration: " + millis(out.Init) + " ms"
	}
	if status != "" {
		line += "\tStatus: " + status
	}
	return line
}

func millis(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 2, 64)
}
