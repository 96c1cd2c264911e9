package streams

import (
	"context"

	"github.com/weir-stream/weir/internal/catalog"
	"github.com/weir-stream/weir/internal/fault"
)

// MastersNeeded says under which versions of master keys (NAME:VERSION) data keys are wrapped, and how many under each. A version that is not there
// can be removed without harm.
func (s *Streams) MastersNeeded() map[string]int {
	needed := map[string]int{}
	for stream := range s.control.State().All() {
		for _, k := range stream.DataKeys {
			needed[k.Master]++
		}
	}
	return needed
}

// Rewrap wraps every data key anew that is not wrapped under the newest version of its master key, and says how many those were. Records are not touched.
// Streams whose master key is missing are left as they are, and the last such failure is the error.
func (s *Streams) Rewrap(ctx context.Context) (rewrapped int, err error) {
	if s.keys == nil {
		return 0, nil
	}
	if err := s.keys.Refresh(); err != nil {
		return 0, err
	}
	for stream := range s.control.State().All() {
		var changed []catalog.DataKey
		for _, k := range stream.DataKeys {
			version, wrapped, failed := s.keys.Rewrap(stream.Group, k.Master, k.Wrapped)
			if failed != nil {
				err = fault.Wrap(failed, "stream %s: data key %d", stream.Name, k.ID)
				continue
			}
			if version != k.Master {
				changed = append(changed, catalog.DataKey{ID: k.ID, Master: version, Wrapped: wrapped})
			}
		}
		if len(changed) == 0 {
			continue
		}
		if failed := s.control.Propose(ctx, catalog.RewrapKeys{Group: stream.Group, Keys: changed}); failed != nil && !fault.Is(failed, fault.NotFound) { // a stream may go meanwhile
			return rewrapped, fault.Wrap(failed, "stream %s", stream.Name)
		}
		rewrapped += len(changed)
	}
	return rewrapped, err
}
