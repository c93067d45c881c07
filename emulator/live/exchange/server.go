package exchange

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"glasshouse/emulator/packet"
	"glasshouse/emulator/truth"
)

// ServerConfig says where datagrams come and who sends them.
type ServerConfig struct {
	Conn     *net.UDPConn
	Sessions *Sessions
	Clock    Clock
	Flow     func(seen netip.AddrPort) *truth.Flow // whose datagrams come from an address; nil on the LAN
	Group    *sync.WaitGroup                       // of what runs until the context ends
}

// Server is the server's end of datagram flows: a cloud's, or the phone's on the LAN.
type Server struct {
	ctx context.Context
	c   ServerConfig

	mu      sync.Mutex
	walking map[uint32]bool
}

// NewServer returns a server, which Run runs. What it walks ends with the context.
func NewServer(ctx context.Context, c ServerConfig) *Server {
	return &Server{ctx: ctx, c: c, walking: make(map[uint32]bool)}
}

// Run takes datagrams until the socket is closed.
func (f *Server) Run() {
	buf := make([]byte, 2048)
	for {
		n, from, err := f.c.Conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		j, i := f.c.Sessions.Parse(buf[:n])
		if j == nil {
			continue
		}
		j.Arrived(packet.Up, i)
		if f.begin(j) {
			f.answer(j, from)
		}
	}
}

// begin notes that a job is walked here; false if it was already.
func (f *Server) begin(j *Job) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.walking[j.handle] {
		return false
	}
	f.walking[j.handle] = true
	return true
}

// answer walks a job at the address from which its first datagram came. It looks up anew with each job who is there: a
// translated port may have been another device's before. From then on the device's end can start jobs here.
func (f *Server) answer(j *Job, from netip.AddrPort) {
	var flow *truth.Flow
	if f.c.Flow != nil {
		if flow = f.c.Flow(from); flow == nil {
			return
		}
		f.c.Sessions.pusher(flow.Key(), func(j *Job) {
			if f.begin(j) {
				f.c.Group.Go(func() { f.walk(j, flow, from) })
			}
		})
	}
	f.c.Group.Go(func() { f.walk(j, flow, from) })
}

// walk walks a job at this end; flow is nil on the LAN.
func (f *Server) walk(j *Job, flow *truth.Flow, to netip.AddrPort) {
	noise := NewNoise(uint64(j.handle))
	end := Datagrams{Clock: f.c.Clock, Sessions: f.c.Sessions, Dir: packet.Down, Noise: noise, Send: func(p []byte) error {
		if flow != nil {
			flow.Datagram(packet.Down, p, j.Tag)
		}
		_, err := f.c.Conn.WriteToUDPAddrPort(p, to)
		return err
	}}
	_ = end.Walk(f.ctx, j)
	time.AfterFunc(10*time.Second, func() {
		f.mu.Lock()
		delete(f.walking, j.handle)
		f.mu.Unlock()
	})
}
