package consumer

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"strings"
)

// workerName is the host's name and 8 random bytes in hexadecimal, so that two workers of one host differ.
func workerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker" // the random part is what makes the name unique
	}
	return host + ":" + randomHex(8)
}

// randomHex is n random bytes in hexadecimal. crypto/rand never fails.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// isARN tells a stream's ARN from its name, which cannot hold a colon.
func isARN(stream string) bool { return strings.HasPrefix(stream, "arn:") }
