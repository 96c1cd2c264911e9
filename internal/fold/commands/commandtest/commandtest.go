// Package commandtest holds the commands of a machine to the bytes they had when they were released.
//
// It owns the files of golden bytes and how a command is filled for them. What the bytes mean belongs to package commands.
//
// Read Golden.
package commandtest

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/fold/commands"
)

var rewrite = flag.Bool("rewrite", false, "add golden bytes of commands that have none; those that are there are never changed")

// Golden compares every command that a machine understands with a file of one command per line, as a log holds it. Each line is read, and is written the same
// again unless its type is an earlier version; and a command of each type that is written today, with something in every field, has the bytes of its line. So no
// log becomes unreadable, and no released type takes another field. A new type gets its line by -rewrite; a line is never edited.
func Golden[C any](t *testing.T, file string, known commands.Set[C], encode func(C) ([]byte, error)) {
	t.Helper()
	lines := readLines(t, file)
	for kind := range lines {
		if known[kind] == nil {
			t.Errorf("%s: %s was released and is not understood any more", file, kind)
		}
	}
	added := false
	for _, kind := range slices.Sorted(maps.Keys(known)) {
		line, golden := lines[kind]
		today, current := example(t, kind, known[kind], encode)
		if !golden {
			if !*rewrite {
				t.Errorf("%s has no line for %s: add it with -rewrite", file, kind)
				continue
			}
			if !current {
				t.Errorf("%s: %s is not written any more; take its line from an earlier commit", file, kind)
				continue
			}
			lines[kind], added = today, true
			continue
		}
		if current && !bytes.Equal(today, line) {
			t.Errorf("%s was released as\n%s\nand is now written\n%s\nA type that needs other fields gets the next number", kind, line, today)
		}
		c, err := known.Decode(line)
		if err != nil {
			t.Errorf("%s cannot be read any more: %v", line, err)
			continue
		}
		if again, err := encode(c); current && (err != nil || !bytes.Equal(again, line)) {
			t.Errorf("%s was read and became %s, %v", line, again, err)
		}
	}
	if added {
		writeLines(t, file, lines)
	}
}

// example is a command of a kind with something in every field, as it is written, and whether that is under the kind's own name.
func example[C any](t *testing.T, kind string, decode func([]byte) (C, error), encode func(C) ([]byte, error)) (b []byte, current bool) {
	t.Helper()
	empty, err := decode([]byte("{}"))
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	filled := reflect.New(reflect.TypeOf(empty)).Elem()
	fill(t, filled, new(int))
	b, err = encode(filled.Interface().(C))
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	return b, typeOf(t, b) == kind
}

// fill puts something that is not zero into everything that v is made of. Numbers count up in the order of the fields, so that no two look alike.
func fill(t *testing.T, v reflect.Value, count *int) {
	t.Helper()
	*count++
	switch into := v.Addr().Interface().(type) {
	case *time.Time:
		*into = time.Date(2026, 1, 1, 0, 0, *count, 7_000_000, time.UTC)
		return
	case encoding.TextUnmarshaler:
		if err := into.UnmarshalText([]byte(strconv.Itoa(*count))); err != nil {
			t.Fatal(err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), count)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), count)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), count)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, count)
		fill(t, value, count)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("text <" + strconv.Itoa(*count) + "> é")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*count))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*count))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(*count) + 0.5)
	default:
		t.Fatalf("a command has a field of type %s, which commandtest cannot fill", v.Type())
	}
}

func typeOf(t *testing.T, line []byte) string {
	t.Helper()
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return head.Type
}

// readLines are the lines of a golden file by type; a file that is not there has none.
func readLines(t *testing.T, file string) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	lines := map[string][]byte{}
	for line := range bytes.Lines(text) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		lines[typeOf(t, line)] = line
	}
	return lines
}

func writeLines(t *testing.T, file string, lines map[string][]byte) {
	t.Helper()
	var text []byte
	for _, kind := range slices.Sorted(maps.Keys(lines)) {
		text = append(append(text, lines[kind]...), '\n')
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
