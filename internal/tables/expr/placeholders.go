package expr

import (
	"maps"
	"slices"
	"strings"

	"github.com/weir-stream/weir/internal/tables/value"
)

// Placeholders are the #names and :values of one request. All expressions of the request share them, so that those that nobody uses are found at the end.
type Placeholders struct {
	names  map[string]string
	values map[string]value.Value
	used   map[string]bool
}

// NewPlaceholders checks and takes what a request gives; nil maps are absent, empty ones are refused.
func NewPlaceholders(names map[string]string, values map[string]value.Value) (*Placeholders, error) {
	if names != nil && len(names) == 0 {
		return nil, invalid("ExpressionAttributeNames must not be empty")
	}
	for _, key := range slices.Sorted(maps.Keys(names)) {
		if !isPlaceholder(key, '#') {
			return nil, invalid("ExpressionAttributeNames contains invalid key: Syntax error; key: \"%s\"", key)
		}
		if names[key] == "" {
			return nil, invalid("ExpressionAttributeNames contains invalid value: the attribute name is empty; key: \"%s\"", key)
		}
	}
	if values != nil && len(values) == 0 {
		return nil, invalid("ExpressionAttributeValues must not be empty")
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !isPlaceholder(key, ':') {
			return nil, invalid("ExpressionAttributeValues contains invalid key: Syntax error; key: \"%s\"", key)
		}
	}
	return &Placeholders{names: names, values: values, used: map[string]bool{}}, nil
}

// placeholderMax is the longest name of a placeholder, its sign included, in bytes (ServiceQuotas: 255 bytes).
const placeholderMax = 255

func isPlaceholder(key string, sign byte) bool {
	if len(key) < 2 || len(key) > placeholderMax || key[0] != sign {
		return false
	}
	for i := 1; i < len(key); i++ {
		if !isWord(key[i]) {
			return false
		}
	}
	return true
}

func (p *Placeholders) name(key string) (string, error) {
	name, defined := p.names[key]
	if !defined {
		return "", invalid("An expression attribute name used in the document path is not defined; attribute name: %s", key)
	}
	p.used[key] = true
	return name, nil
}

func (p *Placeholders) value(key string) (value.Value, error) {
	v, defined := p.values[key]
	if !defined {
		return v, invalid("An expression attribute value used in expression is not defined; attribute value: %s", key)
	}
	p.used[key] = true
	return v, nil
}

// Unused refuses a request that defines what no expression of it uses.
func (p *Placeholders) Unused() error {
	if unused := p.unused(maps.Keys(p.names)); unused != "" {
		return invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", unused)
	}
	if unused := p.unused(maps.Keys(p.values)); unused != "" {
		return invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", unused)
	}
	return nil
}

func (p *Placeholders) unused(keys func(func(string) bool)) string {
	return strings.Join(slices.DeleteFunc(slices.Sorted(keys), func(key string) bool { return p.used[key] }), ", ")
}
