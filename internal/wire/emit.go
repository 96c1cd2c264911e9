package wire

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"
)

// Emit writes value, a struct generated for shape or a pointer to one, to sink. It is the half of
// Codec.Encode that all protocols of the JSON family share. Members that are nil are left out; an empty list
// or map that is not nil is written.
func Emit(sink Sink, shape *Shape, value any) {
	v := reflect.ValueOf(value)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	emitStructure(sink, shape, v)
}

func emitStructure(sink Sink, shape *Shape, v reflect.Value) {
	entries := 0
	for i := range shape.Members {
		if !v.Field(i).IsNil() {
			entries++
		}
	}
	sink.BeginMap(entries)
	for i := range shape.Members {
		field := v.Field(i)
		if field.IsNil() {
			continue
		}
		if field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		sink.Key(shape.Members[i].WireName())
		emitValue(sink, shape.Members[i].Shape, field)
	}
	sink.EndMap()
}

func emitValue(sink Sink, shape *Shape, v reflect.Value) {
	switch shape.Type {
	case TypeStructure:
		emitStructure(sink, shape, v)
	case TypeList:
		sink.BeginList(v.Len())
		for i := range v.Len() {
			sink.Item()
			emitValue(sink, shape.Element, v.Index(i))
		}
		sink.EndList()
	case TypeMap:
		emitMap(sink, shape, v)
	case TypeString:
		sink.Text(v.String())
	case TypeBlob:
		sink.Blob(v.Bytes())
	case TypeBoolean:
		sink.Bool(v.Bool())
	case TypeInteger, TypeLong:
		sink.Int(v.Int())
	case TypeFloat:
		sink.Float(v.Float(), 32)
	case TypeDouble:
		sink.Float(v.Float(), 64)
	case TypeTimestamp:
		at := v.Interface().(time.Time)
		switch shape.TimestampFormat {
		case TimestampISO8601, TimestampRFC822:
			sink.Text(FormatTime(shape.TimestampFormat, at))
		default:
			sink.Time(at)
		}
	default:
		panic(fmt.Sprintf("wire: shape %s has type %s", shape.Name, shape.Type))
	}
}

// emitMap writes the entries sorted by key, so that equal values have equal bytes.
func emitMap(sink Sink, shape *Shape, v reflect.Value) {
	sink.BeginMap(v.Len())
	for _, key := range sortedKeys(v) {
		sink.Key(key.String())
		emitValue(sink, shape.Value, v.MapIndex(key))
	}
	sink.EndMap()
}

func sortedKeys(v reflect.Value) []reflect.Value {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		switch {
		case a.String() < b.String():
			return -1
		case a.String() > b.String():
			return 1
		}
		return 0
	})
	return keys
}

// emitFields writes the entries of APIError.Fields.
func emitFields(sink Sink, fields map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		sink.Key(name)
		emitField(sink, fields[name])
	}
}

func emitField(sink Sink, value any) {
	switch value := value.(type) {
	case string:
		sink.Text(value)
	case bool:
		sink.Bool(value)
	case int64:
		sink.Int(value)
	case float64:
		sink.Float(value, 64)
	case []any:
		sink.BeginList(len(value))
		for _, item := range value {
			sink.Item()
			emitField(sink, item)
		}
		sink.EndList()
	case map[string]any:
		sink.BeginMap(len(value))
		emitFields(sink, value)
		sink.EndMap()
	default:
		panic(fmt.Sprintf("wire: an error field of type %T", value))
	}
}
