package secure

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"glasshouse/emulator/wire"
	"glasshouse/emulator/wire/wiretest"
)

// need skips a test whose judge is not installed, with the reason; in CI that is a failure.
func need(t *testing.T, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err == nil {
		return path
	}
	if os.Getenv("GLASSHOUSE_CI") == "1" {
		t.Fatalf("%s is not installed", tool)
	}
	t.Skipf("%s is not installed", tool)
	return ""
}

// capture is a file of hand-made frames, 1 ms apart.
type capture struct {
	t    *testing.T
	path string
	file *os.File
	w    *pcapgo.Writer
	n    int
	port uint16
}

func newCapture(t *testing.T) *capture {
	t.Helper()
	c := &capture{t: t, path: filepath.Join(t.TempDir(), "wire.pcap"), port: 40000}
	c.file = wiretest.Must(os.Create(c.path))(t)
	c.w = pcapgo.NewWriterNanos(c.file)
	if err := c.w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *capture) frame(up bool, ip *layers.IPv4, transport gopacket.SerializableLayer, payload []byte) {
	c.t.Helper()
	client, server := netip.MustParseAddr("192.168.7.23"), netip.MustParseAddr("198.18.0.9")
	ip.Version, ip.TTL, ip.Id = 4, 64, uint16(c.n)
	if ip.SrcIP == nil {
		ip.SrcIP, ip.DstIP = client.AsSlice(), server.AsSlice()
		if !up {
			ip.SrcIP, ip.DstIP = ip.DstIP, ip.SrcIP
		}
	}
	switch l := transport.(type) {
	case *layers.TCP:
		_ = l.SetNetworkLayerForChecksum(ip)
	case *layers.UDP:
		_ = l.SetNetworkLayerForChecksum(ip)
	}
	eth := &layers.Ethernet{SrcMAC: []byte{2, 0, 0, 0, 0, 1}, DstMAC: []byte{2, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4}
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, eth, ip, transport, gopacket.Payload(payload)); err != nil {
		c.t.Fatal(err)
	}
	at := newYear(2026).Add(time.Duration(c.n) * time.Millisecond)
	c.n++
	if err := c.w.WritePacket(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(buf.Bytes()), Length: len(buf.Bytes())}, buf.Bytes()); err != nil {
		c.t.Fatal(err)
	}
}

func (c *capture) udp(up bool, clientPort, serverPort uint16, payload []byte) {
	c.t.Helper()
	l := &layers.UDP{SrcPort: layers.UDPPort(clientPort), DstPort: layers.UDPPort(serverPort)}
	if !up {
		l.SrcPort, l.DstPort = l.DstPort, l.SrcPort
	}
	c.frame(up, &layers.IPv4{Protocol: layers.IPProtocolUDP}, l, payload)
}

// stream is a TCP connection in a capture.
type stream struct {
	c        *capture
	ports    [2]uint16
	sequence [2]uint32
}

func (c *capture) connect(port uint16) *stream {
	c.t.Helper()
	c.port++
	s := &stream{c: c, ports: [2]uint16{c.port, port}, sequence: [2]uint32{1000, 2000}}
	s.segment(0, &layers.TCP{SYN: true}, nil)
	s.segment(1, &layers.TCP{SYN: true, ACK: true}, nil)
	s.segment(0, &layers.TCP{ACK: true}, nil)
	return s
}

func (s *stream) segment(end int, l *layers.TCP, payload []byte) {
	s.c.t.Helper()
	l.SrcPort, l.DstPort = layers.TCPPort(s.ports[end]), layers.TCPPort(s.ports[1-end])
	l.Seq, l.Window = s.sequence[end], 65535
	if l.ACK {
		l.Ack = s.sequence[1-end]
	}
	s.c.frame(end == 0, &layers.IPv4{Protocol: layers.IPProtocolTCP}, l, payload)
	s.sequence[end] += uint32(len(payload))
	if l.SYN || l.FIN {
		s.sequence[end]++
	}
}

// say sends bytes in segments, and lets the other end acknowledge.
func (s *stream) say(up bool, b []byte) {
	s.c.t.Helper()
	end := 1
	if up {
		end = 0
	}
	for len(b) > 0 {
		n := min(len(b), 1448)
		s.segment(end, &layers.TCP{ACK: true, PSH: n == len(b)}, b[:n])
		b = b[n:]
		s.segment(1-end, &layers.TCP{ACK: true}, nil)
	}
}

