package follow

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// world is a directory with a log file, what a follower read from it, and what it noticed.
type world struct {
	t    *testing.T
	path string
	file *File
	read []string
	lost []string
}

func newWorld(t *testing.T, opts Options) *world {
	w := &world{t: t, path: filepath.Join(t.TempDir(), "app.log")}
	w.start(opts)
	t.Cleanup(func() { w.file.Close() })
	return w
}

func (w *world) start(opts Options) {
	opts.Notice = func(n Notice) {
		if n.Lost {
			w.lost = append(w.lost, n.Text)
		}
	}
	w.file = New(w.path, opts)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) write(text string) {
	w.t.Helper()
	f, err := os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(w.t, err)
	_, err = f.WriteString(text)
	must(w.t, err)
	must(w.t, f.Close())
}

// shift makes room at name.1, as logrotate does.
func (w *world) shift() {
	for n := 50; n >= 1; n-- {
		from := fmt.Sprintf("%s.%d", w.path, n)
		if _, err := os.Stat(from); err == nil {
			must(w.t, os.Rename(from, fmt.Sprintf("%s.%d", w.path, n+1)))
		}
	}
}

func (w *world) rename() {
	w.t.Helper()
	w.shift()
	must(w.t, os.Rename(w.path, w.path+".1"))
}

func (w *world) copy() {
	w.t.Helper()
	w.shift()
	all, err := os.ReadFile(w.path)
	must(w.t, err)
	must(w.t, os.WriteFile(w.path+".1", all, 0o600))
}

func (w *world) truncate() { w.t.Helper(); must(w.t, os.Truncate(w.path, 0)) }

func (w *world) remove(name string) { w.t.Helper(); must(w.t, os.Remove(name)) }

// poll polls once, or until nothing comes.
func (w *world) poll() {
	w.t.Helper()
	for {
		batch, err := w.file.Poll(64)
		must(w.t, err)
		for _, line := range batch.Lines {
			w.read = append(w.read, string(line))
		}
		if len(batch.Lines) == 0 {
			return
		}
	}
}

// restart goes on in a new follower where the old one was.
func (w *world) restart() {
	last := w.file.last
	must(w.t, w.file.Close())
	w.start(Options{From: &last})
}

