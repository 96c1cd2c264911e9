package house

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	cloudwatchapi "github.com/weir-stream/weir/internal/api/cloudwatch"
	dynamodbapi "github.com/weir-stream/weir/internal/api/dynamodb"
	firehoseapi "github.com/weir-stream/weir/internal/api/firehose"
	kinesisapi "github.com/weir-stream/weir/internal/api/kinesis"
	lambdaapi "github.com/weir-stream/weir/internal/api/lambda"
	"github.com/weir-stream/weir/internal/api/s3"
	cloudwatch "github.com/weir-stream/weir/internal/wire/shapes/cloudwatch"
	dynamodb "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
	dynamodbstreams "github.com/weir-stream/weir/internal/wire/shapes/dynamodbstreams"
	"github.com/weir-stream/weir/internal/wire/shapes/firehose"
	kinesis "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
	"github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// operationRow is one line of the table in docs/aws/*.md: operation, verdict, notes, tests.
var operationRow = regexp.MustCompile("^\\| `([A-Za-z0-9]+)` \\| ([a-z]+) \\|([^|]*)\\|([^|]*)\\|$")

// services is what the documents of services are held against.
var services = []struct {
	document   string
	operations []string          // of the model, sorted
	served     func(string) bool // whether this version serves an operation
}{
	{"docs/aws/cloudwatch.md", slices.Sorted(maps.Keys(cloudwatch.Service.Operations)), cloudwatchapi.Supported},
	{"docs/aws/dynamodb.md", slices.Sorted(maps.Keys(dynamodb.Service.Operations)), dynamodbapi.Supported},
	{"docs/aws/dynamodbstreams.md", slices.Sorted(maps.Keys(dynamodbstreams.Service.Operations)), dynamodbapi.StreamsSupported},
	{"docs/aws/firehose.md", slices.Sorted(maps.Keys(firehose.Service.Operations)), firehoseapi.Supported},
	{"docs/aws/kinesis.md", slices.Sorted(maps.Keys(kinesis.Service.Operations)), kinesisapi.Supported},
	{"docs/aws/s3.md", s3Operations(), s3Serves},
	{"docs/aws/lambda.md", slices.Sorted(maps.Keys(lambda.Service.Operations)), lambdaapi.Supported},
}

// TestServiceTablesAreComplete: the document of a service has one row for each operation of its
// model, with a verdict and a test that shows it; what is said to be absent is not served, and everything else is; and the
// document says how many operations there are. (That the tests exist is TestDocumentsNameWhatExists.)
func TestServiceTablesAreComplete(t *testing.T) {
	loaded := theTree(t)
	for _, service := range services {
		text := loaded.markdown[service.document]
		var rows []string
		for _, line := range strings.Split(text, "\n") {
			match := operationRow.FindStringSubmatch(line)
			if match == nil {
				continue
			}
			operation, verdict, notes, tests := match[1], match[2], strings.TrimSpace(match[3]), testPattern.FindAllString(match[4], -1)
			rows = append(rows, operation)
			switch {
			case verdict != "same" && verdict != "differs" && verdict != "absent":
				t.Errorf("%s: %s is %q; the verdicts are same, differs and absent", service.document, operation, verdict)
			case verdict == "differs" && notes == "":
				t.Errorf("%s: %s differs, and nobody says how", service.document, operation)
			case len(tests) == 0:
				t.Errorf("%s: no test shows that %s is %s", service.document, operation, verdict)
			case (verdict == "absent") == service.served(operation):
				t.Errorf("%s: %s is %q, and that it is served is %v", service.document, operation, verdict, service.served(operation))
			}
		}
		if !slices.Equal(rows, service.operations) {
			t.Errorf("%s has rows for\n%v, the model has\n%v", service.document, rows, service.operations)
		}
		if count := fmt.Sprintf("%d operations)", len(service.operations)); !strings.Contains(text, count) {
			t.Errorf("%s does not say (…, %s", service.document, count)
		}
	}
}

// refusers are the functions that refuse an option by its name, and tables the names of types, and of one variable, whose elements begin with such a name.
var (
	refusers = []string{"unsupported", "notYet", "notImplemented"}
	tables   = []string{"mappingOptions", "absent", "refused"}
)

