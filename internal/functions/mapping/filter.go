package mapping

import "github.com/weir-stream/weir/internal/eventpattern"

// filter says which records a function is given. The zero filter lets everything through.
type filter []*eventpattern.Pattern

// newFilter compiles patterns that Validate has let through.
func newFilter(patterns []string) (f filter, err error) {
	for _, text := range patterns {
		p, err := eventpattern.Compile(text)
		if err != nil {
			return nil, err
		}
		f = append(f, p)
	}
	return f, nil
}

// passes judges one record by itself. event is the record as the function would be given it. In that of a data stream, the key "data" beside the others is the data that was put,
// read as JSON: a pattern about it drops records that are none.
func (f filter) passes(event []byte, data []byte, kinesis bool) bool {
	if len(f) == 0 {
		return true
	}
	decoded, err := eventpattern.Decode(event)
	if err != nil {
		return false
	}
	object, _ := decoded.(map[string]any)
	isJSON := true
	if kinesis {
		var value any
		if value, err = eventpattern.Decode(data); err == nil {
			object["data"] = value
		} else {
			isJSON = false
		}
	}
	for _, p := range f {
		if kinesis && !isJSON && p.Has("data") {
			continue
		}
		if p.Match(object) {
			return true
		}
	}
	return false
}
