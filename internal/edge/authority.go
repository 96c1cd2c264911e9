package edge

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weir-stream/weir/internal/auth/secretfile"
	"github.com/weir-stream/weir/internal/clock"
	"github.com/weir-stream/weir/internal/fault"
	"github.com/weir-stream/weir/internal/vfs"
)

// The authority's files. Clients are told to trust tls/ca.pem; the server shows server.pem, which ends in the authority's own certificate.
const (
	caCertFile   = "tls/ca.pem"
	caKeyFile    = "tls/ca.key"
	leafCertFile = "tls/server.pem"
	leafKeyFile  = "tls/server.key"
)

const (
	caLife   = 10 * 365 * 24 * time.Hour
	leafLife = 397 * 24 * time.Hour // the longest that browsers accept (CA/Browser Forum ballot SC31)
	// renewBefore is how long before its end a certificate is replaced.
	renewBefore = 30 * 24 * time.Hour
	// backdate lets clients whose clocks are behind accept a new certificate.
	backdate = time.Hour

	pemBytesMax = 64 << 10
)

// Authority certifies this server: an authority of its own (ECDSA P-256), made once and kept in the data directory, and a certificate
// of the server's names by it, which is made anew when the names change or its end is near. Safe for concurrent use.
type Authority struct {
	fs     vfs.FS
	clock  clock.Clock
	random io.Reader
	names  []string // sorted, each once

	ca    *x509.Certificate
	caKey *ecdsa.PrivateKey
	caPEM []byte

	mu        sync.Mutex // guards everything below
	leaf      *tls.Certificate
	leafEnds  time.Time
	leafTried time.Time // when a renewal last failed
}

// standardNames are what a client on the same machine may call us. A wildcard stands for one label: kinesis.localhost, and
// kinesis.us-east-1.localhost for clients that put the default region into the host.
var standardNames = []string{"localhost", "*.localhost", "*.us-east-1.localhost", "127.0.0.1", "::1"}

// OpenAuthority reads the authority from tls/ in fs, or makes it. names are further host names and IP addresses the server is
// called by, the machine's own name among them. c is real time; random is crypto/rand when nil.
//
// Corrupt when a file is not what was written there: it is never replaced silently, since clients trust it.
func OpenAuthority(fs vfs.FS, c clock.Clock, random io.Reader, names []string) (*Authority, error) {
	if random == nil {
		random = defaultRandom
	}
	a := &Authority{fs: fs, clock: c, random: random, names: append(slices.Clone(standardNames), names...)}
	for i, name := range a.names {
		if ip := net.ParseIP(name); ip != nil {
			a.names[i] = ip.String()
		} else if name == "" || strings.ContainsAny(name, ":/ ") {
			return nil, fault.New(fault.Invalid, "%q is neither a host name nor an IP address", name)
		} else {
			a.names[i] = strings.ToLower(name)
		}
	}
	slices.Sort(a.names)
	a.names = slices.Compact(a.names)
	if err := fs.MkdirAll("tls"); err != nil {
		return nil, fault.Wrap(err, "open authority")
	}
	if err := fs.SyncDir("."); err != nil {
		return nil, fault.Wrap(err, "open authority")
	}
	if err := a.openCA(); err != nil {
		return nil, err
	}
	if err := a.openLeaf(); err != nil {
		return nil, err
	}
	return a, nil
}

// CertificatePEM is the authority's certificate, which clients need to trust.
func (a *Authority) CertificatePEM() []byte { return bytes.Clone(a.caPEM) }

// config is the listener's: TLS 1.2 and later, ALPN for those who ask.
func (a *Authority) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return a.certificate() },
		Time:           a.clock.Now,
	}
}

// certificate is the server's, renewed when its end is near. When that fails the old one serves on, and the next hour tries again.
func (a *Authority) certificate() (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock.Now()
	if now.Add(renewBefore).Before(a.leafEnds) || now.Sub(a.leafTried) < time.Hour {
		return a.leaf, nil
	}
	if err := a.issueLeaf(); err != nil {
		a.leafTried = now
	}
	return a.leaf, nil
}

func (a *Authority) openCA() error {
	cert, key, err := a.readPair(caCertFile, caKeyFile)
	switch {
	case fault.Is(err, fault.NotFound):
		return a.issueCA()
	case err != nil:
		return err
	}
	a.ca, a.caKey, a.caPEM = cert, key, encodeCertificates(cert.Raw)
	if a.clock.Now().Add(renewBefore).After(cert.NotAfter) {
		return a.issueCA()
	}
	return nil
}

