package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGeneratedIsCurrent generates from the committed models and compares every byte with the committed packages.
func TestGeneratedIsCurrent(t *testing.T) {
	models, err := filepath.Glob("../models/*.json")
	if err != nil || len(models) == 0 {
		t.Fatalf("no models: %v", err)
	}
	for _, path := range models {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pkg, files, err := generate(data)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join("../../internal/wire/shapes", pkg)
		for name, want := range files {
			got, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s/%s is not what the model gives: run go generate ./internal/wire/shapes", folder, name)
			}
		}
		committed, err := filepath.Glob(filepath.Join(folder, "*_gen.go"))
		if err != nil || len(committed) != len(files) {
			t.Errorf("%s has %d generated files, want %d", folder, len(committed), len(files))
		}
	}
}

// TestModelsAreStripped shows that stripping a committed model again changes nothing.
func TestModelsAreStripped(t *testing.T) {
	data, err := os.ReadFile("../models/kinesis-2013-12-02.json")
	if err != nil {
		t.Fatal(err)
	}
	again, err := strip(data, 45, nil)
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("stripping changes the committed model: %v", err)
	}
	if bytes.Contains(data, []byte("documentation")) {
		t.Error("documentation is left")
	}
}

func strippedZoo(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/zoo.json")
	if err != nil {
		t.Fatal(err)
	}
	stripped, err := strip(data, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stripped
}

// TestStrip shows what goes and that the order stays.
func TestStrip(t *testing.T) {
	stripped := string(strippedZoo(t))
	for _, gone := range []string{"documentation", "<p>", "contextParam", "staticContextParams", "globalEndpoint", "httpChecksum", "deprecatedMessage", `"box"`} {
		if strings.Contains(stripped, gone) {
			t.Errorf("%s is left", gone)
		}
	}
	last := 0
	for _, member := range []string{`"Cage"`, `"when"`, `"Meta"`, `"Token"`, `"Food"`} {
		at := strings.Index(stripped, member+": {")
		if at < last {
			t.Errorf("%s is out of order", member)
		}
		last = at
	}
}

// TestRefusals shows that what the tool does not know is named, not dropped.
func TestRefusals(t *testing.T) {
	for _, row := range []struct{ name, old, new, want string }{
		{"new trait of a shape", `"type": "integer"`, `"type": "integer", "newTrait": 1`, "newTrait"},
		{"new trait of a member", `"eventheader": true`, `"eventheader": true, "newTrait": 1`, "newTrait"},
		{"new trait of an operation", `"idempotent": true`, `"newTrait": {}`, "newTrait"},
		{"new metadata", `"signatureVersion": "v4"`, `"signatureVersion": "v4", "newTrait": 1`, "newTrait"},
		{"twice", `"Loud": {"type": "integer"}`, `"Loud": {"type": "integer"}, "Loud": {"type": "integer"}`, "Loud: is there twice"},
		{"type", `{"type": "integer"}`, `{"type": "bigdecimal"}`, `shape Loud: type "bigdecimal"`},
		{"document", `"union": true`, `"document": true`, "shape Animal: documents"},
		{"bound", `"max": 3`, `"max": 0.5`, "shape Animals: max"},
		{"pattern", `"\\S.*"`, `"(?!x).*"`, "shape Name: pattern (?!x).*"},
		{"timestamp format", `"timestampFormat": "iso8601"`, `"timestampFormat": "sundial"`, `"sundial"`},
		{"no such shape", `"At": {"shape": "When"}`, `"At": {"shape": "Then"}`, "shape Then"},
		{"no such member", `"required": ["Cage"]`, `"required": ["Key"]`, "member Key"},
		{"fields of one name", `"At": {"shape": "When"}`, `"at": {"shape": "When"}, "At": {"shape": "When"}`, "one Go name"},
		{"constants of one name", `"scaly-one", "x86"`, `"scaly-one", "fur-ball"`, "KindFurBall"},
		{"how many operations", `"Feed": {
      "name": "Feed", "http"`, `"More": {"name": "More", "http": {"method": "GET", "requestUri": "/"}}, "Feed": {
      "name": "Feed", "http"`, "2 operations"},
	} {
		t.Run(row.name, func(t *testing.T) {
			data, err := os.ReadFile("testdata/zoo.json")
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(data), row.old, row.new, 1)
			if changed == string(data) {
				t.Fatal("the row changes nothing")
			}
			stripped, err := strip([]byte(changed), 1, nil)
			if err == nil {
				_, _, err = generate(stripped)
			}
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

// TestGenerateZoo shows that every trait of a protocol that is not spoken yet reaches the tables.
func TestGenerateZoo(t *testing.T) {
	pkg, files, err := generate(strippedZoo(t))
	if err != nil {
		t.Fatal(err)
	}
	if pkg != "zookeeper" {
		t.Errorf("package %s", pkg)
	}
	space := regexp.MustCompile(`\s+`)
	for file, wants := range map[string][]string{
		"service_gen.go": {
			`SigningName: "zookeeping"`, `Protocols: []string{"rest-xml", "query"}`, `QueryCompatible: true`, `XMLNamespace: "http://zoo.example.com/doc/2020-02-02/"`,
			`Method: "PUT"`, `RequestURI: "/{Cage}"`, `Status: 202`, `InputLocationName: "Feed"`, `InputNamespace: &wire.XMLNamespace{URI: "http://zoo.example.com/"`,
			`ResultWrapper: "FeedResult"`, `OutputEvents: &shapeNoise`, `Idempotent: true`, `UnsignedPayload: true`, `CodeHungry = "hungry"`,
		},
		"types_gen.go": {
			`Cage *string // required`, `When *time.Time`, `Meta map[string]string`, `Food []byte`, `Best *Animal`, `ByName map[string]Animal`, `Kind *Kind`,
			"type FeedResult struct { Animals []Animal Kind *Kind At *time.Time }",
		},
		"enums_gen.go": {`KindFurBall Kind = "FUR_BALL"`, `KindScalyOne Kind = "scaly-one"`, `KindX86 Kind = "x86"`},
		"schema_gen.go": {
			`{Name: "Cage", Shape: &shapeName, Location: "uri", LocationName: "Cage", Required: true}`,
			`{Name: "when", Shape: &shapeWhenAsIso8601, Location: "header", LocationName: "x-zoo-when"}`,
			`{Name: "Token", Shape: &shapeName, JSONValue: true, HostLabel: true, IdempotencyToken: true, Deprecated: true}`,
			`{Name: "Food", Shape: &shapeFood, Streaming: true}`, `Payload: "Food"`,
			`{Name: "Animals", Shape: &shapeAnimals, Flattened: true}`, `LocationName: "xsi:type", XMLAttribute: true, XMLNamespace: &wire.XMLNamespace{URI: "http://x", Prefix: "xsi"}`,
			`var shapeWhenAsIso8601 = wire.Shape{ Name: "When", Type: wire.TypeTimestamp, TimestampFormat: "iso8601", }`,
			`ElementName: "Animal"`, `KeyName: "K"`, `ValueName: "V"`, `XMLOrder: []string{"Best", "Young"}`, `LocationName: "Beast"`, `Union: true`,
			`{Name: "Sound", Shape: &shapeFood, EventPayload: true}`, `EventHeader: true`, `EventStream: true`, `Event: true`, `Sensitive: true`,
			`Error: &wire.ErrorTrait{Code: "Hungry", Status: 409, Retryable: true, Throttling: true}`, `Error: &wire.ErrorTrait{Code: "Broken", Status: 500, Fault: true}`,
			"func init() {", "shapeAnimal.Members[1].Shape = &shapeAnimal",
		},
	} {
		got := space.ReplaceAllString(string(files[file]), " ")
		if !strings.HasPrefix(got, "// Code generated by tools/awsmodel from zoo-2020-02-02. DO NOT EDIT.") {
			t.Errorf("%s starts with %.80s", file, got)
		}
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s has no %s", file, want)
			}
		}
	}
	if strings.Contains(string(files["schema_gen.go"]), "Unused") {
		t.Error("a shape that no operation reaches is generated")
	}
}

// TestGenerateIsReproducible would see an order that comes from a map.
func TestGenerateIsReproducible(t *testing.T) {
	stripped := strippedZoo(t)
	_, first, err := generate(stripped)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		_, again, err := generate(stripped)
		if err != nil {
			t.Fatal(err)
		}
		for name := range first {
			if !bytes.Equal(first[name], again[name]) {
				t.Fatalf("%s differs", name)
			}
		}
	}
}

// TestTranslatePattern shows where Java and Go differ: a row is a pattern, a text, and whether Java matches it.
func TestTranslatePattern(t *testing.T) {
	for _, row := range []struct {
		pattern, text string
		matches       bool
	}{
		{`a.c`, "abc", true}, {`a.c`, "a\u2028c", false}, {`a.c`, "a\rc", false}, {`a.c`, "a\nc", false}, {`[.]`, "x", false}, {`\.`, "x", false},
		{`\S+`, "a\x0bb", false}, {`\s`, "\x0b", true}, {`[a\s]`, "\x0b", true}, {`[^\s]`, "\x0b", false},
		{`^(0|([1-9]\d{0,38}))$`, "0", true}, {`^(0|([1-9]\d{0,38}))$`, "0\n", false}, {`[\p{L}_.:/=+\-@]*`, "é_", true},
		{`\p{Print}+`, "a b", true}, {`[\p{Alnum}-]`, "-", true}, {`\P{Digit}`, "1", false},
		{`[\u0020-\uD7FF]`, "é", true}, {`[\s\S]*`, "a\n\x0b\u2028", true}, {`[\uD800\uDC00-\uDBFF\uDFFF]`, "😀", true},
	} {
		translated, err := translatePattern(row.pattern)
		if err != nil {
			t.Errorf("%s: %v", row.pattern, err)
			continue
		}
		if got := regexp.MustCompile(`\A(?:` + translated + `)\z`).MatchString(row.text); got != row.matches {
			t.Errorf("%s (%s) on %q: %v", row.pattern, translated, row.text, got)
		}
	}
	for _, pattern := range []string{`(?=a)`, `(?<!a)b`, `(a)\1`, `a++`, `a{1,2}+`, `[a[b]]`, `[a&&b]`, `[]a]`, `a{1,1001}`, `\bword`, `[\S]`, `\uD800`, `\u12`, `(`} {
		if translated, err := translatePattern(pattern); err == nil {
			t.Errorf("%s became %s", pattern, translated)
		}
	}
}

// TestPatternsThatLookAround: what is said again without looking around matches what the pattern of the model does.
func TestPatternsThatLookAround(t *testing.T) {
	for _, row := range []struct {
		pattern string
		yes, no []string
	}{
		{`(?!^[0-9]+$)([a-zA-Z0-9-_]+)`, []string{"live", "1a", "a1", "1-", "_"}, []string{"", "1", "12", "a.b"}},
		{`((?!^\d+$)^[0-9a-zA-Z-_]+$)`, []string{"live", "1a"}, []string{"", "12"}},
		{`[0-9A-Za-z\.\-_]*(?<!\.)`, []string{"", "a", "a.b", ".a"}, []string{"a.", ".", "a/b"}},
		{`(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)`, []string{"a", "system", "systems", "syst", "sxstem.", "_system.", "s"}, []string{"", "system.", "system.a", "a$", "-"}},
		{`(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})(:((?!\d+$)[0-9a-zA-Z-_]+))?`,
			[]string{"f", "f:live", "f:1a", "function:f:a"}, []string{"f:1", "f:", "f:a.b"}},
		{`^(?!\s*$).+`, []string{"a", " a", "a ", "é"}, []string{"", " ", " \t ", "a\nb"}},
		{`^(?!aws:)[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$`, []string{"", "a", "aw", "aws", "awss:", "AWS:x", "a:", "aws-x", "é:/=+-@%", "éaws:"}, []string{"aws:", "aws:x", "a*", "aws*", "aws:é"}},
		{`jdbc:(redshift|postgresql)://((?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)+(redshift(-serverless)?)\.([a-zA-Z0-9\.\-]+):\d{1,5}/[a-zA-Z0-9_$-]+`,
			[]string{"jdbc:redshift://local.redshift.localhost:5439/dev", "jdbc:postgresql://a-b.c.redshift-serverless.x:1/d"},
			[]string{"jdbc:redshift://redshift.localhost:5439/dev", "jdbc:redshift://-a.redshift.localhost:5439/dev", "jdbc:redshift://a-.redshift.localhost:5439/dev"}},
	} {
		translated, err := translatePattern(row.pattern)
		if err != nil {
			t.Errorf("%s: %v", row.pattern, err)
			continue
		}
		whole := regexp.MustCompile(`\A(?:` + translated + `)\z`)
		for _, text := range row.yes {
			if !whole.MatchString(text) {
				t.Errorf("%s does not match %q", translated, text)
			}
		}
		for _, text := range row.no {
			if whole.MatchString(text) {
				t.Errorf("%s matches %q", translated, text)
			}
		}
	}
	if len(around) != 8 {
		t.Errorf("%d patterns look around, and eight are shown", len(around))
	}
}

// TestRun goes through the commands as they are typed.
func TestRun(t *testing.T) {
	folder := t.TempDir()
	var stderr bytes.Buffer
	if err := run([]string{"strip", "-operations", "1", "testdata/zoo.json", filepath.Join(folder, "zoo.json")}, &stderr); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"generate", "-models", folder, "-out", folder}, &stderr); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(filepath.Join(folder, "zookeeper", "*_gen.go")); len(files) != 4 {
		t.Errorf("generated %v", files)
	}
	for _, args := range [][]string{{}, {"what"}, {"strip", "one"}, {"strip", "-what"}, {"generate"}, {"generate", "-models", folder + "/none", "-out", folder},
		{"strip", "-operations", "2", "testdata/zoo.json", filepath.Join(folder, "x.json")}, {"strip", "testdata/none.json", folder + "/y"}} {
		if err := run(args, &stderr); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
