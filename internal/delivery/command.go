package delivery

import (
	"maps"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold/commands"
)

// Command is something that may be asked of the catalog of delivery streams. See commands.Set for what its name and fields promise.
type Command interface {
	kind() string
	// apply does to c, a private copy, what the command asks. It refuses with an error of a kind that commands knows and leaves c alone then. It must depend on nothing but its
	// arguments.
	apply(c *Catalog, at time.Time) error
}

// Create asks for a delivery stream. It is CREATING until Ready.
type Create struct {
	ID      string            `json:"id"` // a new UUID
	Account string            `json:"account"`
	Region  string            `json:"region"`
	Name    string            `json:"name"`
	Source  Source            `json:"source"`
	S3      S3                `json:"s3"`
	Tags    map[string]string `json:"tags,omitempty"`
}

// Update changes the destination. S3 is the whole of it: whoever asks has merged it with the destination of Version, and is refused when that is no longer the one that counts.
type Update struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Name    string `json:"name"`
	Version int64  `json:"version"`
	S3      S3     `json:"s3"`
}

// Delete asks for a delivery stream's end. What it has not delivered is lost.
type Delete struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Name    string `json:"name"`
}

// Tag adds tags, or replaces their values.
type Tag struct {
	Account string            `json:"account"`
	Region  string            `json:"region"`
	Name    string            `json:"name"`
	Tags    map[string]string `json:"tags"`
}

// Untag takes tags away. What is not there is no error.
type Untag struct {
	Account string   `json:"account"`
	Region  string   `json:"region"`
	Name    string   `json:"name"`
	Keys    []string `json:"keys"`
}

// Ready reports that what comes from now on will be delivered. Reporting twice is no error.
type Ready struct {
	Number uint64 `json:"number"`
}

// Gone reports that nothing is left of a DELETING delivery stream. Reporting twice is no error.
type Gone struct {
	Number uint64 `json:"number"`
}

func (Create) kind() string { return "CreateDeliveryStream.1" }
func (Update) kind() string { return "UpdateDestination.1" }
func (Delete) kind() string { return "DeleteDeliveryStream.1" }
func (Tag) kind() string    { return "TagDeliveryStream.1" }
func (Untag) kind() string  { return "UntagDeliveryStream.1" }
func (Ready) kind() string  { return "DeliveryStreamReady.1" }
func (Gone) kind() string   { return "DeliveryStreamGone.1" }

// known is every command that this version understands.
var known = commands.Set[Command]{
	Create{}.kind(): commands.As[Create, Command],
	Update{}.kind(): commands.As[Update, Command],
	Delete{}.kind(): commands.As[Delete, Command],
	Tag{}.kind():    commands.As[Tag, Command],
	Untag{}.kind():  commands.As[Untag, Command],
	Ready{}.kind():  commands.As[Ready, Command],
	Gone{}.kind():   commands.As[Gone, Command],
}

// streamsMax is how many delivery streams an account may have in a region, and tagsMax how many tags one of them (Firehose developer guide, "Quotas"; API_TagDeliveryStream;
// read 2026-11).
const (
	streamsMax = 5000
	tagsMax    = 50
)

// NotFound is what is said of a delivery stream that is not there.
func NotFound(account, name string) error {
	return fault.New(fault.NotFound, "Firehose %s under account %s not found.", name, account)
}

// find gives a copy of a delivery stream.
func (c *Catalog) find(account, region, name string) (*Stream, error) {
	s := c.Stream(account, region, name)
	if s == nil {
		return nil, NotFound(account, name)
	}
	changed := *s
	return &changed, nil
}

// active refuses what may only be done to a delivery stream that is ACTIVE.
func (s *Stream) active() error {
	if s.Status != Active {
		return fault.New(fault.WrongState, "Firehose %s under account %s is in state %s; it must be ACTIVE.", s.Name, s.Account, s.Status)
	}
	return nil
}

func (d Create) apply(c *Catalog, at time.Time) error {
	if c.Stream(d.Account, d.Region, d.Name) != nil {
		return fault.New(fault.Exists, "Firehose %s under accountId %s already exists", d.Name, d.Account)
	}
	if len(c.Streams(d.Account, d.Region)) >= streamsMax {
		return fault.New(fault.LimitExceeded, "An account has at most %d delivery streams in a region.", streamsMax)
	}
	if err := tagsFit(d.Tags); err != nil {
		return err
	}
	c.last++
	s := &Stream{
		Number: c.last, ID: d.ID, Account: d.Account, Region: d.Region, Name: d.Name, Source: d.Source, S3: d.S3, Tags: d.Tags, Status: Creating, Version: 1, Created: at,
	}
	if len(s.Tags) == 0 {
		s.Tags = nil
	}
	c.with(s)
	return nil
}

func (d Update) apply(c *Catalog, at time.Time) error {
	s, err := c.find(d.Account, d.Region, d.Name)
	if err == nil {
		err = s.active()
	}
	if err != nil {
		return err
	}
	if s.Version != d.Version {
		return fault.New(fault.Conflict, "Cannot update firehose: %s since the current version id: %d and specified version id: %d do not match", s.Name, s.Version, d.Version)
	}
	s.S3, s.Updated = d.S3, at
	s.Version++
	c.with(s)
	return nil
}

func (d Delete) apply(c *Catalog, _ time.Time) error {
	s, err := c.find(d.Account, d.Region, d.Name)
	if err != nil {
		return err
	}
	if s.Status == Creating {
		return fault.New(fault.WrongState, "Firehose %s under account %s is in state %s; it cannot be deleted yet.", s.Name, s.Account, s.Status)
	}
	s.Status = Deleting
	c.with(s)
	return nil
}

func (d Tag) apply(c *Catalog, _ time.Time) error {
	s, err := c.find(d.Account, d.Region, d.Name)
	if err != nil {
		return err
	}
	tags := maps.Clone(s.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, d.Tags)
	if err := tagsFit(tags); err != nil {
		return err
	}
	s.Tags = nil
	if len(tags) > 0 {
		s.Tags = tags
	}
	c.with(s)
	return nil
}

func tagsFit(tags map[string]string) error {
	if len(tags) > tagsMax {
		return fault.New(fault.LimitExceeded, "A delivery stream has at most %d tags.", tagsMax)
	}
	return nil
}

func (d Untag) apply(c *Catalog, _ time.Time) error {
	s, err := c.find(d.Account, d.Region, d.Name)
	if err != nil {
		return err
	}
	tags := maps.Clone(s.Tags)
	for _, k := range d.Keys {
		delete(tags, k)
	}
	s.Tags = nil
	if len(tags) > 0 {
		s.Tags = tags
	}
	c.with(s)
	return nil
}

func (d Ready) apply(c *Catalog, at time.Time) error {
	if s := c.Numbered(d.Number); s != nil && s.Status == Creating {
		ready := *s
		ready.Status, ready.Began = Active, at
		c.with(&ready)
	}
	return nil
}

func (d Gone) apply(c *Catalog, _ time.Time) error {
	if s := c.Numbered(d.Number); s != nil && s.Status == Deleting {
		c.without(s)
	}
	return nil
}
