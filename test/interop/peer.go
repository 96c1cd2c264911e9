package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// versitygw is a server of S3 that is not ours: Apache-2.0, in Go. It is built and started, and nothing of it is linked.
const versitygw = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

// objectsPeer is no client: it holds versitygw to the scripts of test/objects, as make test does Weir and gofakes3.
var objectsPeer = language{
	name: "objects",
	install: func(ctx context.Context, p place) error {
		bin := filepath.Join(p.cache, "bin")
		install := exec.CommandContext(ctx, "go", "install", versitygw)
		install.Dir, install.Env = p.root, append(os.Environ(), "GOBIN="+bin)
		if said, err := install.CombinedOutput(); err != nil {
			return fmt.Errorf("go install %s: %w\n%s", versitygw, err, said)
		}
		return output(ctx, p.root, "go", "build", "-o", filepath.Join(bin, "objects"), "./test/interop/objects")
	},
	scripts: func(p place) []*exec.Cmd {
		bin := filepath.Join(p.cache, "bin")
		return []*exec.Cmd{script(nil, filepath.Join(bin, "objects"), filepath.Join(bin, "versitygw"))}
	},
}
