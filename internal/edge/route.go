package edge

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"github.com/weir-stream/weir/internal/wire/sigv4"
)

// router finds the service of a request: by X-Amz-Target where there is one, which must agree with the credential's scope;
// otherwise by that scope; otherwise by path. It looks at the header alone. Immutable.
type router struct {
	all      []Service
	byTarget map[string]Service
	byName   map[string][]Service
}

func newRouter(services []Service) router {
	rt := router{all: services, byTarget: make(map[string]Service), byName: make(map[string][]Service)}
	for _, s := range services {
		if prefix := s.TargetPrefix(); prefix != "" {
			rt.byTarget[prefix] = s
		}
		rt.byName[s.Name()] = append(rt.byName[s.Name()], s)
	}
	return rt
}

// refusal is an answer given before there is a service. The zero refusal is none.
type refusal struct {
	status  int
	code    string
	message string
	old     bool // in the form of services from before there were protocols, which application/json still gets
}

// oldBody is what a refusal in the old form looks like.
const oldBody = `{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}`

// route fills Protocol, service, Service and Operation of c. Operation of query calls is found later, in the body. scope is the
// service that the request is signed for, or empty. With strict, a scope that is not the target's is refused; without it the target decides.
func (rt *router) route(c *Call, scope string, strict bool) refusal {
	r := c.Request
	if r.Header["Smithy-Protocol"] != nil && strings.EqualFold(r.Header.Get("Smithy-Protocol"), "rpc-v2-cbor") {
		return rt.routeRPC(c, scope, strict)
	}
	target := first(r.Header, "X-Amz-Target")
	prefix, operation, _ := strings.Cut(target, ".")
	known := true
	switch media := mediaType(r.Header); media {
	case "application/x-amz-json-1.1":
		c.Protocol = JSON11
	case "application/x-amz-json-1.0":
		c.Protocol = JSON10
	case "application/x-amz-cbor-1.1":
		c.Protocol = CBOR11
	case "application/x-www-form-urlencoded":
		if target == "" && rt.routeQuery(c, scope) {
			return refusal{}
		}
		known = false
	default:
		known = false
	}
	if known && r.Method == http.MethodPost {
		return rt.routeTarget(c, prefix, operation, scope, strict)
	}
	if target == "" {
		if formAction(nil, r.URL.RawQuery) != "" && rt.routeQuery(c, scope) {
			return refusal{}
		}
		if c.Protocol = REST; rt.routePath(c, scope) {
			return refusal{}
		}
	}
	c.Protocol = REST
	return rt.unassigned(c, prefix, operation)
}

// routeTarget is for the JSON and CBOR protocols of 2011 to now: everything is POST, the operation in X-Amz-Target.
func (rt *router) routeTarget(c *Call, prefix, operation, scope string, strict bool) refusal {
	s := rt.byTarget[prefix]
	if s == nil || operation == "" {
		return refusal{status: http.StatusBadRequest, code: CodeUnknownOperation}
	}
	if strict && scope != "" && scope != s.Name() {
		return refusal{status: http.StatusBadRequest, code: sigv4.CodeInvalid, message: "Credential should be scoped to correct service: '" + s.Name() + "'. "}
	}
	c.assign(s, operation)
	return refusal{}
}

// routeRPC is for Smithy RPC v2: POST …/service/NAME/operation/NAME, where the service's name is its target prefix.
func (rt *router) routeRPC(c *Call, scope string, strict bool) refusal {
	c.Protocol = RPCv2CBOR
	_, rest, _ := strings.Cut(c.Request.URL.Path, "/service/")
	prefix, operation, _ := strings.Cut(rest, "/operation/")
	if c.Request.Method != http.MethodPost || strings.Contains(operation, "/") {
		operation = ""
	}
	if found := rt.routeTarget(c, prefix, operation, scope, strict); found.code != CodeUnknownOperation {
		return found
	}
	return refusal{status: http.StatusNotFound, code: CodeUnknownOperation}
}

// routeQuery is for the query protocol: the scope says whose a request is.
func (rt *router) routeQuery(c *Call, scope string) bool {
	for _, s := range rt.byName[scope] {
		if _, ok := as[QuerySpeaker](s); ok {
			c.Protocol = Query
			c.assign(s, "")
			return true
		}
	}
	return false
}

// routePath is for REST: among the services of the scope, or all when nobody signed, the first whose path it is; or else the scope's
// own, when it has no other way of being addressed.
func (rt *router) routePath(c *Call, scope string) bool {
	method, path := c.Request.Method, c.Request.URL.EscapedPath()
	candidates := rt.byName[scope]
	if candidates == nil {
		candidates = rt.all
	}
	for _, s := range candidates {
		// A signature for the one service of its name says enough.
		if m, ok := as[PathMatcher](s); ok && (scope != "" && len(rt.byName[scope]) == 1 || m.MatchPath(method, path)) {
			c.assign(s, "")
			return true
		}
	}
	for _, s := range rt.byName[scope] {
		_, byPath := as[PathMatcher](s)
		_, byQuery := as[QuerySpeaker](s)
		if !byPath && !byQuery && s.TargetPrefix() == "" {
			c.assign(s, "")
			return true
		}
	}
	return false
}

// unassigned says what AWS says to a request in no protocol, as the connection tests of Kinesis servers have recorded it.
func (rt *router) unassigned(c *Call, prefix, operation string) refusal {
	r := c.Request
	denied := refusal{status: http.StatusForbidden, code: CodeAccessDenied, message: "Unable to determine service/operation name to be authorized"}
	switch {
	case r.Method != http.MethodPost:
		return denied
	case r.ContentLength == 0:
		c.Protocol = CBOR11
		if rt.byTarget[prefix] != nil && operation != "" {
			return refusal{status: http.StatusBadRequest, code: CodeSerialization}
		}
		return refusal{status: http.StatusBadRequest, code: CodeUnknownOperation}
	case prefix == "" || operation == "":
		return denied
	case mediaType(r.Header) == "application/json":
		return refusal{status: http.StatusNotFound, code: CodeUnknownOperation, old: true}
	default:
		return refusal{status: http.StatusNotFound, code: CodeUnknownOperation}
	}
}

func (c *Call) assign(s Service, operation string) {
	c.service, c.Service, c.Operation = s, s.Name(), operation
}

// mediaType is the Content-Type without parameters and spaces, as it is written.
func mediaType(h http.Header) string {
	media, _, _ := strings.Cut(first(h, "Content-Type"), ";")
	return strings.TrimSpace(media)
}

func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// formAction finds Action in a form-encoded body, or in the query of the URL.
func formAction(body []byte, query string) string {
	for _, form := range [...][]byte{body, []byte(query)} {
		for len(form) > 0 {
			var pair []byte
			pair, form, _ = bytes.Cut(form, []byte("&"))
			if value, ok := bytes.CutPrefix(pair, []byte("Action=")); ok {
				if action, err := url.QueryUnescape(string(value)); err == nil {
					return action
				}
			}
		}
	}
	return ""
}
