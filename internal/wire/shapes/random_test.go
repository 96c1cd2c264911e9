package shapes_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/weir-stream/weir/internal/wire"
)

// randomValue fills into, a struct generated for shape, with values that need not keep the constraints: empty
// and absent, far away, and hard to escape.
func randomValue(r *rand.Rand, shape *wire.Shape, into reflect.Value) {
	randomStructure(r, shape, into, 0)
}

// depthMax is how many structures lie around a value, at most: some shapes hold themselves.
const depthMax = 5

func randomStructure(r *rand.Rand, shape *wire.Shape, into reflect.Value, depth int) {
	for i := range shape.Members {
		if r.IntN(4) == 0 || depth >= depthMax && nests(shape.Members[i].Shape) {
			continue // absent
		}
		field := into.Field(i)
		if field.Kind() == reflect.Pointer {
			field.Set(reflect.New(field.Type().Elem()))
			field = field.Elem()
		}
		randomAny(r, shape.Members[i].Shape, field, depth)
	}
}

func nests(shape *wire.Shape) bool {
	return shape.Type == wire.TypeStructure || shape.Type == wire.TypeList || shape.Type == wire.TypeMap
}

func randomAny(r *rand.Rand, shape *wire.Shape, into reflect.Value, depth int) {
	switch shape.Type {
	case wire.TypeStructure:
		randomStructure(r, shape, into, depth+1)
	case wire.TypeList:
		list := reflect.MakeSlice(into.Type(), r.IntN(4), 4)
		for i := range list.Len() {
			randomAny(r, shape.Element, list.Index(i), depth)
		}
		into.Set(list)
	case wire.TypeMap:
		mapping := reflect.MakeMap(into.Type())
		for range r.IntN(4) {
			key := reflect.New(into.Type().Key()).Elem()
			randomAny(r, shape.Key, key, depth)
			value := reflect.New(into.Type().Elem()).Elem()
			randomAny(r, shape.Value, value, depth)
			mapping.SetMapIndex(key, value)
		}
		into.Set(mapping)
	case wire.TypeString:
		into.SetString(randomText(r))
	case wire.TypeBlob:
		blob := make([]byte, r.IntN(300))
		for i := range blob {
			blob[i] = byte(r.Uint32())
		}
		into.SetBytes(blob)
	case wire.TypeBoolean:
		into.SetBool(r.IntN(2) == 0)
	case wire.TypeInteger:
		into.SetInt(int64(int32(randomInt(r))))
	case wire.TypeLong:
		into.SetInt(randomInt(r))
	case wire.TypeFloat:
		into.SetFloat(float64(r.Float32() * 1e9))
	case wire.TypeDouble:
		into.SetFloat(r.NormFloat64() * 1e9)
	case wire.TypeTimestamp:
		into.Set(reflect.ValueOf(time.UnixMilli(randomInt(r)).UTC()))
	default:
		panic(shape.Type)
	}
}

var hardText = []rune{'a', 'Z', '"', '\\', '/', '\n', '\r', '\t', '\b', 0, 0x1f, 0x7f, 'é', '€', '😀', 0x2028, 0xfffd, '<', '{', '['}

func randomText(r *rand.Rand) string {
	text := make([]rune, r.IntN(30))
	for i := range text {
		text[i] = hardText[r.IntN(len(hardText))]
	}
	return string(text)
}

// randomInt spreads over all sizes, and likes the edges.
func randomInt(r *rand.Rand) int64 {
	edges := []int64{0, 1, -1, 23, 24, 255, 256, 65535, 65536, 1700000000123, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64}
	if r.IntN(3) == 0 {
		return edges[r.IntN(len(edges))]
	}
	return int64(r.Uint64()) >> r.IntN(64)
}
