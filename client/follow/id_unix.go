//go:build unix

package follow

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// fileID is the device and inode of an open file, which stay its own through every rename; empty when the system does not say.
func fileID(file *os.File) string {
	info, err := file.Stat()
	if err != nil {
		return ""
	}
	return infoID(info)
}

// infoID is fileID of what a Stat said.
func infoID(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}
