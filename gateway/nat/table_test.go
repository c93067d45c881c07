package nat_test

import (
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"glasshouse/gateway/nat"
)

const second = int64(1e9)

var (
	lanA    = ap("192.168.1.10:5000")
	lanB    = ap("192.168.1.11:5000")
	remoteX = ap("198.18.0.1:443")
	remoteY = ap("198.18.0.1:8443")
	remoteZ = ap("198.18.0.2:443")
)

func newTable(f nat.Filtering) *nat.Table {
	return nat.NewTable(nat.TableConfig{WAN: wanAddr, Filtering: f})
}

func mustOut(t *testing.T, tab *nat.Table, now int64, proto uint8, lan, remote netip.AddrPort, flags uint8) uint16 {
	t.Helper()
	w, ok := tab.Out(now, proto, lan, remote, flags)
	if !ok || w.Addr() != wanAddr || w.Port() == 0 {
		t.Fatalf("Out(%v, %v) = %v, %v", lan, remote, w, ok)
	}
	return w.Port()
}

func TestRFC4787REQ1EndpointIndependentMapping(t *testing.T) {
	tab := newTable(nat.FilterAddressAndPort)
	p := mustOut(t, tab, 0, udp, lanA, remoteX, 0)
	for _, r := range []netip.AddrPort{remoteY, remoteZ, ap("198.18.9.9:53")} {
		if q := mustOut(t, tab, 1, udp, lanA, r, 0); q != p {
			t.Errorf("towards %v the port is %d, not %d", r, q, p)
		}
	}
}

func TestRFC4787REQ3PortsPreservedAndNeverShared(t *testing.T) {
	tab := newTable(nat.FilterAddressAndPort)
	if p := mustOut(t, tab, 0, udp, lanA, remoteX, 0); p != lanA.Port() {
		t.Errorf("port %d, want the device's own", p)
	}
	if p := mustOut(t, tab, 0, udp, lanB, remoteX, 0); p == lanA.Port() || p < 1024 {
		t.Errorf("second device got port %d", p)
	}
	if p := mustOut(t, tab, 0, tcp, lanB, remoteX, syn); p != lanB.Port() {
		t.Errorf("TCP port %d: the protocols share no ports", p)
	}
	if p := mustOut(t, tab, 0, udp, ap("192.168.1.12:123"), remoteX, 0); p < 1024 {
		t.Errorf("a well-known port: %d", p)
	}
	if p := mustOut(t, tab, 0, icmp, ap("192.168.1.12:1"), ap("198.18.0.1:0"), 0); p != 1 {
		t.Errorf("echo identifier 1 became %d", p)
	}
}

func TestRFC4787REQ5UDPTimeout(t *testing.T) {
	tab := newTable(nat.FilterAddressAndPort)
	p := mustOut(t, tab, 0, udp, lanA, remoteX, 0)
	if _, ok := tab.In(300*second-1, udp, p, remoteX, 0); !ok {
		t.Error("closed before 300 s")
	}
	if _, ok := tab.In(300*second, udp, p, remoteX, 0); ok {
		t.Error("open after 300 s, though nothing went out")
	}
	short := nat.NewTable(nat.TableConfig{WAN: wanAddr, UDPTimeout: 120 * second})
	p = mustOut(t, short, 0, udp, lanA, remoteX, 0)
	if _, ok := short.In(120*second, udp, p, remoteX, 0); ok {
		t.Error("the configured timeout is not kept")
	}
}

func TestRFC4787REQ6OutboundRefreshes(t *testing.T) {
	tab := newTable(nat.FilterAddressAndPort)
	p := mustOut(t, tab, 0, udp, lanA, remoteX, 0)
	for now := int64(0); now < 3000*second; now += 250 * second {
		if q := mustOut(t, tab, now, udp, lanA, remoteX, 0); q != p {
			t.Fatalf("port %d became %d at %d s", p, q, now/second)
		}
		if _, ok := tab.In(now+200*second, udp, p, remoteX, 0); !ok {
			t.Fatalf("closed at %d s", now/second+200)
		}
	}
}

func TestRFC4787REQ8Filtering(t *testing.T) {
	for _, c := range []struct {
		f       nat.Filtering
		x, y, z bool // the end spoken to, its address with another port, another address
	}{
		{nat.FilterAddressAndPort, true, false, false},
		{nat.FilterAddress, true, true, false},
		{nat.FilterNone, true, true, true},
	} {
		for _, proto := range []uint8{udp, tcp} {
			t.Run(fmt.Sprintf("%d/%d", c.f, proto), func(t *testing.T) {
				tab := newTable(c.f)
				p := mustOut(t, tab, 0, proto, lanA, remoteX, 0)
				for r, want := range map[netip.AddrPort]bool{remoteX: c.x, remoteY: c.y, remoteZ: c.z} {
					lan, ok := tab.In(1, proto, p, r, 0)
					if ok != want || ok && lan != lanA {
						t.Errorf("from %v: %v, %v, want %v", r, lan, ok, want)
					}
				}
			})
		}
	}
}

