package tables

import (
	"encoding/binary"
	"strconv"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables/value"
)

// What a change did. The numbers are stored.
const (
	changeInsert = 1
	changeModify = 2
	changeRemove = 3
)

// changeByService marks a change that no customer asked for: an item has expired.
const changeByService = 1

// placesPerCommand is how many changes a command can make, at most: a power of two above everything that one does.
const placesPerCommand = 4096

// Change is one record of a change stream.
type Change struct {
	Sequence  Sequence
	At        time.Time
	Event     string // INSERT, MODIFY or REMOVE
	ByService bool   // the item has expired
	Keys      value.Item
	Old, New  value.Item // nil when there is none or the stream does not show it
	Bytes     int        // of Keys, Old and New
}

// Sequence is a change's place in its stream: the position of its command in the log and its place in the command. It grows from change to change.
type Sequence int64

func sequenceOf(position int64, place int) Sequence {
	return Sequence(position*placesPerCommand + int64(place))
}

// sequenceDigits makes sequence numbers as long as AWS's shortest (21 digits), so that their order as text is their order.
const sequenceDigits = 20

// String is the number as customers see it.
func (s Sequence) String() string {
	digits := strconv.FormatInt(int64(s), 10)
	b := make([]byte, 0, sequenceDigits+1)
	b = append(b, '1')
	for range sequenceDigits - len(digits) {
		b = append(b, '0')
	}
	return string(append(b, digits...))
}

// ParseSequence reads a number that String wrote. Invalid when it is none.
func ParseSequence(text string) (Sequence, error) {
	if len(text) != sequenceDigits+1 || text[0] != '1' {
		return 0, fault.New(fault.Invalid, "%q is no sequence number", sizeText(text))
	}
	n, err := strconv.ParseUint(text[1:], 10, 63)
	if err != nil {
		return 0, fault.New(fault.Invalid, "%q is no sequence number", sizeText(text))
	}
	return Sequence(n), nil
}

// key is the change's in the database.
func (s Sequence) key(stream uint64) []byte {
	return binary.BigEndian.AppendUint64(changePrefix(stream), uint64(s))
}

// record writes the change that d makes, in the batch that makes it.
func (c *change) record(d *done, byService bool) {
	event, flags := byte(changeModify), byte(0)
	switch {
	case !d.found:
		event = changeInsert
	case !d.has:
		event = changeRemove
	}
	if byService {
		flags = changeByService
	}
	it, old, next := d.new, d.oldRaw, d.newRaw
	if !d.has {
		it = d.old
	}
	if d.table.View != "OLD_IMAGE" && d.table.View != "NEW_AND_OLD_IMAGES" {
		old = ""
	}
	if d.table.View != "NEW_IMAGE" && d.table.View != "NEW_AND_OLD_IMAGES" {
		next = ""
	}
	b := append(c.m.keys.value[:0], event, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(c.at.UnixMilli()))
	b = appendText(b, string(value.AppendItem(nil, d.table.Key.Of(it))))
	b = appendText(appendText(b, old), next)
	c.m.keys.value = b
	c.batch.Set(sequenceOf(c.position, c.changes).key(d.table.Stream), b)
	c.changes++
}

var eventNames = [...]string{changeInsert: "INSERT", changeModify: "MODIFY", changeRemove: "REMOVE"}

// decodeChange reads what record wrote.
func decodeChange(key, stored []byte) (ch Change, err error) {
	r := reader{rest: string(stored)}
	event, flags := r.byte(), r.byte()
	at := r.uint64()
	keys, old, next := r.text(), r.text(), r.text()
	if err := r.done(); err != nil || event < changeInsert || event > changeRemove || len(key) < 8 {
		return ch, fault.New(fault.Corrupt, "a change that was never written")
	}
	ch = Change{
		Sequence: Sequence(binary.BigEndian.Uint64(key[len(key)-8:])), At: time.UnixMilli(int64(at)).UTC(),
		Event: eventNames[event], ByService: flags&changeByService != 0,
	}
	if ch.Keys, err = value.DecodeItem(keys); err != nil {
		return ch, err
	}
	if ch.Old, err = optionalItem(old); err != nil {
		return ch, err
	}
	if ch.New, err = optionalItem(next); err != nil {
		return ch, err
	}
	ch.Bytes = ch.Keys.Size() + ch.Old.Size() + ch.New.Size()
	return ch, nil
}

// changeTime is when a change was made, without reading the rest of it.
func changeTime(stored []byte) time.Time {
	if len(stored) < 10 {
		return time.Time{}
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(stored[2:]))).UTC()
}
