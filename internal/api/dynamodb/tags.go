package dynamodb

import (
	"maps"
	"slices"
	"strings"

	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/tables"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/dynamodb"
)

// Tags are names and values that customers give to tables.
//
// Source: API_TagResource, API_UntagResource, API_ListTagsOfResource (read 2026-11). Shown by: TestTableTags in test/dynamodb.
// Differs from AWS: they are there at once; a list has one page, which holds all 50.

func (a *API) tagResource(c *edge.Call, in *shapes.TagResourceInput) (*nothing, error) {
	r, t, err := a.tagged(c, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	add, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	return nil, r.Propose(c.Ctx, tables.ChangeTags{Name: t.Name, Add: add})
}

func (a *API) untagResource(c *edge.Call, in *shapes.UntagResourceInput) (*nothing, error) {
	r, t, err := a.tagged(c, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return nil, r.Propose(c.Ctx, tables.ChangeTags{Name: t.Name, Remove: in.TagKeys})
}

func (a *API) listTagsOfResource(c *edge.Call, in *shapes.ListTagsOfResourceInput) (*shapes.ListTagsOfResourceOutput, error) {
	if in.NextToken != nil {
		return nil, invalid("Invalid NextToken: a list of tags has one page")
	}
	_, t, err := a.tagged(c, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &shapes.ListTagsOfResourceOutput{Tags: []shapes.Tag{}}
	for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
		out.Tags = append(out.Tags, shapes.Tag{Key: ptr(key), Value: ptr(t.Tags[key])})
	}
	return out, nil
}

// tagged is the table of an ARN.
func (a *API) tagged(c *edge.Call, resource *string) (*tables.Region, *tables.Table, error) {
	if !strings.HasPrefix(deref(resource), "arn:") {
		return nil, nil, invalid("Invalid TableArn: Invalid ResourceArn provided as input %s", deref(resource))
	}
	return a.describe(c, resource)
}

func tagsOf(in []shapes.Tag) (map[string]string, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(in))
	for _, tag := range in {
		key := deref(tag.Key)
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return nil, invalid(badParameters+"The tag key %s is reserved: it begins with aws:", key)
		}
		if _, is := out[key]; is {
			return nil, invalid(badParameters+"Duplicate tag key: %s", key)
		}
		out[key] = deref(tag.Value)
	}
	return out, nil
}