// A mapping that other traffic keeps alive still closes to an end that the device has long stopped speaking to.
func TestRFC4787REQ8FilterExpiresByRemote(t *testing.T) {
	for _, f := range []nat.Filtering{nat.FilterAddressAndPort, nat.FilterAddress} {
		tab := newTable(f)
		p := mustOut(t, tab, 0, udp, lanA, remoteX, 0)
		mustOut(t, tab, 200*second, udp, lanA, remoteZ, 0)
		if _, ok := tab.In(400*second, udp, p, remoteX, 0); ok {
			t.Errorf("filtering %d admits an end that expired", f)
		}
		if _, ok := tab.In(400*second, udp, p, remoteZ, 0); !ok {
			t.Errorf("filtering %d refuses an end that has not", f)
		}
	}
}

func TestRFC5382REQ5Timeouts(t *testing.T) {
	type step struct {
		up    bool
		flags uint8
	}
	open := []step{{true, syn}, {false, syn | ack}, {true, ack}}
	for _, c := range []struct {
		name  string
		steps []step
		lives int64 // seconds after the last step
	}{
		{"opening", []step{{true, syn}}, 240},
		{"established", open, 7440},
		{"simultaneous open (REQ-2)", []step{{true, syn}, {false, syn}, {true, syn | ack}, {false, ack}}, 7440},
		{"half closed by the device", append(open[:3:3], step{true, fin | ack}), 7440},
		{"half closed by the server", append(open[:3:3], step{false, fin | ack}), 7440},
		{"closed", append(open[:3:3], step{true, fin | ack}, step{false, fin | ack}, step{true, ack}), 240},
		{"reset by the device", append(open[:3:3], step{true, rst}), 240},
		{"reset by the server", append(open[:3:3], step{false, rst | ack}), 240},
		{"same ends opened again", append(open[:3:3], step{false, rst | ack}, step{true, syn}, step{false, syn | ack}, step{true, ack}), 7440},
		{"opening again after a close", append(open[:3:3], step{true, fin | ack}, step{false, fin | ack}, step{true, syn}), 240},
		{"picked up in the middle", []step{{true, ack}, {false, ack}}, 240},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := newTable(nat.FilterAddressAndPort)
			now, port := int64(0), uint16(0)
			for _, s := range c.steps {
				if s.up {
					port = mustOut(t, tab, now, tcp, lanA, remoteX, s.flags)
				} else if _, ok := tab.In(now, tcp, port, remoteX, s.flags); !ok {
					t.Fatal("refused")
				}
				now += second
			}
			last := now - second
			if _, ok := tab.In(last+c.lives*second, tcp, port, remoteX, ack); ok {
				t.Errorf("open after %d s", c.lives)
			}
			// The other way round the answer refreshes, so it is asked of a fresh table's twin just before the end.
			tab = newTable(nat.FilterAddressAndPort)
			for i, s := range c.steps {
				if s.up {
					mustOut(t, tab, int64(i)*second, tcp, lanA, remoteX, s.flags)
				} else {
					tab.In(int64(i)*second, tcp, port, remoteX, s.flags)
				}
			}
			if _, ok := tab.In(last+c.lives*second-1, tcp, port, remoteX, ack); !ok {
				t.Errorf("closed before %d s", c.lives)
			}
		})
	}
}

func TestRFC5508REQ2QueryTimeout(t *testing.T) {
	tab := newTable(nat.FilterAddressAndPort)
	server := ap("198.18.0.1:0")
	p := mustOut(t, tab, 0, icmp, lanA, server, 0)
	if _, ok := tab.In(60*second-1, icmp, p, server, 0); !ok {
		t.Error("closed before 60 s")
	}
	if _, ok := tab.In(60*second, icmp, p, server, 0); ok {
		t.Error("open after 60 s")
	}
}

