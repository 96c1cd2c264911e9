package disklog

import "time"

// EncodeLost is a list of one interval.
func EncodeLost(group uint64, member uint32, from, to int64) []byte {
	return encodeLost(lostRows{{Group: group, Member: member, From: from, To: to, When: time.Unix(0, 0).UTC(), Why: "a test"}})
}

// DecodeLost says what is wrong with a list.
func DecodeLost(b []byte) error {
	_, err := decodeLost(b)
	return err
}
