package disklog

import (
	"path"
	"slices"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// A pin is a second directory with the same files under second names: what the store held at one moment, for as long as somebody needs it. The files are those that
// nothing writes to any more. So a pin costs no copying, and room only for what the store itself would have deleted meanwhile.
//
// Why it is one moment: the manifest on the disk and the journal files from its first one on are, at any time, what Open would begin with. Pin ends the journal file
// that is being written and takes all before it. Nothing replaces the manifest or deletes a file meanwhile, since structure is held.

// Pin gives everything that was acknowledged before it began, and perhaps a little more, a second name in the directory to, which exists and is empty. What is
// there is a directory of logs that Examine reads and Open opens, from a copy. It need not survive a crash, and is not made to.
//
// Unsupported where the file system has no links.
func (s *Store) Pin(to string) error {
	s.structure.Lock()
	defer s.structure.Unlock()
	if err := s.ask(true); err != nil {
		return fault.Wrap(err, "pin")
	}
	s.mu.Lock()
	journals, segments := slices.Clone(s.journals), s.segments
	s.mu.Unlock()
	link := func(name string) error { return s.fs.Link(s.path(name), path.Join(to, name)) }
	if err := link(manifestName); err != nil {
		return fault.Wrap(err, "pin")
	}
	if err := link(lostName); err != nil && !fault.Is(err, fault.NotFound) {
		return fault.Wrap(err, "pin")
	}
	for _, seg := range segments {
		if err := link(seg.name()); err != nil && !(seg.lost && fault.Is(err, fault.NotFound)) {
			return fault.Wrap(err, "pin")
		}
	}
	youngest := journals[len(journals)-1]
	for _, j := range journals[:len(journals)-1] {
		if err := link(journalName(j.number)); err != nil {
			return fault.Wrap(err, "pin")
		}
	}
	// Of the youngest, which is being written, the header: the manifest may say that it exists, and it bounds the one before it.
	return fault.Wrap(copyHead(s.fs, s.path(journalName(youngest.number)), path.Join(to, journalName(youngest.number))), "pin")
}

func copyHead(fs vfs.FS, from, to string) error {
	f, err := fs.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, journalHeaderSize)
	if err := readFull(f, head, 0); err != nil {
		return err
	}
	out, err := fs.Create(to)
	if err != nil {
		return err
	}
	_, err = out.WriteAt(head, 0)
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	return err
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
