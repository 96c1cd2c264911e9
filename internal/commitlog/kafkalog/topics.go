package kafkalog

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weir-stream/weir/internal/fault"
)

// topics remembers who leads which partition, and makes topics.
type topics struct {
	store *Store
	mu    sync.Mutex       // guards known
	known map[string]topic // as the cluster last said
}

type topic struct {
	id      [16]byte
	leaders []int32 // by partition; −1 while there is none
}

func (s *Store) topicName(group uint64) string {
	return s.options.Prefix + strconv.FormatUint(group, 10)
}

// ensureTopic makes the topic of a group have the partitions and the retention that the registry wants.
func (s *Store) ensureTopic(ctx context.Context, group uint64) error {
	partitions, retention := s.reg.wanted(group)
	return s.topics.ensure(ctx, s.topicName(group), partitions, retention)
}

// ensure makes a topic exist with at least so many partitions, all of them with a leader. retention is that of a new topic; 0 is for ever.
func (t *topics) ensure(ctx context.Context, name string, partitions int32, retention time.Duration) error {
	if found := t.cached(name); int32(len(found.leaders)) >= partitions {
		return nil
	}
	for wait := time.Duration(0); ; wait = min(max(2*wait, pauseFirst), pauseMost) { // the second look follows the first act at once
		found, err := t.refresh(ctx, name)
		switch {
		case err == nil && int32(len(found.leaders)) >= partitions:
			return nil
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			err = t.create(ctx, name, partitions, retention)
		case err == nil:
			err = t.grow(ctx, name, partitions)
		}
		if err != nil && !passing(err) {
			return fault.As(fault.Unavailable, err, "topic %s with %d partitions", name, partitions)
		}
		if !pause(ctx, wait) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (t *topics) create(ctx context.Context, name string, partitions int32, retention time.Duration) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = name, partitions, t.store.options.Replication
	for key, value := range topicConfigs(retention) {
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = key, &value
		rt.Configs = append(rt.Configs, config)
	}
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, t.store.client)
	if err != nil {
		return err
	}
	for _, rt := range resp.Topics {
		if err := kerr.ErrorForCode(rt.ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return err
		}
	}
	return nil
}

func (t *topics) grow(ctx context.Context, name string, partitions int32) error {
	req := kmsg.NewPtrCreatePartitionsRequest()
	rt := kmsg.NewCreatePartitionsRequestTopic()
	rt.Topic, rt.Count = name, partitions
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, t.store.client)
	if err != nil {
		return err
	}
	for _, rt := range resp.Topics {
		if err := kerr.ErrorForCode(rt.ErrorCode); err != nil && !errors.Is(err, kerr.InvalidPartitions) { // invalid: it has them by now
			return err
		}
	}
	return nil
}

// topicConfigs is what our topics are made with. Kafka expires whole segments, so a segment holds at most an eighth of the retention, within reason.
func topicConfigs(retention time.Duration) map[string]string {
	millis := func(d time.Duration) string {
		return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10)
	}
	configs := map[string]string{
		"cleanup.policy":         "delete",
		"message.timestamp.type": "CreateTime",
		"max.message.bytes":      strconv.Itoa(messageBytes),
		"retention.bytes":        "-1",
		"retention.ms":           "-1",
		"segment.ms":             millis(24 * time.Hour),
	}
	if retention > 0 {
		configs["retention.ms"] = millis(retention)
		configs["segment.ms"] = millis(min(max(retention/8, 10*time.Minute), 24*time.Hour))
	}
	return configs
}

// setRetention brings the retention of a group's topic to what the registry wants.
func (s *Store) setRetention(ctx context.Context, group uint64) error {
	_, retention := s.reg.wanted(group)
	configs := topicConfigs(retention)
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, s.topicName(group)
	for _, key := range []string{"retention.ms", "segment.ms"} {
		value := configs[key]
		config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		config.Name, config.Op, config.Value = key, kmsg.IncrementalAlterConfigOpSet, &value
		resource.Configs = append(resource.Configs, config)
	}
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(ctx, s.client)
	if err == nil {
		for _, r := range resp.Resources {
			err = errors.Join(err, kerr.ErrorForCode(r.ErrorCode))
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fault.As(fault.Unavailable, err, "set the retention of topic %s", s.topicName(group))
}

// remove deletes a topic and waits until the cluster says that it is gone.
func (t *topics) remove(ctx context.Context, name string) error {
	for wait := time.Duration(0); ; wait = min(max(2*wait, pauseFirst), pauseMost) {
		_, err := t.refresh(ctx, name)
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			return nil
		}
		if err == nil {
			err = t.delete(ctx, name)
		}
		if err != nil && !passing(err) {
			return fault.As(fault.Unavailable, err, "delete topic %s", name)
		}
		if !pause(ctx, wait) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (t *topics) delete(ctx context.Context, name string) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	rt := kmsg.NewDeleteTopicsRequestTopic()
	rt.Topic = &name
	req.Topics, req.TopicNames = append(req.Topics, rt), []string{name} // the field depends on the version that is agreed on
	resp, err := req.RequestWith(ctx, t.store.client)
	if err != nil {
		return err
	}
	for _, rt := range resp.Topics {
		if err := kerr.ErrorForCode(rt.ErrorCode); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return err
		}
	}
	return nil
}

func (t *topics) cached(name string) topic {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known[name]
}

func (t *topics) forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, name)
}

// refresh asks the cluster for the leaders of a topic. kerr.LeaderNotAvailable while a partition has none.
func (t *topics) refresh(ctx context.Context, name string) (topic, error) {
	t.forget(name)
	req := kmsg.NewPtrMetadataRequest()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = &name
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, t.store.client)
	if err != nil {
		return topic{}, err
	}
	for _, rt := range resp.Topics {
		if rt.Topic == nil || *rt.Topic != name {
			continue
		}
		if err := kerr.ErrorForCode(rt.ErrorCode); err != nil {
			return topic{}, err
		}
		found := topic{id: rt.TopicID, leaders: make([]int32, len(rt.Partitions))}
		for _, p := range rt.Partitions {
			if int(p.Partition) >= len(found.leaders) || p.Leader < 0 {
				return topic{}, kerr.LeaderNotAvailable
			}
			found.leaders[p.Partition] = p.Leader
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.known[name] = found
		return found, nil
	}
	return topic{}, kerr.UnknownTopicOrPartition
}

// passing says whether asking again may help: the cluster is busy with itself, or the network failed.
func passing(err error) bool {
	var refusal *kerr.Error
	if errors.As(err, &refusal) {
		return refusal.Retriable
	}
	var ours *fault.Error
	return !errors.As(err, &ours)
}

// onLeader runs try against the partition's leader, again and again while the failure is passing, until ctx ends. The error is then both
// that of ctx and the last of try.
func (s *Store) onLeader(ctx context.Context, name string, partition int32, try func(leader *kgo.Broker, id [16]byte) error) error {
	for wait := pauseFirst; ; wait = min(2*wait, pauseMost) {
		found, err := s.topics.cached(name), error(nil)
		if int(partition) >= len(found.leaders) {
			found, err = s.topics.refresh(ctx, name)
		}
		if err == nil && int(partition) >= len(found.leaders) {
			err = kerr.UnknownTopicOrPartition
		}
		if err == nil {
			err = try(s.client.Broker(int(found.leaders[partition])), found.id)
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		if !passing(err) {
			return err
		}
		s.topics.forget(name)
		if !pause(ctx, wait) {
			return errors.Join(ctx.Err(), err)
		}
	}
}