// Shows that each way of rotating a file gives every line once and in order. A row is what happens to the file; "?" is a
// poll, so the rows without one between two steps are those where the follower was late.
func TestRotation(t *testing.T) {
	for _, row := range []struct {
		name  string
		opts  Options
		steps string // words; w:x writes x with ~ for a line end
		want  string
		lost  int
	}{
		{name: "grows", steps: "w:a~b~ ? w:c~ ?", want: "a b c"},
		{name: "not there yet", steps: "? w:a~ ?", want: "a"},
		{name: "partial line waits for its end", steps: "w:a~b ? w:b~c ? w:~ ?", want: "a bb c"},
		{name: "empty lines are lines", steps: "w:a~~b~ ?", want: "a  b"},
		{name: "rename", steps: "w:a~ ? rename w:b~ ?", want: "a b"},
		{name: "rename before the first poll is not ours", steps: "w:a~ rename w:b~ ?", want: "b"},
		{name: "rename with rotated asked for", opts: Options{Rotated: true}, steps: "w:a~ rename w:b~ rename w:c~ ?", want: "a b c"},
		{name: "rename, unread rest", steps: "w:a~ ? w:b~ rename w:c~ ?", want: "a b c"},
		{name: "rename, the new file comes later", steps: "w:a~ ? w:b~ rename ? w:c~ ?", want: "a b c"},
		{name: "rename, the new file is empty first", steps: "w:a~ ? rename touch ? w:b~ ?", want: "a b"},
		{name: "three renames between polls", steps: "w:a~ ? w:b~ rename w:c~ rename w:d~ rename w:e~ ?", want: "a b c d e"},
		{name: "an empty generation between", steps: "w:a~ ? rename touch rename w:b~ ?", want: "a b"},
		{name: "rename, last line without its end", steps: "w:a~b ? rename w:c~ ?", want: "a b c"},
		{name: "writer goes on in the renamed file", steps: "w:a~ ? rename w1:b~ ? w1:c~ w:d~ ?", want: "a b c d"},
		{name: "copytruncate", steps: "w:a~ ? copy truncate w:b~ ?", want: "a b"},
		{name: "copytruncate, unread rest is in the copy", steps: "w:a~ ? w:b~ copy truncate w:c~ ?", want: "a b c"},
		{name: "copytruncate, grown past the place", steps: "w:a~ ? w:b~ copy truncate w:cccccccccccccccccc~ ?", want: "a b cccccccccccccccccc"},
		{name: "copytruncate, same size again", steps: "w:a~ ? copy truncate w:b~ ?", want: "a b"},
		{name: "copytruncate, poll between copy and truncate", steps: "w:a~ ? w:b~ copy ? truncate ? w:c~ ?", want: "a b c"},
		{name: "two copytruncates between polls", steps: "w:a~ ? w:b~ copy truncate w:c~ copy truncate w:d~ ?", want: "a b c d"},
		{name: "copytruncate of a partial line", steps: "w:a~b ? w:b~ copy truncate w:c~ ?", want: "a bb c"},
		{name: "copytruncate, only a partial line was seen", steps: "w:b ? w:b~ copy truncate w:c~ ?", want: "bb c"},
		{name: "copytruncate of a file that was empty at the first poll", steps: "touch ? w:a~ copy truncate w:b~ ?", want: "a b"},
		{name: "copytruncate without a copy loses what was not read, and says so", steps: "w:a~ ? w:b~ truncate w:c~ ?", want: "a c", lost: 1},
		{name: "copy in the making behind a renamed file", steps: "w:a~ ? w:b~ rename w:c~ copy ? w:d~ ? truncate w:e~ ?", want: "a b c d e", lost: 1},
		{name: "rename then copytruncate", steps: "w:a~ ? w:b~ rename w:c~ copy truncate w:d~ ?", want: "a b c d"},
		{name: "removed and made again", steps: "w:a~ ? remove w:b~ ?", want: "a b"},
		{name: "removed after writing", steps: "w:a~ ? w:b~ remove ? w:c~ ?", want: "a b c"},
		{name: "from the end", opts: Options{AtEnd: true}, steps: "w:a~b~c ? w:c~d~ ?", want: "cc d"},
		{name: "from the end of nothing", opts: Options{AtEnd: true}, steps: "touch ? w:a~ ?", want: "a"},
		{name: "older rotated files stay unread", steps: "w:a~ rename touch ? w:b~ rename w:c~ ?", want: "b c"},
		{name: "restart", steps: "w:a~ ? restart w:b~ ?", want: "a b"},
		{name: "restart after renames", steps: "w:a~b~ ? restart w:c~ rename w:d~ rename w:e~ ?", want: "a b c d e"},
		{name: "restart after copytruncate", steps: "w:a~ ? restart w:b~ copy truncate w:c~ ?", want: "a b c"},
		{name: "restart after a rename that was read to its end", steps: "w:a~ ? rename w:b~ ? restart rename w:c~ ?", want: "a b c"},
		{name: "restart, and everything read is gone", steps: "w:a~ ? restart remove w:b~ rename w:c~ ?", want: "a b c", lost: 1},
		{name: "compressed and foreign files are left alone", opts: Options{Rotated: true}, steps: "w:a~ rename gz other w:b~ ?", want: "b"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, row.opts)
			for _, step := range strings.Fields(row.steps) {
				verb, text, _ := strings.Cut(step, ":")
				switch verb {
				case "?":
					w.poll()
				case "w":
					w.write(strings.ReplaceAll(text, "~", "\n"))
				case "w1":
					live := w.path
					w.path += ".1"
					w.write(strings.ReplaceAll(text, "~", "\n"))
					w.path = live
				case "touch":
					w.write("")
				case "rename":
					w.rename()
				case "copy":
					w.copy()
				case "truncate":
					w.truncate()
				case "remove":
					w.remove(w.path)
				case "restart":
					w.restart()
				case "gz":
					must(t, os.Rename(w.path+".1", w.path+".1.gz"))
				case "other":
					must(t, os.WriteFile(w.path+"book", []byte("x\n"), 0o600))
				default:
					t.Fatalf("step %q", step)
				}
			}
			if got := strings.Join(w.read, " "); got != row.want {
				t.Errorf("read %q, want %q", got, row.want)
			}
			if len(w.lost) != row.lost {
				t.Errorf("lost %q, want %d", w.lost, row.lost)
			}
		})
	}
}

