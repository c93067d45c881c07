package secure

import (
	"encoding/binary"

	"glasshouse/emulator/wire"
)

// Versions of TLS, as on the wire and in crypto/tls.
const (
	TLS12 uint16 = 0x0303
	TLS13 uint16 = 0x0304
)

// MaxPlaintext is how much application data a record holds, bytes: a longer message goes in several records.
const MaxPlaintext = 1 << 14

// Types of records (RFC 8446, section 5.1).
const (
	recordCCS       = 20
	recordAlert     = 21
	recordHandshake = 22
	recordData      = 23
)

// Types of handshake messages (RFC 8446, section 4; RFC 5246, section 7.4).
const (
	msgClientHello       = 1
	msgServerHello       = 2
	msgCertificate       = 11
	msgServerKeyExchange = 12
	msgClientKeyExchange = 16
)

const (
	recordHeader  = 5
	explicitNonce = 8  // TLS 1.2 with AES-GCM (RFC 5288): the record's number, as Go counts
	tagSize       = 16 // AES-GCM's
	finishedSize  = 4 + 12
)

// overhead is what TLS 1.2 and 1.3 add to the content of an encrypted record, its header not counted.
const (
	overhead12 = explicitNonce + tagSize
	overhead13 = 1 + tagSize // the content's type is encrypted with it
)

// RecordOverhead is what a record of application data is larger than the data: 29 bytes in TLS 1.2, 22 in TLS 1.3.
func RecordOverhead(version uint16) int {
	if version == TLS12 {
		return recordHeader + overhead12
	}
	return recordHeader + overhead13
}

// AppendRecordHeader begins a record of plaintext bytes (at most MaxPlaintext) of application data. seq is the record's
// number in its direction: the first after the handshake is 1 in TLS 1.2, where the number is on the wire; 1.3 shows none.
// RecordOverhead and plaintext less what was appended is the size of the ciphertext that is to follow.
func AppendRecordHeader(b []byte, version uint16, plaintext int, seq uint64) []byte {
	n := RecordOverhead(version) - recordHeader + plaintext
	b = append(b, recordData, 3, 3, byte(n>>8), byte(n))
	if version == TLS12 {
		b = binary.BigEndian.AppendUint64(b, seq)
	}
	return b
}

// RecordHeaderSize is how much AppendRecordHeader appends, bytes.
func RecordHeaderSize(version uint16) int {
	if version == TLS12 {
		return recordHeader + explicitNonce
	}
	return recordHeader
}

// AppendCloseNotify appends the alert that ends one direction; seq as in AppendRecordHeader.
func AppendCloseNotify(b []byte, r wire.Rand, version uint16, seq uint64) []byte {
	if version == TLS12 {
		return append12(b, r, recordAlert, 2, seq)
	}
	return append13(b, r, 2)
}

// Hello is what a client asks for and a server answers.
type Hello struct {
	Host    string // a DNS name
	Version uint16 // TLS12 or TLS13
	ALPN    string // the protocol that is spoken within 1.3, as "h2"; "" = none is named
	Session uint64 // of the connection: the session's name, which the server repeats, is drawn from it
}

// AppendClientHello appends a client's first flight: one write, one record.
//
// The client is Go's, told to speak exactly one version: in 1.2 ECDHE-ECDSA-AES128-GCM-SHA256 alone, X25519 before P-256,
// no tickets.
func AppendClientHello(b []byte, r wire.Rand, h *Hello) []byte {
	start := len(b)
	b = append(b, recordHandshake, 3, 1, 0, 0, msgClientHello, 0, 0, 0, 3, 3)
	b = wire.AppendRandom(b, r, 32)
	b = append(b, 32)
	b = appendSession(b, h.Session)
	if h.Version == TLS12 {
		b = append(b, clientSuites12...)
	} else {
		b = append(b, clientSuites13...)
	}
	b = append(b, 1, 0, 0, 0) // no compression; the extensions' length comes later
	exts := len(b) - 2
	b = appendServerName(b, h.Host)
	b = append(b, clientExtensions...)
	b = append(b, clientCurves...)
	if h.Version == TLS12 {
		b = append(b, clientExtensions12...)
	} else {
		b = append(b, clientSignatures13...)
		b = appendALPN(b, h.ALPN)
		b = append(b, clientVersions13...)
		b = append(b, clientShare13...)
		b = wire.AppendRandom(b, r, 32)
	}
	wire.PutLength16(b, exts)
	wire.PutLength24(b, start+6)
	wire.PutLength16(b, start+3)
	return b
}

