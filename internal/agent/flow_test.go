package agent

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"github.com/weir-stream/weir/internal/clock"
)

var seedFlag = flag.Uint64("seed", 0, "repeats one random schedule")

// seeds are those to run: the one asked for, or n.
func seeds(n uint64) []uint64 {
	if *seedFlag != 0 {
		return []uint64{*seedFlag}
	}
	var all []uint64
	for seed := uint64(1); seed <= n; seed++ {
		all = append(all, seed)
	}
	return all
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// memorySink is a stream in memory. refuse, when it is set, says what becomes of a request: an error as a whole, or causes by record.
type memorySink struct {
	records  []Record
	requests int
	refuse   func(records []Record) (causes []error, err error)
}

func (s *memorySink) Put(_ context.Context, records []Record) ([]error, error) {
	s.requests++
	causes := make([]error, len(records))
	if s.refuse != nil {
		var err error
		refused, err := s.refuse(records)
		if err != nil {
			return nil, err
		}
		copy(causes, refused)
	}
	for i, r := range records {
		if causes[i] == nil {
			s.records = append(s.records, Record{r.Key, bytes.Clone(r.Data)})
		}
	}
	return causes, nil
}

// lines are the records without their line ends.
func (s *memorySink) lines() []string {
	lines := make([]string, len(s.records))
	for i, r := range s.records {
		lines[i] = strings.TrimSuffix(string(r.Data), "\n")
	}
	return lines
}

// bench is a flow over a folder, with a stream in memory and a clock that stands still.
type bench struct {
	t           *testing.T
	dir         string
	config      *FlowConfig
	sink        *memorySink
	clock       *clock.Manual
	checkpoints *Checkpoints
	flow        *Flow
	log         bytes.Buffer
}

// newBench makes a flow of some keys of a flow; DIR in them is the folder.
func newBench(t *testing.T, keys string) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), sink: &memorySink{}, clock: clock.NewManual(time.Unix(1e9, 0))}
	c, err := configOf(t, fmt.Sprintf(`{"checkpointFile": %q, "flows": [{%s}]}`, filepath.Join(t.TempDir(), "checkpoints"), strings.ReplaceAll(keys, "DIR", b.dir)))
	must(t, err)
	b.config = c.Flows[0]
	b.open(c.CheckpointFile)
	t.Cleanup(func() { must(t, errors.Join(b.flow.Close(), b.checkpoints.Close())) })
	return b
}

func configOf(t *testing.T, text string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agent.json")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return ReadConfig(path)
}

func (b *bench) open(path string) {
	b.t.Helper()
	var err error
	b.checkpoints, err = OpenCheckpoints(path)
	must(b.t, err)
	b.flow, err = NewFlow(FlowOptions{Config: b.config, Sink: b.sink, Checkpoints: b.checkpoints, Clock: b.clock, Log: slog.New(slog.NewTextHandler(&b.log, nil)), Linger: -1})
	must(b.t, err)
}

