package upgrade

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/doctor"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

var seed = flag.Uint64("seed", 0, "of random tests; 0 takes a new one")

// Any byte that changes in an older directory is found and named. After the repair the directory is sound, the server starts, and every record is
// there, under its sequence number, but those that the repair gave up by name; consumers come past the gaps, and writers go on behind them.
func TestDoctorOnOldDirectories(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("repeat with go test ./test/upgrade -run DoctorOnOld -seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 0))
	archives, err := filepath.Glob("testdata/*.tar.gz")
	must(t, err)
	for _, archive := range archives {
		var want contents
		b, err := os.ReadFile(strings.TrimSuffix(archive, ".tar.gz") + ".json")
		must(t, err)
		must(t, json.Unmarshal(b, &want))
		whole := t.TempDir()
		unpack(t, archive, whole)
		fs, err := vfs.NewOS(whole)
		must(t, err)
		x, err := doctor.Examine(t.Context(), doctor.Options{FS: fs})
		must(t, err)
		if !x.Report.Sound || len(x.Report.Notes) > 0 || x.Report.Streams == 0 || x.Report.Checked.Records == 0 {
			t.Errorf("%s: %+v", archive, x.Report)
		}
		if _, err := doctor.Examine(t.Context(), doctor.Options{FS: fs}); !fault.Is(err, fault.Conflict) {
			t.Errorf("two look at once: %v", err)
		}
		x.Close()

		var files []string
		for _, pattern := range []string{"log/MANIFEST", "log/journal-*", "log/segment-*", "control/snapshot-*"} {
			found, err := filepath.Glob(filepath.Join(whole, pattern))
			must(t, err)
			files = append(files, found...)
		}
		lost := 0
		for round := range 3 * len(files) {
			dir := t.TempDir()
			unpack(t, archive, dir)
			file, err := filepath.Rel(whole, files[round%len(files)])
			must(t, err)
			content, err := os.ReadFile(filepath.Join(dir, file))
			must(t, err)
			at := r.IntN(len(content))
			if file == "log/MANIFEST" {
				at = 16 + r.IntN(len(content)-16) // before it stands the version, which may be a newer one
			}
			content[at] ^= 1 << r.IntN(8)
			must(t, os.WriteFile(filepath.Join(dir, file), content, 0o600))
			lost += repaired(t, dir, file, want)
			if t.Failed() {
				t.Fatalf("%s, %s byte %d", archive, file, at)
			}
		}
		t.Logf("%s: %d records given up in %d directories", archive, lost, 3*len(files))
	}
}

// repaired finds what is wrong with a directory, repairs it, and compares what a server has with what was there.
func repaired(t *testing.T, dir, file string, want contents) (lost int) {
	t.Helper()
	fs, err := vfs.NewOS(dir)
	must(t, err)
	x, err := doctor.Examine(t.Context(), doctor.Options{FS: fs})
	must(t, err)
	defer x.Close()
	named := func(f doctor.Finding) bool { return f.File == file }
	if !slices.ContainsFunc(x.Report.Findings, named) {
		if strings.Contains(file, "journal") && slices.ContainsFunc(x.Report.Notes, named) {
			return 0 // the end of the journal, which was never acknowledged
		}
		t.Errorf("not found: %+v", x.Report)
		return 0
	}
	plan, err := x.Plan(time.Now())
	must(t, err)
	if len(plan.Refused) > 0 {
		// A command that no snapshot has yet is gone: without it nobody knows what exists, and nothing is done.
		ofControl := func(f doctor.Finding) bool {
			return strings.HasPrefix(f.Text, "control log: ") && f.FirstPosition != nil
		}
		if !slices.ContainsFunc(x.Report.Findings, ofControl) || !strings.Contains(plan.Refused[0], "control log") {
			t.Errorf("refused: %q", plan.Refused)
		}
		if err := x.Repair(t.Context(), plan); !fault.Is(err, fault.Unsupported) {
			t.Error(err)
		}
		return 0
	}
	must(t, x.Repair(t.Context(), plan))
	x.Close()
	after, err := doctor.Examine(t.Context(), doctor.Options{FS: fs})
	must(t, err)
	if !after.Report.Sound {
		t.Errorf("after the repair: %+v", after.Report.Findings)
	}
	after.Close()
	if _, err := os.Stat(filepath.Join(dir, plan.Quarantine, "note.json")); err != nil {
		t.Error(err)
	}

	n, stop := start(t, devConfig(dir))
	defer stop()
	got := look(t, n, want)
	for i, account := range want.Accounts {
		if len(got[i].Streams) != len(account.Streams) {
			t.Errorf("%d streams, want %d", len(got[i].Streams), len(account.Streams))
			continue
		}
		for j, stream := range account.Streams {
			have := got[i].Streams[j]
			for k, shard := range stream.Shards {
				for _, record := range shard.Records {
					if slices.Contains(have.Shards[k].Records, record) {
						continue
					}
					lost++
					if !slices.ContainsFunc(plan.Steps, func(s doctor.Step) bool {
						return s.Do == "give up" && s.Stream == stream.Name && s.Account == account.Account && s.Region == account.Region && s.Shard == shard.ID
					}) {
						t.Errorf("%s %s: record %s is gone, and nobody said so", stream.Name, shard.ID, record.Sequence)
					}
				}
				if len(have.Shards[k].Records) > len(shard.Records) {
					t.Errorf("%s %s: %d records, want at most %d", stream.Name, shard.ID, len(have.Shards[k].Records), len(shard.Records))
				}
				have.Shards[k].Records, stream.Shards[k].Records = nil, shard.Records
			}
			stream.Shards = slices.Clone(stream.Shards)
			for k := range stream.Shards {
				stream.Shards[k].Records = nil
			}
			if fmt.Sprint(have) != fmt.Sprint(stream) {
				t.Errorf("%+v\nwant %+v", have, stream)
			}
		}
	}
	c := client(t, n, keyPair{ID: want.Accounts[0].Account}, want.Accounts[0].Region)
	putSome(t, c, want.Accounts[0].Streams[1].Name, "after the repair")
	again := look(t, n, want)
	for k, shard := range again[0].Streams[1].Shards {
		records := shard.Records
		if !slices.IsSortedFunc(records, func(a, b recordContents) int { return strings.Compare(a.Sequence, b.Sequence) }) {
			t.Errorf("%s: sequence numbers do not grow", shard.ID)
		}
		if before := want.Accounts[0].Streams[1].Shards[k].Records; len(before) > 0 && len(records) > 0 && records[len(records)-1].Data[:5] == "after" &&
			records[len(records)-1].Sequence <= before[len(before)-1].Sequence {
			t.Errorf("%s: a sequence number is given out again", shard.ID)
		}
	}
	return lost
}
