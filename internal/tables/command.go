package tables

import (
	"encoding/binary"
	"encoding/json"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables/expr"
	"github.com/weir-stream/weir/internal/tables/value"
)

// The first byte of a command says what it is; docs/format/tables.md draws what follows. The bytes are logged: never change one.
const (
	commandWrite  = 1 // binary: items
	commandCreate = 2 // the rest is JSON
	commandUpdate = 3
	commandDelete = 4
	commandTTL    = 5
	commandTags   = 6
	commandSettle = 7
	commandTick   = 8
)

// Verb is what a write does with an item. The numbers are logged.
type Verb uint8

// The verbs.
const (
	VerbPut    Verb = 1
	VerbUpdate Verb = 2
	VerbDelete Verb = 3
	VerbCheck  Verb = 4 // a condition of a transaction
)

// Returning is what a write answers with. The numbers are logged.
type Returning uint8

// ReturnValues.
const (
	ReturnNone       Returning = 0
	ReturnAllOld     Returning = 1
	ReturnAllNew     Returning = 2
	ReturnUpdatedOld Returning = 3
	ReturnUpdatedNew Returning = 4
)

// Write is one item's part of a command.
type Write struct {
	Table     *Table
	Verb      Verb
	Item      value.Item // of VerbPut the item, otherwise its key
	Condition *expr.Node // nil for none
	Update    expr.Update
	Returning Returning
	// ReturnOnFailure gives back the item as it is when the condition does not hold.
	ReturnOnFailure bool
}

// flags of a write.
const (
	flagReturnOnFailure = 1
	flagCondition       = 2
)

// flags of a command of writes.
const flagTransaction = 1

// encodeWrites makes a command. token and digest are those of a transaction that may be asked again; empty for none.
func encodeWrites(writes []Write, transaction bool, token string, digest []byte) []byte {
	b := make([]byte, 0, 256)
	flags := byte(0)
	if transaction {
		flags = flagTransaction
	}
	b = append(b, commandWrite, flags)
	b = appendText(b, token)
	b = appendText(b, string(digest))
	b = binary.AppendUvarint(b, uint64(len(writes)))
	for i := range writes {
		b = writes[i].append(b)
	}
	return b
}

func (w *Write) append(b []byte) []byte {
	flags := byte(0)
	if w.ReturnOnFailure {
		flags |= flagReturnOnFailure
	}
	if w.Condition != nil {
		flags |= flagCondition
	}
	b = append(b, byte(w.Verb), byte(w.Returning), flags)
	b = binary.BigEndian.AppendUint64(b, w.Table.ID)
	suffix := w.Table.Key.suffix(make([]byte, 0, 64), w.Item)
	b = appendText(b, string(suffix))
	if w.Verb == VerbPut {
		b = binary.AppendUvarint(b, uint64(w.Item.Size()))
	}
	at := len(b)
	b = value.AppendItem(b, w.Item)
	size := len(b) - at
	b = binary.BigEndian.AppendUint32(b, uint32(size)) // behind the item, and moved before it: its size is known now
	copy(b[at+4:], b[at:at+size])
	binary.BigEndian.PutUint32(b[at:], uint32(size))
	if w.Condition != nil {
		b = expr.AppendNode(b, w.Condition)
	}
	if w.Verb == VerbUpdate {
		b = expr.AppendUpdate(b, w.Update)
	}
	return b
}

// loggedWrite is a Write as it comes out of the log. Its strings share those of the command.
type loggedWrite struct {
	verb      Verb
	returning Returning
	onFailure bool
	table     uint64
	suffix    string
	size      int    // of a put's item, as DynamoDB counts it
	item      string // the bytes of item or key
	condition *expr.Node
	update    expr.Update
}

// reader takes fields off a string; once they run out it has failed and gives zeros.
type reader struct {
	rest   string
	failed bool
}

func (r *reader) fail() { r.failed, r.rest = true, "" }

