package secure

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"sync"
	"time"

	"glasshouse/emulator/wire"
)

// Chain is what a server proves its name with: a certificate and its root, DER-encoded, both sent. Make one for each host,
// and keep it: it takes about 0.2 ms. Read-only, so safe for concurrent use.
type Chain struct {
	Leaf, Root []byte
	record12   []byte // the Certificate message of TLS 1.2, in its record
}

// Chains keeps the chains of hosts that were asked for, for all the homes of a run. Its zero value is ready; it is safe for
// concurrent use.
type Chains struct {
	mu     sync.Mutex
	byHost map[string]*Chain
}

// Of returns a host's chain, as NewChain makes it.
func (c *Chains) Of(host string) (*Chain, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if chain := c.byHost[host]; chain != nil {
		return chain, nil
	}
	chain, err := NewChain(host)
	if err != nil {
		return nil, err
	}
	if c.byHost == nil {
		c.byHost = make(map[string]*Chain)
	}
	c.byHost[host] = chain
	return chain, nil
}

// The certificates' validity in years, from the first of January to another: wide enough for any scenario's day, and below
// 2050, whence dates are encoded longer.
const (
	rootFrom, rootTo = 2010, 2049
	leafFrom, leafTo = 2015, 2045
)

// NewChain makes the certificates of a host: always the same for the same name. Their shape is that of the live world's,
// their signatures are true (RFC 6979), their keys everybody's. It fails on a name that no certificate can hold.
func NewChain(host string) (*Chain, error) {
	rootKey, err := drawKey("root")
	if err != nil {
		return nil, err
	}
	root := rootTemplate()
	rootDER, err := x509.CreateCertificate(nil, root, root, &rootKey.PublicKey, rootKey)
	if err != nil {
		return nil, fmt.Errorf("signing the root: %w", err)
	}
	if root, err = x509.ParseCertificate(rootDER); err != nil {
		return nil, fmt.Errorf("reading the root: %w", err)
	}
	key, err := drawKey("host " + host)
	if err != nil {
		return nil, err
	}
	leafDER, err := x509.CreateCertificate(nil, leafTemplate(host), root, &key.PublicKey, rootKey)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of %q: %w", host, err)
	}
	c := &Chain{Leaf: leafDER, Root: rootDER}
	b := []byte{recordHandshake, 3, 3, 0, 0, msgCertificate, 0, 0, 0, 0, 0, 0}
	for _, der := range [][]byte{c.Leaf, c.Root} {
		b = append(b, 0, 0, 0)
		at := len(b) - 3
		b = append(b, der...)
		wire.PutLength24(b, at)
	}
	wire.PutLength24(b, 9)
	wire.PutLength24(b, 6)
	wire.PutLength16(b, 3)
	c.record12 = b
	return c, nil
}

// drawKey makes the key that a name stands for.
func drawKey(name string) (*ecdsa.PrivateKey, error) {
	sum := sha256.Sum256([]byte("glasshouse key " + name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), sum[:])
	if err != nil {
		return nil, fmt.Errorf("making the key of %s: %w", name, err)
	}
	return key, nil
}

func rootTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"Public Trust Services"}, CommonName: "Public Root CA"},
		NotBefore: newYear(rootFrom), NotAfter: newYear(rootTo), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
}

// leafTemplate is a host's certificate before it is signed. Its serial number has 120 bits, the first of them any.
func leafTemplate(host string) *x509.Certificate {
	sum := sha256.Sum256([]byte("glasshouse serial " + host))
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(sum[:15]), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: newYear(leafFrom), NotAfter: newYear(leafTo),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

func newYear(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }
