package scenario

import (
	"strings"
	"testing"
)

// Shows which faults are found, and that the others are refused by name with those that there are.
func TestParseFault(t *testing.T) {
	for _, row := range []struct{ name, says string }{
		{"", ""}, {"F1", ""}, {"f1", ""}, {"F4", ""}, {"F6", ""}, {"F8", ""}, {"F5", ""}, {"f1+f5", ""},
		{"F2", "F2 is none of this scenario's, which are F1, F4"}, {"F7", "F1, F4"},
		{"F9", "F9 is none of this scenario's"}, {"F10", "F1 to F9"}, {"kill", "F1 to F9"}, {"F1+F4", "this scenario's"},
	} {
		fault, err := ParseFault(row.name, KillServer, DuplicateDelivery, Reshard, DiskFull, TornJournal, KillDuringReshard)
		switch {
		case row.says == "" && (err != nil || string(fault) != strings.ToUpper(row.name)):
			t.Errorf("%q: %q, %v", row.name, fault, err)
		case row.says != "" && (err == nil || !strings.Contains(err.Error(), row.says)):
			t.Errorf("%q: %v does not say %q", row.name, err, row.says)
		}
		if fault.Deduped() != (fault != "" && fault != Reshard) {
			t.Errorf("%q: deduped %v", row.name, fault.Deduped())
		}
		if fault.Has(Reshard) != (fault == Reshard || fault == KillDuringReshard) || fault.Has(KillServer) != (fault == KillServer || fault == KillDuringReshard) {
			t.Errorf("%q: has a reshard %v, a kill %v", row.name, fault.Has(Reshard), fault.Has(KillServer))
		}
	}
}

// Shows which faults are found together, in which order they come back, and when duplicates are allowed under them.
func TestParseFaults(t *testing.T) {
	for _, row := range []struct {
		names   string
		want    Fault
		deduped bool
		says    string
	}{
		{"", "", false, ""}, {"f5", "F5", false, ""}, {"F9", "F9", false, ""}, {"F9+f5", "F5+F9", false, ""}, {"F5+F1", "F1+F5", true, ""}, {"F1+F1", "F1", true, ""},
		{"F1+F4", "", false, "F4 is none of this scenario's"}, {"F1+", "", false, "before or behind"}, {"+", "", false, "before or behind"}, {"F1+kill", "", false, "F1 to F9"},
	} {
		fault, err := ParseFaults(row.names, KillServer, Reshard, Throttle)
		if fault != row.want || fault.Deduped() != row.deduped || (row.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), row.says) {
			t.Errorf("%q: %q, duplicates allowed %v, %v; want %q, %v, %q", row.names, fault, fault.Deduped(), err, row.want, row.deduped, row.says)
		}
	}
}
