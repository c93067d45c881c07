package live

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"glasshouse/emulator/live/netns"
)

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var s unix.Stat_t
	check(t, unix.Stat(path, &s))
	return s.Ino
}

func TestNamespace(t *testing.T) {
	needNamespaces(t)
	n := must(netns.New("here"))(t)
	defer n.Close()
	outside := inode(t, "/proc/thread-self/ns/net")
	var inside uint64
	check(t, n.Do(func() error { inside = inode(t, "/proc/thread-self/ns/net"); return nil }))
	if inside == outside || inode(t, "/proc/thread-self/ns/net") != outside {
		t.Errorf("outside %d, inside %d", outside, inside)
	}
	name := filepath.Join("/run", "here")
	check(t, n.Bind(name))
	if got := inode(t, name); got != inside {
		t.Errorf("%s is namespace %d, want %d", name, got, inside)
	}
	check(t, n.Sysctl("net.ipv4.ip_default_ttl", "99"))
	if b := must(os.ReadFile("/proc/sys/net/ipv4/ip_default_ttl"))(t); strings.TrimSpace(string(b)) == "99" {
		t.Error("a setting of the namespace reached the process's")
	}
	check(t, n.Do(func() error {
		if b := must(os.ReadFile("/proc/sys/net/ipv4/ip_default_ttl"))(t); strings.TrimSpace(string(b)) != "99" {
			t.Errorf("the setting is %s", b)
		}
		c, err := net.Dial("udp4", "127.0.0.1:9") // lo is up
		if err == nil {
			_ = c.Close()
		}
		return err
	}))
	if err := n.Sysctl("net.ipv4.no_such_thing", "1"); err == nil {
		t.Error("a setting that does not exist was set")
	}
	if err := n.Bind("/run/no/such/folder"); err == nil {
		t.Error("bound where there is no folder")
	}
}

// An interface says nothing by itself, and no descriptor of it is inherited by a program that is started.
func TestInterfacesAreSilentAndClosedOnExec(t *testing.T) {
	needNamespaces(t)
	n := must(netns.New("here"))(t)
	defer n.Close()
	tap := must(n.AddTAP("wlan0", macOf(1), 1400))(t)
	tun := must(n.AddTUN("eth0", 1300))(t)
	check(t, n.AddAddr("wlan0", netip.MustParsePrefix("10.9.8.7/24")))
	heard := make(chan []byte, 2)
	for _, i := range []*netns.Interface{tap, tun} {
		go func() {
			b := make([]byte, 2000)
			k, _ := i.Read(b)
			heard <- b[:max(k, 0)]
		}()
	}
	select {
	case b := <-heard:
		t.Errorf("the kernel sent % x", b)
		heard <- nil
	case <-time.After(300 * time.Millisecond):
	}
	for _, e := range must(os.ReadDir("/proc/self/fd"))(t) {
		link, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || !strings.Contains(link, "net/tun") && !strings.Contains(link, "net:[") {
			continue
		}
		fd := must(strconv.Atoi(e.Name()))(t)
		if flags := must(unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0))(t); flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s stays open across exec", link)
		}
	}
	link := must(n.Netlink().LinkByName("wlan0"))(t).Attrs()
	if link.MTU != 1400 || link.TxQLen != netns.QueueLength || [6]byte(link.HardwareAddr) != macOf(1) {
		t.Errorf("wlan0: %+v", link)
	}
	_ = tap.Close()
	_ = tun.Close()
	<-heard
	<-heard
}

// A device takes from its lease what it must: address, route, the MTU of option 26.
func TestLease(t *testing.T) {
	p := only(everything(), "bare")
	h := newHome(t, 1420, p)
	host := h.host(0, p)
	l := host.lease
	if l.prefix != netip.PrefixFrom(addrOf(0), 24) || l.router != homeGateway || l.dns != dnsAddr || l.mtu != 1420 {
		t.Errorf("%+v", l)
	}
	link := must(host.c.NS.Netlink().LinkByName("wlan0"))(t)
	if link.Attrs().MTU != 1420 {
		t.Errorf("the MTU is %d", link.Attrs().MTU)
	}
	routes := must(host.c.NS.Netlink().RouteList(link, netlink.FAMILY_V4))(t)
	if len(routes) != 2 {
		t.Errorf("routes: %v", routes)
	}
	h.boot(host, 1)
	h.perform(host, h.say("talk", "bare", false, up(5000), down(5000)), 2)
	for _, f := range h.frames() {
		if f.size > 1434 {
			t.Errorf("a frame of %d bytes: %s", f.size, &f)
		}
	}
}

// Who has no reservation gets nothing.
func TestNoReservationNoLease(t *testing.T) {
	p := only(everything(), "bare")
	h := newHome(t, 1500, p)
	host := h.unbooted(9, p)
	ctx, cancel := context.WithTimeout(h.ctx, 300*time.Millisecond)
	defer cancel()
	if err := host.Boot(ctx); err == nil {
		t.Error("a stranger got a lease")
	}
}

// A lease is renewed when half of it is over, by unicast.
func TestLeaseIsRenewed(t *testing.T) {
	p := only(everything(), "bare")
	h := newHome(t, 1500, p)
	renewed := make(chan *dhcpv4.DHCPv4, 10)
	h.mu.Lock()
	h.lan = func(ip []byte) {
		if m, err := dhcpv4.FromBytes(ip[min(28, len(ip)):]); err == nil && m.OpCode == dhcpv4.OpcodeBootRequest {
			renewed <- m
		}
	}
	h.mu.Unlock()
	h.dhcp.Lease = 4 * time.Second
	h.serveDHCP()
	host := h.host(0, p)
	select {
	case m := <-renewed:
		if addr, _ := netip.AddrFromSlice(m.ClientIPAddr.To4()); addr != host.lease.prefix.Addr() {
			t.Errorf("a renewal for %s", addr)
		}
		if m.MessageType() != dhcpv4.MessageTypeRequest || m.ServerIdentifier() != nil { // RFC 2131, section 4.3.6
			t.Errorf("a renewal as %s", m.Summary())
		}
	case <-time.After(6 * time.Second):
		t.Error("the lease is not renewed")
	}
}
