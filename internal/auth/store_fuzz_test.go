package auth

import (
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// FuzzDecodeKeys: no file panics; what is accepted has what it needs to verify and belongs to an account; and what is written of it is
// accepted again and holds no secret.
func FuzzDecodeKeys(f *testing.F) {
	f.Add([]byte(`{"version":1,"keys":[{"accessKeyId":"AKIA","secret":"s","account":"000000000000","created":"2026-11-18T13:14:15Z"}]}`))
	f.Add([]byte(`{"version":1,"keys":null}`))
	f.Add([]byte(`{"version":2,"keys":[{"accessKeyId":"AKIA","state":"` + strings.Repeat("QUFB", 21) + `QQ==","account":"000000000000","user":"a"}],
		"users":[{"account":"000000000000","name":"a","policies":[{"name":"p","document":{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decodeKeys(data)
		if err != nil {
			return
		}
		for id, k := range c.keys {
			if id != k.ID || k.Secret != "" || !isAccount(k.Account) {
				t.Errorf("accepted %q: %+v", id, k)
			}
			if c.old && k.state == (sigv4.KeyState{}) {
				t.Errorf("no state: %+v", k)
			}
		}
		again, err := c.encode()
		if err != nil {
			return // a time that JSON cannot say
		}
		if _, err := decodeKeys(again); err != nil {
			t.Errorf("wrote what it does not read: %v\n%s", err, again)
		}
	})
}
