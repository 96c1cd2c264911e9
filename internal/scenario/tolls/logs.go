package tolls

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Logs are the files that the stations write: those with even numbers to plaza-east.log, which is rotated by rename, those
// with odd numbers to plaza-west.log, which is copied and truncated. Rotated files are name.1, name.2 …, the higher the
// older, and none is ever removed, so that a test can count them again. Used by one goroutine at a time.
type Logs struct {
	dir         string
	rotateBytes int64
	logs        [2]*logFile
	// Rotations counts what was rotated since OpenLogs.
	Rotations int
}

type logFile struct {
	path    string
	byCopy  bool
	file    *os.File
	out     *bufio.Writer
	size    int64
	rotated int // name.1 to name.rotated exist
}

// LogPaths are the names in dir that a reader follows.
func LogPaths(dir string) []string {
	return []string{filepath.Join(dir, "plaza-east.log"), filepath.Join(dir, "plaza-west.log")}
}

// OpenLogs opens the files in dir, which is made if absent. What a killed writer left half done is put right: a line
// without its end is cut off, and a copy whose original was not truncated is removed.
func OpenLogs(dir string, rotateBytes int64) (*Logs, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	l := &Logs{dir: dir, rotateBytes: rotateBytes}
	for i, path := range LogPaths(dir) {
		log := &logFile{path: path, byCopy: i == 1}
		if err := log.open(); err != nil {
			return nil, errors.Join(err, l.Close())
		}
		l.logs[i] = log
	}
	return l, nil
}

// Write adds a line to the file of its station, and rotates the file when it is full. The line is with the operating
// system after Flush.
func (l *Logs) Write(line Line) error {
	log := l.logs[line.Station%2]
	if _, err := log.out.Write(append(line.Text, '\n')); err != nil {
		return err
	}
	if log.size += int64(len(line.Text)) + 1; log.size < l.rotateBytes {
		return nil
	}
	l.Rotations++
	return log.rotate()
}

// Flush hands everything written to the operating system.
func (l *Logs) Flush() error {
	return errors.Join(l.logs[0].out.Flush(), l.logs[1].out.Flush())
}

// Close flushes and closes the files.
func (l *Logs) Close() error {
	var all error
	for _, log := range l.logs {
		if log != nil {
			all = errors.Join(all, log.out.Flush(), log.file.Close())
		}
	}
	return all
}

// Count gives how many lines each of the two files holds, its rotated ones included, for a writer that goes on.
func (l *Logs) Count() (perFile [2]int, err error) {
	if err := l.Flush(); err != nil {
		return perFile, err
	}
	for i, log := range l.logs {
		for n := log.rotated; n >= 0; n-- {
			lines, err := countLines(log.rotatedName(n))
			if err != nil {
				return perFile, err
			}
			perFile[i] += lines
		}
	}
	return perFile, nil
}

// open opens the live file for appending.
func (l *logFile) open() error {
	for l.rotated = 0; exists(l.rotatedName(l.rotated + 1)); l.rotated++ {
	}
	file, err := os.OpenFile(l.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	l.file, l.out = file, bufio.NewWriterSize(file, 64<<10)
	text, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	l.size = int64(bytes.LastIndexByte(text, '\n') + 1)
	if err := file.Truncate(l.size); err != nil {
		return err
	}
	if l.rotated == 0 || !l.byCopy || l.size == 0 {
		return nil
	}
	newest, err := os.ReadFile(l.rotatedName(1))
	if err != nil || !bytes.HasPrefix(text, newest) {
		return err
	}
	// Killed between the copy and the truncation. Files keep their numbers without a gap.
	for n := 1; n < l.rotated; n++ {
		if err := os.Rename(l.rotatedName(n+1), l.rotatedName(n)); err != nil {
			return err
		}
	}
	if l.rotated == 1 {
		if err := os.Remove(l.rotatedName(1)); err != nil {
			return err
		}
	}
	l.rotated--
	return nil
}

// rotatedName is path.n, or path itself for nought.
func (l *logFile) rotatedName(n int) string {
	if n == 0 {
		return l.path
	}
	return fmt.Sprintf("%s.%d", l.path, n)
}

func (l *logFile) rotate() error {
	if err := l.out.Flush(); err != nil {
		return err
	}
	for n := l.rotated; n >= 1; n-- {
		if err := os.Rename(l.rotatedName(n), l.rotatedName(n+1)); err != nil {
			return err
		}
	}
	l.rotated++
	l.size = 0
	if l.byCopy {
		text, err := os.ReadFile(l.path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(l.rotatedName(1), text, 0o666); err != nil {
			return err
		}
		return l.file.Truncate(0)
	}
	if err := l.file.Close(); err != nil {
		return err
	}
	if err := os.Rename(l.path, l.rotatedName(1)); err != nil {
		return err
	}
	file, err := os.OpenFile(l.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	l.file = file
	l.out.Reset(file)
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func countLines(path string) (int, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	lines := 0
	buf := make([]byte, 64<<10)
	for {
		n, err := file.Read(buf)
		lines += bytes.Count(buf[:n], []byte{'\n'})
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return 0, err
		}
	}
}
