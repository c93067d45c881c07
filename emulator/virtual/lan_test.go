package virtual

import (
	"net/netip"
	"testing"
)

// The last address of a LAN is its broadcast's, whatever the bits of its first.
func TestBroadcast(t *testing.T) {
	for lan, want := range map[string]string{
		"192.168.126.0/24": "192.168.126.255",
		"192.168.127.0/24": "192.168.127.255",
		"10.1.2.0/23":      "10.1.3.255",
	} {
		n := &Net{}
		n.setLAN(netip.MustParsePrefix(lan))
		if got, to := n.broadcast(), u32(netip.MustParseAddr(want)); got != to || !n.onLAN(to) || n.onLAN(to+1) {
			t.Errorf("%s: broadcasts go to %08x, want %s", lan, got, want)
		}
	}
}
