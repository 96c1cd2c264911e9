package wire

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/weir-stream/weir/internal/fault"
)

// violationsMax is how many broken constraints one answer names; AWS looks no further.
const violationsMax = 10

// Validate checks value, a struct generated for shape or a pointer to one, against the constraints of the
// model. The error is a fault.Invalid that holds an APIError with CodeValidation and AWS's text: every broken
// constraint, at most ten, in the order of the model.
//
// Constraints of what a list or map holds are told in two ways, as AWS does: a structure inside is a place of
// its own (records.1.member.data), a scalar inside is a fault of the whole list (at 'tagKeys').
func Validate(shape *Shape, value any) error {
	if shape == nil {
		return nil
	}
	v := reflect.ValueOf(value)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	var c checker
	c.structure(shape, v, nil)
	switch len(c.violations) {
	case 0:
		return nil
	case 1:
		return validationError("1 validation error detected: " + c.violations[0])
	}
	return validationError(fmt.Sprintf("%d validation errors detected: %s", len(c.violations), strings.Join(c.violations, "; ")))
}

func validationError(message string) error {
	return fault.As(fault.Invalid, &APIError{Code: CodeValidation, Message: message}, "")
}

// place is where a value stands, as a chain from the inside out. It is turned into text only when something is wrong.
type place struct {
	in   *place
	name string
}

// String is the place as AWS writes it: members in lower camel case, list elements as their number from 1 and
// the word member, map entries as their key and the word member.
func (p *place) String() string {
	if p.in == nil {
		return p.name
	}
	return p.in.String() + "." + p.name
}

type checker struct{ violations []string }

func (c *checker) full() bool { return len(c.violations) >= violationsMax }

func (c *checker) structure(shape *Shape, v reflect.Value, in *place) {
	for i := range shape.Members {
		if c.full() {
			return
		}
		m := &shape.Members[i]
		field := v.Field(i)
		if field.IsNil() {
			if m.Required {
				c.add(m.Shape, reflect.Value{}, &place{in, lowerFirst(m.Name)}, "Member must not be null")
			}
			continue
		}
		if field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		if !constrained(m.Shape) {
			continue
		}
		c.value(m.Shape, field, &place{in, lowerFirst(m.Name)})
	}
}

// constrained is false for what can be skipped without a look.
func constrained(shape *Shape) bool {
	return shape.Type == TypeStructure || shape.Type == TypeList || shape.Type == TypeMap ||
		shape.HasMin || shape.HasMax || shape.Pattern != "" || shape.Enum != nil
}

func (c *checker) value(shape *Shape, v reflect.Value, at *place) {
	for _, constraint := range broken(shape, v) {
		if !c.full() {
			c.add(shape, v, at, constraint)
		}
	}
	switch shape.Type {
	case TypeStructure:
		c.structure(shape, v, at)
	case TypeList:
		c.list(shape, v, at)
	case TypeMap:
		c.mapping(shape, v, at)
	}
}

func (c *checker) list(shape *Shape, v reflect.Value, at *place) {
	element := shape.Element
	if !constrained(element) {
		return
	}
	for i := range v.Len() {
		if c.full() {
			return
		}
		if isContainer(element) {
			c.value(element, v.Index(i), &place{at, strconv.Itoa(i+1) + ".member"})
			continue
		}
		if len(broken(element, v.Index(i))) > 0 {
			c.add(shape, v, at, "Member must satisfy constraint: ["+constraints(element)+"]")
			return
		}
	}
}

func (c *checker) mapping(shape *Shape, v reflect.Value, at *place) {
	keys := sortedKeys(v)
	for _, key := range keys {
		if !c.full() && len(broken(shape.Key, key)) > 0 {
			c.add(shape, v, at, "Map keys must satisfy constraint: ["+constraints(shape.Key)+"]")
			break
		}
	}
	for _, key := range keys {
		if c.full() {
			return
		}
		value := v.MapIndex(key)
		if isContainer(shape.Value) {
			c.value(shape.Value, value, &place{at, key.String() + ".member"})
			continue
		}
		if len(broken(shape.Value, value)) > 0 {
			c.add(shape, v, at, "Map value must satisfy constraint: ["+constraints(shape.Value)+"]")
			return
		}
	}
}

func isContainer(shape *Shape) bool {
	return shape.Type == TypeStructure || shape.Type == TypeList || shape.Type == TypeMap
}

// add notes a violation. The zero Value stands for null.
func (c *checker) add(shape *Shape, v reflect.Value, at *place, constraint string) {
	value := "null"
	if v.IsValid() {
		value = "'" + javaString(shape, v) + "'"
	}
	c.violations = append(c.violations, "Value "+value+" at '"+at.String()+"' failed to satisfy constraint: "+constraint)
}

// broken lists the constraints of shape itself that v breaks.
func broken(shape *Shape, v reflect.Value) []string {
	var texts []string
	switch shape.Type {
	case TypeString:
		text := v.String()
		if shape.HasMin || shape.HasMax {
			texts = brokenBounds(shape, int64(utf8.RuneCountInString(text)), texts)
		}
		if shape.Pattern != "" && !shape.matches(text) {
			texts = append(texts, patternText(shape))
		}
		if shape.Enum != nil && !shape.allows(text) {
			texts = append(texts, enumText(shape))
		}
	case TypeBlob, TypeList, TypeMap:
		texts = brokenBounds(shape, int64(v.Len()), texts)
	case TypeInteger, TypeLong:
		texts = brokenBounds(shape, v.Int(), texts)
	case TypeFloat, TypeDouble:
		if shape.HasMax && v.Float() > float64(shape.Max) {
			texts = append(texts, maxText(shape))
		}
		if shape.HasMin && v.Float() < float64(shape.Min) {
			texts = append(texts, minText(shape))
		}
	}
	return texts
}

func brokenBounds(shape *Shape, measure int64, texts []string) []string {
	if shape.HasMax && measure > shape.Max {
		texts = append(texts, maxText(shape))
	}
	if shape.HasMin && measure < shape.Min {
		texts = append(texts, minText(shape))
	}
	return texts
}

// constraints names all constraints of shape, which AWS does when one of a list's elements breaks any.
func constraints(shape *Shape) string {
	var texts []string
	if shape.HasMax {
		texts = append(texts, maxText(shape))
	}
	if shape.HasMin {
		texts = append(texts, minText(shape))
	}
	if shape.Pattern != "" {
		texts = append(texts, patternText(shape))
	}
	if shape.Enum != nil {
		texts = append(texts, enumText(shape))
	}
	return strings.Join(texts, ", ")
}

// measured is what Min and Max bound.
func measured(shape *Shape) string {
	switch shape.Type {
	case TypeInteger, TypeLong, TypeFloat, TypeDouble:
		return "value"
	}
	return "length"
}

func maxText(shape *Shape) string {
	return fmt.Sprintf("Member must have %s less than or equal to %d", measured(shape), shape.Max)
}

func minText(shape *Shape) string {
	return fmt.Sprintf("Member must have %s greater than or equal to %d", measured(shape), shape.Min)
}

func patternText(shape *Shape) string {
	return "Member must satisfy regular expression pattern: " + shape.Pattern
}

func enumText(shape *Shape) string {
	return "Member must satisfy enum value set: [" + strings.Join(shape.Enum, ", ") + "]"
}

func (s *Shape) allows(text string) bool {
	for _, allowed := range s.Enum {
		if allowed == text {
			return true
		}
	}
	return false
}

// lowerFirst is the name of a member as Java's bean naming has it: streamName, and streamARN for StreamARN.
func lowerFirst(name string) string {
	first, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToLower(first)) + name[size:]
}
