package catalog

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

func (c AddTags) apply(s *State, _ time.Time, position commitlog.Position) error {
	return s.retag(Address{c.Account, c.Region, c.Name}, c.Consumer, position, func(tags map[string]string) error {
		maps.Copy(tags, c.Tags)
		if len(tags) > c.Limits.Tags {
			return tooManyTags(c.Name, c.Account, c.Limits)
		}
		return nil
	})
}

func (c RemoveTags) apply(s *State, _ time.Time, position commitlog.Position) error {
	return s.retag(Address{c.Account, c.Region, c.Name}, c.Consumer, position, func(tags map[string]string) error {
		for _, key := range c.Keys {
			delete(tags, key)
		}
		return nil
	})
}

// retag edits a copy of the tags of a stream, or of one of its consumers, and keeps it unless edit refuses.
func (s *State) retag(a Address, consumer string, position commitlog.Position, edit func(tags map[string]string) error) error {
	stream, err := s.activeStream(a.Account, a.Region, a.Name)
	if err != nil {
		return err
	}
	old := stream.Tags
	if consumer != "" {
		found, err := stream.existingConsumer(consumer)
		if err != nil {
			return err
		}
		old = found.Tags
	}
	tags := maps.Clone(old)
	if tags == nil {
		tags = map[string]string{}
	}
	if err := edit(tags); err != nil || maps.Equal(tags, old) {
		return err
	}
	if len(tags) == 0 {
		tags = nil
	}
	s.change(stream, position, func(next *Stream) {
		if consumer == "" {
			next.Tags = tags
			return
		}
		next.editConsumer(consumer, func(c *Consumer) { c.Tags = tags })
	})
	return nil
}

// Lengths of a tag, in Unicode characters (API_Tag).
const (
	tagKeyMax   = 128
	tagValueMax = 256
)

// checkTags says what is wrong with tags, looking at them in order of key so that everyone finds the same.
func checkTags(tags map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if err := checkTag(key, tags[key]); err != nil {
			return err
		}
	}
	return nil
}

func checkTag(key, value string) error {
	switch {
	case key == "" || utf8.RuneCountInString(key) > tagKeyMax:
		return fault.New(fault.Invalid, "Tag keys must have between 1 and %d characters.", tagKeyMax)
	case utf8.RuneCountInString(value) > tagValueMax:
		return fault.New(fault.Invalid, "Tag values must have at most %d characters.", tagValueMax)
	case len(key) >= 4 && strings.EqualFold(key[:4], "aws:"):
		return fault.New(fault.Invalid, "aws: prefixed tag key names are not allowed for external use.")
	case strings.ContainsFunc(key, outsideTags) || strings.ContainsFunc(value, outsideTags):
		return fault.New(fault.Invalid, "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - %% @ :.")
	}
	return nil
}

// outsideTags says whether r may not be in a tag. The colon is missing in API_Tag and taken by AWS.
func outsideTags(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsSpace(r) && !strings.ContainsRune("_./=+-%@:", r)
}

func tooManyTags(name, account string, l Limits) error {
	return fault.New(fault.Invalid, "Failed to add tags to stream %s under account %s because a given stream cannot have more than %d tags associated with it.",
		name, account, l.Tags)
}
