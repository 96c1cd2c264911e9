package envelope

import (
	"fmt"

	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// Check says which versions of master keys a file has, as NAME:VERSION, or what is wrong with it, and changes nothing. No file has none, and is no error: the keys may be elsewhere.
func Check(fs vfs.FS, file string) (versions []string, err error) {
	data, err := secretfile.Read(fs, file, mastersBytesMax)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := decodeMasters(data)
	if err != nil {
		return nil, err
	}
	for i := range m.Masters {
		for _, v := range m.Masters[i].Versions {
			versions = append(versions, fmt.Sprintf("%s:%d", m.Masters[i].Name, v.Version))
		}
	}
	return versions, nil
}
