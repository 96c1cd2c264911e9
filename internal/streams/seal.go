package streams

import (
	"sync"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/commitlog/batch"
	"github.com/weir-stream/weir/internal/envelope"
	"github.com/weir-stream/weir/internal/fault"
)

// Encryption at rest, on the way in and out.
//
// In: the room that Add gives out lies inside a larger one, with space for the nonce and the partition key before it and for the tag behind it. The caller
// decodes data into it as ever. It is sealed where it is when the next record begins, or at Commit, because only then the caller has filled it:
// no byte is copied more than without encryption.
//
// Out: the log's memory is read only, so a sealed record is opened into memory of the Batch's, one copy that is the decryption itself. A record that cannot
// be opened ends the Batch before it, and is the error of the next one: what can be read is read.

// Sealed says whether a record that was read lay sealed.
func Sealed(r *batch.Record) bool {
	if r.Headers() == 0 {
		return false
	}
	_, sealed := r.Header(envelope.Header)
	return sealed
}

// Sealed says whether the records of p are sealed.
func (p *Put) Sealed() bool { return p.key != nil }

// addSealed is Add into a part when the stream is encrypted.
func (p *Put) addSealed(part *part, partitionKey []byte, explicit []byte, dataSize int) []byte {
	p.sealPending()
	size := envelope.SealedSize(len(partitionKey), dataSize)
	mark := batch.Header{Key: envelope.Header, Value: p.key.Mark()}
	if explicit == nil {
		p.pending = part.batch.AppendRoom(p.arrival, nil, size, mark)
	} else {
		p.pending = part.batch.AppendRoom(p.arrival, nil, size, mark, batch.Header{Key: explicitHeader, Value: explicit})
	}
	return envelope.Lay(p.pending, partitionKey)
}

// sealPending seals the record that was added last, whose data is in its place by now.
func (p *Put) sealPending() {
	if p.pending == nil {
		return
	}
	if err := p.key.Seal(p.pending); err != nil && p.failed == nil {
		p.failed = fault.Wrap(err, "seal a record")
	}
	p.pending = nil
}

// dataKey opens a data key of a stream. An *envelope.MasterError when its master key is missing.
func (s *Streams) dataKey(stream *catalog.Stream, id uint32) (*envelope.DataKey, error) {
	k := stream.DataKey(id)
	if k == nil { // the stream began to use it after it was looked up
		if now := s.control.State().StreamByGroup(stream.Group); now != nil {
			k = now.DataKey(id)
		}
	}
	if k == nil {
		return nil, fault.New(fault.Corrupt, "stream %s has no data key %d", stream.Name, id)
	}
	if s.keys == nil {
		return nil, fault.As(fault.Unavailable, &envelope.MasterError{Master: k.Master, Missing: true, File: "a server without master keys"}, "")
	}
	return s.keys.DataKey(stream.Group, id, k.Master, k.Wrapped)
}

// opener opens sealed records of one stream for one Batch. The zero value opens none.
type opener struct {
	streams *Streams
	stream  *catalog.Stream

	id     uint32 // of key; 0 before the first
	key    *envelope.DataKey
	blocks []*[]byte // what opened records are slices of; the last one has room
}

// blockBytes is how much memory for opened records is taken at once. Larger records get memory of their own.
const blockBytes = 1 << 20

var blocks = sync.Pool{New: func() any { b := make([]byte, 0, blockBytes); return &b }}

// open replaces a sealed record's key and value by what was sealed. The record is left alone when it is not sealed.
func (o *opener) open(r *batch.Record) error {
	if r.Headers() == 0 {
		return nil
	}
	mark, sealed := r.Header(envelope.Header)
	if !sealed {
		return nil
	}
	id, err := envelope.KeyOf(mark)
	if err != nil {
		return err
	}
	if o.key == nil || o.id != id {
		if o.key, err = o.streams.dataKey(o.stream, id); err != nil {
			return err
		}
		o.id = id
	}
	into := o.room(envelope.PlainSize(r.Value))
	*into, r.Key, r.Value, err = o.key.Open(*into, r.Value)
	return err
}

// plainSize is how many bytes a record's key and data take, sealed or not; one too many for a sealed key of 128 bytes and more, whose length takes two.
func plainSize(r *batch.Record) int {
	if Sealed(r) {
		return max(envelope.PlainSize(r.Value)-1, 0)
	}
	return len(r.Key) + len(r.Value)
}

// room is memory with n bytes left.
func (o *opener) room(n int) *[]byte {
	if n > blockBytes {
		own := make([]byte, 0, n)
		o.blocks = append(o.blocks, &own)
		return &own
	}
	if last := len(o.blocks) - 1; last >= 0 {
		if b := o.blocks[last]; cap(*b)-len(*b) >= n {
			return b
		}
	}
	b := blocks.Get().(*[]byte)
	o.blocks = append(o.blocks, b)
	return b
}

// release gives the memory back.
func (o *opener) release() {
	for _, b := range o.blocks {
		if cap(*b) == blockBytes {
			clear(*b) // plaintext is not kept longer than it is used
			*b = (*b)[:0]
			blocks.Put(b)
		}
	}
	o.blocks = nil
}
