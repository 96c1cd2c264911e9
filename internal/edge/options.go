package edge

import (
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
)

// Options says what the edge listens on, whom it asks and what it puts up with. Services and Auth must be given; every other zero
// value has the default its comment names.
type Options struct {
	// Listen and TLSListen are host:port; port 0 takes a free one. Empty is off. Listen speaks HTTP/1.1 and HTTP/2 with prior
	// knowledge; TLSListen the same over TLS, with or without ALPN.
	Listen, TLSListen string
	// TLS is who certifies TLSListen; see OpenAuthority. It must be given with TLSListen.
	TLS *Authority

	Services []Service
	Auth     auth.Authenticator
	// Observe is told of every finished request, on the request's goroutine. Nil is nobody.
	Observe func(Event)
	// Origins are web origins ("https://console.example.com") whose pages may call, beside pages served from loopback. When Auth
	// verifies, pages of every origin may: their requests are worth nothing without a key.
	Origins []string

	// BodyBytesMax is the largest body. 16 MiB: PutRecords takes 10 MiB of data and keys, which base64 makes a third larger.
	BodyBytesMax int64
	// BodiesBytesMax is how much of large bodies (above 64 KiB each) may be in memory at once. 256 MiB. Requests beyond it wait
	// up to BodyGrace and are then refused with ServiceUnavailable.
	BodiesBytesMax int64
	// HeaderBytesMax is the largest request header. 64 KiB.
	HeaderBytesMax int
	// ConnectionsMax is how many connections there may be, on both listeners together. Further ones wait in the kernel. 20,000: the pools of ten
	// thousand clients that mostly idle leave as many for those at work, and an idle connection takes 12 to 16 kB (test/bench, connections), so that
	// all of them together take about 300 MB.
	ConnectionsMax int

	// HeaderTimeout is how long a client may take for its TLS handshake, and for the header of a request. 10 s.
	HeaderTimeout time.Duration
	// BodyGrace and BodyRateMin are how long a body may take: the grace, and a second more for every BodyRateMin bytes. 10 s, 64 KiB.
	// Answers, and the pieces of those that stream, must be taken at the same rate.
	BodyGrace   time.Duration
	BodyRateMin int64
	// IdleTimeout is how long a connection may stay without a request. 2 min: longer than SDKs keep one in their pools.
	IdleTimeout time.Duration
	// DrainTimeout is how long requests may go on after Run's context ends. 10 s.
	DrainTimeout time.Duration

	// Clock is real time, for signatures, deadlines and durations; a manual clock does not belong here. clock.Real.
	Clock clock.Clock
	// Random seeds request ids. crypto/rand.
	Random io.Reader
	// Logger is told of connections that break in ways worth knowing. slog.Default().
	Logger *slog.Logger
}

// ConnectionsMaxDefault is Options.ConnectionsMax when nobody says otherwise.
const ConnectionsMaxDefault = 20_000

// Validate says all that is wrong at once. Invalid.
func (o *Options) Validate() error {
	var wrong []string
	check := func(ok bool, text string) {
		if !ok {
			wrong = append(wrong, text)
		}
	}
	check(o.Auth != nil, "no authenticator")
	check(o.TLSListen == "" || o.TLS != nil, "a TLS listener without an authority")
	targets := make(map[string]string)
	for _, s := range o.Services {
		check(s.Name() != "", "a service without a name")
		if prefix := s.TargetPrefix(); prefix != "" {
			other, twice := targets[prefix]
			check(!twice, "services "+other+" and "+s.Name()+" share the target prefix "+prefix)
			targets[prefix] = s.Name()
		}
	}
	for name, v := range map[string]int64{
		"body bytes": o.BodyBytesMax, "bodies bytes": o.BodiesBytesMax, "header bytes": int64(o.HeaderBytesMax), "connections": int64(o.ConnectionsMax),
		"header timeout": int64(o.HeaderTimeout), "body grace": int64(o.BodyGrace), "body rate": o.BodyRateMin,
		"idle timeout": int64(o.IdleTimeout), "drain timeout": int64(o.DrainTimeout),
	} {
		check(v >= 0, "a negative limit for "+name)
	}
	if d := o.withDefaults(); d.BodiesBytesMax < d.BodyBytesMax {
		check(false, "room for all bodies is less than for one")
	}
	if wrong != nil {
		return fault.New(fault.Invalid, "edge: %s", strings.Join(wrong, "; "))
	}
	return nil
}

func (o *Options) withDefaults() Options {
	d := *o
	orDefault(&d.BodyBytesMax, 16<<20)
	orDefault(&d.BodiesBytesMax, max(256<<20, d.BodyBytesMax))
	orDefault(&d.HeaderBytesMax, 64<<10)
	orDefault(&d.ConnectionsMax, ConnectionsMaxDefault)
	orDefault(&d.HeaderTimeout, 10*time.Second)
	orDefault(&d.BodyGrace, 10*time.Second)
	orDefault(&d.BodyRateMin, 64<<10)
	orDefault(&d.IdleTimeout, 2*time.Minute)
	orDefault(&d.DrainTimeout, 10*time.Second)
	if d.Clock == nil {
		d.Clock = clock.Real
	}
	if d.Random == nil {
		d.Random = defaultRandom
	}
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	if d.Observe == nil {
		d.Observe = func(Event) {}
	}
	return d
}

func orDefault[T int | int64 | time.Duration](v *T, otherwise T) {
	if *v == 0 {
		*v = otherwise
	}
}

// Meter counts requests of one kind, such as those of one resource.
type Meter interface {
	// Done is called on the request's goroutine, and must not wait.
	Done(e *Event)
}

// Event is one finished request, for metrics and access logs. Bodies and keys stay out.
type Event struct {
	Service   string // the service's Name, empty when none was found
	Operation string // empty when the service does not know it, so that clients cannot invent metrics
	Protocol  Protocol
	Status    int    // HTTP status; 0 when nothing was answered
	ErrorCode string // AWS's name of the refusal, empty when there was none
	RequestID string
	Account   string
	Region    string
	BytesIn   int64         // of the body as received
	BytesOut  int64         // of the body as answered
	Duration  time.Duration // from the end of the request's header to the end of the answer
}
