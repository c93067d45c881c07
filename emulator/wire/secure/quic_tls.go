package secure

import "glasshouse/emulator/wire"

// quicALPN names the protocol inside: HTTP/3.
const quicALPN = "h3"

// Transport parameters (RFC 9000, section 18.2). Idle timeout 30 s, datagrams up to 1452 bytes, 768 KiB a connection and 512
// KiB a stream to begin with, 100 streams each way, delayed ACKs 26 ms, 4 connection IDs: the defaults of quic-go.
const (
	quicLimits = "\x01\x04\x80\x00\x75\x30" +
		"\x03\x02\x45\xac" +
		"\x04\x04\x80\x0c\x00\x00" +
		"\x05\x04\x80\x08\x00\x00" +
		"\x06\x04\x80\x08\x00\x00" +
		"\x07\x04\x80\x08\x00\x00" +
		"\x08\x02\x40\x64" +
		"\x09\x02\x40\x64" +
		"\x0b\x01\x1a" +
		"\x0c\x00" + // no active migration
		"\x0e\x01\x04"
	quicClientLimits = quicLimits + "\x0f\x00" // the client's own ID is empty
	// A server tells the ID that the client chose, its own, and a token for stateless resets.
	quicServerLimits = len(quicLimits) + 2*(2+quicIDSize) + 2 + 16
)

// quicExtensions13 is the size of a server's EncryptedExtensions, bytes: the host's name acknowledged, the protocol chosen,
// the transport parameters.
const quicExtensions13 = 4 + 2 + 4 + (4 + 2 + 1 + 2) + (4 + quicServerLimits)

// quicGrease is the least size of a transport parameter that means nothing, which quic-go's server adds with up to 15 random
// bytes in it (RFC 9000, section 18.1).
const quicGrease = 2 + 1

const quicServerHelloSize = 90

// appendQUICClientHello appends a hello as AppendClientHello does, but without a record and a session's name, and with the
// protocol and the transport parameters (RFC 9001, section 8).
func appendQUICClientHello(b []byte, r wire.Rand, host string) []byte {
	start := len(b)
	b = append(b, msgClientHello, 0, 0, 0, 3, 3)
	b = wire.AppendRandom(b, r, 32)
	b = append(b, 0)
	b = append(b, clientSuites13...)
	b = append(b, 1, 0, 0, 0)
	exts := len(b) - 2
	b = appendServerName(b, host)
	b = append(b, clientExtensions...)
	b = append(b, 0, 0x39, 0, byte(len(quicClientLimits)))
	b = append(b, quicClientLimits...)
	b = append(b, clientCurves...)
	b = append(b, clientSignatures13...)
	b = appendALPN(b, quicALPN)
	b = append(b, clientVersions13...)
	b = append(b, clientShare13...)
	b = wire.AppendRandom(b, r, 32)
	wire.PutLength16(b, exts)
	wire.PutLength24(b, start+1)
	return b
}

func appendQUICServerHello(b []byte, r wire.Rand) []byte {
	b = append(b, msgServerHello, 0, 0, quicServerHelloSize-4, 3, 3)
	b = wire.AppendRandom(b, r, 32)
	b = append(b, 0)
	b = append(b, serverHello13...)
	return wire.AppendRandom(b, r, 32)
}
