package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/weir-stream/weir/client/follow"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// A checkpoint file is one line that says what it is, with the CRC-32C of the rest in hexadecimal, and then JSON:
//
//	weir agent checkpoints 1 9ae0daaf
//	{"flows":{"kinesis:orders:/var/log/app/*.log":{"begun":true,"files":{"/var/log/app/a.log":{…}}}}}
//
// It is replaced as a whole: written beside, synced, renamed, and the folder synced. A kill leaves the old one or the new one.
const checkpointHeader = "weir agent checkpoints 1 "

// sqliteHeader begins the file of the Kinesis Agent.
const sqliteHeader = "SQLite format 3\x00"

// Place is how far one file of a flow is.
type Place struct {
	follow.Saved
	// Header is how many lines of the file's header are still to be skipped.
	Header int `json:"header,omitempty"`
	// Ended says that the file's footer was met: what follows in it is left out.
	Ended bool `json:"ended,omitempty"`
	// Updated is when the place was last another one.
	Updated time.Time `json:"updated"`
}

// FlowPlaces are the files of a flow, by the key that their Set gives them.
type FlowPlaces struct {
	// Begun says that the flow looked at its folder once: files that are not in Files have come since, and are read from their start.
	Begun bool             `json:"begun"`
	Files map[string]Place `json:"files"`
}

// Checkpoints is the file in which an agent keeps how far it is. It is safe for concurrent use.
type Checkpoints struct {
	fs   vfs.FS
	name string
	path string // for messages
	lock io.Closer

	mu      sync.Mutex // guards what follows; taken after writing
	flows   map[string]FlowPlaces
	changes int // of flows
	written int // changes that are on disk

	writing sync.Mutex // held while the file is written
}

// OpenCheckpoints opens the file of an agent, or begins one. Another agent that has it open, a file of something else and a damaged one are errors.
func OpenCheckpoints(path string) (*Checkpoints, error) {
	fs, err := vfs.NewOS(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("checkpointFile: %w", err)
	}
	return openCheckpoints(fs, path)
}

func openCheckpoints(fs vfs.FS, path string) (*Checkpoints, error) {
	c := &Checkpoints{fs: fs, name: filepath.Base(path), path: path, flows: map[string]FlowPlaces{}}
	var err error
	if c.lock, err = fs.Lock(c.name + ".lock"); err != nil {
		return nil, fmt.Errorf("checkpointFile %s: another agent is running with it, or it cannot be locked: %w", path, err)
	}
	text, err := vfs.ReadFile(fs, c.name)
	if err == nil {
		c.flows, err = decodeCheckpoints(text)
	} else if fault.KindOf(err) == fault.NotFound {
		err = nil
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("checkpointFile %s: %w", path, err), c.lock.Close())
	}
	return c, nil
}

// notOurs is what to do about a checkpoint file that cannot be used.
const notOurs = "nothing was changed. Repair it or put a backup in its place; or move it away to begin where initialPosition says, which may leave lines out or send them again"

func decodeCheckpoints(text []byte) (map[string]FlowPlaces, error) {
	if bytes.HasPrefix(text, []byte(sqliteHeader)) {
		return nil, fault.New(fault.Unsupported, "it is the SQLite file of the Kinesis Agent, which weir agent neither reads nor overwrites. Name another checkpointFile")
	}
	header, body, found := bytes.Cut(text, []byte("\n"))
	if !found || !bytes.HasPrefix(header, []byte(checkpointHeader)) {
		return nil, fault.New(fault.Corrupt, "it holds no checkpoints of weir agent; %s", notOurs)
	}
	if string(header[len(checkpointHeader):]) != checksum(body) {
		return nil, fault.New(fault.Corrupt, "it is damaged or cut short; %s", notOurs)
	}
	var held struct {
		Flows map[string]FlowPlaces `json:"flows"`
	}
	if err := json.Unmarshal(body, &held); err != nil {
		return nil, fault.New(fault.Corrupt, "it cannot be read: %v; %s", err, notOurs)
	}
	if held.Flows == nil {
		held.Flows = map[string]FlowPlaces{}
	}
	return held.Flows, nil
}

func encodeCheckpoints(flows map[string]FlowPlaces) ([]byte, error) {
	body, err := json.Marshal(map[string]any{"flows": flows})
	if err != nil {
		return nil, err
	}
	body = append(body, '\n')
	return append([]byte(checkpointHeader+checksum(body)+"\n"), body...), nil
}

func checksum(body []byte) string {
	return fmt.Sprintf("%08x", crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

// Flow is what is known of a flow. The zero value is one that was never there.
func (c *Checkpoints) Flow(id string) FlowPlaces {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flows[id]
}

// Save puts the places of a flow in the file, and returns when they are on disk. Flows that save at once share one write. After an error the places are kept
// and go with the next write; what is on disk is older, and still good.
func (c *Checkpoints) Save(id string, places FlowPlaces) error {
	c.mu.Lock()
	c.flows[id] = places
	c.changes++
	mine := c.changes
	c.mu.Unlock()

	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	if c.written >= mine {
		c.mu.Unlock()
		return nil // somebody else's write had it
	}
	text, err := encodeCheckpoints(c.flows)
	reached := c.changes
	c.mu.Unlock()
	if err == nil {
		err = c.replace(text)
	}
	if err != nil {
		return fmt.Errorf("checkpointFile %s: %w", c.path, err)
	}
	c.mu.Lock()
	c.written = reached
	c.mu.Unlock()
	return nil
}

func (c *Checkpoints) replace(text []byte) error {
	beside := c.name + ".new"
	if err := vfs.WriteFile(c.fs, beside, text); err != nil {
		return err
	}
	if err := c.fs.Rename(beside, c.name); err != nil {
		return err
	}
	return c.fs.SyncDir(".")
}

// Close lets another agent have the file.
func (c *Checkpoints) Close() error { return c.lock.Close() }