// restart goes on from what is on disk, as after a kill: what is in the queue is forgotten.
func (b *bench) restart() {
	b.t.Helper()
	path := b.checkpoints.path
	must(b.t, errors.Join(b.flow.Close(), b.checkpoints.Close()))
	b.open(path)
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) write(name, text string) {
	b.t.Helper()
	f, err := os.OpenFile(b.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(b.t, err)
	_, err = f.WriteString(text)
	must(b.t, errors.Join(err, f.Close()))
}

// rotate renames a file to the first free number.
func (b *bench) rotate(name string) {
	b.t.Helper()
	for i := 1; ; i++ {
		to := b.path(fmt.Sprintf("%s.%d", name, i))
		if _, err := os.Stat(to); err != nil {
			must(b.t, os.Rename(b.path(name), to))
			return
		}
	}
}

// settle sends all there is.
func (b *bench) settle() {
	b.t.Helper()
	for range 10_000 {
		before := b.flow.Status()
		b.flow.Step(b.t.Context(), true)
		// A step that began with a full queue has read nothing.
		if s := b.flow.Status(); s.Queued == 0 && before.Queued == 0 && s.Lines == before.Lines && s.BytesBehind == 0 {
			return
		}
		b.clock.Advance(time.Second)
	}
	b.t.Fatalf("it does not settle: %+v\n%s", b.flow.Status(), &b.log)
}

func (b *bench) want(lines ...string) {
	b.t.Helper()
	if got := b.sink.lines(); !slices.Equal(got, lines) {
		b.t.Errorf("sent %q, want %q", got, lines)
	}
}

func refusal(code string) error { return &smithy.GenericAPIError{Code: code, Message: "for the test"} }

// Shows that lines wait for company until the buffer is full by records, by bytes or by age, and no longer.
func TestBuffer(t *testing.T) {
	b := newBench(t, `"filePattern": "DIR/a.log", "kinesisStream": "s", "initialPosition": "START_OF_FILE", "maxBufferSizeRecords": 3, "maxBufferSizeBytes": 100, "maxBufferAgeMillis": 5000`)
	step := func() { b.flow.Step(t.Context(), false) }
	b.write("a.log", "1\n2\n")
	step()
	b.want()
	b.write("a.log", "3\n4\n")
	step()
	b.want("1", "2", "3")
	b.clock.Advance(4999 * time.Millisecond)
	step()
	b.want("1", "2", "3")
	b.clock.Advance(time.Millisecond)
	step()
	b.want("1", "2", "3", "4")
	long := strings.Repeat("x", 90)
	b.write("a.log", long+"\n")
	step()
	b.want("1", "2", "3", "4", long)
}

// Shows that a flow begins at the end or at the start of what is there, and after a restart behind what is in the stream, whatever came meanwhile.
func TestInitialPosition(t *testing.T) {
	b := newBench(t, `"filePattern": "DIR/*.log", "kinesisStream": "s"`)
	b.write("a.log", "old\n")
	b.settle()
	b.write("a.log", "1\n")
	b.write("b.log", "2\n")
	b.settle()
	b.restart()
	b.write("c.log", "3\n")
	b.write("a.log", "4\n")
	b.settle()
	b.want("1", "2", "4", "3")
}

// Shows that what a service does not take is sent again before anything newer, after growing waits, and that nothing is read while the queue is full.
func TestRefusals(t *testing.T) {
	b := newBench(t, `"filePattern": "DIR/a.log", "kinesisStream": "s", "initialPosition": "START_OF_FILE", "maxBufferSizeRecords": 4, "retryInitialBackoffMillis": 1000, "retryMaxBackoffMillis": 4000`)
	b.sink.refuse = func([]Record) ([]error, error) {
		return nil, fmt.Errorf("request %d: %w", b.sink.requests, refusal("ServiceUnavailable"))
	}
	var text strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&text, "%d\n", i)
	}
	b.write("a.log", text.String())
	var waits []time.Duration
	for range 5 {
		before := b.sink.requests
		wait := b.flow.Step(t.Context(), false)
		if b.sink.requests != before+1 {
			t.Errorf("%d requests in a step", b.sink.requests-before)
		}
		waits = append(waits, wait)
		b.clock.Advance(wait)
	}
	for i, want := range []time.Duration{1000, 2000, 4000, 4000, 4000} {
		if want *= time.Millisecond; waits[i] < want*7/10 || waits[i] > want*13/10 {
			t.Errorf("wait %d is %s, want about %s", i, waits[i], want)
		}
	}
	if s := b.flow.Status(); s.Queued > 2000 || !strings.Contains(s.Waiting, "ServiceUnavailable") {
		t.Errorf("status %+v", s)
	}
	if told := strings.Count(b.log.String(), "waiting:"); told != 1 {
		t.Errorf("the same refusal, of requests with different numbers, is logged %d times:\n%s", told, &b.log)
	}
	queued := len(b.flow.queue)
	b.write("a.log", strings.Repeat("more\n", 100_000))
	b.flow.Step(t.Context(), false)
	if len(b.flow.queue) != queued {
		t.Errorf("%d records in memory, and %d after more was written", queued, len(b.flow.queue))
	}
	// Now every second record is refused, once.
	seen := map[string]bool{}
	b.sink.refuse = func(records []Record) ([]error, error) {
		causes := make([]error, len(records))
		for i, r := range records {
			if id := string(r.Data); i%2 == 1 && !seen[id] {
				seen[id] = true
				causes[i] = refusal("ProvisionedThroughputExceededException")
			}
		}
		return causes, nil
	}
	must(t, os.Truncate(b.path("a.log"), int64(text.Len())))
	b.settle()
	got := b.sink.lines()
	slices.Sort(got)
	if unique := slices.Compact(slices.Clone(got)); len(unique) != len(got) || len(got) != 2000 {
		t.Errorf("%d lines, %d of them different", len(got), len(unique))
	}
	if s := b.flow.Status(); s.Retried == 0 || s.Waiting != "" || s.Refused != 0 {
		t.Errorf("status %+v", s)
	}
}