// Truth asks for the owner of a port after the mapping has ended, until another device gets the port.
func TestClosedMappingKeepsItsOwner(t *testing.T) {
	tab := newTable(nat.FilterAddressAndPort)
	p := mustOut(t, tab, 0, udp, lanA, remoteX, 0)
	if _, ok := tab.In(1000*second, udp, p, remoteX, 0); ok {
		t.Fatal("still open")
	}
	if lan, ok := tab.Peer(udp, p); !ok || lan != lanA {
		t.Errorf("owner %v, %v", lan, ok)
	}
	if q := mustOut(t, tab, 1001*second, udp, lanB, remoteX, 0); q != p {
		t.Fatalf("port %d, want %d, which is free", q, p)
	}
	if lan, _ := tab.Peer(udp, p); lan != lanB {
		t.Errorf("owner %v, want the port's new user", lan)
	}
	if _, ok := tab.Peer(tcp, p); ok {
		t.Error("a port that TCP never used has an owner")
	}
}

func TestTableLimit(t *testing.T) {
	tab := nat.NewTable(nat.TableConfig{WAN: wanAddr, Limit: 3})
	for i := range 3 {
		mustOut(t, tab, int64(i), udp, netip.AddrPortFrom(lanA.Addr(), uint16(2000+i)), remoteX, 0)
	}
	if _, ok := tab.Out(5, udp, lanB, remoteX, 0); ok {
		t.Error("a fourth mapping")
	}
	mustOut(t, tab, 5, tcp, lanB, remoteX, syn) // each protocol has its own
	mustOut(t, tab, 400*second, udp, lanB, remoteX, 0)
	if n := tab.Live(udp); n != 1 {
		t.Errorf("%d mappings after the old ones expired, want 1", n)
	}
}

func TestAllPortsTaken(t *testing.T) {
	tab := nat.NewTable(nat.TableConfig{WAN: wanAddr, Limit: 1 << 20})
	const ports = 65536 - 1024
	for i := range ports {
		mustOut(t, tab, 0, udp, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, byte(i >> 8), byte(i)}), 7), remoteX, 0)
	}
	if _, ok := tab.Out(0, udp, lanB, remoteX, 0); ok {
		t.Error("a port is used twice")
	}
	if tab.Live(udp) != ports {
		t.Errorf("%d mappings, want %d", tab.Live(udp), ports)
	}
}

// A device that speaks to ever new ends must not grow the table without bound.
func TestExpiredSessionsArePruned(t *testing.T) {
	tab := newTable(nat.FilterAddressAndPort)
	var p uint16
	for i := range 100_000 {
		r := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), uint16(1+i>>16))
		p = mustOut(t, tab, int64(i)*second, udp, lanA, r, 0)
	}
	if _, ok := tab.In(100_000*second, udp, p, ap("198.18.0.5:2"), 0); ok {
		t.Error("an old end is still admitted")
	}
	if n := tab.Sessions(udp, p); n > 1500 {
		t.Errorf("%d sessions kept where 300 can live", n)
	}
}

// Whatever happens, no two live mappings share a WAN port, what went out comes back to its sender, and nothing comes in
// that no device has asked for. A slow model says what is right.
func TestTableAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := nat.NewTable(nat.TableConfig{WAN: wanAddr, Limit: 6})
		type pair struct{ lan, remote netip.AddrPort }
		spoke := map[pair]int64{} // until when the answer is admitted
		port := map[netip.AddrPort]uint16{}
		until := map[netip.AddrPort]int64{}
		now := int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += rapid.Int64Range(0, 200).Draw(t, "pause") * second
			lan := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 1, rapid.Byte().Draw(t, "host") % 4}), 3000+rapid.Uint16().Draw(t, "port")%3)
			remote := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, 0, rapid.Byte().Draw(t, "remote") % 3}), 53)
			w, ok := tab.Out(now, udp, lan, remote, 0)
			if !ok {
				live := 0
				for _, u := range until {
					if u > now {
						live++
					}
				}
				if live < 6 {
					t.Fatalf("refused with %d live mappings", live)
				}
				continue
			}
			if until[lan] > now && port[lan] != w.Port() {
				t.Fatalf("%v moved from port %d to %d", lan, port[lan], w.Port())
			}
			port[lan], until[lan], spoke[pair{lan, remote}] = w.Port(), now+300*second, now+300*second
			used := map[uint16]netip.AddrPort{}
			for l, u := range until {
				if u <= now {
					continue
				}
				if o, twice := used[port[l]]; twice {
					t.Fatalf("%v and %v share port %d", o, l, port[l])
				}
				used[port[l]] = l
				for i := range byte(3) {
					r := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, 0, i}), 53)
					back, ok := tab.In(now, udp, port[l], r, 0)
					if want := spoke[pair{l, r}] > now; ok != want || ok && back != l {
						t.Fatalf("from %v to port %d: %v, %v, want %v, %v", r, port[l], back, ok, l, want)
					}
				}
			}
		}
	})
}
