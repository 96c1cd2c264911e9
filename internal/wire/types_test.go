package wire_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/cborproto"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
)

// animal has what no shape of Kinesis has: floats, textual timestamps, lists of lists, maps of structures, itself.
type animal struct {
	Weight  *float32
	Height  *float64
	Born    *time.Time
	Fed     *time.Time
	Grid    [][]int64
	Young   map[string]animal
	Best    *animal
	Renamed *string
	Asleep  *bool
}

var animalShape = wire.Shape{Name: "Animal", Namespace: "com.amazonaws.zoo.v20200202", Type: wire.TypeStructure}

func init() {
	text := &wire.Shape{Name: "Text", Type: wire.TypeString}
	long := &wire.Shape{Name: "Long", Type: wire.TypeLong, HasMax: true, Max: 9}
	animalShape.Members = []wire.Member{
		{Name: "Weight", Shape: &wire.Shape{Name: "Weight", Type: wire.TypeFloat, HasMin: true, Min: 1, HasMax: true, Max: 5}},
		{Name: "Height", Shape: &wire.Shape{Name: "Height", Type: wire.TypeDouble}},
		{Name: "Born", Shape: &wire.Shape{Name: "Born", Type: wire.TypeTimestamp, TimestampFormat: wire.TimestampISO8601}},
		{Name: "Fed", Shape: &wire.Shape{Name: "Fed", Type: wire.TypeTimestamp, TimestampFormat: wire.TimestampRFC822}},
		{Name: "Grid", Shape: &wire.Shape{Name: "Grid", Type: wire.TypeList, Element: &wire.Shape{Name: "Row", Type: wire.TypeList, Element: long, HasMax: true, Max: 2}}},
		{Name: "Young", Shape: &wire.Shape{Name: "Young", Type: wire.TypeMap, Key: text, Value: &animalShape}},
		{Name: "Best", Shape: &animalShape},
		{Name: "Renamed", LocationName: "other-name", Shape: text},
		{Name: "Asleep", Shape: &wire.Shape{Name: "Asleep", Type: wire.TypeBoolean}},
	}
}

// TestTypesBeyondKinesis shows the bytes of the types that Kinesis does not use, and that both protocols carry them.
func TestTypesBeyondKinesis(t *testing.T) {
	value := &animal{
		Weight: new(float32(0.1)), Height: new(-1e300), Born: new(time.UnixMilli(1700000000120).UTC()), Fed: new(time.Unix(1700000000, 0).UTC()),
		Grid: [][]int64{{1, 2}, {}}, Young: map[string]animal{"b": {}, "a": {Height: new(2.5)}}, Best: &animal{Renamed: new("x")}, Asleep: new(false),
	}
	const want = `{"Weight":0.1,"Height":-1e+300,"Born":"2023-11-14T22:13:20.12Z","Fed":"Tue, 14 Nov 2023 22:13:20 GMT","Grid":[[1,2],[]],` +
		`"Young":{"a":{"Height":2.5},"b":{}},"Best":{"other-name":"x"},"Asleep":false}`
	if got := string(jsonproto.Encode(nil, &animalShape, value)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, codec := range []wire.Codec{jsonproto.Codec, cborproto.Codec} {
		var back animal
		if err := codec.Decode(&animalShape, codec.Encode(nil, &animalShape, *value), &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&back, value) {
			t.Errorf("%s: got %s", codec.ContentType(), jsonproto.Encode(nil, &animalShape, back))
		}
		for _, odd := range []float64{math.Inf(1), math.Inf(-1), math.NaN()} {
			var back animal
			if err := codec.Decode(&animalShape, codec.Encode(nil, &animalShape, animal{Height: &odd}), &back); err != nil {
				t.Fatal(err)
			}
			if got := *back.Height; got != odd && !(math.IsNaN(got) && math.IsNaN(odd)) {
				t.Errorf("%s: %v became %v", codec.ContentType(), odd, got)
			}
		}
	}
	if got := string(jsonproto.Encode(nil, nil, nil)); got != "" {
		t.Errorf("no shape became %q", got)
	}
}

// TestTypesBeyondKinesisRefused shows what is said of their wrong values.
func TestTypesBeyondKinesisRefused(t *testing.T) {
	for body, want := range map[string]string{
		`{"Weight":1e39}`:              "'1e+39' can not be converted to an Float",
		`{"Height":1e400}`:             "",
		`{"Height":"tall"}`:            "class java.lang.String can not be converted to an Double",
		`{"Height":true}`:              "class java.lang.Boolean can not be converted to an Double",
		`{"Born":"yesterday"}`:         "'yesterday' can not be converted to milliseconds since epoch",
		`{"Fed":"2023-11-14T22:13Z"}`:  "'2023-11-14T22:13Z' can not be converted to milliseconds since epoch",
		`{"Grid":[[1],2]}`:             "Expected list or null",
		`{"Young":{"a":null}}`:         "null found where not expected.",
		`{"Best":{"Best":{"Best":1}}}`: "Expected null",
		`{"Asleep":"maybe"}`:           "'MAYBE' can not be converted to an Boolean",
	} {
		err := jsonproto.Decode(&animalShape, []byte(body), new(animal))
		if e, ok := wire.AsAPIError(err); !ok || e.Code != wire.CodeSerialization || e.Message != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// TestValidateTypesBeyondKinesis shows paths through lists of lists, maps of structures and itself.
func TestValidateTypesBeyondKinesis(t *testing.T) {
	value := animal{
		Weight: new(float32(0.5)), Grid: [][]int64{{1}, {1, 2, 30}},
		Best: &animal{Young: map[string]animal{"kit": {Weight: new(float32(5.5))}}},
	}
	err := wire.Validate(&animalShape, value)
	const want = "ValidationException: 4 validation errors detected: " +
		"Value '0.5' at 'weight' failed to satisfy constraint: Member must have value greater than or equal to 1; " +
		"Value '[1, 2, 30]' at 'grid.2.member' failed to satisfy constraint: Member must have length less than or equal to 2; " +
		"Value '[1, 2, 30]' at 'grid.2.member' failed to satisfy constraint: Member must satisfy constraint: [Member must have value less than or equal to 9]; " +
		"Value '5.5' at 'best.young.kit.member.weight' failed to satisfy constraint: Member must have value less than or equal to 5"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