// Shows that a record which the service will never take is given up, with its place in the log, when others of its request are taken, and that a request
// which is refused whole is kept, however long.
func TestRecordRefusedForGood(t *testing.T) {
	b := newBench(t, `"filePattern": "DIR/a.log", "kinesisStream": "s", "initialPosition": "START_OF_FILE"`)
	b.sink.refuse = func(records []Record) ([]error, error) {
		for _, r := range records {
			if bytes.Contains(r.Data, []byte("poison")) {
				return nil, refusal("ValidationException")
			}
		}
		return nil, nil
	}
	b.write("a.log", "poison 1\n")
	for range 20 {
		b.flow.Step(t.Context(), true)
		b.clock.Advance(time.Minute)
	}
	if s := b.flow.Status(); s.Refused != 0 || s.Queued != 1 {
		t.Fatalf("alone it may be the request's fault: %+v", s)
	}
	b.write("a.log", "good 1\ngood 2\npoison 2\n"+strings.Repeat("fine\n", 100))
	b.settle()
	b.want(append([]string{"good 1", "good 2"}, slices.Repeat([]string{"fine"}, 100)...)...)
	if s := b.flow.Status(); s.Refused != 2 {
		t.Errorf("%d given up", s.Refused)
	}
	for _, want := range []string{"offset=0 ", "offset=23 ", "ValidationException"} {
		if !strings.Contains(b.log.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, &b.log)
		}
	}
	b.restart()
	b.settle()
	if n := len(b.sink.records); n != 102 {
		t.Errorf("%d records after a restart: what was given up is not sent again", n)
	}
}

// Shows that a checkpoint that cannot be written stops nothing, is said, and is caught up with.
func TestCheckpointDiskFull(t *testing.T) {
	b := newBench(t, `"filePattern": "DIR/a.log", "kinesisStream": "s", "initialPosition": "START_OF_FILE"`)
	b.write("a.log", "1\n")
	b.settle()
	folder := filepath.Dir(b.checkpoints.path)
	must(t, os.Mkdir(filepath.Join(folder, "checkpoints.new"), 0o700)) // in the way of the next file
	b.write("a.log", "2\n")
	b.settle()
	b.write("a.log", "3\n")
	b.settle()
	b.want("1", "2", "3")
	if s := b.flow.Status(); s.CheckpointError == "" {
		t.Error("the status does not say it")
	}
	must(t, os.Remove(filepath.Join(folder, "checkpoints.new")))
	b.write("a.log", "4\n")
	b.settle()
	if s := b.flow.Status(); s.CheckpointError != "" {
		t.Errorf("the status still says %s", s.CheckpointError)
	}
	b.restart()
	b.settle()
	b.want("1", "2", "3", "4")
}

// Shows that the end of a run sends what was read, and no longer than it may.
func TestDrain(t *testing.T) {
	b := newBench(t, `"filePattern": "DIR/a.log", "kinesisStream": "s", "initialPosition": "START_OF_FILE"`)
	b.write("a.log", "1\n2\n")
	b.flow.Step(t.Context(), false)
	b.want()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	b.flow.Run(ended, t.Context())
	b.want("1", "2")
	b.write("a.log", "3\n")
	b.flow.Step(t.Context(), false)
	b.sink.refuse = func([]Record) ([]error, error) { return nil, refusal("ServiceUnavailable") }
	b.flow.Run(ended, ended)
	b.sink.refuse = nil
	b.restart()
	b.settle()
	b.want("1", "2", "3")
}

// endingSink ends the run while a request is under way.
type endingSink struct {
	end context.CancelFunc
	cut error // what the request's context said afterwards
}

func (s *endingSink) Put(ctx context.Context, records []Record) ([]error, error) {
	s.end()
	s.cut = ctx.Err()
	return make([]error, len(records)), nil
}

