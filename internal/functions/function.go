package functions

import (
	"slices"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/arn"
)

// Latest is the version that changes: what a function is before it is published.
const Latest = "$LATEST"

// URLVariable is the environment variable whose value makes a function a remote one: the event is posted to that URL, and nothing runs here. Why it is a variable is
// told in docs/design/0007-functions.md.
const URLVariable = "WEIR_FUNCTION_URL"

// Function is a function with all that belongs to it. A Function in a State is immutable: Apply makes another.
type Function struct {
	Account      string            `json:"account"`
	Region       string            `json:"region"`
	Name         string            `json:"name"`
	Latest       Version           `json:"latest"`
	Versions     []Version         `json:"versions,omitempty"`    // published ones, ascending
	LastVersion  int               `json:"lastVersion,omitempty"` // the highest number given out; none is given out twice
	Aliases      []Alias           `json:"aliases,omitempty"`     // by name
	Reserved     *int              `json:"reserved,omitempty"`    // concurrency kept for it, and not exceeded; nil is what all share
	EventConfigs []EventConfig     `json:"eventConfigs,omitempty"`
	Policies     []Policy          `json:"policies,omitempty"` // by qualifier
	Tags         map[string]string `json:"tags,omitempty"`
}

// Version is the code and the configuration of a function at one time. Published ones do not change.
type Version struct {
	Number       string    `json:"number"`   // Latest, or "1", "2", …
	Revision     string    `json:"revision"` // a UUID, another one after each change
	Config       Config    `json:"config"`
	Code         Code      `json:"code"`
	Modified     time.Time `json:"modified"`
	State        State     `json:"state"`
	Reason       string    `json:"reason,omitempty"` // of Failed
	Update       Update    `json:"update,omitempty"` // of Latest: what became of its last change
	UpdateReason string    `json:"updateReason,omitempty"`
}

// State is whether a version can be invoked, in AWS's words.
type State string

// The states of a version.
const (
	Pending State = "Pending" // being unpacked for the first time
	Active  State = "Active"
	Failed  State = "Failed"
)

// Update is what became of the last change of a function, in AWS's words.
type Update string

// What may have become of a change.
const (
	InProgress   Update = "InProgress"
	Successful   Update = "Successful"
	UpdateFailed Update = "Failed"
)

// Config is what a customer says of a version, but for its code.
type Config struct {
	Runtime        string            `json:"runtime"`
	Handler        string            `json:"handler"`
	Role           string            `json:"role"` // kept and given back
	Description    string            `json:"description,omitempty"`
	MemoryMB       int               `json:"memoryMB"`
	TimeoutSeconds int               `json:"timeoutSeconds"`
	EphemeralMB    int               `json:"ephemeralMB"` // of /tmp; kept and given back
	Env            map[string]string `json:"env,omitempty"`
	Architecture   string            `json:"architecture"` // "x86_64" or "arm64": the host's
}

// Code is a zip file in the store of codes.
type Code struct {
	SHA256 string `json:"sha256"` // in hexadecimal
	Size   int64  `json:"size"`   // bytes
}

// Alias is a name for a version.
type Alias struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
	Revision    string `json:"revision"`
}

// EventConfig says what becomes of events that are invoked asynchronously, for a version or an alias. Absent parts are the defaults.
type EventConfig struct {
	Qualifier  string    `json:"qualifier"`
	Retries    *int      `json:"retries,omitempty"`    // after the first try; nil is retriesMax
	AgeSeconds *int      `json:"ageSeconds,omitempty"` // how old an event may become before it is given up; nil is ageMax
	OnSuccess  string    `json:"onSuccess,omitempty"`  // ARN of a function
	OnFailure  string    `json:"onFailure,omitempty"`
	Modified   time.Time `json:"modified"`
}

// Policy is who else may use a function, or one of its versions or aliases.
type Policy struct {
	Qualifier  string      `json:"qualifier"` // empty is the function itself
	Revision   string      `json:"revision"`
	Statements []Statement `json:"statements"` // in the order in which they were added
}

// Statement is one permission.
type Statement struct {
	SID  string `json:"sid"`
	Text string `json:"text"` // JSON, as GetPolicy gives it
}

// ARN is the function's own, or that of one of its versions or aliases.
func (f *Function) ARN(qualifier string) string {
	return arn.Function(f.Region, f.Account, f.Name, qualifier).String()
}

// Version finds a version by number, or nil. The result is only read.
func (f *Function) Version(number string) *Version {
	if number == Latest {
		return &f.Latest
	}
	for i := range f.Versions {
		if f.Versions[i].Number == number {
			return &f.Versions[i]
		}
	}
	return nil
}

// Alias finds an alias by name, or nil. The result is only read.
func (f *Function) Alias(name string) *Alias {
	i, found := slices.BinarySearchFunc(f.Aliases, name, func(a Alias, name string) int { return strings.Compare(a.Name, name) })
	if !found {
		return nil
	}
	return &f.Aliases[i]
}

// Qualified is the version that a qualifier names: a number, Latest, an alias, or nothing at all, which is Latest. Nil when there is none.
func (f *Function) Qualified(qualifier string) *Version {
	if qualifier == "" {
		return &f.Latest
	}
	if alias := f.Alias(qualifier); alias != nil {
		return f.Version(alias.Version)
	}
	return f.Version(qualifier)
}

// EventConfig finds the configuration of a qualifier, or nil. An empty one is Latest's.
func (f *Function) EventConfig(qualifier string) *EventConfig {
	if qualifier == "" {
		qualifier = Latest
	}
	for i := range f.EventConfigs {
		if f.EventConfigs[i].Qualifier == qualifier {
			return &f.EventConfigs[i]
		}
	}
	return nil
}

// Policy finds the policy of a qualifier, or nil.
func (f *Function) Policy(qualifier string) *Policy {
	for i := range f.Policies {
		if f.Policies[i].Qualifier == qualifier {
			return &f.Policies[i]
		}
	}
	return nil
}

// all visits every version, Latest first.
func (f *Function) all(visit func(*Version)) {
	visit(&f.Latest)
	for i := range f.Versions {
		visit(&f.Versions[i])
	}
}

// URL is where a remote function's events are posted; empty when it runs here.
func (v *Version) URL() string { return v.Config.Env[URLVariable] }