// appendServerName appends the extension that names the host (RFC 6066, section 3).
func appendServerName(b []byte, host string) []byte {
	n := len(host)
	b = append(b, 0, 0, byte((n+5)>>8), byte(n+5), byte((n+3)>>8), byte(n+3), 0, byte(n>>8), byte(n))
	return append(b, host...)
}

// appendALPN appends the extension that offers a protocol, if there is one (RFC 7301, section 3.1).
func appendALPN(b []byte, alpn string) []byte {
	if n := len(alpn); n > 0 {
		b = append(b, 0, 0x10, 0, byte(n+3), 0, byte(n+1), byte(n))
		b = append(b, alpn...)
	}
	return b
}

// appendSession appends the 32 bytes that name a session.
func appendSession(b []byte, session uint64) []byte {
	for range 4 {
		b = binary.LittleEndian.AppendUint64(b, mix(&session))
	}
	return b
}

// mix is splitmix64: the next of a sequence of well-mixed numbers.
func mix(state *uint64) uint64 {
	*state += 0x9e3779b97f4a7c15
	z := *state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// AppendServerFlight appends a server's answer to a hello: one write. In 1.2 that is ServerHello, Certificate,
// ServerKeyExchange and ServerHelloDone, a record each; in 1.3 ServerHello, ChangeCipherSpec and, encrypted,
// EncryptedExtensions, Certificate, CertificateVerify and Finished, a record each.
func AppendServerFlight(b []byte, r wire.Rand, c *Chain, h *Hello) []byte {
	if h.Version == TLS12 {
		return appendServerFlight12(b, r, c)
	}
	return appendServerFlight13(b, r, c, h)
}

// AppendClientFinish appends a client's second flight: one write. In 1.2 that is ClientKeyExchange, ChangeCipherSpec and
// Finished, in 1.3 ChangeCipherSpec and Finished.
func AppendClientFinish(b []byte, r wire.Rand, version uint16) []byte {
	if version == TLS12 {
		b = append(b, recordHandshake, 3, 3, 0, 37, msgClientKeyExchange, 0, 0, 33, 32)
		b = wire.AppendRandom(b, r, 32)
		return appendFinish12(b, r)
	}
	b = append(b, changeCipherSpec...)
	return append13(b, r, finished13)
}

// AppendServerFinish appends what a server says after a client's second flight: ChangeCipherSpec and Finished in one write
// in 1.2, nothing in 1.3.
func AppendServerFinish(b []byte, r wire.Rand, version uint16) []byte {
	if version == TLS12 {
		return appendFinish12(b, r)
	}
	return b
}

const changeCipherSpec = "\x14\x03\x03\x00\x01\x01"

// appendSignature appends a DER-encoded ECDSA signature over P-256 with its length before it: two integers that are
// uniform below nearly 2^256, so that it is 70, 71 or 72 bytes long, seldom less, as often as a true one is.
func appendSignature(b []byte, r wire.Rand) []byte {
	start := len(b)
	b = append(b, 0, 0, 0x30, 0)
	var n [32]byte
	for range 2 {
		v := wire.AppendRandom(n[:0], r, len(n))
		for len(v) > 1 && v[0] == 0 {
			v = v[1:]
		}
		if v[0] >= 0x80 {
			b = append(b, 2, byte(len(v)+1), 0)
		} else {
			b = append(b, 2, byte(len(v)))
		}
		b = append(b, v...)
	}
	b[start+3] = byte(len(b) - start - 4)
	wire.PutLength16(b, start)
	return b
}
