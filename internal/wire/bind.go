package wire

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Bind reads one structure from source into the struct that into points to. It is the half of Codec.Decode
// that all protocols of the JSON family share, so they agree by construction.
func Bind(source Source, shape *Shape, into any) error {
	kind, err := source.Kind()
	if err != nil {
		return err
	}
	if kind != KindMap {
		return SyntaxError("the body is not a structure")
	}
	b := binder{source: source}
	return b.structure(shape, reflect.ValueOf(into).Elem())
}

type binder struct {
	source Source
	items  int // list elements and map entries bound so far; see ItemsMax
}

func (b *binder) structure(shape *Shape, into reflect.Value) error {
	entries, err := b.source.EnterMap()
	if err != nil {
		return err
	}
	for {
		more, err := b.source.More(&entries)
		if err != nil || !more {
			return err
		}
		key, err := b.source.Key()
		if err != nil {
			return err
		}
		i := shape.MemberNamed(key)
		if i < 0 {
			if err := b.source.Skip(); err != nil {
				return err
			}
			continue
		}
		if err := b.member(shape.Members[i].Shape, into.Field(i)); err != nil {
			return err
		}
	}
}

// member binds a value that may be null. What a repeated member bound before is forgotten.
func (b *binder) member(shape *Shape, into reflect.Value) error {
	into.SetZero()
	kind, err := b.source.Kind()
	if err != nil {
		return err
	}
	if kind == KindNull {
		return b.source.Skip()
	}
	if into.Kind() != reflect.Pointer {
		return b.value(shape, kind, into)
	}
	target := reflect.New(into.Type().Elem())
	if err := b.value(shape, kind, target.Elem()); err != nil {
		return err
	}
	into.Set(target)
	return nil
}

// element binds a value inside a list or map, where null has no place. What AWS says of one is not known; the text is ours.
func (b *binder) element(shape *Shape, into reflect.Value) error {
	b.items++
	if b.items > ItemsMax {
		return SyntaxError("more than %d list elements and map entries", ItemsMax)
	}
	kind, err := b.source.Kind()
	if err != nil {
		return err
	}
	if kind == KindNull {
		return SerializationError("null found where not expected.")
	}
	return b.value(shape, kind, into)
}

// value binds what is next, known to be of kind, to a non-pointer.
func (b *binder) value(shape *Shape, kind Kind, into reflect.Value) error {
	if err := checkKind(shape, kind); err != nil {
		return err
	}
	switch shape.Type {
	case TypeStructure:
		return b.structure(shape, into)
	case TypeList:
		return b.list(shape, into)
	case TypeMap:
		return b.mapping(shape, into)
	case TypeString:
		text, err := b.source.Text()
		if err != nil {
			return err
		}
		into.SetString(string(text))
		return nil
	case TypeBlob:
		blob, err := b.source.Blob()
		if err != nil {
			return err
		}
		into.SetBytes(blob)
		return nil
	case TypeBoolean:
		return b.boolean(kind, into)
	case TypeInteger:
		number, err := b.source.Int()
		if err != nil {
			return err
		}
		// Coral's TruncatingBigNumber holds what is too large at the edge of the type.
		into.SetInt(min(max(number, math.MinInt32), math.MaxInt32))
		return nil
	case TypeLong:
		number, err := b.source.Int()
		if err != nil {
			return err
		}
		into.SetInt(number)
		return nil
	case TypeFloat, TypeDouble:
		return b.float(kind, into)
	case TypeTimestamp:
		return b.timestamp(shape, kind, into)
	}
	panic(fmt.Sprintf("wire: shape %s has type %s", shape.Name, shape.Type))
}

func (b *binder) list(shape *Shape, into reflect.Value) error {
	entries, err := b.source.EnterList()
	if err != nil {
		return err
	}
	list := reflect.MakeSlice(into.Type(), 0, max(0, min(entries.Left, 64)))
	zero := reflect.Zero(into.Type().Elem())
	for {
		more, err := b.source.More(&entries)
		if err != nil {
			return err
		}
		if !more {
			into.Set(list)
			return nil
		}
		list = reflect.Append(list, zero)
		if err := b.element(shape.Element, list.Index(list.Len()-1)); err != nil {
			return err
		}
	}
}

func (b *binder) mapping(shape *Shape, into reflect.Value) error {
	entries, err := b.source.EnterMap()
	if err != nil {
		return err
	}
	mapping := reflect.MakeMap(into.Type())
	for {
		more, err := b.source.More(&entries)
		if err != nil {
			return err
		}
		if !more {
			into.Set(mapping)
			return nil
		}
		name, err := b.source.Key()
		if err != nil {
			return err
		}
		key := reflect.New(into.Type().Key()).Elem()
		key.SetString(string(name))
		value := reflect.New(into.Type().Elem()).Elem()
		if err := b.element(shape.Value, value); err != nil {
			return err
		}
		mapping.SetMapIndex(key, value)
	}
}

