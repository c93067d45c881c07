package realdata

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"glasshouse/emulator/packet"
	"glasshouse/testbed/frames"
)

func TestLibrary(t *testing.T) {
	for _, name := range Library() {
		h, err := Load(name, "captures")
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != name || len(h.Captures) < 2 || h.About == "" {
			t.Errorf("%+v", h)
		}
		err = Check(h)
		var missing *MissingError
		if !errors.As(err, &missing) || len(missing.Captures) != len(h.Captures) {
			t.Fatalf("captures that are not there: %v", err)
		}
		for _, c := range h.Captures {
			if c.Source == "" || !strings.Contains(err.Error(), c.Source) || !strings.Contains(err.Error(), c.File) || !strings.HasPrefix(c.File, "captures") {
				t.Errorf("%s: it is not told what is expected: %v", c.File, err)
			}
		}
	}
	if _, err := Load("lock", ""); err == nil || !strings.Contains(err.Error(), "locks") {
		t.Errorf("a home that is not built in: %v", err)
	}
	h, err := Load("locks", "")
	if err != nil {
		t.Fatal(err)
	}
	if u := h.Units(); u[2] != "blink-camera" || u[3] != "blink-camera-2" {
		t.Errorf("units %v", u)
	}
}

func TestListErrors(t *testing.T) {
	for _, c := range []struct{ list, want string }{
		{"home: a\ncaptures: []\n", "1 to 200"},
		{"home: a\ncapture: []\n", `unknown key "capture"`},
		{"home: a\ncaptures: [{file: a.pcap, device: ikettle}]\n", "whose packets?"},
		{"home: a\ncaptures: [{file: a.pcap, device: ikettle, mac: \"0c:2a\"}]\n", "six bytes"},
		{"home: a\ncaptures: [{file: a.pcap, device: ikettle, ip: \"::1\"}]\n", "an IPv4 address"},
		{"home: a\ncaptures: [{file: a.pcap, device: iketle, ip: 192.168.1.2}]\n", "ikettle"},
		{"home: a\ntogether: true\ncaptures: [{file: a.pcap, device: ikettle, ip: 192.168.1.2, at: 1s}]\n", "its own time"},
		{"home: a\nvirtual: {density: 1e9}\ncaptures: [{file: a.pcap, device: ikettle, ip: 192.168.1.2}]\n", "density"},
	} {
		file := filepath.Join(t.TempDir(), "home.yaml")
		if err := os.WriteFile(file, []byte(c.list), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(file, ""); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "home.yaml:") {
			t.Errorf("%s\n%v, want %q", c.list, err, c.want)
		}
	}
}

// ipv4 makes a packet of one device; TCP has time stamps, so its headers have 52 bytes.
func ipv4(proto byte, size int, seq uint32, up bool) crossing {
	b := make([]byte, 60)
	b[0], b[9] = 0x45, proto
	binary.BigEndian.PutUint16(b[2:], uint16(size))
	near, far := []byte{192, 168, 1, 9}, []byte{198, 18, 0, 1}
	a, z := uint16(40000), uint16(443)
	if !up {
		near, far, a, z = far, near, z, a
	}
	copy(b[12:], near)
	copy(b[16:], far)
	binary.BigEndian.PutUint16(b[20:], a)
	binary.BigEndian.PutUint16(b[22:], z)
	if proto == frames.ProtoTCP {
		binary.BigEndian.PutUint32(b[24:], seq)
		b[32], b[33] = 8<<4, 0x10
	}
	b = b[:min(size, len(b))]
	h, _ := frames.Parse(b, size)
	return crossing{Frame: frames.Frame{Header: h, IP: b, Length: size}, up: up}
}

func sourceOf(packets []crossing) source {
	return func(yield func(crossing) error) error {
		for _, p := range packets {
			if err := yield(p); err != nil {
				return err
			}
		}
		return nil
	}
}

