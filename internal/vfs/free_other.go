//go:build !linux && !darwin && !freebsd

package vfs

import "github.com/weir-stream/weir/internal/fault"

func freeOf(string) (free, total int64, err error) {
	return 0, 0, fault.New(fault.Unsupported, "the room of a device is not asked for on this system")
}
