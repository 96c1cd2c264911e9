package envelope

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// The vectors of the specification, one for each value of the bit that the subkey depends on.
func TestXAESVectors(t *testing.T) {
	for _, row := range []struct {
		key       byte
		aad, want string
	}{
		{1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		x, err := newXAES(bytes.Repeat([]byte{row.key}, keySize))
		if err != nil {
			t.Fatal(err)
		}
		nonce := []byte("ABCDEFGHIJKLMNOPQRSTUVWX")
		aead, err := x.derive((*[prefixSize]byte)(nonce))
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(aead.Seal(nil, nonce[prefixSize:], []byte("XAES-256-GCM"), []byte(row.aad))); got != row.want {
			t.Errorf("key %d: %s, want %s", row.key, got, row.want)
		}
	}
}
