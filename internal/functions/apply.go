package functions

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/commitlog"
	"github.com/weir-stream/weir/internal/fault"
)

// revision is a UUID that no other change has (RFC 9562, version 8: of our own making).
func revision(name Name, position commitlog.Position) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%s\n%d", name.Account, name.Region, name.Name, position))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// NotFound is what is said of a function, version or alias that is not there.
func NotFound(functionARN string) error {
	return fault.New(fault.NotFound, "Function not found: %s", functionARN)
}

// find gives a copy of a function, whose slices and maps are shared: they are replaced, not written into.
func (s *Catalog) find(n Name) (*Function, error) {
	f := s.Function(n.Account, n.Region, n.Name)
	if f == nil {
		return nil, NotFound(arn.Function(n.Region, n.Account, n.Name, "").String())
	}
	c := *f
	return &c, nil
}

func (c CreateFunction) apply(s *Catalog, at time.Time, position commitlog.Position) (any, error) {
	if s.Function(c.Account, c.Region, c.Name.Name) != nil {
		return nil, fault.New(fault.Exists, "Function already exist: %s", c.Name.Name)
	}
	if err := s.checkCode(c.Name, c.Code, c.CodeBytesMax); err != nil {
		return nil, err
	}
	f := &Function{Account: c.Account, Region: c.Region, Name: c.Name.Name, Tags: c.Tags, Latest: Version{
		Number: Latest, Revision: revision(c.Name, position), Config: c.Config, Code: c.Code, Modified: at, State: Pending,
	}}
	if len(f.Tags) == 0 {
		f.Tags = nil
	}
	number := Latest
	if c.Publish {
		number = f.publish("", at, position)
	}
	s.with(f)
	return number, nil
}

// checkCode holds what an account's codes come to against the most that they may.
func (s *Catalog) checkCode(n Name, code Code, most int64) error {
	if s.CodeBytes(n.Account, n.Region)+code.Size > most {
		return fault.New(fault.LimitExceeded, "Code storage limit exceeded.")
	}
	return nil
}

// settled refuses a change while another one is under way.
func (f *Function) settled() error {
	if f.Latest.State == Pending {
		return fault.New(fault.WrongState, "The operation cannot be performed at this time. The function is currently in the following state: Pending")
	}
	if f.Latest.Update == InProgress {
		return fault.New(fault.WrongState, "The operation cannot be performed at this time. An update is in progress for resource: %s", f.ARN(""))
	}
	return nil
}

// mustBe refuses a change of something that is not as the customer saw it.
func mustBe(revision, wanted, operation string) error {
	if wanted != "" && wanted != revision {
		return fault.New(fault.Conflict, "The Revision Id provided does not match the latest Revision Id. Call the %s API to retrieve the latest Revision Id", operation)
	}
	return nil
}

func (c UpdateCode) apply(s *Catalog, at time.Time, position commitlog.Position) (any, error) {
	f, err := s.find(c.Name)
	if err != nil {
		return nil, err
	}
	if err := mustBe(f.Latest.Revision, c.Revision, "GetFunction/GetAlias"); err != nil {
		return nil, err
	}
	if err := f.settled(); err != nil {
		return nil, err
	}
	if err := s.checkCode(c.Name, c.Code, c.CodeBytesMax); err != nil {
		return nil, err
	}
	f.Latest.Code = c.Code
	if c.Architecture != "" {
		f.Latest.Config.Architecture = c.Architecture
	}
	f.change(at, revision(c.Name, position))
	number := Latest
	if c.Publish {
		number = f.publish("", at, position)
	}
	s.with(f)
	return number, nil
}

// change marks Latest as changed: it is prepared once more.
func (f *Function) change(at time.Time, revision string) {
	f.Latest.Revision, f.Latest.Modified, f.Latest.Update, f.Latest.UpdateReason = revision, at, InProgress, ""
}

func (c UpdateConfig) apply(s *Catalog, at time.Time, position commitlog.Position) (any, error) {
	f, err := s.find(c.Name)
	if err != nil {
		return nil, err
	}
	if err := mustBe(f.Latest.Revision, c.Revision, "GetFunction/GetAlias"); err != nil {
		return nil, err
	}
	if err := f.settled(); err != nil {
		return nil, err
	}
	if c.Was != f.Latest.Revision {
		return nil, fault.New(fault.WrongState, "The operation cannot be performed at this time. An update is in progress for resource: %s", f.ARN(""))
	}
	f.Latest.Config = c.Config
	f.change(at, revision(c.Name, position))
	s.with(f)
	return nil, nil
}

