package lambda

import (
	"strings"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/functions/mapping"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// mappingOptions are what a request may say of a mapping and this version does not have, by name.
type mappingOptions []struct {
	name string
	said bool
}

func (o mappingOptions) refuse() error {
	for _, option := range o {
		if option.said {
			return unsupported(option.name)
		}
	}
	return nil
}

// mappingConfig is what a request says of a mapping that Create and Update have in common. Absent members leave the Config as it is.
type mappingConfig struct {
	batchSize, window, parallelization, age, retries, tumbling *int32

	bisect      *bool
	types       []shapes.FunctionResponseType
	filters     *shapes.FilterCriteria
	destination *shapes.DestinationConfig
}

func (m *mappingConfig) into(c *mapping.Config) error {
	for to, from := range map[*int]*int32{
		&c.BatchSize: m.batchSize, &c.WindowSeconds: m.window, &c.Parallelization: m.parallelization, &c.AgeSeconds: m.age, &c.Retries: m.retries, &c.TumblingSeconds: m.tumbling,
	} {
		if from != nil {
			*to = int(*from)
		}
	}
	if m.bisect != nil {
		c.Bisect = *m.bisect
	}
	if m.types != nil {
		c.ReportItems = false
		for _, kind := range m.types {
			if kind != shapes.FunctionResponseTypeReportBatchItemFailures {
				return unsupported("FunctionResponseTypes " + string(kind))
			}
			c.ReportItems = true
		}
	}
	if m.filters != nil {
		c.Filters = nil
		for _, f := range m.filters.Filters {
			c.Filters = append(c.Filters, deref(f.Pattern))
		}
	}
	if d := m.destination; d != nil {
		if d.OnSuccess != nil && deref(d.OnSuccess.Destination) != "" {
			return fault.New(fault.Invalid, "Unsupported DestinationConfig parameter for given event source mapping type.")
		}
		c.OnFailure = ""
		if d.OnFailure != nil {
			c.OnFailure = deref(d.OnFailure.Destination)
		}
	}
	return nil
}

// mappingShape is a mapping as the API describes it.
func mappingShape(m *mapping.Mapping) *shapes.EventSourceMappingConfiguration {
	c := &m.Config
	out := &shapes.EventSourceMappingConfiguration{
		UUID: &m.UUID, EventSourceMappingArn: ptr(m.ARN()), EventSourceArn: &m.Source, FunctionArn: &m.Function, LastModified: &m.Modified, LastProcessingResult: &m.Result,
		State: ptr(string(m.State)), StateTransitionReason: &m.Reason, StartingPosition: ptr(shapes.EventSourcePosition(m.Starting.Position)),
		BatchSize: ptr(int32(c.BatchSize)), MaximumBatchingWindowInSeconds: ptr(int32(c.WindowSeconds)), ParallelizationFactor: ptr(int32(c.Parallelization)),
		MaximumRecordAgeInSeconds: ptr(int32(c.AgeSeconds)), MaximumRetryAttempts: ptr(int32(c.Retries)), TumblingWindowInSeconds: ptr(int32(c.TumblingSeconds)),
		BisectBatchOnFunctionError: &c.Bisect, FunctionResponseTypes: []shapes.FunctionResponseType{}, DestinationConfig: &shapes.DestinationConfig{OnFailure: &shapes.OnFailure{Destination: some(c.OnFailure)}},
	}
	if !m.Starting.Time.IsZero() {
		out.StartingPositionTimestamp = &m.Starting.Time
	}
	if c.ReportItems {
		out.FunctionResponseTypes = append(out.FunctionResponseTypes, shapes.FunctionResponseTypeReportBatchItemFailures)
	}
	if len(c.Filters) > 0 {
		out.FilterCriteria = &shapes.FilterCriteria{}
		for i := range c.Filters {
			out.FilterCriteria.Filters = append(out.FilterCriteria.Filters, shapes.Filter{Pattern: &c.Filters[i]})
		}
	}
	return out
}

// findMapping finds the mapping of a UUID, and asks whether the caller may do the call's operation on it.
func (a *API) findMapping(c *edge.Call, uuid *string) (*mapping.Mapping, error) {
	m := a.mappings.Catalog().Mapping(c.Account, c.Region, deref(uuid))
	named := &mapping.Mapping{UUID: deref(uuid), Account: c.Account, Region: c.Region}
	if err := a.authorize(c, nil, "", named.ARN(), c.Account); err != nil {
		return nil, err
	}
	if m == nil {
		return nil, mapping.NotFound()
	}
	return m, nil
}

// describeMapping is a mapping as it is after a change.
func (a *API) describeMapping(c *edge.Call, uuid string) (*shapes.EventSourceMappingConfiguration, error) {
	m := a.mappings.Catalog().Mapping(c.Account, c.Region, uuid)
	if m == nil {
		return nil, mapping.NotFound()
	}
	return mappingShape(m), nil
}

// mappedFunction reads the name of a function of the caller's that has to be there, and gives its ARN.
func (a *API) mappedFunction(c *edge.Call, name *string) (string, error) {
	n, err := parseName(c, deref(name), nil)
	if err != nil {
		return "", err
	}
	if n.Account != c.Account {
		return "", unsupported("A function of another account")
	}
	if _, _, err := a.functions.Resolve(n.arn()); err != nil {
		return "", fault.New(fault.Invalid, "Function does not exist")
	}
	return n.arn(), nil
}

// missing is the refusal of an absent member, as AWS words it.
func missing(member string) error {
	return fault.New(fault.Invalid, "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null.", member)
}

// isMapping says whether an operation is one on event source mappings.
func isMapping(operation string) bool { return strings.HasSuffix(operation, "EventSourceMapping") }
