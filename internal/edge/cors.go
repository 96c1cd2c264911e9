package edge

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// What AWS lets pages read of an answer, and how long browsers may remember a preflight: two days, in seconds.
const (
	exposedHeaders  = "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date"
	preflightMaxAge = "172800"
)

// allowOrigin says which value Access-Control-Allow-Origin has for a page's origin; empty refuses the page. Without signatures a
// page from anywhere could use the developer's own server, so only pages from the same machine, and those named in Options, may.
func (e *Edge) allowOrigin(origin string) string {
	if e.options.Auth.Verifies() {
		return "*"
	}
	if slices.Contains(e.options.Origins, origin) || isLoopbackOrigin(origin) {
		return origin
	}
	return ""
}

func isLoopbackOrigin(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	host := u.Hostname()
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// cors answers preflights and marks answers for pages. It returns whether the request is answered.
func (c *Call) cors(origin string) bool {
	r, h := c.Request, c.Writer.Header()
	allowed := c.edge.allowOrigin(origin)
	if allowed == "" {
		c.Fail(http.StatusForbidden, CodeAccessDenied, "Pages of origin "+origin+" may not call: this server does not check signatures.")
		return true
	}
	c.set(h, fieldOrigin, "Access-Control-Allow-Origin", allowed)
	if allowed != "*" {
		h["Vary"] = []string{"Origin"}
	}
	if r.Method != http.MethodOptions {
		h["Access-Control-Expose-Headers"] = []string{exposedHeaders}
		return false
	}
	delete(h, "X-Amz-Id-2") // AWS sends none with a preflight
	for asked, answer := range map[string]string{
		"Access-Control-Request-Headers": "Access-Control-Allow-Headers", "Access-Control-Request-Method": "Access-Control-Allow-Methods",
	} {
		if v := first(r.Header, asked); v != "" {
			h[answer] = []string{v}
		}
	}
	h["Access-Control-Max-Age"] = []string{preflightMaxAge}
	c.Reply(http.StatusOK, "", nil)
	return true
}
