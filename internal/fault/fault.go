// Package fault gives every error of Weir a kind that code switches on and a sentence that people read.
//
// It owns the closed list of kinds and the mark "outcome unknown". What a kind looks like to a
// customer belongs to the api packages, each of which maps kind to AWS error in one table.
//
// Read Kind, then New and Wrap.
package fault

import (
	"context"
	"errors"
	"fmt"
)

// Kind says what went wrong in a word that code may switch on. The list is closed: a new kind is a
// change to every table that maps kinds to the errors of a service.
type Kind uint8

// The kinds. The zero Kind is Internal, so that an error nobody classified is never mistaken for a customer's mistake.
const (
	Internal      Kind = iota // our own promise is broken, or nobody classified the error
	NotFound                  // the named thing does not exist
	Exists                    // the named thing exists already
	Invalid                   // the request makes no sense, whatever the state
	Denied                    // the caller may not do this
	Throttled                 // too fast for a limit; the same request may succeed later
	Conflict                  // the state changed under the caller, or two callers want the same thing
	Sealed                    // the log accepts no more appends
	Trimmed                   // the position is older than what is kept
	Fenced                    // a newer incarnation owns this, or the lease ran out
	Expired                   // a token or iterator outlived its time
	LimitExceeded             // a count or size limit of the account or resource
	WrongState                // the thing exists, in a state that forbids this
	Full                      // no room on the device; heals when there is room again
	Unsupported               // Weir does not do this, and says so by name
	Unavailable               // a part does not answer; see Unknown
	Corrupt                   // bytes on disk are not what was written
)

var kindNames = [...]string{
	"internal", "not found", "exists", "invalid", "denied", "throttled", "conflict", "sealed", "trimmed", "fenced",
	"expired", "limit exceeded", "wrong state", "full", "unsupported", "unavailable", "corrupt",
}

// String is the kind in lower-case words, for logs.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Error is a kind, a sentence and what caused it. Make one with New, Wrap or Unknown.
type Error struct {
	Kind    Kind
	Unknown bool // it may have happened: the reply was lost, not the request refused
	Message string
	Cause   error // may be nil
}

// Error reads as a path from the outermost caller to the cause.
func (e *Error) Error() string {
	switch {
	case e.Cause == nil:
		return e.Message
	case e.Message == "":
		return e.Cause.Error()
	default:
		return e.Message + ": " + e.Cause.Error()
	}
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Cause }

// New makes an error of a kind. The message is lower-case and names the offending thing.
func New(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Wrap adds what only this level knows; kind and outcome stay those of err. Wrap of nil is nil.
func Wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: KindOf(err), Unknown: IsUnknown(err), Message: fmt.Sprintf(format, args...), Cause: err}
}

// As gives err a kind that its own type does not carry, such as an error of the operating system. As of nil is nil.
func As(kind Kind, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), Cause: err}
}

// Unknown is an error of kind whose effect may or may not have happened. Callers carry ids that make asking twice safe.
func Unknown(kind Kind, cause error, format string, args ...any) error {
	return &Error{Kind: kind, Unknown: true, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// KindOf is the kind of the outermost Error in err's chain. A context's end counts as Unavailable; everything else is Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Unavailable
	}
	return Internal
}

// Is says whether err is an error of kind. A nil error is of no kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

// IsUnknown says whether any Error in err's chain carries the mark "it may have happened".
func IsUnknown(err error) bool {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return false
		}
		if e.Unknown {
			return true
		}
		err = e.Cause
	}
	return false
}
