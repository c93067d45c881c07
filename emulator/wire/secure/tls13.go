package secure

import "glasshouse/emulator/wire"

const (
	// AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305: Go's order where the processor helps with AES.
	clientSuites13     = "\x00\x06\x13\x01\x13\x02\x13\x03"
	clientSignatures13 = "\x00\x0d\x00\x10\x00\x0e\x08\x04\x04\x03\x08\x07\x08\x05\x08\x06\x05\x03\x06\x03" + certSignatures
	clientVersions13   = "\x00\x2b\x00\x03\x02\x03\x04"
	clientShare13      = "\x00\x33\x00\x26\x00\x24\x00\x1d\x00\x20" // a key share of X25519, whose 32 bytes follow
)

// serverHello13 follows the session's name in a server's hello: AES-128-GCM-SHA256, the version, and a key share of
// X25519, whose 32 bytes follow.
const serverHello13 = "\x13\x01\x00" + "\x00\x2e" + "\x00\x2b\x00\x02\x03\x04" + "\x00\x33\x00\x24\x00\x1d\x00\x20"

// Sizes of the messages that a server encrypts, bytes (RFC 8446, section 4).
const (
	extensions13 = 4 + 2 + 4 // EncryptedExtensions: the host's name acknowledged
	verify13     = 4 + 2 + 2 // CertificateVerify without its signature
	finished13   = 4 + 32    // Finished: SHA-256
	entry13      = 3 + 2     // a certificate's length and its extensions'
	certs13      = 4 + 1 + 3 // Certificate without its entries
)

func appendServerFlight13(b []byte, r wire.Rand, c *Chain, h *Hello) []byte {
	b = append(b, recordHandshake, 3, 3, 0, 122, msgServerHello, 0, 0, 118, 3, 3)
	b = wire.AppendRandom(b, r, 32)
	b = append(b, 32)
	b = appendSession(b, h.Session)
	b = append(b, serverHello13...)
	b = wire.AppendRandom(b, r, 32)
	b = append(b, changeCipherSpec...)
	b = append13(b, r, extensions13+len(appendALPN(nil, h.ALPN)))
	b = append13(b, r, certs13+2*entry13+len(c.Leaf)+len(c.Root))
	b = append13(b, r, verify13+signatureSize(r))
	return append13(b, r, finished13)
}

// signatureSize draws the size of an ECDSA signature, as appendSignature's are.
func signatureSize(r wire.Rand) int {
	var s [80]byte
	return len(appendSignature(s[:0], r)) - 2
}

// append13 appends an encrypted record of TLS 1.3: all look like application data.
func append13(b []byte, r wire.Rand, plaintext int) []byte {
	n := overhead13 + plaintext
	b = append(b, recordData, 3, 3, byte(n>>8), byte(n))
	return wire.AppendRandom(b, r, n)
}
