package wire

import (
	"net/http"
	"strconv"
	"time"
)

// Codec is one protocol: bytes to shapes and back. Codecs hold no state and are safe for concurrent use.
type Codec interface {
	// ContentType is the exact Content-Type of answers.
	ContentType() string

	// Decode binds body to into, a pointer to a fresh struct generated for shape. Members that the shape
	// does not know are ignored, null means absent, of a repeated member the last wins. Errors are
	// fault.Invalid and hold an APIError with CodeSerialization; into is then half filled.
	Decode(shape *Shape, body []byte, into any) error

	// Encode appends value, a struct generated for shape or a pointer to one, to dst. A nil shape appends nothing.
	Encode(dst []byte, shape *Shape, value any) []byte

	// AppendError appends the body of an error answer to dst.
	AppendError(dst []byte, e *APIError) []byte
}

// Kind is what a Source finds next.
type Kind uint8

// The kinds of values on the wire.
const (
	KindEnd Kind = iota // nothing is left
	KindNull
	KindBool
	KindNumber
	KindText
	KindBlob // never in JSON, where blobs are text
	KindList
	KindMap
)

// Limits of what a body may make us build. They bound memory, not meaning: constraints come later, in Validate.
const (
	// DepthMax is how deep lists and maps may nest. DynamoDB, the deepest customer, allows 32 levels of
	// values with two of ours each.
	DepthMax = 128
	// ItemsMax is how many list elements and map entries one body may hold. A byte on the wire may become an
	// element of a hundred bytes; a quarter million of those is still small. No AWS request allows a tenth of it.
	ItemsMax = 250_000
)

// Entries is the place inside a list or map that a Source has entered. It belongs to the Source that made it.
type Entries struct {
	Left  int  // entries still to come, or -1 when only the end tells (CBOR)
	First bool // none was read yet (JSON)
	Close byte // the byte that ends it (JSON)
}

// Source reads one body from front to back. Slices it returns are valid until its next call. Every method that
// reads a value may be called only when Kind has announced one that fits; else it returns a syntax error.
type Source interface {
	// Kind says what comes next and consumes nothing of it.
	Kind() (Kind, error)
	EnterMap() (Entries, error)
	EnterList() (Entries, error)
	// More steps to the next entry; false means that the list or map is over and left.
	More(*Entries) (bool, error)
	// Key reads the key of a map's entry.
	Key() ([]byte, error)
	Text() ([]byte, error)
	// Blob reads a blob into memory of its own.
	Blob() ([]byte, error)
	Bool() (bool, error)
	// Int reads a number, cuts off its fraction and holds it within int64.
	Int() (int64, error)
	Float() (float64, error)
	// Millis reads a timestamp: milliseconds since 1970, from whatever unit the protocol uses.
	Millis() (int64, error)
	// Skip reads a value of any kind and forgets it.
	Skip() error
}

// Sink writes one body.
type Sink interface {
	BeginMap(entries int)
	Key(name string)
	EndMap()
	BeginList(entries int)
	Item() // before each element
	EndList()
	Text(string)
	Blob([]byte)
	Bool(bool)
	Int(int64)
	Float(value float64, bits int)
	Time(time.Time)
}

// WriteError sends e as the whole answer. The error is only that of the connection, which nobody can be told about.
func WriteError(w http.ResponseWriter, codec Codec, e *APIError) {
	body := codec.AppendError(nil, e)
	h := w.Header()
	h.Set("Content-Type", codec.ContentType())
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set(HeaderErrorType, e.Code)
	w.WriteHeader(e.HTTPStatus())
	_, _ = w.Write(body)
}

// EmitErrorBody writes the body of e, which has the same members in every protocol of the JSON family.
func EmitErrorBody(sink Sink, e *APIError) {
	entries := 1 + len(e.Fields)
	if e.Message != "" {
		entries++
	}
	sink.BeginMap(entries)
	sink.Key("__type")
	sink.Text(e.Code)
	if e.Message != "" {
		sink.Key(e.MessageKey())
		sink.Text(e.Message)
	}
	emitFields(sink, e.Fields)
	sink.EndMap()
}
