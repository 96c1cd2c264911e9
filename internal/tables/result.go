package tables

import (
	"encoding/binary"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/tables/value"
)

// What Apply answers is remembered by the log's sessions and read here. The first byte says what came of the command.
const (
	resultDone     = 0
	resultRefused  = 1 // a kind and a text
	resultFailed   = 2 // a condition did not hold; perhaps the item
	resultCanceled = 3 // a transaction; a reason for each write
	resultToken    = 4 // a token that was used for another transaction
)

// ConditionFailed is the error of a write whose condition did not hold.
type ConditionFailed struct {
	Item value.Item // as it is, when it was asked for and is there
}

// Error is DynamoDB's text.
func (*ConditionFailed) Error() string { return "The conditional request failed" }

// Canceled is the error of a transaction of which nothing was done.
type Canceled struct{ Reasons []Reason }

// Error says that there are reasons.
func (*Canceled) Error() string { return "the transaction was canceled" }

// Reason says what stood in the way of one write of a transaction.
type Reason struct {
	Code    string // None, ConditionalCheckFailed, ValidationError, …
	Message string
	Item    value.Item
}

// TokenMismatch is the error of a transaction whose token was used for another one.
type TokenMismatch struct{}

// Error is what DynamoDB says of it.
func (*TokenMismatch) Error() string {
	return "The request uses the same client token as a previous, but non-identical request. Do not reuse a client token with different requests, unless the requests are identical"
}

// Done is what came of one write.
type Done struct {
	Attributes value.Item // nil when there are none, or none were asked for
	Found      bool       // there was an item before
	Units      float64    // write capacity of the table
	Indexes    map[string]float64
}

// refused encodes a refusal.
func refused(err error) []byte {
	return appendText([]byte{resultRefused, byte(fault.KindOf(err))}, err.Error())
}

// failed encodes a condition that did not hold; raw is the item's bytes, or empty.
func failed(raw string) []byte { return appendText([]byte{resultFailed}, raw) }

// rawReason is a Reason on its way.
type rawReason struct{ code, message, item string }

func canceled(reasons []rawReason) []byte {
	b := binary.AppendUvarint([]byte{resultCanceled}, uint64(len(reasons)))
	for _, r := range reasons {
		b = appendText(appendText(appendText(b, r.code), r.message), r.item)
	}
	return b
}

// resultOf reads the result of a command of writes.
func resultOf(result []byte) ([]Done, error) {
	if len(result) == 0 { // fold.Options.ResultBytes
		return nil, fault.Unknown(fault.Unavailable, nil, "the command was done, and its answer was lost")
	}
	r := reader{rest: string(result)}
	switch status := r.byte(); status {
	case resultDone:
		count := r.uvarint()
		if count > uint64(len(r.rest)) {
			return nil, fault.New(fault.Corrupt, "a result of %d writes in %d bytes", count, len(r.rest))
		}
		out := make([]Done, count)
		for i := range out {
			if err := out[i].decode(&r); err != nil {
				return nil, err
			}
		}
		return out, r.done()
	case resultRefused:
		kind := fault.Kind(r.byte())
		return nil, fault.New(kind, "%s", r.text())
	case resultFailed:
		it, err := optionalItem(r.text())
		if err != nil {
			return nil, err
		}
		return nil, fault.As(fault.Conflict, &ConditionFailed{Item: it}, "")
	case resultCanceled:
		reasons := make([]Reason, min(r.uvarint(), TransactionMax))
		for i := range reasons {
			code, message := r.text(), r.text()
			it, err := optionalItem(r.text())
			if err != nil {
				return nil, err
			}
			reasons[i] = Reason{code, message, it}
		}
		return nil, fault.As(fault.Conflict, &Canceled{Reasons: reasons}, "")
	case resultToken:
		return nil, fault.As(fault.Conflict, &TokenMismatch{}, "")
	default:
		return nil, fault.New(fault.Unsupported, "a result of kind %d", status)
	}
}

func optionalItem(raw string) (value.Item, error) {
	if raw == "" {
		return nil, nil
	}
	return value.DecodeItem(raw)
}

// append encodes what came of a write: whether there was an item, the attributes asked for, and the units.
func (d *done) append(b []byte) []byte {
	found := byte(0)
	if d.found {
		found = 1
	}
	b = appendText(append(b, found), d.answer)
	b = binary.AppendUvarint(b, uint64(d.units))
	b = binary.AppendUvarint(b, uint64(len(d.indexUnits)))
	for _, u := range d.indexUnits {
		b = binary.AppendUvarint(appendText(b, u.name), uint64(u.units))
	}
	return b
}

func (d *Done) decode(r *reader) (err error) {
	d.Found = r.byte() == 1
	if d.Attributes, err = optionalItem(r.text()); err != nil {
		return err
	}
	d.Units = float64(r.uvarint())
	for range min(r.uvarint(), IndexesMax) {
		if d.Indexes == nil {
			d.Indexes = map[string]float64{}
		}
		name := r.text()
		d.Indexes[name] = float64(r.uvarint())
	}
	return nil
}
