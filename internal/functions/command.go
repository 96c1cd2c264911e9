package functions

import (
	"time"

	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fold/commands"
)

// Command is something that may be asked of the catalog of functions. See commands.Set for what its name and fields promise.
type Command interface {
	// kind is the versioned name.
	kind() string
	// apply does to s, a private copy, what the command asks, and may answer with a value. It refuses with an error of a kind that commands knows and leaves s alone then.
	// It must depend on nothing but its arguments.
	apply(s *Catalog, at time.Time, position commitlog.Position) (value any, err error)
}

// Name is how commands name a function.
type Name struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Name    string `json:"name"`
}

// CreateFunction asks for a new function. It is Pending until Prepared.
type CreateFunction struct {
	Name
	Config       Config            `json:"config"`
	Code         Code              `json:"code"`
	Publish      bool              `json:"publish,omitempty"`
	Tags         map[string]string `json:"tags,omitempty"`
	CodeBytesMax int64             `json:"codeBytesMax"` // what the codes of an account in a region may come to
}

// UpdateCode gives Latest another code.
type UpdateCode struct {
	Name
	Code         Code   `json:"code"`
	Architecture string `json:"architecture,omitempty"` // empty keeps it
	Revision     string `json:"revision,omitempty"`     // must be Latest's, if given
	Publish      bool   `json:"publish,omitempty"`
	CodeBytesMax int64  `json:"codeBytesMax"`
}

// UpdateConfig gives Latest another configuration. Config is the whole of it: whoever asks has merged it with the one of Was, and is refused when that is no longer
// the one that counts.
type UpdateConfig struct {
	Name
	Config   Config `json:"config"`
	Was      string `json:"was"`                // the revision that Config was made from
	Revision string `json:"revision,omitempty"` // that the customer asks for, if any
}

// Prepared reports that the code of a function's versions lies where it can run, or why it does not. Reporting about what has changed since is no error.
type Prepared struct {
	Name
	Revision string `json:"revision"` // of Latest, when it was looked at
	Failure  string `json:"failure,omitempty"`
}

// DeleteFunction takes away a function, or one of its versions. What a published version is called by an alias stays.
type DeleteFunction struct {
	Name
	Qualifier string `json:"qualifier,omitempty"` // a version's number; empty is the whole function
}

// PublishVersion makes a version of Latest. Its value is the version's number: an older one when nothing has changed since.
type PublishVersion struct {
	Name
	CodeSHA256  string `json:"codeSHA256,omitempty"` // in hexadecimal; must be that of Latest, if given
	Description string `json:"description,omitempty"`
	Revision    string `json:"revision,omitempty"`
}

// CreateAlias names a version.
type CreateAlias struct {
	Name
	Alias       string `json:"alias"`
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
}

// UpdateAlias changes what an alias names. Absent parts stay.
type UpdateAlias struct {
	Name
	Alias       string  `json:"alias"`
	Version     string  `json:"version,omitempty"`
	Description *string `json:"description,omitempty"`
	Revision    string  `json:"revision,omitempty"`
}

// DeleteAlias takes an alias away. One that is not there is no error, as with AWS.
type DeleteAlias struct {
	Name
	Alias string `json:"alias"`
}

// SetConcurrency reserves concurrency for a function, or nothing.
type SetConcurrency struct {
	Name
	Reserved *int `json:"reserved,omitempty"` // nil takes the reservation away
	Most     int  `json:"most"`               // what all functions of the account may reserve together
}

// SetEventConfig says what becomes of asynchronous events.
type SetEventConfig struct {
	Name
	Config EventConfig `json:"config"` // Modified is filled in
	Merge  bool        `json:"merge,omitempty"`
}

// DeleteEventConfig goes back to the defaults.
type DeleteEventConfig struct {
	Name
	Qualifier string `json:"qualifier"`
}

// AddPermission adds a statement to a policy.
type AddPermission struct {
	Name
	Qualifier string `json:"qualifier,omitempty"`
	SID       string `json:"sid"`
	Text      string `json:"text"`
	Revision  string `json:"revision,omitempty"`
}

// RemovePermission takes a statement from a policy.
type RemovePermission struct {
	Name
	Qualifier string `json:"qualifier,omitempty"`
	SID       string `json:"sid"`
	Revision  string `json:"revision,omitempty"`
}

// Tag adds tags to a function, or replaces their values.
type Tag struct {
	Name
	Tags map[string]string `json:"tags"`
	Most int               `json:"most"`
}

// Untag takes tags from a function. A tag that is not there is no error.
type Untag struct {
	Name
	Keys []string `json:"keys"`
}

func (CreateFunction) kind() string    { return "CreateFunction.1" }
func (UpdateCode) kind() string        { return "UpdateCode.1" }
func (UpdateConfig) kind() string      { return "UpdateConfig.1" }
func (Prepared) kind() string          { return "Prepared.1" }
func (DeleteFunction) kind() string    { return "DeleteFunction.1" }
func (PublishVersion) kind() string    { return "PublishVersion.1" }
func (CreateAlias) kind() string       { return "CreateAlias.1" }
func (UpdateAlias) kind() string       { return "UpdateAlias.1" }
func (DeleteAlias) kind() string       { return "DeleteAlias.1" }
func (SetConcurrency) kind() string    { return "SetConcurrency.1" }
func (SetEventConfig) kind() string    { return "SetEventConfig.1" }
func (DeleteEventConfig) kind() string { return "DeleteEventConfig.1" }
func (AddPermission) kind() string     { return "AddPermission.1" }
func (RemovePermission) kind() string  { return "RemovePermission.1" }
func (Tag) kind() string               { return "Tag.1" }
func (Untag) kind() string             { return "Untag.1" }

// known is every command that this version understands.
var known = commands.Set[Command]{
	CreateFunction{}.kind():    commands.As[CreateFunction, Command],
	UpdateCode{}.kind():        commands.As[UpdateCode, Command],
	UpdateConfig{}.kind():      commands.As[UpdateConfig, Command],
	Prepared{}.kind():          commands.As[Prepared, Command],
	DeleteFunction{}.kind():    commands.As[DeleteFunction, Command],
	PublishVersion{}.kind():    commands.As[PublishVersion, Command],
	CreateAlias{}.kind():       commands.As[CreateAlias, Command],
	UpdateAlias{}.kind():       commands.As[UpdateAlias, Command],
	DeleteAlias{}.kind():       commands.As[DeleteAlias, Command],
	SetConcurrency{}.kind():    commands.As[SetConcurrency, Command],
	SetEventConfig{}.kind():    commands.As[SetEventConfig, Command],
	DeleteEventConfig{}.kind(): commands.As[DeleteEventConfig, Command],
	AddPermission{}.kind():     commands.As[AddPermission, Command],
	RemovePermission{}.kind():  commands.As[RemovePermission, Command],
	Tag{}.kind():               commands.As[Tag, Command],
	Untag{}.kind():             commands.As[Untag, Command],
}
