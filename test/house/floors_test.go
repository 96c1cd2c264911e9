package house

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floor is how far a package stands from the ground. Imports go to the same floor or below.
type floor int

const (
	ground  floor = iota // plain values and seams
	log                  // remember
	control              // decide what exists
	streams              // give records a place, and hand them out
	tools                // what the engines work with
	engines              // do work on records
	edge                 // speak AWS to the outside
	roof                 // introduces everybody
	outside              // commands, tests, generators: nobody imports them
	public               // libraries for other people's programs: ground only
)

var floorNames = [...]string{"ground", "log", "control", "streams", "tools", "engines", "edge", "roof", "outside", "public"}

func (f floor) String() string { return floorNames[f] }

// floors gives every folder its floor; the longest prefix wins. A new package is a new line here,
// and where it stands is decided by what it must not know.
var floors = []struct {
	dir   string
	floor floor
}{
	{"internal/fault", ground},
	{"internal/clock", ground},
	{"internal/datadir", ground},
	{"internal/vfs", ground},
	{"internal/arn", ground},
	{"internal/quota", ground},
	{"internal/telemetry", ground},
	{"internal/record", ground},
	{"internal/ordered", ground},
	{"internal/rows", ground},
	{"internal/wire", ground},
	{"internal/auth/secretfile", ground},
	{"internal/envelope", ground},

	{"internal/commitlog", log},
	{"internal/kv", log},
	{"internal/blob", log},
	{"internal/blob/store", engines},

	{"internal/fold", control},
	{"internal/catalog", control},
	{"internal/controller", control},

	{"internal/streams", streams},
	{"internal/readers", streams},

	{"internal/eventpattern", tools},
	{"internal/format", tools},
	{"internal/sink", tools},
	{"internal/sql", tools},
	{"internal/sandbox", tools},

	{"internal/delivery", engines},
	{"internal/analytics", engines},
	{"internal/functions", engines},
	{"internal/tables", engines},
	{"internal/topics", engines},
	{"internal/queues", engines},
	{"internal/metrics", engines},
	{"internal/logs", engines},
	{"internal/events", engines},
	{"internal/datacatalog", engines},
	{"internal/warehouse", engines},

	{"internal/audit", edge},
	{"internal/auth", edge},
	{"internal/api", edge},
	{"internal/edge", edge},
	{"internal/console", edge},

	{"internal/node", roof},
	{"internal/beside", roof},
	{"internal/doctor", roof},
	{"internal/backup", roof},
	{"internal/scenario", roof},
	{"internal/agent", roof},
	{"internal/multilang", roof},
	{"internal/deploy", roof},

	{"cmd", outside},
	{"tools", outside},
	{"test", outside},
	{"examples", outside},

	{"client", public},
	{"producer", public},
	{"consumer", public},
}

// floorOf is the floor of a folder, and the line of the table that says so.
func floorOf(dir string) (at floor, line string, ok bool) {
	for _, f := range floors {
		if (dir == f.dir || strings.HasPrefix(dir, f.dir+"/")) && len(f.dir) > len(line) {
			at, line, ok = f.floor, f.dir, true
		}
	}
	return at, line, ok
}

// mayImport is the whole rule, with the reason when the answer is no.
func mayImport(from, to string) (reason string, ok bool) {
	fromFloor, fromLine, known := floorOf(from)
	if !known {
		return "the importing package has no floor: add it to floors in test/house/floors_test.go", false
	}
	toFloor, toLine, known := floorOf(to)
	if !known {
		return "the imported package has no floor: add it to floors in test/house/floors_test.go", false
	}
	switch {
	case fromLine == toLine:
		return "", true
	case toFloor == outside:
		return "commands, tests and generators are nobody's library", false
	case fromFloor == outside:
		return "", true
	case fromFloor == public && toFloor != ground && toFloor != public:
		return "a public library must not bring the server along", false
	case fromFloor != public && toFloor == public && fromFloor < roof:
		return "the server does not stand on its own client", false
	case fromFloor == engines && toFloor == engines:
		return "engines meet in node, through an interface that the caller wrote", false
	case toFloor != public && fromFloor != public && toFloor > fromFloor:
		return "imports point down: " + fromFloor.String() + " may not know " + toFloor.String(), false
	}
	return "", true
}

// TestMayImport shows the rule itself, row by row, so that a change to it is a decision.
func TestMayImport(t *testing.T) {
	for _, row := range []struct {
		from, to string
		ok       bool
	}{
		{"internal/streams", "internal/commitlog", true},
		{"internal/commitlog/disklog", "internal/commitlog", true},
		{"internal/commitlog", "internal/commitlog/segment", true},
		{"internal/commitlog", "internal/streams", false},
		{"internal/fault", "internal/commitlog", false},
		{"internal/delivery", "internal/functions", false},
		{"internal/delivery", "internal/sink/s3", true},
		{"internal/api/kinesis", "internal/streams", true},
		{"internal/streams", "internal/api/kinesis", false},
		{"internal/catalog", "internal/node", false},
		{"internal/node", "internal/api/kinesis", true},
		{"internal/node", "cmd/weir", false},
		{"client", "internal/streams", false},
		{"client", "internal/record", true},
		{"producer", "client", true},
		{"internal/streams", "client", false},
		{"cmd/weir", "client", true},
		{"test/aws", "internal/node", true},
		{"internal/surprise", "internal/fault", false},
	} {
		if reason, ok := mayImport(row.from, row.to); ok != row.ok {
			t.Errorf("mayImport(%s, %s) = %v (%s), want %v", row.from, row.to, ok, reason, row.ok)
		}
	}
}

// TestImportsPointDown holds every import of a non-test file against the floors. Tests may look
// anywhere but into commands: a test of streams may well start a disklog.
func TestImportsPointDown(t *testing.T) {
	loaded := theTree(t)
	for _, p := range loaded.packages {
		if _, _, known := floorOf(p.dir); !known {
			t.Errorf("%s has no floor: add it to floors in test/house/floors_test.go", p.dir)
			continue
		}
		for _, f := range p.files {
			if f.test {
				continue
			}
			for _, imported := range ourImports(f.syntax) {
				if reason, ok := mayImport(p.dir, imported); !ok {
					t.Errorf("%s imports %s: %s", f.path, imported, reason)
				}
			}
		}
	}
}

// TestTableOfFloorsIsOneLineEach finds a folder that was given two floors.
func TestTableOfFloorsIsOneLineEach(t *testing.T) {
	var seen []string
	for _, f := range floors {
		if slices.Contains(seen, f.dir) {
			t.Errorf("floors names %s twice", f.dir)
		}
		seen = append(seen, f.dir)
	}
}

// ourImports is the imports of a file that stand in this module, as folders.
func ourImports(syntax *ast.File) []string {
	var dirs []string
	for _, spec := range syntax.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser accepted it, so this cannot be
		}
		if dir, ok := strings.CutPrefix(name, module+"/"); ok {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}
