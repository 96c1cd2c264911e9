package tables

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables/value"
)

// Limits of keys and transactions (ServiceQuotas, read 2026-11).
const (
	// HashKeyMax and RangeKeyMax are the longest keys, in bytes.
	HashKeyMax  = 2048
	RangeKeyMax = 1024
	// TransactionMax is how many items a transaction may have.
	TransactionMax = 100
	// IndexesMax is how many global secondary indexes a table may have.
	IndexesMax = 20
)

// keyBuffers are used again from command to command.
type keyBuffers struct{ item, index, other, value []byte }

// done is one write of a command, decided: what is there, what will be, and what is answered.
type done struct {
	write   *loggedWrite
	table   *Table
	key     string // of the item in the database
	found   bool   // there is an item
	oldRaw  string // its bytes
	oldSize int
	old     value.Item // decoded when somebody needs it
	has     bool       // there will be an item
	newRaw  string
	newSize int
	new     value.Item // likewise

	answer     string // the bytes of the attributes asked for
	units      int
	indexUnits []indexUnits
}

type indexUnits struct {
	name  string
	units int
}

// applyWrites does a command of writes: all or none of them.
func (m *machine) applyWrites(at time.Time, position commitlog.Position, body string) ([]byte, error) {
	cmd, err := decodeWrites(body)
	if err != nil {
		return nil, err
	}
	if cmd.token != "" {
		if answer, err := m.recallToken(cmd); answer != nil || err != nil {
			return answer, err
		}
	}
	all := make([]done, len(cmd.writes))
	var reasons []rawReason
	for i := range all {
		all[i].write = &cmd.writes[i]
		err := m.decide(&all[i])
		if err == nil {
			continue
		}
		reason, refusedBy := reasonOf(err, &all[i])
		if !refusedBy {
			return nil, err
		}
		if !cmd.transaction {
			return single(err, reason), nil
		}
		if reasons == nil {
			reasons = make([]rawReason, len(all))
			for j := range reasons {
				reasons[j].code = "None"
			}
		}
		reasons[i] = reason
	}
	if reasons != nil {
		return canceled(reasons), nil
	}
	c := &change{m: m, at: at, position: position, state: m.state, batch: m.db.NewBatch()}
	for i := range all {
		if err := c.write(&all[i], cmd.transaction); err != nil {
			c.batch.Discard()
			return nil, err
		}
	}
	if cmd.token != "" {
		c.keepToken(cmd)
	}
	if err := c.commit(); err != nil {
		return nil, err
	}
	b := make([]byte, 0, 32)
	b = binary.AppendUvarint(append(b, resultDone), uint64(len(all)))
	for i := range all {
		b = all[i].append(b)
	}
	return b, nil
}

// conditionFailed is the refusal of a write whose condition does not hold.
type conditionFailed struct{}

func (conditionFailed) Error() string { return "The conditional request failed" }

// reasonOf is what a transaction says of a write that is refused. refused is false for failures of ours.
func reasonOf(err error, d *done) (reason rawReason, refused bool) {
	if errors.Is(err, conditionFailed{}) {
		reason = rawReason{code: "ConditionalCheckFailed", message: err.Error()}
		if d.write.onFailure {
			reason.item = d.oldRaw
		}
		return reason, true
	}
	var r *refusal
	if !asRefusal(err, &r) {
		return reason, false
	}
	if fault.Is(r.err, fault.NotFound) {
		return rawReason{code: "ResourceNotFound", message: r.Error()}, true
	}
	return rawReason{code: "ValidationError", message: r.Error()}, true
}

// single is the answer to a command outside a transaction that is refused.
func single(err error, reason rawReason) []byte {
	if errors.Is(err, conditionFailed{}) {
		return failed(reason.item)
	}
	var r *refusal
	asRefusal(err, &r)
	return refused(r.err)
}

// decide finds out what a write does, without doing it.
func (m *machine) decide(d *done) error {
	w := d.write
	d.table = m.state.byID[w.table]
	if d.table == nil || !d.table.takesWrites() {
		return refuse(fault.NotFound, "Requested resource not found")
	}
	k := append(binary.BigEndian.AppendUint64(append(m.keys.item[:0], keyItem), w.table), w.suffix...)
	m.keys.item = k
	d.key = string(k)
	stored, found, err := m.db.GetString(k)
	if err != nil {
		return err
	}
	d.found = found
	if found {
		if d.oldSize, d.oldRaw, err = cutStored(stored); err != nil {
			return err
		}
	}
	if w.condition != nil {
		if err := d.decodeOld(); err != nil {
			return err
		}
		if !w.condition.True(d.old) {
			return conditionFailed{}
		}
	}
	switch w.verb {
	case VerbCheck:
		d.has, d.newRaw, d.newSize = d.found, d.oldRaw, d.oldSize
		return nil
	case VerbDelete:
		return nil
	case VerbPut:
		d.has, d.newRaw, d.newSize = true, w.item, w.size
	case VerbUpdate:
		if err := d.update(); err != nil {
			return err
		}
	}
	if len(d.table.Indexes) == 0 {
		return nil
	}
	if err := d.decodeNew(); err != nil {
		return err
	}
	return d.checkIndexKeys()
}

