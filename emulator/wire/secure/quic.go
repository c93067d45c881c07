package secure

import (
	"encoding/binary"

	"glasshouse/emulator/wire"
)

// quicIDSize is the size of the IDs that clients and servers choose for the server, bytes. Clients have none of their own,
// as browsers and the apps built on their stacks.
const quicIDSize = 8

// QUICDatagram is the size of a datagram with an Initial packet, bytes (RFC 9000, section 14.1).
const QUICDatagram = 1200

const (
	quicNumberSize = 2
	quicLength     = 2 // a packet's length field, bytes
)

// quicLongHeader is the size of a Handshake packet's header with its number, bytes: one of the ends has an ID.
const quicLongHeader = 1 + 4 + 1 + 1 + quicIDSize + quicLength + quicNumberSize

// Kinds of packets with a long header, as their first byte's type bits.
const (
	quicInitial   = 0 << 4
	quicHandshake = 2 << 4
)

// Frames (RFC 9000, section 19).
const (
	frameAck    = "\x02\x00\x00\x00\x00" // of the packet with number 0 alone
	frameCrypto = 6
)

// QUIC is a connection of version 1, both ends of it: the IDs, and how many Initial packets each end has sent. Its handshake is
// five datagrams, in the order of the methods: client's hello, two of the server, client's finish, server's end. Initial packets are truly protected, with a TLS ClientHello and ServerHello in them; nothing else can be decrypted.
type QUIC struct {
	first  [quicIDSize]byte // the client's choice for the server's ID, until the server chooses
	server [quicIDSize]byte
	keys   [2]initialKeys
	sent   [2]uint64 // Initial packets by the client, the server
}

// NewQUIC draws a connection.
func NewQUIC(r wire.Rand) (*QUIC, error) {
	q := new(QUIC)
	wire.FillRandom(q.first[:], r)
	wire.FillRandom(q.server[:], r)
	var err error
	q.keys, err = newInitialKeys(q.first[:])
	return q, err
}

const (
	clientEnd = 0
	serverEnd = 1
)

// AppendClientHello appends the client's first datagram, of QUICDatagram bytes or as many more as a long host name needs.
func (q *QUIC) AppendClientHello(b []byte, r wire.Rand, host string) []byte {
	start := len(b)
	b, number := q.appendInitial(b, clientEnd, q.first[:])
	b = append(b, frameCrypto, 0, 0, 0)
	hello := len(b)
	b = appendQUICClientHello(b, r, host)
	binary.BigEndian.PutUint16(b[hello-2:], uint16(len(b)-hello)|0x4000)
	return q.endInitial(b, clientEnd, start, number, QUICDatagram-(len(b)+tagSize-start))
}

// AppendServerFlight appends the server's answer: two datagrams, of which the first has QUICDatagram bytes.
func (q *QUIC) AppendServerFlight(b []byte, r wire.Rand, c *Chain) []byte {
	start := len(b)
	b, number := q.appendInitial(b, serverEnd, nil)
	b = append(b, frameAck...)
	b = append(b, frameCrypto, 0, 0x40, quicServerHelloSize)
	b = appendQUICServerHello(b, r)
	b = q.endInitial(b, serverEnd, start, number, 0)

	const head = 1 + 1 + 2 // a CRYPTO frame's, at an offset below 64
	rest := quicExtensions13 + quicGrease + int(r.Uint64()&15) + certs13 + 2*entry13 + len(c.Leaf) + len(c.Root) + verify13 + signatureSize(r) + finished13
	part := QUICDatagram - (len(b) - start) - quicLongHeader - tagSize - head
	b = q.appendOpaque(b, r, serverEnd, head+part)
	b = q.appendOpaque(b, r, serverEnd, head+1+rest-part) // its offset takes two bytes
	return q.AppendPacket(b, r, false, quicNewIDs)
}

// Frames in packets with short headers during the handshake, as quic-go sends them, bytes: the server's three spare IDs, each
// with its token for stateless resets; the client's acknowledgement of them and a retirement; and QUICServerDone.
const (
	quicNewIDs = 3 * (1 + 1 + 1 + 1 + quicIDSize + 16)
	quicRetire = 6 + 2
)

// QUICServerDone is the size of the frames with which a server ends the handshake, bytes: an acknowledgement, HANDSHAKE_DONE,
// and a token for later connections from an IPv4 address.
const QUICServerDone = 6 + 1 + 92

// AppendClientFinish appends the client's second datagram: its Initial acknowledges, its Handshake packet acknowledges and
// finishes, and a packet with a short header takes the server's IDs. As it has an Initial packet it is padded to QUICDatagram.
func (q *QUIC) AppendClientFinish(b []byte, r wire.Rand) []byte {
	start := len(b)
	const finish = len(frameAck) + 1 + 1 + 1 + finished13
	retire := QUICOverhead(true) + quicRetire
	after := quicLongHeader + finish + tagSize + retire
	b, number := q.appendInitial(b, clientEnd, q.server[:])
	b = append(b, frameAck...)
	b = q.endInitial(b, clientEnd, start, number, QUICDatagram-after-(len(b)+tagSize-start))
	b = q.appendOpaque(b, r, clientEnd, finish)
	return q.AppendPacket(b, r, true, quicRetire)
}

