package kinesis

import (
	"maps"
	"slices"

	"github.com/weir-stream/weir/internal/arn"
	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/kinesis"
)

// The two families of tag operations do the same to the same tags: the older one names a stream, the newer one a resource by ARN.
//
// Source: API_AddTagsToStream, API_RemoveTagsFromStream, API_ListTagsForStream, API_TagResource, API_UntagResource,
// API_ListTagsForResource (read 2026-11). Shown by: TestStreamTags and TestResourceTags in test/aws.
// Resources are streams and consumers.

func (a *API) addTagsToStream(c *edge.Call, in *shapes.AddTagsToStreamInput) (*nothing, error) {
	stream, err := a.stream(c, in.StreamName, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	return nil, a.addTags(c, stream, nil, in.Tags)
}

func (a *API) removeTagsFromStream(c *edge.Call, in *shapes.RemoveTagsFromStreamInput) (*nothing, error) {
	stream, err := a.stream(c, in.StreamName, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	return nil, a.removeTags(c, stream, nil, in.TagKeys)
}

func (a *API) listTagsForStream(c *edge.Call, in *shapes.ListTagsForStreamInput) (*shapes.ListTagsForStreamOutput, error) {
	stream, err := a.stream(c, in.StreamName, in.StreamARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	tags := tagShapes(stream.Tags, deref(in.ExclusiveStartTagKey))
	out := &shapes.ListTagsForStreamOutput{Tags: tags, HasMoreTags: ptr(false)}
	if limit := int(deref(in.Limit)); in.Limit != nil && len(tags) > limit {
		out.Tags, out.HasMoreTags = tags[:limit], ptr(true)
	}
	return out, nil
}

func (a *API) tagResource(c *edge.Call, in *shapes.TagResourceInput) (*nothing, error) {
	stream, consumer, err := a.resource(c, in.ResourceARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	return nil, a.addTags(c, stream, consumer, in.Tags)
}

func (a *API) untagResource(c *edge.Call, in *shapes.UntagResourceInput) (*nothing, error) {
	stream, consumer, err := a.resource(c, in.ResourceARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	return nil, a.removeTags(c, stream, consumer, in.TagKeys)
}

func (a *API) listTagsForResource(c *edge.Call, in *shapes.ListTagsForResourceInput) (*shapes.ListTagsForResourceOutput, error) {
	stream, consumer, err := a.resource(c, in.ResourceARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	if err := inUse(stream); err != nil {
		return nil, err
	}
	tags := stream.Tags
	if consumer != nil {
		tags = consumer.Tags
	}
	return &shapes.ListTagsForResourceOutput{Tags: tagShapes(tags, "")}, nil
}

// resource is what a ResourceARN names: a stream, or one of its consumers, which is nil otherwise.
func (a *API) resource(c *edge.Call, resourceARN, streamID *string) (*catalog.Stream, *catalog.Consumer, error) {
	if deref(resourceARN) == "" {
		return nil, nil, fault.New(fault.Invalid, "ResourceARN must be provided.")
	}
	if parsed, err := arn.Parse(*resourceARN); err == nil {
		if _, _, _, err := parsed.ConsumerOf(); err == nil && streamID == nil {
			return a.consumerByARN(c, *resourceARN)
		}
	}
	stream, err := a.stream(c, nil, resourceARN, streamID)
	return stream, nil, err
}

func (a *API) addTags(c *edge.Call, stream *catalog.Stream, consumer *catalog.Consumer, tags map[string]string) error {
	return a.control.Propose(c.Ctx, catalog.AddTags{Account: stream.Account, Region: stream.Region, Name: stream.Name, Consumer: nameOf(consumer), Tags: tags})
}

func (a *API) removeTags(c *edge.Call, stream *catalog.Stream, consumer *catalog.Consumer, keys []string) error {
	return a.control.Propose(c.Ctx, catalog.RemoveTags{Account: stream.Account, Region: stream.Region, Name: stream.Name, Consumer: nameOf(consumer), Keys: keys})
}

// nameOf is how commands name a consumer: empty is none.
func nameOf(consumer *catalog.Consumer) string {
	if consumer == nil {
		return ""
	}
	return consumer.Name
}

// tagShapes is the tags whose keys come after a key, in order of key.
func tagShapes(tags map[string]string, after string) []shapes.Tag {
	out := []shapes.Tag{}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if key > after {
			out = append(out, shapes.Tag{Key: ptr(key), Value: ptr(tags[key])})
		}
	}
	return out
}