func (c Prepared) apply(s *Catalog, _ time.Time, _ commitlog.Position) (any, error) {
	f, err := s.find(c.Name)
	if err != nil || f.Latest.Revision != c.Revision {
		return nil, nil // it is gone, or has changed: somebody will report about that
	}
	f.Versions = slices.Clone(f.Versions)
	f.all(func(v *Version) {
		switch {
		case v.State == Pending && c.Failure == "":
			v.State = Active
		case v.State == Pending:
			v.State, v.Reason = Failed, c.Failure
		}
		if v.Number == Latest {
			v.Update, v.UpdateReason = Successful, ""
			if c.Failure != "" {
				v.Update, v.UpdateReason = UpdateFailed, c.Failure
			} else {
				v.State, v.Reason = Active, "" // what failed before is mended
			}
		}
	})
	s.with(f)
	return nil, nil
}

func (c DeleteFunction) apply(s *Catalog, _ time.Time, _ commitlog.Position) (any, error) {
	f, err := s.find(c.Name)
	if err != nil {
		return nil, err
	}
	if c.Qualifier == "" {
		s.without(f)
		return nil, nil
	}
	if c.Qualifier == Latest {
		return nil, fault.New(fault.Invalid, "$LATEST version cannot be deleted without deleting the function.")
	}
	if f.Version(c.Qualifier) == nil {
		return nil, NotFound(f.ARN(c.Qualifier))
	}
	for i := range f.Aliases {
		if f.Aliases[i].Version == c.Qualifier {
			return nil, fault.New(fault.WrongState, "Version was not able to be deleted because it is being referenced by the following aliases: %s", f.Aliases[i].Name)
		}
	}
	f.Versions = slices.DeleteFunc(slices.Clone(f.Versions), func(v Version) bool { return v.Number == c.Qualifier })
	f.forget(c.Qualifier)
	s.with(f)
	return nil, nil
}

// forget drops what was said of a qualifier that is gone.
func (f *Function) forget(qualifier string) {
	f.EventConfigs = slices.DeleteFunc(slices.Clone(f.EventConfigs), func(e EventConfig) bool { return e.Qualifier == qualifier })
	f.Policies = slices.DeleteFunc(slices.Clone(f.Policies), func(p Policy) bool { return p.Qualifier == qualifier })
	if len(f.EventConfigs) == 0 {
		f.EventConfigs = nil
	}
	if len(f.Policies) == 0 {
		f.Policies = nil
	}
	if len(f.Versions) == 0 {
		f.Versions = nil
	}
}

func (c PublishVersion) apply(s *Catalog, at time.Time, position commitlog.Position) (any, error) {
	f, err := s.find(c.Name)
	if err != nil {
		return nil, err
	}
	if err := mustBe(f.Latest.Revision, c.Revision, "GetFunction/GetAlias"); err != nil {
		return nil, err
	}
	if err := f.settled(); err != nil {
		return nil, err
	}
	if c.CodeSHA256 != "" && c.CodeSHA256 != f.Latest.Code.SHA256 {
		return nil, fault.New(fault.Invalid, "CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.",
			base64Of(c.CodeSHA256), base64Of(f.Latest.Code.SHA256))
	}
	number := f.publish(c.Description, at, position)
	s.with(f)
	return number, nil
}

// publish makes a version of Latest, unless the last one is the same. f is a private copy.
func (f *Function) publish(description string, at time.Time, position commitlog.Position) string {
	v := f.Latest
	if description != "" {
		v.Config.Description = description
	}
	if n := len(f.Versions); n > 0 {
		last := &f.Versions[n-1]
		if last.Code == v.Code && reflect.DeepEqual(last.Config, v.Config) {
			return last.Number
		}
	}
	f.LastVersion++
	v.Number, v.Modified = strconv.Itoa(f.LastVersion), at
	v.Revision = revision(Name{f.Account, f.Region, f.Name + ":" + v.Number}, position)
	v.Update, v.UpdateReason = Successful, ""
	if f.Latest.Update == InProgress {
		v.State = Pending // with the code that came with it
	}
	f.Versions = append(slices.Clone(f.Versions), v)
	return v.Number
}

func (c CreateAlias) apply(s *Catalog, _ time.Time, position commitlog.Position) (any, error) {
	f, err := s.find(c.Name)
	if err != nil {
		return nil, err
	}
	if f.Alias(c.Alias) != nil {
		return nil, fault.New(fault.Exists, "Alias already exists: %s", f.ARN(c.Alias))
	}
	if f.Version(c.Version) == nil {
		return nil, NotFound(f.ARN(c.Version))
	}
	f.setAlias(Alias{c.Alias, c.Version, c.Description, revision(Name{c.Account, c.Region, c.Name.Name + ":" + c.Alias}, position)})
	s.with(f)
	return nil, nil
}

