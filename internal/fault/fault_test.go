package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/weir-stream/weir/internal/fault"
)

// Each row wraps an error some way; the kind, the mark and the text must survive.
func TestKindAndMarkSurviveWrapping(t *testing.T) {
	sealed := fault.New(fault.Sealed, "log %d is sealed", 7)
	lost := fault.Unknown(fault.Unavailable, io.ErrUnexpectedEOF, "append")
	for _, row := range []struct {
		name    string
		err     error
		kind    fault.Kind
		unknown bool
		text    string
	}{
		{"plain", sealed, fault.Sealed, false, "log 7 is sealed"},
		{"wrapped", fault.Wrap(sealed, "shard %d", 3), fault.Sealed, false, "shard 3: log 7 is sealed"},
		{"wrapped by fmt", fmt.Errorf("put: %w", sealed), fault.Sealed, false, "put: log 7 is sealed"},
		{"unknown", fault.Wrap(lost, "shard 3"), fault.Unavailable, true, "shard 3: append: unexpected EOF"},
		{"unknown below fmt", fmt.Errorf("put: %w", fault.Wrap(lost, "a")), fault.Unavailable, true, "put: a: append: unexpected EOF"},
		{"classified", fault.As(fault.Full, io.ErrShortWrite, "write"), fault.Full, false, "write: short write"},
		{"foreign", io.EOF, fault.Internal, false, "EOF"},
		{"context", context.DeadlineExceeded, fault.Unavailable, false, "context deadline exceeded"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := fault.KindOf(row.err); got != row.kind {
				t.Errorf("kind %v, want %v", got, row.kind)
			}
			if got := fault.IsUnknown(row.err); got != row.unknown {
				t.Errorf("unknown %v, want %v", got, row.unknown)
			}
			if row.err.Error() != row.text {
				t.Errorf("text %q, want %q", row.err, row.text)
			}
		})
	}
	if fault.Wrap(nil, "x") != nil || fault.As(fault.Full, nil, "x") != nil {
		t.Error("nothing wrapped is still nothing")
	}
	if !errors.Is(fault.Wrap(lost, "x"), io.ErrUnexpectedEOF) {
		t.Error("the cause is out of reach of errors.Is")
	}
}
