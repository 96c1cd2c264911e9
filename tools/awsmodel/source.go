package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const importWire = "import \"github.com/weir-stream/weir/internal/wire\"\n\n"

// service writes the table of the service and the codes of its errors.
func (g *generator) service(out *bytes.Buffer) error {
	m := g.model.Metadata
	out.WriteString(importWire)
	exceptions := g.exceptions()
	if len(exceptions) > 0 {
		out.WriteString("// Codes of the errors of the model.\nconst (\n")
		for _, name := range exceptions {
			fmt.Fprintf(out, "%s = %q\n", codeName(name), name)
		}
		out.WriteString(")\n\n")
	}
	fmt.Fprintf(out, "// Service is the table of %s, API version %s.\nvar Service = &wire.Service{\n", m.ServiceFullName, m.APIVersion)
	f := fields{out}
	f.text("ServiceID", m.ServiceID)
	f.text("APIVersion", m.APIVersion)
	f.text("EndpointPrefix", m.EndpointPrefix)
	f.text("SigningName", cmp.Or(m.SigningName, m.EndpointPrefix))
	f.text("SignatureVersion", m.SignatureVersion)
	f.texts("Auth", m.Auth)
	f.text("TargetPrefix", m.TargetPrefix)
	f.text("JSONVersion", m.JSONVersion)
	f.text("Protocol", m.Protocol)
	f.texts("Protocols", m.Protocols)
	f.text("HTTP2", m.ProtocolSettings.H2)
	f.flag("QueryCompatible", m.AWSQueryCompatible != nil)
	f.text("Namespace", g.namespace())
	f.text("XMLNamespace", m.XMLNamespace)
	f.text("TimestampFormat", m.TimestampFormat)
	out.WriteString("Operations: map[string]*wire.Operation{\n")
	for _, name := range slices.Sorted(slices.Values(g.model.Operations.names)) {
		g.operation(out, name, g.model.Operations.values[name])
	}
	out.WriteString("},\n")
	out.WriteString("Errors: map[string]*wire.Shape{\n")
	for _, name := range exceptions {
		fmt.Fprintf(out, "%s: &%s,\n", codeName(name), variable(name))
	}
	out.WriteString("},\n}\n")
	return nil
}

func (g *generator) operation(out *bytes.Buffer, name string, op operation) {
	fmt.Fprintf(out, "%q: {\n", name)
	f := fields{out}
	f.text("Name", op.Name)
	f.text("Method", op.HTTP.Method)
	f.text("RequestURI", op.HTTP.RequestURI)
	f.number("Status", cmp.Or(op.HTTP.ResponseCode, 200))
	if op.Input != nil {
		f.raw("Input", "&"+variable(op.Input.Shape))
		f.text("InputLocationName", op.Input.LocationName)
		f.namespace("InputNamespace", op.Input.XMLNamespace)
		f.raw("NewInput", fmt.Sprintf("func() any { return new(%s) }", exported(op.Input.Shape)))
	}
	if op.Output != nil {
		f.raw("Output", "&"+variable(op.Output.Shape))
		f.text("ResultWrapper", op.Output.ResultWrapper)
		f.raw("NewOutput", fmt.Sprintf("func() any { return new(%s) }", exported(op.Output.Shape)))
	}
	if events := g.events(op.Input); events != "" {
		f.raw("InputEvents", "&"+variable(events))
	}
	if events := g.events(op.Output); events != "" {
		f.raw("OutputEvents", "&"+variable(events))
	}
	if len(op.Errors) > 0 {
		var errors []string
		for _, e := range op.Errors {
			errors = append(errors, "&"+variable(e.Shape))
		}
		f.raw("Errors", "[]*wire.Shape{"+strings.Join(errors, ", ")+"}")
	}
	f.text("AuthType", op.AuthType)
	f.texts("Auth", op.Auth)
	f.flag("UnsignedPayload", op.UnsignedPayload)
	f.flag("ReadOnly", op.Readonly)
	f.flag("Idempotent", op.Idempotent)
	f.flag("Deprecated", op.Deprecated)
	out.WriteString("},\n")
}

// exceptions are the shapes of errors, sorted.
func (g *generator) exceptions() []string {
	var names []string
	for _, name := range g.names {
		if g.model.Shapes.values[name].Exception {
			names = append(names, name)
		}
	}
	return names
}

