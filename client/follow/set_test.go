package follow

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
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

// folder is a folder of logs, a Set that follows it, and what was read.
type folder struct {
	t       *testing.T
	dir     string
	pattern string
	opts    SetOptions
	set     *Set
	now     time.Time
	read    []string
	lost    []string
	saved   map[string]Saved
}

func newFolder(t *testing.T, pattern string, opts SetOptions) *folder {
	w := &folder{t: t, dir: t.TempDir(), pattern: pattern, opts: opts, now: time.Unix(1e9, 0)}
	t.Cleanup(func() { must(t, w.set.Close()) })
	w.start()
	return w
}

func (w *folder) start() {
	w.t.Helper()
	opts := w.opts
	opts.Now = func() time.Time { return w.now }
	opts.Notice = func(n Notice) {
		if n.Lost {
			w.lost = append(w.lost, n.String())
		}
	}
	opts.Begun, opts.Saved = w.saved != nil, w.saved
	set, err := NewSet(w.dir, w.pattern, opts)
	must(w.t, err)
	w.set = set
}

func (w *folder) restart() {
	w.t.Helper()
	w.keep()
	must(w.t, w.set.Close())
	w.start()
}

// keep is a checkpoint.
func (w *folder) keep() {
	w.saved = map[string]Saved{}
	for _, key := range w.set.Keys() {
		w.saved[key] = w.set.Save(key, w.set.File(key).At())
	}
}

func (w *folder) poll() {
	w.t.Helper()
	must(w.t, w.set.Scan())
	for _, key := range w.set.Keys() {
		for {
			batch, err := w.set.File(key).Poll(64)
			must(w.t, err)
			for _, line := range batch.Lines {
				w.read = append(w.read, string(line))
			}
			if len(batch.Lines) == 0 {
				break
			}
		}
	}
}

func (w *folder) path(name string) string { return filepath.Join(w.dir, name) }

