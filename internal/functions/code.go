package functions

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"path"
	"strings"
	"sync"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/sandbox"
	"github.com/weir-stream/weir/internal/vfs"
)

// codes is the store of functions' code: zip files named by the SHA-256 of their bytes, in a directory of their own. Equal codes are one file.
//
//	functions/code/<64 hexadecimal digits>.zip     whole and synced before a command names it
//	functions/code/<64 hexadecimal digits>.tmp     being written, or left by a crash: taken away at the next start
type codes struct {
	fs  vfs.FS
	dir string

	mu   sync.Mutex     // guards held; also held while files are swept, so that none goes that somebody has begun to name
	held map[string]int // codes that a command under way names, by SHA-256
}

// Code sizes (Lambda quotas, read 2026-11: 50 MB zipped through the API; 250 MB unzipped is sandbox's; 75 GB for all of an account in a region).
const (
	ZipBytesMax      = 50 << 20
	CodeBytesMax     = 75 << 30
	UnzippedBytesMax = sandbox.UnpackedBytesMax
)

func openCodes(fs vfs.FS, dir string) (*codes, error) {
	if err := fs.MkdirAll(dir); err != nil {
		return nil, err
	}
	for at := dir; at != "."; { // nothing in a directory is durable while its own name is not
		at = path.Dir(at)
		if err := fs.SyncDir(at); err != nil {
			return nil, err
		}
	}
	return &codes{fs: fs, dir: dir, held: map[string]int{}}, nil
}

func (c *codes) name(sha256 string) string { return path.Join(c.dir, sha256+".zip") }

// put makes code durable and keeps it from being swept until release. Invalid when it is no zip file that can be unpacked.
func (c *codes) put(zip []byte) (code Code, release func(), err error) {
	if err := sandbox.CheckZip(zip); err != nil {
		return Code{}, nil, err
	}
	sum := sha256.Sum256(zip)
	code = Code{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(zip))}
	c.hold(code.SHA256, 1)
	release = func() { c.hold(code.SHA256, -1) }
	if err := c.write(code.SHA256, zip); err != nil {
		release()
		return Code{}, nil, fault.Wrap(err, "keep the code of a function")
	}
	return code, release, nil
}

func (c *codes) hold(sha256 string, by int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[sha256] += by; c.held[sha256] == 0 {
		delete(c.held, sha256)
	}
}

func (c *codes) write(sha256 string, zip []byte) error {
	c.mu.Lock() // two who bring the same code at once write one file
	defer c.mu.Unlock()
	final := c.name(sha256)
	if info, err := c.fs.Stat(final); err == nil && info.Size() == int64(len(zip)) {
		return c.fs.SyncDir(c.dir) // whoever wrote it may not have come that far
	}
	beside := strings.TrimSuffix(final, ".zip") + ".tmp"
	f, err := c.fs.Create(beside)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(zip, 0); err == nil {
		err = f.SyncData()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = c.fs.Rename(beside, final)
	}
	if err == nil {
		err = c.fs.SyncDir(c.dir)
	}
	return err
}

// get reads a code and holds it against its name. Corrupt when the file is not what was written, NotFound when it is gone.
func (c *codes) get(sha string) ([]byte, error) { return readCode(c.fs, c.name(sha), sha) }

// CheckCode reads the file of a code, whose name says its sum, for those who look at a directory without a server. Corrupt when it is not what was written.
func CheckCode(fs vfs.FS, file string) error {
	_, err := readCode(fs, file, strings.TrimSuffix(path.Base(file), ".zip"))
	return err
}

func readCode(fs vfs.FS, file, sha string) ([]byte, error) {
	f, err := fs.Open(file)
	if err != nil {
		return nil, fault.Wrap(err, "code %s", sha)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, fault.Wrap(err, "code %s", sha)
	}
	zip := make([]byte, size)
	if _, err := f.ReadAt(zip, 0); err != nil {
		return nil, fault.Wrap(err, "code %s", sha)
	}
	if sum := sha256.Sum256(zip); hex.EncodeToString(sum[:]) != sha {
		return nil, fault.New(fault.Corrupt, "the code %s is not what was written", file)
	}
	return zip, nil
}

// sweep takes away what no function uses, and nobody is about to.
func (c *codes) sweep(used func(sha256 string) bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	names, err := c.fs.List(c.dir)
	if err != nil {
		return err
	}
	swept := false
	for _, name := range names {
		sha, _, _ := strings.Cut(name, ".")
		if strings.HasSuffix(name, ".zip") && (c.held[sha] > 0 || used(sha)) {
			continue
		}
		if err := c.fs.Remove(path.Join(c.dir, name)); err != nil {
			return err
		}
		swept = true
	}
	if swept {
		return c.fs.SyncDir(c.dir)
	}
	return nil
}

// base64Of is a SHA-256 as Lambda writes it.
func base64Of(sha256 string) string {
	sum, err := hex.DecodeString(sha256)
	if err != nil {
		return sha256
	}
	return base64.StdEncoding.EncodeToString(sum)
}

// Base64 is the code's digest as Lambda writes it, in base64.
func (c Code) Base64() string { return base64Of(c.SHA256) }

// HexOf is a digest that Lambda writes in base64 as Code has it; what is no digest stays as it is and is equal to none.
func HexOf(base64Text string) string {
	sum, err := base64.StdEncoding.DecodeString(base64Text)
	if err != nil || len(sum) != sha256.Size {
		return base64Text
	}
	return hex.EncodeToString(sum)
}

// Object reads code from an object, as Objects says. Unsupported when this server has no objects.
func (f *Functions) Object(ctx context.Context, account, bucket, key, version string) ([]byte, error) {
	if f.options.Objects == nil {
		return nil, fault.New(fault.Unsupported, "Code from objects (S3Bucket, S3Key) is not supported by this server: send it as ZipFile.")
	}
	zip, err := f.options.Objects.Object(ctx, account, bucket, key, version)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.New(fault.Invalid, "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.")
	}
	return zip, err
}

// Objects is where code may come from beside the request itself.
type Objects interface {
	// Object reads a whole object of the caller's account: NotFound when it is not there, Denied when it may not be read. version is empty for the newest.
	Object(ctx context.Context, account, bucket, key, version string) ([]byte, error)
}

// Keep makes code durable before a command names it, and keeps it until release. Invalid when it is no zip file that can be unpacked.
func (f *Functions) Keep(zip []byte) (code Code, release func(), err error) { return f.codes.put(zip) }
