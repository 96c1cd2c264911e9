package auth_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
	"github.com/weir-stream/weir/internal/wire/sigv4"
)

var start = time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC)

func open(t *testing.T, fs vfs.FS, c clock.Clock) *auth.Store {
	t.Helper()
	s, err := auth.OpenStore(fs, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func create(t *testing.T, s *auth.Store, account, name string) auth.Key {
	t.Helper()
	k, err := s.Create(account, name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// signed is a request that the SDK signed with the key, as an authenticator gets it.
func signed(t *testing.T, id, secret, token string) *auth.Request {
	t.Helper()
	body := []byte("{}")
	sum := sha256.Sum256(body)
	r, err := http.NewRequest("POST", "http://localhost:4566/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	err = v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token},
		r, hex.EncodeToString(sum[:]), "kinesis", "us-east-1", start)
	if err != nil {
		t.Fatal(err)
	}
	claim, parseErr := sigv4.Parse(r)
	return &auth.Request{HTTP: r, Auth: &claim, ParseErr: parseErr, Body: body, Now: start}
}

func TestAnyTakesTheAccountFromTheKey(t *testing.T) {
	for _, row := range []struct{ id, account string }{
		{"123456789012", "123456789012"}, {"12345678901", auth.DefaultAccount}, {"1234567890123", auth.DefaultAccount},
		{"12345678901x", auth.DefaultAccount}, {"test", auth.DefaultAccount}, {"AKIAIOSFODNN7EXAMPLE", auth.DefaultAccount},
	} {
		who, payload, err := auth.Any{}.Authenticate(signed(t, row.id, "whatever", ""))
		if err != nil || who != (auth.Identity{AccessKeyID: row.id, Account: row.account}) || string(payload) != "{}" {
			t.Errorf("%s: %+v, %q, %v", row.id, who, payload, err)
		}
	}
	unsigned := &auth.Request{HTTP: &http.Request{Header: http.Header{}}, Auth: &sigv4.Auth{}, ParseErr: sigv4.ErrMissing, Now: start}
	if who, _, err := (auth.Any{}).Authenticate(unsigned); err != nil || who != (auth.Identity{Account: auth.DefaultAccount}) {
		t.Errorf("unsigned: %+v, %v", who, err)
	}
}

// Any has nothing to check in an aws-chunked body, and still has to take the frames off.
func TestAnyUnframes(t *testing.T) {
	r := &http.Request{Header: http.Header{"Content-Encoding": {"aws-chunked"}}}
	body := []byte("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n")
	_, payload, err := auth.Any{}.Authenticate(&auth.Request{HTTP: r, Auth: &sigv4.Auth{}, Body: body})
	if err != nil || string(payload) != "abc" || r.Trailer.Get("X-Amz-Checksum-Crc32") != "NSRBwg==" {
		t.Errorf("%q, %v, %v", payload, r.Trailer, err)
	}
}

func TestKeysBelieveOnlySignatures(t *testing.T) {
	c := clock.NewManual(start)
	store := open(t, vfs.NewMem(), c)
	good := create(t, store, "123456789012", "loader")
	off := create(t, store, "123456789012", "")
	if err := store.Disable(off.ID, true); err != nil {
		t.Fatal(err)
	}
	keys := auth.NewKeys(store)
	want := auth.Identity{AccessKeyID: good.ID, Account: "123456789012", User: "loader", KeyName: "loader", Verified: true}
	if who, payload, err := keys.Authenticate(signed(t, good.ID, good.Secret, "")); err != nil || who != want || string(payload) != "{}" {
		t.Errorf("%+v, %q, %v", who, payload, err)
	}
	tampered := signed(t, good.ID, good.Secret, "")
	tampered.Body = []byte("[]")
	late := signed(t, good.ID, good.Secret, "")
	late.Now = start.Add(time.Hour)
	unsigned := &auth.Request{HTTP: &http.Request{Header: http.Header{}}, Auth: &sigv4.Auth{}, ParseErr: sigv4.ErrMissing}
	for name, row := range map[string]struct {
		request *auth.Request
		code    string
	}{
		"unsigned":      {unsigned, sigv4.CodeMissingToken},
		"unknown key":   {signed(t, "AKIAIOSFODNN7EXAMPLE", good.Secret, ""), sigv4.CodeUnrecognizedClient},
		"wrong secret":  {signed(t, good.ID, off.Secret, ""), sigv4.CodeInvalid},
		"disabled":      {signed(t, off.ID, off.Secret, ""), sigv4.CodeUnrecognizedClient},
		"session token": {signed(t, good.ID, good.Secret, "token"), sigv4.CodeUnrecognizedClient},
		"other body":    {tampered, sigv4.CodeInvalid},
		"too late":      {late, sigv4.CodeInvalid},
	} {
		var e *sigv4.Error
		if who, payload, err := keys.Authenticate(row.request); !errors.As(err, &e) || e.Code != row.code || payload != nil || who != (auth.Identity{}) {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
}

func TestStoreKeepsWhatItMade(t *testing.T) {
	mem, c := vfs.NewMem(), clock.NewManual(start)
	s := open(t, mem, c)
	first := create(t, s, "000000000000", "first")
	c.Advance(time.Minute)
	second := create(t, s, "123456789012", "second")
	if !regexp.MustCompile(`^AKIA[A-Z2-7]{16}$`).MatchString(first.ID) || !regexp.MustCompile(`^[A-Za-z0-9+/]{40}$`).MatchString(first.Secret) ||
		first.ID == second.ID || first.Secret == second.Secret {
		t.Errorf("made %+v and %+v", first, second)
	}
	raw, err := secretfile.Read(mem, "keys.json", 1<<20)
	if err != nil || bytes.Contains(raw, []byte(first.Secret)) || bytes.Contains(raw, []byte(second.Secret)) {
		t.Errorf("the file holds a secret: %s, %v", raw, err)
	}
	again, err := open(t, mem, c).List()
	want := [2]auth.Key{first, second}
	want[0].Secret, want[1].Secret = "", "" // said once, kept nowhere
	if err != nil || len(again) != 2 || again[0] != want[0] || again[1] != want[1] {
		t.Errorf("read back %+v, %v", again, err)
	}
	if err := s.Delete(first.ID); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := s.Lookup(first.ID); ok {
		t.Error("a deleted key is found")
	}
	if has, err := s.Has(); !has || err != nil {
		t.Errorf("one key is left: %v, %v", has, err)
	}
	if err := s.Disable(second.ID, true); err != nil {
		t.Fatal(err)
	}
	if has, err := s.Has(); has || err != nil {
		t.Errorf("a disabled key counts: %v, %v", has, err)
	}
	for name, err := range map[string]error{"delete": s.Delete(first.ID), "disable": s.Disable(first.ID, true)} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%s of a key that is gone: %v", name, err)
		}
	}
	if _, err := s.Create("12", ""); !fault.Is(err, fault.Invalid) {
		t.Errorf("account of two digits: %v", err)
	}
}

// Another process (`weir keys` beside a server) changes the file; the server sees it after a second and looks no more often.
func TestStoreSeesChangesWithinASecond(t *testing.T) {
	mem, c := vfs.NewMem(), clock.NewManual(start)
	server, tool := open(t, mem, c), open(t, mem, c)
	k := create(t, tool, "000000000000", "new")
	if _, ok, err := server.Lookup(k.ID); ok || err != nil {
		t.Errorf("seen before the second is over: %v, %v", ok, err)
	}
	c.Advance(time.Second)
	if _, ok, err := server.Lookup(k.ID); !ok || err != nil {
		t.Errorf("not seen after a second: %v, %v", ok, err)
	}
	if err := tool.Disable(k.ID, true); err != nil {
		t.Fatal(err)
	}
	c.Advance(time.Second)
	if got, _, err := server.Lookup(k.ID); !got.Disabled || err != nil {
		t.Errorf("not seen as disabled: %+v, %v", got, err)
	}
}

func TestStoreRefusesFilesItDoesNotUnderstand(t *testing.T) {
	for _, row := range []struct {
		name, content string
		kind          fault.Kind
	}{
		{"later version", `{"version":3,"keys":[]}`, fault.Unsupported},
		{"no version", `{"keys":[]}`, fault.Corrupt},
		{"torn", `{"version":1,"ke`, fault.Corrupt},
		{"key without state", `{"version":2,"keys":[{"accessKeyId":"AKIA","account":"000000000000"}]}`, fault.Corrupt},
		{"state cut short", `{"version":2,"keys":[{"accessKeyId":"AKIA","state":"YQ==","account":"000000000000"}]}`, fault.Corrupt},
		{"policy that is none", `{"version":2,"keys":[],"users":[{"account":"000000000000","name":"a","policies":[{"name":"p","document":{"Statement":[]}}]}]}`, fault.Corrupt},
		{"user without policies", `{"version":2,"keys":[],"users":[{"account":"000000000000","name":"a","policies":[]}]}`, fault.Corrupt},
		{"key without secret", `{"version":1,"keys":[{"accessKeyId":"AKIA","account":"000000000000"}]}`, fault.Corrupt},
		{"the same key twice", `{"version":1,"keys":[{"accessKeyId":"A","secret":"s","account":"000000000000"},{"accessKeyId":"A","secret":"t","account":"000000000000"}]}`, fault.Corrupt},
	} {
		mem := vfs.NewMem()
		if err := secretfile.Replace(mem, "keys.json", []byte(row.content)); err != nil {
			t.Fatal(err)
		}
		if _, err := auth.OpenStore(mem, clock.NewManual(start), nil); !fault.Is(err, row.kind) {
			t.Errorf("%s: %v, want %v", row.name, err, row.kind)
		}
	}
}
