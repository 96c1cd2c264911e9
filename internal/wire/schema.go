package wire

// Type is the kind of a Shape, as the service model names it.
type Type uint8

// The types of the model. The zero Type is no type at all, so that a Shape nobody filled in is noticed.
const (
	TypeNone      Type = iota
	TypeStructure      // a Go struct; a union when Shape.Union
	TypeList           // a slice
	TypeMap            // a map with string keys
	TypeString         // a string, or a generated string type when the shape has an Enum
	TypeBlob           // []byte
	TypeBoolean        // bool
	TypeInteger        // int32
	TypeLong           // int64
	TypeFloat          // float32
	TypeDouble         // float64
	TypeTimestamp      // time.Time, of which the wire carries milliseconds
)

var typeNames = [...]string{
	"none", "structure", "list", "map", "string", "blob", "boolean", "integer", "long", "float", "double", "timestamp",
}

// String is the type's name in the service model.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "unknown"
}

// Timestamp formats of the model (timestampFormat). The empty format is the protocol's own.
const (
	TimestampUnix    = "unixTimestamp" // seconds since 1970, with a fraction
	TimestampISO8601 = "iso8601"       // 2006-01-02T15:04:05.999Z
	TimestampRFC822  = "rfc822"        // Mon, 02 Jan 2006 15:04:05 GMT
)

// Shape describes one shape of a service model. Shapes are generated, shared, and never changed after init.
//
// Members[i] is field i of the generated struct; package shapes holds the test of it.
type Shape struct {
	Name      string
	Namespace string // of structures: what Coral puts before the name, com.amazonaws.kinesis.v20131202
	Type      Type

	Members []Member // of a structure, in the order of the model
	Element *Shape   // of a list
	Key     *Shape   // of a map
	Value   *Shape   // of a map

	// HasMin and HasMax say whether Min and Max bind. They bound the value of a number, the length of a
	// string in Unicode code points, of a blob in bytes, of a list or map in entries.
	HasMin, HasMax bool
	Min, Max       int64
	Pattern        string   // as the model writes it, in Java's syntax; texts quote this one
	PatternRE2     string   // the same for Go's regexp where the two differ, else empty
	Enum           []string // the allowed values, in the order of the model

	Error       *ErrorTrait // of an exception, else nil
	Union       bool        // exactly one member is set
	EventStream bool        // a union whose members are events, each sent as a frame
	Event       bool        // a member of an event stream
	Sensitive   bool        // stays out of logs
	Streaming   bool        // a blob that is the body itself

	// What REST and XML protocols add.
	TimestampFormat string // one of the Timestamp constants, else empty
	Payload         string // the member that is the body
	LocationName    string // the element name of a structure
	ElementName     string // locationName of a list's elements
	KeyName         string // locationName of a map's keys
	ValueName       string // locationName of a map's values
	Flattened       bool   // elements without a wrapping element
	XMLNamespace    *XMLNamespace
	XMLOrder        []string // members in the order they are written
}

// Member is one member of a structure.
type Member struct {
	Name     string // AWS's name; the Go field is the same, first letter in upper case
	Shape    *Shape
	Required bool

	Location         string // "" the body, or uri, querystring, header, headers, statusCode
	LocationName     string // the name there; empty means Name
	QueryName        string // EC2's own name in the query protocol
	Flattened        bool
	XMLAttribute     bool
	XMLNamespace     *XMLNamespace
	Streaming        bool // the body itself, unbuffered
	EventPayload     bool // the body of an event's frame
	EventHeader      bool // a header of an event's frame
	JSONValue        bool // a string that holds JSON, base64 in a header
	HostLabel        bool // a part of the host name
	IdempotencyToken bool // filled in by SDKs when absent
	Deprecated       bool
}

// WireName is the member's name in the body.
func (m *Member) WireName() string {
	if m.LocationName != "" {
		return m.LocationName
	}
	return m.Name
}

// XMLNamespace is the xmlns of an element.
type XMLNamespace struct {
	URI    string
	Prefix string // empty for the default namespace
}

// ErrorTrait says how an exception is sent.
type ErrorTrait struct {
	Code       string // the shape's name, unless the model gives another, which the query and XML protocols send
	Status     int    // HTTP status
	Fault      bool   // the server's mistake rather than the sender's
	Retryable  bool
	Throttling bool // retryable, after a pause
}

// Operation is one operation of a service.
type Operation struct {
	Name       string
	Method     string // HTTP method
	RequestURI string // with {labels} in REST protocols
	Status     int    // HTTP status of success; 200 unless the model gives another

	Input        *Shape // nil when it takes nothing
	Output       *Shape // nil when it answers nothing: the body is empty
	InputEvents  *Shape // the event stream that follows the input, nil when none; not among Input.Members
	OutputEvents *Shape // the event stream that follows the output, nil when none; not among Output.Members
	Errors       []*Shape

	InputLocationName string // element name of the input in REST-XML
	InputNamespace    *XMLNamespace
	ResultWrapper     string // element around the output in the query protocol
	AuthType          string // "none" or "v4-unsigned-body"; empty for the service's own
	Auth              []string
	UnsignedPayload   bool
	ReadOnly          bool
	Idempotent        bool
	Deprecated        bool

	NewInput  func() any // a pointer to a zero input struct; nil when Input is nil
	NewOutput func() any // a pointer to a zero output struct; nil when Output is nil
}

// Service is the table of one service.
type Service struct {
	ServiceID        string // Kinesis
	APIVersion       string // 2013-12-02
	EndpointPrefix   string // kinesis
	SigningName      string // the service in a SigV4 scope
	SignatureVersion string
	Auth             []string
	TargetPrefix     string   // X-Amz-Target is TargetPrefix.Operation
	JSONVersion      string   // 1.0 or 1.1
	Protocol         string   // the protocol of old SDKs
	Protocols        []string // all protocols of the model, best first
	HTTP2            string   // "eventstream" when event streams want HTTP/2
	QueryCompatible  bool     // errors carry x-amzn-query-error
	Namespace        string   // com.amazonaws.kinesis.v20131202
	XMLNamespace     string
	TimestampFormat  string // the service's own, where it differs from the protocol's

	Operations map[string]*Operation
	Errors     map[string]*Shape // every exception of the model by the name of its shape, its code in the JSON protocols
}

// MemberNamed is the index of the member of a structure whose name in the body is name, or -1.
func (s *Shape) MemberNamed(name []byte) int {
	for i := range s.Members {
		m := &s.Members[i]
		if wireName := m.WireName(); len(wireName) == len(name) && wireName == string(name) {
			return i
		}
	}
	return -1
}
