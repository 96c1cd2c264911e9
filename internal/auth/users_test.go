package auth_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
	"github.com/weir-stream/weir/internal/wire/sigv4"
)

const readOnly = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kinesis:Get*","Resource":"*"}]}`

// believed says whether a request signed with a key is believed at a time, and as whom.
func believed(t *testing.T, s *auth.Store, id, secret string) (auth.Identity, bool) {
	t.Helper()
	who, _, err := auth.NewKeys(s).Authenticate(signed(t, id, secret, ""))
	var refused *sigv4.Error
	if err != nil && !errors.As(err, &refused) {
		t.Fatal(err)
	}
	return who, err == nil
}

// A file of the first version, with a secret in the clear, is replaced when it is met: all or nothing if the machine fails then, and the key
// signs as before.
func TestOldFileLosesItsSecrets(t *testing.T) {
	const old = `{"version":1,"keys":[{"accessKeyId":"AKIAOLD","secret":"wJalrXUtnFEMI","account":"123456789012","name":"loader","created":"2026-11-01T00:00:00Z"},
		{"accessKeyId":"AKIAOFF","secret":"bPxRfiCYEXAMPLE","account":"123456789012","name":"two words","created":"2026-11-02T00:00:00Z","disabled":true}]}`
	mem := vfs.NewMem()
	if err := secretfile.Replace(mem, "keys.json", []byte(old)); err != nil {
		t.Fatal(err)
	}
	s := open(t, mem, clock.NewManual(start))
	raw, err := secretfile.Read(mem, "keys.json", 1<<20)
	if err != nil || bytes.Contains(raw, []byte("wJalrXUtnFEMI")) || bytes.Contains(raw, []byte("bPxRfiCYEXAMPLE")) {
		t.Fatalf("%s, %v", raw, err)
	}
	for _, s := range []*auth.Store{s, open(t, mem, clock.NewManual(start)), open(t, mem.CrashClone(rand.New(rand.NewPCG(1, 2))), clock.NewManual(start))} {
		if who, ok := believed(t, s, "AKIAOLD", "wJalrXUtnFEMI"); !ok || who.User != "loader" || who.ARN() != "arn:aws:iam::123456789012:user/loader" {
			t.Errorf("%+v, %v", who, ok)
		}
		if _, ok := believed(t, s, "AKIAOFF", "bPxRfiCYEXAMPLE"); ok {
			t.Error("a disabled key is believed")
		}
		if k, _, _ := s.Lookup("AKIAOFF"); k.User != "" || !k.Disabled {
			t.Errorf("%+v", k)
		}
	}
}

// The old key signs until its end, the new one from the start, and both are the same user with the same policies.
func TestRotate(t *testing.T) {
	c := clock.NewManual(start)
	s := open(t, vfs.NewMem(), c)
	old, err := s.Make(auth.Spec{Account: "123456789012", Name: "loader", Policies: []auth.Policy{{Name: "read", Document: []byte(readOnly)}}})
	if err != nil {
		t.Fatal(err)
	}
	next, err := s.Rotate(old.ID, time.Hour)
	if err != nil || next.ID == old.ID || next.Secret == old.Secret || next.User != "loader" || next.Policies == nil {
		t.Fatalf("%+v, %v", next, err)
	}
	if k, _, _ := s.Lookup(old.ID); !k.Expires.Equal(start.Add(time.Hour)) || k.Policies != next.Policies {
		t.Errorf("the old one is %+v", k)
	}
	if k, _, _ := s.Lookup(old.ID); !k.UsableAt(start.Add(time.Hour-1)) || k.UsableAt(start.Add(time.Hour)) {
		t.Error("the old one does not end in an hour")
	}
	third, err := s.Rotate(next.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := believed(t, s, next.ID, next.Secret); ok {
		t.Error("a key that ended at once is believed")
	}
	if who, ok := believed(t, s, third.ID, third.Secret); !ok || who.Policies == nil {
		t.Errorf("the new one: %+v, %v", who, ok)
	}
	if _, err := s.Rotate("AKIANONE", 0); !fault.Is(err, fault.NotFound) {
		t.Errorf("no such key: %v", err)
	}
	c.Advance(2 * time.Hour)
	if err := s.Disable(third.ID, true); err != nil {
		t.Fatal(err)
	}
	if has, err := s.Has(); has || err != nil {
		t.Errorf("keys that have ended count: %v, %v", has, err)
	}
}

// Policies are the user's: every key of the user has them, and a key that is made later too.
func TestPoliciesAreTheUsers(t *testing.T) {
	c := clock.NewManual(start)
	s := open(t, vfs.NewMem(), c)
	a, err := s.Make(auth.Spec{Account: "123456789012", Name: "first", User: "alice"})
	if err != nil || a.Policies != nil {
		t.Fatalf("%+v, %v", a, err)
	}
	other, err := s.Make(auth.Spec{Account: "000000000000", Name: "first", User: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Attach(a.ID, auth.Policy{Name: "read", Document: []byte(readOnly)}); err != nil {
		t.Fatal(err)
	}
	b, err := s.Make(auth.Spec{Account: "123456789012", Name: "second", User: "alice"})
	if err != nil || b.Policies == nil {
		t.Errorf("a second key of the user: %+v, %v", b, err)
	}
	if k, _, _ := s.Lookup(other.ID); k.Policies != nil {
		t.Error("another account's user of the same name has the policy")
	}
	if err := s.Attach(b.ID, auth.Policy{Name: "also", Document: []byte(readOnly)}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Policies(a.ID); err != nil || len(got) != 2 || got[0].Name != "also" || got[1].Name != "read" {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.Detach(a.ID, "also", false); err != nil {
		t.Fatal(err)
	}
	if err := s.Detach(a.ID, "read", false); !fault.Is(err, fault.Invalid) {
		t.Errorf("the last one goes unasked: %v", err)
	}
	if err := s.Detach(a.ID, "also", false); !fault.Is(err, fault.NotFound) {
		t.Errorf("gone already: %v", err)
	}
	if err := s.Detach(a.ID, "read", true); err != nil {
		t.Fatal(err)
	}
	if k, _, _ := s.Lookup(b.ID); k.Policies != nil {
		t.Error("the policies are still there")
	}

	root, err := s.Make(auth.Spec{Account: "123456789012", Name: "two words"})
	if err != nil || root.User != "" {
		t.Fatalf("%+v, %v", root, err)
	}
	for name, err := range map[string]error{
		"root":             s.Attach(root.ID, auth.Policy{Name: "read", Document: []byte(readOnly)}),
		"not a policy":     s.Attach(a.ID, auth.Policy{Name: "read", Document: []byte(`{"Statement":[]}`)}),
		"name":             s.Attach(a.ID, auth.Policy{Name: "a b", Document: []byte(readOnly)}),
		"name of the user": made(s.Make(auth.Spec{Account: "123456789012", User: "a b"})),
		"root at once":     made(s.Make(auth.Spec{Account: "123456789012", Policies: []auth.Policy{{Name: "read", Document: []byte(readOnly)}}})),
	} {
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range 20 {
		err = s.Attach(a.ID, auth.Policy{Name: "p" + strings.Repeat("x", i), Document: []byte(readOnly)})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Attach(a.ID, auth.Policy{Name: "q", Document: []byte(readOnly)}); !fault.Is(err, fault.Invalid) {
		t.Errorf("the twenty-first: %v", err)
	}
}

func made(_ auth.Key, err error) error { return err }
