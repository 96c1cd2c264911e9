// Package offers is the Internet provider: people sign up in thirty countries, a function looks up how fast the lines of their country are, and
// every sign-up gets an offer, in a stream and in the provider's app.
//
// It owns the generator, the oracle, the function itself, the app that is called back, and the check that holds what came out against the oracle. The
// server that all of it runs on is the caller's, by package scenario.
//
// Read generate.go, then enrich.go, then check.go; step.go is a run on a clock that is moved by hand.
package offers

import (
	"time"
)

// The streams, and the function between them.
const (
	SignUps  = "signups"
	Offers   = "offers"
	Function = "enrich"
)

// SmokeCount is how many sign-ups a check has, and FullCount those of ten minutes at Rate.
const (
	SmokeCount = 2000
	FullCount  = 120_000
)

// Rate is how many people sign up in a second of the scenario's time.
const Rate = 200

// Pace is how the time of a check goes.
type Pace string

// The paces.
const (
	Max     Pace = "max"  // sign-ups come as fast as offers are made of them
	Real    Pace = "real" // Rate of them a second, and how long an offer takes is judged
	Stepped Pace = "test" // the server's clock stands still and is moved by a second at a time, for Span
)

// Mapping is how the function is given sign-ups.
type Mapping string

// The mappings.
const (
	Standard Mapping = "standard" // of the stream
	FanOut   Mapping = "fan-out"  // of a consumer that is registered with the stream
	Windowed Mapping = "window"   // of the stream, in batches that are gathered for Window
)

// Span is how long a Stepped run lasts by the server's clock, whatever its count.
const Span = 10 * time.Minute

// Window is how long a Windowed mapping gathers: the longest that Lambda allows (API_CreateEventSourceMapping).
const Window = 300 * time.Second

// Bound is how long ninety-nine of a hundred offers may take from the put to the reading, at the pace Real and without a fault. AWS's pollers ask a shard once a second.
func (m Mapping) Bound() time.Duration {
	if m == FanOut {
		return 300 * time.Millisecond
	}
	return 2 * time.Second
}

// DefaultPlan is offered when nobody knows where somebody is.
const DefaultPlan = "basic"

// SignUp is one line of the provider's web site. Where somebody is may be unknown: then Country is empty, Lat and Lon are absent.
type SignUp struct {
	User    string    `json:"user"`
	IP      string    `json:"ip"`
	Lat     *float64  `json:"lat,omitempty"`
	Lon     *float64  `json:"lon,omitempty"`
	Country string    `json:"country"`
	At      time.Time `json:"ts"`
}

// Offer is what the function makes of a SignUp. Mbps is nought for an unknown place.
type Offer struct {
	User    string    `json:"user"`
	At      time.Time `json:"ts"` // of the sign-up
	Country string    `json:"country"`
	Mbps    int       `json:"mbps"`
	Plan    string    `json:"plan"`
}

// timeFormat is a time in a key: milliseconds, as the generator makes them.
const timeFormat = "2006-01-02T15:04:05.000Z"

// Key is the business key of a sign-up: who, and when. No user signs up twice in a millisecond.
func (s SignUp) Key() string { return s.User + "@" + s.At.UTC().Format(timeFormat) }

// Key is the business key of the sign-up that the offer is for.
func (o Offer) Key() string { return SignUp{User: o.User, At: o.At}.Key() }
