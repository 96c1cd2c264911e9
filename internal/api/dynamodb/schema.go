package dynamodb

import (
	"slices"
	"strings"

	"github.com/weir-stream/weir/internal/tables"
	"github.com/weir-stream/weir/internal/tables/value"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

const badParameters = "One or more parameter values were invalid: "

// attributesOf is AttributeDefinitions.
func attributesOf(in []shapes.AttributeDefinition) ([]tables.KeyAttribute, error) {
	var out []tables.KeyAttribute
	for _, d := range in {
		name := deref(d.AttributeName)
		if slices.ContainsFunc(out, func(a tables.KeyAttribute) bool { return a.Name == name }) {
			return nil, invalid("Cannot have two attributes with the same name")
		}
		out = append(out, tables.KeyAttribute{Name: name, Kind: value.KindNamed(string(deref(d.AttributeType)))})
	}
	return out, nil
}

// list is names as these texts write them.
func list(names []string) string { return "[" + strings.Join(names, ", ") + "]" }

func namesOf(attributes []tables.KeyAttribute) []string {
	names := make([]string, len(attributes))
	for i, a := range attributes {
		names[i] = a.Name
	}
	return names
}

// keySchemaOf is a KeySchema, with the types that AttributeDefinitions gives.
func keySchemaOf(in []shapes.KeySchemaElement, attributes []tables.KeyAttribute, index bool) (k tables.KeySchema, err error) {
	switch {
	case len(in) == 0 || deref(in[0].KeyType) != "HASH":
		return k, invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	case len(in) > 2 && index:
		return k, notYet("A key of more than two attributes")
	case len(in) > 2:
		return k, invalid("Invalid KeySchema: a key has one or two elements")
	case len(in) == 2 && deref(in[1].KeyType) == "HASH" && index:
		return k, notYet("A key of more than one HASH attribute")
	case len(in) == 2 && deref(in[1].KeyType) != "RANGE":
		return k, invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
	case len(in) == 2 && deref(in[0].AttributeName) == deref(in[1].AttributeName):
		return k, invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
	}
	var missing []string
	for i, e := range in {
		name := deref(e.AttributeName)
		at := slices.IndexFunc(attributes, func(a tables.KeyAttribute) bool { return a.Name == name })
		if at < 0 {
			missing = append(missing, name)
			continue
		}
		if i == 0 {
			k.Hash = attributes[at]
		} else {
			k.Range = attributes[at]
		}
	}
	if missing != nil {
		which := "Some index key attributes are not defined in AttributeDefinitions."
		return k, invalid(badParameters+which+" Keys: %s, AttributeDefinitions: %s", list(missing), list(namesOf(attributes)))
	}
	return k, nil
}

// checkUsed refuses definitions of attributes that no key uses.
func checkUsed(attributes []tables.KeyAttribute, used []string) error {
	slices.Sort(used)
	used = slices.Compact(used)
	if len(attributes) != len(used) {
		return invalid(badParameters+"Some AttributeDefinitions are not used. AttributeDefinitions: %s, keys used: %s", list(namesOf(attributes)), list(used))
	}
	return nil
}

// includeMax is how many attributes an index may project by name (ServiceQuotas: 100 over all indexes of a table; 20 for one in the model).
const includeMax = 20

// projectionTypeOf reads the Projection of an index.
func projectionTypeOf(in *shapes.Projection) (kind string, include []string, err error) {
	if in != nil {
		kind, include = string(deref(in.ProjectionType)), in.NonKeyAttributes
	}
	switch {
	case kind == "":
		return kind, nil, invalid(badParameters + "Unknown ProjectionType: null")
	case kind == "INCLUDE" && len(include) == 0:
		return kind, nil, invalid(badParameters + "ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
	case kind != "INCLUDE" && include != nil:
		return kind, nil, invalid(badParameters+"ProjectionType is %s, but NonKeyAttributes is specified", kind)
	case len(include) > includeMax:
		return kind, nil, invalid(badParameters+"Too many NonKeyAttributes: an index includes at most %d", includeMax)
	}
	return kind, include, nil
}

// unitsOf reads ProvisionedThroughput where billing says that there must be one, or none.
func unitsOf(in *shapes.ProvisionedThroughput, onDemand bool) (read, write int64, err error) {
	switch {
	case onDemand && in != nil && (deref(in.ReadCapacityUnits) != 0 || deref(in.WriteCapacityUnits) != 0):
		return 0, 0, invalid(badParameters + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	case onDemand:
		return 0, 0, nil
	case in == nil:
		return 0, 0, invalid(badParameters + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	}
	return deref(in.ReadCapacityUnits), deref(in.WriteCapacityUnits), nil
}

// maximaOf reads OnDemandThroughput; 0 is no maximum, which requests write -1.
func maximaOf(in *shapes.OnDemandThroughput, onDemand bool) (read, write int64, err error) {
	if in == nil {
		return 0, 0, nil
	}
	if !onDemand {
		return 0, 0, invalid(badParameters + "OnDemandThroughput can only be specified when BillingMode is PAY_PER_REQUEST")
	}
	return max(0, deref(in.MaxReadRequestUnits)), max(0, deref(in.MaxWriteRequestUnits)), nil
}

// indexOf reads the description of an index.
func indexOf(name *string, key []shapes.KeySchemaElement, projection *shapes.Projection, units *shapes.ProvisionedThroughput, maxima *shapes.OnDemandThroughput,
	warm *shapes.WarmThroughput, attributes []tables.KeyAttribute, onDemand bool) (n tables.NewIndex, err error) {
	n.Name = deref(name)
	if warm != nil {
		return n, notYet("WarmThroughput")
	}
	if !isTableName(n.Name) {
		return n, invalid("Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'")
	}
	if n.Key, err = keySchemaOf(key, attributes, true); err != nil {
		return n, err
	}
	if n.Projection, n.Include, err = projectionTypeOf(projection); err != nil {
		return n, err
	}
	if n.Read, n.Write, err = unitsOf(units, onDemand); err != nil {
		return n, err
	}
	n.MaxRead, n.MaxWrite, err = maximaOf(maxima, onDemand)
	return n, err
}

// viewOf reads StreamSpecification; "" is no stream.
func viewOf(in *shapes.StreamSpecification) (string, error) {
	if in == nil {
		return "", nil
	}
	view := string(deref(in.StreamViewType))
	switch {
	case !deref(in.StreamEnabled) && view != "":
		return "", invalid(badParameters + "StreamViewType cannot be specified when StreamEnabled is false")
	case deref(in.StreamEnabled) && view == "":
		return "", invalid(badParameters + "StreamViewType must be specified when StreamEnabled is true")
	}
	return view, nil
}

// refuseSSE refuses encryption with a customer's key: what is on disk is as the operator's disk is. Enabled false is AWS's default, with a key of its own.
func refuseSSE(in *shapes.SSESpecification) error {
	if in != nil && (deref(in.Enabled) || in.KMSMasterKeyId != nil || in.SSEType != nil) {
		return notYet("SSESpecification")
	}
	return nil
}
