package queryproto

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/shapes/cloudwatch"
)

// inner and outer are structs as the generator makes them; their shapes have what CloudWatch's lack.
type inner struct {
	Name *string
	Big  *int64
}

type outer struct {
	Text    *string
	Number  *int32
	Yes     *bool
	Half    *float64
	Blob    []byte
	At      *time.Time
	Unix    *time.Time
	List    []inner
	Flat    []string
	Map     map[string]string
	FlatMap map[string]inner
	Deep    [][]string
}

var (
	textShape  = &wire.Shape{Name: "Text", Type: wire.TypeString}
	innerShape = &wire.Shape{Name: "Inner", Type: wire.TypeStructure, Members: []wire.Member{{Name: "Name", Shape: textShape}, {Name: "Big", Shape: &wire.Shape{Name: "Big", Type: wire.TypeLong}}}}
	texts      = &wire.Shape{Name: "Texts", Type: wire.TypeList, Element: textShape}
	outerShape = &wire.Shape{Name: "Outer", Type: wire.TypeStructure, Members: []wire.Member{
		{Name: "Text", Shape: textShape, LocationName: "text"},
		{Name: "Number", Shape: &wire.Shape{Name: "Number", Type: wire.TypeInteger}},
		{Name: "Yes", Shape: &wire.Shape{Name: "Yes", Type: wire.TypeBoolean}},
		{Name: "Half", Shape: &wire.Shape{Name: "Half", Type: wire.TypeDouble}},
		{Name: "Blob", Shape: &wire.Shape{Name: "Blob", Type: wire.TypeBlob}},
		{Name: "At", Shape: &wire.Shape{Name: "At", Type: wire.TypeTimestamp}},
		{Name: "Unix", Shape: &wire.Shape{Name: "Unix", Type: wire.TypeTimestamp, TimestampFormat: wire.TimestampUnix}},
		{Name: "List", Shape: &wire.Shape{Name: "List", Type: wire.TypeList, Element: innerShape, ElementName: "item"}},
		{Name: "Flat", Shape: texts, Flattened: true},
		{Name: "Map", Shape: &wire.Shape{Name: "Map", Type: wire.TypeMap, Key: textShape, Value: textShape}},
		{Name: "FlatMap", Shape: &wire.Shape{Name: "FlatMap", Type: wire.TypeMap, Key: textShape, Value: innerShape, KeyName: "k", ValueName: "v", Flattened: true}},
		{Name: "Deep", Shape: &wire.Shape{Name: "Deep", Type: wire.TypeList, Element: texts}},
	}}
	operation = &wire.Operation{Name: "Do", Output: outerShape}
	service   = &wire.Service{XMLNamespace: "http://do/"}
)

// TestBothWays reads a form of everything that a model may ask for, and writes the same as XML.
func TestBothWays(t *testing.T) {
	form := "Action=Do&text=a+b%3C&Number=-7&Yes=true&Half=2.5e-3&Blob=AAE%3D&At=2026-11-27T10:00:00.25Z&Unix=1.5&List.item.2.Big=9223372036854775807&List.item.1.Name=x" +
		"&Flat.1=f&Flat.2=&Map.entry.1.key=k&Map.entry.1.value=v&FlatMap.7.k=z&FlatMap.7.v.Name=y&Deep.member.1.member.1=d&Deep.member.3=&&Unknown.thing=1"
	want := outer{
		Text: ptr("a b<"), Number: ptr(int32(-7)), Yes: ptr(true), Half: ptr(2.5e-3), Blob: []byte{0, 1}, At: ptr(time.Date(2026, 11, 27, 10, 0, 0, 250e6, time.UTC)), Unix: ptr(time.UnixMilli(1500).UTC()),
		List: []inner{{Name: ptr("x")}, {Big: ptr(int64(math.MaxInt64))}}, Flat: []string{"f", ""}, Map: map[string]string{"k": "v"}, FlatMap: map[string]inner{"z": {Name: ptr("y")}}, Deep: [][]string{{"d"}, {}},
	}
	var got outer
	if err := Decode(outerShape, []byte(form), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	xml := `<DoResponse xmlns="http://do/"><DoResult><text>a b&lt;</text><Number>-7</Number><Yes>true</Yes><Half>0.0025</Half><Blob>AAE=</Blob><At>2026-11-27T10:00:00.25Z</At><Unix>1.5</Unix>` +
		`<List><item><Name>x</Name></item><item><Big>9223372036854775807</Big></item></List><Flat>f</Flat><Flat></Flat><Map><entry><key>k</key><value>v</value></entry></Map>` +
		`<FlatMap><k>z</k><v><Name>y</Name></v></FlatMap><Deep><member><member>d</member></member><member></member></Deep></DoResult><ResponseMetadata><RequestId>1-2</RequestId></ResponseMetadata></DoResponse>` + "\n"
	if wrote := string(Encode(nil, service, operation, &got, "1-2")); wrote != xml {
		t.Errorf("wrote %s\nwant  %s", wrote, xml)
	}
}

func ptr[T any](v T) *T { return &v }

// TestRefusals shows what is no value of its shape.
func TestRefusals(t *testing.T) {
	for form, want := range map[string]string{
		"Number=1.5":                          "'1.5' can not be converted to an Integer",
		"Number=99999999999":                  "'99999999999' can not be converted to an Integer",
		"Half=0x1p4":                          "'0x1p4' can not be converted to an Double",
		"Half=1_0":                            "'1_0' can not be converted to an Double",
		"Yes=perhaps":                         "'perhaps' can not be converted to an Boolean",
		"Blob=%2A":                            "'*' can not be converted to a Blob",
		"At=yesterday":                        "'yesterday' can not be converted to milliseconds since epoch",
		"Unix=NaN":                            "'NaN' can not be converted to milliseconds since epoch",
		"List.item.one.Name=x":                "Key is not a valid list index: one",
		"text.more=x":                         "Start of structure or map found where not expected.",
		"text=%zz":                            "",
		"text=%ff":                            "",
		strings.Repeat("a.", wire.DepthMax):   "",
		strings.Repeat("a&", wire.ItemsMax+1): "",
	} {
		err := Decode(outerShape, []byte(form), new(outer))
		e, ok := wire.AsAPIError(err)
		if !ok || e.Code != wire.CodeSerialization || e.Message != want || !fault.Is(err, fault.Invalid) {
			t.Errorf("%.50s: got %v, want %s", form, err, want)
		}
	}
}

// FuzzDecode shows that no form breaks the reader, and that what it reads is written as XML.
func FuzzDecode(f *testing.F) {
	f.Add("Namespace=App&MetricData.member.1.MetricName=m&MetricData.member.1.Value=1&MetricData.member.1.Timestamp=2026-11-27T10:00:00Z")
	f.Add("MetricData=&MetricData.member.1.Dimensions.member.2.Name=%41&EntityMetricData.member.1.Entity.KeyAttributes.entry.1.key=k")
	op := cloudwatch.Service.Operations["PutMetricData"]
	f.Fuzz(func(t *testing.T, form string) {
		into := op.NewInput()
		if err := Decode(op.Input, []byte(form), into); err != nil {
			return
		}
		if !strings.HasSuffix(string(Encode(nil, cloudwatch.Service, &wire.Operation{Name: "PutMetricData", Output: op.Input}, into, "")), "</PutMetricDataResponse>\n") {
			t.Error("the answer has no end")
		}
	})
}
