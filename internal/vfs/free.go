package vfs

import "github.com/weir-stream/weir/internal/fault"

// Free says how much room the device under fs has left for this process, and how much it has in all, in bytes. Unsupported for what is no device, and where the system does not tell.
func Free(fs FS) (free, total int64, err error) {
	if f, ok := fs.(*Faulty); ok {
		return Free(f.fs)
	}
	o, ok := fs.(osFS)
	if !ok {
		return 0, 0, fault.New(fault.Unsupported, "this is no device")
	}
	return freeOf(o.root)
}