// TestRefusedOptionsAreDocumented: an option that a service refuses by name is in the document of the service, by that name.
func TestRefusedOptionsAreDocumented(t *testing.T) {
	loaded := theTree(t)
	for _, service := range []struct {
		dir, document string
		least         int // names; fewer mean that this test does not find them any more
	}{
		{"internal/api/cloudwatch", "docs/aws/cloudwatch.md", 5},
		{"internal/api/dynamodb", "docs/aws/dynamodb.md", 14},
		{"internal/api/firehose", "docs/aws/firehose.md", 25},
		{"internal/api/lambda", "docs/aws/lambda.md", 40},
		{"internal/api/s3", "docs/aws/s3.md", 35},
	} {
		names := map[string]bool{}
		for _, p := range loaded.packages {
			if p.dir != service.dir {
				continue
			}
			for _, file := range p.files {
				if !file.test {
					refusedIn(file.syntax, names)
				}
			}
		}
		if len(names) < service.least {
			t.Errorf("%s: only %d names of refused options are found: %v", service.dir, len(names), slices.Sorted(maps.Keys(names)))
		}
		text := strings.ToLower(strings.ReplaceAll(loaded.markdown[service.document], "`", ""))
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if !strings.Contains(text, strings.ToLower(name)) {
				t.Errorf("%s refuses %q by name, and %s does not say so", service.dir, name, service.document)
			}
		}
	}
}

// refusedIn adds the names of options that a file refuses: the beginning of what refusers are given, and of the elements of tables.
func refusedIn(file *ast.File, names map[string]bool) {
	ast.Inspect(file, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.CallExpr:
			if called, ok := n.Fun.(*ast.Ident); ok && slices.Contains(refusers, called.Name) && len(n.Args) == 1 {
				addName(n.Args[0], names)
			}
		case *ast.ValueSpec:
			if slices.Contains(tables, n.Names[0].Name) && len(n.Values) == 1 {
				addElements(n.Values[0], names)
			}
		case *ast.CompositeLit:
			of := n.Type
			if list, ok := of.(*ast.ArrayType); ok {
				of = list.Elt
			}
			if named, ok := of.(*ast.Ident); ok && slices.Contains(tables, named.Name) {
				addElements(n, names)
			}
		}
		return true
	})
}

func addElements(table ast.Expr, names map[string]bool) {
	list, ok := table.(*ast.CompositeLit)
	if !ok {
		return
	}
	for _, element := range list.Elts {
		if row, ok := element.(*ast.CompositeLit); ok && len(row.Elts) > 0 {
			addName(row.Elts[0], names)
		}
	}
}

// addName adds the name that a text begins with: without an article, and up to what says how much of the option is refused.
func addName(text ast.Expr, names map[string]bool) {
	switch e := text.(type) {
	case *ast.BinaryExpr:
		addName(e.X, names)
	case *ast.CallExpr: // fmt.Sprintf
		if len(e.Args) > 0 {
			addName(e.Args[0], names)
		}
	case *ast.BasicLit:
		name, err := strconv.Unquote(e.Value)
		if err != nil || e.Kind != token.STRING {
			return
		}
		for _, article := range []string{"A ", "An ", "The "} {
			name = strings.TrimPrefix(name, article)
		}
		for _, rest := range []string{":", " (", " with ", " of another ", " below ", " other than ", " in "} {
			name, _, _ = strings.Cut(name, rest)
		}
		if name = strings.TrimSpace(name); name != "" {
			names[name] = true
		}
	}
}

// s3Serves says whether this version serves an operation of S3.
func s3Serves(operation string) bool {
	return slices.ContainsFunc(s3.Operations(), func(op s3.Operation) bool { return op.Name == operation && op.Served })
}

// s3Operations are the operations of S3's model: it is not generated from, and test/aws holds this table against the SDK's.
func s3Operations() []string {
	var names []string
	for _, op := range s3.Operations() {
		names = append(names, op.Name)
	}
	slices.Sort(names)
	return names
}
