package auth

import "testing"

// FuzzDecodeKeys: no file panics, and what is accepted can be looked up and belongs to an account.
func FuzzDecodeKeys(f *testing.F) {
	f.Add([]byte(`{"version":1,"keys":[{"accessKeyId":"AKIA","secret":"s","account":"000000000000","created":"2026-11-18T13:14:15Z"}]}`))
	f.Add([]byte(`{"version":1,"keys":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := decodeKeys(data)
		if err != nil {
			return
		}
		for id, k := range keys {
			if id != k.ID || k.Secret == "" || !isAccount(k.Account) {
				t.Errorf("accepted %q: %+v", id, k)
			}
		}
	})
}