// types writes the struct of every structure.
func (g *generator) types(out *bytes.Buffer) error {
	var body bytes.Buffer
	for _, name := range g.names {
		s := g.model.Shapes.values[name]
		if s.Type != "structure" {
			continue
		}
		fmt.Fprintf(&body, "// %s %s\n", exported(name), g.purpose(name, s))
		fmt.Fprintf(&body, "type %s struct {\n", exported(name))
		for _, member := range g.bodyMembers(s) {
			note := ""
			if slices.Contains(s.Required, member) {
				note = " // required"
			}
			fmt.Fprintf(&body, "%s %s%s\n", exported(member), g.fieldType(s.Members.values[member].Shape), note)
		}
		body.WriteString("}\n\n")
	}
	if bytes.Contains(body.Bytes(), []byte("time.Time")) {
		out.WriteString("import \"time\"\n\n")
	}
	out.Write(body.Bytes())
	return nil
}

// purpose is the rest of the sentence above a struct.
func (g *generator) purpose(name string, s shape) string {
	for _, opName := range g.model.Operations.names {
		op := g.model.Operations.values[opName]
		if op.Input != nil && op.Input.Shape == name {
			return "is the input of " + opName + "."
		}
		if op.Output != nil && op.Output.Shape == name {
			return "is the output of " + opName + "."
		}
	}
	switch {
	case s.EventStream:
		return "is one event of a stream of events: exactly one field is set."
	case s.Event:
		return "is an event of a stream of events."
	case s.Union:
		return "is a union: exactly one field is set."
	case s.Exception:
		return "is an error of the model."
	}
	return "is a structure of the model."
}

// enums writes a string type and its constants for every enum.
func (g *generator) enums(out *bytes.Buffer) error {
	for _, name := range g.names {
		s := g.model.Shapes.values[name]
		if len(s.Enum) == 0 {
			continue
		}
		fmt.Fprintf(out, "// %s is an enum of the model. A value may be another one; Validate tells.\n", exported(name))
		fmt.Fprintf(out, "type %s string\n\n// The values of %s.\nconst (\n", exported(name), exported(name))
		for _, value := range s.Enum {
			fmt.Fprintf(out, "%s %s = %q\n", enumName(name, value), exported(name), value)
		}
		out.WriteString(")\n\n")
	}
	return nil
}

// schema writes the table of every shape, and an init for the references that close a circle.
func (g *generator) schema(out *bytes.Buffer) error {
	out.WriteString(importWire)
	var late bytes.Buffer
	for _, name := range g.names {
		if err := g.shape(out, &late, name); err != nil {
			return err
		}
	}
	if late.Len() > 0 {
		fmt.Fprintf(out, "// init closes the circles of shapes that hold themselves.\nfunc init() {\n%s}\n", late.String())
	}
	return nil
}

func (g *generator) shape(out, late *bytes.Buffer, name string) error {
	s := g.model.Shapes.values[name]
	fmt.Fprintf(out, "var %s = wire.Shape{\n", variable(name))
	f := fields{out}
	f.text("Name", cmp.Or(g.reformatted[name], name))
	if s.Type == "structure" {
		f.text("Namespace", g.namespace())
	}
	f.raw("Type", "wire."+wireTypes[s.Type])
	g.members(out, late, name, s)
	if s.Type == "list" {
		g.reference(f, late, edge{name, 0}, "Element", s.Member.Shape)
		f.text("ElementName", s.Member.LocationName)
	}
	if s.Type == "map" {
		g.reference(f, late, edge{name, 1}, "Key", s.Key.Shape)
		g.reference(f, late, edge{name, 0}, "Value", s.Value.Shape)
		f.text("KeyName", s.Key.LocationName)
		f.text("ValueName", s.Value.LocationName)
	}
	if s.Min != nil {
		f.flag("HasMin", true)
		f.raw("Min", strings.TrimSuffix(s.Min.String(), ".0"))
	}
	if s.Max != nil {
		f.flag("HasMax", true)
		f.raw("Max", strings.TrimSuffix(s.Max.String(), ".0"))
	}
	if s.Pattern != "" {
		translated, err := translatePattern(s.Pattern)
		if err != nil {
			return err
		}
		f.text("Pattern", s.Pattern)
		if translated != s.Pattern {
			f.text("PatternRE2", translated)
		}
	}
	f.texts("Enum", s.Enum)
	if s.Exception {
		f.raw("Error", errorTraitSource(name, s))
	}
	f.flag("Union", s.Union)
	f.flag("EventStream", s.EventStream)
	f.flag("Event", s.Event)
	f.flag("Sensitive", s.Sensitive)
	f.flag("Streaming", s.Streaming)
	f.text("TimestampFormat", s.TimestampFormat)
	f.text("Payload", s.Payload)
	f.text("LocationName", s.LocationName)
	f.flag("Flattened", s.Flattened)
	f.namespace("XMLNamespace", s.XMLNamespace)
	f.texts("XMLOrder", s.XMLOrder)
	out.WriteString("}\n\n")
	return nil
}

