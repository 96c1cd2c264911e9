package catalog

import (
	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/fault"
)

// Check says what is wrong with a command whatever exists: names and tags that nothing can have. The proposer asks it before the
// command enters the log; Apply does not ask again, because what it finds hangs on tables of Unicode and of regions, which grow from release to
// release, and what Apply decides must stay decided. Invalid, worded for the customer.
func Check(c Command) error {
	switch c := c.(type) {
	case CreateStream:
		if err := checkName(c.Account, c.Region, c.Name); err != nil {
			return err
		}
		return checkTags(c.Tags)
	case RegisterConsumer:
		return checkTags(c.Tags)
	case AddTags:
		return checkTags(c.Tags)
	case RemoveTags:
		for _, key := range c.Keys {
			if err := checkTag(key, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkName(account, region, name string) error {
	parsed, err := arn.Parse(arn.Stream(region, account, name).String())
	if err == nil {
		_, err = parsed.StreamName()
	}
	if err != nil {
		return fault.New(fault.Invalid, "No stream can be named %q under account %q in region %q.", name, account, region)
	}
	return nil
}
