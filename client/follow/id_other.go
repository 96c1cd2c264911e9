//go:build !unix

package follow

import (
	"io/fs"
	"os"
)

// fileID is empty: files are known by their contents alone.
func fileID(*os.File) string { return "" }

// infoID is empty too.
func infoID(fs.FileInfo) string { return "" }
