package disklog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// LOST says which positions a repair has given up. A read that comes to one goes on behind it, and the store says so in a PassedOver; every other position
// that is missing stays an error. The file is consulted only where something is missing: a good copy of a segment that is put back counts.
//
//	WEIRLOST 1 9ae0daaf
//	{"intervals":[{"group":3,"member":0,"from":120,"to":124,"when":"2026-11-20T12:00:00Z","why":"…"}]}
//
// The first line has the version and the CRC-32C of everything behind it, in hexadecimal digits.
//
// Versions: 1 is the first. A Weir that does not know the file refuses to read the positions, as it does without it.
const (
	lostName    = "LOST"
	lostNext    = "LOST.next" // what the next one is written to before it is renamed
	lostVersion = 1
)

type lostRow struct {
	Group  uint64    `json:"group"`
	Member uint32    `json:"member"`
	From   int64     `json:"from"`
	To     int64     `json:"to"` // behind the last
	When   time.Time `json:"when"`
	Why    string    `json:"why"`
}

type lostRows []lostRow

// givenUp is what was given up of one log, in order of position. It does not change while the store is open.
type givenUp []lostInterval

type lostInterval struct {
	interval
	why string
}

func (rows lostRows) of(id commitlog.ID) (g givenUp) {
	for _, r := range rows {
		if r.Group == id.Group && r.Member == id.Member {
			g = append(g, lostInterval{interval{r.From, r.To}, fmt.Sprintf("%s (%s)", r.Why, r.When.Format(time.RFC3339))})
		}
	}
	slices.SortFunc(g, func(a, b lostInterval) int { return int(a.from - b.from) })
	return g
}

// behind is how far one may go on from from, up to to, because everything up to there was given up; from when it was not.
func (g givenUp) behind(from, to commitlog.Position) commitlog.Position {
	for _, p := range g {
		if p.from <= from && from < p.to {
			from = p.to
		}
	}
	return min(from, to)
}

// without is what of p is not in g.
func (g givenUp) without(p interval) []interval {
	all := make(intervals, len(g))
	for i := range g {
		all[i] = g[i].interval
	}
	return all.without(p)
}

// intervals are in order of position.
type intervals []interval

func (all intervals) without(p interval) (rest []interval) {
	for _, taken := range all {
		if taken.to <= p.from || taken.from >= p.to {
			continue
		}
		if taken.from > p.from {
			rest = append(rest, interval{p.from, taken.from})
		}
		p.from = taken.to
	}
	if p.from < p.to {
		rest = append(rest, p)
	}
	return rest
}

func encodeLost(rows lostRows) []byte {
	body, err := json.Marshal(struct {
		Intervals lostRows `json:"intervals"`
	}{rows})
	if err != nil {
		panic("disklog: rows that JSON cannot hold: " + err.Error()) // times are within JSON's years
	}
	body = append(body, '\n')
	return append(fmt.Appendf(nil, "WEIRLOST %d %08x\n", lostVersion, crc32.Checksum(body, castagnoli)), body...)
}

// decodeLost is Corrupt for what encodeLost did not write, Unsupported for a newer version.
func decodeLost(b []byte) (lostRows, error) {
	line, body, ok := bytes.Cut(b, []byte("\n"))
	var version int
	var crc uint32
	if n, err := fmt.Sscanf(string(line), "WEIRLOST %d %x", &version, &crc); !ok || err != nil || n != 2 {
		return nil, fault.New(fault.Corrupt, "not a list of lost positions: %d bytes", len(b))
	}
	if version != lostVersion {
		return nil, fault.New(fault.Unsupported, "version %d: this Weir knows version %d", version, lostVersion)
	}
	if crc32.Checksum(body, castagnoli) != crc {
		return nil, fault.New(fault.Corrupt, "the checksum of its %d bytes does not match", len(b))
	}
	var doc struct {
		Intervals lostRows `json:"intervals"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fault.As(fault.Corrupt, err, "read")
	}
	for _, r := range doc.Intervals {
		if r.From < 0 || r.To <= r.From {
			return nil, fault.New(fault.Corrupt, "positions %d to %d", r.From, r.To)
		}
	}
	return doc.Intervals, nil
}

// readLost reads the file; without it nothing was given up.
func (s *Store) readLost() (lostRows, error) {
	b, err := readFile(s.fs, s.path(lostName))
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeLost(b)
}

// loadLost gives every log what was given up of it, during Open. A list that cannot be read is no reason not to start: what it lets pass is an error again.
func (s *Store) loadLost() error {
	rows, err := s.readLost()
	if fault.Is(err, fault.Corrupt) {
		s.options.OnEvent(Lost{File: lostName, Err: err})
		return nil
	}
	if err != nil {
		return fault.Wrap(err, lostName)
	}
	for _, l := range s.logs {
		l.givenUp = rows.of(l.id)
	}
	return nil
}

// pass is where a read that found nothing from from to to goes on: behind what was given up, or at from with the damage.
func (l *log) pass(from, to commitlog.Position) (commitlog.Position, error) {
	if next := l.givenUp.behind(from, to); next > from {
		l.store.options.OnEvent(PassedOver{Log: l.id, From: from, To: next})
		return next, nil
	}
	return from, l.store.damaged(Damage{Log: l.id, From: from, To: to})
}

// replaceFile makes b the content of a file, durably and all or nothing.
func replaceFile(fs vfs.FS, dir, name, temp string, b []byte) error {
	f, err := fs.Create(temp)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.SyncData()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = fs.Rename(temp, name)
	}
	if err == nil {
		err = fs.SyncDir(dir)
	}
	return err
}
