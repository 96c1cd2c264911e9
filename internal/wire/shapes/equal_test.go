package shapes_test

import (
	"flag"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/cborproto"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
	"github.com/weir-stream/weir/internal/wire/shapes/cloudwatch"
	"github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
	"github.com/weir-stream/weir/internal/wire/shapes/dynamodbstreams"
	"github.com/weir-stream/weir/internal/wire/shapes/firehose"
	"github.com/weir-stream/weir/internal/wire/shapes/kinesis"
	"github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

var seed = flag.Uint64("seed", 0, "seed of the random values; 0 for a new one")

// services are all generated tables.
var services = []*wire.Service{kinesis.Service, dynamodb.Service, dynamodbstreams.Service, lambda.Service, cloudwatch.Service, firehose.Service}

// eachShape calls f with every input, output, event and error of every operation, and a new value of it.
func eachShape(t *testing.T, f func(t *testing.T, shape *wire.Shape, newValue func() any)) {
	for _, service := range services {
		for _, name := range slices.Sorted(maps.Keys(service.Operations)) {
			op := service.Operations[name]
			if op.Input != nil {
				t.Run(name+"/input", func(t *testing.T) { f(t, op.Input, op.NewInput) })
			}
			if op.Output != nil {
				t.Run(name+"/output", func(t *testing.T) { f(t, op.Output, op.NewOutput) })
			}
		}
	}
	t.Run("SubscribeToShard/events", func(t *testing.T) {
		f(t, kinesis.Service.Operations["SubscribeToShard"].OutputEvents, func() any { return new(kinesis.SubscribeToShardEventStream) })
	})
}

// TestProtocolsAgree shows that both protocols carry every value of every shape unchanged: random values are
// encoded, decoded and compared, and so are the two results.
func TestProtocolsAgree(t *testing.T) {
	start := *seed
	if start == 0 {
		start = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat with: go test ./internal/wire/shapes -run TestProtocolsAgree -seed %d", start)
	eachShape(t, func(t *testing.T, shape *wire.Shape, newValue func() any) {
		r := rand.New(rand.NewPCG(start, 0))
		for range 50 {
			value := newValue()
			randomValue(r, shape, reflect.ValueOf(value).Elem())
			for _, codec := range []wire.Codec{jsonproto.Codec, cborproto.Codec} {
				body := codec.Encode(nil, shape, value)
				decoded := newValue()
				if err := codec.Decode(shape, body, decoded); err != nil {
					t.Fatalf("seed %d: %s: %v\n%q", start, codec.ContentType(), err, body)
				}
				if !reflect.DeepEqual(decoded, value) {
					t.Fatalf("seed %d: %s: not the same\n%q", start, codec.ContentType(), body)
				}
				again := codec.Encode(nil, shape, decoded)
				if !slices.Equal(again, body) {
					t.Fatalf("seed %d: %s: equal values, other bytes\n%q\n%q", start, codec.ContentType(), body, again)
				}
			}
		}
	})
}

// TestFieldsAreMembers holds the promise of wire.Shape: Members[i] is field i, with a type that can be absent.
func TestFieldsAreMembers(t *testing.T) {
	checked := map[*wire.Shape]bool{} // some shapes hold themselves
	var check func(t *testing.T, shape *wire.Shape, goType reflect.Type)
	check = func(t *testing.T, shape *wire.Shape, goType reflect.Type) {
		switch shape.Type {
		case wire.TypeList:
			check(t, shape.Element, goType.Elem())
		case wire.TypeMap:
			check(t, shape.Value, goType.Elem())
		case wire.TypeStructure:
			if checked[shape] {
				return
			}
			checked[shape] = true
			if goType.Name() != shape.Name || goType.NumField() != len(shape.Members) {
				t.Fatalf("%s is of shape %s", goType, shape.Name)
			}
			for i := range shape.Members {
				field, member := goType.Field(i), &shape.Members[i]
				if want := string(member.Name[0]&^0x20) + member.Name[1:]; field.Name != want {
					t.Fatalf("%s.%s is member %s", goType, field.Name, member.Name)
				}
				fieldType := field.Type
				switch fieldType.Kind() {
				case reflect.Pointer:
					fieldType = fieldType.Elem()
				case reflect.Slice, reflect.Map:
				default:
					t.Fatalf("%s.%s can not be absent", goType, field.Name)
				}
				check(t, member.Shape, fieldType)
			}
		}
	}
	eachShape(t, func(t *testing.T, shape *wire.Shape, newValue func() any) {
		check(t, shape, reflect.TypeOf(newValue()).Elem())
	})
}

// TestKinesisIsWhole shows that nothing of the model is missing.
func TestKinesisIsWhole(t *testing.T) {
	if n := len(kinesis.Service.Operations); n != 45 {
		t.Errorf("%d operations, want 45", n)
	}
	for name, op := range kinesis.Service.Operations {
		if op.Name != name || op.Input == nil || op.NewInput == nil || op.Method != "POST" || op.RequestURI != "/" || op.Status != 200 {
			t.Errorf("operation %s: %+v", name, op)
		}
		if (op.Output == nil) != (op.NewOutput == nil) {
			t.Errorf("operation %s: output and constructor differ", name)
		}
		for _, e := range op.Errors {
			if kinesis.Service.Errors[e.Name] != e || e.Error == nil {
				t.Errorf("operation %s: error %s is not in the table", name, e.Name)
			}
		}
	}
	if e := kinesis.Service.Errors[kinesis.CodeInternalFailureException].Error; !e.Fault || e.Status != 500 {
		t.Errorf("InternalFailureException is %+v", e)
	}
	if s := kinesis.Service; s.TargetPrefix != "Kinesis_20131202" || s.SigningName != "kinesis" || s.JSONVersion != "1.1" || s.HTTP2 != "eventstream" {
		t.Errorf("service is %+v", s)
	}
}
