package frames

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Station says whose packets are meant: those of a MAC address, or those of an IPv4 address.
type Station struct {
	MAC  [6]byte
	Addr netip.Addr // instead of MAC
}

func (s Station) String() string {
	if s.Addr.IsValid() {
		return s.Addr.String()
	}
	return net.HardwareAddr(s.MAC[:]).String()
}

// ErrMAC means that a text is no MAC address.
var ErrMAC = errors.New("expected six bytes, as 24:6f:28:ab:42:97")

// ParseMAC reads a MAC address as tools print it: six bytes in hexadecimal, with or without leading zeros, joined by colons or hyphens;
// three words joined by dots; or twelve digits.
func ParseMAC(s string) (mac [6]byte, err error) {
	bad := fmt.Errorf("invalid MAC address %q: %w", s, ErrMAC)
	text, groups := strings.TrimSpace(s), []string(nil)
	switch {
	case strings.Contains(text, ":"):
		groups = strings.Split(text, ":")
	case strings.Contains(text, "-"):
		groups = strings.Split(text, "-")
	case strings.Contains(text, "."):
		groups = strings.Split(text, ".")
	default:
		groups = []string{text}
	}
	width := 12 / max(len(groups), 1)
	if len(groups) != 6 && len(groups) != 3 && len(groups) != 1 {
		return mac, bad
	}
	var all strings.Builder
	for _, g := range groups {
		if g == "" || len(g) > width || len(groups) == 1 && len(g) != width {
			return mac, bad
		}
		all.WriteString(strings.Repeat("0", width-len(g)) + g)
	}
	b, err := hex.DecodeString(all.String())
	if err != nil || len(b) != 6 {
		return mac, bad
	}
	return [6]byte(b), nil
}

// Matcher tells which packets are a station's, and what is doubtful about it. It is for one station, through all of its captures.
type Matcher struct {
	Station
	mac   [6]byte // of the station that was named by its address
	named bool
	addrs map[netip.Addr]*span // IPv4 addresses that the MAC address sent from
	macs  map[[6]byte]*span    // MAC addresses that sent from the IPv4 address
}

// span is from when to when something was seen.
type span struct{ first, last, n int64 }

// rememberedAddresses bounds a Matcher's memory: a router's MAC sends from all the internet.
const rememberedAddresses = 256

// NewMatcher returns a matcher for a station.
func NewMatcher(s Station) *Matcher {
	return &Matcher{Station: s, addrs: make(map[netip.Addr]*span), macs: make(map[[6]byte]*span)}
}

// Match tells the direction of a packet, seen from the station: 1 up, −1 down; 0 where it is not the station's, and why.
func (m *Matcher) Match(f *Frame) (dir int8, reason string) {
	if m.Addr.IsValid() {
		return m.byAddr(f)
	}
	switch {
	case f.HasSrc && f.SrcMAC == m.MAC:
		if !f.Is6() && f.Src.IsGlobalUnicast() {
			see(m.addrs, f.Src, f.At)
		}
		return 1, ""
	case f.HasDst && f.DstMAC == m.MAC:
		return -1, ""
	case f.HasSrc && !f.HasDst && m.addrs[f.Dst] != nil: // a cooked capture names the sender alone
		return -1, ""
	}
	return 0, OtherDevice
}

func (m *Matcher) byAddr(f *Frame) (dir int8, reason string) {
	switch m.Addr {
	case f.Src:
		if f.HasSrc {
			see(m.macs, f.SrcMAC, f.At)
			if !m.named {
				m.mac, m.named = f.SrcMAC, true
			}
		}
		return 1, ""
	case f.Dst:
		return -1, ""
	}
	if f.Is6() && m.named && (f.HasSrc && f.SrcMAC == m.mac || f.HasDst && f.DstMAC == m.mac) {
		return 0, IPv6
	}
	return 0, OtherDevice
}

func see[K comparable](spans map[K]*span, key K, at int64) {
	s := spans[key]
	switch {
	case s != nil:
		s.first, s.last, s.n = min(s.first, at), max(s.last, at), s.n+1
	case len(spans) < rememberedAddresses:
		spans[key] = &span{at, at, 1}
	}
}

// Address returns the MAC address of the station; false where the capture does not tell it.
func (m *Matcher) Address() ([6]byte, bool) {
	if m.Addr.IsValid() {
		return m.mac, m.named
	}
	return m.MAC, true
}

// Doubts say what speaks against the packets being one device's.
func (m *Matcher) Doubts() []string {
	if m.Addr.IsValid() {
		if len(m.macs) < 2 {
			return nil
		}
		macs := slices.SortedFunc(maps.Keys(m.macs), func(a, b [6]byte) int {
			return cmp.Or(cmp.Compare(m.macs[a].first, m.macs[b].first), bytes.Compare(a[:], b[:]))
		})
		return []string{fmt.Sprintf("%d MAC addresses used %s (%s): the lease may have changed hands; --mac, or mac:, tells them apart",
			len(macs), m.Addr, listed(macs, func(a [6]byte) string { return net.HardwareAddr(a[:]).String() }))}
	}
	addrs := slices.SortedFunc(maps.Keys(m.addrs), func(a, b netip.Addr) int {
		return cmp.Or(cmp.Compare(m.addrs[a].first, m.addrs[b].first), a.Compare(b))
	})
	together := false
	for i := 1; i < len(addrs); i++ {
		together = together || m.addrs[addrs[i]].first < m.addrs[addrs[i-1]].last
	}
	if !together {
		return nil
	}
	return []string{fmt.Sprintf("%d IPv4 addresses at once are behind %s (%s): it may be a repeater or a router; --ip, or ip:, tells them apart",
		len(addrs), m.Station, listed(addrs, netip.Addr.String))}
}

func listed[T any](all []T, text func(T) string) string {
	const most = 6
	var parts []string
	for _, v := range all[:min(len(all), most)] {
		parts = append(parts, text(v))
	}
	if len(all) > most {
		parts = append(parts, "…")
	}
	return strings.Join(parts, ", ")
}
