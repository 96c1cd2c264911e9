package firehose

import (
	"maps"
	"slices"

	"github.com/weir-stream/weir/internal/delivery"
	"github.com/weir-stream/weir/internal/edge"
	shapes "github.com/weir-stream/weir/internal/wire/shapes/firehose"
)

// TagDeliveryStream, UntagDeliveryStream and ListTagsForDeliveryStream keep up to 50 tags of a delivery stream.
//
// Source: API_TagDeliveryStream, API_UntagDeliveryStream, API_ListTagsForDeliveryStream (read 2026-11). Shown by: TestTags in test/firehose.

// listTagsDefault is how many tags one ListTagsForDeliveryStream gives unless told: all that there may be.
const listTagsDefault = 50

func (a *API) tagDeliveryStream(c *edge.Call, in *shapes.TagDeliveryStreamInput) (*shapes.TagDeliveryStreamOutput, error) {
	s, err := a.find(c, in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	return &shapes.TagDeliveryStreamOutput{}, a.delivery.Propose(c.Ctx, delivery.Tag{Account: s.Account, Region: s.Region, Name: s.Name, Tags: tags})
}

func (a *API) untagDeliveryStream(c *edge.Call, in *shapes.UntagDeliveryStreamInput) (*shapes.UntagDeliveryStreamOutput, error) {
	s, err := a.find(c, in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	return &shapes.UntagDeliveryStreamOutput{}, a.delivery.Propose(c.Ctx, delivery.Untag{Account: s.Account, Region: s.Region, Name: s.Name, Keys: in.TagKeys})
}

func (a *API) listTagsForDeliveryStream(c *edge.Call, in *shapes.ListTagsForDeliveryStreamInput) (*shapes.ListTagsForDeliveryStreamOutput, error) {
	s, err := a.find(c, in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	limit := listTagsDefault
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	out := &shapes.ListTagsForDeliveryStreamOutput{Tags: []shapes.Tag{}, HasMoreTags: ptr(false)}
	for _, k := range slices.Sorted(maps.Keys(s.Tags)) {
		if k <= deref(in.ExclusiveStartTagKey) {
			continue
		}
		if len(out.Tags) == limit {
			out.HasMoreTags = ptr(true)
			break
		}
		out.Tags = append(out.Tags, shapes.Tag{Key: ptr(k), Value: ptr(s.Tags[k])})
	}
	return out, nil
}

// tagsOf is the tags of a request. Invalid when a key is there twice.
func tagsOf(list []shapes.Tag) (map[string]string, error) {
	tags, keys := tagsAsked(list)
	if len(tags) < len(keys) {
		return nil, invalid("A tag key stands in the request more than once.")
	}
	return tags, nil
}

// tagsAsked is the tags of a request, and their keys as they stand there.
func tagsAsked(list []shapes.Tag) (tags map[string]string, keys []string) {
	tags = make(map[string]string, len(list))
	for i := range list {
		keys = append(keys, deref(list[i].Key))
		tags[deref(list[i].Key)] = deref(list[i].Value)
	}
	return tags, keys
}