// setAlias adds or replaces an alias, in order of name.
func (f *Function) setAlias(a Alias) {
	i, found := slices.BinarySearchFunc(f.Aliases, a.Name, func(a Alias, name string) int { return strings.Compare(a.Name, name) })
	f.Aliases = slices.Clone(f.Aliases)
	if found {
		f.Aliases[i] = a
		return
	}
	f.Aliases = slices.Insert(f.Aliases, i, a)
}

// NoAlias is what is said of an alias that is not there.
func NoAlias(aliasARN string) error {
	return fault.New(fault.NotFound, "Cannot find alias arn: %s", aliasARN)
}

func (c UpdateAlias) apply(s *Catalog, _ time.Time, position commitlog.Position) (any, error) {
	f, err := s.find(c.Name)
	if err != nil {
		return nil, err
	}
	alias := f.Alias(c.Alias)
	if alias == nil {
		return nil, NoAlias(f.ARN(c.Alias))
	}
	if err := mustBe(alias.Revision, c.Revision, "GetAlias"); err != nil {
		return nil, err
	}
	next := *alias
	if c.Version != "" {
		if f.Version(c.Version) == nil {
			return nil, NotFound(f.ARN(c.Version))
		}
		next.Version = c.Version
	}
	if c.Description != nil {
		next.Description = *c.Description
	}
	next.Revision = revision(Name{c.Account, c.Region, c.Name.Name + ":" + c.Alias}, position)
	f.setAlias(next)
	s.with(f)
	return nil, nil
}

func (c DeleteAlias) apply(s *Catalog, _ time.Time, _ commitlog.Position) (any, error) {
	f, err := s.find(c.Name)
	if err != nil {
		return nil, err
	}
	f.Aliases = slices.DeleteFunc(slices.Clone(f.Aliases), func(a Alias) bool { return a.Name == c.Alias })
	if len(f.Aliases) == 0 {
		f.Aliases = nil
	}
	f.forget(c.Alias)
	s.with(f)
	return nil, nil
}

func (c SetConcurrency) apply(s *Catalog, _ time.Time, _ commitlog.Position) (any, error) {
	f, err := s.find(c.Name)
	if err != nil {
		return nil, err
	}
	if c.Reserved != nil && s.Reserved(c.Account, c.Region, c.Name.Name)+*c.Reserved > c.Most {
		return nil, fault.New(fault.Invalid, "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value.")
	}
	f.Reserved = c.Reserved
	s.with(f)
	return nil, nil
}

func (c SetEventConfig) apply(s *Catalog, at time.Time, _ commitlog.Position) (any, error) {
	f, err := s.find(c.Name)
	if err != nil {
		return nil, err
	}
	next := c.Config
	if next.Qualifier == "" {
		next.Qualifier = Latest
	}
	if f.Qualified(next.Qualifier) == nil {
		return nil, NotFound(f.ARN(next.Qualifier))
	}
	if was := f.EventConfig(next.Qualifier); c.Merge {
		if was == nil {
			return nil, NoEventConfig(f.ARN(next.Qualifier))
		}
		next = was.merged(next)
	}
	next.Modified = at
	f.EventConfigs = slices.DeleteFunc(slices.Clone(f.EventConfigs), func(e EventConfig) bool { return e.Qualifier == next.Qualifier })
	i, _ := slices.BinarySearchFunc(f.EventConfigs, next.Qualifier, func(e EventConfig, q string) int { return strings.Compare(e.Qualifier, q) })
	f.EventConfigs = slices.Insert(f.EventConfigs, i, next)
	s.with(f)
	return nil, nil
}

// NoEventConfig is what is said of a configuration that is not there.
func NoEventConfig(functionARN string) error {
	return fault.New(fault.NotFound, "The function %s doesn't have an EventInvokeConfig", functionARN)
}

// merged is e with what next says.
func (e EventConfig) merged(next EventConfig) EventConfig {
	if next.Retries != nil {
		e.Retries = next.Retries
	}
	if next.AgeSeconds != nil {
		e.AgeSeconds = next.AgeSeconds
	}
	if next.OnSuccess != "" {
		e.OnSuccess = next.OnSuccess
	}
	if next.OnFailure != "" {
		e.OnFailure = next.OnFailure
	}
	return e
}

func (c DeleteEventConfig) apply(s *Catalog, _ time.Time, _ commitlog.Position) (any, error) {
	f, err := s.find(c.Name)
	if err != nil {
		return nil, err
	}
	was := f.EventConfig(c.Qualifier)
	if was == nil {
		return nil, NoEventConfig(f.ARN(c.Qualifier))
	}
	qualifier := was.Qualifier
	f.EventConfigs = slices.DeleteFunc(slices.Clone(f.EventConfigs), func(e EventConfig) bool { return e.Qualifier == qualifier })
	if len(f.EventConfigs) == 0 {
		f.EventConfigs = nil
	}
	s.with(f)
	return nil, nil
}
