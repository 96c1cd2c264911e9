package offers

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// shownMax is how many of each kind of difference are named; the counts are always whole.
const shownMax = 10

// Differences is how what came out differs from the oracle. All empty is equal.
type Differences struct {
	Missing    Keys `json:"missing"`    // sign-ups without an offer in the stream
	Untold     Keys `json:"untold"`     // sign-ups of whose offer the app was never told
	Changed    Keys `json:"changed"`    // other offers than the oracle's, in the stream or in the app
	Repeated   Keys `json:"repeated"`   // offers that are there more than once; a difference only when duplicates count
	Reordered  Keys `json:"reordered"`  // offers that stand before an earlier one of their user
	Foreign    Keys `json:"foreign"`    // what is no offer, or one for nobody's sign-up
	Duplicates int  `json:"duplicates"` // in the stream and at the app, whether they count or not
}

// Keys counts business keys and names the first of them.
type Keys struct {
	Count int      `json:"count"`
	First []string `json:"first"`
}

func (k *Keys) add(key string) {
	if k.Count++; len(k.First) < shownMax {
		k.First = append(k.First, key)
	}
}

// None says whether there is no difference.
func (d *Differences) None() bool { return len(d.Lines()) == 0 }

// Lines gives the differences as sentences.
func (d *Differences) Lines() []string {
	var all []string
	for _, kind := range []struct {
		what string
		keys Keys
	}{{"without an offer", d.Missing}, {"of which the app was not told", d.Untold}, {"other offers than the oracle's", d.Changed}, {"more than once", d.Repeated},
		{"before an earlier one of their user", d.Reordered}, {"foreign", d.Foreign}} {
		if kind.keys.Count > 0 {
			all = append(all, fmt.Sprintf("%d %s: %v", kind.keys.Count, kind.what, kind.keys.First))
		}
	}
	return all
}

// Compare holds what was read from the stream, each shard's records in their order, and what the app was told, in its order, against the oracle. With
// deduped, how often an offer is there does not matter. The order is that of each offer's first copy: what a function writes again when its batch is
// given again may stand anywhere behind.
func Compare(oracle Oracle, read, told [][]byte, deduped bool) Differences {
	var d Differences
	for _, from := range []struct {
		texts  [][]byte
		absent *Keys
	}{{read, &d.Missing}, {told, &d.Untold}} {
		times := map[string]int{}
		next := map[string]int{} // by user: which of their keys comes next
		for _, text := range from.texts {
			var offer Offer
			if err := json.Unmarshal(text, &offer); err != nil {
				d.Foreign.add(string(text[:min(len(text), 100)]))
				continue
			}
			key := offer.Key()
			want, ok := oracle.Offers[key]
			if !ok {
				d.Foreign.add(key)
				continue
			}
			if !offer.At.Equal(want.At) || offer.Country != want.Country || offer.Mbps != want.Mbps || offer.Plan != want.Plan {
				d.Changed.add(key)
			}
			if times[key]++; times[key] > 1 {
				d.Duplicates++
				continue
			}
			place := slices.Index(oracle.Users[offer.User], key)
			if place != next[offer.User] {
				d.Reordered.add(key)
			}
			next[offer.User] = place + 1
		}
		for _, key := range slices.Sorted(maps.Keys(oracle.Offers)) {
			switch {
			case times[key] == 0:
				from.absent.add(key)
			case times[key] > 1 && !deduped:
				d.Repeated.add(key)
			}
		}
	}
	return d
}
