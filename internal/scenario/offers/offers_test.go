package offers

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// Shows that a seed gives the same sign-ups, that two in a hundred are from unknown places, that all thirty countries occur, and that keys are unique and
// times ascend.
func TestGenerator(t *testing.T) {
	a, b, c := NewGenerator(7), NewGenerator(7), NewGenerator(8)
	last, differs := "", false
	for range SmokeCount {
		s := a.Next()
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		same, _ := json.Marshal(b.Next())
		other, _ := json.Marshal(c.Next())
		if !bytes.Equal(text, same) {
			t.Fatalf("%s and %s", text, same)
		}
		differs = differs || !bytes.Equal(text, other)
		if at := s.At.Format(timeFormat); at <= last {
			t.Fatalf("%s comes after %s", at, last)
		} else {
			last = at
		}
		if (s.Country == "") != (s.Lat == nil) || (s.Lat == nil) != (s.Lon == nil) {
			t.Errorf("half a place: %s", text)
		}
	}
	o := OracleOf(7, SmokeCount)
	if !differs || len(o.Offers) != SmokeCount || o.Places != 30 || o.Basic != SmokeCount/50 || len(o.Users) != SmokeCount*3/4 {
		t.Errorf("other seed differs %v; %d offers, %d places, %d basic, %d users", differs, len(o.Offers), o.Places, o.Basic, len(o.Users))
	}
}

// texts is the oracle as it would come out.
func texts(o Oracle) [][]byte {
	var all [][]byte
	for _, user := range slices.Sorted(maps.Keys(o.Users)) {
		for _, key := range o.Users[user] {
			text, _ := json.Marshal(o.Offers[key])
			all = append(all, text)
		}
	}
	return all
}

// Shows that the function's table and plans are the oracle's, from the zip file that it is deployed with.
func TestFunctionAgreesWithOracle(t *testing.T) {
	code, err := Zip("/opt/it's/weir", "word")
	if err != nil {
		t.Fatal(err)
	}
	files, err := zip.NewReader(bytes.NewReader(code), int64(len(code)))
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		file, err := files.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if got := read("bootstrap"); got != "#!/bin/sh\nexec '/opt/it'\\''s/weir' 'word'\n" {
		t.Errorf("%q", got)
	}
	table, err := readTable(strings.NewReader(read(tableFile)))
	if err != nil {
		t.Fatal(err)
	}
	f := &enricher{mbps: table}
	o, g := OracleOf(7, SmokeCount), NewGenerator(7)
	for range SmokeCount {
		s := g.Next()
		if got := f.offer(s); got != o.Offers[s.Key()] {
			t.Fatalf("%+v, want %+v", got, o.Offers[s.Key()])
		}
	}
	if _, err := readTable(strings.NewReader("FR,fast\n")); err == nil {
		t.Error("a table without numbers is read")
	}
}

// Shows what each kind of damage is called, and that a batch that was given twice is a difference only without a fault.
func TestCompare(t *testing.T) {
	o := OracleOf(7, 200)
	good := texts(o)
	// Two offers of one user that stand side by side.
	pair := 0
	for userAt(good, pair) != userAt(good, pair+1) {
		pair++
	}
	changed := bytes.Replace(slices.Clone(good[3]), []byte(`"plan":"`), []byte(`"plan":"x`), 1)
	swapped := slices.Concat(good[:pair], [][]byte{good[pair+1], good[pair]}, good[pair+2:])
	for _, row := range []struct {
		name       string
		read, told [][]byte
		deduped    bool
		says       string
	}{
		{"equal", good, good, false, ""},
		{"missing", good[1:], good, true, "1 without an offer"},
		{"untold", good, good[:198], true, "2 of which the app was not told"},
		{"changed", slices.Concat(good[:3], [][]byte{changed}, good[4:]), good, true, "1 other offers"},
		{"twice", slices.Concat(good, good[:5]), good, false, "5 more than once"},
		{"twice, allowed", slices.Concat(good, good[:5]), slices.Concat(good, good[:5]), true, ""},
		{"reordered", swapped, good, true, "before an earlier one"},
		{"reordered at the app", good, swapped, true, "before an earlier one"},
		{"nobody's", slices.Concat(good, texts(OracleOf(8, 1))), good, true, "1 foreign"},
		{"no offer", slices.Concat(good, [][]byte{[]byte("{")}), good, true, "1 foreign: [{]"},
	} {
		d := Compare(o, row.read, row.told, row.deduped)
		lines := strings.Join(d.Lines(), "; ")
		if d.None() != (row.says == "") || !strings.Contains(lines, row.says) {
			t.Errorf("%s: %q, want %q", row.name, lines, row.says)
		}
	}
}

func userAt(texts [][]byte, i int) string {
	var o Offer
	_ = json.Unmarshal(texts[i], &o) // it is our own
	return o.User
}

// Shows that the app refuses so many calls, that a poison sign-up is refused three times, and what the app remembers.
func TestApp(t *testing.T) {
	app := NewApp(2)
	call := func(path, body string) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set(shardHeader, "shardId-000000000002")
		r.Header.Set(arrivedHeader, "2026-04-01T09:00:00.000Z 2026-04-01T09:00:01.500Z")
		app.ServeHTTP(w, r)
		return w.Code
	}
	lines := string(bytes.Join(texts(OracleOf(7, 3)), []byte("\n"))) + "\n"
	var codes []int
	for _, path := range []string{"/offers", "/offers", "/offers", "/offers", "/tried", "/tried", "/tried", "/tried"} {
		codes = append(codes, call(path, map[string]string{"/offers": lines, "/tried": "u@1"}[path]))
	}
	if want := []int{500, 500, 200, 200, 500, 500, 500, 200}; !slices.Equal(codes, want) {
		t.Errorf("%v, want %v", codes, want)
	}
	if all, distinct, refused := app.State(); len(all) != 6 || distinct != 3 || refused != 5 {
		t.Errorf("told %d, of %d, refused %d", len(all), distinct, refused)
	}
	want := Batch{"shardId-000000000002", Start, Start.Add(1500 * time.Millisecond), 3}
	if got := app.Batches(); len(got) != 2 || got[0] != want || got[1] != want {
		t.Errorf("batches %+v", got)
	}
}
