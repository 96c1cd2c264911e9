package mapping

import (
	"maps"
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/fold/commands"
)

// Command is something that may be asked of the catalog of mappings. See commands.Set for what its name and fields promise.
type Command interface {
	kind() string
	// apply does to s, a private copy, what the command asks. It refuses with an error of a kind that commands knows and leaves s alone then. It must depend on nothing but its
	// arguments.
	apply(s *Catalog, at time.Time, position commitlog.Position) error
}

// Create asks for a mapping. It is Creating until Settled.
type Create struct {
	UUID     string            `json:"uuid"` // a new one
	Account  string            `json:"account"`
	Region   string            `json:"region"`
	Function string            `json:"function"`
	Source   string            `json:"source"`
	Starting Starting          `json:"starting"`
	Config   Config            `json:"config"`
	Enabled  bool              `json:"enabled"`
	Tags     map[string]string `json:"tags,omitempty"`
}

// Update changes a mapping. Function, Config and Enabled are the whole of it: whoever asks has merged them with the mapping of Was, and is refused when that is no longer the
// one that counts.
type Update struct {
	UUID     string `json:"uuid"`
	Was      int64  `json:"was"` // Mapping.Changed
	Function string `json:"function"`
	Config   Config `json:"config"`
	Enabled  bool   `json:"enabled"`
}

// Delete asks for a mapping's end.
type Delete struct {
	UUID string `json:"uuid"`
}

// Settled reports that a mapping is as the customer wants it. Reporting about what has changed since is no error.
type Settled struct {
	UUID    string `json:"uuid"`
	Changed int64  `json:"changed"`
}

// Gone reports that nothing is left of a Deleting mapping. Reporting twice is no error.
type Gone struct {
	UUID string `json:"uuid"`
}

// Processed reports what came of a mapping's last batch. About one that is gone it is no error.
type Processed struct {
	UUID   string `json:"uuid"`
	Result string `json:"result"`
}

func (Create) kind() string    { return "CreateMapping.1" }
func (Update) kind() string    { return "UpdateMapping.1" }
func (Delete) kind() string    { return "DeleteMapping.1" }
func (Settled) kind() string   { return "MappingSettled.1" }
func (Gone) kind() string      { return "MappingGone.1" }
func (Processed) kind() string { return "MappingProcessed.1" }

// known is every command that this version understands.
var known = commands.Set[Command]{
	Create{}.kind():    commands.As[Create, Command],
	Update{}.kind():    commands.As[Update, Command],
	Delete{}.kind():    commands.As[Delete, Command],
	Settled{}.kind():   commands.As[Settled, Command],
	Gone{}.kind():      commands.As[Gone, Command],
	Processed{}.kind(): commands.As[Processed, Command],
}

// NotFound is what is said of a mapping that is not there.
func NotFound() error { return fault.New(fault.NotFound, "The resource you requested does not exist.") }

// inUse is what is said of a mapping that is changing.
func inUse(what string) error {
	return fault.New(fault.WrongState, "Cannot %s the event source mapping because it is in use.", what)
}

func (s *Catalog) find(uuid string) (*Mapping, error) {
	m := s.mappings[uuid]
	if m == nil {
		return nil, NotFound()
	}
	c := *m
	return &c, nil
}

// twin refuses a second mapping of a source to a function.
func (s *Catalog) twin(source, function, but string) error {
	for _, m := range s.All() {
		if m.Source == source && m.Function == function && m.UUID != but {
			return fault.New(fault.Exists, "The event source arn (\" %s \") and function (\" %s \") provided mapping already exists. Please update or delete the existing mapping with UUID %s",
				source, nameOf(function), m.UUID)
		}
	}
	return nil
}

func (c Create) apply(s *Catalog, at time.Time, position commitlog.Position) error {
	if s.mappings[c.UUID] != nil {
		return fault.New(fault.Exists, "A mapping with UUID %s already exists.", c.UUID)
	}
	if err := s.twin(c.Source, c.Function, ""); err != nil {
		return err
	}
	m := &Mapping{
		UUID: c.UUID, Account: c.Account, Region: c.Region, Function: c.Function, Source: c.Source, Starting: c.Starting, Config: c.Config, Enabled: c.Enabled, Tags: c.Tags,
		State: Creating, Reason: userAction, Modified: at, Result: noRecords, Changed: position + 1,
	}
	if len(m.Tags) == 0 {
		m.Tags = nil
	}
	s.with(m)
	return nil
}

func (c Update) apply(s *Catalog, at time.Time, position commitlog.Position) error {
	m, err := s.find(c.UUID)
	if err != nil {
		return err
	}
	if !m.State.settled() || c.Was != m.Changed {
		return inUse("update")
	}
	if err := s.twin(m.Source, c.Function, m.UUID); err != nil {
		return err
	}
	switch {
	case c.Enabled && !m.Enabled:
		m.State = Enabling
	case !c.Enabled && m.Enabled:
		m.State = Disabling
	default:
		m.State = Updating
	}
	m.Function, m.Config, m.Enabled = c.Function, c.Config, c.Enabled
	m.Reason, m.Modified, m.Changed = userAction, at, position+1
	s.with(m)
	return nil
}

func (c Delete) apply(s *Catalog, at time.Time, position commitlog.Position) error {
	m, err := s.find(c.UUID)
	if err != nil {
		return err
	}
	if !m.State.settled() {
		return inUse("delete")
	}
	m.State, m.Reason, m.Modified, m.Changed = Deleting, userAction, at, position+1
	s.with(m)
	return nil
}

func (c Settled) apply(s *Catalog, _ time.Time, _ commitlog.Position) error {
	m, err := s.find(c.UUID)
	if err != nil || m.Changed != c.Changed || m.State.settled() || m.State == Deleting {
		return nil // somebody will report about what it is now
	}
	if m.State = Disabled; m.Enabled {
		m.State = Enabled
	}
	s.with(m)
	return nil
}

func (c Gone) apply(s *Catalog, _ time.Time, _ commitlog.Position) error {
	if m := s.mappings[c.UUID]; m != nil && m.State == Deleting {
		s.mappings = maps.Clone(s.mappings)
		delete(s.mappings, c.UUID)
	}
	return nil
}

func (c Processed) apply(s *Catalog, _ time.Time, _ commitlog.Position) error {
	if m, err := s.find(c.UUID); err == nil {
		m.Result = c.Result
		s.with(m)
	}
	return nil
}
