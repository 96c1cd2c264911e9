package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// start runs a daemon as an operator does.
func (p *proof) start(name string) error {
	log, err := os.OpenFile(filepath.Join(p.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.weir, "multilang", filepath.Join(p.dir, "properties"))
	cmd.Env = append(append(os.Environ(), "AWS_ACCESS_KEY_ID="+account, "AWS_SECRET_ACCESS_KEY=any", "AWS_EC2_METADATA_DISABLED=true", "RECORDS="+p.records()), p.environment...)
	cmd.Stdout, cmd.Stderr = log, log
	if p.daemons == nil {
		p.daemons = map[string]*exec.Cmd{}
	}
	p.daemons[name] = cmd
	return cmd.Start()
}

// wait waits for a daemon's end, and tells its exit code; -1 if it was killed.
func (p *proof) wait(name string) int {
	cmd := p.daemons[name]
	delete(p.daemons, name)
	_ = cmd.Wait() // the code says it
	return cmd.ProcessState.ExitCode()
}

func (p *proof) records() string { return filepath.Join(p.dir, "records") }

// lines is what processors have written: shard, what, and more.
func (p *proof) lines() ([][]string, error) {
	text, err := os.ReadFile(p.records())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all [][]string
	for line := range strings.Lines(string(text)) {
		if strings.HasSuffix(line, "\n") {
			all = append(all, strings.Fields(line))
		}
	}
	return all, nil
}

// seen says whether every record has been seen, and how many came again. The first time, those of a key must come in their order.
func (p *proof) seen() (all bool, again int, err error) {
	lines, err := p.lines()
	if err != nil {
		return false, 0, err
	}
	next := map[string]int{}
	for _, line := range lines {
		if line[1] != "record" {
			continue
		}
		number, err := strconv.Atoi(line[3])
		switch {
		case err != nil:
			return false, 0, err
		case number > next[line[2]]:
			return false, 0, fmt.Errorf("%v comes before number %d", line, next[line[2]])
		case number < next[line[2]]:
			again++
		default:
			next[line[2]]++
		}
	}
	return maps.Equal(next, p.next), again, nil
}

func (p *proof) says(shard, what string) (bool, error) {
	lines, err := p.lines()
	return slices.ContainsFunc(lines, func(line []string) bool { return line[0] == shard && line[1] == what }), err
}

// processors are those that have begun and run.
func (p *proof) processors() ([]int, error) {
	lines, err := p.lines()
	var all []int
	for _, line := range lines {
		if line[1] != "begins" {
			continue
		}
		pid, err := strconv.Atoi(line[2])
		if err != nil {
			return nil, err
		}
		if running(pid) {
			all = append(all, pid)
		}
	}
	return all, err
}

// stat is the fields of a process behind its name: its state, its parent and more. Empty if there is none.
func stat(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

func running(pid int) bool {
	fields := stat(pid)
	return len(fields) > 0 && fields[0] != "Z"
}

func parent(pid int) int {
	fields := stat(pid)
	if len(fields) < 2 {
		return 0
	}
	id, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return id
}

// logs is the end of what daemons said.
func (p *proof) logs() string {
	var all strings.Builder
	files, err := filepath.Glob(filepath.Join(p.dir, "*.log"))
	if err != nil {
		return err.Error()
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err.Error()
		}
		fmt.Fprintf(&all, "%s:\n%s\n", filepath.Base(file), text[max(0, len(text)-4000):])
	}
	return all.String()
}
