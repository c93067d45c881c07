package cloud

import (
	"net"
	"time"

	"glasshouse/emulator/wire"
)

// serveNTP answers NTP version 4 clients from the machine's clock until the socket is closed.
func serveNTP(conn *net.UDPConn) {
	buf := make([]byte, 1024)
	out := make([]byte, 0, wire.NTPSize)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		received := time.Now()
		if out = wire.AppendNTPAnswer(out[:0], buf[:n], received.UnixNano(), time.Now().UnixNano()); len(out) == 0 {
			continue
		}
		_, _ = conn.WriteToUDPAddrPort(out, from)
	}
}
