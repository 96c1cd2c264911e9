package agent

import (
	"reflect"
	"time"
)

// places are how far each file is: where its first record begins that is not in the stream, or else where its reading is.
func (f *Flow) places() FlowPlaces {
	first := map[string]*item{}
	note := func(one *item) {
		if first[one.file] == nil {
			first[one.file] = one
		}
	}
	for _, one := range f.queue {
		note(one)
	}
	for _, s := range f.splitters {
		if s.open != nil {
			note(s.open)
		}
	}
	now := f.o.Clock.Now()
	places := FlowPlaces{Begun: true, Files: map[string]Place{}}
	for _, key := range f.set.Keys() {
		s := f.splitterOf(key)
		place := Place{Header: s.header, Ended: s.ended, Updated: now}
		at := f.set.File(key).At()
		if one := first[key]; one != nil {
			at, place.Header, place.Ended = one.before(), 0, false
		}
		place.Saved = f.set.Save(key, at)
		if before, known := f.saved.Files[key]; known && samePlace(before, place) {
			place.Updated = before.Updated
		}
		places.Files[key] = place
	}
	for key, saved := range f.set.Gone() {
		before, known := f.saved.Files[key]
		if known && now.Sub(before.Updated) > f.c.checkpointTTL {
			f.set.Forget(key)
			continue
		}
		place := Place{Saved: saved, Updated: now}
		if known {
			place.Updated = before.Updated
		}
		places.Files[key] = place
	}
	for key, s := range f.splitters {
		if f.set.File(key) == nil && s.open == nil {
			delete(f.splitters, key)
		}
	}
	return places
}

func samePlace(a, b Place) bool {
	a.Updated, b.Updated = time.Time{}, time.Time{}
	return reflect.DeepEqual(a, b)
}

// save writes the places down if they are others. Without a checkpoint the flow goes on: what is on disk is older and stays good, and a restart sends more
// lines twice.
func (f *Flow) save() {
	if f.o.Checkpoints == nil {
		return
	}
	places := f.places()
	if f.saved.Begun && reflect.DeepEqual(places, f.saved) && f.status.get().CheckpointError == "" {
		return
	}
	err := f.o.Checkpoints.Save(f.c.ID, places)
	f.saved = places
	fresh := false
	f.status.count(func(s *FlowStatus) {
		text := ""
		if err != nil {
			text = err.Error()
		} else {
			s.CheckpointAt = f.o.Clock.Now()
		}
		fresh = text != s.CheckpointError
		s.CheckpointError = text
	})
	if err != nil && fresh {
		f.log.Error("the checkpoint could not be written; sending goes on, and a restart would send again what is sent from now on", "err", err)
	}
}