func (s *stream) close() {
	s.c.t.Helper()
	s.segment(0, &layers.TCP{ACK: true, FIN: true}, nil)
	s.segment(1, &layers.TCP{ACK: true, FIN: true}, nil)
	s.segment(0, &layers.TCP{ACK: true}, nil)
}

// fillCapture writes a conversation of each protocol.
func fillCapture(c *capture) {
	t, r := c.t, wiretest.PCG(12)
	t.Helper()
	for i, host := range hosts() {
		addr := netip.MustParseAddr("198.18.0.9")
		c.udp(true, 5000+uint16(i), 53, wire.AppendDNSQuery(nil, uint16(i), host))
		c.udp(false, 5000+uint16(i), 53, wire.AppendDNSAnswer(nil, uint16(i), host, addr, 60))
		c.udp(true, 5100+uint16(i), 53, wire.AppendDNSQuery(nil, 7, "no."+host))
		c.udp(false, 5100+uint16(i), 53, wire.AppendDNSAnswer(nil, 7, "no."+host, netip.Addr{}, 60))
		chain := wiretest.Must(NewChain(host))(t)
		for _, version := range []uint16{TLS12, TLS13} {
			up, down := imitate(r, host, chain, version, "", 100, 40_000)
			s := c.connect(443)
			s.say(true, up[0])
			s.say(false, down[0])
			s.say(true, up[1])
			down = down[1:]
			for _, b := range up[2 : len(up)-1] {
				s.say(true, b)
			}
			for _, b := range down {
				s.say(false, b)
			}
			s.say(true, up[len(up)-1])
			s.close()
		}
		q := wiretest.Must(NewQUIC(r))(t)
		port := 6000 + uint16(i)
		c.udp(true, port, 443, q.AppendClientHello(nil, r, host))
		flight := q.AppendServerFlight(nil, r, chain)
		c.udp(false, port, 443, flight[:QUICDatagram])
		c.udp(false, port, 443, flight[QUICDatagram:])
		c.udp(true, port, 443, q.AppendClientFinish(nil, r))
		c.udp(false, port, 443, q.AppendServerDone(nil, r))
		for k := range 6 {
			c.udp(k%2 == 0, port, 443, q.AppendPacket(nil, r, k%2 == 0, 2+200*k))
		}
	}
	query := wire.AppendNTPQuery(nil, r)
	at := newYear(2026).UnixNano()
	c.udp(true, 7000, 123, query)
	c.udp(false, 7000, 123, wire.AppendNTPAnswer(nil, query, at, at+40_000))

	s := c.connect(80)
	for _, size := range []int{10, 300, 1200} {
		s.say(true, wire.AppendHTTPRequest(nil, r, "web.example", bytes.Repeat([]byte{0xcd}, wire.HTTPTokenSize), size))
		head, body := wire.AppendHTTPResponse(nil, size*3)
		s.say(false, wire.AppendRandom(head, r, body))
	}
	s.close()

	topic := wire.AppendText(nil, r, 24)
	s = c.connect(1883)
	s.say(true, wire.AppendMQTTConnect(nil, r, "", 90, 60))
	s.say(false, wire.AppendMQTTConnack(nil))
	s.say(true, wire.AppendMQTTSubscribe(nil, 1, topic))
	s.say(false, wire.AppendMQTTSuback(nil, 1))
	s.say(true, wire.AppendMQTTPublish(nil, r, 2, topic, 400))
	s.say(false, wire.AppendMQTTPuback(nil, 2))
	s.say(true, wire.AppendMQTTPublish(nil, r, 0, topic, 4000))
	s.say(true, wire.AppendMQTTPingreq(nil))
	s.say(false, wire.AppendMQTTPingresp(nil))
	s.say(true, wire.AppendMQTTDisconnect(nil))
	s.close()

	l := captureLease()
	for i, b := range [][]byte{wire.AppendDHCPDiscover(nil, &l), wire.AppendDHCPOffer(nil, &l), wire.AppendDHCPRequest(nil, &l), wire.AppendDHCPAck(nil, &l)} {
		udp := &layers.UDP{SrcPort: 68, DstPort: 67}
		from := netip.IPv4Unspecified()
		if i%2 != 0 {
			udp.SrcPort, udp.DstPort = 67, 68
			from = l.Server
		}
		c.frame(true, &layers.IPv4{Protocol: layers.IPProtocolUDP, SrcIP: from.AsSlice(), DstIP: []byte{255, 255, 255, 255}}, udp, b)
	}
	for i, b := range [][]byte{wire.AppendDHCPRenewal(nil, &l), wire.AppendDHCPAck(nil, &l)} {
		c.udp(i == 0, 68, 67, b)
	}
}

