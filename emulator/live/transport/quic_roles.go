package transport

import (
	"context"
	"crypto/tls"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/quic-go/qlogwriter"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/wire/secure"
)

// protoH3 is the protocol that clients name in their hello: HTTP/3's.
const protoH3 = "h3"

// quicIdle is after how much silence a connection is given up: longer than any message waits.
const quicIdle = 2 * time.Hour

// QUICConfig says how both ends speak QUIC. Packets have one size, below what a LAN behind a tunnel lets through.
func QUICConfig(tracer func(ctx context.Context) *QUICRoles) *quic.Config {
	return &quic.Config{
		Versions: []quic.Version{quic.Version1}, InitialPacketSize: secure.QUICDatagram, DisablePathMTUDiscovery: true, MaxIdleTimeout: quicIdle,
		Tracer: func(ctx context.Context, _ bool, _ quic.ConnectionID) qlogwriter.Trace { return tracer(ctx) },
	}
}

// QUICTLS makes a configuration of TLS that of QUIC.
func QUICTLS(c *tls.Config) *tls.Config {
	c.MinVersion, c.NextProtos = tls.VersionTLS13, []string{protoH3}
	return c
}

// QUICRoles tells what the datagrams of one end of a connection are for: quic-go traces each packet before it sends it. Safe
// for concurrent use.
type QUICRoles struct {
	mu      sync.Mutex
	packets []quicPacket // traced, and not sent yet
	top     int64        // stream bytes below were sent before
}

type quicPacket struct {
	size int
	role packet.Role
}

var _ qlogwriter.Trace = (*QUICRoles)(nil)

// AddProducer implements qlogwriter.Trace.
func (q *QUICRoles) AddProducer() qlogwriter.Recorder { return q }

// SupportsSchemas implements qlogwriter.Trace.
func (q *QUICRoles) SupportsSchemas(string) bool { return false }

// Close implements qlogwriter.Recorder.
func (q *QUICRoles) Close() error { return nil }

// RecordEvent implements qlogwriter.Recorder.
func (q *QUICRoles) RecordEvent(e qlogwriter.Event) {
	if sent, ok := e.(qlog.PacketSent); ok {
		q.mu.Lock()
		q.packets = append(q.packets, quicPacket{sent.Raw.Length, q.roleOf(&sent)})
		q.mu.Unlock()
	}
}

// roleOf tells what a packet is for. Whoever repeats stream data sends nothing new beside it.
func (q *QUICRoles) roleOf(p *qlog.PacketSent) packet.Role {
	if p.Header.PacketType != qlog.PacketType1RTT {
		return packet.RoleTLSHandshake
	}
	role := packet.RoleAck
	for _, f := range p.Frames {
		switch x := f.Frame.(type) {
		case *qlog.StreamFrame:
			end := x.Offset + x.Length
			if role != packet.RoleData {
				role = packet.RoleRetransmission
			}
			if end > q.top {
				q.top, role = end, packet.RoleData
			}
		case *qlog.ConnectionCloseFrame:
			return packet.RoleClose
		case *qlog.CryptoFrame, *qlog.HandshakeDoneFrame, *qlog.NewTokenFrame, *qlog.NewConnectionIDFrame, *qlog.RetireConnectionIDFrame:
			if role == packet.RoleAck {
				role = packet.RoleTLSHandshake
			}
		case *qlog.PingFrame:
			if role == packet.RoleAck {
				role = packet.RoleKeepalive
			}
		}
	}
	return role
}

// Take returns the role of the datagram of so many bytes that is sent now: that of its first packet. What is not traced is a
// goodbye that is said again.
func (q *QUICRoles) Take(size int) packet.Role {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.packets) == 0 {
		return packet.RoleClose
	}
	role, n := q.packets[0].role, 0
	for n < size && len(q.packets) > 0 {
		n += q.packets[0].size
		q.packets = q.packets[1:]
	}
	return role
}
