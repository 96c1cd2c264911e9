package aws

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestHTTP2WithoutALPN: Java clients from before 2025 finish the TLS handshake without naming a
// protocol and then simply begin with the HTTP/2 preface. The server must look before it answers.
func TestHTTP2WithoutALPN(t *testing.T) {
	s := shared.plain(t)
	// A transport that believes it speaks HTTP/2 in the clear, over connections that are TLS without ALPN.
	over := protocols(func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })
	over.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialer := &tls.Dialer{Config: &tls.Config{RootCAs: s.server.cas}} // no NextProtos: no ALPN
		return dialer.DialContext(ctx, network, addr)
	}
	defer over.CloseIdleConnections()
	request, err := http.NewRequestWithContext(s.ctx, http.MethodPost, "http://"+s.server.node.TLSAddr()+"/", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "Kinesis_20131202.ListStreams")
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.account+"/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("0", 64))
	response, err := over.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != 200 || response.ProtoMajor != 2 || !strings.Contains(string(body), `"StreamNames":[]`) {
		t.Errorf("%s %s %s", response.Proto, response.Status, body)
	}
}
