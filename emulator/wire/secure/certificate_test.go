package secure

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"glasshouse/emulator/wire/wiretest"
)

// The certificates verify, on any day of a lab, and name their host.
func TestChainsVerify(t *testing.T) {
	for _, host := range hosts() {
		c := wiretest.Must(NewChain(host))(t)
		leaf, root := wiretest.Must(x509.ParseCertificate(c.Leaf))(t), wiretest.Must(x509.ParseCertificate(c.Root))(t)
		pool := x509.NewCertPool()
		pool.AddCert(root)
		for _, at := range []time.Time{newYear(2016), newYear(2026), newYear(2044)} {
			if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: pool, CurrentTime: at}); err != nil {
				t.Errorf("%s in %d: %v", host, at.Year(), err)
			}
		}
		again := wiretest.Must(NewChain(host))(t)
		if !bytes.Equal(again.Leaf, c.Leaf) || !bytes.Equal(again.Root, c.Root) {
			t.Errorf("%s: two calls, two certificates", host)
		}
		other := wiretest.Must(NewChain("other.example"))(t)
		if bytes.Equal(other.Leaf, c.Leaf) || !bytes.Equal(other.Root, c.Root) {
			t.Error("two hosts have one certificate, or two roots")
		}
	}
}

func TestChainsOfImpossibleNames(t *testing.T) {
	if c, err := NewChain("caf\u00e9.example"); err == nil || !strings.Contains(err.Error(), "caf\u00e9.example") {
		t.Errorf("%v %v", c, err)
	}
}

// The certificates have the sizes of ones signed as the live world signs them: with fresh keys, a random serial number of
// 120 bits, and a validity around today. Only the serial number's size and the signature's vary.
func TestCertificatesHaveTheirSizes(t *testing.T) {
	fixed := func(der []byte) int {
		c := wiretest.Must(x509.ParseCertificate(der))(t)
		return len(der) - len(c.Signature) - len(c.SerialNumber.Bytes()) - int(c.SerialNumber.Bytes()[0]>>7)
	}
	rootKey := wiretest.Must(ecdsa.GenerateKey(elliptic.P256(), crand.Reader))(t)
	root := rootTemplate()
	root.NotBefore, root.NotAfter = newYear(2016), newYear(2036)
	rootDER := wiretest.Must(x509.CreateCertificate(crand.Reader, root, root, &rootKey.PublicKey, rootKey))(t)
	root = wiretest.Must(x509.ParseCertificate(rootDER))(t)
	serials, signatures := make(map[int]int), make(map[int]int)
	for i := range 40 {
		host := strings.Repeat("x", i+1) + ".example.net"
		c := wiretest.Must(NewChain(host))(t)
		key := wiretest.Must(ecdsa.GenerateKey(elliptic.P256(), crand.Reader))(t)
		leaf := leafTemplate(host)
		leaf.NotBefore, leaf.NotAfter = newYear(2021), newYear(2031)
		leaf.SerialNumber = wiretest.Must(crand.Int(crand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)))(t)
		der := wiretest.Must(x509.CreateCertificate(crand.Reader, leaf, root, &key.PublicKey, rootKey))(t)
		if got, want := fixed(c.Leaf), fixed(der); got != want {
			t.Errorf("%s: %d bytes beside serial number and signature, want %d", host, got, want)
		}
		if got, want := fixed(c.Root), fixed(rootDER); got != want {
			t.Errorf("the root: %d bytes beside its signature, want %d", got, want)
		}
		parsed := wiretest.Must(x509.ParseCertificate(c.Leaf))(t)
		serials[len(parsed.SerialNumber.Bytes())+int(parsed.SerialNumber.Bytes()[0]>>7)]++
		signatures[len(parsed.Signature)]++
	}
	if serials[15] < 8 || serials[16] < 8 || signatures[70] < 2 || signatures[71] < 8 || signatures[72] < 2 {
		t.Errorf("serial numbers of %v bytes, signatures of %v: they do not vary as they should", serials, signatures)
	}
}