// Shows that a line longer than the limit is an error with its place, and that one just as long is not.
func TestLineTooLong(t *testing.T) {
	w := newWorld(t, Options{LineBytesMax: 10})
	w.write("123456789\n1234567890\n")
	w.poll()
	w.write("12345678901\n")
	_, err := w.file.Poll(64)
	if err == nil || !strings.Contains(err.Error(), "at byte 21") {
		t.Errorf("error %v", err)
	}
	if want := []string{"123456789", "1234567890"}; !slices.Equal(w.read, want) {
		t.Errorf("read %q", w.read)
	}
}

// Shows that any order of writing, rotating, polling and restarting gives every line once and in order. The seed of a
// failure is in its name.
func TestRotationAtRandom(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t, Options{Rotated: true})
			var want []string
			for range 120 {
				switch random.IntN(9) {
				case 0, 1, 2, 3:
					for range random.IntN(6) {
						line := fmt.Sprintf("line %d %s", len(want), strings.Repeat("x", random.IntN(90)))
						want = append(want, line)
						w.write(line + "\n")
					}
				case 4:
					if _, err := os.Stat(w.path); err == nil {
						w.rename()
					}
				case 5:
					if _, err := os.Stat(w.path); err == nil {
						w.copy()
						if random.IntN(2) == 0 {
							w.poll()
						}
						w.truncate()
					}
				case 6, 7:
					w.poll()
				case 8:
					w.restart()
					w.file.opts.Rotated = true
				}
			}
			w.write("end\n")
			want = append(want, "end")
			w.poll()
			if !slices.Equal(w.read, want) {
				for i := range min(len(w.read), len(want)) {
					if w.read[i] != want[i] {
						t.Fatalf("line %d: read %q, want %q", i, w.read[i], want[i])
					}
				}
				t.Fatalf("read %d lines, want %d", len(w.read), len(want))
			}
			if len(w.lost) > 0 {
				t.Errorf("lost %q", w.lost)
			}
		})
	}
}

// A file that is copied away, truncated and filled again between its opening and the first read of it is read from the copy: nothing is lost.
func TestCopiedAwayBeforeTheFirstRead(t *testing.T) {
	w := newWorld(t, Options{Rotated: true})
	write := func(path, text string) {
		t.Helper()
		must(t, os.WriteFile(path, []byte(text), 0o666))
	}
	write(w.path+".1", "first\n")
	write(w.path, "second\n")
	for _, want := range []string{"first"} {
		batch, err := w.file.Poll(1 << 10)
		must(t, err)
		if got := string(slices.Concat(batch.Lines...)); got != want {
			t.Fatalf("read %q, want %q", got, want)
		}
	}
	opened, _, err := w.file.advance(1 << 10) // the live file is open, and nothing of it is read
	must(t, err)
	if len(opened.Lines) > 0 {
		t.Fatalf("advance read %q", opened.Lines)
	}
	must(t, os.Rename(w.path+".1", w.path+".2"))
	write(w.path+".1", "second\n")
	write(w.path, "third, which is longer\n") // truncates
	var got []string
	for range 3 {
		batch, err := w.file.Poll(1 << 10)
		must(t, err)
		for _, line := range batch.Lines {
			got = append(got, string(line))
		}
	}
	if !slices.Equal(got, []string{"second", "third, which is longer"}) || len(w.lost) > 0 {
		t.Errorf("read %q, lost %q", got, w.lost)
	}
}
