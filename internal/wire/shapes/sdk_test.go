package shapes_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"
	smithyendpoints "github.com/aws/smithy-go/endpoints"

	"github.com/weir-stream/weir/internal/wire"
	"github.com/weir-stream/weir/internal/wire/jsonproto"
	"github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// The AWS SDK as the oracle: what it sends must decode to what it was given, and what we encode must be parsed by
// it to what we meant. All 45 operations go through the SDK's own client; structs are compared by field name.

// transport answers in the client's process.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type endpoint struct{}

func (endpoint) ResolveEndpoint(context.Context, sdk.EndpointParameters) (smithyendpoints.Endpoint, error) {
	return smithyendpoints.Endpoint{URI: url.URL{Scheme: "http", Host: "weir.invalid"}}, nil
}

func newClient(answer transport) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: "us-east-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		}),
		EndpointResolverV2: endpoint{},
		HTTPClient:         &http.Client{Transport: answer},
		Retryer:            aws.NopRetryer{},
	})
}

var errCaptured = errors.New("captured")

func TestSDKRequestsDecode(t *testing.T) {
	start := startSeed(t, "TestSDKRequestsDecode")
	for name, op := range kinesis.Service.Operations {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(start, 1))
			for range 10 {
				var request *http.Request
				var body []byte
				client := newClient(func(r *http.Request) (*http.Response, error) {
					request = r
					if r.Body != nil {
						body, _ = io.ReadAll(r.Body)
					}
					return nil, errCaptured
				})
				method := reflect.ValueOf(client).MethodByName(name)
				input := reflect.New(method.Type().In(1).Elem())
				randomSDK(r, input.Elem())
				results := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), input})
				if err, _ := results[1].Interface().(error); !errors.Is(err, errCaptured) {
					t.Fatalf("seed %d: %v", start, err)
				}
				if got := request.Header.Get("X-Amz-Target"); got != kinesis.Service.TargetPrefix+"."+name {
					t.Fatalf("target %q", got)
				}
				if got := request.Header.Get("Content-Type"); got != jsonproto.ContentType {
					t.Fatalf("content type %q", got)
				}
				decoded := op.NewInput()
				if err := jsonproto.Decode(op.Input, body, decoded); err != nil {
					t.Fatalf("seed %d: %v\n%s", start, err, body)
				}
				if diff := difference(reflect.ValueOf(decoded), input, true); diff != "" {
					t.Fatalf("seed %d: %s\n%s", start, diff, body)
				}
			}
		})
	}
}

func TestSDKParsesAnswers(t *testing.T) {
	start := startSeed(t, "TestSDKParsesAnswers")
	for name, op := range kinesis.Service.Operations {
		if op.OutputEvents != nil {
			continue // its answer is a stream of frames, which the event stream's own tests send
		}
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(start, 2))
			for range 10 {
				var output any
				var body []byte
				if op.Output != nil {
					output = op.NewOutput()
					randomValue(r, op.Output, reflect.ValueOf(output).Elem())
					clampYears(reflect.ValueOf(output))
					body = jsonproto.Encode(nil, op.Output, output)
				}
				client := newClient(func(r *http.Request) (*http.Response, error) {
					header := http.Header{"Content-Type": {jsonproto.ContentType}}
					wire.SetRequestIDs(header, rand.NewPCG(1, 2))
					return &http.Response{StatusCode: 200, Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
				})
				method := reflect.ValueOf(client).MethodByName(name)
				input := reflect.New(method.Type().In(1).Elem())
				randomSDK(r, input.Elem())
				results := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), input})
				if err, _ := results[1].Interface().(error); err != nil {
					t.Fatalf("seed %d: %v\n%s", start, err, body)
				}
				if output == nil {
					continue
				}
				if diff := difference(reflect.ValueOf(output), results[0], false); diff != "" {
					t.Fatalf("seed %d: %s\n%s", start, diff, body)
				}
			}
		})
	}
}

// TestSDKParsesErrors shows that every error of the model, and those of Coral itself, arrive with code, message and request id.
func TestSDKParsesErrors(t *testing.T) {
	codes := slices.Collect(maps.Keys(kinesis.Service.Errors))
	codes = append(codes, wire.CodeSerialization, wire.CodeInternalFailure, wire.CodeUnknownOperation)
	for _, code := range codes {
		status := 400
		if shape, ok := kinesis.Service.Errors[code]; ok {
			status = shape.Error.Status
		}
		client := newClient(func(r *http.Request) (*http.Response, error) {
			recorder := httptest.NewRecorder()
			wire.SetRequestIDs(recorder.Header(), rand.NewPCG(1, 2))
			wire.WriteError(recorder, jsonproto.Codec, &wire.APIError{Code: code, Message: "why \"é\"", Status: status})
			answer := recorder.Result()
			answer.Request = r
			return answer, nil
		})
		_, err := client.PutRecord(t.Context(), &sdk.PutRecordInput{StreamName: new("s"), PartitionKey: new("k"), Data: []byte("x")})
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != code || e.ErrorMessage() != "why \"é\"" {
			t.Errorf("%s: the SDK read %v", code, err)
		}
		var withID interface{ ServiceRequestID() string }
		if !errors.As(err, &withID) || withID.ServiceRequestID() == "" {
			t.Errorf("%s: the SDK found no request id in %v", code, err)
		}
	}
}

