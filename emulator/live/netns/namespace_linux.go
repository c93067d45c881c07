package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/songgao/water"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Namespace is a network namespace that this process made. It has no name in the file system unless Bind gives it one, and
// it is gone when the process is. Safe for concurrent use.
type Namespace struct {
	name string
	ns   netns.NsHandle
	nl   *netlink.Handle
}

// New makes a namespace with its loopback up.
func New(name string) (*Namespace, error) {
	n := &Namespace{name: name}
	err := onThread(func() (err error) {
		if n.ns, err = netns.New(); err != nil { // leaves the thread inside: it is not used again
			return err
		}
		unix.CloseOnExec(int(n.ns))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("making network namespace %s: %w", name, err)
	}
	if n.nl, err = netlink.NewHandleAt(n.ns, unix.NETLINK_ROUTE); err != nil {
		_ = n.ns.Close()
		return nil, fmt.Errorf("opening netlink in %s: %w", name, err)
	}
	if err := n.up("lo"); err != nil {
		_ = n.Close()
		return nil, err
	}
	return n, nil
}

// onThread runs f on a thread that ends with it.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// Name returns the name that the namespace was made with.
func (n *Namespace) Name() string { return n.name }

// Do runs f inside the namespace. Sockets and files that f opens stay in it; goroutines that f starts are outside.
func (n *Namespace) Do(f func() error) error {
	runtime.LockOSThread()
	outside, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer outside.Close()
	if err := netns.Set(n.ns); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("entering %s: %w", n.name, err)
	}
	err = f()
	if back := netns.Set(outside); back != nil {
		return errors.Join(err, back) // the thread stays locked and ends with the goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// Bind gives the namespace a name in the file system, as `ip netns` expects under /run/netns.
func (n *Namespace) Bind(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("naming %s: %w", n.name, err)
	}
	_ = f.Close()
	if err := n.Do(func() error {
		return unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
	}); err != nil {
		_ = os.Remove(path)
		return fmt.Errorf("naming %s: %w", n.name, err)
	}
	return nil
}

// Sysctl sets a network setting, named with dots.
func (n *Namespace) Sysctl(key, value string) error {
	path := filepath.Join("/proc/sys", strings.ReplaceAll(key, ".", "/"))
	return n.Do(func() error { return os.WriteFile(path, []byte(value), 0) })
}

// Interface is a TUN or TAP: a read takes a packet that the namespace's kernel sends, a write hands it one.
type Interface struct {
	*water.Interface
	name string
}

// Name returns the interface's name.
func (i *Interface) Name() string { return i.name }

// QueueLength holds what the kernel sends while the program is busy elsewhere; the default of 500 loses packets in bursts.
const QueueLength = 5000

// AddTAP makes an Ethernet interface and sets it up.
func (n *Namespace) AddTAP(name string, mac [6]byte, mtu int) (*Interface, error) {
	return n.add(name, water.TAP, mac[:], mtu)
}

// AddTUN makes an IP interface and sets it up.
func (n *Namespace) AddTUN(name string, mtu int) (*Interface, error) {
	return n.add(name, water.TUN, nil, mtu)
}

func (n *Namespace) add(name string, kind water.DeviceType, mac []byte, mtu int) (*Interface, error) {
	i := &Interface{name: name}
	err := n.Do(func() (err error) {
		i.Interface, err = water.New(water.Config{DeviceType: kind, PlatformSpecificParams: water.PlatformSpecificParams{Name: name}})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("making %s in %s: %w", name, n.name, err)
	}
	if f, ok := i.ReadWriteCloser.(*os.File); ok { // water leaves it open across exec
		if raw, err := f.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { unix.CloseOnExec(int(fd)) })
		}
	}
	if err := n.configure(name, mac, mtu); err != nil {
		_ = i.Close()
		return nil, fmt.Errorf("setting up %s in %s: %w", name, n.name, err)
	}
	return i, nil
}

func (n *Namespace) configure(name string, mac []byte, mtu int) error {
	link, err := n.nl.LinkByName(name)
	if err != nil {
		return err
	}
	if mac != nil {
		if err := n.nl.LinkSetHardwareAddr(link, mac); err != nil {
			return err
		}
	}
	if err := n.nl.LinkSetMTU(link, mtu); err != nil {
		return err
	}
	if err := n.nl.LinkSetTxQLen(link, QueueLength); err != nil {
		return err
	}
	// Before the link is up, or the kernel sends router solicitations and multicast reports of its own.
	if err := n.Sysctl("net.ipv6.conf."+name+".disable_ipv6", "1"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return n.nl.LinkSetUp(link)
}

func (n *Namespace) up(name string) error {
	link, err := n.nl.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding %s in %s: %w", name, n.name, err)
	}
	return n.nl.LinkSetUp(link)
}

