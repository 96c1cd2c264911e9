package auth

import (
	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// Check says what is wrong with the keys in the root of fs, and changes nothing, also not a file of an early version. No file is no error.
func Check(fs vfs.FS) error {
	data, err := secretfile.Read(fs, keysFile, keysBytesMax)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err == nil {
		_, err = decodeKeys(data)
	}
	return err
}
