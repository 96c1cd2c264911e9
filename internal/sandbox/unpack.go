package sandbox

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/weir-stream/weir/internal/fault"
)

// UnpackedBytesMax is what a function's code may come to (Lambda quotas, read 2026-11: 250 MB unzipped).
const UnpackedBytesMax = 250 << 20

// filesMax keeps a small archive from filling a directory: more than any package manager leaves.
const filesMax = 100_000

// CheckZip says what is wrong with a function's code before anybody stores it, or nil. Invalid, naming the file.
func CheckZip(code []byte) error {
	_, err := openZip(code)
	return err
}

func openZip(code []byte) (*zip.Reader, error) {
	archive, err := zip.NewReader(bytes.NewReader(code), int64(len(code)))
	if err != nil {
		return nil, fault.As(fault.Invalid, err, "Could not unzip uploaded file. Please check your file, then try to upload again")
	}
	if len(archive.File) > filesMax {
		return nil, fault.New(fault.Invalid, "the code has %d files; at most %d are allowed", len(archive.File), filesMax)
	}
	total := uint64(0)
	for _, file := range archive.File {
		if !filepath.IsLocal(filepath.FromSlash(file.Name)) {
			return nil, fault.New(fault.Invalid, "the code has the file %q, which is outside of it", file.Name)
		}
		if mode := file.Mode(); !mode.IsRegular() && !mode.IsDir() && mode&fs.ModeSymlink == 0 {
			return nil, fault.New(fault.Invalid, "the code has the file %q, which is no file, folder or link", file.Name)
		}
		if total += file.UncompressedSize64; file.UncompressedSize64 > UnpackedBytesMax || total > UnpackedBytesMax {
			return nil, fault.New(fault.Invalid, "Unzipped size must be smaller than %d bytes", UnpackedBytesMax)
		}
	}
	return archive, nil
}

// Unpacked says whether dir holds a function's code.
func Unpacked(dir string) bool {
	_, err := os.Stat(dir)
	return err == nil
}

// Remove takes away what Unpack made. A directory that is not there is no error.
func Remove(dir string) error {
	return fault.As(fault.Unavailable, os.RemoveAll(dir), "remove a function's unpacked code")
}

// Unpack makes dir hold a function's code, all of it or nothing: it is unpacked beside and renamed. A directory that is there already is left as it is. Everyone
// may read it and nobody write, because functions may run as somebody else.
func Unpack(code []byte, dir string) error {
	if Unpacked(dir) {
		return nil
	}
	archive, err := openZip(code)
	if err != nil {
		return err
	}
	beside, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".tmp-")
	if err != nil {
		return fault.As(fault.Unavailable, err, "unpack a function")
	}
	defer func() { _ = os.RemoveAll(beside) }() // what is left after a failure; after success there is nothing
	if err := os.Chmod(beside, 0o755); err != nil {
		return fault.As(fault.Unavailable, err, "unpack a function")
	}
	root, err := os.OpenRoot(beside) // no link of the archive leads out of it
	if err != nil {
		return fault.As(fault.Unavailable, err, "unpack a function")
	}
	defer func() { _ = root.Close() }()
	left := int64(UnpackedBytesMax)
	for _, file := range archive.File {
		if err := unpackFile(root, file, &left); err != nil {
			return fault.Wrap(err, "unpack %s", file.Name)
		}
	}
	if err := os.Rename(beside, dir); err != nil {
		if _, there := os.Stat(dir); there == nil { // somebody else was first
			return nil
		}
		return fault.As(fault.Unavailable, err, "unpack a function")
	}
	return nil
}

// mkdir makes a folder and those above it, open to everyone whatever the server's umask is.
func mkdir(root *os.Root, name string) error {
	if err := root.MkdirAll(name, 0o755); err != nil {
		return fault.As(fault.Invalid, err, "folder")
	}
	for ; name != "."; name = filepath.Dir(name) {
		if err := root.Chmod(name, 0o755); err != nil {
			return fault.As(fault.Invalid, err, "folder")
		}
	}
	return nil
}

func unpackFile(root *os.Root, file *zip.File, left *int64) error {
	name := filepath.FromSlash(strings.TrimSuffix(file.Name, "/"))
	if parent := filepath.Dir(name); parent != "." {
		if err := mkdir(root, parent); err != nil {
			return err
		}
	}
	if file.Mode().IsDir() {
		return mkdir(root, name)
	}
	from, err := file.Open()
	if err != nil {
		return fault.As(fault.Invalid, err, "read")
	}
	defer from.Close()
	if file.Mode()&fs.ModeSymlink != 0 {
		target, err := io.ReadAll(io.LimitReader(from, 4096))
		if err == nil {
			err = root.Symlink(string(target), name)
		}
		return fault.As(fault.Invalid, err, "link")
	}
	mode := fs.FileMode(0o644)
	if file.Mode().Perm()&0o111 != 0 { // whoever may run it there, functions' user may here
		mode = 0o755
	}
	to, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return fault.As(fault.Invalid, err, "create")
	}
	n, err := io.Copy(to, io.LimitReader(from, *left+1)) // headers may lie about sizes
	if err == nil {
		err = to.Chmod(mode) // whatever the server's umask is
	}
	if closeErr := to.Close(); err == nil {
		err = closeErr
	}
	var ours *fs.PathError
	if errors.As(err, &ours) { // a full disk, say: no fault of the archive
		return fault.As(fault.Unavailable, err, "write")
	}
	if err != nil {
		return fault.As(fault.Invalid, err, "read")
	}
	if *left -= n; *left < 0 {
		return fault.New(fault.Invalid, "Unzipped size must be smaller than %d bytes", UnpackedBytesMax)
	}
	return nil
}
