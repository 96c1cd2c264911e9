package objects

import (
	"strings"
	"testing"
)

// A step is as AWS says, or exactly as the list of differences says; a difference that is none any more is told, and so is one of which no step is left.
func TestDifferencesCannotRot(t *testing.T) {
	for _, row := range []struct {
		name         string
		known        string // a step of the list; empty for none
		answers, got string
		complaint    string // empty for none
	}{
		{"as AWS", "", "", "done", ""},
		{"otherwise, and not in the list", "", "", "404", "got 404, want done"},
		{"otherwise, as in the list", "get 1: type", "404", "404", ""},
		{"otherwise, as in the list for several", "get …: type", "404", "404", ""},
		{"otherwise than both", "get …: type", "404", "500", "the list of differences says 404, and AWS done"},
		{"as AWS, though in the list", "get 1: type", "404", "done", "got done; the list of differences says 404"},
		{"the list has another step", "get", "404", "done", "get: is in the list of differences, and no such step differs"},
		{"the list says what AWS says", "get 1: type", "done", "done", "no such step differs"},
	} {
		var differs []Difference
		if row.known != "" {
			differs = []Difference{{"Get", map[string]string{row.known: row.answers}, "does it its way", "API_Get"}}
		}
		script := Script{"Get", func(s *session) { s.sees("get 1: type", row.got, "done") }}
		complaints := strings.Join(script.follow(&session{seen: map[string]bool{}}, differs), "; ")
		if row.complaint == "" && complaints != "" || !strings.Contains(complaints, row.complaint) {
			t.Errorf("%s: %q, want %q", row.name, complaints, row.complaint)
		}
	}
}

// The lists name scripts that there are, and every script has a name of its own.
func TestListsNameScripts(t *testing.T) {
	names := map[string]bool{}
	for _, script := range All {
		if names[script.Name] {
			t.Errorf("two scripts are %s", script.Name)
		}
		names[script.Name] = true
	}
	for _, list := range [][]Difference{Gofakes3, Versitygw} {
		for _, d := range list {
			if !names[d.Script] || len(d.Answers) == 0 || d.Does == "" || d.Page == "" {
				t.Errorf("%+v", d)
			}
		}
	}
}
