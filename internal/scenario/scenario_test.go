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
		{"F9", "F1 to F8"}, {"kill", "F1 to F8"}, {"F1+F4", "this scenario's"},
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
