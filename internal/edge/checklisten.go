package edge

import (
	"net"

	"github.com/weir-stream/weir/internal/fault"
)

// CheckListen refuses addresses that other machines can reach while anybody could use them: in dev mode always, otherwise as long
// as there are no keys. An empty addr is no listener. Denied, with what to do about it; Invalid when addr is not host:port.
func CheckListen(addr string, hasKeys, dev bool) error {
	if addr == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fault.New(fault.Invalid, "listen address %q is not host:port", addr)
	}
	if isLoopback(host) {
		return nil
	}
	if dev {
		return fault.New(fault.Denied, "weir dev believes everyone who calls, so it listens on this machine only, and %s is reachable from others. "+
			"Use 127.0.0.1:%s, or weir serve with keys made by weir keys.", addr, port)
	}
	if !hasKeys {
		return fault.New(fault.Denied, "there are no access keys yet, and %s is reachable from other machines. "+
			"Make one with weir keys create, or listen on 127.0.0.1:%s.", addr, port)
	}
	return nil
}

// isLoopback says whether only this machine can reach a host. Names other than localhost may resolve to anything.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
