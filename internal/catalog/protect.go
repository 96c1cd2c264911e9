package catalog

import (
	"bytes"
	"slices"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota"
)

// SetResourcePolicy replaces the resource policy of a stream or of one of its consumers; an empty one takes it away. Whether it is a
// policy at all whoever proposes has checked: what policies mean grows from release to release, and what Apply decides must stay decided.
type SetResourcePolicy struct {
	Address
	Consumer string `json:"consumer,omitempty"` // by name; empty is the stream itself
	Policy   string `json:"policy,omitempty"`
}

// StartEncryption asks that the records that come be sealed under a data key of a stream's own, which is wrapped under a master key. Asking with the
// KeyID in use takes the new data key. ID is not looked at: the data key gets the next one.
type StartEncryption struct {
	Address
	Group   uint64  `json:"group"` // of the stream that DataKey was wrapped for: another one of the name cannot open it
	KeyID   string  `json:"keyId"`
	DataKey DataKey `json:"dataKey"`
	PerDay  int     `json:"perDay"` // of one stream in 24 hours
}

// StopEncryption asks that the records that come not be sealed. Those that are stay so, and readable.
type StopEncryption struct {
	Address
}

// RewrapKeys replaces the wrapping of a stream's data keys, not the keys. Ids that the stream does not have are passed over.
type RewrapKeys struct {
	Group uint64    `json:"group"`
	Keys  []DataKey `json:"keys"`
}

func (SetResourcePolicy) kind() string { return "SetResourcePolicy.1" }
func (StartEncryption) kind() string   { return "StartEncryption.1" }
func (StopEncryption) kind() string    { return "StopEncryption.1" }
func (RewrapKeys) kind() string        { return "RewrapKeys.1" }

// limited fills in the quotas that decide the command.
func (c StartEncryption) limited(t *quota.Table) Command {
	c.PerDay = limitOf(t, quota.KeyChanges)
	return c
}

func (c SetResourcePolicy) apply(s *State, _ time.Time, position commitlog.Position) error {
	stream, err := s.activeStream(c.Account, c.Region, c.Name)
	if err != nil {
		return err
	}
	if c.Consumer == "" {
		if stream.Policy != c.Policy {
			s.change(stream, position, func(next *Stream) { next.Policy = c.Policy })
		}
		return nil
	}
	consumer, err := stream.existingConsumer(c.Consumer)
	if err != nil {
		return err
	}
	if consumer.Policy != c.Policy {
		s.change(stream, position, func(next *Stream) { next.editConsumer(c.Consumer, func(e *Consumer) { e.Policy = c.Policy }) })
	}
	return nil
}

func (c StartEncryption) apply(s *State, at time.Time, position commitlog.Position) error {
	stream, err := s.activeStream(c.Account, c.Region, c.Name)
	if err != nil {
		return err
	}
	if c.KeyID == "" || len(c.DataKey.Wrapped) == 0 {
		return fault.New(fault.Invalid, "Stream %s under account %s cannot be encrypted without a key.", c.Name, c.Account)
	}
	if c.Group != stream.Group {
		return fault.New(fault.WrongState, "Stream %s under account %s was deleted and made again meanwhile.", c.Name, c.Account)
	}
	changed := lately(stream.KeyChanged, at)
	if len(changed) >= c.PerDay {
		return fault.New(fault.LimitExceeded, "The encryption key of stream %s under account %s cannot be changed more than %d times in a rolling 24-hour period.",
			c.Name, c.Account, c.PerDay)
	}
	s.change(stream, position, func(next *Stream) {
		key := DataKey{ID: 1, Master: c.DataKey.Master, Wrapped: c.DataKey.Wrapped}
		if n := len(next.DataKeys); n > 0 {
			key.ID = next.DataKeys[n-1].ID + 1
		}
		next.DataKeys = append(slices.Clone(next.DataKeys), key)
		next.Encryption = &Encryption{KeyID: c.KeyID, DataKey: key.ID}
		next.KeyChanged = append(changed, at)
	})
	return nil
}

func (c StopEncryption) apply(s *State, _ time.Time, position commitlog.Position) error {
	stream, err := s.activeStream(c.Account, c.Region, c.Name)
	if err != nil {
		return err
	}
	if stream.Encryption != nil {
		s.change(stream, position, func(next *Stream) { next.Encryption = nil })
	}
	return nil
}

func (c RewrapKeys) apply(s *State, _ time.Time, position commitlog.Position) error {
	stream := s.StreamByGroup(c.Group)
	if stream == nil {
		return fault.New(fault.NotFound, "no stream has the log group %d", c.Group)
	}
	keys := slices.Clone(stream.DataKeys)
	changed := false
	for _, key := range c.Keys {
		i := slices.IndexFunc(keys, func(k DataKey) bool { return k.ID == key.ID })
		if i < 0 || len(key.Wrapped) == 0 || keys[i].Master == key.Master && bytes.Equal(keys[i].Wrapped, key.Wrapped) {
			continue
		}
		keys[i], changed = key, true
	}
	if changed {
		s.change(stream, position, func(next *Stream) { next.DataKeys = keys })
	}
	return nil
}
