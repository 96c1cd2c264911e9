package lambda

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/weir-stream/weir/internal/backup"
	"github.com/weir-stream/weir/internal/node"
	"github.com/weir-stream/weir/internal/vfs"
)

// A backup has functions with their code, and gives them back as they were at its moment or at an earlier one.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	first, err := start(node.Config{DataDir: dir, Dev: true})
	if err != nil {
		t.Fatal(err)
	}
	s := first.session(t)
	s.create("streams", "streams", nil)
	answer[[]string](s, s.call("streams", `{}`)) // a command of the control log, from which on moments count
	s.create("f", "echo", func(in *sdk.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"LANES": "4"}}
	})
	moment := time.Now().UTC().Truncate(time.Millisecond)
	eventually(t, "the next millisecond", func() bool { return time.Now().UTC().Truncate(time.Millisecond).After(moment) })
	_, err = s.UpdateFunctionConfiguration(s.ctx, &sdk.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Environment: &types.Environment{Variables: map[string]string{"LANES": "6"}}})
	s.must(err)
	s.active("f")
	s.must(first.stop())

	open := func(dir string) vfs.FS {
		fs, err := vfs.NewOS(dir)
		s.must(err)
		return fs
	}
	place := backup.NewDir(open(t.TempDir()))
	_, err = backup.Make(t.Context(), place, backup.Source{Files: open(dir), Rest: open(dir), Taken: time.Now()}, backup.Options{Weir: "test"})
	s.must(err)
	for lanes, at := range map[string]time.Time{"6": {}, "4": moment} {
		restored := t.TempDir()
		_, err := backup.Restore(t.Context(), place, open(restored), backup.RestoreOptions{At: at})
		s.must(err)
		second := startFor(t, node.Config{DataDir: restored, Dev: true})
		again := &session{Client: client(t, "http://"+second.node.Addr(), s.account, "any"), t: t, ctx: t.Context(), server: second, account: s.account}
		if got := answer[echoed](again, again.call("f", `{}`)); got.Env["LANES"] != lanes {
			t.Errorf("at %v: %s lanes, want %s", at, got.Env["LANES"], lanes)
		}
	}
}