// AddAddr gives an interface an address.
func (n *Namespace) AddAddr(iface string, addr netip.Prefix) error {
	link, err := n.nl.LinkByName(iface)
	if err != nil {
		return fmt.Errorf("finding %s in %s: %w", iface, n.name, err)
	}
	a, err := netlink.ParseAddr(addr.String())
	if err != nil {
		return err
	}
	if err := n.nl.AddrReplace(link, a); err != nil {
		return fmt.Errorf("adding %s to %s in %s: %w", addr, iface, n.name, err)
	}
	return nil
}

// AddRoute sends a prefix to an interface, through a router on its link if via is valid.
func (n *Namespace) AddRoute(iface string, to netip.Prefix, via netip.Addr) error {
	link, err := n.nl.LinkByName(iface)
	if err != nil {
		return fmt.Errorf("finding %s in %s: %w", iface, n.name, err)
	}
	_, dst, err := parseCIDR(to)
	if err != nil {
		return err
	}
	r := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: dst}
	if via.IsValid() {
		r.Gw = via.AsSlice()
	} else {
		r.Scope = netlink.SCOPE_LINK
	}
	if err := n.nl.RouteReplace(r); err != nil {
		return fmt.Errorf("routing %s to %s in %s: %w", to, iface, n.name, err)
	}
	return nil
}

// AddLocal makes all addresses of a prefix the namespace's own (any-IP): it answers on each without having it configured.
func (n *Namespace) AddLocal(p netip.Prefix) error {
	lo, err := n.nl.LinkByName("lo")
	if err != nil {
		return err
	}
	_, dst, err := parseCIDR(p)
	if err != nil {
		return err
	}
	r := &netlink.Route{LinkIndex: lo.Attrs().Index, Dst: dst, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST, Table: unix.RT_TABLE_LOCAL}
	if err := n.nl.RouteReplace(r); err != nil {
		return fmt.Errorf("making %s local in %s: %w", p, n.name, err)
	}
	return nil
}

// Dropped returns how many packets the kernel could not queue for an interface's reader.
func (n *Namespace) Dropped(iface string) (int64, error) {
	link, err := n.nl.LinkByName(iface)
	if err != nil {
		return 0, err
	}
	s := link.Attrs().Statistics
	if s == nil {
		return 0, nil
	}
	return int64(s.TxDropped), nil
}

// SetMTU sets an interface's largest packet, bytes.
func (n *Namespace) SetMTU(iface string, mtu int) error {
	link, err := n.nl.LinkByName(iface)
	if err != nil {
		return fmt.Errorf("finding %s in %s: %w", iface, n.name, err)
	}
	if err := n.nl.LinkSetMTU(link, mtu); err != nil {
		return fmt.Errorf("setting the MTU of %s in %s to %d: %w", iface, n.name, mtu, err)
	}
	return nil
}

// SetDown takes an interface down.
func (n *Namespace) SetDown(iface string) error {
	link, err := n.nl.LinkByName(iface)
	if err != nil {
		return err
	}
	return n.nl.LinkSetDown(link)
}

// Close gives the namespace up; it ends when its last socket and interface are closed.
func (n *Namespace) Close() error {
	n.nl.Close()
	return n.ns.Close()
}

// TrustNeighbours sets for how long a namespace's kernel trusts an address that it has learned by ARP, ns; 0 leaves it.
func (n *Namespace) TrustNeighbours(iface string, ns int64) error {
	if ns <= 0 {
		return nil
	}
	return n.Sysctl("net.ipv4.neigh."+iface+".base_reachable_time_ms", fmt.Sprint(ns/1e6))
}

// Netlink is a handle into the namespace, for what has no method here. It works from any thread.
func (n *Namespace) Netlink() *netlink.Handle { return n.nl }

// Neighbour returns the hardware address that the kernel knows of a machine behind an interface; nil: it knows none.
func (n *Namespace) Neighbour(iface string, addr netip.Addr) net.HardwareAddr {
	link, err := n.nl.LinkByName(iface)
	if err != nil {
		return nil
	}
	list, err := n.nl.NeighList(link.Attrs().Index, unix.AF_INET)
	if err != nil {
		return nil
	}
	for i := range list {
		if list[i].IP.Equal(addr.AsSlice()) && len(list[i].HardwareAddr) == 6 {
			return list[i].HardwareAddr
		}
	}
	return nil
}

// ListenUDP opens a UDP socket in the namespace.
func (n *Namespace) ListenUDP(at netip.AddrPort) (conn *net.UDPConn, err error) {
	err = n.Do(func() error {
		conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
		return err
	})
	return conn, err
}

func parseCIDR(p netip.Prefix) (net.IP, *net.IPNet, error) { return net.ParseCIDR(p.Masked().String()) }
