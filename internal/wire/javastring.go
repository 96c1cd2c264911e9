package wire

import (
	"fmt"
	"hash/fnv"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// javaString is v as AWS quotes it in a text: what Java's toString gives. A structure is its class and a hash;
// AWS's own hash cannot be known, so ours is FNV-1a over the members: equal structures look equal, as there.
func javaString(shape *Shape, v reflect.Value) string {
	switch shape.Type {
	case TypeStructure:
		return fmt.Sprintf("%s.%s@%08x", shape.Namespace, shape.Name, structureHash(shape, v))
	case TypeList:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = javaString(shape.Element, v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case TypeMap:
		var items []string
		for _, key := range sortedKeys(v) {
			items = append(items, key.String()+"="+javaString(shape.Value, v.MapIndex(key)))
		}
		return "{" + strings.Join(items, ", ") + "}"
	case TypeBlob:
		return fmt.Sprintf("java.nio.HeapByteBuffer[pos=0 lim=%d cap=%d]", v.Len(), v.Len())
	case TypeString:
		return v.String()
	case TypeBoolean:
		return strconv.FormatBool(v.Bool())
	case TypeInteger, TypeLong:
		return strconv.FormatInt(v.Int(), 10)
	case TypeFloat:
		return strconv.FormatFloat(v.Float(), 'g', -1, 32)
	case TypeDouble:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case TypeTimestamp:
		return v.Interface().(time.Time).UTC().Format("Mon Jan 02 15:04:05 MST 2006")
	}
	panic(fmt.Sprintf("wire: shape %s has type %s", shape.Name, shape.Type))
}

func structureHash(shape *Shape, v reflect.Value) uint32 {
	hash := fnv.New32a()
	for i := range shape.Members {
		field := v.Field(i)
		if field.IsNil() {
			continue
		}
		if field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		member := &shape.Members[i]
		text := javaString(member.Shape, field)
		if member.Shape.Type == TypeBlob {
			text = string(field.Bytes())
		}
		_, _ = fmt.Fprintf(hash, "%s=%d:%s;", member.Name, len(text), text)
	}
	return hash.Sum32()
}
