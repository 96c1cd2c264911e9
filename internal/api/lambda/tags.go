package lambda

import (
	"strings"
	"unicode/utf8"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/functions"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/lambda"
)

// Tags belong to a function as a whole, named by its ARN.
//
// Source: API_TagResource, API_UntagResource, API_ListTags (read 2026-11). Shown by: TestTags in test/lambda.
// Differs: only functions have tags here.

func (a *API) tagResource(c *edge.Call, in *shapes.TagResourceRequest) (*nothing, error) {
	n, _, err := a.tagged(c, in.Resource)
	if err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	return nil, a.functions.Propose(c.Ctx, functions.Tag{Name: n.Name, Tags: in.Tags, Most: tagsMax}, nil)
}

func (a *API) untagResource(c *edge.Call, in *shapes.UntagResourceRequest) (*nothing, error) {
	n, _, err := a.tagged(c, in.Resource)
	if err != nil {
		return nil, err
	}
	return nil, a.functions.Propose(c.Ctx, functions.Untag{Name: n.Name, Keys: in.TagKeys}, nil)
}

func (a *API) listTags(c *edge.Call, in *shapes.ListTagsRequest) (*shapes.ListTagsResponse, error) {
	_, f, err := a.tagged(c, in.Resource)
	if err != nil {
		return nil, err
	}
	tags := f.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	return &shapes.ListTagsResponse{Tags: tags}, nil
}

// tagged is the function that the ARN of a resource names.
func (a *API) tagged(c *edge.Call, resource *string) (named, *functions.Function, error) {
	parsed, err := arn.Parse(deref(resource))
	if err == nil {
		_, _, err = parsed.FunctionName()
	}
	if err != nil {
		return named{}, nil, unsupported("A resource other than a function: " + deref(resource))
	}
	n, f, err := a.findWhole(c, resource)
	return n, f, err
}

// Lengths of a tag, in characters (API_TagResource, "Using tags on Lambda functions").
const (
	tagKeyMax   = 128
	tagValueMax = 256
)

func checkTags(tags map[string]string) error {
	for key, value := range tags {
		switch {
		case key == "" || utf8.RuneCountInString(key) > tagKeyMax || utf8.RuneCountInString(value) > tagValueMax:
			return fault.New(fault.Invalid, "Tag keys must have between 1 and %d characters, and values at most %d.", tagKeyMax, tagValueMax)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return fault.New(fault.Invalid, "aws: prefixed tag key names are not allowed for external use.")
		}
	}
	return nil
}