// openLeaf reads the server's certificate and replaces it if it is not, or not for long, one of ours for our names.
func (a *Authority) openLeaf() error {
	cert, key, err := a.readPair(leafCertFile, leafKeyFile)
	if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Corrupt) {
		return err
	}
	now := a.clock.Now()
	if err != nil || cert.CheckSignatureFrom(a.ca) != nil || !slices.Equal(namesOf(cert), a.names) ||
		now.Before(cert.NotBefore) || now.Add(renewBefore).After(cert.NotAfter) {
		return a.issueLeaf()
	}
	a.setLeaf(cert, key)
	return nil
}

func (a *Authority) setLeaf(cert *x509.Certificate, key *ecdsa.PrivateKey) {
	a.leaf = &tls.Certificate{Certificate: [][]byte{cert.Raw, a.ca.Raw}, PrivateKey: key, Leaf: cert}
	a.leafEnds = cert.NotAfter
}

func (a *Authority) issueCA() error {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Weir local authority", Organization: []string{"Weir"}},
		IsCA:    true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	cert, key, err := a.issue(template, nil, nil, caLife)
	if err != nil {
		return err
	}
	a.ca, a.caKey, a.caPEM = cert, key, encodeCertificates(cert.Raw)
	return a.writePair(caCertFile, caKeyFile, a.caPEM, key)
}

func (a *Authority) issueLeaf() error {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "Weir"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range a.names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	cert, key, err := a.issue(template, a.ca, a.caKey, leafLife)
	if err != nil {
		return err
	}
	if err := a.writePair(leafCertFile, leafKeyFile, encodeCertificates(cert.Raw, a.ca.Raw), key); err != nil {
		return err
	}
	a.setLeaf(cert, key)
	return nil
}

// issue makes a key and a certificate of it, by parent, or by itself when parent is nil.
func (a *Authority) issue(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey, life time.Duration) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), a.random)
	if err != nil {
		return nil, nil, fault.As(fault.Unavailable, err, "make a TLS key")
	}
	var serial [16]byte
	if _, err := io.ReadFull(a.random, serial[:]); err != nil {
		return nil, nil, fault.As(fault.Unavailable, err, "read random bytes")
	}
	serial[0] = serial[0]&0x7f | 0x40 // positive, and of full length
	now := a.clock.Now()
	template.SerialNumber = new(big.Int).SetBytes(serial[:])
	template.NotBefore, template.NotAfter = now.Add(-backdate), now.Add(life)
	if parent == nil {
		parent, parentKey = template, key
	}
	raw, err := x509.CreateCertificate(a.random, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, nil, fault.As(fault.Internal, err, "make a TLS certificate")
	}
	cert, err := x509.ParseCertificate(raw)
	return cert, key, fault.As(fault.Internal, err, "make a TLS certificate")
}

// writePair writes the key first: a certificate never stands beside another's key for longer than a crash, and openLeaf or a person sees that.
func (a *Authority) writePair(certFile, keyFile string, certPEM []byte, key *ecdsa.PrivateKey) error {
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fault.As(fault.Internal, err, "write %s", keyFile)
	}
	if err := secretfile.Replace(a.fs, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})); err != nil {
		return err
	}
	return secretfile.Replace(a.fs, certFile, certPEM)
}

// readPair reads the first certificate of a file and its key. NotFound when the certificate is absent, Corrupt when the two do not belong together.
func (a *Authority) readPair(certFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certPEM, err := secretfile.Read(a.fs, certFile, pemBytesMax)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, err := secretfile.Read(a.fs, keyFile, pemBytesMax)
	if fault.Is(err, fault.NotFound) {
		return nil, nil, fault.New(fault.Corrupt, "%s is there without %s; restore the key, or remove both to have new ones", certFile, keyFile)
	}
	if err != nil {
		return nil, nil, err
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, nil, fault.As(fault.Corrupt, err, "read %s and %s; remove both to have new ones", certFile, keyFile)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, fault.New(fault.Corrupt, "%s is not an ECDSA key", keyFile)
	}
	return pair.Leaf, key, nil
}

func encodeCertificates(raws ...[]byte) []byte {
	var b []byte
	for _, raw := range raws {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})...)
	}
	return b
}

// namesOf are a certificate's names as Authority.names has them.
func namesOf(cert *x509.Certificate) []string {
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	slices.Sort(names)
	return names
}
