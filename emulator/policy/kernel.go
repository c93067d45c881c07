package policy

import "fmt"

// TCP's receive buffer: the sizes at the start and at most, bytes (net.ipv4.tcp_rmem, Linux's defaults). They rule the windows that
// an end announces, and so how many acknowledgements it sends.
const (
	ReceiveBufferFirst = 131072
	ReceiveBufferMost  = 6 << 20
)

// TCPSysctls are Linux's own defaults, which the virtual world's TCP models. A new namespace takes over what its host's administrator
// has chosen instead, and a home would send otherwise on every machine.
func TCPSysctls() [][2]string {
	return [][2]string{
		{"net.ipv4.tcp_rmem", fmt.Sprintf("4096 %d %d", ReceiveBufferFirst, ReceiveBufferMost)},
		{"net.ipv4.tcp_wmem", "4096 16384 4194304"},
		{"net.ipv4.tcp_slow_start_after_idle", "1"},
	}
}

// RouterSysctls make a kernel the home's router, as the virtual one is: it forwards, does not judge where a packet came in, and tells
// no host of shorter ways.
func RouterSysctls() [][2]string {
	return [][2]string{
		{"net.ipv4.ip_forward", "1"},
		{"net.ipv4.conf.all.rp_filter", "0"},
		{"net.ipv4.conf.default.rp_filter", "0"},
		{"net.ipv4.conf.all.send_redirects", "0"},
		{"net.ipv4.conf.default.send_redirects", "0"},
	}
}
