package envelope

import (
	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// Check says what is wrong with a file of master keys, and changes nothing. No file is no error: the keys may be elsewhere.
func Check(fs vfs.FS, file string) error {
	data, err := secretfile.Read(fs, file, mastersBytesMax)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err == nil {
		_, err = decodeMasters(data)
	}
	return err
}
