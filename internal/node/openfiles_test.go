package node

import "testing"

// Connections leave a thousand files for the data; where there are few files at all, half of them.
func TestConnectionsFor(t *testing.T) {
	for _, row := range []struct{ files, connections int }{{1_048_576, 1_047_576}, {20_000, 19_000}, {2_000, 1_000}, {1_024, 512}, {256, 128}} {
		if got := connectionsFor(row.files); got != row.connections {
			t.Errorf("%d files: %d connections, want %d", row.files, got, row.connections)
		}
	}
}
