package commands

import (
	"testing"

	"github.com/weir-stream/weir/internal/fault"
)

type command interface{ kind() string }

type rename struct {
	Name string `json:"name"`
}

func (rename) kind() string { return "Rename.1" }

var set = Set[command]{"Rename.1": As[rename, command]}

// A command comes back as it was; what is not known to this version is said, and never half understood.
func TestCommands(t *testing.T) {
	b, err := Encode("Rename.1", rename{"x"})
	if err != nil || string(b) != `{"type":"Rename.1","body":{"name":"x"}}` {
		t.Fatalf("%s, %v", b, err)
	}
	if c, err := set.Decode(b); err != nil || c != (rename{"x"}) {
		t.Errorf("%v, %v", c, err)
	}
	for text, kind := range map[string]fault.Kind{
		``: fault.Corrupt, `{}x`: fault.Corrupt, `{"type":"Rename.2","body":{}}`: fault.Unsupported, `{"type":"Rename.1","body":{"nick":"x"}}`: fault.Unsupported,
		`{"type":"Rename.1","body":{},"more":1}`: fault.Corrupt,
	} {
		if _, err := set.Decode([]byte(text)); !fault.Is(err, kind) {
			t.Errorf("%s: %v, want %v", text, err, kind)
		}
	}
}

// A result is nothing, a value or a refusal, and says so again. Its bytes are in snapshots, which remember what was answered.
func TestResults(t *testing.T) {
	for want, result := range map[string][]byte{
		``: EncodeResult(nil, nil), `{"value":{"name":"x"}}`: EncodeResult(rename{"x"}, nil), `{"value":""}`: EncodeResult("", nil),
		`{"kind":"WrongState","message":"\u003cx\u003e is busy"}`: EncodeResult(nil, fault.New(fault.WrongState, "<x> is busy")),
	} {
		if string(result) != want {
			t.Errorf("%s, want %s", result, want)
		}
	}
	if err := DecodeResult(EncodeResult(nil, nil), nil); err != nil {
		t.Error(err)
	}
	var number int
	if err := DecodeResult(EncodeResult(7, nil), &number); err != nil || number != 7 {
		t.Errorf("%d, %v", number, err)
	}
	err := DecodeResult(EncodeResult(nil, fault.New(fault.Exists, "%s is there", "x")), &number)
	if !fault.Is(err, fault.Exists) || err.Error() != "x is there" {
		t.Error(err)
	}
	for _, text := range []string{`x`, `{}`, `{"kind":"Bored"}`, `{"what":1}`} {
		if err := DecodeResult([]byte(text), nil); !fault.Is(err, fault.Corrupt) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"type":"Rename.1","body":{"name":"x"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := set.Decode(b); err == nil {
			if _, err := Encode(c.kind(), c); err != nil {
				t.Error(err)
			}
		}
	})
}

// FuzzResult: a refusal that is read is written as the same refusal.
func FuzzResult(f *testing.F) {
	f.Add([]byte(`{"kind":"NotFound","message":"Stream s under account a not found."}`))
	f.Add([]byte(`{"value":7}`))
	f.Add([]byte(``))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := DecodeResult(b, new(int)); err != nil && !fault.Is(err, fault.Corrupt) {
			if again := DecodeResult(EncodeResult(nil, err), nil); again == nil || again.Error() != err.Error() || fault.KindOf(again) != fault.KindOf(err) {
				t.Errorf("%v and %v", err, again)
			}
		}
	})
}