// update computes the item that an update makes.
func (d *done) update() error {
	if err := d.decodeOld(); err != nil {
		return err
	}
	base := d.old
	if !d.found {
		key, err := value.DecodeItem(d.write.item)
		if err != nil {
			return err
		}
		base = key
	}
	next, err := d.write.update.Apply(base)
	if err != nil {
		return &refusal{err}
	}
	d.has, d.new, d.newSize = true, next, next.Size()
	if d.newSize > value.ItemBytesMax {
		return refuse(fault.Invalid, "Item size to update has exceeded the maximum allowed size")
	}
	if (value.Value{Kind: value.M, Map: next}).Depth() > value.DepthMax+1 {
		return refuse(fault.Invalid, "Nesting Levels have exceeded supported limits")
	}
	d.newRaw = string(value.AppendItem(nil, next))
	return nil
}

func (d *done) decodeOld() (err error) {
	if d.found && d.old == nil {
		d.old, err = value.DecodeItem(d.oldRaw)
	}
	return err
}

func (d *done) decodeNew() (err error) {
	if d.has && d.new == nil {
		d.new, err = value.DecodeItem(d.newRaw)
	}
	return err
}

// checkIndexKeys refuses an item with a value that an index cannot have as a key. An item without the attribute is not in the index.
func (d *done) checkIndexKeys() error {
	for _, ix := range d.table.Indexes {
		if ix.Status == Deleting {
			continue
		}
		for i, part := range [...]KeyAttribute{ix.Key.Hash, ix.Key.Range} {
			v := d.new.Get(part.Name)
			most := [...]int{HashKeyMax, RangeKeyMax}[i]
			switch {
			case part.Name == "" || !v.Exists():
			case v.Kind != part.Kind:
				return refuse(fault.Invalid, "One or more parameter values were invalid: Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", part.Name, part.Kind, v.Kind, ix.Name)
			case v.Text == "":
				return refuse(fault.Invalid, "One or more parameter values are not valid. A value specified for a secondary index key is not supported. "+
					"The AttributeValue for a key attribute cannot contain an empty %s value. IndexName: %s, IndexKey: %s", emptyName(v.Kind), ix.Name, part.Name)
			case len(v.Text) > most:
				return refuse(fault.Invalid, "One or more parameter values were invalid: Size of %s has exceeded the maximum size limit of%d bytes", [...]string{"hashkey", "rangekey"}[i], most)
			}
		}
	}
	return nil
}

func emptyName(k value.Kind) string {
	if k == value.B {
		return "binary"
	}
	return "string"
}

// stored is what lies under an item's key: its size as DynamoDB counts it, and its bytes.
func appendStored(b []byte, size int, raw string) []byte {
	return append(binary.AppendUvarint(b, uint64(size)), raw...)
}

func cutStored(stored string) (size int, raw string, err error) {
	r := reader{rest: stored}
	size = int(r.uvarint())
	if r.failed {
		return 0, "", fault.New(fault.Corrupt, "an item without its size")
	}
	return size, r.rest, nil
}

// write puts what was decided into the batch: the item, its index entries, its expiry and its change record.
func (c *change) write(d *done, transaction bool) error {
	d.units = units(max(d.oldSize, d.newSize))
	if d.write.verb == VerbCheck {
		d.units *= 2
		return nil
	}
	if transaction {
		d.units *= 2
	}
	if err := d.returned(); err != nil {
		return err
	}
	if d.found == d.has && d.oldRaw == d.newRaw {
		return nil // what changes nothing is no change
	}
	if err := c.put(d); err != nil {
		return err
	}
	if transaction {
		for i := range d.indexUnits {
			d.indexUnits[i].units *= 2
		}
	}
	return nil
}

// put is write for whatever changes an item, also without a customer.
func (c *change) put(d *done) error {
	t, keys := d.table, &c.m.keys
	if d.has {
		keys.value = appendStored(keys.value[:0], d.newSize, d.newRaw)
		c.batch.Set([]byte(d.key), keys.value)
	} else {
		c.batch.Delete([]byte(d.key))
	}
	c.add(t.stats, btoi(d.has)-btoi(d.found), d.newSize-d.oldSize)
	if len(t.Indexes) == 0 && t.TTL.Attribute == "" && t.View == "" {
		return nil
	}
	if err := d.decodeOld(); err != nil {
		return err
	}
	if err := d.decodeNew(); err != nil {
		return err
	}
	for _, ix := range t.Indexes {
		if ix.Status == Deleting {
			continue
		}
		n, err := c.index(ix, d)
		if err != nil {
			return err
		}
		if n > 0 {
			d.indexUnits = append(d.indexUnits, indexUnits{ix.Name, n})
		}
	}
	c.expiry(d)
	if t.View != "" {
		c.record(d, false)
	}
	return nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// units is how many write units a size costs: one for each KiB begun.
func units(size int) int { return max(1, (size+1023)/1024) }

// returned encodes the attributes that the write answers with.
func (d *done) returned() error {
	switch d.write.returning {
	case ReturnAllOld:
		d.answer = d.oldRaw
	case ReturnAllNew:
		d.answer = d.newRaw
	case ReturnUpdatedOld:
		d.answer = projected(d, d.old)
	case ReturnUpdatedNew:
		d.answer = projected(d, d.new)
	}
	return nil
}

func projected(d *done, it value.Item) string {
	part := d.write.update.Touched().Of(it)
	if len(part) == 0 {
		return ""
	}
	return string(value.AppendItem(nil, part))
}
