package node_test

import (
	"runtime/debug"
	"testing"

	"github.com/weir-stream/weir/internal/node"
)

// One form for every way to build.
func TestVersionOf(t *testing.T) {
	commit := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123"}
	for _, row := range []struct {
		module   string
		settings []debug.BuildSetting
		want     string
	}{
		{"", nil, "devel"},
		{"(devel)", nil, "devel"},
		{"v1.2.3", nil, "v1.2.3"},
		{"(devel)", []debug.BuildSetting{commit, {Key: "vcs.modified", Value: "false"}}, "devel-0123456789ab"},
		{"v0.0.0-20261118130000-0123456789ab+dirty", []debug.BuildSetting{commit, {Key: "vcs.modified", Value: "true"}}, "devel-0123456789ab+changes"},
		{"", []debug.BuildSetting{{Key: "vcs.revision", Value: "012"}}, "devel-012"},
	} {
		if got := node.VersionOf(&debug.BuildInfo{Main: debug.Module{Version: row.module}, Settings: row.settings}); got != row.want {
			t.Errorf("%q with %v: %q, want %q", row.module, row.settings, got, row.want)
		}
	}
}
