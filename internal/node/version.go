package node

import "runtime/debug"

// Version says what this binary was built from, as weir version does when the build gave it no version: "devel-" and the commit for a
// checkout, with "+changes" when it had some; the module's version for a release that the Go tool fetched; "devel" when nothing is known.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return devel
	}
	return versionOf(info)
}

const (
	devel       = "devel"
	commitChars = 12 // as many as the Go tool puts into a pseudo-version
)

func versionOf(info *debug.BuildInfo) string {
	commit, changes := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(commitChars, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changes = "+changes"
		}
	}
	switch v := info.Main.Version; {
	case commit != "":
		return devel + "-" + commit + changes
	case v != "" && v != "(devel)":
		return v
	}
	return devel
}
