package consumer

import (
	"cmp"
	"strings"
)

// isSequence says whether a sequence number is one, in decimal, and not a word.
func isSequence(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// rank puts words around numbers: the ones to begin with before every number, SHARD_END behind. Zero is a number's.
func rank(sequence string) int {
	switch sequence {
	case TrimHorizon, Latest, AtTimestamp:
		return -1
	case ShardEnd:
		return 1
	}
	return 0
}

// compare orders positions of one shard. Sequence numbers are decimal numbers of different lengths; words for a beginning are equal to each other.
func (p Position) compare(other Position) int {
	if a, b := rank(p.SequenceNumber), rank(other.SequenceNumber); a != 0 || b != 0 {
		return cmp.Compare(a, b)
	}
	a, b := strings.TrimLeft(p.SequenceNumber, "0"), strings.TrimLeft(other.SequenceNumber, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b), cmp.Compare(p.SubSequenceNumber, other.SubSequenceNumber))
}
