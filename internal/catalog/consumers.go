package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/quota"
)

// RegisterConsumer asks for a consumer of a stream. It is ACTIVE at once: there is nothing to make.
type RegisterConsumer struct {
	Address
	Consumer  string            `json:"consumer"`
	Tags      map[string]string `json:"tags,omitempty"`
	Limit     int               `json:"limit"`     // consumers of a stream
	Advantage int               `json:"advantage"` // the same, in accounts with a billing commitment
	TagLimit  int               `json:"tagLimit"`
}

// DeregisterConsumer ends a consumer, and whoever is subscribed under its name.
type DeregisterConsumer struct {
	Address
	Consumer string `json:"consumer"`
}

func (RegisterConsumer) kind() string   { return "RegisterConsumer.1" }
func (DeregisterConsumer) kind() string { return "DeregisterConsumer.1" }

// limited fills in the quotas that decide the command.
func (c RegisterConsumer) limited(t *quota.Table) Command {
	c.Limit, c.Advantage, c.TagLimit = limitOf(t, quota.Consumers), limitOf(t, quota.ConsumersAdvantage), limitOf(t, quota.Tags)
	return c
}

func (c RegisterConsumer) apply(s *State, at time.Time, position commitlog.Position) error {
	stream, err := s.activeStream(c.Account, c.Region, c.Name)
	if err != nil {
		return err
	}
	if stream.Consumer(c.Consumer) != nil {
		return fault.New(fault.Exists, "Consumer %s of stream %s under account %s already exists.", c.Consumer, c.Name, c.Account)
	}
	limit := c.Limit
	if s.Settings(c.Account, c.Region).Committed(at) && stream.Mode == OnDemand {
		limit = max(limit, c.Advantage)
	}
	if len(stream.Consumers) >= limit {
		return fault.New(fault.LimitExceeded, "Stream %s under account %s cannot have more than %d registered consumers.", c.Name, c.Account, limit)
	}
	if len(c.Tags) > c.TagLimit {
		return tooManyTags(c.Name, c.Account, Limits{Tags: c.TagLimit})
	}
	s.change(stream, position, func(next *Stream) {
		consumer := Consumer{Name: c.Consumer, Created: at, ARN: fmt.Sprintf("%s/consumer/%s:%d", stream.ARN, c.Consumer, at.Unix()), Tags: c.Tags}
		if len(c.Tags) == 0 {
			consumer.Tags = nil
		}
		i, _ := slices.BinarySearchFunc(next.Consumers, c.Consumer, func(a Consumer, name string) int { return strings.Compare(a.Name, name) })
		next.Consumers = slices.Insert(slices.Clone(next.Consumers), i, consumer)
	})
	return nil
}

func (c DeregisterConsumer) apply(s *State, _ time.Time, position commitlog.Position) error {
	stream, err := s.existing(c.Address)
	if err != nil {
		return err
	}
	if _, err := stream.existingConsumer(c.Consumer); err != nil {
		return err
	}
	s.change(stream, position, func(next *Stream) {
		next.Consumers = slices.DeleteFunc(slices.Clone(next.Consumers), func(consumer Consumer) bool { return consumer.Name == c.Consumer })
	})
	return nil
}

// existingConsumer finds a consumer, or refuses in the customer's words.
func (s *Stream) existingConsumer(name string) (*Consumer, error) {
	if found := s.Consumer(name); found != nil {
		return found, nil
	}
	return nil, fault.New(fault.NotFound, "Consumer %s of stream %s under account %s not found.", name, s.Name, s.Account)
}

// editConsumer replaces a consumer by a copy that edit has written to. s is a private copy.
func (s *Stream) editConsumer(name string, edit func(*Consumer)) {
	s.Consumers = slices.Clone(s.Consumers)
	edit(s.Consumer(name))
}
