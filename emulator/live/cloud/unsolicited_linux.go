package cloud

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"time"

	"glasshouse/emulator/live/exchange"
	"glasshouse/emulator/live/netns"
	"glasshouse/emulator/unsolicited"
)

// UnsolicitedConfig says which unsolicited packets a home gets.
type UnsolicitedConfig struct {
	NS     *netns.Namespace
	Clock  exchange.Clock
	Target netip.Addr
	Rate   int64 // millionths of packets an hour
	Seed   uint64
}

// SendUnsolicited sends the home packets that nobody asked for, from addresses all over the internet, until ctx ends: one
// TCP SYN, or one UDP datagram, at exponential intervals.
func SendUnsolicited(ctx context.Context, c UnsolicitedConfig) {
	source := unsolicited.New(c.Seed, c.Rate)
	r := rand.New(rand.NewPCG(c.Seed, 0x7363616e))
	for {
		s, ok := source.Next()
		if !ok {
			return
		}
		from := s.From
		to := net.JoinHostPort(c.Target.String(), strconv.Itoa(int(s.Port)))
		payload := make([]byte, s.Size)
		for i := range payload {
			payload[i] = byte(r.Uint32())
		}
		payload[0], payload[1] = payload[0]&0x3f, payload[1]&0x3f // see plainDatagram
		if c.Clock.Sleep(ctx, s.At) != nil {
			return
		}
		if s.TCP { // gives up before it would send the SYN again
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, Timeout: 700 * time.Millisecond}
			_ = c.NS.Do(func() error {
				conn, err := d.DialContext(ctx, "tcp4", to)
				if err == nil {
					_ = conn.Close()
				}
				return err
			})
			continue
		}
		d := net.Dialer{LocalAddr: &net.UDPAddr{IP: from.AsSlice()}}
		_ = c.NS.Do(func() error {
			conn, err := d.DialContext(ctx, "udp4", to)
			if err == nil {
				_, err = conn.Write(payload)
				_ = conn.Close()
			}
			return err
		})
	}
}