// AppendServerDone appends the server's last datagram of the handshake, a packet with a short header.
func (q *QUIC) AppendServerDone(b []byte, r wire.Rand) []byte {
	return q.AppendPacket(b, r, false, QUICServerDone)
}

// QUICID is an ID by which a packet to the server tells its connection.
type QUICID = [quicIDSize]byte

// IDs returns what the client calls the server until it knows better, and what the server chooses.
func (q *QUIC) IDs() (first, server QUICID) { return q.first, q.server }

// ParseQUIC reads of a datagram to the server which connection it is for, and whether it begins with a long header. ok is
// false for what cannot be version 1.
func ParseQUIC(b []byte) (id QUICID, long, ok bool) {
	const at = 1 + 4 + 1 // where a long header has the destination's ID
	switch {
	case len(b) < 1+quicIDSize || b[0]&0x40 == 0:
		return id, false, false
	case b[0]&0x80 == 0:
		return QUICID(b[1:]), false, true
	case len(b) < at+quicIDSize || binary.BigEndian.Uint32(b[1:]) != 1 || b[at-1] != quicIDSize:
		return id, true, false
	}
	return QUICID(b[at:]), true, true
}

// QUICInitial tells whether a datagram begins with an Initial packet.
func QUICInitial(b []byte) bool { return len(b) > 0 && b[0]&0xf0 == 0xc0|quicInitial }

// AppendPacketHead appends the head of a packet as AppendPacket does, up to its encrypted frames; its number is the low bits of
// n, hidden by mask.
func (q *QUIC) AppendPacketHead(b []byte, up bool, n int64, mask uint32) []byte {
	b = append(b, 0x40|byte(mask>>16)&0x1f)
	if up {
		b = append(b, q.server[:]...)
	}
	return binary.BigEndian.AppendUint16(b, uint16(n)^uint16(mask))
}

// QUICHeadSize is what AppendPacketHead appends, bytes.
func QUICHeadSize(up bool) int { return QUICOverhead(up) - tagSize }

// QUICPacketNumber reads a packet's number from a packet with a short header; near is one that the number is next to.
func QUICPacketNumber(b []byte, up bool, near int64, mask uint32) int64 {
	low := binary.BigEndian.Uint16(b[QUICHeadSize(up)-quicNumberSize:]) ^ uint16(mask)
	return near + int64(int16(low-uint16(near)))
}

// QUICOverhead is what a packet of AppendPacket is larger than its frames, bytes: 27 up, 19 down.
func QUICOverhead(up bool) int {
	if up {
		return 1 + quicIDSize + quicNumberSize + tagSize
	}
	return 1 + quicNumberSize + tagSize
}

// AppendPacket appends a packet with a short header that holds frames bytes of frames, 2 at least. A frame of stream data
// is, for the first 64 bytes of a stream, 3 bytes larger than the data, later up to 9.
func (q *QUIC) AppendPacket(b []byte, r wire.Rand, up bool, frames int) []byte {
	b = append(b, 0x40|byte(r.Uint64())&0x1f) // the spin bit is not used; five bits are protected
	if up {
		b = append(b, q.server[:]...)
	}
	return wire.AppendRandom(b, r, quicNumberSize+frames+tagSize)
}

// appendOpaque appends a Handshake packet with so many bytes of frames.
func (q *QUIC) appendOpaque(b []byte, r wire.Rand, end, frames int) []byte {
	b = q.appendLong(b, quicHandshake|byte(r.Uint64())&0x0f, end, q.server[:])
	n := quicNumberSize + frames + tagSize
	b = append(b, 0x40|byte(n>>8), byte(n))
	return wire.AppendRandom(b, r, n)
}

// appendInitial begins an Initial packet, from the client to an ID, and tells where its number is. The length before it is
// written at its end.
func (q *QUIC) appendInitial(b []byte, end int, to []byte) (packet []byte, number int) {
	b = q.appendLong(b, quicInitial|(quicNumberSize-1), end, to)
	b = append(b, 0, 0, 0) // no token; the length
	number = len(b)
	return binary.BigEndian.AppendUint16(b, uint16(q.sent[end])), number
}

// endInitial pads a packet by so many bytes, if any, and protects it.
func (q *QUIC) endInitial(b []byte, end, start, number, padding int) []byte {
	for range padding {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[number-quicLength:], uint16(len(b)-number+tagSize)|0x4000)
	b = q.keys[end].protect(b, start, number, quicNumberSize, q.sent[end])
	q.sent[end]++
	return b
}

// appendLong begins a packet with a long header (RFC 9000, section 17.2).
//
//	1 1 type(2) protected(4) · version(32) · length and ID of the destination · length and ID of the source
func (q *QUIC) appendLong(b []byte, bits byte, end int, to []byte) []byte {
	b = append(b, 0xc0|bits, 0, 0, 0, 1)
	if end == serverEnd {
		b = append(b, 0, quicIDSize)
		return append(b, q.server[:]...)
	}
	b = append(b, quicIDSize)
	b = append(b, to...)
	return append(b, 0)
}
