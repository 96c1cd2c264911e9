package agent

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// A converter makes another text of a record. A nil text leaves the record out; an error sends it as it came, as the Kinesis Agent does.
type converter interface {
	convert(data []byte, now time.Time) ([]byte, error)
}

// chain applies converters one after another.
type chain []converter

func (c chain) convert(data []byte, now time.Time) ([]byte, error) {
	for _, one := range c {
		var err error
		if data, err = one.convert(data, now); err != nil || data == nil {
			return nil, err
		}
	}
	return data, nil
}

// The names of dataProcessingOptions, by which a flow asks for them.
const (
	optionSingleLine  = "SINGLELINE"
	optionCSV         = "CSVTOJSON"
	optionLog         = "LOGTOJSON"
	optionMetadata    = "ADDMETADATA"
	optionEC2Metadata = "ADDEC2METADATA"
	optionBrackets    = "ADDBRACKETS"
	optionPlugin      = "USINGPLUGGIN"
)

// readConverters makes the chain of a flow's dataProcessingOptions; nil when there are none.
func readConverters(r *reader) chain {
	var c chain
	for _, option := range r.objects("dataProcessingOptions") {
		name := option.required("optionName")
		var one converter
		switch name {
		case optionSingleLine:
			one = readSingleLine(option)
		case optionCSV:
			one = readCSV(option)
		case optionLog:
			one = readLog(option)
		case optionMetadata:
			one = readMetadata(option)
		case optionBrackets:
			one = brackets{}
		case optionEC2Metadata:
			option.refuse("optionName", "ADDEC2METADATA asks EC2 for the instance and its tags, which weir agent does not do; ADDMETADATA adds what you write there")
			option.ignoreRest()
		case optionPlugin:
			option.refuse("optionName", "USINGPLUGGIN names a Java class (%s), which weir agent cannot run", option.text("className", "none"))
			option.ignoreRest()
		case "":
			option.ignoreRest()
		default:
			option.refuse("optionName", "%q is none of SINGLELINE, CSVTOJSON, LOGTOJSON, ADDMETADATA, ADDBRACKETS", name)
			option.ignoreRest()
		}
		option.done()
		if one != nil {
			c = append(c, one)
		}
	}
	return c
}

func readPrinter(r *reader) printer {
	return printer{pretty: r.oneOf("jsonFormat", "COMPACT", "COMPACT", "PRETTYPRINT") == "PRETTYPRINT"}
}

// record writes an object and the line end that every converted record keeps.
func (p printer) record(object []member) []byte {
	var out strings.Builder
	p.print(&out, object, 0)
	out.WriteByte('\n')
	return []byte(out.String())
}

// textOf is a record without its line end, as text.
func textOf(data []byte) string {
	return strings.ToValidUTF8(string(bytes.TrimSuffix(data, []byte("\n"))), "\uFFFD")
}

// singleLine joins the lines of a record.
type singleLine struct{ trim, escape bool }

func readSingleLine(r *reader) converter {
	s := singleLine{trim: true}
	for _, option := range r.texts("parseOptions") {
		switch option {
		case "NO_TRIM":
			s.trim = false
		case "ESCAPE_NEW_LINE":
			s.escape = true
		default:
			r.refuse("parseOptions", "%q is neither NO_TRIM nor ESCAPE_NEW_LINE", option)
		}
	}
	return s
}

func (s singleLine) convert(data []byte, _ time.Time) ([]byte, error) {
	lines := splitJava(strings.ToValidUTF8(string(data), "\uFFFD"), newline)
	if s.trim {
		for i := range lines {
			lines[i] = strings.TrimFunc(lines[i], func(r rune) bool { return r <= ' ' }) // what Java's trim takes
		}
	}
	separator := ""
	if s.escape {
		separator = `\\n` // two backslashes, as the Kinesis Agent writes it
	}
	return []byte(strings.Join(lines, separator) + "\n"), nil
}

var newline = regexp.MustCompile("\n")

// splitJava is Java's String.split: empty texts at the end are left out, and a match of no width at the beginning gives no empty text there.
func splitJava(text string, delimiter *regexp.Regexp) []string {
	var parts []string
	last := 0
	for _, at := range delimiter.FindAllStringIndex(text, -1) {
		if at[1] == 0 {
			continue
		}
		parts = append(parts, text[last:at[0]])
		last = at[1]
	}
	if last == 0 && parts == nil {
		return []string{text}
	}
	parts = append(parts, text[last:])
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}

// csv makes an object of columns.
type csv struct {
	fields    []string
	delimiter *regexp.Regexp
	printer   printer
}

func readCSV(r *reader) converter {
	c := csv{fields: r.texts("customFieldNames"), delimiter: r.pattern("delimiter", ",", "%s"), printer: readPrinter(r)}
	if len(c.fields) == 0 {
		r.refuse("customFieldNames", "CSVTOJSON needs the names of the columns")
	}
	return c
}

func (c csv) convert(data []byte, _ time.Time) ([]byte, error) {
	columns := splitJava(textOf(data), c.delimiter)
	var object []member
	for i, field := range c.fields {
		var value any
		if i < len(columns) {
			value = columns[i]
		}
		object = put(object, field, value)
	}
	return c.printer.record(object), nil
}

// metadata wraps a record.
type metadata struct {
	timestamp bool
	metadata  any
	printer   printer
}

func readMetadata(r *reader) converter {
	m := metadata{timestamp: r.truth("timestamp", false), printer: readPrinter(r)}
	if raw, ok := r.raw("metadata"); ok {
		value, err := parseOrdered(raw)
		if err != nil {
			r.refuse("metadata", "%v", err)
		}
		m.metadata = value
	}
	return m
}

func (m metadata) convert(data []byte, now time.Time) ([]byte, error) {
	var object []member
	if m.timestamp {
		object = append(object, member{"ts", now.UTC().Format("2006-01-02T15:04:05.000Z")})
	}
	object = append(object, member{"metadata", m.metadata}, member{"data", textOf(data)})
	return m.printer.record(object), nil
}

// brackets wraps a record in braces, line end and all: that is what the Kinesis Agent's ADDBRACKETS does.
type brackets struct{}

func (brackets) convert(data []byte, _ time.Time) ([]byte, error) {
	return fmt.Appendf(nil, "{%s}", strings.ToValidUTF8(string(data), "\uFFFD")), nil
}
