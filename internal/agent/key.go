package agent

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"strings"
	"unicode/utf8"
)

// partitionKey is the key of a record's data: its field if it has one, else the MD5 of the data or a random number below a million, as the Kinesis Agent
// makes them.
func (c *FlowConfig) partitionKey(data []byte) string {
	if c.KeyField != "" {
		if key, ok := JSONField(data, c.KeyField); ok {
			return key
		}
	}
	if c.KeyDeterministic {
		sum := md5.Sum(data)
		return hex.EncodeToString(sum[:])
	}
	return strconv.FormatFloat(rand.Float64()*1e6, 'f', -1, 64)
}

// JSONField finds a.b in a JSON object: a text as it is, a number, a truth value or an object as it is written. It is not found when it is absent, null or
// empty, or longer than a partition key may be.
func JSONField(line []byte, path string) (string, bool) {
	value := json.RawMessage(line)
	for name := range strings.SplitSeq(path, ".") {
		var object map[string]json.RawMessage
		if json.Unmarshal(value, &object) != nil {
			return "", false
		}
		var ok bool
		if value, ok = object[name]; !ok {
			return "", false
		}
	}
	text := string(value)
	if len(text) > 0 && text[0] == '"' {
		if json.Unmarshal(value, &text) != nil {
			return "", false
		}
	}
	// A partition key has 1 to 256 characters (API_PutRecord).
	if text == "null" || text == "" || utf8.RuneCountInString(text) > 256 {
		return "", false
	}
	return text, true
}