// boolean also takes the words that Coral takes.
func (b *binder) boolean(kind Kind, into reflect.Value) error {
	if kind == KindBool {
		value, err := b.source.Bool()
		if err != nil {
			return err
		}
		into.SetBool(value)
		return nil
	}
	text, err := b.source.Text()
	if err != nil {
		return err
	}
	switch word := strings.ToUpper(string(text)); word {
	case "TRUE", "YES", "1":
		into.SetBool(true)
	case "FALSE", "NO", "0":
		into.SetBool(false)
	default:
		return SerializationError("'" + Excerpt(word) + "' can not be converted to an Boolean")
	}
	return nil
}

// float also takes the three values that no JSON number can say.
func (b *binder) float(kind Kind, into reflect.Value) error {
	if kind == KindNumber {
		value, err := b.source.Float()
		if err != nil {
			return err
		}
		if into.OverflowFloat(value) {
			return SerializationError("'" + strconv.FormatFloat(value, 'g', -1, 64) + "' can not be converted to an Float")
		}
		into.SetFloat(value)
		return nil
	}
	text, err := b.source.Text()
	if err != nil {
		return err
	}
	switch string(text) {
	case "NaN":
		into.SetFloat(math.NaN())
	case "Infinity":
		into.SetFloat(math.Inf(1))
	case "-Infinity":
		into.SetFloat(math.Inf(-1))
	default:
		return SerializationError("class java.lang.String can not be converted to an Double")
	}
	return nil
}

func (b *binder) timestamp(shape *Shape, kind Kind, into reflect.Value) error {
	if kind == KindNumber {
		millis, err := b.source.Millis()
		if err != nil {
			return err
		}
		into.Set(reflect.ValueOf(time.UnixMilli(millis).UTC()))
		return nil
	}
	text, err := b.source.Text()
	if err != nil {
		return err
	}
	at, err := ParseTime(shape.TimestampFormat, string(text))
	if err != nil {
		return SerializationError("'" + Excerpt(string(text)) + "' can not be converted to milliseconds since epoch")
	}
	into.Set(reflect.ValueOf(at))
	return nil
}

// javaClasses are the classes that Coral's texts give to what it found.
var javaClasses = map[Kind]string{
	KindBool:   "class java.lang.Boolean",
	KindNumber: "class com.amazon.coral.value.json.numbers.TruncatingBigNumber",
	KindText:   "class java.lang.String",
	KindBlob:   "class java.nio.HeapByteBuffer",
}

// checkKind says in Coral's words why a value of kind cannot become one of shape. The texts follow
// those that AWS was seen to send, down to the full stop that one of them lacks.
func checkKind(shape *Shape, kind Kind) error {
	fits, ending := false, ""
	switch shape.Type {
	case TypeStructure:
		fits, ending = kind == KindMap, "Expected null"
	case TypeMap:
		fits, ending = kind == KindMap, "Expected map or null"
	case TypeList:
		fits, ending = kind == KindList, "Expected list or null"
	case TypeString:
		fits, ending = kind == KindText, "an String"
	case TypeBlob:
		fits, ending = kind == KindText || kind == KindBlob, "a Blob"
	case TypeBoolean:
		fits, ending = kind == KindBool || kind == KindText, "an Boolean"
	case TypeInteger:
		fits, ending = kind == KindNumber, "an Integer"
	case TypeLong:
		fits, ending = kind == KindNumber, "an Long"
	case TypeFloat:
		fits, ending = kind == KindNumber || kind == KindText, "an Float"
	case TypeDouble:
		fits, ending = kind == KindNumber || kind == KindText, "an Double"
	case TypeTimestamp:
		textual := shape.TimestampFormat == TimestampISO8601 || shape.TimestampFormat == TimestampRFC822
		fits, ending = kind == KindNumber || textual && kind == KindText, "milliseconds since epoch"
	}
	switch {
	case fits:
		return nil
	case kind == KindEnd:
		return SyntaxError("the body ends before a value")
	case kind == KindList:
		return SerializationError("Start of list found where not expected")
	case kind == KindMap:
		return SerializationError("Start of structure or map found where not expected.")
	case shape.Type == TypeStructure || shape.Type == TypeMap || shape.Type == TypeList:
		return SerializationError(ending)
	}
	return ConversionError(kind, ending)
}

// ConversionError says that a scalar of kind cannot become what target names, such as "a Blob".
func ConversionError(kind Kind, target string) error {
	return SerializationError(javaClasses[kind] + " can not be converted to " + target)
}

// excerptMax is how much of a customer's value a text repeats, in bytes. AWS repeats all of it; a record may have ten MiB.
const excerptMax = 1024

// Excerpt is value, cut when it is too long to be sent back inside an error.
func Excerpt(value string) string {
	if len(value) <= excerptMax {
		return value
	}
	return strings.ToValidUTF8(value[:excerptMax], "") + "..."
}
