package s3

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// namespace is that of S3's documents.
const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// reply sends a document. v is a struct whose XMLName is its root.
func (q *call) reply(v any) error {
	b, err := xml.Marshal(v)
	if err != nil {
		return err
	}
	q.Reply(http.StatusOK, "application/xml", append([]byte(xml.Header), b...))
	return nil
}

// root names the root of a document.
func root(name string) xml.Name { return xml.Name{Space: namespace, Local: name} }

// nothing answers without a body.
func (q *call) nothing(status int) error {
	q.Reply(status, "", nil)
	return nil
}

func appendElement(b []byte, name, value string) []byte {
	b = append(append(append(b, '<'), name...), '>')
	var text bytes.Buffer
	_ = xml.EscapeText(&text, []byte(value)) // a buffer takes everything
	b = append(b, text.Bytes()...)
	return append(append(append(b, "</"...), name...), '>')
}

// stamp is a time in a document: S3's objects have whole seconds, written with milliseconds.
func stamp(t time.Time) string {
	return t.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05.000Z")
}

// quoted is an ETag as it is sent.
func quoted(etag string) string { return `"` + etag + `"` }

// unquoted is an ETag without its quotes, as a client may send it either way.
func unquoted(etag string) string {
	return strings.Trim(strings.TrimPrefix(strings.TrimSpace(etag), "W/"), `"`)
}

// element is a document as it was sent, so that what is not known in it can be refused.
type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []element `xml:",any"`
}

// depthMax is how deep a document may nest: the deepest of S3 that we read has five levels. elementsMax is how many elements it may have: ten
// thousand parts with number, ETag and checksum are forty thousand. In memory an element is larger than in a document.
const (
	depthMax    = 16
	elementsMax = 100_000
)

// document reads the body, whose root must have a name.
func (q *call) document(name string) (*element, error) {
	if err := q.checkBody(); err != nil {
		return nil, err
	}
	d := xml.NewDecoder(bytes.NewReader(q.Body))
	depth, elements := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errMalformed
		}
		switch token.(type) {
		case xml.StartElement:
			elements++
			if depth++; depth > depthMax || elements > elementsMax {
				return nil, errMalformed
			}
		case xml.EndElement:
			depth--
		case xml.Directive:
			return nil, errMalformed
		}
	}
	var e element
	if err := xml.Unmarshal(q.Body, &e); err != nil || e.XMLName.Local != name {
		return nil, errMalformed
	}
	return &e, nil
}

// child is the first child of a name, nil when there is none.
func (e *element) child(name string) *element {
	for i := range e.Children {
		if e.Children[i].XMLName.Local == name {
			return &e.Children[i]
		}
	}
	return nil
}

// text is the text of the first child of a name, without spaces at its ends.
func (e *element) text(name string) string {
	if c := e.child(name); c != nil {
		return strings.TrimSpace(c.Text)
	}
	return ""
}

// exactText is text with its spaces: keys and values of tags may have some.
func (e *element) exactText(name string) string {
	if c := e.child(name); c != nil {
		return c.Text
	}
	return ""
}

// only refuses children with other names.
func (e *element) only(names ...string) error {
	for i := range e.Children {
		known := false
		for _, name := range names {
			known = known || e.Children[i].XMLName.Local == name
		}
		if !known {
			return errMalformed
		}
	}
	return nil
}
