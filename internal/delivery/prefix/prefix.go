// Package prefix is the expressions in the prefixes of delivered objects: !{timestamp:yyyy/MM}, !{firehose:random-string}.
//
// It owns how they are written, what is wrong with them in words for the customer, and what they evaluate to. What an object is called behind its prefix belongs to delivery.
//
// Read Parse, then time.go.
package prefix

import (
	"strings"
	"time"
	_ "time/tzdata" // time zones are the same on every machine

	"github.com/weir-stream/weir/internal/fault"
)

// evaluatedMax is how long a prefix may be once its expressions are evaluated, in characters (Firehose developer guide, "Understand custom prefixes for Amazon S3 objects", read 2026-11).
const evaluatedMax = 512

// randomLength is how many characters !{firehose:random-string} gives (as above).
const randomLength = 11

// byDefault is appended to a prefix without expressions.
const byDefault = "yyyy/MM/dd/HH/"

// Prefix is one that has been read. The zero Prefix is the empty one.
type Prefix struct {
	parts  []part
	random int  // how many random strings it has
	errors bool // it has an error-output-type
}

// part is a literal, a pattern of time, or, when both are empty, something that Evaluate is told.
type part struct {
	literal string
	time    []field
	kind    kind
}

type kind uint8

const (
	literal kind = iota
	timestamp
	randomString
	errorType
)

// Names of expressions.
const (
	opening       = "!{"
	nameTimestamp = "timestamp"
	nameFirehose  = "firehose"
	valueRandom   = "random-string"
	valueError    = "error-output-type"
)

func wrong(format string, args ...any) error {
	// AWS's words begin so, its typing error included.
	return fault.New(fault.Invalid, "Ths supplied prefix(es) do not satisfy the following constraint: "+format, args...)
}

// Parse reads a prefix. Invalid, in words for the customer, when an expression is none; Unsupported when this version does not have it.
func Parse(text string) (Prefix, error) {
	var p Prefix
	for text != "" {
		before, after, has := strings.Cut(text, opening)
		if before != "" {
			p.parts = append(p.parts, part{literal: before})
		}
		if !has {
			break
		}
		expression, rest, closed := strings.Cut(after, "}")
		if !closed {
			return Prefix{}, wrong("the sequence !{ begins an expression, and %q has no end", opening+after)
		}
		next, err := parseExpression(expression)
		if err != nil {
			return Prefix{}, err
		}
		switch next.kind {
		case randomString:
			p.random++
		case errorType:
			p.errors = true
		}
		p.parts = append(p.parts, next)
		text = rest
	}
	return p, nil
}

func parseExpression(expression string) (part, error) {
	namespace, value, has := strings.Cut(expression, ":")
	switch {
	case !has:
		return part{}, wrong("!{%s} is no expression of the form !{namespace:value}", expression)
	case namespace == nameTimestamp:
		fields, err := parsePattern(value)
		return part{kind: timestamp, time: fields}, err
	case namespace == nameFirehose && value == valueRandom:
		return part{kind: randomString}, nil
	case namespace == nameFirehose && value == valueError:
		return part{kind: errorType}, nil
	case namespace == "partitionKeyFromQuery", namespace == "partitionKeyFromLambda":
		return part{}, fault.New(fault.Unsupported, "The prefix expression !{%s} needs dynamic partitioning, which is not supported by this version of Weir.", expression)
	}
	return part{}, wrong("!{%s} is no expression that Firehose knows", expression)
}

// HasExpressions says whether anything in the prefix is evaluated.
func (p Prefix) HasExpressions() bool {
	for _, each := range p.parts {
		if each.kind != literal {
			return true
		}
	}
	return false
}

// Randoms is how many characters of chance Evaluate needs.
func (p Prefix) Randoms() int { return p.random * randomLength }

// Check says what is wrong with the two prefixes of a destination. Invalid in words for the customer, Unsupported by name.
func Check(objects, failures string) error {
	p, err := Parse(objects)
	if err != nil {
		return err
	}
	e, err := Parse(failures)
	if err != nil {
		return err
	}
	switch {
	case p.errors:
		return wrong("!{firehose:error-output-type} may only stand in ErrorOutputPrefix")
	case p.HasExpressions() && failures == "":
		return wrong("ErrorOutputPrefix cannot be null or empty when Prefix contains expressions")
	case e.HasExpressions() && !e.errors:
		return wrong("ErrorOutputPrefix must contain !{firehose:error-output-type} when it contains expressions")
	}
	// No field is longer in another month: names of months and days are what differs, by a few characters.
	sample := time.Date(2026, time.September, 30, 12, 0, 0, 0, time.UTC)
	for _, each := range []Prefix{p, e} {
		if n := len(each.Evaluate(sample, strings.Repeat("x", each.Randoms()), "processing-failed")); n > evaluatedMax {
			return wrong("a prefix has at most %d characters once it is evaluated, and one has %d", evaluatedMax, n)
		}
	}
	return nil
}

// Zone is a time zone by its name, UTC for the empty one. Invalid when there is none of that name.
func Zone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" { // the machine's is no zone of the customer's
		return nil, fault.New(fault.Invalid, "CustomTimeZone %s is not a valid time zone.", name)
	}
	return zone, nil
}

// Evaluate is the prefix of an object whose oldest record arrived at a time, which is in the customer's zone. random has Randoms characters; failure is the type of failed records.
func (p Prefix) Evaluate(at time.Time, random, failure string) string {
	var out []byte
	expressions := false
	for _, each := range p.parts {
		expressions = expressions || each.kind != literal
		switch each.kind {
		case literal:
			out = append(out, each.literal...)
		case timestamp:
			out = appendTime(out, each.time, at)
		case randomString:
			out = append(out, random[:randomLength]...)
			random = random[randomLength:]
		case errorType:
			out = append(out, failure...)
		}
	}
	if !expressions {
		out = appendTime(out, defaultFields, at)
	}
	return string(out)
}