func (g *generator) members(out, late *bytes.Buffer, name string, s shape) {
	if s.Type != "structure" {
		return
	}
	names := g.bodyMembers(s)
	if len(names) == 0 {
		return
	}
	out.WriteString("Members: []wire.Member{\n")
	for i, memberName := range names {
		m := s.Members.values[memberName]
		out.WriteString("{")
		f := fields{out: out}
		inline := func(field, value string) { fmt.Fprintf(out, "%s: %s, ", field, value) }
		inline("Name", strconv.Quote(memberName))
		if g.cut[edge{name, slices.Index(s.Members.names, memberName)}] {
			fmt.Fprintf(late, "%s.Members[%d].Shape = &%s\n", variable(name), i, variable(m.Shape))
		} else {
			inline("Shape", "&"+variable(m.Shape))
		}
		for _, text := range []struct{ field, value string }{
			{"Location", m.Location}, {"LocationName", m.LocationName}, {"QueryName", m.QueryName},
		} {
			if text.value != "" {
				inline(text.field, strconv.Quote(text.value))
			}
		}
		for _, flag := range []struct {
			field string
			value bool
		}{
			{"Required", slices.Contains(s.Required, memberName)}, {"Flattened", m.Flattened}, {"XMLAttribute", m.XMLAttribute},
			{"Streaming", m.Streaming}, {"EventPayload", m.EventPayload}, {"EventHeader", m.EventHeader}, {"JSONValue", m.JSONValue},
			{"HostLabel", m.HostLabel}, {"IdempotencyToken", m.IdempotencyToken}, {"Deprecated", m.Deprecated},
		} {
			if flag.value {
				inline(flag.field, "true")
			}
		}
		f.namespace("XMLNamespace", m.XMLNamespace)
		out.WriteString("},\n")
	}
	out.WriteString("},\n")
}

// reference writes a field that points to another shape, or notes it for init.
func (g *generator) reference(f fields, late *bytes.Buffer, e edge, field, to string) {
	if g.cut[e] {
		fmt.Fprintf(late, "%s.%s = &%s\n", variable(e.from), field, variable(to))
		return
	}
	f.raw(field, "&"+variable(to))
}

// errorTraitSource says how an exception is sent. Without an error trait it is a 400, or a 500 when it is our fault.
func errorTraitSource(name string, s shape) string {
	code, status, fault := name, 400, s.Fault
	if s.Error != nil {
		code, status = cmp.Or(s.Error.Code, name), cmp.Or(s.Error.HTTPStatusCode, 400)
		fault = fault || s.Error.Fault
	}
	if fault && (s.Error == nil || s.Error.HTTPStatusCode == 0) {
		status = 500
	}
	var source bytes.Buffer
	fmt.Fprintf(&source, "&wire.ErrorTrait{Code: %q, Status: %d", code, status)
	if fault {
		source.WriteString(", Fault: true")
	}
	if s.Retryable != nil {
		source.WriteString(", Retryable: true")
		if s.Retryable.Throttling {
			source.WriteString(", Throttling: true")
		}
	}
	source.WriteString("}")
	return source.String()
}

// variable is the name of a shape's table. Some models have two shapes that differ in the case of their first letter.
func variable(name string) string {
	if exported(name) != name {
		return "shape_" + name
	}
	return "shape" + name
}

// fields writes the fields of a composite literal, and leaves out those that are zero.
type fields struct{ out *bytes.Buffer }

func (f fields) raw(name, source string) { fmt.Fprintf(f.out, "%s: %s,\n", name, source) }

func (f fields) text(name, value string) {
	if value != "" {
		f.raw(name, strconv.Quote(value))
	}
}

func (f fields) texts(name string, values []string) {
	if len(values) > 0 {
		f.raw(name, fmt.Sprintf("%#v", values))
	}
}

func (f fields) flag(name string, value bool) {
	if value {
		f.raw(name, "true")
	}
}

func (f fields) number(name string, value int) {
	if value != 0 {
		f.raw(name, strconv.Itoa(value))
	}
}

func (f fields) namespace(name string, value *xmlNamespace) {
	if value != nil {
		f.raw(name, fmt.Sprintf("&wire.XMLNamespace{URI: %q, Prefix: %q}", value.URI, value.Prefix))
	}
}
