package tables

import (
	"encoding/binary"
	"time"
)

// tokenLife is how long a transaction's token is remembered (API_TransactWriteItems: 10 minutes).
const tokenLife = 10 * time.Minute

func tokenKey(token string) []byte { return append([]byte{keyToken}, token...) }

func tokenAtKey(second int64, token string) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{keyTokenAt}, uint64(second)), token...)
}

// recallToken answers a transaction that was done before: it succeeds again, and nothing is done. nil for one that was not.
func (m *machine) recallToken(cmd writeCommand) ([]byte, error) {
	stored, found, err := m.db.GetString(tokenKey(cmd.token))
	if err != nil || !found {
		return nil, err
	}
	if len(stored) < 8 || stored[8:] != cmd.digest {
		return []byte{resultToken}, nil
	}
	b := binary.AppendUvarint([]byte{resultDone}, uint64(len(cmd.writes)))
	for range cmd.writes {
		b = (&done{}).append(b)
	}
	return b, nil
}

// keepToken remembers a transaction's token with it.
func (c *change) keepToken(cmd writeCommand) {
	at := seconds(c.at)
	c.batch.Set(tokenKey(cmd.token), append(binary.BigEndian.AppendUint64(nil, uint64(at)), cmd.digest...))
	c.batch.Set(tokenAtKey(at, cmd.token), nil)
}

// forgetTokens removes what was remembered for long enough, up to a piece of work.
func (c *change) forgetTokens() error {
	it, err := c.m.db.Iterate([]byte{keyTokenAt}, tokenAtKey(seconds(c.at.Add(-tokenLife)), ""), false)
	if err != nil {
		return err
	}
	for n := 0; n < pieceItems && it.Next(); n++ {
		key := append([]byte(nil), it.Key()...)
		c.batch.Delete(key)
		c.batch.Delete(tokenKey(string(key[9:])))
	}
	return it.Close()
}
