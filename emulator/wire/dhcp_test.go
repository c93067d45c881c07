package wire

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"

	"glasshouse/emulator/wire/wiretest"
)

// dhcpLine is the other end of insomniacslk's client: it keeps what the client sends, and answers with our bytes.
type dhcpLine struct {
	lease   DHCPLease
	mu      sync.Mutex
	sent    [][]byte
	replies [][]byte
	answers chan []byte
	closed  chan struct{}
	once    sync.Once
}

func (d *dhcpLine) WriteTo(p []byte, _ net.Addr) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sent = append(d.sent, bytes.Clone(p))
	d.lease.XID = binary.BigEndian.Uint32(p[4:])
	answer := AppendDHCPAck(nil, &d.lease)
	if len(d.sent) == 1 {
		answer = AppendDHCPOffer(nil, &d.lease)
	}
	d.replies = append(d.replies, answer)
	d.answers <- answer
	return len(p), nil
}

func (d *dhcpLine) ReadFrom(p []byte) (int, net.Addr, error) {
	select {
	case a := <-d.answers:
		return copy(p, a), &net.UDPAddr{IP: d.lease.Server.AsSlice(), Port: dhcpv4.ServerPort}, nil
	case <-d.closed:
		return 0, nil, os.ErrClosed
	}
}

func (d *dhcpLine) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}

func (d *dhcpLine) LocalAddr() net.Addr              { return &net.UDPAddr{Port: dhcpv4.ClientPort} }
func (d *dhcpLine) SetDeadline(time.Time) error      { return nil }
func (d *dhcpLine) SetReadDeadline(time.Time) error  { return nil }
func (d *dhcpLine) SetWriteDeadline(time.Time) error { return nil }

func testLease() DHCPLease {
	return DHCPLease{
		XID: 0x01020304, MAC: [6]byte{2, 1, 2, 3, 4, 5}, Prefix: netip.MustParsePrefix("192.168.7.23/24"),
		Server: netip.MustParseAddr("192.168.7.1"), Router: netip.MustParseAddr("192.168.7.2"), DNS: netip.MustParseAddr("192.168.7.3"),
		MTU: 1420, Lease: 86400,
	}
}

// The client of insomniacslk, used as the live world uses it, sends our bytes and takes our answers; the answers are those
// that the live world's server makes.
func TestDHCPIsInsomniacs(t *testing.T) {
	d := &dhcpLine{lease: testLease(), answers: make(chan []byte, 4), closed: make(chan struct{})}
	client := wiretest.Must(nclient4.NewWithConn(d, d.lease.MAC[:], nclient4.WithTimeout(10*time.Second), nclient4.WithRetry(1)))(t)
	defer client.Close()
	got := wiretest.Must(client.Request(t.Context(), dhcpv4.WithRequestedOptions(dhcpv4.OptionInterfaceMTU)))(t)
	got = wiretest.Must(client.Renew(t.Context(), got))(t)
	if lease := got.ACK.IPAddressLeaseTime(0); lease != 24*time.Hour || !got.ACK.YourIPAddr.Equal(net.IPv4(192, 168, 7, 23)) {
		t.Errorf("the client reads %s", got.ACK.Summary())
	}
	l := &d.lease
	for i, want := range [][]byte{AppendDHCPDiscover(nil, l), AppendDHCPRequest(nil, l), AppendDHCPRenewal(nil, l)} {
		if !bytes.Equal(d.sent[i], want) {
			t.Errorf("message %d is\n%x, want\n%x", i, want, d.sent[i])
		}
		req := wiretest.Must(dhcpv4.FromBytes(d.sent[i]))(t)
		kind := dhcpv4.MessageTypeAck
		if i == 0 {
			kind = dhcpv4.MessageTypeOffer
		}
		reply := wiretest.Must(dhcpv4.NewReplyFromRequest(req,
			dhcpv4.WithMessageType(kind), dhcpv4.WithYourIP(l.Prefix.Addr().AsSlice()), dhcpv4.WithServerIP(l.Server.AsSlice()),
			dhcpv4.WithOption(dhcpv4.OptServerIdentifier(l.Server.AsSlice())), dhcpv4.WithNetmask(net.CIDRMask(24, 32)),
			dhcpv4.WithRouter(l.Router.AsSlice()), dhcpv4.WithDNS(l.DNS.AsSlice()), dhcpv4.WithLeaseTime(l.Lease),
			dhcpv4.WithOption(dhcpv4.Option{Code: dhcpv4.OptionInterfaceMTU, Value: dhcpv4.Uint16(l.MTU)})))(t)
		if want := reply.ToBytes(); !bytes.Equal(d.replies[i], want) {
			t.Errorf("answer %d is\n%x, want\n%x", i, d.replies[i], want)
		}
	}
}

func TestDHCPAllocatesNothing(t *testing.T) {
	l, buf := testLease(), make([]byte, 0, 2048)
	if n := testing.AllocsPerRun(100, func() {
		b := AppendDHCPDiscover(buf, &l)
		b = AppendDHCPOffer(b, &l)
		b = AppendDHCPRequest(b, &l)
		b = AppendDHCPRenewal(b, &l)
		_ = AppendDHCPAck(b, &l)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
