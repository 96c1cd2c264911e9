package disklog

import (
	"encoding/binary"

	"github.com/weir-stream/weir/internal/fault"
)

// salvaged is what can still be read of a journal file, damaged or not. Where nothing is damaged it says what replay says.
type salvaged struct {
	number   uint64
	header   journalHeader
	guessed  bool // the header is damaged, and this one was made again from the first block
	readable bool // false: neither header nor first block say the salt, without which no block is known
	blocks   []salvagedBlock
	breaks   []journalBreak
	next     uint64 // sequence behind the last block that counts
	size     int
	torn     int // bytes at the end that never counted
}

type salvagedBlock struct {
	journalBlock
	at int
}

// journalBreak is a stretch of a journal file in which blocks stood that had been acknowledged and cannot be read.
type journalBreak struct {
	from, to    int    // bytes
	first, last uint64 // sequences that are missing
}

// salvage reads a journal file and goes on behind damage, to the next block that is whole: the salt proves that it is one of this file's. bound is as
// for replay, and so is the judgement whether something is missing.
func salvage(file []byte, number, bound uint64) salvaged {
	r := salvaged{number: number, size: len(file)}
	h, err := decodeJournalHeader(file)
	r.readable = err == nil && h.number == number
	if !r.readable {
		h, r.readable = headerOfFirstBlock(file, number)
		r.guessed = true
	}
	if !r.readable {
		r.breaks = append(r.breaks, journalBreak{from: 0, to: len(file)})
		return r
	}
	r.header, r.next = h, h.first
	at := min(journalHeaderSize, len(file))
	for r.next < bound && at < len(file) {
		if block, ok := decodeBlock(file[at:], h.salt); ok && block.sequence == r.next {
			r.blocks = append(r.blocks, salvagedBlock{block, at})
			at += block.size
			r.next++
			continue
		}
		behind := func(b journalBlock) bool { return b.sequence > r.next && b.sequence < bound }
		if bound == unbounded {
			vouches, _ := findBlock(file[at:], h.salt, func(b journalBlock) bool { return b.sequence > r.next && b.synced >= r.next })
			if vouches < 0 {
				break // the torn end
			}
		}
		skip, block := findBlock(file[at:], h.salt, behind)
		if skip < 0 {
			break
		}
		r.breaks = append(r.breaks, journalBreak{from: at, to: at + skip, first: r.next, last: block.sequence - 1})
		at += skip
		r.next = block.sequence
	}
	if bound != unbounded && r.next < bound {
		r.breaks = append(r.breaks, journalBreak{from: at, to: len(file), first: r.next, last: bound - 1})
		r.next = bound
		at = len(file)
	}
	r.torn = len(file) - at
	return r
}

// headerOfFirstBlock makes a header again: a block's magic is known, so what it is xored with is the salt, and the block's checksum proves it.
func headerOfFirstBlock(file []byte, number uint64) (journalHeader, bool) {
	if len(file) < journalHeaderSize+blockHeaderSize {
		return journalHeader{}, false
	}
	salt := binary.LittleEndian.Uint64(file[journalHeaderSize:]) ^ blockMagic
	block, ok := decodeBlock(file[journalHeaderSize:], salt)
	return journalHeader{number: number, salt: salt, first: block.sequence}, ok
}

// frames gives visit every frame of the blocks that are left, and says before the first one behind a break that there is one.
func (r salvaged) frames(broken func(journalBreak), visit func(journalFrame) error) error {
	breaks := r.breaks
	for _, b := range r.blocks {
		for len(breaks) > 0 && breaks[0].from < b.at {
			broken(breaks[0])
			breaks = breaks[1:]
		}
		for body := b.body; len(body) > 0; {
			f, rest, err := decodeFrame(body)
			if err == nil {
				err = visit(f)
			}
			if err != nil {
				return fault.Wrap(err, "%s: block %d at byte %d", journalName(r.number), b.sequence, b.at)
			}
			body = rest
		}
	}
	for _, b := range breaks {
		broken(b)
	}
	return nil
}