func (w *folder) write(name, text string) {
	w.t.Helper()
	f, err := os.OpenFile(w.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(w.t, err)
	_, err = f.WriteString(strings.ReplaceAll(text, "~", "\n"))
	must(w.t, err)
	must(w.t, f.Close())
}

func (w *folder) exists(name string) bool {
	_, err := os.Stat(w.path(name))
	return err == nil
}

func (w *folder) shift(name string) {
	for n := 60; n >= 1; n-- {
		if from := fmt.Sprintf("%s.%d", name, n); w.exists(from) {
			must(w.t, os.Rename(w.path(from), w.path(fmt.Sprintf("%s.%d", name, n+1))))
		}
	}
}

func (w *folder) copy(from, to string) {
	all, err := os.ReadFile(w.path(from))
	must(w.t, err)
	must(w.t, os.WriteFile(w.path(to), all, 0o600))
}

// Shows which files of a folder are followed, from where, and that a file under another name is not read again. Steps: w:NAME:TEXT writes, mv and cp take two
// names, tr truncates, rm removes, old makes a file an hour older, ? polls, restart goes on from a checkpoint, +N lets N seconds pass.
func TestSet(t *testing.T) {
	for _, row := range []struct {
		name, pattern string
		atEnd         bool
		steps         string
		want          string
		lost          int
	}{
		{name: "several files", pattern: "*.log", steps: "w:a.log:1~ w:b.log:2~ w:c.txt:3~ ? w:b.log:4~ w:a.log:5~ ?", want: "1 2 5 4"},
		{name: "new files from their start", pattern: "*.log", atEnd: true, steps: "w:a.log:1~ ? w:b.log:2~ w:a.log:3~ ?", want: "3 2"},
		{name: "new files after a restart", pattern: "*.log", atEnd: true, steps: "w:a.log:1~ ? w:b.log:2~ restart w:a.log:3~ ?", want: "3 2"},
		{name: "an empty file at the end, then a restart", pattern: "*.log", atEnd: true, steps: "w:a.log: ? restart w:a.log:3~ ?", want: "3"},
		{name: "rotated files are not files of their own", pattern: "a.log*", steps: "w:a.log:1~ ? mv:a.log:a.log.1 w:a.log:2~ ? mv:a.log.1:a.log.2 mv:a.log:a.log.1 w:a.log:3~ ?", want: "1 2 3"},
		{name: "rotated files that were there, from the start", pattern: "a.log*", steps: "w:a.log.2:1~ w:a.log.1:2~ w:a.log:3~ ?", want: "1 2 3"},
		{name: "rotated files that were there, by one plain name", pattern: "a.log", steps: "w:a.log.2:1~ w:a.log.1:2~ w:a.log:3~ ?", want: "3"},
		{name: "rotated files that were there, from the end", pattern: "a.log*", atEnd: true, steps: "w:a.log.2:1~ w:a.log.1:2~ w:a.log:3~ ? w:a.log:4~ ? restart ?", want: "4"},
		{name: "rotated files that were there, an empty one, a restart", pattern: "a.log*", atEnd: true, steps: "w:a.log.1:2~ w:a.log: ? restart w:a.log:4~ ? mv:a.log.1:a.log.2 mv:a.log:a.log.1 w:a.log:5~ restart ?", want: "4 5"},
		{name: "a plain name that comes and is rotated before the next look", pattern: "a.log", atEnd: true, steps: "? w:a.log:1~ mv:a.log:a.log.1 w:a.log:2~ ?", want: "1 2"},
		{name: "numbers that are no rotation", pattern: "worker*", steps: "w:worker-1:1~ w:worker-2:2~ ? w:worker-1:3~ w:worker-2:4~ w:worker-1:5~ ?", want: "1 2 3 5 4"},
		{name: "numbers that are no rotation, with a base", pattern: "worker*", steps: "w:worker:0~ ? w:worker-1:1~ ? w:worker-1:3~ ? w:worker:4~ ?", want: "0 4"},
		{name: "names with the time", pattern: "a-*.log", atEnd: true, steps: "w:a-20240101.log:1~ ? w:a-20240101.log:2~ ? w:a-20240102.log:3~ w:a-20240101.log:4~ ?", want: "2 4 3"},
		{name: "names with the time at their end", pattern: "a.log.*", atEnd: true, steps: "w:a.log.2024-01-01:1~ ? w:a.log.2024-01-01:2~ ? w:a.log.2024-01-02:3~ ?", want: "2 3"},
		{name: "renamed to another matching name", pattern: "a*.log", steps: "w:a.log:1~ ? w:a.log:2~ mv:a.log:a-old-one.log ? w:a.log:3~ ? w:a-old-one.log:4~ ?", want: "1 2 3 4"},
		{name: "renamed to another matching name, all at once", pattern: "a*.log", steps: "w:a.log:1~ ? w:a.log:2~ mv:a.log:a.x.log w:a.log:3~ ?", want: "1 2 3"},
		{name: "renamed to another matching name before a restart", pattern: "a*.log", steps: "w:a.log:1~ ? restart w:a.log:2~ mv:a.log:a.x.log w:a.log:3~ ? w:a.x.log:4~ restart w:a.x.log:5~ ?", want: "1 2 3 4 5"},
		{name: "copied to another matching name and truncated", pattern: "a*.log", steps: "w:a.log:1~ ? w:a.log:2~ cp:a.log:a.x.log tr:a.log w:a.log:3~ ? ?", want: "1 2 3"},
		{name: "copied to another matching name, a look between", pattern: "a*.log", steps: "w:a.log:1~ ? w:a.log:2~ cp:a.log:a.x.log ? tr:a.log w:a.log:3~ ? ?", want: "1 2 3"},
		{name: "a file that begins as another does", pattern: "*.log", steps: "w:a.log:h~1~ ? w:b.log:h~ ? +6 ?", want: "h 1 h"},
		{name: "written to after its rotation", pattern: "a.log*", steps: "w:a.log:1~ ? mv:a.log:a.log.1 w:a.log:2~ ? w:a.log.1:3~ ? w:a.log.1:4~ w:a.log:5~ ?", want: "1 2 3 5 4"},
		{name: "written to after its rotation, by one plain name", pattern: "a.log", steps: "w:a.log:1~ ? mv:a.log:a.log.1 w:a.log:2~ ? restart w:a.log.1:3~ ? mv:a.log.1:a.log.2 w:a.log.2:4~ restart ?", want: "1 2 3 4"},
		{name: "the name without a suffix comes later", pattern: "a.log*", steps: "w:a.log.1:1~ ? w:a.log:2~ ? mv:a.log.1:a.log.2 mv:a.log:a.log.1 w:a.log:3~ ?", want: "1 2 3"},
		{name: "removed", pattern: "*.log", steps: "w:a.log:1~ ? w:a.log:2~ rm:a.log ? +61 ? w:a.log:3~ ?", want: "1 2 3"},
		{name: "truncated by hand, then a restart", pattern: "a.log*", steps: "w:a.log.1:0~ w:a.log:1~ ? tr:a.log ? restart w:a.log:2~ ?", want: "0 1 2", lost: 1},
		{name: "what was read is removed, and older ones are left", pattern: "a.log*", steps: "w:a.log.1:0~ old:a.log.1 ? w:a.log:1~ ? mv:a.log.1:a.log.2 mv:a.log:a.log.1 w:a.log: ? rm:a.log.1 restart w:a.log:2~ ?", want: "0 1 2", lost: 1},
		{name: "the folder is away for a while", pattern: "*.log", steps: "w:a.log:1~ ? mvdir ? +61 ? mvback w:a.log:2~ ?", want: "1 2"},
		{name: "compressed", pattern: "*", steps: "w:a.log:1~ w:a.log.1.gz:x~ w:b.ZIP:y~ ?", want: "1"},
		{name: "the folder comes later", pattern: "*.log", atEnd: true, steps: "rmdir ? mkdir w:a.log:1~ ?", want: "1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newFolder(t, row.pattern, SetOptions{Options: Options{AtEnd: row.atEnd}})
			for _, step := range strings.Fields(row.steps) {
				verb, rest, _ := strings.Cut(step, ":")
				a, b, _ := strings.Cut(rest, ":")
				switch verb {
				case "?":
					w.poll()
				case "w":
					w.write(a, b)
				case "mv":
					must(t, os.Rename(w.path(a), w.path(b)))
				case "cp":
					w.copy(a, b)
				case "tr":
					must(t, os.Truncate(w.path(a), 0))
				case "old":
					hour := time.Now().Add(-time.Hour)
					must(t, os.Chtimes(w.path(a), hour, hour))
				case "rm":
					must(t, os.Remove(w.path(a)))
				case "rmdir":
					must(t, os.Remove(w.dir))
				case "mvdir":
					must(t, os.Rename(w.dir, w.dir+".away"))
				case "mvback":
					must(t, os.Rename(w.dir+".away", w.dir))
				case "mkdir":
					must(t, os.Mkdir(w.dir, 0o777))
				case "restart":
					w.restart()
				default:
					var seconds int
					if _, err := fmt.Sscanf(step, "+%d", &seconds); err != nil {
						t.Fatalf("step %q", step)
					}
					w.now = w.now.Add(time.Duration(seconds) * time.Second)
				}
			}
			if got := strings.Join(w.read, " "); got != row.want {
				t.Errorf("read %q, want %q", got, row.want)
			}
			if len(w.lost) != row.lost {
				t.Errorf("lost %q", w.lost)
			}
		})
	}
}

