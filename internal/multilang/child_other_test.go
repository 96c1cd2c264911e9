//go:build !linux

package multilang

// daemon is a mode of the child for Linux.
func daemon() {}
