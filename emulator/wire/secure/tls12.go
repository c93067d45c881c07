package secure

import (
	"encoding/binary"

	"glasshouse/emulator/wire"
)

// Extensions of Go's clients of both versions: EC point formats, renegotiation info, extended master secret and SCT; then
// status request and the curves X25519 and P-256.
const (
	clientExtensions = "\x00\x0b\x00\x02\x01\x00" +
		"\xff\x01\x00\x01\x00" +
		"\x00\x17\x00\x00" +
		"\x00\x12\x00\x00"
	clientCurves = "\x00\x05\x00\x05\x01\x00\x00\x00\x00" +
		"\x00\x0a\x00\x06\x00\x04\x00\x1d\x00\x17"
)

// certSignatures are the signatures that Go's clients accept in certificates.
const certSignatures = "\x00\x32\x00\x1a\x00\x18\x08\x04\x04\x03\x08\x07\x08\x05\x08\x06\x04\x01\x05\x01\x06\x01\x05\x03\x06\x03\x02\x01\x02\x03"

const (
	clientSuites12     = "\x00\x02\xc0\x2b"
	clientExtensions12 = "\x00\x0d\x00\x16\x00\x14\x08\x04\x04\x03\x08\x07\x08\x05\x08\x06\x04\x01\x05\x01\x06\x01\x05\x03\x06\x03" +
		certSignatures +
		"\x00\x2b\x00\x03\x02\x03\x03" // supported versions
)

// serverHello12 is a server's hello from the end of its random number on: a server of TLS 1.3 marks there that it was asked
// for 1.2 (RFC 8446, section 4.1.3). No session name; renegotiation info, extended master secret, point formats, and the
// host's name acknowledged.
const serverHello12 = "DOWNGRD\x01" + "\x00\xc0\x2b\x00" + "\x00\x13" + "\xff\x01\x00\x01\x00" + "\x00\x17\x00\x00" + "\x00\x0b\x00\x02\x01\x00" + "\x00\x00\x00\x00"

func appendServerFlight12(b []byte, r wire.Rand, c *Chain) []byte {
	b = append(b, recordHandshake, 3, 3, 0, 63, msgServerHello, 0, 0, 59, 3, 3)
	b = wire.AppendRandom(b, r, 24)
	b = append(b, serverHello12...)
	b = append(b, c.record12...)
	start := len(b)
	b = append(b, recordHandshake, 3, 3, 0, 0, msgServerKeyExchange, 0, 0, 0, 3, 0, 0x1d, 32) // a named curve: X25519
	b = wire.AppendRandom(b, r, 32)
	b = append(b, 4, 3) // ECDSA with P-256 and SHA-256
	b = appendSignature(b, r)
	wire.PutLength24(b, start+6)
	wire.PutLength16(b, start+3)
	return append(b, "\x16\x03\x03\x00\x04\x0e\x00\x00\x00"...) // ServerHelloDone
}

func appendFinish12(b []byte, r wire.Rand) []byte {
	b = append(b, changeCipherSpec...)
	return append12(b, r, recordHandshake, finishedSize, 0)
}

// append12 appends an encrypted record of TLS 1.2.
func append12(b []byte, r wire.Rand, kind byte, plaintext int, seq uint64) []byte {
	n := overhead12 + plaintext
	b = append(b, kind, 3, 3, byte(n>>8), byte(n))
	b = binary.BigEndian.AppendUint64(b, seq)
	return wire.AppendRandom(b, r, n-explicitNonce)
}
