// Command interop shows that clients that others make work unmodified: it builds weir, starts
// weir dev on free ports, and lets the AWS CLI, boto3, the JavaScript SDK v3 and the Java SDK v2 put,
// get and list against it, reshard streams, and read through it: by GetRecords, and by SubscribeToShard,
// which the last two do over HTTP/2. The Kinesis Client Library subscribes too, and runs whole, with
// leases and metrics, in versions 3 and 2, while workers of it are killed; the Kinesis Producer Library
// puts what it reads. Its daemon for other languages, Apache Flink and Spark Streaming are killed in the
// middle too. Last, versitygw is held to the scripts of S3 that Weir is held to in test/aws.
//
//	go run ./test/interop                             # everything
//	go run ./test/interop -only python                # one language
//	go run ./test/interop -o docs/compatibility.md    # writes the page about what ran
//
// It needs python3, node with npm, a JDK 17 with Maven, and Debian's apt-get, which brings the AWS CLI 2;
// what these need it installs, from their package registries, into .cache/interop. Checks live in the scripts of each language's folder, one
// line of output each: "ok NAME" or "not ok NAME: why"; lines with a # say what was counted. A line
// with a = is a row of docs/compatibility.md: page.go says how it reads.
//
// Read main, then languages.go, then page.go.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	only := flag.String("only", "", "languages to run, separated by commas; empty is all: "+strings.Join(languageNames(), ","))
	endpoints := flag.String("against", "", "HTTP,HTTPS,CA of a server that runs already; empty builds and starts one")
	page := flag.String("o", "", "file to write the page to when everything that ran has passed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	passed, failed, rows, err := run(ctx, *only, *endpoints)
	if err == nil && failed == 0 && *page != "" {
		err = writeRan(*page, *only, rows)
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
	}
	if err != nil || failed > 0 || passed == 0 {
		stop()
		os.Exit(1)
	}
}

// run installs, starts, checks and stops. It goes on after a failed check, not after a broken part.
func run(ctx context.Context, only, endpoints string) (passed, failed int, rows []row, err error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return 0, 0, nil, err
	}
	place := place{root: root, source: filepath.Join(root, "test", "interop"), cache: filepath.Join(root, ".cache", "interop")}
	wanted, err := choose(only)
	if err != nil {
		return 0, 0, nil, err
	}
	var at target
	if endpoints != "" {
		if at, err = parseTarget(endpoints); err != nil {
			return 0, 0, nil, err
		}
	} else {
		server, err := startServer(ctx, place)
		if err != nil {
			return 0, 0, nil, err
		}
		defer func() {
			if failed > 0 { // before its log is removed with everything else
				fmt.Fprintf(os.Stderr, "the server said:\n%s", server.log())
			}
			err = errors.Join(err, server.stop())
		}()
		at = server.target
	}
	if at.function, err = buildFunction(ctx, place); err != nil {
		return 0, 0, nil, err
	}
	for _, language := range wanted {
		began := time.Now()
		if err := language.install(ctx, place); err != nil {
			return passed, failed, rows, fmt.Errorf("install for %s: %w", language.name, err)
		}
		fmt.Printf("== %s (installed in %s)\n", language.name, time.Since(began).Round(time.Second))
		began = time.Now()
		var proved []row
		for _, script := range language.scripts(place) {
			good, bad, told, err := check(ctx, script, at)
			passed, failed, proved = passed+good, failed+bad, append(proved, told...)
			if err != nil {
				fmt.Printf("not ok %s: %v\n", language.name, err)
				failed++
			}
		}
		if err := language.accounts(proved); err != nil {
			fmt.Printf("not ok %s: %v\n", language.name, err)
			failed++
		}
		fmt.Printf("== %s ran for %s\n", language.name, time.Since(began).Round(time.Second))
		rows = append(rows, proved...)
	}
	return passed, failed, rows, nil
}

// writeRan writes the page about the languages that -only named.
func writeRan(page, only string, rows []row) error {
	ran, err := choose(only)
	if err != nil {
		return err
	}
	return writePage(page, ran, rows)
}

// choose is the languages named by -only.
func choose(only string) ([]language, error) {
	if only == "" {
		return languages, nil
	}
	names := strings.Split(only, ",")
	var wanted []language
	for _, one := range languages {
		if slices.Contains(names, one.name) {
			wanted = append(wanted, one)
		}
	}
	if len(wanted) != len(names) {
		return nil, fmt.Errorf("-only %s: there are %s", only, strings.Join(languageNames(), ", "))
	}
	return wanted, nil
}

// scriptTimeout is long for a cold JVM on a busy machine; a script that hangs is a finding.
const scriptTimeout = 8 * time.Minute

// check runs a script, passes its lines on, counts them and keeps its rows. The error is the script's own:
// it ended badly, or said nothing. What a script has started ends with it.
func check(ctx context.Context, script *exec.Cmd, at target) (passed, failed int, rows []row, err error) {
	ctx, cancel := context.WithTimeout(ctx, scriptTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, script.Path, script.Args[1:]...)
	cmd.Dir = script.Dir
	cmd.Env = append(append(os.Environ(), script.Env...), "WEIR_HTTP="+at.http, "WEIR_HTTPS="+at.https, "WEIR_CA="+at.ca,
		"NODE_EXTRA_CA_CERTS="+at.ca, "WEIR_GO_FUNCTION="+at.function)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its workers, clusters and daemons are of its group
	endAll := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = endAll
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return 0, 0, nil, err
	}
	defer func() { _ = endAll() }() // an error says that nothing is left

	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20) // an SDK's message may quote a body
	for lines.Scan() {
		fmt.Println(lines.Text())
		switch {
		case strings.HasPrefix(lines.Text(), "ok "):
			passed++
		case strings.HasPrefix(lines.Text(), "not ok "):
			failed++
		case strings.HasPrefix(lines.Text(), rowMark):
			told, err := parseRow(lines.Text())
			if err != nil {
				return passed, failed, rows, err
			}
			rows = append(rows, told)
		}
	}
	if err := errors.Join(lines.Err(), cmd.Wait()); err != nil {
		return passed, failed, rows, fmt.Errorf("%w: %s", err, strings.TrimSpace(complaints.String()))
	}
	if passed+failed == 0 {
		return 0, 0, rows, fmt.Errorf("%s checked nothing", filepath.Base(script.Args[len(script.Args)-1]))
	}
	return passed, failed, rows, nil
}

// place is where things are.
type place struct {
	root   string // the module
	source string // this folder
	cache  string // what is installed and built
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// output runs a command to its end; when it fails, the error holds what it said.
func output(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said.String())
	}
	return nil
}
