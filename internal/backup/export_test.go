package backup

import (
	"crypto/sha256"
	"encoding/hex"
)

// Decode is decode of bytes under their right name.
func Decode(data []byte, id string) (Backup, error) {
	sum := sha256.Sum256(data)
	return decode(data, id, nameOf(id, hex.EncodeToString(sum[:])))
}
