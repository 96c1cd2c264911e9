package store

import (
	"strings"
	"time"
)

// Lifecycle is what a bucket lets go by itself.
type Lifecycle struct {
	Rules []Rule `json:"rules"`
	// TransitionMinimum is x-amz-transition-default-minimum-object-size as it was put. There are no transitions; clients read it back.
	TransitionMinimum string `json:"transitionMinimum,omitempty"`
}

// Rule is one rule of a lifecycle (API_LifecycleRule). Fields that are zero say nothing.
type Rule struct {
	ID      string `json:"id"`
	Enabled bool   `json:"enabled"`

	// Which objects: all conditions must hold.
	Prefix      string            `json:"prefix,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	LargerThan  *int64            `json:"largerThan,omitempty"`  // bytes
	SmallerThan *int64            `json:"smallerThan,omitempty"` // bytes
	// Shape is how the conditions were written, to be read back so.
	Shape FilterShape `json:"shape,omitempty"`

	ExpirationDays int       `json:"expirationDays,omitempty"`
	ExpirationDate time.Time `json:"expirationDate,omitzero"` // a midnight in UTC
	AbortDays      int       `json:"abortDays,omitempty"`     // of uploads, counted from their beginning
}

// FilterShape is the element in which a rule's conditions stood.
type FilterShape string

// The shapes.
const (
	OldPrefix   FilterShape = "prefix" // Prefix beside the rule's other elements
	EmptyFilter FilterShape = ""       // Filter without conditions, or with one
	AndFilter   FilterShape = "and"    // And inside Filter
)

const day = 24 * time.Hour

// applies says whether a rule is about an object.
func (r *Rule) applies(o *Object) bool {
	if !r.Enabled || !strings.HasPrefix(o.Key, r.Prefix) {
		return false
	}
	if r.LargerThan != nil && o.Size <= *r.LargerThan || r.SmallerThan != nil && o.Size >= *r.SmallerThan {
		return false
	}
	for key, value := range r.Tags {
		if got, some := o.Tags[key]; !some || got != value {
			return false
		}
	}
	return true
}

// expires is when a rule removes an object, zero for never.
func (r *Rule) expires(o *Object) time.Time {
	switch {
	case !r.applies(o):
		return time.Time{}
	case !r.ExpirationDate.IsZero():
		return r.ExpirationDate
	case r.ExpirationDays > 0:
		return midnightAfter(o.Modified.Add(time.Duration(r.ExpirationDays) * day))
	}
	return time.Time{}
}

// aborts is when a rule ends an upload, zero for never.
func (r *Rule) aborts(u *Upload) time.Time {
	if !r.Enabled || r.AbortDays == 0 || !strings.HasPrefix(u.Key, r.Prefix) || len(r.Tags) > 0 || r.LargerThan != nil || r.SmallerThan != nil {
		return time.Time{}
	}
	return midnightAfter(u.Initiated.Add(time.Duration(r.AbortDays) * day))
}

// midnightAfter rounds up to the next midnight in UTC, as S3 does with expiry in days ("rounding the resulting time to the next day
// midnight UTC", S3 User Guide, Expiring objects).
func midnightAfter(t time.Time) time.Time {
	if whole := t.UTC().Truncate(day); whole.Equal(t) {
		return whole
	}
	return t.UTC().Truncate(day).Add(day)
}

// AbortOf is when a bucket's lifecycle ends an upload, and the rule that says so; zero when none does.
func (b *Bucket) AbortOf(u *Upload) (at time.Time, rule string) {
	if b.Lifecycle == nil {
		return time.Time{}, ""
	}
	for i := range b.Lifecycle.Rules {
		r := &b.Lifecycle.Rules[i]
		if due := r.aborts(u); !due.IsZero() && (at.IsZero() || due.Before(at)) {
			at, rule = due, r.ID
		}
	}
	return at, rule
}
