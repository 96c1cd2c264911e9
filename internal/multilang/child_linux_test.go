package multilang

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/weir-stream/weir/internal/clock"
)

// daemon is a process with one child that stays. It says the child's number, and stays.
func daemon() {
	c, err := startChild("shard-7", []string{os.Args[0]}, []string{childMode + "=stay"}, clock.Real, func(string, string) {}, func(string) {})
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stdout, ": child", c.pid)
	forever()
}

// TestDaemonKilled shows that the kernel kills a child whose daemon is killed, also one that does not look at its input.
func TestDaemonKilled(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{childMode + "=daemon"}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(line, err)
	}
	said := []string{"shard-7" + line}
	if !alive(t, said) {
		t.Error("the child does not run")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	eventually(t, "the child is gone", func() bool { return !alive(t, said) })
}