func startSeed(t *testing.T, test string) uint64 {
	start := *seed
	if start == 0 {
		start = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat with: go test ./internal/wire/shapes -run %s -seed %d", test, start)
	return start
}

// randomSDK fills a struct of the SDK; everything is set, because the SDK checks what is required.
func randomSDK(r *rand.Rand, into reflect.Value) {
	switch into.Kind() {
	case reflect.Struct:
		if into.Type() == reflect.TypeFor[time.Time]() {
			into.Set(reflect.ValueOf(time.UnixMilli(r.Int64N(4_000_000_000_000)).UTC()))
			return
		}
		for i := range into.NumField() {
			if field := into.Type().Field(i); field.IsExported() && field.Name != "ResultMetadata" {
				randomSDK(r, into.Field(i))
			}
		}
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		randomSDK(r, into.Elem())
	case reflect.Slice:
		into.Set(reflect.MakeSlice(into.Type(), 1+r.IntN(3), 3))
		for i := range into.Len() {
			randomSDK(r, into.Index(i))
		}
	case reflect.Map:
		into.Set(reflect.MakeMap(into.Type()))
		for range 1 + r.IntN(3) {
			key, value := reflect.New(into.Type().Key()).Elem(), reflect.New(into.Type().Elem()).Elem()
			randomSDK(r, key)
			randomSDK(r, value)
			into.SetMapIndex(key, value)
		}
	case reflect.String:
		into.SetString("x" + randomText(r))
	case reflect.Bool:
		into.SetBool(r.IntN(2) == 0)
	case reflect.Int32, reflect.Int64:
		into.SetInt(1 + r.Int64N(1<<30))
	case reflect.Uint8:
		into.SetUint(uint64(r.Uint32() & 255))
	default:
		panic(into.Type())
	}
}

// clampYears brings timestamps between 1970 and 2096: the SDK reads them as floats, which have no milliseconds in
// far years and are rounded the other way before 1970.
func clampYears(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			clampYears(v.Elem())
		}
	case reflect.Struct:
		if at, ok := v.Interface().(time.Time); ok {
			v.Set(reflect.ValueOf(time.UnixMilli(int64(uint64(at.UnixMilli()) % 4_000_000_000_000)).UTC()))
			return
		}
		for i := range v.NumField() {
			clampYears(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			clampYears(v.Index(i))
		}
	}
}

// difference says where ours and the SDK's struct differ, or "". strict, for requests, asks that the SDK has no
// field that is unknown to us, and that times are exact; answers of the SDK have metadata of their own.
func difference(ours, theirs reflect.Value, strict bool) string {
	for ours.Kind() == reflect.Pointer && !ours.IsNil() {
		ours = ours.Elem()
	}
	for theirs.Kind() == reflect.Pointer && !theirs.IsNil() {
		theirs = theirs.Elem()
	}
	if isAbsent(ours) || isAbsent(theirs) {
		if isAbsent(ours) && (isAbsent(theirs) || theirs.IsZero()) || isAbsent(theirs) && ours.IsZero() {
			return "" // the SDK has values where we have pointers, and says nothing of empty lists
		}
		return fmt.Sprintf("we have %v, the SDK %v", ours, theirs)
	}
	switch theirs.Kind() {
	case reflect.Struct:
		if at, ok := theirs.Interface().(time.Time); ok {
			// The SDK reads an answer's seconds as a float and cuts it off, so that .004 may become .003.
			if late := ours.Interface().(time.Time).Sub(at); late < 0 || late > time.Millisecond || strict && late != 0 {
				return fmt.Sprintf("we have %v, the SDK %v", ours, theirs)
			}
			return ""
		}
		for i := range ours.NumField() {
			name := ours.Type().Field(i).Name
			other := theirs.FieldByName(name)
			if !other.IsValid() {
				return "the SDK has no field " + name
			}
			if diff := difference(ours.Field(i), other, strict); diff != "" {
				return name + ": " + diff
			}
		}
		for i := range theirs.NumField() {
			field := theirs.Type().Field(i)
			if strict && field.IsExported() && !ours.FieldByName(field.Name).IsValid() {
				return "we have no field " + field.Name
			}
		}
		return ""
	case reflect.Slice:
		if ours.Len() != theirs.Len() {
			return fmt.Sprintf("we have %d elements, the SDK %d", ours.Len(), theirs.Len())
		}
		for i := range ours.Len() {
			if diff := difference(ours.Index(i), theirs.Index(i), strict); diff != "" {
				return fmt.Sprintf("%d: %s", i, diff)
			}
		}
		return ""
	case reflect.Map:
		if !reflect.DeepEqual(ours.Interface(), theirs.Interface()) {
			return fmt.Sprintf("we have %v, the SDK %v", ours, theirs)
		}
		return ""
	}
	if a, b := fmt.Sprint(ours), fmt.Sprint(theirs); a != b {
		return fmt.Sprintf("we have %s, the SDK %s", strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?"))
	}
	return ""
}

// isAbsent is for nil, and for a list or map without entries, which the SDK may leave nil.
func isAbsent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return v.IsNil()
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return false
}
