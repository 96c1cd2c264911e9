package edge_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"time"

	"github.com/weir-stream/weir/internal/auth"
	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/edge"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

var day = 24 * time.Hour

func openAuthority(t *testing.T, fs vfs.FS, c clock.Clock, names ...string) *edge.Authority {
	t.Helper()
	a, err := edge.OpenAuthority(fs, c, nil, names)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// leafOf is the certificate that the server in fs would show.
func leafOf(t *testing.T, fs vfs.FS) []byte {
	t.Helper()
	raw, err := secretfile.Read(fs, "tls/server.pem", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The authority is made once; the server's certificate anew when its names change or its end is near, and else never.
func TestAuthorityKeepsAndRenews(t *testing.T) {
	mem, c := vfs.NewMem(), clock.NewManual(time.Date(2026, 11, 18, 13, 0, 0, 0, time.UTC))
	first := openAuthority(t, mem, c, "Weir.example.com", "10.0.0.7")
	leaf := leafOf(t, mem)
	for _, row := range []struct {
		name    string
		wait    time.Duration
		names   []string
		renewed bool
	}{
		{"again", 0, []string{"weir.example.com", "10.0.0.7"}, false},
		{"other order", day, []string{"10.0.0.7", "weir.example.com", "localhost"}, false},
		{"another name", 0, []string{"10.0.0.7", "other.example.com"}, true},
		{"near its end", 368 * day, []string{"10.0.0.7", "other.example.com"}, true},
	} {
		c.Advance(row.wait)
		again := openAuthority(t, mem, c, row.names...)
		if !bytes.Equal(first.CertificatePEM(), again.CertificatePEM()) {
			t.Errorf("%s: another authority", row.name)
		}
		now := leafOf(t, mem)
		if bytes.Equal(now, leaf) == row.renewed {
			t.Errorf("%s: renewed %v", row.name, !row.renewed)
		}
		leaf = now
	}
}

// Who trusts the authority trusts the server under all of its names, and under no other.
func TestNames(t *testing.T) {
	mem := vfs.NewMem()
	a := openAuthority(t, mem, clock.Real, "weir.example.com")
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(a.CertificatePEM()) {
		t.Fatal("no certificate")
	}
	pair, err := tls.X509KeyPair(leafOf(t, mem), mustRead(t, mem, "tls/server.key"))
	if err != nil {
		t.Fatal(err)
	}
	for name, good := range map[string]bool{
		"localhost": true, "kinesis.localhost": true, "kinesis.us-east-1.localhost": true, "127.0.0.1": true, "::1": true, "weir.example.com": true,
		"example.com": false, "127.0.0.2": false, "kinesis.us-east-1.amazonaws.com": false,
	} {
		if net.ParseIP(name) != nil {
			name = "[" + name + "]"
		}
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name}); (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := edge.OpenAuthority(vfs.NewMem(), clock.Real, nil, []string{"host:4567"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a name with a port: %v", err)
	}
}

func mustRead(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	raw, err := secretfile.Read(fs, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// What clients trust is never replaced silently; what they do not is.
func TestDamagedCertificates(t *testing.T) {
	for file, kind := range map[string]fault.Kind{"tls/ca.pem": fault.Corrupt, "tls/ca.key": fault.Corrupt, "tls/server.pem": 0, "tls/server.key": 0} {
		mem := vfs.NewMem()
		before := openAuthority(t, mem, clock.Real)
		if err := secretfile.Replace(mem, file, []byte("damaged")); err != nil {
			t.Fatal(err)
		}
		after, err := edge.OpenAuthority(mem, clock.Real, nil, nil)
		if kind != 0 {
			if !fault.Is(err, kind) {
				t.Errorf("%s damaged: %v", file, err)
			}
			continue
		}
		if err != nil || !bytes.Equal(before.CertificatePEM(), after.CertificatePEM()) {
			t.Errorf("%s damaged: %v", file, err)
		}
	}
	mem := vfs.NewMem()
	openAuthority(t, mem, clock.Real)
	if err := mem.Remove("tls/ca.key"); err != nil {
		t.Fatal(err)
	}
	if _, err := edge.OpenAuthority(mem, clock.Real, nil, nil); !fault.Is(err, fault.Corrupt) {
		t.Errorf("key of the authority missing: %v", err)
	}
}

// A server that runs for a year shows a new certificate before the old one ends.
func TestRenewsWhileRunning(t *testing.T) {
	mem, c := vfs.NewMem(), clock.NewManual(clock.Real.Now())
	a := openAuthority(t, mem, c)
	r := start(t, edge.Options{Services: []edge.Service{kinesis(describe)}, Auth: auth.Any{}, TLS: a})
	shown := func() *x509.Certificate {
		t.Helper()
		conn, err := tls.Dial("tcp", r.TLSAddr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0]
	}
	first := shown()
	c.Advance(300 * day)
	if !shown().Equal(first) {
		t.Error("renewed after 300 days")
	}
	c.Advance(70 * day)
	second := shown()
	if second.Equal(first) || second.NotAfter.Sub(c.Now()) < 390*day {
		t.Errorf("after 370 days the certificate ends %v", second.NotAfter)
	}
}
