package wire

import "encoding/binary"

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

// QUIC is a connection of version 1, both ends of it: the IDs, and how many packets each end has sent of each kind. Its
// handshake is five datagrams, in the order of the methods: client's hello, two of the server, client's finish, server's
// end. Initial packets are truly protected, with a TLS ClientHello and ServerHello in them; nothing else can be decrypted.
type QUIC struct {
	first  [quicIDSize]byte // the client's choice for the server's ID, until the server chooses
	server [quicIDSize]byte
	keys   [2]initialKeys
	sent   [2]uint64 // Initial packets by the client, the server
}

// NewQUIC draws a connection.
func NewQUIC(r Rand) (*QUIC, error) {
	q := new(QUIC)
	fill(q.first[:], r)
	fill(q.server[:], r)
	var err error
	q.keys, err = newInitialKeys(q.first[:])
	return q, err
}

const (
	clientEnd = 0
	serverEnd = 1
)

// AppendClientHello appends the client's first datagram, of QUICDatagram bytes or as many more as a long host name needs.
func (q *QUIC) AppendClientHello(b []byte, r Rand, host string) []byte {
	start := len(b)
	b, number := q.appendInitial(b, clientEnd, q.first[:])
	b = append(b, frameCrypto, 0, 0, 0)
	hello := len(b)
	b = appendQUICClientHello(b, r, host)
	binary.BigEndian.PutUint16(b[hello-2:], uint16(len(b)-hello)|0x4000)
	return q.endInitial(b, clientEnd, start, number, QUICDatagram-(len(b)+tagSize-start))
}

// AppendServerFlight appends the server's answer: two datagrams, of which the first has QUICDatagram bytes.
func (q *QUIC) AppendServerFlight(b []byte, r Rand, c *Chain) []byte {
	start := len(b)
	b, number := q.appendInitial(b, serverEnd, nil)
	b = append(b, frameAck...)
	b = append(b, frameCrypto, 0, 0x40, quicServerHelloSize)
	b = appendQUICServerHello(b, r)
	b = q.endInitial(b, serverEnd, start, number, 0)

	const head = 1 + 1 + 2 // a CRYPTO frame's, at an offset below 64
	rest := quicExtensions13 + certs13 + 2*entry13 + len(c.Leaf) + len(c.Root) + verify13 + signatureSize(r) + finished13
	part := QUICDatagram - (len(b) - start) - quicLongHeader - tagSize - head
	b = q.appendOpaque(b, r, serverEnd, head+part)
	return q.appendOpaque(b, r, serverEnd, head+1+rest-part) // its offset takes two bytes
}

// AppendClientFinish appends the client's second datagram: its Initial acknowledges, its Handshake packet acknowledges and
// finishes. As it has an Initial packet it is padded to QUICDatagram.
func (q *QUIC) AppendClientFinish(b []byte, r Rand) []byte {
	start := len(b)
	const finish = len(frameAck) + 1 + 1 + 1 + finished13
	after := quicLongHeader + finish + tagSize
	b, number := q.appendInitial(b, clientEnd, q.server[:])
	b = append(b, frameAck...)
	b = q.endInitial(b, clientEnd, start, number, QUICDatagram-after-(len(b)+tagSize-start))
	return q.appendOpaque(b, r, clientEnd, finish)
}

// AppendServerDone appends the server's last datagram of the handshake: it acknowledges, and confirms in a packet with a
// short header, where it also gives the client a spare connection ID.
func (q *QUIC) AppendServerDone(b []byte, r Rand) []byte {
	b = q.appendOpaque(b, r, serverEnd, len(frameAck))
	const done, newID = 1, 1 + 1 + 1 + 1 + quicIDSize + 16
	return q.AppendPacket(b, r, false, done+newID)
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
func (q *QUIC) AppendPacket(b []byte, r Rand, up bool, frames int) []byte {
	b = append(b, 0x40|byte(r.Uint64())&0x1f) // the spin bit is not used; five bits are protected
	if up {
		b = append(b, q.server[:]...)
	}
	return AppendRandom(b, r, quicNumberSize+frames+tagSize)
}

// appendOpaque appends a Handshake packet with so many bytes of frames.
func (q *QUIC) appendOpaque(b []byte, r Rand, end, frames int) []byte {
	b = q.appendLong(b, quicHandshake|byte(r.Uint64())&0x0f, end, q.server[:])
	n := quicNumberSize + frames + tagSize
	b = append(b, 0x40|byte(n>>8), byte(n))
	return AppendRandom(b, r, n)
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
