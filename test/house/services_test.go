package house

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weir-stream/weir/internal/api/s3"
	cloudwatch "github.com/weir-stream/weir/internal/wire/shapes/cloudwatch"
	dynamodb "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
	dynamodbstreams "github.com/weir-stream/weir/internal/wire/shapes/dynamodbstreams"
	kinesis "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
	"github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// operationRow is one line of the table in docs/aws/*.md: operation, verdict, notes, tests.
var operationRow = regexp.MustCompile("^\\| `([A-Za-z0-9]+)` \\| ([a-z]+) \\|([^|]*)\\|([^|]*)\\|$")

// TestServiceTablesAreComplete: the document of a service has one row for each operation of its
// model, with a verdict and a test that shows it. (That the tests exist is TestDocumentsNameWhatExists.)
func TestServiceTablesAreComplete(t *testing.T) {
	loaded := theTree(t)
	for _, service := range []struct {
		document   string
		operations []string
	}{
		{"docs/aws/cloudwatch.md", slices.Sorted(maps.Keys(cloudwatch.Service.Operations))},
		{"docs/aws/dynamodb.md", slices.Sorted(maps.Keys(dynamodb.Service.Operations))},
		{"docs/aws/dynamodbstreams.md", slices.Sorted(maps.Keys(dynamodbstreams.Service.Operations))},
		{"docs/aws/kinesis.md", slices.Sorted(maps.Keys(kinesis.Service.Operations))},
		{"docs/aws/s3.md", s3Operations()},
		{"docs/aws/lambda.md", slices.Sorted(maps.Keys(lambda.Service.Operations))},
	} {
		var rows []string
		for _, line := range strings.Split(loaded.markdown[service.document], "\n") {
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
			}
		}
		if !slices.Equal(rows, service.operations) {
			t.Errorf("%s has rows for\n%v, the model has\n%v", service.document, rows, service.operations)
		}
	}
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