// Wireshark finds nothing wrong in any of it, recognises each protocol, and reads in it what was meant.
func TestTsharkReadsEverything(t *testing.T) {
	tshark := need(t, "tshark")
	c := newCapture(t)
	fillCapture(c)
	if err := c.file.Close(); err != nil {
		t.Fatal(err)
	}
	fields := []string{
		"frame.number", "frame.protocols", "_ws.malformed", "_ws.expert.severity", "_ws.expert.message", "tls.handshake.type",
		"tls.handshake.extensions_server_name", "x509ce.dNSName", "dns.a", "dns.flags.rcode", "ntp.flags.mode", "http.request.method",
		"http.response.code", "mqtt.msgtype", "dhcp.option.dhcp", "quic.packet_number",
	}
	args := []string{"-r", c.path, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,"}
	for _, check := range []string{"ip", "udp", "tcp"} {
		args = append(args, "-o", check+".check_checksum:TRUE")
	}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := exec.CommandContext(t.Context(), tshark, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	count := make(map[string]int) // field=value, in how many frames
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != c.n {
		t.Fatalf("%d lines of %d frames", len(lines), c.n)
	}
	warned := make(map[string]int)
	for _, line := range lines {
		values := strings.Split(line, "\t")
		for i, v := range values {
			if v != "" {
				count[fields[i]+"="+v]++
			}
		}
		for p := range strings.SplitSeq(values[1], ":") {
			count["protocol="+p]++
		}
		if values[2] != "" {
			t.Errorf("malformed: %s", line)
		}
		for sev := range strings.SplitSeq(values[3], ",") {
			if sev == "8388608" {
				t.Errorf("an error: %s", line)
			}
			if sev == "6291456" {
				warned[values[4]]++
			}
		}
	}
	for message, n := range warned {
		t.Logf("%d warnings: %s", n, message)
		if !strings.Contains(message, "Secrets are not available") {
			t.Errorf("a warning: %s", message)
		}
	}
	n := len(hosts())
	for what, least := range map[string]int{
		"protocol=tls": 10 * n, "protocol=dns": 4 * n, "protocol=ntp": 2, "protocol=http": 6, "protocol=mqtt": 10, "protocol=dhcp": 6,
		"protocol=quic": 11 * n, "protocol=x509ce": n,
		"tls.handshake.type=1": 3 * n, "tls.handshake.type=2": 2 * n, "tls.handshake.type=2,11,12,14": n, "tls.handshake.type=16": n,
		"dns.a=198.18.0.9": n, "dns.flags.rcode=3": n, "ntp.flags.mode=3": 1, "ntp.flags.mode=4": 1,
		"http.request.method=GET": 3, "http.response.code=200": 3, "quic.packet_number=0": 2 * n,
		"mqtt.msgtype=1": 1, "mqtt.msgtype=2": 1, "mqtt.msgtype=3": 2, "mqtt.msgtype=4": 1, "mqtt.msgtype=8": 1, "mqtt.msgtype=9": 1,
		"mqtt.msgtype=12": 1, "mqtt.msgtype=13": 1, "mqtt.msgtype=14": 1,
		"dhcp.option.dhcp=1": 1, "dhcp.option.dhcp=2": 1, "dhcp.option.dhcp=3": 2, "dhcp.option.dhcp=5": 2,
	} {
		if count[what] < least {
			t.Errorf("%s in %d frames, want %d", what, count[what], least)
		}
	}
	for _, host := range hosts() {
		if got := count["tls.handshake.extensions_server_name="+host]; got != 3 {
			t.Errorf("%s is named in %d hellos, want 3", host, got)
		}
		if got := count["x509ce.dNSName="+host]; got != 1 {
			t.Errorf("%s is named in %d certificates, want 1", host, got)
		}
	}
}

// captureLease is what the DHCP messages of the capture are about.
func captureLease() wire.DHCPLease {
	return wire.DHCPLease{
		XID: 0x01020304, MAC: [6]byte{2, 1, 2, 3, 4, 5}, Prefix: netip.MustParsePrefix("192.168.7.23/24"),
		Server: netip.MustParseAddr("192.168.7.1"), Router: netip.MustParseAddr("192.168.7.2"), DNS: netip.MustParseAddr("192.168.7.3"),
		MTU: 1420, Lease: 86400,
	}
}
