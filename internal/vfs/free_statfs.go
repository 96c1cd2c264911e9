//go:build linux || darwin || freebsd

package vfs

import "syscall"

func freeOf(root string) (free, total int64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(root, &st); err != nil {
		return 0, 0, osFault(err, "room of", root)
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), nil //nolint:unconvert // the types differ between systems
}
