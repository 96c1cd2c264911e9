// Package restjson speaks AWS REST-JSON: which operation a method and a path name, and how the members of a shape spread over path, query, headers and body.
//
// It owns the bindings alone, read from the tables of wire. Bodies are jsonproto's, values and constraints wire's. What an operation means belongs to api.
//
// Read Router, then Decode and Encode.
package restjson

import (
	"net/url"
	"slices"
	"strings"

	"github.com/weir-stream/weir/internal/wire"
)

// ContentType of bodies that are structures.
const ContentType = "application/json"

// Router finds the operation of a request. It is immutable.
type Router struct{ routes []route }

// route is the RequestURI of an operation, taken apart.
type route struct {
	op       *wire.Operation
	segments []segment
	query    url.Values // what the query must have: {"List": {"ALL"}} of …?List=ALL
}

// segment is one piece of a path between slashes.
type segment struct {
	literal string // as it must be; empty when label is set
	label   string // the member that it is the value of
	greedy  bool   // it is the rest of the path, slashes included: {Key+}
}

// NewRouter reads the table of a REST service.
func NewRouter(service *wire.Service) *Router {
	r := &Router{}
	for _, op := range service.Operations {
		path, query, _ := strings.Cut(op.RequestURI, "?")
		to := route{op: op}
		to.query, _ = url.ParseQuery(query) // the model's own
		for _, text := range pieces(path) {
			label, isLabel := strings.CutPrefix(text, "{")
			if !isLabel {
				to.segments = append(to.segments, segment{literal: text})
				continue
			}
			label, greedy := strings.CutSuffix(strings.TrimSuffix(label, "}"), "+")
			to.segments = append(to.segments, segment{label: label, greedy: greedy})
		}
		r.routes = append(r.routes, to)
	}
	// What says more comes first: a word of the query, then a literal where the other has a label.
	slices.SortFunc(r.routes, func(a, b route) int {
		if d := len(b.query) - len(a.query); d != 0 {
			return d
		}
		for i := range min(len(a.segments), len(b.segments)) {
			if aLabel, bLabel := a.segments[i].label != "", b.segments[i].label != ""; aLabel != bLabel {
				if aLabel {
					return 1
				}
				return -1
			}
		}
		return strings.Compare(a.op.Name, b.op.Name)
	})
	return r
}

// pieces cuts a path at its slashes; one at the end says nothing.
func pieces(path string) []string {
	return strings.Split(strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"), "/")
}

// Match gives the operation of a method and an escaped path with its query, and the values of the path's labels, unescaped. Nil when the service has none there.
func (r *Router) Match(method, escapedPath string, query url.Values) (*wire.Operation, map[string]string) {
	path := pieces(escapedPath)
	for i := range r.routes {
		to := &r.routes[i]
		if to.op.Method != method || !holds(query, to.query) {
			continue
		}
		if labels, ok := to.labels(path); ok {
			return to.op, labels
		}
	}
	return nil, nil
}

// holds says whether a query has what a route asks for.
func holds(query, wanted url.Values) bool {
	for name, values := range wanted {
		if query.Get(name) != values[0] {
			return false
		}
	}
	return true
}

// labels holds a path against the route's segments.
func (to *route) labels(path []string) (map[string]string, bool) {
	labels := map[string]string{}
	for i, s := range to.segments {
		if i >= len(path) {
			return nil, false
		}
		text := path[i]
		if s.greedy {
			text = strings.Join(path[i:], "/")
		}
		if s.label == "" {
			if text != s.literal {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(text)
		if err != nil || value == "" {
			return nil, false
		}
		labels[s.label] = value
		if s.greedy {
			return labels, i == len(to.segments)-1
		}
	}
	return labels, len(path) == len(to.segments)
}