// Shows that several files that are written, rotated by rename, by copy and truncate and under names with the time, polled and restarted at random give every
// line once, each file's in order; and at least once when what is kept of the positions is old, as after a kill. Repeat one with -seed.
func TestSetAtRandom(t *testing.T) {
	for _, pattern := range []string{"app.log*", "*"} {
		for _, seed := range seeds(4) {
			kills := seed%2 == 0
			t.Run(fmt.Sprintf("%s seed=%d kills=%t", pattern, seed, kills), func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 2))
				w := newFolder(t, pattern, SetOptions{})
				names := []string{"app.log"}
				if pattern == "*" {
					names = []string{"app.log", "other", "third.log"}
				}
				written := map[string][]string{}
				line := 0
				write := func(name, to string) {
					line++
					text := fmt.Sprintf("%s#%d", name, line)
					written[name] = append(written[name], text)
					w.write(to, text+" "+strings.Repeat("x", random.IntN(60))+"~")
				}
				// At the first look the names are there. Rotated files without the name they come from are files of their own, which TestSet shows.
				for _, name := range names {
					write(name, name)
				}
				w.poll()
				for range 120 {
					name := names[random.IntN(len(names))]
					w.now = w.now.Add(time.Duration(random.IntN(3000)) * time.Millisecond)
					switch action := random.IntN(12); {
					case action < 5:
						for range random.IntN(5) {
							write(name, name)
						}
					case action == 5 && w.exists(name):
						w.shift(name)
						must(t, os.Rename(w.path(name), w.path(name+".1")))
					case action == 6 && w.exists(name):
						w.shift(name)
						w.copy(name, name+".1")
						if random.IntN(2) == 0 {
							w.poll()
						}
						must(t, os.Truncate(w.path(name), 0))
					case action == 7:
						timed := fmt.Sprintf("%s.x%03d.log", name, line)
						write(timed, timed)
					case action == 8 && kills:
						must(t, w.set.Close())
						w.start() // from what was kept some time ago
					case action == 8:
						w.restart()
					case action == 9:
						w.keep()
					default:
						w.poll()
					}
				}
				for _, name := range names {
					write(name, name)
				}
				w.now = w.now.Add(time.Minute)
				w.poll()
				w.now = w.now.Add(time.Minute)
				w.poll()
				read := map[string][]string{}
				for _, text := range w.read {
					id, _, _ := strings.Cut(text, " ")
					name, _, _ := strings.Cut(id, "#")
					if !kills || !slices.Contains(read[name], id) {
						read[name] = append(read[name], id)
					}
				}
				for name, want := range written {
					if !slices.Equal(read[name], want) {
						t.Errorf("go test ./client/follow -run TestSetAtRandom -seed %d: %s: %s", seed, name, firstDifference(read[name], want))
					}
				}
				if len(w.lost) > 0 {
					t.Errorf("lost %q", w.lost)
				}
			})
		}
	}
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("at %d of %d (want %d): read %s, want %s", i, len(got), len(want), got[i], want[i])
		}
	}
	return fmt.Sprintf("read %d, want %d", len(got), len(want))
}

