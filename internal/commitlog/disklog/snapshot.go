package disklog

import (
	"path"
	"slices"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// A pin is a second directory with the same files under second names: what the store held at one moment, for as long as somebody needs it. A pin costs no copying, no
// pause, and room only for what the store itself would have deleted meanwhile.
//
// Why it is one moment: the manifest on the disk and the journal files from its first one on are, at any time, what Open would begin with, and structure is held, so that
// nothing replaces the manifest or deletes a file while they are linked. Everything acknowledged is in those files. The youngest of them goes on being written, at its end:
// who reads it later finds what a crash at that moment would have left, which is a beginning of what was appended, in order, without a gap.
//
// Ending the youngest file first was dropped: on a device that is nearly full there is no room for the next one, and a backup would be what stops the puts.

// Pin gives everything that was acknowledged before it began, and perhaps a little more, a second name in the directory to, which exists and is empty. What is
// there is a directory of logs that Examine reads and Open opens, from a copy. It need not survive a crash, and is not made to.
//
// Unsupported where the file system has no links.
func (s *Store) Pin(to string) error {
	s.structure.Lock()
	defer s.structure.Unlock()
	if s.stopped.Load() {
		return errClosed()
	}
	s.mu.Lock()
	journals, segments := slices.Clone(s.journals), s.segments
	s.mu.Unlock()
	link := func(name string) error {
		return fault.Wrap(s.fs.Link(s.path(name), path.Join(to, name)), "pin")
	}
	if err := link(manifestName); err != nil {
		return err
	}
	if err := link(lostName); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	for _, seg := range segments {
		if err := link(seg.name()); err != nil && !(seg.lost && fault.Is(err, fault.NotFound)) {
			return err
		}
	}
	for _, j := range journals {
		if err := link(journalName(j.number)); err != nil {
			return err
		}
	}
	return nil
}

// Files are the names in a directory of logs that a copy of it needs: the manifest first, then what it names. Nobody may write to the directory meanwhile: the caller
// holds its lock, or it is a pin.
//
// Corrupt when the manifest is damaged, NotFound when there is none.
func Files(fs vfs.FS, dir string) ([]string, error) {
	s := &Store{options: Options{FS: fs, Dir: dir}, fs: fs}
	m, err := s.readManifest()
	if err != nil {
		return nil, fault.Wrap(err, manifestName)
	}
	found, err := s.listFiles()
	if err != nil {
		return nil, err
	}
	names := []string{manifestName}
	if _, err := fs.Stat(s.path(lostName)); err == nil {
		names = append(names, lostName)
	}
	for _, ref := range m.segments {
		names = append(names, segmentName(ref.number))
	}
	for _, number := range found.journals {
		if number >= m.journalFrom {
			names = append(names, journalName(number))
		}
	}
	return names, nil
}

// Lock takes the lock of a directory of logs, so that no server starts there. Conflict when one runs.
func Lock(fs vfs.FS, dir string) (unlock func(), err error) {
	l, err := fs.Lock(path.Join(dir, lockName))
	if err != nil {
		return nil, fault.Wrap(err, "data directory %s", dir)
	}
	return func() { _ = l.Close() }, nil
}