// Shows that the end of a run lets the request that is under way have its answer, so that nothing is sent twice.
func TestEndDuringRequest(t *testing.T) {
	b := newBench(t, `"filePattern": "DIR/a.log", "kinesisStream": "s", "initialPosition": "START_OF_FILE", "maxBufferSizeRecords": 1`)
	b.write("a.log", "1\n")
	ctx, end := context.WithCancel(t.Context())
	sink := &endingSink{end: end}
	b.flow.sink = sink
	b.flow.Run(ctx, t.Context())
	if sink.cut != nil {
		t.Errorf("the request was cut off: %v", sink.cut)
	}
	b.restart()
	b.settle()
	b.want()
}

// Shows that files which are written, rotated by rename, by copy and truncate and under new names, a stream that refuses now and then, and an agent that is
// killed lose no line, keep the order of each file, and repeat no more than what was on its way at each kill. Repeat one with -seed.
func TestAtRandom(t *testing.T) {
	for _, seed := range seeds(15) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 3))
			pattern := []string{"app.log", "app.log*", "*"}[random.IntN(3)]
			b := newBench(t, fmt.Sprintf(`"filePattern": "DIR/%s", "kinesisStream": "s", "initialPosition": "START_OF_FILE", "maxBufferSizeRecords": 7`, pattern))
			b.sink.refuse = func(records []Record) ([]error, error) {
				if random.IntN(8) == 0 {
					return nil, refusal("InternalFailure")
				}
				causes := make([]error, len(records))
				if random.IntN(6) == 0 { // from here on, so that the order is kept
					for i := random.IntN(len(records)); i < len(records); i++ {
						causes[i] = refusal("ProvisionedThroughputExceededException")
					}
				}
				return causes, nil
			}
			written := map[string][]string{}
			n, kills, onTheWay := 0, 0, 0
			write := func(name string) {
				n++
				line := fmt.Sprintf("%s#%d", name, n)
				written[name] = append(written[name], line)
				b.write(name, line+" "+strings.Repeat("x", random.IntN(80))+"\n")
			}
			exists := func(name string) bool { _, err := os.Stat(b.path(name)); return err == nil }
			shift := func(name string) {
				for i := 60; i >= 1; i-- {
					if from := fmt.Sprintf("%s.%d", name, i); exists(from) {
						must(t, os.Rename(b.path(from), b.path(fmt.Sprintf("%s.%d", name, i+1))))
					}
				}
			}
			names := []string{"app.log"}
			if pattern == "*" {
				names = append(names, "other")
			}
			for _, name := range names { // what was rotated before the first look is nobody's
				write(name)
			}
			b.flow.Step(t.Context(), false)
			for range 150 {
				name := names[random.IntN(len(names))]
				switch action := random.IntN(12); {
				case action < 4:
					for range random.IntN(8) {
						write(name)
					}
				case action == 4 && exists(name):
					shift(name)
					must(t, os.Rename(b.path(name), b.path(name+".1")))
				case action == 5 && exists(name):
					shift(name)
					text, err := os.ReadFile(b.path(name))
					must(t, err)
					must(t, os.WriteFile(b.path(name+".1"), text, 0o600))
					must(t, os.Truncate(b.path(name), 0))
				case action == 6 && pattern == "*":
					write(fmt.Sprintf("timed-%d.log", n))
				case action == 7:
					kills++
					onTheWay += len(b.flow.queue)
					b.restart()
				default:
					b.flow.Step(t.Context(), random.IntN(2) == 0)
					b.clock.Advance(time.Duration(random.IntN(5000)) * time.Millisecond)
				}
			}
			for _, name := range names {
				write(name)
			}
			b.settle()
			got := map[string][]string{}
			repeated := 0
			for _, line := range b.sink.lines() {
				id, _, _ := strings.Cut(line, " ")
				name, _, _ := strings.Cut(id, "#")
				if slices.Contains(got[name], id) {
					repeated++
					continue
				}
				got[name] = append(got[name], id)
			}
			for name, want := range written {
				if !slices.Equal(got[name], want) {
					t.Errorf("go test ./internal/agent -run TestAtRandom -seed %d: %s %s: sent %d different lines of %d\n%v\n%v", seed, pattern, name, len(got[name]), len(want), got[name], want)
				}
			}
			// At a kill everything that was taken is in the checkpoint: it is written before the next request.
			if repeated > 0 {
				t.Errorf("go test ./internal/agent -run TestAtRandom -seed %d: %d lines were sent twice, with %d kills and %d records on their way", seed, repeated, kills, onTheWay)
			}
			if s := b.flow.Status(); s.Lost > 0 {
				t.Errorf("lost: %s", &b.log)
			}
		})
	}
}