// Shows that a line over the limit is cut, that its rest is left out also when it comes later or after a restart, and that each line says where it begins.
func TestCut(t *testing.T) {
	w := newWorld(t, Options{LineBytesMax: 10, Cut: true})
	var starts []int64
	poll := func() {
		for {
			batch, err := w.file.Poll(1)
			must(t, err)
			if len(batch.Lines) == 0 {
				return
			}
			for i, line := range batch.Lines {
				w.read = append(w.read, string(line))
				starts = append(starts, batch.Offset(i))
				if before := batch.Before(i); before.Offset != batch.Offset(i) {
					t.Errorf("line %d begins at %d and the position before it is %+v", i, batch.Offset(i), before)
				}
			}
			if batch.CutOff != (len(batch.Lines[0]) == 10 && batch.Position.Cut) {
				t.Errorf("%q is said to be cut: %t", batch.Lines, batch.CutOff)
			}
		}
	}
	w.write("short\n0123456789ABC\nnext\n0123456789XY")
	poll()
	w.write("Z more")
	poll()
	w.restart()
	w.write(" and more\nend\n")
	poll()
	if want := []string{"short", "0123456789", "next", "0123456789", "end"}; !slices.Equal(w.read, want) {
		t.Errorf("read %q, want %q", w.read, want)
	}
	if want := []int64{0, 6, 20, 25, 53}; !slices.Equal(starts, want) {
		t.Errorf("lines begin at %d, want %d", starts, want)
	}
}

