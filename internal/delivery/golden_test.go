package delivery

import (
	"testing"

	"github.com/weir-stream/weir/internal/fold/commands"
	"github.com/weir-stream/weir/internal/fold/commands/commandtest"
)

// Every command keeps the bytes with which it was released.
func TestCommandBytes(t *testing.T) {
	commandtest.Golden(t, "testdata/commands.txt", known, func(c Command) ([]byte, error) { return commands.Encode(c.kind(), c) })
}