func (r *reader) take(n uint64) string {
	if n > uint64(len(r.rest)) {
		r.fail()
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) byte() byte {
	if s := r.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	s := r.take(4)
	if s == "" {
		return 0
	}
	return uint32(s[0])<<24 | uint32(s[1])<<16 | uint32(s[2])<<8 | uint32(s[3])
}

func (r *reader) uint64() uint64 { return uint64(r.uint32())<<32 | uint64(r.uint32()) }

func (r *reader) uvarint() (n uint64) {
	for shift := 0; shift < 63; shift += 7 {
		c := r.byte()
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
	}
	r.fail()
	return 0
}

func (r *reader) text() string { return r.take(r.uvarint()) }

// done is Corrupt when fields ran out or something is left.
func (r *reader) done() error {
	if r.failed || r.rest != "" {
		return fault.New(fault.Corrupt, "bytes that do not add up")
	}
	return nil
}

// writeCommand is a command of writes as it comes out of the log.
type writeCommand struct {
	transaction bool
	token       string
	digest      string
	writes      []loggedWrite
}

func decodeWrites(s string) (c writeCommand, err error) {
	r := reader{rest: s}
	flags := r.byte()
	if flags&^flagTransaction != 0 {
		return c, fault.New(fault.Unsupported, "writes with flags %#x: this version of Weir knows %#x", flags, flagTransaction)
	}
	c.transaction = flags == flagTransaction
	c.token, c.digest = r.text(), r.text()
	count := r.uvarint()
	if count > uint64(len(r.rest)) {
		r.fail()
		count = 0
	}
	c.writes = make([]loggedWrite, count)
	for i := range c.writes {
		if err := c.writes[i].decode(&r); err != nil {
			return c, err
		}
	}
	return c, r.done()
}

func (w *loggedWrite) decode(r *reader) (err error) {
	w.verb, w.returning = Verb(r.byte()), Returning(r.byte())
	flags := r.byte()
	if !r.failed && (w.verb < VerbPut || w.verb > VerbCheck || w.returning > ReturnUpdatedNew || flags&^(flagReturnOnFailure|flagCondition) != 0) {
		return fault.New(fault.Unsupported, "a write with verb %d, returning %d, flags %#x, which this version of Weir does not know", w.verb, w.returning, flags)
	}
	w.onFailure = flags&flagReturnOnFailure != 0
	w.table = r.uint64()
	w.suffix = r.text()
	if w.verb == VerbPut {
		w.size = int(r.uvarint())
	}
	w.item = r.take(uint64(r.uint32()))
	if flags&flagCondition != 0 {
		if w.condition, r.rest, err = expr.CutNode(r.rest); err != nil {
			return err
		}
	}
	if w.verb == VerbUpdate {
		if w.update, r.rest, err = expr.CutUpdate(r.rest); err != nil {
			return err
		}
	}
	return nil
}

// CreateTable makes a table.
type CreateTable struct {
	Name              string
	Key               KeySchema
	Attributes        []KeyAttribute
	OnDemand          bool
	Read, Write       int64
	MaxRead, MaxWrite int64
	Class             string
	Protected         bool
	Tags              map[string]string
	Indexes           []NewIndex
	View              string // of the change stream; "" for none
}

// NewIndex describes an index that is to be made.
type NewIndex struct {
	Name              string
	Key               KeySchema
	Projection        string
	Include           []string
	Read, Write       int64
	MaxRead, MaxWrite int64
}

// UpdateTable changes a table. What is nil, or empty, stays.
type UpdateTable struct {
	Name              string
	Attributes        []KeyAttribute // those that new indexes need, and others
	OnDemand          *bool
	Read, Write       *int64
	MaxRead, MaxWrite *int64
	Class             *string
	Protected         *bool
	View              *string // "" switches the change stream off
	CreateIndex       *NewIndex
	DeleteIndex       string
	Indexes           map[string]IndexUnits
}

// IndexUnits is new throughput of an index.
type IndexUnits struct {
	Read, Write       *int64
	MaxRead, MaxWrite *int64
}

// DeleteTable begins to remove a table.
type DeleteTable struct{ Name string }

// UpdateTTL switches expiry on or off.
type UpdateTTL struct {
	Name      string
	Attribute string
	Enabled   bool
}

// ChangeTags adds tags to a table and removes others.
type ChangeTags struct {
	Name   string
	Add    map[string]string
	Remove []string
}

// settle does the next piece of what a table waits for.
type settle struct{ ID uint64 }

// tick lets items, changes and tokens expire. It carries nothing: the log's time says what is due.
type tick struct{}

// admin are the commands that are JSON.
func encodeAdmin(command any) ([]byte, error) {
	var kind byte
	switch command.(type) {
	case CreateTable:
		kind = commandCreate
	case UpdateTable:
		kind = commandUpdate
	case DeleteTable:
		kind = commandDelete
	case UpdateTTL:
		kind = commandTTL
	case ChangeTags:
		kind = commandTags
	case settle:
		kind = commandSettle
	case tick:
		kind = commandTick
	default:
		return nil, fault.New(fault.Internal, "%T is no command", command)
	}
	body, err := json.Marshal(command)
	if err != nil {
		return nil, fault.As(fault.Internal, err, "encode %T", command)
	}
	return append([]byte{kind}, body...), nil
}

// decodeAdmin reads the JSON of a command into one of its kind.
func decodeAdmin[C any](body []byte) (command C, err error) {
	if err := json.Unmarshal(body, &command); err != nil {
		return command, fault.As(fault.Corrupt, err, "%T", command)
	}
	return command, nil
}

func appendText(b []byte, text string) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

// seconds is a time as expiry has it.
func seconds(at time.Time) int64 { return at.Unix() }
