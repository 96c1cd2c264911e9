package tolls

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func generate(seed uint64, scale Scale) []Line {
	var all []Line
	for g := NewGenerator(seed, scale); ; {
		line, ok := g.Next()
		if !ok {
			return all
		}
		all = append(all, line)
	}
}

// Shows that a seed's bytes are the same on every machine and after every change: other bytes need another seed's name.
func TestSameSeedSameBytes(t *testing.T) {
	for seed, want := range map[uint64]string{
		42: "48e62be46eddd7aa8e3417652a4b3430f05f73b532255ca52a1a024cdc513a09",
		7:  "2aac9c42c1f926770b1bb9a981fdb9067b0ea12770c274bbbf92937a6f210059",
	} {
		sum := sha256.New()
		for _, line := range generate(seed, Smoke) {
			sum.Write(append(line.Text, '\n'))
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != want {
			t.Errorf("seed %d: %s, want %s", seed, got, want)
		}
	}
}

// Shows that lines come in the order of their writing, that the planted troubles are where the rule says, and that the
// planted half-hours have their numbers.
func TestPlanted(t *testing.T) {
	all := generate(42, Smoke)
	if len(all) < 8500 || len(all) > 9500 {
		t.Errorf("%d lines, want about 9,000", len(all))
	}
	perSlot := map[string]int{}
	seen := map[int]int{}
	for i, line := range all {
		if i > 0 && line.Written.Before(all[i-1].Written) {
			t.Fatalf("line %d was written before the one above it", i)
		}
		if !bytes.Contains(line.Text, []byte(TxnID(line.Seq))) {
			t.Fatalf("%q does not hold its id", line.Text)
		}
		if json.Valid(line.Text) == line.Malformed {
			t.Errorf("%q: malformed %v", line.Text, line.Malformed)
		}
		if delay := line.Written.Sub(line.At); !line.Again && (delay >= 20*time.Second) != line.Late || delay > 90*time.Second {
			t.Errorf("%s: late %v, delay %s", TxnID(line.Seq), line.Late, delay)
		}
		if seen[line.Seq]++; !line.Again {
			perSlot[StationName(line.Station)+slotName(line.At)]++
		}
		if line.Late != (line.Seq%100 == 37) {
			t.Errorf("%s: late %v", TxnID(line.Seq), line.Late)
		}
	}
	for seq := range len(seen) {
		want := 1
		if seq%200 == 91 {
			want = 2
		}
		if seen[seq] != want {
			t.Errorf("%s: written %d times, want %d", TxnID(seq), seen[seq], want)
		}
	}
	for _, p := range Planted {
		if got := perSlot[StationName(p.Station)+slotName(p.Slot)]; got != p.Vehicles {
			t.Errorf("%s at %s: %d vehicles, want %d", StationName(p.Station), slotName(p.Slot), got, p.Vehicles)
		}
	}
}

// Shows that the week is as large as it says, by the table that it is drawn from: its sum is the expected number of
// vehicles, and the spread of a Poisson number of this size is below a tenth of a percent.
func TestFullScale(t *testing.T) {
	vehicles, largest := 0.0, 0.0
	for station := Full.First; station <= Full.Last; station++ {
		for slot := range Full.Slots {
			m := mean(station, Full.Start.Add(time.Duration(slot)*slotLength))
			vehicles += m
			largest = max(largest, m)
		}
	}
	if vehicles < 2_350_000 || vehicles > 2_450_000 {
		t.Errorf("%.0f vehicles, want about 2.4 million", vehicles)
	}
	if largest > 700 {
		t.Errorf("a mean of %.0f is more than poisson can draw", largest)
	}
	if Full.Start.Weekday() != time.Monday || Smoke.Start.Weekday() != time.Wednesday || mean(7, Planted[0].Slot) != 360 {
		t.Error("the calendar moved")
	}
}

// Shows that the oracle is what a recount finds that knows nothing of the generator: it reads the rotated files, parses
// what is JSON, and counts each id once.
func TestOracleAgainstRecount(t *testing.T) {
	dir := t.TempDir()
	logs, err := OpenLogs(dir, 40<<10)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range generate(5, Smoke) {
		if err := logs.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := logs.Close(); err != nil {
		t.Fatal(err)
	}
	if logs.Rotations < 10 {
		t.Errorf("%d rotations", logs.Rotations)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	lines, size, vehicles, cents := 0, 0, 0, 0
	ids := map[string]bool{}
	perStation, perSlot := map[string]int{}, map[string]int{}
	var bad int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for text := range bytes.Lines(text) {
			text = bytes.TrimSuffix(text, []byte("\n"))
			lines++
			size += len(text)
			var row struct {
				Txn     string    `json:"txn_id"`
				TS      time.Time `json:"ts"`
				Station string
				Cents   int
			}
			if json.Unmarshal(text, &row) != nil {
				bad++
				continue
			}
			if ids[row.Txn] {
				continue
			}
			ids[row.Txn] = true
			vehicles++
			cents += row.Cents
			perStation[row.Station]++
			perSlot[row.Station+slotName(row.TS)]++
		}
	}
	o := OracleOf(5, Smoke)
	if lines != o.Lines || int64(size) != o.Bytes || vehicles != o.Vehicles || int64(cents) != o.Cents || bad < len(o.Malformed) {
		t.Errorf("recounted %d lines %d bytes %d vehicles %d cents; the oracle says %d %d %d %d", lines, size, vehicles, cents, o.Lines, o.Bytes, o.Vehicles, o.Cents)
	}
	if len(o.Stations) != 6 {
		t.Errorf("%d stations", len(o.Stations))
	}
	for name, station := range o.Stations {
		if station.Vehicles != perStation[name] || len(station.HalfHours) != 6 {
			t.Errorf("%s: %d vehicles in %d half-hours, recounted %d", name, station.Vehicles, len(station.HalfHours), perStation[name])
		}
		for slot, n := range station.HalfHours {
			if perSlot[name+slot] != n {
				t.Errorf("%s %s: %d vehicles, recounted %d", name, slot, n, perSlot[name+slot])
			}
		}
	}
}

// Shows that a writer that stopped anywhere goes on with the files as they are, also when it was killed inside a line or
// between a copy and the truncation.
func TestLogsGoOn(t *testing.T) {
	dir := t.TempDir()
	all := generate(3, Smoke)[:3000]
	at := 0
	for _, stop := range []int{10, 700, 701, 2000, len(all)} {
		logs, err := OpenLogs(dir, 20<<10)
		if err != nil {
			t.Fatal(err)
		}
		counted, err := logs.Count()
		if err != nil || counted[0]+counted[1] != at {
			t.Fatalf("counted %v of %d lines, error %v", counted, at, err)
		}
		for ; at < stop; at++ {
			if err := logs.Write(all[at]); err != nil {
				t.Fatal(err)
			}
		}
		if err := logs.Close(); err != nil {
			t.Fatal(err)
		}
		paths := LogPaths(dir)
		appendTo(t, paths[0], `{"txn_id":"T0`)
		if stop == 700 {
			west, err := os.ReadFile(paths[1])
			if err != nil || len(west) == 0 {
				t.Fatal(err, len(west))
			}
			shiftAndCopy(t, paths[1], west)
		}
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func shiftAndCopy(t *testing.T, path string, text []byte) {
	t.Helper()
	names, _ := filepath.Glob(path + ".*")
	slices.Sort(names)
	for _, name := range slices.Backward(names) {
		next := name[:len(name)-1] + string(name[len(name)-1]+1)
		if err := os.Rename(name, next); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path+".1", text, 0o666); err != nil {
		t.Fatal(err)
	}
}
