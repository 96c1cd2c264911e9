package sigv4

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"
)

// A state stands for its secret: HMAC from it is HMAC with the key, whatever the secret's length, and the secret is not in it.
func TestKeyStateIsTheSecretsHMAC(t *testing.T) {
	for _, n := range []int{0, 1, 40, 59, 60, 61, 64, 200} {
		secret := strings.Repeat("wJalrXUtnFEMI/K7MDENG", 10)[:n]
		k := NewKeyState(secret)
		h := hmac.New(sha256.New, []byte("AWS4"+secret))
		h.Write([]byte("20261118"))
		if got := k.mac("20261118"); !bytes.Equal(got[:], h.Sum(nil)) {
			t.Errorf("secret of %d bytes: %x", n, got)
		}
		if n > 8 && bytes.Contains(k[:], []byte(secret[:8])) {
			t.Errorf("secret of %d bytes is in its state", n)
		}
	}
}
