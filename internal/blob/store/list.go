package store

import "strings"

// Listing is what List asks for.
type Listing struct {
	Prefix    string
	Delimiter string // empty: no grouping
	After     string // only keys behind this one; a common prefix counts as a key of its own
	From      string // only keys at or behind this one; used when After is empty
	Max       int    // how many keys and common prefixes together
}

// Entry is a key with its object, or a common prefix when Object is nil.
type Entry struct {
	Name   string
	Object *Object
}

// List gives the first keys and common prefixes in order, and whether there are more behind them. Keys that share what lies between
// Prefix and the first Delimiter behind it are one common prefix, which is passed over in one step, however many they are.
func (b *Bucket) List(q Listing) (entries []Entry, more bool) {
	from := max(q.Prefix, q.From)
	if q.After != "" {
		from = max(from, q.behind(q.After))
	}
	for {
		jumped := false
		for o := range b.Objects(from) {
			if !strings.HasPrefix(o.Key, q.Prefix) {
				return entries, false
			}
			if len(entries) == q.Max {
				return entries, true
			}
			common, grouped := q.common(o.Key)
			if !grouped {
				entries = append(entries, Entry{o.Key, o})
				continue
			}
			entries = append(entries, Entry{Name: common})
			if from = past(common); from == "" {
				return entries, false
			}
			jumped = true
			break
		}
		if !jumped {
			return entries, false
		}
	}
}

// common is the common prefix under which a key is listed, if it is not listed itself.
func (q *Listing) common(key string) (prefix string, grouped bool) {
	if q.Delimiter == "" {
		return "", false
	}
	i := strings.Index(key[len(q.Prefix):], q.Delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(q.Prefix)+i+len(q.Delimiter)], true
}

// behind is the first key that is listed behind name, which may be a key or a common prefix.
func (q *Listing) behind(name string) string {
	if strings.HasPrefix(name, q.Prefix) {
		if common, grouped := q.common(name); grouped && common == name {
			if next := past(name); next != "" {
				return next
			}
		}
	}
	return name + "\x00"
}

// past is the least key that is greater than all that begin with prefix; empty when there is none.
func past(prefix string) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			return prefix[:i] + string([]byte{prefix[i] + 1})
		}
	}
	return ""
}