// Shows that files of equal lines are not taken for each other after a restart.
func TestEqualLines(t *testing.T) {
	w := newWorld(t, Options{})
	w.write(strings.Repeat("ok\n", 3))
	w.poll()
	w.write("ok\n") // not read before the restart
	w.rename()
	w.write(strings.Repeat("ok\n", 6))
	w.restart()
	w.poll()
	if len(w.read) != 10 {
		t.Errorf("read %d lines of 10", len(w.read))
	}
}

// Shows that a writer that is slow to leave a rotated file is waited for.
func TestLinger(t *testing.T) {
	now := time.Unix(0, 0)
	w := newWorld(t, Options{Linger: time.Second, Now: func() time.Time { return now }})
	w.write("a\n")
	w.poll()
	w.rename()
	w.write("c\n")
	w.poll()
	live := w.path
	w.path += ".1"
	w.write("b\n")
	w.path = live
	w.poll()
	now = now.Add(2 * time.Second)
	w.poll() // begins to wait again: b came late
	now = now.Add(2 * time.Second)
	w.poll()
	if got := strings.Join(w.read, " "); got != "a b c" {
		t.Errorf("read %q", got)
	}
}

// Shows what a pattern matches, beside what Java's PathMatcher documentation says of it.
func TestGlob(t *testing.T) {
	for _, row := range []struct {
		pattern, yes, no string
		exact            bool
	}{
		{"app.log", "app.log", "appxlog app.log.1", true},
		{"app.log*", "app.log app.log.1 app.log-2024", "xapp.log", false},
		{"*.log", "a.log .log .hidden.log", "a.logs", false},
		{"a?c", "abc a.c aéc", "ac abbc", false},
		{"[a-c]x", "ax cx", "dx -x", false},
		{"[!a-c]x", "dx", "ax", false},
		{"a.{log,out,e[rx]r}", "a.log a.out a.err a.exr", "a.txt a.", false},
		{`a\*`, "a*", "ab", false},
		{"[a*]", "* a", "b", false},
		{"a,b}", "a,b}", "a", true},
		{"[^a]", "^ a", "b", false},
	} {
		match, exact, err := Glob(row.pattern)
		if err != nil || exact != row.exact {
			t.Errorf("%q: exact %t, error %v", row.pattern, exact, err)
			continue
		}
		for _, name := range strings.Fields(row.yes) {
			if !match(name) {
				t.Errorf("%q does not match %q", row.pattern, name)
			}
		}
		for _, name := range strings.Fields(row.no) {
			if match(name) {
				t.Errorf("%q matches %q", row.pattern, name)
			}
		}
	}
	for _, bad := range []string{"a[b", "a{b", "{a,{b}}", `a\`} {
		if _, _, err := Glob(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func FuzzGlob(f *testing.F) {
	for _, pattern := range []string{"app.log*", "[!a-c]?{x,y}", `\*`, "[z-a]", "[]]", "{", "["} {
		f.Add(pattern, "app.log")
	}
	f.Add("\xe1", "\x80") // no UTF-8, and not the same
	f.Fuzz(func(t *testing.T, pattern, name string) {
		match, exact, err := Glob(pattern)
		if err == nil && exact && match(name) != (pattern == name) {
			t.Errorf("%q is exact and matches %q: %t", pattern, name, match(name))
		}
	})
}
