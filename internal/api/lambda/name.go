package lambda

import (
	"strings"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/functions"
)

// named is what a request says that it is on: a function, and a version or an alias of it.
type named struct {
	functions.Name
	qualifier string // empty when none is said
}

// arn is the name in full.
func (n named) arn() string {
	return arn.Function(n.Region, n.Account, n.Name.Name, n.qualifier).String()
}

// parseName reads a FunctionName: a name, a partial ARN or a whole one, each with or without a qualifier behind it; or with one beside it, in a member of its own.
//
//	tolls                                                   tolls:live
//	123456789012:function:tolls                             function:tolls
//	arn:aws:lambda:us-east-1:123456789012:function:tolls    …:tolls:live
func parseName(c *edge.Call, text string, beside *string) (named, error) {
	invalid := fault.New(fault.Invalid, "%s is not the name or the ARN of a function.", text)
	n := named{Name: functions.Name{Account: c.Account, Region: c.Region}}
	whole := text
	if !strings.HasPrefix(text, "arn:") {
		parts := strings.Split(text, ":")
		if len(parts) > 1 && arn.IsAccount(parts[0]) {
			n.Account, parts = parts[0], parts[1:]
		}
		if len(parts) > 1 && parts[0] == "function" {
			parts = parts[1:]
		}
		whole = "arn:" + arn.PartitionOf(c.Region) + ":lambda:" + c.Region + ":" + n.Account + ":function:" + strings.Join(parts, ":")
	}
	parsed, err := arn.Parse(whole)
	if err != nil {
		return n, invalid
	}
	n.Name.Name, n.qualifier, err = parsed.FunctionName()
	if err != nil {
		return n, invalid
	}
	n.Account, n.Region = parsed.Account, parsed.Region
	if n.Region != c.Region {
		return n, fault.New(fault.NotFound, "Functions from '%s' are not reachable in this region ('%s')", n.Region, c.Region)
	}
	if q := deref(beside); q != "" {
		if n.qualifier != "" && n.qualifier != q {
			return n, fault.New(fault.Invalid, "The derived qualifier from the function name does not match the specified qualifier.")
		}
		n.qualifier = q
	}
	return n, nil
}

// allowed reads the name of a function that need not be there, and asks whether the caller may do the call's operation on it. f is nil when it is not there.
func (a *API) allowed(c *edge.Call, text, qualifier *string) (n named, f *functions.Function, err error) {
	if n, err = parseName(c, deref(text), qualifier); err != nil {
		return n, nil, err
	}
	f = a.functions.Catalog().Function(n.Account, n.Region, n.Name.Name)
	return n, f, a.authorize(c, f, n.qualifier, n.arn(), n.Account)
}

// find is allowed, of a function that is there, and of the version that its qualifier names.
func (a *API) find(c *edge.Call, text, qualifier *string) (named, *functions.Function, *functions.Version, error) {
	n, f, err := a.allowed(c, text, qualifier)
	if err != nil {
		return n, nil, nil, err
	}
	if f == nil {
		return n, nil, nil, functions.NotFound(n.arn())
	}
	v := f.Qualified(n.qualifier)
	if v == nil {
		return n, nil, nil, functions.NotFound(n.arn())
	}
	return n, f, v, nil
}

// findWhole is find, of operations that are on a function as a whole: a qualifier is refused.
func (a *API) findWhole(c *edge.Call, text *string) (named, *functions.Function, error) {
	n, f, _, err := a.find(c, text, nil)
	if err == nil && n.qualifier != "" && n.qualifier != functions.Latest {
		err = fault.New(fault.Invalid, "This operation does not permit a qualifier on the function ARN")
	}
	return n, f, err
}