// However packets are cut, there are as many bytes of TCP data, in order and without a gap, and of other payloads; nothing is larger than the MTU, and
// time does not go back.
func TestRecut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in []crossing
		next := map[bool]uint32{true: 1, false: 1<<32 - 5000}
		tcp, other, at := map[bool]int{}, 0, int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "packets") {
			at += int64(rapid.SampledFrom([]int{0, 1e5, 1e7, 1e9}).Draw(t, "gap"))
			up := rapid.Bool().Draw(t, "up")
			if rapid.IntRange(0, 4).Draw(t, "udp") == 0 {
				p := ipv4(frames.ProtoUDP, rapid.IntRange(28, 4000).Draw(t, "size"), 0, up)
				p.at = at
				other += p.Length - 20
				in = append(in, p)
				continue
			}
			data := rapid.SampledFrom([]int{0, 1, 700, 1368, 1369, 1448, 1448, 1448, 4000}).Draw(t, "data")
			p := ipv4(frames.ProtoTCP, 52+data, next[up], up)
			p.at = at
			next[up] += uint32(data)
			tcp[up] += data
			in = append(in, p)
		}
		begin := map[bool]uint32{true: 1, false: 1<<32 - 5000}
		got, last := 0, int64(0)
		order := queue{while: together, yield: func(p crossing) error {
			h, reason := frames.Parse(p.IP, p.Length)
			if p.Length > mtuTunnel || p.at < last || reason != "" || int(binary.BigEndian.Uint16(p.IP[2:])) != p.Length {
				t.Fatalf("%d bytes at %d after %d (%s)", p.Length, p.at, last, reason)
			}
			last = p.at
			if h.Proto == frames.ProtoUDP {
				got += p.Length - 20
				return nil
			}
			if _, data, ok := p.TCP(); ok && data > 0 {
				if seq := p.Sequence(); seq != begin[p.up] {
					t.Fatalf("a segment at %d, not at %d", seq, begin[p.up])
				}
				begin[p.up] += uint32(data)
				tcp[p.up] -= data
			}
			return nil
		}}
		cut := newRecutter(mtuTunnel, func(p crossing) {
			if err := order.add(p); err != nil {
				t.Fatal(err)
			}
		})
		for _, p := range in {
			cut.add(p)
		}
		cut.end()
		if err := order.until(math.MaxInt64); err != nil {
			t.Fatal(err)
		}
		if got != other || tcp[true] != 0 || tcp[false] != 0 {
			t.Fatalf("%d of %d bytes; %v of TCP are missing", got, other, tcp)
		}
	})
}

func TestRoles(t *testing.T) {
	p := ipv4(frames.ProtoTCP, 54, 1, true)
	if r := p.lineage().Role; r != packet.RoleData {
		t.Errorf("data is %s", r)
	}
	for flags, want := range map[byte]packet.Role{2: packet.RoleTCPHandshake, 0x12: packet.RoleTCPHandshake, 0x11: packet.RoleClose, 4: packet.RoleClose, 0x10: packet.RoleAck} {
		a := ipv4(frames.ProtoTCP, 52, 1, true)
		a.IP[33] = flags
		if r := a.lineage().Role; r != want {
			t.Errorf("flags %x are %s, not %s", flags, r, want)
		}
		a.Offset = 1480 // the middle of a payload
		if r := a.lineage().Role; r != packet.RoleData {
			t.Errorf("a later fragment is %s", r)
		}
	}
}

// FuzzPacket: whatever a packet holds, and however much of it is there, it does not end the program, nor does what is made of it.
func FuzzPacket(f *testing.F) {
	for _, p := range []crossing{ipv4(frames.ProtoTCP, 1500, 7, true), ipv4(frames.ProtoUDP, 3000, 0, false), ipv4(frames.ProtoICMP, 60, 0, true)} {
		f.Add(p.IP, p.Length)
	}
	f.Fuzz(func(t *testing.T, b []byte, length int) {
		if length < len(b) || length > 1<<17 {
			return
		}
		p := crossing{up: true}
		var ok bool
		d := frames.NewDecoder()
		frame, ok := d.Decode(frames.Record{Data: b, Length: length, Link: frames.LinkRaw})
		if !ok {
			return
		}
		p.Frame = *frame
		p.shows()
		p.lineage()
		n := 0
		if err := napt(sourceOf([]crossing{p}), func(int64, bool, []byte, int, uint16, packet.Lineage) { n++ }); err != nil || n != 1 {
			t.Errorf("%d packets of one, %v", n, err)
		}
		lost, err := tunnel(t.Context(), sourceOf([]crossing{p}), func(int64, bool, []byte, int, uint16, packet.Lineage) { n++ })
		if err != nil || length < 1<<16 && lost.Total() > 0 {
			t.Errorf("%x: %v %v", p.IP, lost, err)
		}
	})
}

// An open connection keeps its port through an hour of silence, where it began before the capture, too; one that is closed does not.
func TestPortsOfOpenConnectionsStay(t *testing.T) {
	const hour = int64(3600e9)
	for _, c := range []struct {
		name string
		old  []byte // flags of the first unit's packets, up and down in turn
		kept bool
	}{
		{"open since before the capture", []byte{0x18, 0x10}, true},
		{"opened in it", []byte{0x02, 0x12, 0x10}, true},
		{"closed", []byte{0x02, 0x12, 0x11, 0x11}, false},
	} {
		var in []crossing
		add := func(unit int, at int64, up bool, flags byte) {
			p := ipv4(frames.ProtoTCP, 52, 1, up)
			p.unit, p.at, p.IP[33] = unit, at, flags
			in = append(in, p)
		}
		for i, f := range c.old {
			add(0, int64(i), i%2 == 0, f)
		}
		add(1, hour, true, 0x02) // another device, from the same port of its own
		add(0, hour+1, true, 0x10)
		var ports []uint16
		if err := napt(sourceOf(in), func(_ int64, _ bool, _ []byte, _ int, port uint16, _ packet.Lineage) { ports = append(ports, port) }); err != nil {
			t.Fatal(err)
		}
		n := len(c.old)
		if (ports[n+1] == ports[0]) != c.kept || ports[n] == ports[n+1] || ports[0] != 40000 {
			t.Errorf("%s: ports %v", c.name, ports)
		}
	}
}
