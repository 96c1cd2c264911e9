package scenario

import (
	"strings"
	"testing"
)

// Shows which faults can be run, and that the others are refused by name with what is missing.
func TestParseFault(t *testing.T) {
	for _, row := range []struct{ name, says string }{
		{"", ""}, {"F1", ""}, {"f1", ""}, {"F4", ""}, {"F6", ""}, {"F8", ""}, {"F5", ""}, {"f1+f5", ""},
		{"F2", "delivery"}, {"F3", "functions"}, {"F7", "clock"},
		{"F9", "F1 to F8"}, {"kill", "F1 to F8"}, {"F1+F4", "F1+F5"},
	} {
		fault, err := ParseFault(row.name)
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
