package fold

import (
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

// What is published is the latest state; who waits is woken when it is another one, and only then; and a snapshot is of the moment at which it was asked for.
func TestPublished(t *testing.T) {
	p := Publish("", Rules[string]{
		Apply: func(s string, _ time.Time, _ commitlog.Position, command []byte) (string, []byte, error) {
			if string(command) == "bad" {
				return "spoilt", nil, fault.New(fault.Unsupported, "not known")
			}
			return s + string(command), []byte("was " + s), nil
		},
		Encode: func(s string) []byte { return []byte("<" + s + ">") },
		Decode: func(b []byte) (string, error) {
			if len(b) < 2 {
				return "spoilt", fault.New(fault.Corrupt, "no snapshot")
			}
			return string(b[1 : len(b)-1]), nil
		},
	})
	woken := func(changed <-chan struct{}) bool {
		select {
		case <-changed:
			return true
		default:
			return false
		}
	}
	at := func(want string) <-chan struct{} {
		t.Helper()
		state, changed := p.Watch()
		if state != want || p.Now() != want {
			t.Errorf("the state is %q, want %q", state, want)
		}
		return changed
	}
	changed := at("")
	if result, err := p.Apply(time.Time{}, 0, []byte("a")); err != nil || string(result) != "was " {
		t.Errorf("%q, %v", result, err)
	}
	if !woken(changed) {
		t.Error("a change woke nobody")
	}
	changed = at("a")
	encode := p.Snapshot()
	for _, command := range []string{"", "bad"} {
		_, err := p.Apply(time.Time{}, 1, []byte(command))
		if (err != nil) != (command == "bad") || woken(changed) {
			t.Errorf("%q: %v, woken %v", command, err, woken(changed))
		}
	}
	if err := p.Restore(nil); !fault.Is(err, fault.Corrupt) || woken(changed) {
		t.Errorf("%v, woken %v", err, woken(changed))
	}
	if _, err := p.Apply(time.Time{}, 2, []byte("b")); err != nil {
		t.Error(err)
	}
	at("ab")
	if b := encode(); string(b) != "<a>" {
		t.Errorf("a snapshot has %s", b)
	}
	if err := p.Restore(encode()); err != nil {
		t.Error(err)
	}
	at("a")
}
